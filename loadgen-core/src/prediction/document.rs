//! A prediction as a document: `loadgen-prediction/1`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::availability::{Ageing, MeasuredOutages, PredictedAvailability};
use super::input::PredictionInput;
use super::pilot::FitReport;
use crate::clock::rfc3339;
use crate::model::ModelError;
use crate::model::Strategy;
use crate::model::availability::RejuvenationError;
use crate::model::strategies::{
    Broken, Choice, Edge, Figure, Forecast, Limits, Scenario, Thresholds, choose,
};
use crate::printable::printable_json;
use crate::report::json::{document, read_planless};
use crate::report::sections::cell;
use crate::report::{ReportError, Tool};

/// The schema of the document.
const SCHEMA: &str = "loadgen-prediction/1";

/// Passes that are told one by one; a pre-copy that does not converge has a thousand.
const MOST_PASSES: usize = 100;

/// What migrations would cost: of one machine, or of each cell of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictionReport {
    /// `loadgen-prediction/1`.
    pub schema: String,
    /// What made it.
    pub tool: Tool,
    /// When it was made: RFC 3339.
    pub made_at: String,
    /// Where its numbers come from.
    pub source: PredictionSource,
    /// What a strategy may cost at most.
    pub limits: PredictedLimits,
    /// One for each machine.
    pub predictions: Vec<CellPrediction>,
}

/// Where the numbers of a prediction come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictionSource {
    /// `numbers`: the user gave them. `recordings`: they were fitted. `machine`: a running one was
    /// asked.
    pub kind: String,
    /// The directory or machine that they were taken from.
    pub name: Option<String>,
    /// All that the machine said, as `migration::look::MachineNow` has it; `None` unless one was
    /// asked.
    #[serde(default)]
    pub said: Option<serde_json::Value>,
}

/// Limits, with their units. `None`: there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictedLimits {
    /// How long the machine may stand still.
    pub downtime_s: Option<f64>,
    /// How long its service may not answer.
    pub outage_s: Option<f64>,
    /// How long all of it may take.
    pub total_s: Option<f64>,
    /// What may be sent.
    pub sent_bytes: Option<f64>,
    /// Calls of all users that may be lost.
    pub lost_calls: Option<f64>,
    /// Calls of all users that may be late.
    pub late_calls: Option<f64>,
}

/// What moving one machine would cost, by every strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CellPrediction {
    /// The level of each factor, of a cell of an experiment; else empty.
    pub cell: BTreeMap<String, String>,
    /// What it was made from; `None`: recordings do not tell enough of the machine.
    pub input: Option<PredictionInput>,
    /// What was taken from recordings, and how well it was; `None`: the user gave numbers.
    pub fit: Option<FitReport>,
    /// Every strategy that was asked for.
    pub strategies: Vec<PredictedStrategy>,
    /// Strategies of which nothing can be said, and why.
    pub left_out: BTreeMap<String, String>,
    /// Where pre-copy would converge; `None` as of the input.
    pub thresholds: Option<PredictionThresholds>,
    /// The best of them under the limits; `None`: none holds them.
    pub best: Option<BestStrategy>,
    /// The availability that is left if it is moved at an interval; `None`: none was given.
    pub availability: Option<PredictedAvailability>,
}

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
    /// What each population would feel of the outage.
    pub users: BTreeMap<String, PredictedUsers>,
    /// Limits that it does not hold.
    pub breaks: Vec<BrokenLimit>,
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

/// Where pre-copy would converge, with all else as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictionThresholds {
    /// From which bandwidth on.
    pub bandwidth_bytes_per_s: PredictedEdge,
    /// Up to which dirty rate.
    pub dirty_bytes_per_s: PredictedEdge,
    /// From which limit on the downtime on.
    pub downtime_limit_s: PredictedEdge,
}

/// Where something begins or ends to converge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictedEdge {
    /// `at`: there is such a value. `always`: it converges at every value. `never`: at none.
    pub kind: String,
    /// At which it still converges; `None` unless `at`.
    pub value: Option<f64>,
}

