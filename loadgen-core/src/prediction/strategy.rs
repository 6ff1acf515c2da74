//! What each strategy would cost, and which is best, as they stand in the document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::key;
use crate::model::Strategy;
use crate::model::strategies::{Broken, Choice, Forecast, Unjudged};

/// Passes that are told one by one; a pre-copy that does not converge has a thousand.
const MOST_PASSES: usize = 100;

/// What one strategy would cost. Times and bytes are `None` if it does not converge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictedStrategy {
    /// Its name.
    pub strategy: String,
    /// Whether it comes to an end by itself.
    pub converges: bool,
    /// How often it does, of runs with the scatter that recordings had, from 0 to 1; `None`: it was
    /// gone through once.
    pub converging_share: Option<f64>,
    /// From the order until all memory is at the target.
    pub total_s: Option<f64>,
    /// From the order to the first byte of memory.
    pub prepare_s: Option<f64>,
    /// While memory is sent and the machine runs at its source.
    pub copying_s: Option<f64>,
    /// How long it stands still.
    pub downtime_s: Option<f64>,
    /// From then until all memory has followed.
    pub pulling_s: Option<f64>,
    /// How long its service does not answer: the downtime and the time to settle.
    pub outage_s: Option<f64>,
    /// Whether its service is known to be silent for no less than that, and maybe for longer; then
    /// what users would feel is the least, too.
    pub outage_is_least: bool,
    /// On the wire.
    pub sent_bytes: Option<f64>,
    /// Memory that is left when it is stopped.
    pub left_bytes: Option<f64>,
    /// How often memory is looked over while it runs.
    pub passes: u64,
    /// The first hundred of these.
    pub rounds: Vec<PredictedPass>,
    /// Calls of all users that are given up for the outage; `None` without users.
    pub lost_calls: Option<f64>,
    /// Calls of all users that are late for it.
    pub late_calls: Option<f64>,
    /// Those that are given up with those that no outage explains, in the mean; `None`: no recording
    /// of this strategy tells.
    pub expected_lost_calls: Option<f64>,
    /// The same of late ones.
    pub expected_late_calls: Option<f64>,
    /// Whether no fewer calls than that are known to be lost or late, and maybe more: those that no
    /// outage explains were not recorded, or not to their end.
    pub calls_are_least: bool,
    /// What each population would feel of the outage.
    pub users: BTreeMap<String, PredictedUsers>,
    /// Why it cannot be told what they would feel; `None`: nothing is against it.
    pub users_unknown: Option<String>,
    /// Limits that it does not hold.
    pub breaks: Vec<BrokenLimit>,
    /// Where it breaks none, limits of which nobody knows whether it holds them.
    pub unjudged: Vec<UnjudgedLimit>,
}

/// One look over the dirtied pages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictedPass {
    /// How long it takes.
    pub length_s: f64,
    /// What is sent in it, on the wire.
    pub sent_bytes: f64,
    /// Memory that is dirty at its end.
    pub left_bytes: f64,
}

/// What a population would feel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictedUsers {
    /// Calls that are given up.
    pub failed: u64,
    /// Calls that take more than twice their usual time, and at least 1 ms more.
    pub late: u64,
    /// The longest time between two good replies; `None`: it does not end within three timeouts.
    pub outage_s: Option<f64>,
    /// From the end of the outage until calls take their usual time; `None`: the service does not
    /// keep up.
    pub recovery_s: Option<f64>,
    /// The longest response time of a call that is answered.
    pub longest_response_s: f64,
}

/// A limit that a strategy does not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BrokenLimit {
    /// Of what: a key of the limits.
    pub figure: String,
    /// The limit, in the unit of that key.
    pub limit: f64,
    /// What it would be.
    pub value: f64,
}

/// A limit of which nobody knows whether a strategy holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UnjudgedLimit {
    /// Of what: a key of the limits.
    pub figure: String,
    /// The limit, in the unit of that key.
    pub limit: f64,
    /// It would be no less than that; `None`: nothing is known of it.
    pub least: Option<f64>,
}

