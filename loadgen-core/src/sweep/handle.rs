//! A sweep under way on a thread of its own: watched, stopped, awaited.

use super::error::SweepError;
use super::point::SweepPoint;
use super::report::SweepReport;
use super::runner::{Sweep, SweepObserver};
use super::search::{Attempt, SearchSettings};
use super::steps::Steps;
use crate::background::{Background, Shared};
use crate::engine::Snapshot;
use crate::error::RunError;

/// A sweep under way. When it is dropped, the sweep is ended, and what it measured is lost.
#[derive(Debug)]
pub struct SweepHandle(Background<State, (Result<(), SweepError>, SweepReport)>);

/// What is known while it runs.
#[derive(Debug)]
struct State {
    now: SweepSnapshot,
    so_far: SweepReport,
}

/// Where a sweep stands.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SweepSnapshot {
    /// The run that is under way, or was the last; `None` before the first.
    pub run: Option<Attempt>,
    /// Its number, from 0.
    pub index: usize,
    /// How many there will be, if that is known.
    pub of: Option<usize>,
    /// Counters of that run, at most 150 ms old.
    pub load: Snapshot,
}

/// A sweep that could not go on, and what it measured until then.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct UnfinishedSweep {
    /// Why.
    pub reason: SweepError,
    /// All runs that were finished.
    pub so_far: Box<SweepReport>,
}

impl Sweep {
    /// Starts the steps on a thread of its own and returns. Who wants to be told of each run,
    /// or to have its calls, uses [`Self::run`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use loadgen_core::sweep::{Steps, Sweep};
    /// use loadgen_core::{Load, Plan, Schedule};
    /// # use loadgen_core::target_server::{TargetOptions, TargetServer};
    /// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
    /// # let url = server.url();
    ///
    /// let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(1.0)));
    /// let sweep = Sweep::new(plan.with_duration(Duration::from_millis(200)))?;
    /// let report = sweep.start("100..300/100".parse()?)?.join()?;
    /// let rates: Vec<f64> = report.points.iter().map(|point| point.demanded_per_s).collect();
    /// assert_eq!(rates, [100.0, 200.0, 300.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`RunError::Setup`] if the kernel refuses a thread.
    pub fn start(self, steps: Steps) -> Result<SweepHandle, RunError> {
        self.launch(move |sweep, report, observer, shared| {
            sweep.run(&steps, report, observer, shared.flag())
        })
    }

    /// Starts a search on a thread of its own and returns; as [`Self::search`].
    ///
    /// # Errors
    /// [`RunError::Setup`] if the kernel refuses a thread.
    pub fn start_search(self, settings: SearchSettings) -> Result<SweepHandle, RunError> {
        self.launch(move |sweep, report, observer, shared| {
            sweep.search(settings, report, observer, shared.flag())
        })
    }

    fn launch(
        self,
        carry_out: impl FnOnce(
            &Self,
            &mut SweepReport,
            &mut dyn SweepObserver,
            &Shared<State>,
        ) -> Result<(), SweepError>
        + Send
        + 'static,
    ) -> Result<SweepHandle, RunError> {
        let mut report = self.report();
        let state = State { now: SweepSnapshot::default(), so_far: report.clone() };
        let work = Background::start("loadgen-sweep", state, move |shared| {
            let outcome = carry_out(&self, &mut report, &mut Noted(shared), shared);
            (outcome, report)
        });
        work.map(SweepHandle)
            .map_err(|cause| RunError::Setup { what: "the thread of a sweep", cause })
    }
}

impl SweepHandle {
    /// Where it stands.
    #[must_use]
    pub fn snapshot(&self) -> SweepSnapshot {
        self.0.progress().now.clone()
    }

    /// All runs that are finished.
    #[must_use]
    pub fn so_far(&self) -> SweepReport {
        self.0.progress().so_far.clone()
    }

    /// Ends it: no further call is started, those under way are awaited for a second at the
    /// most. The report says that it was interrupted. Returns at once.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Whether it has come to its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits for the end and gives the result.
    ///
    /// # Errors
    /// [`UnfinishedSweep`] if a run could not be made, with all those that were.
    pub fn join(self) -> Result<SweepReport, UnfinishedSweep> {
        match self.0.join() {
            (Ok(()), report) => Ok(report),
            (Err(reason), report) => Err(UnfinishedSweep { reason, so_far: Box::new(report) }),
        }
    }
}

/// Notes what a sweep tells, for whoever asks.
struct Noted<'a>(&'a Shared<State>);

impl SweepObserver for Noted<'_> {
    fn begins(&mut self, run: &Attempt, index: usize, of: Option<usize>) {
        let load = Snapshot::default();
        self.0.progress().now = SweepSnapshot { run: Some(*run), index, of, load };
    }

    fn goes_on(&mut self, now: &Snapshot) {
        self.0.progress().now.load = *now;
    }

    fn ended(&mut self, _: &SweepPoint, so_far: &SweepReport) {
        self.0.progress().so_far = so_far.clone();
    }
}
