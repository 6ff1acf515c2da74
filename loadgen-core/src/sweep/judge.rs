//! What a run says of its rate.

use super::point::SweepPoint;
use super::search::{SearchSettings, Verdict};
use crate::slo::{Slo, SloMetric};

impl Verdict {
    /// Of a point that was judged ([`SweepPoint::judged`]). What the generator's own
    /// lateness may account for is no breach.
    #[must_use]
    pub fn of(point: &SweepPoint) -> Self {
        match point.held {
            Some(true) => Self::Held,
            Some(false) => Self::Breached,
            None if point.is_generators_fault() => Self::Invalid(point.fault()),
            None => Self::Invalid(point.objectives.join("; ")),
        }
    }
}

impl SearchSettings {
    /// The same, with as many calls an attempt as these objectives can be judged with:
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

/// The time limits of objectives.
pub(super) fn limits_us(objectives: &[Slo]) -> impl Iterator<Item = f64> {
    objectives.iter().filter(|slo| slo.metric() != SloMetric::ErrorRate).map(Slo::limit)
}
