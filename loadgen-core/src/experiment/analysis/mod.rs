//! What the trials of an experiment say together. Only trials count, never calls; those that
//! failed, are invalid or belong to the warm-up are counted and left out.

mod comparisons;
mod difference;
mod drift;
mod spread;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::design::{Cell, Design};
use super::metric::Metric;
use super::trial::{Trial, TrialStatus};

pub use comparisons::Comparison;
pub(super) use comparisons::{Question, answered};
pub use difference::Change;
pub(super) use difference::Difference;
pub use drift::Drift;
pub use spread::Spread;

/// The trials of one combination of levels, together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CellSummary {
    /// The level of each factor.
    pub factors: BTreeMap<String, String>,
    /// Trials that count.
    pub n: u64,
    /// Trials whose migration did not complete, without those of the warm-up.
    pub failed: u64,
    /// Trials whose figures cannot be trusted, without those of the warm-up.
    pub invalid: u64,
    /// Each metric that was measured.
    pub metrics: BTreeMap<String, Spread>,
}

/// What the trials say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Analysis {
    pub(super) cells: Vec<CellSummary>,
    pub(super) comparisons: Vec<Comparison>,
    pub(super) drift: Vec<Drift>,
}

/// Each cell by itself.
pub(super) fn cells(cells: &[Cell], trials: &[Trial]) -> Vec<CellSummary> {
    let of = |cell: &Cell| {
        let factors = cell.to_levels();
        let own: Vec<&Trial> = trials.iter().filter(|trial| trial.cell == factors).collect();
        let count = |status| {
            let is_so = |trial: &&&Trial| trial.status == status && !trial.warm_up;
            own.iter().filter(is_so).count() as u64
        };
        let counting: Vec<&Trial> = own.iter().copied().filter(|trial| trial.counts()).collect();
        let spread =
            |metric: &Metric| Some((metric.name.to_owned(), Spread::of(metric, &counting)?));
        CellSummary {
            n: counting.len() as u64,
            failed: count(TrialStatus::Failed),
            invalid: count(TrialStatus::Invalid),
            metrics: Metric::all().iter().filter_map(spread).collect(),
            factors,
        }
    };
    cells.iter().map(of).collect()
}

/// All of it.
pub(super) fn analysis(
    design: &Design,
    all_cells: &[Cell],
    trials: &[Trial],
    margin: f64,
) -> Analysis {
    let counting: Vec<&Trial> = trials.iter().filter(|trial| trial.counts()).collect();
    Analysis {
        cells: cells(all_cells, trials),
        comparisons: comparisons::comparisons(design, all_cells, &counting, margin),
        drift: drift::drifts(&counting),
    }
}
