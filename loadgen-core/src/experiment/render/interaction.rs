//! Whether what is told over all levels of the other factors is alike at each of them. Where it is
//! not, the figure over all is of none of them.

use std::collections::BTreeMap;

use super::figure::change;
use super::names::cell_name;
use crate::experiment::analysis::Comparison;
use crate::experiment::metric::Unit;
use crate::experiment::summary::Summary;

/// What is to be said beside a pooled comparison: the least and the greatest of the same
/// comparison with the other factors held, where even their intervals lie apart.
pub(super) fn unlike(summary: &Summary, pooled: &Comparison, unit: Unit) -> Option<String> {
    let is_part = |row: &&Comparison| {
        row.metric == pooled.metric
            && row.a.len() > pooled.a.len()
            && holds(&row.a, &pooled.a)
            && holds(&row.b, &pooled.b)
    };
    let parts = || summary.comparisons.iter().filter(is_part);
    let (least, high) = parts()
        .filter_map(|row| Some((row, row.ratio_high?)))
        .min_by(|one, other| one.1.total_cmp(&other.1))?;
    let (most, low) = parts()
        .filter_map(|row| Some((row, row.ratio_low?)))
        .max_by(|one, other| one.1.total_cmp(&other.1))?;
    let held = |row: &Comparison| {
        let others = row.a.iter().filter(|(factor, _)| !pooled.a.contains_key(*factor));
        cell_name(&others.map(|(f, level)| (f.clone(), level.clone())).collect(), summary)
    };
    (high < low).then(|| {
        format!(
            "; not alike everywhere: {} with {}, {} with {}",
            change(unit, least),
            held(least),
            change(unit, most),
            held(most)
        )
    })
}

fn holds(all: &BTreeMap<String, String>, some: &BTreeMap<String, String>) -> bool {
    some.iter().all(|(factor, level)| all.get(factor) == Some(level))
}
