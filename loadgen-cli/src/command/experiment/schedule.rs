//! What an experiment would do, and what it could show.

use std::time::Duration;

use loadgen_core::experiment::ExperimentPlan;
use loadgen_core::stats::{blocks_for_any, detectable_ratio};

use super::watch::long;
use crate::exit::Failure;
use crate::options::number_or_percent;

/// Blocks whose order is printed.
const MOST_BLOCKS: u32 = 10;

/// How often a difference is to be shown that is there.
const POWER: f64 = 0.8;

/// A spread as it is written: 10% or 0.1.
pub(super) fn parse_spread(text: &str) -> Result<f64, String> {
    let share = number_or_percent(text).filter(|share| *share > 0.0 && *share <= 10.0);
    share.ok_or_else(|| format!("'{text}' is no share above 0, such as 10%"))
}

/// All of it as text.
pub(super) fn text(
    plan: &ExperimentPlan,
    shortest_block: Duration,
    spread: f64,
) -> Result<String, Failure> {
    let design = &plan.design;
    let cells = design.cells().map_err(Failure::usage)?;
    let mut out = String::new();
    let trials = cells.len() as u64 * u64::from(design.blocks());
    let warm_up = match design.warm_up_blocks() {
        0 => String::new(),
        n => format!(", {n} of them for the warm-up"),
    };
    out.push_str(&format!(
        "{} cells, {} blocks{warm_up}: {trials} trials (seed {})\n",
        cells.len(),
        design.blocks(),
        design.seed()
    ));
    let all = shortest_block.saturating_mul(design.blocks());
    out.push_str(&format!(
        "It takes {} at least, without the migrations themselves and the programs of the testbed.\n",
        long(all)
    ));
    out.push_str("\nOrder\n");
    for block in 0..design.blocks().min(MOST_BLOCKS) {
        let kind = if block < design.warm_up_blocks() { " (warm-up)" } else { "" };
        out.push_str(&format!("  block {}{kind}\n", block + 1));
        for cell in design.order(block).map_err(Failure::usage)? {
            out.push_str(&format!("    {}\n", cells[cell]));
        }
    }
    if design.blocks() > MOST_BLOCKS {
        out.push_str(&format!("  … and {} blocks more\n", design.blocks() - MOST_BLOCKS));
    }
    out.push_str(&power(plan, spread));
    Ok(out)
}

/// What differences between two levels it would show.
fn power(plan: &ExperimentPlan, spread: f64) -> String {
    let design = &plan.design;
    let mut out = format!(
        "\nWhat it can show, if trials of one cell spread by {:.0} % (--spread) and blocks by nothing\n",
        spread * 100.0
    );
    // Of a ratio of two trials.
    let log_sd = std::f64::consts::SQRT_2 * (1.0 + spread * spread).ln().sqrt();
    let blocks = design.trials() as usize;
    let factors = design.factors().iter().filter(|factor| factor.levels.len() > 1);
    let mut any = false;
    for factor in factors {
        any = true;
        let levels = factor.levels.len();
        let questions = levels * (levels - 1) / 2;
        let strata = design.cell_count() / levels;
        let mut line = |pairs: usize, where_: &str| {
            let shown = match detectable_ratio(log_sd, pairs, questions, POWER) {
                Some(ratio) => format!(
                    "a difference of {:.0} % in {:.0} of 100 experiments",
                    (ratio - 1.0) * 100.0,
                    POWER * 100.0
                ),
                None => format!(
                    "nothing, however large: with {questions} comparison{} it takes {} trials",
                    if questions == 1 { "" } else { "s" },
                    blocks_for_any(questions)
                ),
            };
            out.push_str(&format!("  two levels of {}, {where_}: {shown}\n", factor.name));
        };
        line(blocks, if strata > 1 { "with the other factors held" } else { "in all" });
        if strata > 1 {
            line(blocks * strata, "over all levels of the others");
        }
    }
    if !any {
        out.push_str("  nothing is varied: it gives intervals, and no comparison\n");
    }
    if blocks < 6 {
        out.push_str("  with fewer than 6 trials there is no 95 % interval of a median\n");
    }
    out
}