/// The best strategy under the limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BestStrategy {
    /// Its name.
    pub strategy: String,
    /// By how much; `None`: no other one holds the limits, or models cannot tell them apart.
    pub lead: Option<StrategyLead>,
    /// Others that hold the limits, and that models cannot tell apart from it.
    pub alike: Vec<String>,
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
    /// Of that one.
    pub next_value: f64,
}

impl PredictionReport {
    /// A report of predictions that were made from some source.
    #[must_use]
    pub fn new(source: PredictionSource, limits: &Limits) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            tool: Tool::this(),
            made_at: rfc3339(SystemTime::now()),
            source,
            limits: PredictedLimits::of(limits),
            predictions: Vec::new(),
        }
    }

    /// With the prediction for one more machine.
    #[must_use]
    pub fn with(mut self, prediction: CellPrediction) -> Self {
        self.predictions.push(prediction);
        self
    }

    /// As JSON, indented, with a newline at its end.
    ///
    /// # Errors
    /// [`ReportError::Write`] if a number cannot stand in JSON, which is a defect.
    pub fn to_json_pretty(&self) -> Result<String, ReportError> {
        let json =
            serde_json::to_string_pretty(self).map_err(|e| ReportError::Write(e.to_string()))?;
        Ok(printable_json(json + "\n"))
    }

    /// Reads one back. Unknown fields are passed over.
    ///
    /// # Errors
    /// [`ReportError`], as of [`Report::from_json`](crate::Report::from_json).
    pub fn from_json(text: &str) -> Result<Self, ReportError> {
        read_planless(document(text, SCHEMA)?)
    }
}

impl PredictionSource {
    /// Numbers that the user gave.
    #[must_use]
    pub fn numbers() -> Self {
        Self { kind: "numbers".to_owned(), name: None, said: None }
    }

    /// Recordings in a directory or file.
    #[must_use]
    pub fn recordings(name: impl Into<String>) -> Self {
        Self { kind: "recordings".to_owned(), name: Some(name.into()), said: None }
    }

    /// A running machine, with all that it said.
    #[must_use]
    pub fn machine(name: impl Into<String>, said: serde_json::Value) -> Self {
        Self { kind: "machine".to_owned(), name: Some(name.into()), said: Some(said) }
    }
}

impl CellPrediction {
    /// What these strategies would cost, and which is best under limits.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn of(
        scenario: &Scenario,
        strategies: &[Strategy],
        limits: &Limits,
    ) -> Result<Self, ModelError> {
        // Whatever cannot be at all is told here, and not of each strategy.
        scenario.feel(0.0)?;
        let (mut forecasts, mut left_out) = (Vec::new(), BTreeMap::new());
        for strategy in strategies {
            let of_machine = scenario.of_machine(*strategy)?;
            let felt = match of_machine.prediction.converges {
                true => scenario.feel(of_machine.outage_s),
                false => Ok(Vec::new()),
            };
            match felt {
                Ok(felt) => forecasts.push(Forecast { felt, ..of_machine }),
                Err(error) => {
                    let outage = cell::millis(of_machine.outage_s * 1e3);
                    left_out.insert(*strategy, format!("in its outage of {outage} {error}"));
                }
            }
        }
        Self::of_forecasts(Some(scenario), &forecasts, left_out, limits)
    }

    /// The levels of its cell: `memory=512 rate=100`; empty without any.
    pub(super) fn levels(&self) -> String {
        let levels = self.cell.iter().map(|(factor, level)| format!("{factor}={level}"));
        levels.collect::<Vec<_>>().join(" ")
    }

    /// The same before what is said of it.
    pub(super) fn before(&self) -> String {
        let levels = self.levels();
        if levels.is_empty() { levels } else { levels + ": " }
    }

    pub(super) fn of_forecasts(
        scenario: Option<&Scenario>,
        forecasts: &[Forecast],
        left_out: BTreeMap<Strategy, String>,
        limits: &Limits,
    ) -> Result<Self, ModelError> {
        let choice = choose(forecasts, limits);
        let left_out = left_out.into_iter().map(|(of, reason)| (of.name().to_owned(), reason));
        let thresholds = scenario.map(Scenario::thresholds).transpose()?;
        Ok(Self {
            cell: BTreeMap::new(),
            input: scenario.map(PredictionInput::of),
            fit: None,
            strategies: forecasts.iter().map(|of| PredictedStrategy::of(of, &choice)).collect(),
            left_out: left_out.collect(),
            thresholds: thresholds.map(PredictionThresholds::of),
            best: BestStrategy::of(&choice),
            availability: None,
        })
    }

    /// With what is left of the availability if it is moved each `every_h` hours, by each of the
    /// strategies that converge, and with the outages that trials had.
    ///
    /// # Errors
    /// [`RejuvenationError`] for numbers that cannot be.
    pub fn moved_every(
        mut self,
        every_h: f64,
        ageing: Option<Ageing>,
        trials: &[MeasuredOutages],
    ) -> Result<Self, RejuvenationError> {
        let ways: Vec<(&str, f64)> = self
            .strategies
            .iter()
            .filter_map(|of| Some((of.strategy.as_str(), of.outage_s?)))
            .collect();
        let availability = PredictedAvailability::of(every_h, ageing, &ways, trials)?;
        self.availability = Some(availability);
        Ok(self)
    }
}

