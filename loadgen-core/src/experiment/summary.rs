//! The one result of an experiment: `loadgen-experiment/1`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::agenda::Agenda;
use super::analysis::{self, Analysis, CellSummary, Comparison, Drift};
use super::error::ExperimentError;
use super::json::pretty;
use super::metric::{Metric, Unit, Worse};
use super::plan::ExperimentPlan;
use super::predicted::{Predicted, held_against};
use super::store;
use super::trial::{Trial, agenda_after};
use crate::prediction::PredictionReport;
use crate::report::json::{document, read_planless};
use crate::report::{ReportError, Tool};

/// Name and version of the document.
pub const SCHEMA: &str = "loadgen-experiment/1";

/// What came of an experiment. Its units are those of the [metrics](Self::metrics), its
/// intervals are of 95 % unless they tell their coverage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: String,
    /// The program that made it.
    pub tool: Tool,
    /// The plan, resolved.
    pub plan: PlanReport,
    /// Tells apart what is to be compared and what is not: of the load, the trigger and the
    /// testbed, not of the levels of factors, the seed and the number of trials.
    pub plan_hash: String,
    /// Trials that the plan asks for and that are not made, without repeats.
    pub trials_left: u64,
    /// What the figures are.
    pub metrics: Vec<MetricReport>,
    /// All trials, in the order of time.
    pub trials: Vec<Trial>,
    /// The trials of each cell together.
    pub cells: Vec<CellSummary>,
    /// The cells held against each other.
    pub comparisons: Vec<Comparison>,
    /// Whether the machine drifted.
    #[serde(default)]
    pub drift: Vec<Drift>,
    /// What was predicted before the first trial, held against them; empty: nothing was.
    #[serde(default)]
    pub predicted: Vec<Predicted>,
}

/// The plan, as the document has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlanReport {
    /// What the experiment is called.
    pub name: Option<String>,
    /// From which the order within blocks follows.
    pub seed: u64,
    /// Trials of each cell that were to count.
    pub trials: u32,
    /// Blocks before them.
    pub warm_up_blocks: u32,
    /// The factors in their order.
    pub factors: Vec<super::Factor>,
    /// What holds for every cell, such as `load.rate`.
    pub settings: BTreeMap<String, String>,
    /// From which relative difference on two cells are told to differ.
    pub margin: f64,
}

/// What a metric is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MetricReport {
    /// Its name in this document.
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// Its unit.
    pub unit: Unit,
    /// Which way is worse.
    pub worse: Worse,
    /// What it is exactly, from when to when.
    pub definition: String,
}

impl Summary {
    /// What these trials of a plan say together.
    ///
    /// # Errors
    /// [`ExperimentError::Design`] if the plan is none.
    pub fn of(plan: &ExperimentPlan, trials: Vec<Trial>) -> Result<Self, ExperimentError> {
        let cells = plan.design.cells()?;
        let agenda = Agenda::new(&plan.design, plan.limits.repeats)?;
        let agenda = agenda_after(agenda, &cells, &trials)
            .map_err(|index| ExperimentError::OtherTrial { index })?;
        let settings = plan.lines();
        let metric = |metric: &Metric| MetricReport {
            name: metric.name.to_owned(),
            title: metric.title.to_owned(),
            unit: metric.unit,
            worse: metric.worse,
            definition: metric.definition.to_owned(),
        };
        let Analysis { cells, comparisons, drift } =
            analysis::analysis(&plan.design, &cells, &trials, plan.margin);
        Ok(Self {
            schema: SCHEMA.to_owned(),
            tool: Tool::this(),
            plan_hash: hash(&settings),
            trials_left: agenda.left(),
            plan: PlanReport {
                name: plan.name.clone(),
                seed: plan.design.seed(),
                trials: plan.design.trials(),
                warm_up_blocks: plan.design.warm_up_blocks(),
                factors: plan.design.factors().to_vec(),
                settings,
                margin: plan.margin,
            },
            metrics: Metric::all().iter().map(metric).collect(),
            trials,
            cells,
            comparisons,
            drift,
            predicted: Vec::new(),
        })
    }

    /// Trials that no attempt brought to a good end: those that the plan asks for, without those
    /// of the warm-up and those that are [left](Self::trials_left), less those that count.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let asked = self.cells.len() as u64 * u64::from(self.plan.trials);
        let counting = self.trials.iter().filter(|trial| trial.counts()).count() as u64;
        asked.saturating_sub(counting).saturating_sub(self.trials_left)
    }

    /// What the trials in a directory of an experiment say together, finished or not.
    ///
    /// # Errors
    /// [`ExperimentError`] if it is no such directory, or cannot be read.
    pub fn read(directory: &Path) -> Result<Self, ExperimentError> {
        let (plan, trials) = store::read(directory)?;
        let summary = Self::of(&plan, trials)?;
        Ok(match store::prediction(directory)? {
            Some(prediction) => summary.held_against(&prediction, &plan),
            None => summary,
        })
    }

    /// With what was predicted for its cells.
    #[must_use]
    pub fn held_against(mut self, prediction: &PredictionReport, plan: &ExperimentPlan) -> Self {
        self.predicted = held_against(prediction, plan, &self.cells);
        self
    }

    /// The summary as JSON, indented, with a newline at its end.
    ///
    /// # Errors
    /// [`ReportError::Write`] if a value cannot stand in JSON, which is a defect.
    pub fn to_json_pretty(&self) -> Result<String, ReportError> {
        pretty(self)
    }

    /// Reads a summary. Unknown fields are passed over: a later version of the same schema may
    /// have added them.
    ///
    /// # Errors
    /// [`ReportError`] with the line and column, the schema found, or the path of the field.
    pub fn from_json(text: &str) -> Result<Self, ReportError> {
        read_planless(document(text, SCHEMA)?)
    }
}

/// A short name of some settings, the same for the same ones (FNV-1a, 64 bits: Fowler, Noll & Vo;
/// see RFC 9923).
fn hash(settings: &BTreeMap<String, String>) -> String {
    let bytes = settings.iter().flat_map(|(key, value)| {
        // What stands in no text sets them apart.
        key.bytes().chain([0xfe]).chain(value.bytes()).chain([0xff])
    });
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