/// The best strategy under the limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BestStrategy {
    /// Its name.
    pub strategy: String,
    /// Whether its outage, too, is only known to be no less than it says: there was none whose outage
    /// is known as a whole.
    pub is_least: bool,
    /// By how much; `None`: no other one holds the limits, or models cannot tell them apart.
    pub lead: Option<StrategyLead>,
    /// Others that hold the limits, and that models cannot tell apart from it.
    pub alike: Vec<String>,
    /// Others that may be better: nobody knows, since their outage is only known to be no less.
    pub maybe_better: Vec<String>,
}

/// How far the best strategy is before the next one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StrategyLead {
    /// By what: a key of the limits.
    pub figure: String,
    /// Of the best, in the unit of that key.
    pub value: f64,
    /// The next one.
    pub next: String,
    /// Of that one; `None`: there are more calls than can be gone through.
    pub next_value: Option<f64>,
}

impl PredictedStrategy {
    pub(super) fn of(forecast: &Forecast, choice: &Choice) -> Self {
        let prediction = &forecast.prediction;
        let known = |value: f64| prediction.converges.then_some(value);
        let broken = choice.broken.iter().find(|(strategy, _)| *strategy == forecast.strategy);
        let unjudged = choice.unjudged.iter().find(|(strategy, _)| *strategy == forecast.strategy);
        let rounds = prediction.passes.iter().take(MOST_PASSES).map(|pass| PredictedPass {
            length_s: pass.length_s,
            sent_bytes: pass.sent,
            left_bytes: pass.left,
        });
        let felt = forecast.felt.iter().map(|by| {
            let felt = &by.felt;
            let users = PredictedUsers {
                failed: felt.failed,
                late: felt.late,
                outage_s: felt.outage_s,
                recovery_s: felt.recovery_s,
                longest_response_s: felt.longest_response_s,
            };
            (by.population.clone(), users)
        });
        Self {
            strategy: forecast.strategy.name().to_owned(),
            converges: prediction.converges,
            converging_share: forecast.converging_share,
            total_s: known(prediction.total_s),
            prepare_s: known(prediction.prepare_s),
            copying_s: known(prediction.copying_s),
            downtime_s: known(prediction.downtime_s),
            pulling_s: known(prediction.pulling_s),
            outage_s: known(forecast.outage_s),
            outage_is_least: prediction.converges && forecast.outage_is_least,
            sent_bytes: known(prediction.sent),
            left_bytes: known(prediction.left),
            passes: prediction.passes.len() as u64,
            rounds: rounds.collect(),
            lost_calls: forecast.lost_calls(),
            late_calls: forecast.late_calls(),
            expected_lost_calls: forecast.expected_lost,
            expected_late_calls: forecast.expected_late,
            calls_are_least: prediction.converges && forecast.calls_are_least,
            users: felt.collect(),
            users_unknown: forecast.unfelt.clone(),
            breaks: broken
                .map_or_else(Vec::new, |(_, all)| all.iter().map(BrokenLimit::of).collect()),
            unjudged: unjudged
                .map_or_else(Vec::new, |(_, all)| all.iter().map(UnjudgedLimit::of).collect()),
        }
    }
}

impl BrokenLimit {
    pub(super) fn of(broken: &Broken) -> Self {
        Self { figure: key(broken.figure), limit: broken.limit, value: broken.value }
    }
}

impl UnjudgedLimit {
    fn of(of: &Unjudged) -> Self {
        Self { figure: key(of.figure), limit: of.limit, least: of.least }
    }
}

impl BestStrategy {
    pub(super) fn of(choice: &Choice) -> Option<Self> {
        let lead = choice.lead.map(|lead| StrategyLead {
            figure: key(lead.figure),
            value: lead.value,
            next: lead.next.name().to_owned(),
            next_value: lead.next_value,
        });
        let names = |all: &[Strategy]| all.iter().map(|one| one.name().to_owned()).collect();
        Some(Self {
            strategy: choice.best?.name().to_owned(),
            is_least: choice.is_least,
            lead,
            alike: names(&choice.alike),
            maybe_better: names(&choice.maybe_better),
        })
    }
}
