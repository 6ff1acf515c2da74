//! How response times went in each trial, and how they were distributed in the median one, from
//! the reports that an experiment keeps.

use std::collections::BTreeMap;
use std::path::Path;

use super::metric::Metric;
use super::summary::Summary;
use super::trial::Trial;
use crate::report::span::Span;
use crate::report::{Report, WindowReport};

/// Trials of a cell that are shown; with more, evenly spaced ones of them.
const MOST_TRIALS: usize = 30;

/// Points of a trial: each is the worst window of so many.
const MOST_POINTS: usize = 160;

/// The figure by which a trial is the median one of its cell.
const BY: [&str; 2] = ["outage_established_ms", "total_migration_time_ms"];

/// The response times of the trials of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CellTimelines {
    pub(super) factors: BTreeMap<String, String>,
    pub(super) trials: Vec<Timeline>,
    /// Trials that are not shown: there are too many, or their reports cannot be read.
    pub(super) left_out: usize,
    /// Of the median trial: before the migration, during it, after it.
    pub(super) distributions: Vec<Distribution>,
}

/// Response times of a part of a trial.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Distribution {
    pub(super) name: &'static str,
    /// Good replies.
    pub(super) calls: u64,
    /// Shares of the calls, falling from 1, and the response time in ms that they were above.
    pub(super) points: Vec<(f64, f64)>,
}

/// The response times of a trial.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timeline {
    pub(super) index: u32,
    /// It is the median one of its cell.
    pub(super) is_median: bool,
    /// Seconds from the firing, and the p99 (where too few calls: the maximum) of the worst window
    /// of those that a point stands for, in ms; `None`: no call was answered.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// Those of all cells. Reports that cannot be read are left out.
pub(super) fn timelines(directory: &Path, summary: &Summary) -> Vec<CellTimelines> {
    let of_cell = |factors: &BTreeMap<String, String>| {
        let trials: Vec<&Trial> =
            summary.trials.iter().filter(|t| t.counts() && t.cell == *factors).collect();
        let median = median(&trials);
        let shown = spaced(&trials, median);
        let mut of_median = Vec::new();
        let mut read = |trial: &&Trial| {
            let text = std::fs::read_to_string(directory.join(trial.report.as_ref()?)).ok()?;
            let report = Report::from_json(&text).ok()?;
            let (points, is_median) = (points(&report), median == Some(trial.index));
            if is_median {
                of_median = distributions(&report);
            }
            (!points.is_empty()).then_some(Timeline { index: trial.index, is_median, points })
        };
        let drawn: Vec<Timeline> = shown.iter().filter_map(&mut read).collect();
        CellTimelines {
            factors: factors.clone(),
            left_out: trials.len() - drawn.len(),
            trials: drawn,
            distributions: of_median,
        }
    };
    let all = summary.cells.iter().map(|cell| of_cell(&cell.factors));
    all.filter(|cell| !cell.trials.is_empty()).collect()
}

/// The trial in the middle of its cell.
fn median(trials: &[&Trial]) -> Option<u32> {
    let name = BY
        .iter()
        .filter_map(|name| Metric::named(name))
        .map(|metric| metric.name)
        .find(|name| trials.iter().any(|trial| trial.figures.get(name).is_some()))?;
    let mut values: Vec<(f64, u32)> =
        trials.iter().filter_map(|t| Some((t.figures.get(name)?, t.index))).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values.get(values.len().saturating_sub(1) / 2).map(|(_, index)| *index)
}

fn spaced<'a>(trials: &[&'a Trial], median: Option<u32>) -> Vec<&'a Trial> {
    let step = trials.len().div_ceil(MOST_TRIALS).max(1);
    let kept = trials
        .iter()
        .enumerate()
        .filter(|(place, trial)| place % step == 0 || Some(trial.index) == median);
    kept.map(|(_, trial)| *trial).collect()
}

fn points(report: &Report) -> Vec<(f64, Option<f64>)> {
    let fired = report.events.iter().find(|event| event.name == "fired").map_or(0.0, |e| e.at_s);
    let windows = &report.timeline.windows;
    let step = windows.len().div_ceil(MOST_POINTS).max(1);
    let worst = |window: &WindowReport| {
        let of = window.populations.values().filter_map(|p| p.p99_us.or(p.max_us));
        of.fold(None, |worst: Option<f64>, us| Some(worst.map_or(us, |worst| worst.max(us))))
    };
    let point = |windows: &[WindowReport]| {
        let at = windows.first().map_or(0.0, |window| window.start_s) - fired;
        let worst = windows
            .iter()
            .filter_map(worst)
            .fold(None, |worst: Option<f64>, us| Some(worst.map_or(us, |worst| worst.max(us))));
        (at, worst.map(|us| us / 1e3))
    };
    windows.chunks(step).map(point).collect()
}

/// Points of a distribution in a power of ten of the share.
const POINTS_PER_DECADE: u32 = 25;

fn distributions(report: &Report) -> Vec<Distribution> {
    let Some(migration) = &report.migration else { return Vec::new() };
    let spans = [
        ("before", Span::before(migration)),
        ("during", Span::during(migration)),
        ("after", Span::after(migration)),
    ];
    let of = |(name, span): (&'static str, Span<'_>)| {
        let histogram = span.histogram()?;
        let calls = histogram.len();
        let share = |k: u32| 10f64.powf(-f64::from(k) / f64::from(POINTS_PER_DECADE));
        let shares = (0..).map(share).take_while(|share| share * calls as f64 >= 1.0);
        let above = |share: f64| (share, histogram.value_at_quantile(1.0 - share) as f64 / 1e6);
        Some(Distribution { name, calls, points: shares.map(above).collect() })
    };
    spans.into_iter().filter_map(of).filter(|of| of.calls > 0).collect()
}
