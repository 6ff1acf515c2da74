//! Carries out a [`Plan`]: [`Engine`] prepares it, [`RunHandle`] watches it.
//!
//! Blocking and free of any async runtime: the engine starts one thread a
//! worker; from an async program, call it inside `spawn_blocking`.

mod assemble;
mod calls;
mod closing;
mod environment;
mod kernel_view;
mod opening;
mod pacing;
mod pipelining;
mod pool;
mod reading;
mod session;
mod shared;
mod stamps;
mod starting_line;
mod stream;
mod unanswered;
mod verdict;
mod worker;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use session::SessionWorker;
use shared::{Settings, Shared};
use starting_line::StartingLine;
use stream::{RequestBytes, StreamState};
use worker::{Harvest, Worker};

use crate::clock::{Clock, Nanos};
use crate::error::RunError;
use crate::event::{Event, EventKind};
use crate::net::poll::Poll;
use crate::net::{limits, socket};
use crate::plan::{CloseMode, Plan, nanos};
use crate::record::kernel::SlowCall;
use crate::record::{CallLog, Cause, Recorder};
use crate::report::{Environment, Report};
use crate::session::Observer;

/// A plan that is ready to run: checked, its target resolved and reachable.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    address: SocketAddr,
    descriptor_limit: u64,
    /// For a plan with sessions.
    sessions: Option<session::Settings>,
}

impl Engine {
    /// Checks the plan, resolves the target, connects to it once, and makes sure
    /// that descriptors and ports suffice.
    ///
    /// # Errors
    /// [`RunError`] with the cause and what to do about it. Nothing has been sent
    /// to the target but one connect.
    pub fn new(plan: Plan) -> Result<Self, RunError> {
        plan.validate()?;
        if let Some(sessions) = plan.sessions() {
            return Self::of_sessions(session::Settings::new(&plan, sessions)?, plan);
        }
        let sum = |count: fn(&crate::Stream) -> u32| -> u64 {
            plan.streams().map(|stream| u64::from(count(stream))).sum()
        };
        let connections = sum(|stream| stream.connections);
        // Connections that wait for the server to close come on top.
        let closing = sum(|s| match s.close {
            CloseMode::Server if s.calls_per_connection > 0 => s.connections,
            _ => 0,
        });
        // Every worker has an epoll instance.
        let own = u64::from(plan.threads) + limits::SPARE_DESCRIPTORS;
        let wanted = connections + closing + own;
        let descriptor_limit = limits::raise_descriptor_limit(wanted);
        if descriptor_limit < wanted {
            return Err(RunError::Descriptors { wanted, limit: descriptor_limit });
        }
        let sources = plan.target.source_addresses().len().max(1) as u64;
        let available = limits::ephemeral_ports() * sources;
        if connections > available {
            return Err(RunError::Ports { wanted: connections, available });
        }
        let address = reach(&plan)?;
        check_sources(&plan, address)?;
        if plan.kernel_timestamps {
            socket::check_timestamps(address)
                .map_err(|source| RunError::KernelTimestamps { source })?;
        }
        Ok(Self { plan, address, descriptor_limit, sessions: None })
    }

    /// A plan with sessions: what its connections meet is the result, so none is
    /// tried, and it may open as many as the process is allowed to.
    fn of_sessions(settings: session::Settings, plan: Plan) -> Result<Self, RunError> {
        let address = settings.address().ok_or_else(|| RunError::Resolve {
            url: plan.target.url().to_owned(),
            source: std::io::Error::other("the name has no address"),
        })?;
        let descriptor_limit = limits::raise_to_hard_limit();
        Ok(Self { plan, address, descriptor_limit, sessions: Some(settings) })
    }

    /// The most files that this process may open, connections among them, after
    /// the limit was raised.
    #[must_use]
    pub fn descriptor_limit(&self) -> u64 {
        self.descriptor_limit
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs the plan to its end. A plan without a duration does not end by itself:
    /// use [`Self::start`] for it.
    ///
    /// # Errors
    /// [`RunError`] if the engine cannot be set up or breaks.
    pub fn run(self) -> Result<Report, RunError> {
        self.start()?.join()
    }

    /// Starts the workers and returns. The load begins once the connections that
    /// the plan wants warm are open; [`RunHandle::clock`] waits for that.
    ///
    /// # Errors
    /// [`RunError::Setup`] if the kernel refuses a thread or an epoll instance.
    pub fn start(self) -> Result<RunHandle, RunError> {
        self.launch(None)
    }

    /// As [`Self::start`], with someone who watches sessions. The observer of a plan
    /// without sessions is told nothing.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_observed(self, observer: Box<dyn Observer>) -> Result<RunHandle, RunError> {
        self.launch(Some(observer))
    }

