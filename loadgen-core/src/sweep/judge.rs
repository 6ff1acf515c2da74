//! What a run says of its rate.

use super::point::SweepPoint;
use super::search::{SearchSettings, Verdict};
use crate::slo::{Slo, SloMetric};

impl Verdict {
    /// Of a point that was judged by these objectives ([`SweepPoint::judged`]).
    #[must_use]
    pub fn of(point: &SweepPoint, objectives: &[Slo]) -> Self {
        match point.held {
            Some(true) => Self::Held,
            Some(false) => match own_lateness(point, objectives) {
                Some(reason) => Self::Invalid(reason),
                None => Self::Breached,
            },
            None if point.is_generators_fault() => Self::Invalid(point.verdict.reasons.join("; ")),
            None => Self::Invalid(point.objectives.join("; ")),
        }
    }
}

impl SearchSettings {
    /// The same, with as many calls a probe as these objectives can be judged with:
    /// twice as many as the highest quantile needs.
    #[must_use]
    pub fn for_objectives(self, objectives: &[Slo]) -> Self {
        let needed = objectives.iter().map(|slo| match slo.metric() {
            SloMetric::Quantile(q) => (2.0 / (1.0 - q)).ceil() as u64,
            _ => 0,
        });
        Self { least_calls: self.least_calls.max(needed.max().unwrap_or(0)), ..self }
    }
}

/// Why a breach may be the generator's: its own lateness alone takes half of the time
/// that the objectives allow.
fn own_lateness(point: &SweepPoint, objectives: &[Slo]) -> Option<String> {
    let limit_us = limits_us(objectives).reduce(f64::min)?;
    let lag_us = point.lag.p99_us.or(point.lag.p90_us)?;
    (lag_us >= limit_us / 2.0).then(|| {
        format!(
            "the generator itself started calls {:.1} ms late, which the objectives ({:.1} ms) do \
             not allow for: give it more CPU or more --threads",
            lag_us / 1e3,
            limit_us / 1e3
        )
    })
}

/// The time limits of objectives.
pub(super) fn limits_us(objectives: &[Slo]) -> impl Iterator<Item = f64> {
    objectives.iter().filter(|slo| slo.metric() != SloMetric::ErrorRate).map(Slo::limit)
}
