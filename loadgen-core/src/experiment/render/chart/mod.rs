//! The charts of an experiment as SVG.

mod bars;
mod distribution;
mod order;
mod overlay;
mod scale;

use super::charted;
use super::names::cell_name;
use crate::experiment::summary::Summary;
use crate::experiment::timelines::CellTimelines;

/// Cells whose response times are drawn; with more, nobody would look at them.
pub(super) const MOST_CELLS: usize = 24;

/// The figures of all cells, and the trials in the order of time.
///
/// # Errors
/// The back end's message; drawing into memory does not fail in practice.
pub(super) fn figures(summary: &Summary) -> Result<Vec<String>, String> {
    let metrics = charted(summary);
    let bars = metrics.iter().filter_map(|metric| bars::Bars::of(summary, metric));
    let order = metrics.first().and_then(|metric| order::in_order(summary, metric));
    bars.map(|bars| bars.draw()).chain(order).collect()
}

/// The response times of all trials, a chart a cell.
///
/// # Errors
/// As [`figures`].
pub(super) fn overlays(summary: &Summary, cells: &[CellTimelines]) -> Result<Vec<String>, String> {
    let Some(axes) = overlay::Axes::of(cells) else { return Ok(Vec::new()) };
    let cells = cells.iter().take(MOST_CELLS);
    cells.map(|cell| overlay::overlay(&cell_name(&cell.factors, summary), cell, &axes)).collect()
}

/// The distributions of response times of the median trials, a chart a cell.
///
/// # Errors
/// As [`figures`].
pub(super) fn distributions(
    summary: &Summary,
    cells: &[CellTimelines],
) -> Result<Vec<String>, String> {
    let Some(axes) = distribution::Axes::of(cells) else { return Ok(Vec::new()) };
    let name = |cell: &CellTimelines| cell_name(&cell.factors, summary);
    let cells = cells.iter().take(MOST_CELLS);
    cells.filter_map(|cell| distribution::distribution(&name(cell), cell, &axes)).collect()
}