    fn launch(mut self, observer: Option<Box<dyn Observer>>) -> Result<RunHandle, RunError> {
        let common = self
            .sessions
            .take()
            .map(|settings| Arc::new(session::Common::new(settings, self.plan.threads, observer)));
        let plan = &self.plan;
        let settings = Arc::new(self.settings());
        let environment = environment::read(plan.threads, self.address, self.descriptor_limit);
        let shared = Arc::new(Shared::new(plan.threads));
        let line = Arc::new(StartingLine::new(plan.threads));
        let mut workers = Vec::new();
        for shard in 0..plan.threads {
            let spawned = Poll::new(plan.precision).and_then(|poll| {
                let thread = thread::Builder::new().name(format!("loadgen-{shard}"));
                let line = Arc::clone(&line);
                let shared = Arc::clone(&shared);
                match &common {
                    None => {
                        let worker = self.worker(shard, poll, &settings, &shared);
                        thread.spawn(move || carry_out(worker, &line, &shared))
                    }
                    Some(common) => {
                        let worker = self.session_worker(shard, poll, common, &shared);
                        thread.spawn(move || carry_out(worker, &line, &shared))
                    }
                }
            });
            match spawned {
                Ok(worker) => workers.push(worker),
                Err(source) => {
                    line.abandon();
                    shared.cut();
                    return Err(RunError::Setup { what: "a worker thread", source });
                }
            }
        }
        let marks = Mutex::new(Vec::new());
        Ok(RunHandle { plan: self.plan, environment, shared, line, workers, marks })
    }

    fn settings(&self) -> Settings {
        let plan = &self.plan;
        Settings {
            address: self.address,
            sources: plan.target.source_addresses().to_vec(),
            timeout: nanos(plan.timeout_s),
            deadline: plan.deadline_s.map(nanos),
            drain: nanos(plan.drain_s),
            end: plan.duration_s.map_or(Nanos::MAX, nanos),
            request: RequestBytes::new(
                plan.request.encode(&plan.target, false),
                plan.request.encode(&plan.target, true),
                plan.streams().map(|stream| stream.pipeline).max().unwrap_or(1),
            ),
            head_request: plan.request.is_head(),
            idempotent: plan.request.is_idempotent(),
            kernel_timestamps: plan.kernel_timestamps,
        }
    }

    fn worker(
        &self,
        shard: u32,
        poll: Poll,
        settings: &Arc<Settings>,
        shared: &Arc<Shared>,
    ) -> Worker {
        let plan = &self.plan;
        let streams = plan
            .streams()
            .zip(0..)
            .map(|(stream, i)| StreamState::new(plan, stream, i, shard, plan.threads))
            .collect();
        let recorder = self.recorder();
        Worker::new(Arc::clone(settings), Arc::clone(shared), shard, poll, streams, recorder)
    }

    fn session_worker(
        &self,
        shard: u32,
        poll: Poll,
        common: &Arc<session::Common>,
        shared: &Arc<Shared>,
    ) -> SessionWorker {
        let plan = &self.plan;
        let starts =
            plan.load.schedule.starts(plan.seed, u64::from(shard), u64::from(plan.threads));
        SessionWorker::new(
            Arc::clone(common),
            Arc::clone(shared),
            shard,
            plan.threads,
            poll,
            starts,
            self.recorder(),
        )
    }

    fn recorder(&self) -> Recorder {
        let plan = &self.plan;
        Recorder::new(
            plan.streams().map(crate::Stream::population),
            nanos(plan.warmup_s),
            plan.duration_s.map_or(0, |duration| nanos(duration + plan.drain_s)),
            CallLog::with_limit(plan.call_log / u64::from(plan.threads)),
        )
    }
}

/// Resolves the target and connects to it once: a run against a server that is
/// not there would only measure that. The first address that answers is used.
fn reach(plan: &Plan) -> Result<SocketAddr, RunError> {
    let url = || plan.target.url().to_owned();
    let addresses =
        plan.target.resolve().map_err(|source| RunError::Resolve { url: url(), source })?;
    let mut last = None;
    for address in addresses {
        match reach_from_any(plan, address) {
            Ok(()) => return Ok(address),
            Err(source) => last = Some(RunError::Connect { url: url(), address, source }),
        }
    }
    Err(last.unwrap_or_else(|| RunError::Resolve {
        url: url(),
        source: std::io::Error::other("the name has no address"),
    }))
}

/// Connects from the first source address that has a port free. What else is wrong
/// with the source addresses, [`check_sources`] tells.
fn reach_from_any(plan: &Plan, address: SocketAddr) -> std::io::Result<()> {
    for &source in plan.target.source_addresses() {
        match socket::reach(address, Some(source), plan.timeout()) {
            Err(error) if Cause::of(&error) == Cause::AddressUnavailable => {}
            other => return other,
        }
    }
    socket::reach(address, None, plan.timeout())
}

