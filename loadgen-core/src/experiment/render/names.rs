//! What cells are called.

use std::collections::BTreeMap;

use crate::experiment::Factor;
use crate::experiment::summary::Summary;

/// `memory=1GiB strategy=pre-copy`.
pub(super) fn cell_name(levels: &BTreeMap<String, String>, summary: &Summary) -> String {
    let of =
        |factor: &Factor| levels.get(&factor.name).map(|level| format!("{}={level}", factor.name));
    let names: Vec<String> = summary.plan.factors.iter().filter_map(of).collect();
    if names.is_empty() { "all trials".to_owned() } else { names.join(" ") }
}
