//! An experiment carried out: one trial after the other, each kept before the next begins.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Instant, SystemTime};

use super::agenda::{Agenda, Fate, Slot};
use super::csv::render_csv;
use super::design::Cell;
use super::error::ExperimentError;
use super::machine::{At, Machine, context};
use super::metric::Figures;
use super::plan::{ExperimentLimits, ExperimentPlan};
use super::predicted::is_of;
use super::progress::{ExperimentProgress, Observer};
use super::store::Store;
use super::summary::Summary;
use super::testbed::{Nothing, Testbed, TrialContext};
use super::trial::{Trial, TrialStatus, agenda_after, is_degraded};
use super::trial_run::{MakeError, TrialRun};
use crate::clock::rfc3339;
use crate::panicked::said;
use crate::prediction::PredictionReport;
use crate::report::Report;
use crate::units::format_duration;

/// Makes the load and the migration of a trial.
type Maker = dyn FnMut(&TrialContext<'_>) -> Result<TrialRun, MakeError> + Send;

/// Says whether a cell can be tried at all.
type Check = dyn FnMut(&TrialContext<'_>) -> Result<(), MakeError> + Send;

/// An experiment: a plan, what makes its trials, and the directory in which all of it is kept.
///
/// A directory that holds the same experiment, half done, is gone on with.
pub struct Experiment {
    plan: ExperimentPlan,
    directory: PathBuf,
    testbed: Box<dyn Testbed>,
    make: Box<Maker>,
    check: Option<Box<Check>>,
    prediction: Option<PredictionReport>,
}

/// How an experiment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExperimentEnding {
    /// All trials were made.
    Complete,
    /// It was interrupted: it goes on when it is started again.
    Interrupted,
    /// A limit of the plan was reached: it goes on when it is started again with a wider one.
    GivenUp {
        /// Which, in words.
        reason: String,
    },
}

/// What came of an experiment, in this run and those before it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExperimentOutcome {
    /// How it ended.
    pub ending: ExperimentEnding,
    /// All trials that were made, in the order of time.
    pub trials: Vec<Trial>,
    /// Trials that are still to be made if all of them succeed.
    pub left: u64,
}

