//! Several machines, each under a load of its own, that are moved together or one after the other:
//! what the users of each feel, and what all of it came to.
//!
//! **It is** a run for each machine, all at the same time, of which only the moments of moving are
//! tied (`turns`): each has its own report, with the impact of its own migration, while the others'
//! go on. **It is not** [`Evacuation`](super::Evacuation), where one machine is under load and
//! others are moved beside it.

mod report;
#[cfg(test)]
mod tests;
mod text;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::driver::{MigrationError, MigrationRun};
use super::stage::{MigrationProgress, Stage};
use super::turns::{MigrationOrder, Turns};
use crate::engine::{Snapshot, descriptors};
use crate::error::RunError;
use crate::event::Event;
use crate::net::limits::raise_descriptor_limit;
use crate::panicked::said;
use crate::report::{Report, VerdictStatus};
pub use report::{MachineReport, MigrationsReport, WholeMigration, WorstOutage};
pub use text::render_migrations_text;

/// Most machines of one run: each has an engine of its own.
pub const MOST_MACHINES: usize = 64;

/// News of machines that wait for whoever observes them; what is more is not shown.
const MOST_NEWS: usize = 10_000;

/// Why no machine was moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationsError {
    /// None, or too many.
    #[error("a run moves 1 to {MOST_MACHINES} machines, not {0}")]
    Machines(usize),
    /// The loads of all together cannot be had.
    #[error("the loads of all machines: {0}")]
    All(RunError),
    /// One of them could not be prepared.
    #[error("machine {machine}: {error}")]
    Machine {
        /// Its number, from 1.
        machine: usize,
        /// What is wrong with it.
        error: MigrationError,
    },
}

/// What happens to one of several machines.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MachineProgress {
    /// Its number, from 1.
    pub machine: usize,
    /// Where it stands.
    pub stage: Stage,
    /// Counters of its load.
    pub snapshot: Snapshot,
    /// The event that has just come, if this is told because of one.
    pub event: Option<Event>,
}

/// Several migrations, each with its own load.
///
/// ```no_run
/// use std::sync::atomic::AtomicBool;
/// use loadgen_core::migration::{
///     CommandTrigger, MigrationOrder, MigrationRun, Migrations, render_migrations_text,
/// };
/// use loadgen_core::{Load, Plan, Schedule};
///
/// let machine = |url: &str, name: &str| -> Result<_, Box<dyn std::error::Error>> {
///     let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(100.0)));
///     let trigger = CommandTrigger::new(vec!["./move.sh".to_owned(), name.to_owned()])?;
///     Ok(MigrationRun::new(plan, Box::new(trigger)))
/// };
/// let report = Migrations::in_order(MigrationOrder::Sequential)
///     .with_machine(machine("http://10.0.0.5/", "web1")?)
///     .with_machine(machine("http://10.0.0.6/", "web2")?)
///     .run(&AtomicBool::new(false), &mut |_| {})?;
/// print!("{}", render_migrations_text(&report));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Migrations {
    order: MigrationOrder,
    runs: Vec<MigrationRun>,
}

impl Migrations {
    /// None yet.
    #[must_use]
    pub fn in_order(order: MigrationOrder) -> Self {
        Self { order, runs: Vec::new() }
    }

    /// Adds a machine: its load, and what moves it. Its limit is that of its own migration, without
    /// the wait for its turn.
    #[must_use]
    pub fn with_machine(mut self, run: MigrationRun) -> Self {
        self.runs.push(run);
        self
    }

