//! What a strategy would cost a machine and its users.

use super::strategy::Strategy;
use crate::model::migration::Prediction;
use crate::model::users::Felt;

/// What a strategy would cost.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Forecast {
    /// Which one.
    pub strategy: Strategy,
    /// What the migration itself would take.
    pub prediction: Prediction,
    /// From the stop until the service answers again, in s: the downtime and the time to settle.
    pub outage_s: f64,
    /// What each population would feel; empty if it does not converge.
    pub felt: Vec<FeltBy>,
}

/// What a population would feel.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FeltBy {
    /// Its name.
    pub population: String,
    /// What it would feel.
    pub felt: Felt,
}

impl Forecast {
    /// Calls of all populations that would be given up; `None` without users, and if it does not
    /// converge.
    #[must_use]
    pub fn lost_calls(&self) -> Option<u64> {
        self.sum(|felt| felt.failed)
    }

    /// Calls of all populations that would be late; `None` as of [`Self::lost_calls`].
    #[must_use]
    pub fn late_calls(&self) -> Option<u64> {
        self.sum(|felt| felt.late)
    }

    fn sum(&self, of: impl Fn(&Felt) -> u64) -> Option<u64> {
        (!self.felt.is_empty()).then(|| self.felt.iter().map(|by| of(&by.felt)).sum())
    }
}
