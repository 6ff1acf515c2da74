//! What a strategy would cost a machine and its users.

use crate::model::migration::Prediction;
use crate::model::strategy::Strategy;
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
    /// Whether the service is known to be silent for no less than that, and maybe for longer: nobody
    /// told how long it needs to settle.
    pub outage_is_least: bool,
    /// Whether calls of users are known to be no fewer lost or late, [expected](Self::expected_lost)
    /// or by the outage, and maybe more: those that no outage explains were not recorded, or not to
    /// their end.
    pub calls_are_least: bool,
    /// What each population would feel; empty if it does not converge, or cannot be told.
    pub felt: Vec<FeltBy>,
    /// Why it cannot be told what they would feel; `None`: nothing is against it.
    pub unfelt: Option<String>,
    /// Calls of all users that are expected to be given up, with those that no outage explains: of
    /// recordings of this strategy.
    pub expected_lost: Option<f64>,
    /// The same of late ones.
    pub expected_late: Option<f64>,
    /// How often it converges, of runs with the scatter that recordings had, from 0 to 1; `None`: it
    /// was gone through once.
    pub converging_share: Option<f64>,
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

impl FeltBy {
    /// What a population of this name would feel.
    #[must_use]
    pub fn new(population: impl Into<String>, felt: Felt) -> Self {
        Self { population: population.into(), felt }
    }
}

impl Forecast {
    /// Of what a migration would take, and how long its service would not answer, in s; with
    /// nobody who feels it.
    #[must_use]
    pub fn new(strategy: Strategy, prediction: Prediction, outage_s: f64) -> Self {
        Self {
            strategy,
            prediction,
            outage_s,
            outage_is_least: false,
            calls_are_least: false,
            felt: Vec::new(),
            unfelt: None,
            expected_lost: None,
            expected_late: None,
            converging_share: None,
        }
    }

    /// Calls of all populations that would be given up for the outage; `None` without users, and if
    /// it does not converge. They are told alike of every strategy, so they can be compared.
    #[must_use]
    pub fn lost_calls(&self) -> Option<f64> {
        self.sum(|felt| felt.failed)
    }

    /// Calls of all populations that would be late; `None` as of [`Self::lost_calls`].
    #[must_use]
    pub fn late_calls(&self) -> Option<f64> {
        self.sum(|felt| felt.late)
    }

    /// With what its users would feel, or the reason why that cannot be told.
    #[must_use]
    pub(crate) fn felt_by(mut self, felt: Result<Vec<FeltBy>, impl ToString>) -> Self {
        match felt {
            Ok(felt) => self.felt = felt,
            Err(reason) => self.unfelt = Some(reason.to_string()),
        }
        self
    }

    fn sum(&self, of: impl Fn(&Felt) -> u64) -> Option<f64> {
        let all = self.felt.iter().map(|by| of(&by.felt)).sum::<u64>();
        (!self.felt.is_empty()).then_some(all as f64)
    }
}
