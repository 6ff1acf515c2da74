//! What a report says to a person, as titled tables of finished cells. The text
//! and the HTML rendering lay out the same sections, so they cannot differ in a
//! figure.
//!
//! Invariants: every figure in a cell has its unit; what was not measured is
//! [`cell::NONE`], never 0; every section says in its scope which calls, which
//! span and how many it covers.

mod addresses;
mod causes;
pub(crate) mod cell;
mod connecting;
mod darks;
mod guest;
mod head;
mod impact;
mod load;
mod loads;
pub(super) mod losses;
mod machines;
mod phases;
mod sessions;
mod shards;
mod tags;

pub(crate) use darks::{Dark, darks};
pub(crate) use head::{Head, calls_file, head};
pub(crate) use load::is_lower_bound;

use super::Report;

/// One titled table with remarks.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Section {
    pub(crate) title: String,
    /// Which calls, which span, how many.
    pub(crate) scope: String,
    /// Names of the columns; empty for a table that needs none.
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
    /// How many columns from the right are text (left-aligned). The first
    /// column always is.
    pub(crate) text_columns: usize,
    pub(crate) notes: Vec<String>,
}

/// How much of the events a rendering wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Events {
    /// Without those that only report progress.
    Milestones,
    /// All of them.
    All,
}

/// All sections: the impact of the migration first, if there was one.
pub(crate) fn sections(report: &Report, events: Events) -> Vec<Section> {
    let mut sections = Vec::new();
    if let Some(migration) = &report.migration {
        sections.push(impact::answer(report, migration));
        sections.push(phases::response(report, migration));
        sections.extend(tags::of_migration(migration));
        sections.extend(machines::section(migration));
        sections.extend(impact::truth(migration));
        sections.push(phases::table(migration));
    }
    if !report.events.is_empty() {
        sections.push(phases::events(report, events));
    }
    sections.push(load::calls(report));
    sections.extend(loads::section(report));
    sections.extend(sessions::section(report));
    sections.extend(tags::section(report));
    sections.push(load::times(report));
    sections.extend(connecting::section(report));
    sections.extend(causes::section(report));
    sections.extend(load::errors(report));
    sections.extend(addresses::section(report));
    sections.push(load::traffic(report));
    sections.extend(shards::section(report));
    sections
}