impl Experiment {
    /// An experiment by this plan, kept in this directory, which is made if it is not there.
    /// `make` gives the load and the migration of each trial.
    pub fn new(
        plan: ExperimentPlan,
        directory: impl Into<PathBuf>,
        make: impl FnMut(&TrialContext<'_>) -> Result<TrialRun, MakeError> + Send + 'static,
    ) -> Self {
        let testbed = Box::new(Nothing);
        let make = Box::new(make);
        let directory = directory.into();
        Self { plan, directory, testbed, make, check: None, prediction: None }
    }

    /// What says whether a cell can be tried at all, such as
    /// [`Trigger::check`](crate::migration::Trigger::check). When the testbed is up for the first
    /// time, and before anything is measured, it is asked of each cell, with what the testbed
    /// said; of the cells whose own programs bring up another testbed, when that is up.
    #[must_use]
    pub fn with_check(
        mut self,
        check: impl FnMut(&TrialContext<'_>) -> Result<(), MakeError> + Send + 'static,
    ) -> Self {
        self.check = Some(Box::new(check));
        self
    }

    /// What was predicted, such as from a pilot: it is kept beside the trials, and the summary holds
    /// it against them. Only an experiment without trials takes one.
    #[must_use]
    pub fn with_prediction(mut self, prediction: PredictionReport) -> Self {
        self.prediction = Some(prediction);
        self
    }

    /// What the trials are made on; without it, nothing is brought up and down.
    #[must_use]
    pub fn with_testbed(mut self, testbed: impl Testbed + 'static) -> Self {
        self.testbed = Box::new(testbed);
        self
    }

    /// Makes the trials that are still to be made. `interrupt`, once true, ends the trial under
    /// way, which is made again when the experiment goes on. `observe` is called in this thread.
    ///
    /// # Errors
    /// [`ExperimentError`] if it cannot begin or go on. What was measured so far is in the
    /// directory.
    pub fn run(
        self,
        interrupt: &AtomicBool,
        observe: &mut dyn FnMut(ExperimentProgress<'_>),
    ) -> Result<ExperimentOutcome, ExperimentError> {
        self.plan.validate()?;
        let cells = self.plan.design.cells()?;
        let agenda = Agenda::new(&self.plan.design, self.plan.limits.repeats)?;
        if let Some(prediction) = &self.prediction
            && !is_of(prediction, &self.plan, &cells)
        {
            return Err(ExperimentError::OtherPrediction);
        }
        let (store, kept) = Store::open(&self.directory, &self.plan)?;
        let agenda = agenda_after(agenda, &cells, &kept.trials)
            .map_err(|index| store.not_of_the_plan(index))?;
        let prediction = store.predicted(self.prediction, kept.trials.len())?;
        let boots = kept.trials.iter().filter_map(|trial| trial.boot).max().unwrap_or(0);
        let mut course = Course {
            plan: &self.plan,
            cells: &cells,
            agenda,
            store,
            prediction,
            trials: kept.trials,
            machine: Machine::new(self.testbed, boots, !kept.is_new, interrupt),
            make: self.make,
            unchecked: self.check.map(|check| (check, (0..cells.len()).collect())),
            begin: Instant::now(),
            interrupt,
            observer: Observer::new(observe),
        };
        let ending = course.go_on();
        course.machine.leave(&mut course.observer);
        let ending = ending.and_then(|ending| course.conclude().map(|()| ending));
        if let Some(panic) = course.observer.into_panic() {
            resume_unwind(panic);
        }
        Ok(ExperimentOutcome { ending: ending?, trials: course.trials, left: course.agenda.left() })
    }
}

/// An experiment under way.
struct Course<'a> {
    plan: &'a ExperimentPlan,
    cells: &'a [Cell],
    agenda: Agenda,
    store: Store,
    prediction: Option<PredictionReport>,
    trials: Vec<Trial>,
    machine: Machine<'a>,
    make: Box<Maker>,
    /// The cells of which it is not known yet whether they can be tried, and who says it.
    unchecked: Option<(Box<Check>, Vec<usize>)>,
    begin: Instant,
    interrupt: &'a AtomicBool,
    observer: Observer<'a>,
}

impl<'a> Course<'a> {
    fn go_on(&mut self) -> Result<ExperimentEnding, ExperimentError> {
        let left = self.agenda.left();
        self.observer.tell(ExperimentProgress::Begun { trials: &self.trials, left });
        while let Some(slot) = self.agenda.next() {
            if self.interrupt.load(Relaxed) || self.observer.is_gone() {
                return Ok(ExperimentEnding::Interrupted);
            }
            if let Some(reason) = self.over() {
                return Ok(ExperimentEnding::GivenUp { reason });
            }
            let Some(trial) = self.trial(slot)? else { return Ok(ExperimentEnding::Interrupted) };
            self.agenda.made(trial.status.fate());
            self.trials.push(trial);
            if self.agenda.next().is_some_and(|next| next.block != slot.block) {
                self.conclude()?;
            }
            let left = self.agenda.left();
            self.observer.tell(ExperimentProgress::Made { trials: &self.trials, left });
        }
        Ok(ExperimentEnding::Complete)
    }

    /// Which limit of the plan is reached.
    fn over(&self) -> Option<String> {
        let ExperimentLimits { failed_trials, time, .. } = self.plan.limits;
        let bad = |trial: &&Trial| trial.status.fate() == Fate::Bad;
        let failed = self.trials.iter().filter(bad).count();
        if failed >= failed_trials as usize {
            return Some(format!(
                "{failed} trials failed or were invalid, and the plan allows less than \
                 {failed_trials} (limits.failed_trials)"
            ));
        }
        let limit = time.filter(|limit| self.begin.elapsed() >= *limit)?;
        Some(format!("it has taken its time of {} (limits.time)", format_duration(limit)))
    }

    /// Writes down what the trials say together so far.
    fn conclude(&self) -> Result<(), ExperimentError> {
        let mut summary = Summary::of(self.plan, self.trials.clone())?;
        if let Some(prediction) = &self.prediction {
            summary = summary.held_against(prediction, self.plan);
        }
        self.store.write("results.csv", &render_csv(&summary))?;
        self.store.write("summary.json", &summary.to_json_pretty()?)
    }

    /// Makes a trial and keeps it; `None`: it was interrupted before anything was measured.
    fn trial(&mut self, slot: Slot) -> Result<Option<Trial>, ExperimentError> {
        let index = u32::try_from(self.trials.len() + 1).unwrap_or(u32::MAX);
        let folder = self.store.begin(index)?;
        let cell = &self.cells[slot.cell];
        let at = At { index, block: slot.block + 1, attempt: slot.attempt, cell, folder };
        let (started_at, begin) = (rfc3339(SystemTime::now()), Instant::now());
        let made = match self.machine.prepare(&at, &mut self.observer) {
            Ok(()) => {
                self.check(&at)?;
                self.load(&at)
            }
            Err(error) => Err(error.to_string()),
        };
        let (status, reason, report) = match made {
            Ok(report) => {
                let (status, reason) = TrialStatus::of(&report);
                (status, reason, Some(report))
            }
            Err(_) if self.interrupt.load(Relaxed) => return Ok(None),
            Err(reason) => (TrialStatus::Failed, Some(reason), None),
        };
        if status == TrialStatus::Completed {
            self.machine.is_sound();
        }
        let boot = self.machine.boot();
        let before = self.trials.iter().filter(|trial| trial.block == slot.block + 1);
        let mut trial = Trial {
            index,
            block: slot.block + 1,
            position: u32::try_from(before.count() + 1).unwrap_or(u32::MAX),
            cell: cell.to_levels(),
            repeats: slot.attempt - 1,
            warm_up: slot.block < self.plan.design.warm_up_blocks(),
            status,
            reason,
            degraded: report.as_ref().is_some_and(is_degraded),
            boot: boot.map(|(boot, _)| boot),
            since_boot: boot.map(|(_, since)| since),
            started_at,
            took_s: begin.elapsed().as_secs_f64(),
            load_average: report.as_ref().and_then(|report| report.environment.load_average),
            values: self.machine.values().clone(),
            report: None,
            figures: report.as_ref().map(Figures::of).unwrap_or_default(),
        };
        self.store.keep(&mut trial, report.as_ref())?;
        Ok(Some(trial))
    }

    /// Whether the cells that have the testbed of this trial can be tried.
    fn check(&mut self, at: &At<'a>) -> Result<(), ExperimentError> {
        let Some((check, left)) = &mut self.unchecked else { return Ok(()) };
        let programs = |cell: &Cell| self.plan.of_cell(cell).hooks;
        let own = programs(at.cell);
        let (now, later): (Vec<usize>, Vec<_>) =
            left.iter().partition(|cell| programs(&self.cells[**cell]) == own);
        *left = later;
        let mut impossible = Vec::new();
        for cell in now.into_iter().map(|cell| &self.cells[cell]) {
            let at = At { cell, ..at.clone() };
            let trial = context(&at, &at.folder, self.machine.values(), self.interrupt);
            let checked = catch_unwind(AssertUnwindSafe(|| check(&trial)));
            let why = match checked {
                Ok(checked) => checked.err().map(|error| chain(&*error)),
                Err(panic) => Some(format!("the program panicked: {}", said(&*panic))),
            };
            impossible.extend(why.map(|why| format!("{cell}: {why}")));
        }
        if impossible.is_empty() || self.interrupt.load(Relaxed) {
            return Ok(());
        }
        Err(ExperimentError::Impossible { cells: impossible, measured: self.trials.len() as u64 })
    }

    /// Runs the load and the migration of a trial.
    fn load(&mut self, at: &At<'a>) -> Result<Report, String> {
        let run = {
            let trial = context(at, &at.folder, self.machine.values(), self.interrupt);
            let make = &mut self.make;
            let made = catch_unwind(AssertUnwindSafe(|| make(&trial)));
            made.map_err(|panic| format!("the program panicked: {}", said(&*panic)))?
                .map_err(|error| chain(&*error))?
        };
        let observer = &mut self.observer;
        let (index, cell) = (at.index, at.cell);
        let report = run.measure(index, self.interrupt, &mut |now| {
            observer.tell(ExperimentProgress::Load { index, cell, now });
        });
        report.map_err(|error| chain(&*error))
    }
}

/// An error with its causes, each said once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !told.contains(&words) {
            told = format!("{told}: {words}");
        }
        next = cause.source();
    }
    told
}
