//! The numbers behind the charts: windows brought down to what a chart can show.
//! Nothing is drawn here.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::{Report, WindowReport};

/// Most points of one line.
pub(super) const MAX_POINTS: usize = 1200;

/// Some successive windows as one point of the lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Point {
    pub(super) start_s: f64,
    pub(super) end_s: f64,
    /// Mean of the windows, per second.
    pub(super) offered_per_s: f64,
    /// Mean and smallest of the windows, per second. A silence stays visible
    /// however many windows become one point.
    pub(super) answered_per_s: f64,
    pub(super) least_answered_per_s: f64,
    pub(super) failed: u64,
    pub(super) shed: u64,
    pub(super) sent_per_s: f64,
    pub(super) received_per_s: f64,
    /// Largest p50 and largest p99 of the windows, in µs, by population.
    pub(super) response: BTreeMap<String, (Option<f64>, Option<f64>)>,
}

impl Point {
    pub(super) fn middle_s(&self) -> f64 {
        f64::midpoint(self.start_s, self.end_s)
    }
}

/// The lines of a chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Series {
    /// How many windows one point stands for.
    pub(super) windows_a_point: usize,
    pub(super) points: Vec<Point>,
}

/// The windows that touch `span`, as at most [`MAX_POINTS`] points.
pub(super) fn windows(report: &Report, span: &Range<f64>) -> Series {
    let width_s = report.timeline.window_ms / 1e3;
    if width_s <= 0.0 || !width_s.is_finite() {
        return Series::default();
    }
    let inside: Vec<&WindowReport> = report
        .timeline
        .windows
        .iter()
        .filter(|w| {
            w.start_s.is_finite() && w.start_s + width_s > span.start && w.start_s < span.end
        })
        .collect();
    let windows_a_point = inside.len().div_ceil(MAX_POINTS).max(1);
    let points = inside.chunks(windows_a_point).map(|chunk| point(chunk, width_s)).collect();
    Series { windows_a_point, points }
}

fn point(windows: &[&WindowReport], width_s: f64) -> Point {
    let start_s = windows.first().map_or(0.0, |w| w.start_s);
    let span_s = width_s * windows.len() as f64;
    let sum = |figure: fn(&WindowReport) -> u64| windows.iter().map(|w| figure(w)).sum::<u64>();
    let least = windows.iter().map(|w| w.answered).min().unwrap_or(0);
    let mut response: BTreeMap<String, (Option<f64>, Option<f64>)> = BTreeMap::new();
    for (name, population) in windows.iter().flat_map(|w| &w.populations) {
        let (p50, p99) = response.entry(name.clone()).or_default();
        *p50 = larger(*p50, population.p50_us);
        *p99 = larger(*p99, population.p99_us.or(population.max_us));
    }
    Point {
        start_s,
        end_s: start_s + span_s,
        offered_per_s: sum(|w| w.offered) as f64 / span_s,
        answered_per_s: sum(|w| w.answered) as f64 / span_s,
        least_answered_per_s: least as f64 / width_s,
        failed: sum(|w| w.failed),
        shed: sum(|w| w.shed),
        sent_per_s: sum(|w| w.bytes_sent) as f64 / span_s,
        received_per_s: sum(|w| w.bytes_received) as f64 / span_s,
        response,
    }
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

/// One step of the fine counters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub(super) middle_s: f64,
    pub(super) offered_per_s: f64,
    pub(super) answered_per_s: f64,
}

/// The fine counters inside of `span`. Empty if there are more than
/// [`MAX_POINTS`]: then the windows are fine enough.
pub(super) fn steps(report: &Report, span: &Range<f64>) -> Vec<Step> {
    let counters = &report.timeline.counters;
    let step_s = counters.step_ms / 1e3;
    if step_s <= 0.0 || (span.end - span.start) / step_s > MAX_POINTS as f64 {
        return Vec::new();
    }
    let at = |values: &[u32], i: usize| f64::from(values.get(i).copied().unwrap_or(0)) / step_s;
    (0..counters.offered.len().max(counters.answered.len()))
        .map(|i| Step {
            middle_s: (i as f64 + 0.5) * step_s,
            offered_per_s: at(&counters.offered, i),
            answered_per_s: at(&counters.answered, i),
        })
        .filter(|step| span.contains(&step.middle_s))
        .collect()
}

/// Round numbers inside of a range, about `wanted` of them.
pub(crate) fn ticks(range: &Range<f64>, wanted: usize) -> Vec<f64> {
    let span = range.end - range.start;
    if span <= 0.0 || !span.is_finite() {
        return Vec::new();
    }
    let rough = span / wanted.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|digit| digit * power)
        .into_iter()
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(power * 10.0);
    let first = (range.start / step).ceil() as i64;
    let last = (range.end / step + 1e-9).floor() as i64;
    (first..=last).map(|k| k as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn long_runs_are_brought_down_and_keep_their_peaks() {
        let mut report = sample::pre_copy();
        let own = report.timeline.windows.clone();
        let n = own.len();
        report.timeline.windows = (0..40 * n)
            .map(|i| WindowReport { start_s: i as f64 * 0.1, ..own[i % n].clone() })
            .collect();
        let seconds = 40.0 * n as f64 * 0.1;
        let series = windows(&report, &(0.0..seconds));
        assert_eq!(series.windows_a_point, 10);
        assert_eq!(series.points.len(), 1200);
        let peak = |windows: &[WindowReport]| {
            let all = windows.iter().filter_map(|w| w.populations["established"].max_us);
            all.fold(0.0, f64::max)
        };
        let shown = series.points.iter().filter_map(|p| p.response["established"].1);
        assert_eq!(shown.fold(0.0, f64::max), peak(&report.timeline.windows));
        let total: u64 = series.points.iter().map(|p| p.failed).sum();
        assert_eq!(total, 40 * own.iter().map(|w| w.failed).sum::<u64>());
        let mean: f64 = series.points.iter().map(|p| p.answered_per_s).sum::<f64>() / 1200.0;
        let answered: u64 = own.iter().map(|w| w.answered).sum();
        assert!((mean - answered as f64 / (n as f64 * 0.1)).abs() < 1e-6);
        assert!(series.points.iter().any(|p| p.least_answered_per_s == 0.0));
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(&(0.0..30.0), 6), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]);
        assert_eq!(ticks(&(0.0..0.0), 6), [] as [f64; 0]);
        let fine = ticks(&(18.3..21.6), 7);
        assert_eq!(fine.len(), 7);
        assert!((fine[0] - 18.5).abs() < 1e-9, "{fine:?}");
        assert!(ticks(&(0.0..f64::NAN), 5).is_empty());
    }

    #[test]
    fn steps_only_where_they_can_be_seen() {
        let report = sample::pre_copy();
        assert_eq!(steps(&report, &(19.0..20.0)).len(), 100);
        assert!(steps(&report, &(0.0..30.0)).is_empty());
    }
}
