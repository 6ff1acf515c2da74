//! What of reports and experiments is a recording of a migration, to which
//! [`model::fit`](crate::model::fit) fits its parameters.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::event::EventReport;
use crate::experiment::{ExperimentError, Summary};
use crate::model::Strategy;
use crate::model::fit::{Progress, RecordedPopulation, RecordedUsers, Recording};
use crate::record::Population;
use crate::report::span::Span;
use crate::report::{Migration, OutageReport, Report, ReportError, VerdictStatus};
use crate::vm::{self, Ending};

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The load had no migration.
    #[error("'{name}' has no migration: give the report of a run in which a machine was moved")]
    NoMigration {
        /// The report.
        name: String,
    },
    /// It is not known how the machine was moved.
    #[error(
        "'{name}' does not tell how the machine was moved (pre-copy, post-copy, stop-and-copy): \
         its trigger was not told the strategy; tell it, and migrate again"
    )]
    NoStrategy {
        /// The report.
        name: String,
    },
    /// Nothing tells when the migration began.
    #[error("'{name}' does not tell when the migration was fired: nothing can be timed from it")]
    NotFired {
        /// The report.
        name: String,
    },
    /// What was told is of more machines than one.
    #[error(
        "'{name}' is of {machines} machines that were moved together: what they sent cannot be \
         told apart; give a report for each"
    )]
    SeveralMachines {
        /// The report.
        name: String,
        /// How many.
        machines: usize,
    },
    /// Trials of which nobody knows which are meant.
    #[error(
        "'{}' has trials of {cells} kinds, each with a downtime of its own: give an experiment of one, or \
         write the mean",
        directory.display()
    )]
    SeveralCells {
        /// The directory.
        directory: PathBuf,
        /// How many kinds.
        cells: usize,
    },
    /// No trial tells how long its machine stood still.
    #[error(
        "no trial in '{}' that counts has a downtime by events: its trigger must tell stop and resume",
        directory.display()
    )]
    NoDowntime {
        /// The directory.
        directory: PathBuf,
    },
    /// What it says of a migration is not what a model is of.
    #[error("'{name}' is no recording: {reason}")]
    Unfit {
        /// The report.
        name: String,
        /// Why not.
        reason: String,
    },
    /// An experiment cannot be read.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A report of an experiment cannot be read.
    #[error("cannot read '{}': {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
    /// What is there is no report.
    #[error("'{}': {cause}", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: ReportError,
    },
}

/// The trials of an experiment that have the same levels.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RecordedCell {
    /// The level of each factor.
    pub factors: BTreeMap<String, String>,
    /// The trials that count, in the order of time.
    pub recordings: Vec<Recording>,
    /// Trials that count and are no recordings, and why not.
    pub left_out: Vec<(String, String)>,
}

/// The recordings of an experiment, finished or at work, by cell. Trials that do not count
/// (failed, invalid, warm-up) are left out; so are cells without any that does.
///
/// # Errors
/// [`RecordingError`] if it is no directory of an experiment, or one of its reports cannot be read.
pub fn recorded_cells(directory: &Path) -> Result<Vec<RecordedCell>, RecordingError> {
    let summary = Summary::read(directory)?;
    let mut cells: BTreeMap<BTreeMap<String, String>, (Vec<_>, Vec<_>)> = BTreeMap::new();
    for trial in summary.trials.iter().filter(|trial| trial.counts()) {
        let Some(kept) = &trial.report else { continue };
        let path = directory.join(kept);
        let text = fs::read_to_string(&path)
            .map_err(|cause| RecordingError::Io { path: path.clone(), cause })?;
        let report = Report::from_json(&text)
            .map_err(|cause| RecordingError::Report { path: path.clone(), cause })?;
        let name = format!("trial {}", trial.index);
        let cell = cells.entry(trial.cell.clone()).or_default();
        match recording(&name, &report) {
            Ok(recording) => cell.0.push(recording),
            Err(error) => cell.1.push((name, error.to_string())),
        }
    }
    let cell = |(factors, (recordings, left_out))| RecordedCell { factors, recordings, left_out };
    Ok(cells.into_iter().map(cell).collect())
}

