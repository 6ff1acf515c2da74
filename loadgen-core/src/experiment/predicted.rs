//! What was predicted before the trials, held against them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::analysis::{CellSummary, Spread};
use super::design::Cell;
use super::plan::ExperimentPlan;
use crate::prediction::{CellPrediction, PredictedStrategy, PredictionReport};

/// One figure of one cell: as it was predicted, and as the trials have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Predicted {
    /// The cell: the level of each factor.
    pub cell: BTreeMap<String, String>,
    /// The strategy whose prediction it is.
    pub strategy: String,
    /// The metric, in whose unit the values are.
    pub metric: String,
    /// What was predicted.
    pub predicted: f64,
    /// The median of the trials.
    pub median: f64,
    /// Its 95 % interval, where there are trials enough for one.
    pub median_low: Option<f64>,
    /// The other end.
    pub median_high: Option<f64>,
    /// How many trials it is of.
    pub n: u64,
    /// Predicted less median, as a share of the median; `None`: the median is 0.
    pub error: Option<f64>,
}

/// What a prediction has of a metric.
type Held = fn(&PredictedStrategy) -> Option<f64>;

/// Metrics of trials, and what a prediction has of each.
const HELD: [(&str, Held); 7] = [
    ("total_migration_time_ms", |of| of.total_s.map(|s| s * 1e3)),
    ("downtime_events_ms", |of| of.downtime_s.map(|s| s * 1e3)),
    ("transferred_bytes", |of| of.sent_bytes),
    ("outage_established_ms", |of| outage_ms(of, "established")),
    ("outage_fresh_ms", |of| outage_ms(of, "fresh")),
    ("calls_lost", |of| of.expected_lost_calls.or(of.lost_calls)),
    ("calls_late", |of| of.expected_late_calls.or(of.late_calls)),
];

fn outage_ms(of: &PredictedStrategy, population: &str) -> Option<f64> {
    of.users.get(population)?.outage_s.map(|s| s * 1e3)
}

/// Whether what a prediction has of a metric is only known to be no less: it is held against nothing.
fn is_least(of: &PredictedStrategy, metric: &str) -> bool {
    match metric {
        "outage_established_ms" | "outage_fresh_ms" => of.outage_is_least,
        "calls_lost" | "calls_late" => of.calls_are_least,
        _ => false,
    }
}

/// All that a prediction says of cells that were tried.
pub(super) fn held_against(
    prediction: &PredictionReport,
    plan: &ExperimentPlan,
    cells: &[CellSummary],
) -> Vec<Predicted> {
    let mut held = Vec::new();
    for cell in cells {
        let Some(strategy) = strategy(plan, &cell.factors) else { continue };
        let Some(of) = of_cell(prediction, &cell.factors)
            .and_then(|of| of.strategies.iter().find(|of| of.strategy == strategy))
        else {
            continue;
        };
        for (metric, predicted) in HELD {
            if is_least(of, metric) {
                continue;
            }
            let Some((spread, predicted)) = cell.metrics.get(metric).zip(predicted(of)) else {
                continue;
            };
            held.push(Predicted::of(cell, of, metric, predicted, spread));
        }
    }
    held
}

/// Whether a prediction says anything of a plan's cells.
pub(super) fn is_of(prediction: &PredictionReport, plan: &ExperimentPlan, cells: &[Cell]) -> bool {
    cells.iter().map(Cell::to_levels).any(|levels| {
        let strategy = strategy(plan, &levels);
        let of = of_cell(prediction, &levels);
        of.zip(strategy)
            .is_some_and(|(of, strategy)| of.strategies.iter().any(|of| of.strategy == strategy))
    })
}

/// The prediction for a cell: one that has no other levels. Strategies are no part of its cell, and
/// one for no cell in particular is for all.
fn of_cell<'a>(
    prediction: &'a PredictionReport,
    factors: &BTreeMap<String, String>,
) -> Option<&'a CellPrediction> {
    let is_of = |of: &&CellPrediction| {
        of.cell.iter().all(|(factor, level)| factors.get(factor) == Some(level))
    };
    // The one that says the most of it.
    prediction.predictions.iter().filter(is_of).max_by_key(|of| of.cell.len())
}

/// Kinds of triggers that take `strategy=`, and move by pre-copy without it. What a command or a
/// recipe does, its text does not tell.
const WITH_STRATEGY: [&str; 3] = ["simulated", "qmp", "libvirt"];

/// By which strategy the trials of a cell move the machine: as a factor says, or the trigger of
/// the plan; without what helps it, of which there are no models.
fn strategy(plan: &ExperimentPlan, factors: &BTreeMap<String, String>) -> Option<String> {
    let lines = plan.lines();
    let of_trigger = || {
        let spec = lines.get("trigger.spec")?;
        let (kind, options) = spec.split_once(':').unwrap_or((spec, ""));
        WITH_STRATEGY.contains(&kind.trim()).then(|| {
            let mut options = options.split(',').map(str::trim);
            options.find_map(|part| part.strip_prefix("strategy=")).unwrap_or("pre-copy").to_owned()
        })
    };
    let strategy = factors.get("strategy").cloned().or_else(of_trigger)?;
    (!strategy.contains('+')).then_some(strategy)
}

impl Predicted {
    fn of(
        cell: &CellSummary,
        strategy: &PredictedStrategy,
        metric: &str,
        predicted: f64,
        spread: &Spread,
    ) -> Self {
        let median = spread.median;
        Self {
            cell: cell.factors.clone(),
            strategy: strategy.strategy.clone(),
            metric: metric.to_owned(),
            predicted,
            median,
            median_low: spread.median_low,
            median_high: spread.median_high,
            n: spread.n,
            error: (median != 0.0).then(|| (predicted - median) / median),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Design, Given};

    /// What a trigger does is told by a factor, or by the text of one that takes a strategy.
    #[test]
    fn only_what_is_told_is_a_strategy() {
        let of = |spec: &str, factors: &[(&str, &str)]| {
            let mut plan = ExperimentPlan::new(Design::new(2));
            plan.settings.trigger.insert("spec".to_owned(), Given::One(spec.to_owned()));
            let own = |(factor, level): &(&str, &str)| ((*factor).to_owned(), (*level).to_owned());
            strategy(&plan, &factors.iter().map(own).collect())
        };
        for (spec, told) in [
            ("simulated", Some("pre-copy")),
            ("simulated:strategy=post-copy,memory=1GiB", Some("post-copy")),
            ("qmp:/a,to=tcp:x:1", Some("pre-copy")),
            ("qmp:/a,to=x,strategy=hybrid", Some("hybrid")),
            ("libvirt:web,to=x", Some("pre-copy")),
            ("libvirt:web,to=x,strategy=post-copy+preempt", None),
            ("command:./move.sh web,strategy=post-copy", None),
            ("command:./move.sh", None),
            ("http:pve.toml,vm=7", None),
            ("opennebula:7,host=b", None),
        ] {
            assert_eq!(of(spec, &[]).as_deref(), told, "{spec}");
        }
        let by_factor = of("command:./move.sh", &[("strategy", "post-copy")]);
        assert_eq!(by_factor.as_deref(), Some("post-copy"));
        assert_eq!(of("qmp:/a,to=x", &[("strategy", "pre-copy+zstd")]), None);
    }
}
