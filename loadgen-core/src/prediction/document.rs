//! A prediction as a document: `loadgen-prediction/1`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::availability::{Ageing, MeasuredOutages, PredictedAvailability};
use super::input::PredictionInput;
use super::limits::PredictedLimits;
use super::pilot::FitReport;
use super::strategy::{BestStrategy, PredictedStrategy};
use super::thresholds::PredictionThresholds;
use crate::clock::rfc3339;
use crate::model::ModelError;
use crate::model::Strategy;
use crate::model::availability::RejuvenationError;
use crate::model::strategies::{Forecast, Limits, Scenario, choose};
use crate::report::json::{document, read_planless, written};
use crate::report::{ReportError, Tool};

/// The schema of the document.
const SCHEMA: &str = "loadgen-prediction/1";

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
        written(self)
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
        let mut forecasts = Vec::new();
        for strategy in strategies {
            let of_machine = scenario.of_machine(*strategy)?;
            forecasts.push(match of_machine.prediction.converges {
                true => {
                    let felt = scenario.feel(of_machine.outage_s);
                    of_machine.felt_by(felt)
                }
                false => of_machine,
            });
        }
        Self::of_forecasts(Some(scenario), &forecasts, BTreeMap::new(), limits)
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

    /// Why no strategy is best, in words.
    #[must_use]
    pub fn why_none_is_best(&self) -> &'static str {
        let any = |is: fn(&PredictedStrategy) -> bool| self.strategies.iter().any(is);
        if self.strategies.is_empty() {
            "nothing can be predicted"
        } else if any(|of| !of.unjudged.is_empty()) {
            "no strategy is known to hold the limits"
        } else if any(|of| of.converges) {
            "no strategy holds the limits"
        } else {
            "no strategy converges"
        }
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
    /// strategies that converge within it, and with the outages that trials had.
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
            // One that takes longer than from one move to the next cannot be made so often.
            .filter(|of| of.total_s.is_some_and(|total_s| total_s < every_h * 3600.0))
            .filter_map(|of| Some((of.strategy.as_str(), of.outage_s?)))
            .collect();
        let mut availability = PredictedAvailability::of(every_h, ageing, &ways, trials)?;
        for moved in &mut availability.moved {
            let of = self.strategies.iter().find(|of| of.strategy == moved.strategy);
            let is_least = of.is_some_and(|of| of.outage_is_least);
            // The mean, which is what adds up, is of these, too, wherever their median lies.
            moved.blackout_is_least = is_least || moved.trials_cut > 0;
        }
        self.availability = Some(availability);
        Ok(self)
    }
}