/// The recording of the migration of a report.
///
/// # Errors
/// [`RecordingError`] if it has none, or not of one machine.
pub fn recording(name: &str, report: &Report) -> Result<Recording, RecordingError> {
    let own = || name.to_owned();
    let migration =
        report.migration.as_ref().ok_or_else(|| RecordingError::NoMigration { name: own() })?;
    if migration.machines.len() > 1 {
        let machines = migration.machines.len();
        return Err(RecordingError::SeveralMachines { name: own(), machines });
    }
    if let Some(reason) = unfit(report, migration) {
        return Err(RecordingError::Unfit { name: own(), reason });
    }
    let moved = match migration.strategy {
        Some(vm::Strategy::PreCopy) => Strategy::PreCopy,
        Some(vm::Strategy::PostCopy) => Strategy::PostCopy,
        Some(vm::Strategy::StopAndCopy) => Strategy::StopAndCopy,
        None => return Err(RecordingError::NoStrategy { name: own() }),
    };
    let events = Events { all: &report.events };
    let begin = events.first("accepted").or_else(|| events.first("fired"));
    let begin = begin.ok_or_else(|| RecordingError::NotFired { name: own() })?;
    let after = |at: f64| at - begin;
    let totals = Totals::of(migration);
    let mut recording = Recording::new(name, moved);
    recording.machine_memory = migration.vm.memory_bytes.map(|bytes| bytes as f64);
    recording.limit_s = totals.limit_s;
    recording.passes_s = events.named("round").map(|e| after(e.at_s).max(0.0)).collect();
    recording.progress = events.named("progress").filter_map(|e| progress(e, begin)).collect();
    recording.stop_s = events.first("stop").map(after);
    recording.resume_s = events.last("resume").map(after);
    recording.sent_all_s = events.sent_all().map(after);
    let total = migration.total_migration_time_ms;
    recording.end_s = total.trigger.or(total.hypervisor).map(|ms| ms / 1e3);
    recording.sent = migration.transferred_bytes.map(|bytes| bytes as f64);
    match moved {
        Strategy::PreCopy => recording.sent_in_stop = totals.sent_in_stop,
        Strategy::PostCopy => {
            // Where it is not told, from the last word before the stop on.
            let before =
                || recording.progress.iter().rev().find(|p| Some(p.at_s) < recording.stop_s);
            let rest = || Some(recording.sent? - before()?.sent);
            recording.sent_after = totals.sent_after.or_else(rest);
        }
        Strategy::StopAndCopy | Strategy::Hybrid => {}
    }
    // All of the memory was sent once before the machine was stopped.
    if moved == Strategy::PostCopy && recording.looks_before_the_stop() > 1 {
        recording.moved = Strategy::Hybrid;
    }
    recording.felt = felt(report, migration, begin, recording.resume_s);
    Ok(recording)
}

/// Why a report tells nothing that models are of.
fn unfit(report: &Report, migration: &Migration) -> Option<String> {
    if migration.ending != Some(Ending::Completed) {
        return Some("its migration did not complete".to_owned());
    }
    if report.verdict.status == VerdictStatus::Invalid {
        let why = report.verdict.reasons.first().map_or("", String::as_str);
        return Some(format!("its figures are not valid: {why}"));
    }
    let on = migration.details.get("capabilities").and_then(Value::as_array);
    let on = on.into_iter().flatten().filter_map(Value::as_str);
    let helps: Vec<&str> = on.filter(|name| HELPS.contains(name)).collect();
    (!helps.is_empty())
        .then(|| format!("it was helped by {}, of which there is no model", helps.join(" and ")))
}

/// Capabilities of QEMU that change how memory is sent.
const HELPS: [&str; 5] = ["auto-converge", "xbzrle", "multifd", "compress", "zero-blocks"];

/// The events of a report.
struct Events<'a> {
    all: &'a [EventReport],
}