/// Makes sure that connections can come from each of the source addresses.
fn check_sources(plan: &Plan, address: SocketAddr) -> Result<(), RunError> {
    for &source_address in plan.target.source_addresses() {
        socket::check_source(address, source_address).map_err(|source| RunError::Source {
            source_address,
            address,
            source,
        })?;
    }
    Ok(())
}

/// What a thread of a run does.
trait Work: Sized {
    /// Everything that comes before the load.
    fn prepare(&mut self) -> std::io::Result<()> {
        Ok(())
    }

    /// The load. `origin` is time 0 on `CLOCK_MONOTONIC`.
    fn run(self, origin: u64) -> Harvest;
}

impl Work for Worker {
    fn prepare(&mut self) -> std::io::Result<()> {
        self.warm_up()
    }

    fn run(self, origin: u64) -> Harvest {
        Self::run(self, origin)
    }
}

impl Work for SessionWorker {
    fn run(self, origin: u64) -> Harvest {
        Self::run(self, origin)
    }
}

/// The life of a worker thread. `None`: the start was abandoned.
fn carry_out(
    mut worker: impl Work,
    line: &StartingLine,
    shared: &Shared,
) -> std::io::Result<Option<Harvest>> {
    /// Lets nobody wait for a worker that panicked, nor go on without it.
    struct Guard<'a>(&'a StartingLine, &'a Shared);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            if thread::panicking() {
                self.0.abandon();
                self.1.cut();
            }
        }
    }
    let _guard = Guard(line, shared);
    let warmed = worker.prepare();
    if warmed.is_err() {
        line.abandon();
        shared.cut();
    }
    warmed?;
    let harvest = line.ready().map(|origin| worker.run(origin));
    if harvest.as_ref().is_some_and(|harvest| harvest.broken.is_some()) {
        shared.cut();
    }
    Ok(harvest)
}

/// Counters of a run under way, at most 100 ms old. They include the warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Since the start of the load; zero before it.
    pub elapsed: Duration,
    /// Arrivals by the schedule.
    pub offered: u64,
    /// Calls started.
    pub started: u64,
    /// Calls whose reply is complete.
    pub answered: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Arrivals that were never started.
    pub shed: u64,
    /// Calls under way.
    pub in_flight: u64,
    /// 99th percentile of the response times in the last full window (100 ms) that
    /// had replies, in µs; the largest over populations and workers.
    pub p99_us: Option<f64>,
}

/// A run under way. Dropping it lets the run go on unwatched until the plan's end.
#[derive(Debug)]
pub struct RunHandle {
    plan: Plan,
    environment: Environment,
    shared: Arc<Shared>,
    line: Arc<StartingLine>,
    workers: Vec<JoinHandle<std::io::Result<Option<Harvest>>>>,
    marks: Mutex<Vec<Event>>,
}

/// A report, and the calls that it was made of.
pub(crate) struct Finished {
    pub(crate) report: Report,
    pub(crate) log: CallLog,
    pub(crate) slow: Vec<SlowCall>,
    pub(crate) load_end: Nanos,
}

/// Ends a run before its time, from another thread than the one that waits for it.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    /// As [`RunHandle::stop`]; the report says that the run was
    /// [interrupted](Report::interrupted).
    pub fn stop(&self) {
        self.0.interrupt();
    }
}

impl RunHandle {
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

    /// Marks this moment on the timeline.
    pub fn mark(&self, name: &str) {
        if let Some(clock) = self.started_clock() {
            let event = Event::new(EventKind::Mark(name.to_owned()), clock.now(), 0, "user");
            self.marks.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        }
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

    /// Whether the run has come to its end (of the drain, too).
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.workers.iter().all(JoinHandle::is_finished)
    }

    /// Ends the schedules in about 0.1 s: no further arrivals, but those that wait
    /// are served and calls under way awaited, for the plan's drain time. A second
    /// call waits for nothing any more. Returns at once.
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

    /// What the workers that did not panic brought home becomes the report: a
    /// defect in one must not take away what the others measured.
    pub(crate) fn finish(self) -> Result<Finished, RunError> {
        let mut harvests = Vec::new();
        let mut panicked = 0;
        for worker in self.workers {
            match worker.join() {
                Ok(Ok(harvest)) => harvests.extend(harvest),
                Ok(Err(source)) => {
                    return Err(RunError::Setup { what: "opening connections", source });
                }
                Err(_) => panicked += 1,
            }
        }
        let origin = self.line.known_origin();
        let clock = origin.map(Clock::with_origin).ok_or(RunError::WorkerPanicked)?;
        let marks = self.marks.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut finished =
            assemble::assemble(self.plan, self.environment, clock, harvests, panicked, &marks)?;
        finished.report.interrupted = self.shared.is_interrupted();
        Ok(finished)
    }
}
