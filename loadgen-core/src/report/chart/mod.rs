//! The timeline as SVG: response time, rates, losses and throughput above each
//! other on one x axis, with the phases shaded and STOP and RESUME marked, and the
//! darks of a migration as bars above them.
//!
//! Drawn in units of half a pixel, so that a line is not forced onto whole
//! pixels; the page scales it. Text from outside is escaped by the SVG back end.

pub(crate) mod canvas;
mod darks;
pub(crate) mod panel;
mod series;
mod timeline;

use std::ops::Range;

pub(crate) use series::ticks;
pub(crate) use timeline::decade;

use super::Report;

/// Which part of a run a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// All of it.
    Whole,
    /// The seconds around the blackout, with the fine counters.
    Blackout,
}

/// A chart and what has to be said about it.
pub(crate) struct Chart {
    pub(crate) svg: String,
    /// What a point stands for.
    pub(crate) caption: String,
}

/// Draws a view; `None` if the report has nothing to show in it.
///
/// # Errors
/// The back end's message; drawing into memory does not fail in practice.
pub(crate) fn chart(report: &Report, view: View) -> Result<Option<Chart>, String> {
    match span(report, view) {
        Some(span) => timeline::draw(report, view, &span).map(Some),
        None => Ok(None),
    }
}

/// The moment of the first or last event of a name.
fn event_at(report: &Report, name: &str) -> Option<f64> {
    let events = report.events.iter().filter(|e| e.name == name && e.at_s.is_finite());
    events.map(|e| e.at_s).next()
}

fn span(report: &Report, view: View) -> Option<Range<f64>> {
    let timeline = &report.timeline;
    let end = timeline.windows.last().map(|w| w.start_s + timeline.window_ms / 1e3)?;
    let end = end.min(report.duration_s.max(timeline.window_ms / 1e3));
    let whole = 0.0..end;
    if !(end.is_finite() && end > 0.0) {
        return None;
    }
    if view == View::Whole {
        return Some(whole);
    }
    let migration = report.migration.as_ref()?;
    let stop = event_at(report, "stop")?;
    let resume = event_at(report, "resume").filter(|at| *at >= stop).unwrap_or(stop);
    let outages = [&migration.outage_ms.established, &migration.outage_ms.fresh];
    let back = outages
        .into_iter()
        .flatten()
        .filter_map(|o| Some(o.headline_start_s()? + o.headline()? / 1e3))
        .filter(|at| at.is_finite() && (stop..stop + 60.0).contains(at))
        .fold(resume, f64::max);
    // As much again on each side, and at least half a second.
    let margin = (back - stop).max(0.5);
    let zoom = (stop - margin).max(0.0)..(back + margin).min(end);
    // Of no use unless it shows more than the whole does.
    (zoom.end - zoom.start < end * 0.5 && zoom.end > zoom.start).then_some(zoom)
}
