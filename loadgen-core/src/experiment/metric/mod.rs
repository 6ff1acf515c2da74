//! The figures of a trial: one number each, by name. What they are of, from when to when, is
//! told with them.

mod seen;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::report::Report;
use seen::{Figure, Seen};
use table::METRICS;

/// A figure that every trial has, if it was measured.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Metric {
    /// Its name in files and rules.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Which way is worse.
    pub worse: Worse,
    /// What it is exactly, from when to when.
    pub definition: &'static str,
    of: fn(&Seen<'_>) -> Option<Figure>,
}

impl PartialEq for Metric {
    /// Each name is given once.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// How many.
    Count,
    /// A part of a whole, from 0 to 1.
    Share,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerS,
    /// Calls a second.
    PerS,
}

/// Which way a metric is worse for the users, or costs more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Worse {
    /// More is worse.
    Higher,
    /// Less is worse.
    Lower,
}

/// The figures of one trial, by the names of metrics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Figures {
    /// Each metric; `None`: it was not measured.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// Those that were at least so large: the end of the load cut them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub lower_bounds: BTreeSet<String>,
}

impl Figures {
    /// Those of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let mut figures = Self::default();
        let seen = Seen::new(report);
        for metric in METRICS {
            let figure = (metric.of)(&seen).filter(|figure| figure.value.is_finite());
            if figure.is_some_and(|figure| figure.is_lower_bound) {
                figures.lower_bounds.insert(metric.name.to_owned());
            }
            figures.metrics.insert(metric.name.to_owned(), figure.map(|figure| figure.value));
        }
        figures
    }

    /// One of them; `None`: it was not measured.
    #[must_use]
    pub fn get(&self, metric: &str) -> Option<f64> {
        self.metrics.get(metric).copied().flatten()
    }
}

impl Metric {
    /// All there are, in the order in which they are shown.
    #[must_use]
    pub fn all() -> &'static [Self] {
        METRICS
    }

    /// The one of this name. That of a path of the report is taken too:
    /// `outage_ms.established` is `outage_established_ms`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        let is_unit = |part: &str| ["ms", "s"].contains(&part);
        let path = name.split_once('.').and_then(|(head, rest)| {
            let (stem, unit) = head.rsplit_once('_')?;
            is_unit(unit).then(|| format!("{stem}_{}_{unit}", rest.replace('.', "_")))
        });
        let path = path.as_deref().unwrap_or(name);
        METRICS.iter().find(|metric| metric.name == path)
    }
}

/// Those that a reader asks for first, and that are compared unless others are asked for: with
/// each more, all of them show less. Where nothing was migrated they are those of the load.
#[must_use]
pub fn headlines<'a>(trials: impl IntoIterator<Item = &'a Figures>) -> Vec<&'static Metric> {
    let of_migration = HEADLINES.iter().filter(|name| !OF_LOAD.contains(name));
    let of_migration: Vec<&&str> = of_migration.collect();
    let mut trials = trials.into_iter().peekable();
    let is_empty = trials.peek().is_none();
    let migrated = trials.any(|trial| of_migration.iter().any(|name| trial.get(name).is_some()));
    let names: &[&str] = if migrated || is_empty { &HEADLINES } else { &OF_LOAD };
    names.iter().filter_map(|name| Metric::named(name)).collect()
}

/// Where nothing was migrated.
const OF_LOAD: [&str; 4] =
    ["response_time_p50_ms", "response_time_p99_ms", "answered_per_s", "error_rate"];

const HEADLINES: [&str; 8] = [
    "total_migration_time_ms",
    "downtime_events_ms",
    "unreachable_ms",
    "outage_established_ms",
    "outage_fresh_ms",
    "response_time_during_p99_ms",
    "calls_lost",
    "error_rate",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn names_tell_their_units() {
        let mut names = BTreeSet::new();
        for metric in Metric::all() {
            let fits = match metric.unit {
                Unit::Ms => metric.name.ends_with("_ms"),
                Unit::Bytes => metric.name.ends_with("_bytes"),
                Unit::BytesPerS => metric.name.ends_with("_bytes_per_s"),
                Unit::PerS => metric.name.ends_with("_per_s"),
                Unit::Share => metric.name.ends_with("_rate"),
                Unit::Count => !metric.name.ends_with("_ms"),
            };
            assert!(fits && names.insert(metric.name), "{}", metric.name);
        }
    }

    #[test]
    fn a_path_of_the_report_names_a_metric() {
        let name = |name| Metric::named(name).map(|metric| metric.name);
        assert_eq!(name("outage_ms.established"), Some("outage_established_ms"));
        assert_eq!(name("downtime_ms.events"), Some("downtime_events_ms"));
        assert_eq!(name("calls_lost"), Some("calls_lost"));
        assert_eq!(name("outage_ms"), None);
        assert_eq!(name("outage.established"), None);
    }

    #[test]
    fn figures_are_those_of_the_report() {
        let mut report = sample::pre_copy();
        let figures = Figures::of(&report);
        let migration = report.migration.as_mut().unwrap();
        assert_eq!(figures.get("downtime_events_ms"), migration.downtime_ms.events);
        let outage = migration.outage_ms.established.as_mut().unwrap();
        assert_eq!(figures.get("outage_established_ms"), outage.headline());
        assert!(figures.lower_bounds.is_empty());
        outage.gap_is_lower_bound = true;
        let cut = Figures::of(&report);
        assert!(cut.lower_bounds.contains("outage_established_ms"));
        // A run without a migration has none of its figures, and says so.
        let plain = Figures::of(&sample::plain());
        assert_eq!(plain.metrics.get("downtime_events_ms"), Some(&None));
        assert_eq!(plain.metrics.len(), Metric::all().len());
        assert!(plain.get("response_time_p50_ms").is_some());
    }
}
