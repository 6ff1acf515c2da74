//! Reports and experiments for tests.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use crate::experiment::*;
use crate::report::{Report, VerdictStatus, sample};

/// A report of a migration that took so long, with everything else in proportion.
pub(super) fn report(total_ms: f64) -> Report {
    let mut report = sample::pre_copy();
    (report.verdict.status, report.verdict.reasons) = (VerdictStatus::Valid, Vec::new());
    let migration = report.migration.as_mut().unwrap();
    migration.total_migration_time_ms.trigger = Some(total_ms);
    migration.downtime_ms.events = Some(total_ms / 10.0);
    // Histograms are most of a report.
    migration.phases.iter_mut().for_each(|phase| phase.response_time.histogram = None);
    report.response_time.histogram = None;
    report.timeline.windows.clear();
    report.events.clear();
    report
}

pub(super) fn invalid(report: Report) -> Report {
    let mut report = report;
    report.verdict.add([(VerdictStatus::Invalid, "the generator was late".to_owned())]);
    report
}

pub(super) fn two_by_two(trials: u32) -> Design {
    Design::new(trials)
        .with_factor(Factor::new("memory", ["1", "2"]))
        .with_factor(Factor::new("strategy", ["pre", "post"]))
}

/// What was asked of whoever makes the trials: number, block, cell, attempt.
pub(super) type Asked = Arc<Mutex<Vec<(u32, u32, String, u32)>>>;

/// An experiment whose trials give what `of` says.
pub(super) fn experiment(
    plan: ExperimentPlan,
    directory: &Path,
    of: impl Fn(&TrialContext<'_>) -> Result<Report, MakeError> + Send + Sync + 'static,
) -> (Experiment, Asked) {
    let asked = Asked::default();
    let of_trials = Arc::clone(&asked);
    let experiment = Experiment::new(plan, directory, move |trial| {
        let one = (trial.index, trial.block, trial.cell.to_string(), trial.attempt);
        of_trials.lock().unwrap().push(one);
        let report = of(trial)?;
        Ok(TrialRun::measured_by(|_| Ok(report)))
    });
    (experiment, asked)
}

pub(super) fn run(experiment: Experiment) -> Result<ExperimentOutcome, ExperimentError> {
    experiment.run(&AtomicBool::new(false), &mut |_| {})
}

/// A trial of the analysis: its place, and one figure.
pub(super) fn trial(index: u32, block: u32, cell: &Cell, metric: &str, value: f64) -> Trial {
    let mut figures = Figures::default();
    figures.metrics.insert(metric.to_owned(), Some(value));
    Trial {
        index,
        block,
        position: 1,
        cell: cell.to_levels(),
        repeats: 0,
        warm_up: false,
        status: TrialStatus::Completed,
        reason: None,
        degraded: false,
        boot: None,
        since_boot: None,
        started_at: "2026-11-27T12:00:00.000Z".to_owned(),
        took_s: 1.0,
        load_average: None,
        values: Values::new(),
        report: None,
        figures,
    }
}
