//! Values of trials over the median of their cells, so that trials of all cells can stand together.

use std::collections::BTreeMap;

use crate::experiment::metric::Metric;
use crate::experiment::summary::Summary;
use crate::experiment::trial::Trial;

/// All trials that count, in the order of time; those of a cell whose median is 0 are left out.
pub(super) fn over_cell_medians<'a>(
    summary: &'a Summary,
    metric: &Metric,
) -> Vec<(&'a Trial, f64)> {
    let medians: BTreeMap<_, f64> = summary
        .cells
        .iter()
        .filter_map(|cell| Some((&cell.factors, cell.metrics.get(metric.name)?.median)))
        .filter(|(_, median)| *median > 0.0)
        .collect();
    let trials = summary.trials.iter().filter(|trial| trial.counts());
    let value = |trial: &'a Trial| {
        Some((trial, trial.figures.get(metric.name)? / medians.get(&trial.cell)?))
    };
    trials.filter_map(value).collect()
}