impl<'a> Events<'a> {
    fn named(&self, name: &'static str) -> impl DoubleEndedIterator<Item = &'a EventReport> {
        self.all.iter().filter(move |event| event.name == name)
    }

    fn first(&self, name: &'static str) -> Option<f64> {
        self.named(name).next().map(|event| event.at_s)
    }

    fn last(&self, name: &'static str) -> Option<f64> {
        self.named(name).next_back().map(|event| event.at_s)
    }

    /// When the source called itself done.
    fn sent_all(&self) -> Option<f64> {
        let is_done = |event: &&EventReport| {
            let status = event.attributes.get("status").and_then(Value::as_str);
            event.source.ends_with("source") && status == Some("completed")
        };
        self.named("progress").find(is_done).map(|event| event.at_s)
    }
}

fn progress(event: &EventReport, begin: f64) -> Option<Progress> {
    let number = |name: &str| event.attributes.get(name).and_then(Value::as_f64);
    let (sent, left) = (number("transferred_bytes")?, number("remaining_bytes")?);
    let pass = number("dirty_sync_count").unwrap_or(0.0) as u32;
    let mut progress = Progress::new(event.at_s - begin, sent, left, pass);
    let pages = number("dirty_pages_per_s").zip(number("page_size_bytes"));
    progress.dirty_rate = pages.map(|(pages, size)| pages * size).filter(|rate| *rate > 0.0);
    Some(progress)
}

/// What the hypervisor says at the end.
struct Totals {
    limit_s: Option<f64>,
    sent_in_stop: Option<f64>,
    sent_after: Option<f64>,
}

impl Totals {
    fn of(migration: &Migration) -> Self {
        let number = |path: &[&str]| {
            let mut value = migration.details.get(*path.first()?)?;
            for name in &path[1..] {
                value = value.get(name)?;
            }
            value.as_f64().filter(|number| *number > 0.0)
        };
        let limit_ms = number(&["parameters", "downtime-limit"]);
        Self {
            limit_s: limit_ms.or_else(|| number(&["downtime_limit_ms"])).map(|ms| ms / 1e3),
            sent_in_stop: number(&["query_migrate", "ram", "downtime-bytes"]),
            sent_after: number(&["query_migrate", "ram", "postcopy-bytes"]),
        }
    }
}

/// What the users of a report felt; `None` if nothing is known of the time before.
fn felt(
    report: &Report,
    migration: &Migration,
    begin: f64,
    resume_s: Option<f64>,
) -> Option<RecordedUsers> {
    let before = Span::before(migration).response_time();
    let quantile = |q: f64| before.quantile(q).map(|time| time.as_secs_f64());
    let (usual_s, p95) = (quantile(0.5)?, quantile(0.95)?);
    let population = |population: Population| {
        let loads = || report.plan.loads().filter(move |load| load.population() == population);
        let rates = loads().filter_map(|load| report.plan.calls_per_s(load));
        let rate_per_s: f64 = rates.sum();
        let outage = match population {
            Population::Established => migration.outage_ms.established.as_ref(),
            Population::Fresh => migration.outage_ms.fresh.as_ref(),
        };
        let is_kept = population == Population::Established;
        let connections = || loads().map(|load| load.connections()).sum();
        let recorded = RecordedPopulation {
            name: population.name().to_owned(),
            connections: is_kept.then(connections),
            rate_per_s,
            usual_s,
            // As the reports' band.
            late_beyond_s: (2.0 * p95).max(p95 + 0.001),
            outage_s: outage.and_then(OutageReport::headline).map(|ms| ms / 1e3),
            outage_is_least: outage.is_some_and(OutageReport::headline_is_lower_bound),
        };
        (rate_per_s > 0.0).then_some(recorded)
    };
    let recovery_s = migration.recovery_ms.map(|ms| ms / 1e3);
    let load_end = migration.phases.last().map(|phase| phase.end_s - begin);
    let recovered = resume_s.zip(recovery_s).map(|(resume_s, s)| resume_s + s);
    let felt = RecordedUsers {
        populations: Population::ALL.into_iter().filter_map(population).collect(),
        timeout_s: report.plan.timeout().as_secs_f64(),
        late: migration.calls_late.map(|calls| calls as f64),
        lost: migration.calls_lost.map(|calls| calls as f64),
        counted_s: recovered.or(load_end),
        recovery_s,
    };
    (!felt.populations.is_empty()).then_some(felt)
}

/// The mean downtime of the trials of an experiment of one cell that count, in s: what
/// [`ModelFile`](crate::model::availability::ModelFile) has for `from_trials`.
///
/// # Errors
/// [`RecordingError::Experiment`], [`RecordingError::SeveralCells`], or
/// [`RecordingError::NoDowntime`] if no trial has one.
pub fn mean_downtime_s(directory: &Path) -> Result<f64, RecordingError> {
    let summary = Summary::read(directory)?;
    if summary.cells.len() > 1 {
        let (directory, cells) = (directory.to_owned(), summary.cells.len());
        return Err(RecordingError::SeveralCells { directory, cells });
    }
    let counting = summary.trials.iter().filter(|trial| trial.counts());
    let downtimes: Vec<f64> =
        counting.filter_map(|trial| trial.figures.get("downtime_events_ms")).collect();
    if downtimes.is_empty() {
        return Err(RecordingError::NoDowntime { directory: directory.to_owned() });
    }
    Ok(downtimes.iter().sum::<f64>() / downtimes.len() as f64 / 1e3)
}

#[cfg(test)]
mod tests;
