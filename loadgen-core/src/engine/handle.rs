//! A run under way: watched, marked, stopped, awaited.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::assemble::{Finished, assemble, judge};
use super::harvest::Harvest;
use super::progress::{LOOK_EVERY, Snapshot, Steps, Window};
use super::run_record::RunRecord;
use super::shared::Shared;
use super::starting_line::StartingLine;
use crate::abort::Aborted;
use crate::clock::{Clock, rfc3339};
use crate::error::RunError;
use crate::event::{Event, EventKind, EventReport, KeptEvents};
use crate::net::lookups::Resolver;
use crate::plan::Plan;
use crate::record::CallLog;
use crate::report::{Environment, Report, Verdict};

/// How long workers are waited for that are to leave what they have: they look ten times a second.
const PART_WAIT: Duration = Duration::from_millis(300);

/// A run under way. When it is dropped, a run whose plan has an end goes on to it unwatched,
/// and one without is ended; [`Self::stop_on_drop`] ends either.
///
/// ```
/// use loadgen_core::{Engine, Load, Plan, Schedule};
/// # use loadgen_core::target_server::{TargetOptions, TargetServer};
/// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
/// # let url = server.url();
///
/// // Without a duration it goes on until it is stopped.
/// let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(1000.0)));
/// let run = Engine::new(plan)?.start()?;
/// while run.snapshot().answered < 100 {
///     std::thread::yield_now();
/// }
/// run.mark("a hundred");
/// run.stop();
/// let report = run.join()?;
/// assert_eq!(report.events[0].name, "a hundred");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RunHandle {
    pub(super) ending: EndOnDrop,
    pub(super) plan: Plan,
    pub(super) environment: Environment,
    pub(super) shared: Arc<Shared>,
    pub(super) line: Arc<StartingLine>,
    pub(super) workers: Vec<JoinHandle<std::io::Result<Option<Harvest>>>>,
    /// What was had from them so far.
    pub(super) handed_over: Mutex<Option<Harvest>>,
    pub(super) marks: Mutex<KeptEvents>,
    pub(super) resolver: Option<Resolver>,
    /// Names of tags by their numbers.
    pub(super) tags: Vec<String>,
}

/// Ends a run before its time, from another thread than the one that waits for it.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    /// As [`RunHandle::stop`], but that the report says that the run was
    /// [interrupted](Report::interrupted): it is for those who break a run off, where a handle's own
    /// stop may be the planned end of a load without one.
    pub fn stop(&self) {
        self.0.interrupt();
    }
}

/// Ends a run that nobody can stop any more.
#[derive(Debug)]
pub(super) struct EndOnDrop {
    shared: Arc<Shared>,
    ends: bool,
}

impl EndOnDrop {
    pub(super) fn of(plan: &Plan, shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), ends: !plan.has_end() }
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if self.ends {
            self.shared.interrupt();
            self.shared.cut();
        }
    }
}

impl RunHandle {
    /// Ends the run at once when this is dropped, whether or not its plan has an end: for a
    /// program that may give up waiting for it. What was measured is lost then; whoever wants
    /// it [stops](Self::stop) the run and [joins](Self::join) it.
    #[must_use]
    pub fn stop_on_drop(mut self) -> Self {
        self.ending.ends = true;
        self
    }

