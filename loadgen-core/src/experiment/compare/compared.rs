//! What differs between two sides, cell by cell.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::side::Side;
use crate::experiment::analysis::{Comparison, Difference, Question, Spread, answered};
use crate::experiment::metric::Metric;
use crate::experiment::plan::differing;
use crate::experiment::trial::Trial;
use crate::report::Tool;
use crate::stats::Sample;

/// Name and version of the document.
const SCHEMA: &str = "loadgen-comparison/1";

/// Trials of a side that are judged together: it takes memory by their square.
const MOST_TRIALS: usize = 2_000;

/// Two sides that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// They did different things.
    #[error(
        "the two sides did different things:\n{}",
        differences.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
    )]
    Plans {
        /// A line for each setting that differs.
        differences: Vec<String>,
    },
    /// They have no cell in common.
    #[error("the two sides have no combination of levels in common")]
    NoCell,
}

/// What differs between two sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Compared {
    /// `loadgen-comparison/1`.
    pub schema: String,
    /// The program that compared.
    pub tool: Tool,
    /// The first side.
    pub a: SideReport,
    /// The second side.
    pub b: SideReport,
    /// Hours from the last trial of the earlier side to the first of the later one; `None`: they
    /// were measured at the same time, or nobody knows when. What is above 0 cannot be told from a
    /// drift of the machine.
    pub hours_apart: Option<f64>,
    /// From which relative difference on cells are told to differ.
    pub margin: f64,
    /// Combinations of levels that only one side has.
    pub only_in_one: Vec<BTreeMap<String, String>>,
    /// Each metric of each cell that both sides have. `a` and `b` are both the cell.
    pub comparisons: Vec<Comparison>,
}

/// A side, as the document has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SideReport {
    /// What it is called.
    pub name: String,
    /// Trials that count.
    pub n: u64,
    /// Other trials, but those of the warm-up: they failed, or cannot be trusted.
    pub not_counted: u64,
    /// When the first trial began.
    pub from: Option<String>,
    /// When the last trial began.
    pub to: Option<String>,
    /// Each metric of each cell that both sides have.
    pub cells: Vec<SideCell>,
}

/// The trials of a side of one combination of levels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SideCell {
    /// The level of each factor.
    pub factors: BTreeMap<String, String>,
    /// Each metric that was measured.
    pub metrics: BTreeMap<String, Spread>,
}

/// Holds two sides against each other in these metrics, with p corrected over all of them and all
/// cells (Holm). The sides are taken as two samples that have nothing to do with each other: the
/// exact test of Mann and Whitney, and Hodges and Lehmann's ratio.
///
/// # Errors
/// [`CompareError`] if they did different things, unless `although_different`.
pub fn compare(
    a: &Side,
    b: &Side,
    metrics: &[&'static Metric],
    margin: f64,
    although_different: bool,
) -> Result<Compared, CompareError> {
    let differences = differing(&a.settings, &b.settings);
    if !differences.is_empty() && !although_different {
        return Err(CompareError::Plans { differences });
    }
    let (of_a, of_b) = (a.cells(), b.cells());
    let (both, only): (Vec<_>, Vec<_>) = of_a.iter().cloned().partition(|cell| of_b.contains(cell));
    if both.is_empty() {
        return Err(CompareError::NoCell);
    }
    let only_in_b = of_b.iter().filter(|cell| !of_a.contains(cell)).cloned();
    let comparisons = answered(questions(a, b, &both, metrics), margin);
    Ok(Compared {
        schema: SCHEMA.to_owned(),
        tool: Tool::this(),
        hours_apart: hours_apart(a, b),
        margin,
        only_in_one: only.into_iter().chain(only_in_b).collect(),
        a: report(a, &both, metrics),
        b: report(b, &both, metrics),
        comparisons,
    })
}

fn questions(
    a: &Side,
    b: &Side,
    cells: &[BTreeMap<String, String>],
    metrics: &[&'static Metric],
) -> Vec<Question> {
    let of = |side: &Side, cell: &BTreeMap<String, String>, metric: &Metric| {
        let own = side.counting().filter(|trial| trial.cell == *cell);
        let values = own.filter_map(|trial| trial.figures.get(metric.name));
        Sample::new(values.take(MOST_TRIALS))
    };
    let question = |cell: &BTreeMap<String, String>, metric: &'static Metric| {
        let (first, second) = (of(a, cell, metric)?, of(b, cell, metric)?);
        let scale = f64::midpoint(first.median().abs(), second.median().abs());
        Some(Question {
            metric,
            a: cell.clone(),
            b: cell.clone(),
            difference: Difference::between(&first, &second),
            scale,
            per_block: 1,
        })
    };
    let all = metrics.iter().flat_map(|metric| cells.iter().map(move |cell| (cell, *metric)));
    all.filter_map(|(cell, metric)| question(cell, metric)).collect()
}

fn report(
    side: &Side,
    cells: &[BTreeMap<String, String>],
    metrics: &[&'static Metric],
) -> SideReport {
    let cell = |factors: &BTreeMap<String, String>| {
        let own: Vec<&Trial> = side.counting().filter(|trial| trial.cell == *factors).collect();
        let spread = |metric: &&Metric| Some((metric.name.to_owned(), Spread::of(metric, &own)?));
        SideCell { factors: factors.clone(), metrics: metrics.iter().filter_map(spread).collect() }
    };
    let tried = side.trials.iter().filter(|trial| !trial.warm_up).count() as u64;
    let n = side.counting().count() as u64;
    SideReport {
        name: side.name.clone(),
        n,
        not_counted: tried - n,
        from: side.trials.first().map(|trial| trial.started_at.clone()),
        to: side.trials.last().map(|trial| trial.started_at.clone()),
        cells: cells.iter().map(cell).collect(),
    }
}

/// From the end of one side to the begin of the other; `None` where they overlap.
fn hours_apart(a: &Side, b: &Side) -> Option<f64> {
    let span = |side: &Side| {
        let (first, last) = (side.trials.first()?, side.trials.last()?);
        let at = |text: &str| humantime::parse_rfc3339(text).ok();
        let took = std::time::Duration::try_from_secs_f64(last.took_s).unwrap_or_default();
        Some((at(&first.started_at)?, at(&last.started_at)? + took))
    };
    let (a, b) = (span(a)?, span(b)?);
    let after = b.0.duration_since(a.1).or_else(|_| a.0.duration_since(b.1));
    after.ok().map(|apart| apart.as_secs_f64() / 3_600.0)
}

impl Compared {
    /// The comparison as JSON, indented, with a newline at its end.
    ///
    /// # Errors
    /// [`ReportError::Write`](crate::report::ReportError::Write) if a value cannot stand in JSON,
    /// which is a defect.
    pub fn to_json_pretty(&self) -> Result<String, crate::report::ReportError> {
        crate::experiment::json::pretty(self)
    }
}