    /// Runs them. No machine is moved before the loads of all have had their time
    /// [before](MigrationRun::with_before); each load goes on until all machines are done, and the
    /// time [after](MigrationRun::with_after). Once the load of one breaks down or is given up, no
    /// further machine is moved. What is normal for a machine is what its time before shows,
    /// without the wait for its turn. `interrupt`, once true, cancels migrations under way, and
    /// ends all. `observe` is called in this thread; if it panics, the report says so, and it is
    /// not called any more.
    ///
    /// # Errors
    /// [`MigrationsError`] if a machine could not be prepared, so that none was moved. What breaks
    /// later is in the report, and what was measured until an interrupt.
    pub fn run(
        self,
        interrupt: &AtomicBool,
        observe: &mut dyn FnMut(&MachineProgress),
    ) -> Result<MigrationsReport, MigrationsError> {
        let (order, machines) = (self.order, self.runs.len());
        if !(1..=MOST_MACHINES).contains(&machines) {
            return Err(MigrationsError::Machines(machines));
        }
        // Each engine makes sure of its own alone.
        let wanted = self.runs.iter().map(|run| descriptors(run.plan()).1).sum();
        let limit = raise_descriptor_limit(wanted);
        if limit < wanted {
            return Err(MigrationsError::All(RunError::Descriptors { wanted, limit }));
        }
        let url = |run: &MigrationRun| run.plan().target().url().to_owned();
        let urls: Vec<String> = self.runs.iter().map(url).collect();
        let turns = Turns::new(machines, order);
        let runs = (0..).zip(self.runs).map(|(place, run)| run.in_place(turns.place(place)));
        let runs: Vec<MigrationRun> = runs.collect();
        let (sender, news) = sync_channel(MOST_NEWS);
        let mut panic = None;
        let mut results: Vec<Result<Report, MigrationError>> = thread::scope(|scope| {
            let run_one = |(machine, run): (usize, MigrationRun)| {
                let sender = sender.clone();
                let body = move || one(run, machine, interrupt, &sender);
                thread::Builder::new().name(format!("machine {machine}")).spawn_scoped(scope, body)
            };
            // All are there before the first is waited for.
            let threads: Vec<_> = (1..).zip(runs).map(run_one).collect();
            drop(sender);
            panic = show(&news, observe);
            let joined = threads.into_iter().map(|thread| match thread {
                Ok(thread) => {
                    thread.join().unwrap_or_else(|_| Err(RunError::WorkerPanicked.into()))
                }
                Err(cause) => {
                    Err(RunError::Setup { what: "the thread of a machine", cause }.into())
                }
            });
            joined.collect()
        });
        // What was measured of others until the interrupt is not lost.
        let is_cut = interrupt.load(Relaxed) && results.iter().any(Result::is_ok);
        if !(turns.is_begun() || is_cut)
            && let Some(machine) = first_failed(&results)
            && let Err(error) = results.swap_remove(machine)
        {
            return Err(MigrationsError::Machine { machine: machine + 1, error });
        }
        let mut report = MigrationsReport::of(order, urls, results, &turns.accepted());
        if let Some(said) = panic {
            let why = format!("the program's observer panicked: {said}; it was shown nothing more");
            report.verdict.add([(VerdictStatus::Invalid, why)]);
        }
        Ok(report)
    }
}

/// One machine's run, shown to whoever observes.
fn one(
    run: MigrationRun,
    machine: usize,
    interrupt: &AtomicBool,
    sender: &SyncSender<MachineProgress>,
) -> Result<Report, MigrationError> {
    run.run(interrupt, &mut |now| {
        let MigrationProgress { stage, snapshot, event } = now;
        let event = event.cloned();
        // What nobody looks at in time is not shown.
        let _ = sender.try_send(MachineProgress { machine, stage, snapshot, event });
    })
}

/// Shows what happens until all runs have ended; what the observer said if it panicked.
fn show(
    news: &Receiver<MachineProgress>,
    observe: &mut dyn FnMut(&MachineProgress),
) -> Option<String> {
    let mut panic = None;
    for progress in news {
        if panic.is_none() {
            let observed = catch_unwind(AssertUnwindSafe(|| observe(&progress)));
            panic = observed.err().map(|panic| said(&*panic).to_owned());
        }
    }
    panic
}

/// The machine that is to blame: the first that failed by itself.
fn first_failed(results: &[Result<Report, MigrationError>]) -> Option<usize> {
    let stopped = |error: &MigrationError| matches!(error, MigrationError::Run(RunError::Stopped));
    let by_itself = |result: &Result<_, _>| result.as_ref().is_err_and(|error| !stopped(error));
    results.iter().position(by_itself).or_else(|| results.iter().position(Result::is_err))
}
