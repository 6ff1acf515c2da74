//! What an experiment would do, and what it could show.

use std::time::Duration;

use loadgen_core::experiment::{ExperimentPlan, Metric, Summary, TrialStatus, headlines};
use loadgen_core::stats::{Sample, blocks_for_any, detectable_ratio};

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

/// How far trials lie apart.
pub(super) enum Spreads {
    /// All metrics alike: standard deviation over mean, within a cell.
    Assumed(f64),
    /// As in another experiment.
    Pilot {
        /// How long a trial takes.
        each: Option<Duration>,
        /// Of each metric, the standard deviation of the logarithm of the ratio of two trials of
        /// a block.
        log_sds: Vec<(&'static Metric, f64)>,
    },
}

impl Spreads {
    pub(super) fn of(assumed: Option<f64>, pilot: Option<&Summary>) -> Self {
        let Some(pilot) = pilot else { return Self::Assumed(assumed.unwrap_or(0.1)) };
        // Cells may take times of their own: the mean is right for all of them together.
        let made = pilot.trials.iter().filter(|trial| trial.status == TrialStatus::Completed);
        let took = Sample::new(made.map(|trial| trial.took_s));
        let each = took.and_then(|took| Duration::try_from_secs_f64(took.mean()).ok());
        let factors = pilot.plan.factors.len();
        let log_sd = |metric: &&'static Metric| {
            // With the other factors held: what strata differ in is no noise.
            let rows = pilot
                .comparisons
                .iter()
                .filter(|row| row.metric == metric.name && row.a.len() == factors);
            let sds = Sample::new(rows.filter_map(|row| row.log_sd).filter(|sd| *sd > 0.0))?;
            Some((*metric, sds.median()))
        };
        let metrics = headlines(pilot.trials.iter().map(|trial| &trial.figures));
        Self::Pilot { each, log_sds: metrics.iter().filter_map(log_sd).collect() }
    }
}

/// All of it as text.
pub(super) fn text(
    plan: &ExperimentPlan,
    shortest_block: Duration,
    spreads: &Spreads,
) -> Result<String, Failure> {
    let design = &plan.design;
    let cells = design.cells().map_err(Failure::usage)?;
    let trials = cells.len() as u64 * u64::from(design.blocks());
    let warm_up = match design.warm_up_blocks() {
        0 => String::new(),
        n => format!(", {n} of them for the warm-up"),
    };
    let mut out = format!(
        "{} cells, {} blocks{warm_up}: {trials} trials (seed {})\n",
        cells.len(),
        design.blocks(),
        design.seed()
    );
    let least = long(shortest_block.saturating_mul(design.blocks()));
    out.push_str(&format!(
        "It takes {least} at least, without the migrations themselves and the programs of the \
         testbed.\n"
    ));
    if let Spreads::Pilot { each: Some(each), .. } = spreads {
        let all = each.saturating_mul(u32::try_from(trials).unwrap_or(u32::MAX));
        out.push_str(&format!(
            "With trials as long as those of the pilot it takes {}.\n",
            long(all)
        ));
    }
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
    match spreads {
        Spreads::Assumed(spread) => {
            out.push_str(&format!(
                "\nWhat it can show, if trials of one cell spread by {:.0} % (--spread), and blocks \
                 by nothing\n",
                spread * 100.0
            ));
            // Of a ratio of two trials.
            let log_sd = std::f64::consts::SQRT_2 * (1.0 + spread * spread).ln().sqrt();
            out.push_str(&power(plan, log_sd));
        }
        Spreads::Pilot { log_sds, .. } => {
            for (metric, log_sd) in log_sds {
                out.push_str(&format!(
                    "\nWhat it can show of {}, whose ratios within the blocks of the pilot spread \
                     by {:.1} %\n",
                    metric.title,
                    (log_sd.exp() - 1.0) * 100.0
                ));
                out.push_str(&power(plan, *log_sd));
            }
            if log_sds.is_empty() {
                out.push_str("\nThe pilot has no two trials of a block to tell a spread from.\n");
            }
        }
    }
    if design.trials() < 6 {
        out.push_str("\nWith fewer than 6 trials there is no 95 % interval of a median.\n");
    }
    Ok(out)
}

/// What differences between two levels it would show.
fn power(plan: &ExperimentPlan, log_sd: f64) -> String {
    let design = &plan.design;
    let mut out = String::new();
    let blocks = design.trials() as usize;
    for factor in design.factors().iter().filter(|factor| factor.levels.len() > 1) {
        let levels = factor.levels.len();
        let questions = levels * (levels - 1) / 2;
        let strata = design.cell_count() / levels;
        let mut line = |pairs: usize, where_: &str| {
            let shown = match detectable_ratio(log_sd, pairs, questions, POWER) {
                Some(ratio) => format!(
                    "a difference of {:.1} % in {:.0} of 100 experiments",
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
    if out.is_empty() {
        out.push_str("  nothing is varied: it gives intervals, and no comparison\n");
    }
    out
}