impl PredictedStrategy {
    fn of(forecast: &Forecast, choice: &Choice) -> Self {
        let prediction = &forecast.prediction;
        let known = |value: f64| prediction.converges.then_some(value);
        let broken = choice.broken.iter().find(|(strategy, _)| *strategy == forecast.strategy);
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
            sent_bytes: known(prediction.sent),
            left_bytes: known(prediction.left),
            passes: prediction.passes.len() as u64,
            rounds: rounds.collect(),
            lost_calls: forecast.lost_calls(),
            late_calls: forecast.late_calls(),
            expected_lost_calls: forecast.expected_lost,
            expected_late_calls: forecast.expected_late,
            users: felt.collect(),
            breaks: broken
                .map_or_else(Vec::new, |(_, all)| all.iter().map(BrokenLimit::of).collect()),
        }
    }
}

impl PredictedLimits {
    fn of(limits: &Limits) -> Self {
        Self {
            downtime_s: limits.downtime_s,
            outage_s: limits.outage_s,
            total_s: limits.total_s,
            sent_bytes: limits.sent,
            lost_calls: limits.lost_calls,
            late_calls: limits.late_calls,
        }
    }

    /// As the models take them.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            downtime_s: self.downtime_s,
            outage_s: self.outage_s,
            total_s: self.total_s,
            sent: self.sent_bytes,
            lost_calls: self.lost_calls,
            late_calls: self.late_calls,
        }
    }
}

/// The key of a figure among the limits.
pub(super) fn key(figure: Figure) -> String {
    match figure {
        Figure::LostCalls => "lost_calls",
        Figure::LateCalls => "late_calls",
        Figure::Outage => "outage_s",
        Figure::Downtime => "downtime_s",
        Figure::Total => "total_s",
        Figure::Sent => "sent_bytes",
    }
    .to_owned()
}

impl BrokenLimit {
    fn of(broken: &Broken) -> Self {
        Self { figure: key(broken.figure), limit: broken.limit, value: broken.value }
    }
}

impl From<Edge> for PredictedEdge {
    fn from(edge: Edge) -> Self {
        let kind = match edge {
            Edge::Always => "always",
            Edge::Never => "never",
            Edge::At(_) => "at",
        };
        Self { kind: kind.to_owned(), value: edge.value() }
    }
}

impl PredictionThresholds {
    fn of(thresholds: Thresholds) -> Self {
        Self {
            bandwidth_bytes_per_s: thresholds.bandwidth.into(),
            dirty_bytes_per_s: thresholds.dirty_rate.into(),
            downtime_limit_s: thresholds.limit_s.into(),
        }
    }
}

impl BestStrategy {
    fn of(choice: &Choice) -> Option<Self> {
        let lead = choice.lead.map(|lead| StrategyLead {
            figure: key(lead.figure),
            value: lead.value,
            next: lead.next.name().to_owned(),
            next_value: lead.next_value,
        });
        let alike = choice.alike.iter().map(|strategy| strategy.name().to_owned()).collect();
        Some(Self { strategy: choice.best?.name().to_owned(), lead, alike })
    }
}
