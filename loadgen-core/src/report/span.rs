//! Phases of a migration taken together: before it, in it, after it.

use hdrhistogram::Histogram;

use super::{Latency, Migration, PhaseReport, latency};

/// Some phases together, in their order.
#[derive(Debug, Clone)]
pub(crate) struct Span<'a>(Vec<&'a PhaseReport>);

impl<'a> Span<'a> {
    /// From the end of the warm-up to the firing.
    pub(crate) fn before(migration: &'a Migration) -> Self {
        Self::of(migration, |name| name == "before")
    }

    /// From the firing to the end of the migration.
    pub(crate) fn during(migration: &'a Migration) -> Self {
        Self::of(migration, |name| !matches!(name, "warm-up" | "before" | "after"))
    }

    /// From the end of the migration to the end of the load.
    pub(crate) fn after(migration: &'a Migration) -> Self {
        Self::of(migration, |name| name == "after")
    }

    fn of(migration: &'a Migration, is_in: impl Fn(&str) -> bool) -> Self {
        Self(migration.phases.iter().filter(|phase| is_in(&phase.name)).collect())
    }

    /// Its length in seconds; `None`: the run had no such phase.
    pub(crate) fn length_s(&self) -> Option<f64> {
        Some(self.0.last()?.end_s - self.0.first()?.start_s)
    }

    /// A count of all its phases.
    pub(crate) fn sum(&self, count: impl Fn(&PhaseReport) -> u64) -> u64 {
        self.0.iter().map(|phase| count(phase)).sum()
    }

    /// Calls of it without a complete reply.
    pub(crate) fn lost(&self) -> u64 {
        self.sum(|phase| phase.counts.failed + phase.counts.shed + phase.counts.unfinished)
    }

    /// A rate over it, weighted by the lengths of its phases.
    pub(crate) fn rate(&self, rate: impl Fn(&PhaseReport) -> Option<f64>) -> Option<f64> {
        let (mut sum, mut length) = (0.0, 0.0);
        for phase in self.0.iter().filter(|phase| phase.end_s > phase.start_s) {
            sum += rate(phase)? * (phase.end_s - phase.start_s);
            length += phase.end_s - phase.start_s;
        }
        (length > 0.0).then(|| sum / length)
    }

    /// The response times of its phases as one histogram in ns; `None` where a phase carries none.
    pub(crate) fn histogram(&self) -> Option<Histogram<u64>> {
        let times = || self.0.iter().map(|phase| &phase.response_time).filter(|l| l.count > 0);
        let mut merged = Histogram::new(3).ok()?;
        for part in times() {
            merged.add(part.histogram()?).ok()?;
        }
        (merged.len() == times().map(|times| times.count).sum::<u64>()).then_some(merged)
    }

    /// The response times of its phases as one distribution. Count, mean and extremes are
    /// exact; quantiles come from the merged histograms, and are `None` where a phase of several
    /// carries none.
    pub(crate) fn response_time(&self) -> Latency {
        if let [only] = self.0.as_slice() {
            return only.response_time.clone();
        }
        let times = self.0.iter().map(|phase| &phase.response_time);
        let parts: Vec<&Latency> = times.filter(|times| times.count > 0).collect();
        let count = parts.iter().map(|times| times.count).sum::<u64>();
        let sum: Option<f64> = parts.iter().map(|l| Some(l.mean_us? * l.count as f64)).sum();
        let merged = self.histogram();
        let of_all = merged.map_or_else(Latency::default, |histogram| latency(&histogram, false));
        Latency {
            count,
            min_us: parts.iter().filter_map(|l| l.min_us).min_by(f64::total_cmp),
            mean_us: sum.filter(|_| count > 0).map(|sum| sum / count as f64),
            max_us: parts.iter().filter_map(|l| l.max_us).max_by(f64::total_cmp),
            ..of_all
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn phases_together_are_the_distribution_of_all_their_calls() {
        let report = sample::pre_copy();
        let migration = report.migration.unwrap();
        let all = Span::of(&migration, |_| true).response_time();
        let calls: u64 = migration.phases.iter().map(|p| p.response_time.count).sum();
        assert_eq!(all.count, calls);
        // Against the figures that the sample computed from the calls themselves:
        // the whole run without its warm-up.
        let own = Span::of(&migration, |name| name != "warm-up").response_time();
        let direct = &report.response_time;
        assert_eq!(own.count, direct.count);
        for (a, b) in [
            (own.mean_us, direct.mean_us),
            (own.p50_us, direct.p50_us),
            (own.p99_us, direct.p99_us),
            (own.max_us, direct.max_us),
        ] {
            let (a, b) = (a.unwrap(), b.unwrap());
            assert!((a - b).abs() <= b * 0.002, "{a} {b}");
        }
    }

    #[test]
    fn no_quantile_without_all_histograms() {
        let mut migration = sample::pre_copy().migration.unwrap();
        migration.phases[3].response_time.histogram = None;
        let all = Span::of(&migration, |_| true).response_time();
        assert_eq!((all.p50_us, all.p99_us), (None, None));
        assert!(all.mean_us.is_some() && all.max_us.is_some());
    }

    /// Every phase but the warm-up is in one of them, and in one alone.
    #[test]
    fn the_spans_are_the_run() {
        let migration = sample::pre_copy().migration.unwrap();
        let spans = [Span::before(&migration), Span::during(&migration), Span::after(&migration)];
        let offered = |span: &Span<'_>| span.sum(|phase| phase.counts.offered);
        let all = Span::of(&migration, |name| name != "warm-up");
        assert_eq!(spans.iter().map(offered).sum::<u64>(), offered(&all));
        let length: f64 = spans.iter().filter_map(Span::length_s).sum();
        assert!((length - all.length_s().unwrap()).abs() < 1e-9);
        assert_eq!(Span::of(&migration, |_| false).length_s(), None);
    }
}
