//! What metrics are read off: a report, and the parts of its run.

use crate::report::span::Span;
use crate::report::{Latency, LostConnections, Migration, OutageReport, Report};

/// One number, that may be known only to be no less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure {
    pub(super) value: f64,
    pub(super) is_lower_bound: bool,
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Self { value, is_lower_bound: false }
    }
}

/// What metrics are read off.
pub(super) struct Seen<'a> {
    pub(super) report: &'a Report,
    /// Before, during and after the migration, if there was one.
    parts: Option<[Part; 3]>,
}

/// A part of a run.
struct Part {
    offered: u64,
    /// Calls without a good reply.
    bad: u64,
    response_time: Latency,
    bytes_per_s: Option<f64>,
}

impl Part {
    fn of(span: &Span<'_>) -> Self {
        Self {
            offered: span.sum(|phase| phase.counts.offered),
            bad: span.lost() + span.sum(|phase| phase.error_replies),
            response_time: span.response_time(),
            bytes_per_s: span.rate(|phase| phase.bytes_per_s),
        }
    }
}

/// Places in [`Seen::parts`].
pub(super) const BEFORE: usize = 0;
pub(super) const DURING: usize = 1;
pub(super) const AFTER: usize = 2;

impl<'a> Seen<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        let parts = |migration: &Migration| {
            [Span::before(migration), Span::during(migration), Span::after(migration)]
                .map(|span| Part::of(&span))
        };
        Self { report, parts: report.migration.as_ref().map(parts) }
    }

    /// A figure of the migration.
    pub(super) fn migration(&self, of: fn(&Migration) -> Option<f64>) -> Option<Figure> {
        self.report.migration.as_ref().and_then(of).map(Figure::from)
    }

    pub(super) fn outage(&self, of: fn(&Migration) -> Option<&OutageReport>) -> Option<Figure> {
        let outage = of(self.report.migration.as_ref()?)?;
        let is_lower_bound = outage.headline_is_lower_bound();
        outage.headline().map(|value| Figure { value, is_lower_bound })
    }

    fn part(&self, part: usize) -> Option<&Part> {
        self.parts.as_ref()?.get(part)
    }

    /// A response time of a part of the run.
    pub(super) fn time(&self, part: usize, of: fn(&Latency) -> Option<f64>) -> Option<Figure> {
        millis(of(&self.part(part)?.response_time))
    }

    pub(super) fn throughput(&self, part: usize) -> Option<Figure> {
        self.part(part)?.bytes_per_s.map(Figure::from)
    }

    /// Of the calls that were due, the share that had no good reply.
    pub(super) fn error_rate(&self) -> Option<Figure> {
        let share = |bad: u64, of: u64| (of > 0).then(|| Figure::from(bad as f64 / of as f64));
        if let Some(during) = self.part(DURING) {
            return share(during.bad, during.offered);
        }
        let counts = &self.report.counts;
        let lost = counts.failed + counts.shed + counts.unfinished;
        let status = |class: &str| self.report.status.get(class).copied().unwrap_or(0);
        let bad = match self.report.plan.expects() {
            true => counts.wrong,
            false => status("4xx") + status("5xx"),
        };
        share(lost + bad, counts.offered)
    }

    pub(super) fn connections_lost(&self) -> Option<Figure> {
        let lost = &self.report.migration.as_ref()?.connections_lost;
        let all: Vec<&LostConnections> =
            [&lost.established, &lost.fresh].into_iter().flatten().collect();
        let value = all.iter().map(|lost| lost.count).sum::<u64>() as f64;
        let is_lower_bound = all.iter().any(|lost| lost.is_lower_bound);
        (!all.is_empty()).then_some(Figure { value, is_lower_bound })
    }
}

/// Where the network's view is an interval, its middle.
pub(super) fn unreachable(migration: &Migration) -> Option<f64> {
    let dark = &migration.unreachable_ms;
    dark.at_least.zip(dark.at_most).map(|(low, high)| f64::midpoint(low, high))
}

pub(super) fn millis(us: Option<f64>) -> Option<Figure> {
    us.map(|us| Figure::from(us / 1e3))
}

pub(super) fn mean(times: &Latency) -> Option<f64> {
    times.mean_us
}

pub(super) fn p50(times: &Latency) -> Option<f64> {
    times.p50_us
}

pub(super) fn p99(times: &Latency) -> Option<f64> {
    times.p99_us
}