    /// What happens, a tenth of a second at a time: each step waits for its end, and the last
    /// one ends with the run. Nothing is lost if steps are asked for late, but they are longer
    /// then.
    ///
    /// ```
    /// use std::time::Duration;
    /// use loadgen_core::{Engine, Load, Plan, Schedule};
    /// # use loadgen_core::target_server::{TargetOptions, TargetServer};
    /// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
    /// # let url = server.url();
    ///
    /// let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(1000.0)));
    /// let run = Engine::new(plan.with_duration(Duration::from_secs(1)))?.start()?;
    /// let answered: u64 = run.windows().map(|window| window.answered).sum();
    /// assert_eq!(answered, run.join()?.counts.answered);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn windows(&self) -> impl Iterator<Item = Window> + '_ {
        Windows::of(self)
    }

    /// Waits for the end and gives the result, and with it the calls that the plan kept
    /// ([`Plan::with_call_log`]): those of one worker after those of the other, each in the
    /// order of their ends.
    ///
    /// # Errors
    /// As [`Self::join`].
    pub fn join_with_calls(self) -> Result<(Report, CallLog), RunError> {
        self.finish().map(|finished| (finished.report, finished.log))
    }

    /// What stops this run from elsewhere.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared))
    }

    /// Counters as of now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let elapsed = self.started_clock().map_or(0, |clock| clock.now());
        let mut snapshot =
            Snapshot { elapsed: Duration::from_nanos(elapsed), ..Snapshot::default() };
        for worker in &self.shared.published {
            let (totals, in_flight, p99_ns) = worker.read();
            snapshot.offered += totals.offered;
            snapshot.started += totals.started;
            snapshot.answered += totals.answered;
            snapshot.wrong += totals.wrong;
            snapshot.failed += totals.failed;
            snapshot.shed += totals.shed;
            snapshot.in_flight += in_flight;
            let p99_us = p99_ns.map(|ns| ns as f64 / 1e3);
            if p99_us > snapshot.p99_us {
                snapshot.p99_us = p99_us;
            }
        }
        snapshot
    }

    /// Marks this moment on the timeline, and says whether it could: not before the load has
    /// begun ([`Self::clock`] waits for that). The first 10,000 marks are kept; how many were not,
    /// the [report](Report::events_dropped) says.
    pub fn mark(&self, name: &str) -> bool {
        let Some(clock) = self.started_clock() else { return false };
        let event = Event::new(EventKind::Mark(name.to_owned()), clock.now(), 0, "user");
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        true
    }

    /// The clock of the run, whose time 0 is the start of the load. Waits until
    /// the load starts; `None` if it never will.
    #[must_use]
    pub fn clock(&self) -> Option<Clock> {
        self.line.origin().map(Clock::with_origin)
    }

    /// The clock of the run, if the load has started already.
    #[must_use]
    pub fn started_clock(&self) -> Option<Clock> {
        self.line.known_origin().map(Clock::with_origin)
    }

    /// What the run was given up for ([`Plan::with_abort_if`]), if it was.
    #[must_use]
    pub fn aborted(&self) -> Option<Aborted> {
        self.shared.aborted()
    }

    /// Whether the run has come to its end (of the drain, too).
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.workers.iter().all(JoinHandle::is_finished)
    }

    /// Ends the schedules in about 0.1 s: no further arrivals, but those that wait
    /// are served and calls under way awaited, for the plan's drain time. A second
    /// call waits for nothing any more. Returns at once.
    ///
    /// Sessions have no drain unless the plan sets one, since what they would still do has
    /// no end that is near: without it the first call ends them where they are, and their
    /// calls under way are counted as unfinished. The report of a run that is to see its sessions through is had by
    /// a number of them ([`Sessions::count`](crate::Sessions::count)).
    pub fn stop(&self) {
        self.shared.stop_more();
    }

    /// Waits for the end and gives the result.
    ///
    /// # Errors
    /// [`RunError`] if a worker broke.
    pub fn join(self) -> Result<Report, RunError> {
        self.finish().map(|finished| finished.report)
    }

    /// The report, and what it was made of.
    pub(crate) fn finish(self) -> Result<Finished, RunError> {
        self.record().map(assemble)
    }

    /// What was measured since the last time, as `tell` has it, which gives it back. `None`: there is
    /// nothing new, or the run is of no shard.
    pub(crate) fn part<T>(&self, tell: impl FnOnce(RunRecord) -> (T, RunRecord)) -> Option<T> {
        let clock = self.started_clock()?;
        let handover = &self.shared.handover;
        handover.ask();
        let until = Instant::now() + PART_WAIT;
        while !handover.is_complete() && !self.is_finished() && Instant::now() < until {
            thread::sleep(LOOK_EVERY);
        }
        let harvest = handover.collect()?;
        let record = RunRecord {
            plan: self.plan.clone(),
            environment: self.environment.clone(),
            started_at: rfc3339(clock.started_at()),
            events: Vec::new(),
            events_dropped: 0,
            tags: self.tags.clone(),
            interrupted: false,
            aborted: None,
            verdict: Verdict::from_findings(Vec::new()),
            harvest,
        };
        let (told, record) = tell(record);
        let mut handed_over = self.handed_over.lock().unwrap_or_else(PoisonError::into_inner);
        match handed_over.as_mut() {
            Some(whole) => whole.merge(record.harvest),
            None => *handed_over = Some(record.harvest),
        }
        Some(told)
    }

    /// What the workers that did not panic brought home: a defect in one must not take away
    /// what the others measured.
    pub(crate) fn record(self) -> Result<RunRecord, RunError> {
        let mut harvests = Vec::new();
        let mut panicked = 0;
        for worker in self.workers {
            match worker.join() {
                Ok(Ok(harvest)) => harvests.extend(harvest),
                Ok(Err(cause)) => {
                    return Err(RunError::Setup { what: "opening connections", cause });
                }
                Err(_) => panicked += 1,
            }
        }
        if let Some(reason) = self.line.failure() {
            return Err(RunError::NotBegun { reason });
        }
        let origin = self.line.known_origin();
        let clock = origin.map(Clock::with_origin).ok_or(RunError::WorkerPanicked)?;
        harvests.extend(self.shared.handover.collect());
        harvests.extend(self.handed_over.into_inner().unwrap_or_else(PoisonError::into_inner));
        let joined = harvests.into_iter().reduce(|mut whole, harvest| {
            whole.merge(harvest);
            whole
        });
        let harvest = joined.ok_or(RunError::WorkerPanicked)?;
        let lookups = self.resolver.map(|resolver| resolver.lookups());
        let marks = self.marks.into_inner().unwrap_or_else(PoisonError::into_inner);
        let harvest = Harvest { panicked, lookups, ..harvest };
        let aborted = self.shared.aborted();
        let verdict = judge(&self.plan, &harvest, aborted.as_ref());
        Ok(RunRecord {
            plan: self.plan,
            environment: self.environment,
            started_at: rfc3339(clock.started_at()),
            events: marks.iter().map(EventReport::from).collect(),
            events_dropped: marks.dropped,
            tags: self.tags,
            interrupted: self.shared.is_interrupted(),
            aborted,
            verdict,
            harvest,
        })
    }
}

/// The windows of a run, from one look at it to the next.
#[derive(Debug)]
pub(crate) struct Windows<'a> {
    run: &'a RunHandle,
    steps: Steps,
}

impl<'a> Windows<'a> {
    pub(crate) fn of(run: &'a RunHandle) -> Self {
        Self { run, steps: Steps::new() }
    }

    /// The next window, if it is over; `None` after the last. `Err`: when to look again.
    pub(crate) fn look(&mut self) -> Result<Option<Window>, Duration> {
        // Asked in this order, the last window holds all that there is.
        let has_ended = self.run.is_finished();
        if self.run.started_clock().is_none() {
            return if has_ended { Ok(None) } else { Err(LOOK_EVERY) };
        }
        self.steps.next(has_ended, self.run.snapshot())
    }
}

impl Iterator for Windows<'_> {
    type Item = Window;

    /// Waits for it.
    fn next(&mut self) -> Option<Window> {
        loop {
            match self.look() {
                Ok(window) => return window,
                Err(wait) => thread::sleep(wait),
            }
        }
    }
}
