//! Carries out a [`Plan`]: [`Engine`] prepares it, [`RunHandle`] watches it.
//!
//! Blocking and free of any async runtime: the engine starts one thread a
//! worker; from an async program, call it inside `spawn_blocking`.

mod assemble;
mod catch_up;
mod connection;
mod descriptors;
mod destination;
#[cfg(test)]
mod destination_tests;
#[cfg(test)]
mod ends_tests;
mod environment;
mod handle;
mod handover;
mod harvest;
mod kernel_view;
mod load;
mod looks;
mod opening;
mod pace;
mod preflight;
mod progress;
mod run_record;
mod shared;
mod sources;
mod standstill;
mod starting_line;
mod stoppable;
mod thread;
mod verdict;
mod worker;
mod workload;

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread as os_thread;

pub(crate) use assemble::{Finished, assemble, judge};
pub(crate) use descriptors::descriptors;
use destination::{BELL, Destination};
use handle::EndOnDrop;
#[cfg(feature = "tokio")]
pub(crate) use handle::Windows;
pub use handle::{RunHandle, Stopper};
use load::LoadState;
use preflight::{check_sources, reach};
pub use progress::{Snapshot, Window};
pub(crate) use run_record::RunRecord;
use shared::{Settings, Shared};
use sources::Sources;
use starting_line::{Begin, StartingLine};
pub(crate) use stoppable::unless_stopped;
use thread::carry_out;
use worker::Worker;
use workload::requests::{Requests, RequestsOfRun};
use workload::script::{self, Scripts};

use crate::clock::Nanos;
use crate::error::RunError;
use crate::net::endpoint::Endpoint;
use crate::net::lookups::{Lookup, Resolver};
use crate::net::poll::Poll;
use crate::net::resolver::resolve;
use crate::net::tls::{Tls, TlsError, TlsSettings};
use crate::net::{SocketOptions, limits, socket};
use crate::plan::{Plan, nanos};
use crate::protocol::Protocol;
use crate::protocol::http1::{ReplyParser, TolerantReader};
use crate::record::{CallLog, CallSink, Recorder, SinkContext, Timeline};
use crate::report::Report;
use crate::schedule::Times;
use crate::session::Observer;

/// The protocol that a server of https is asked to speak (ALPN, RFC 7301 §6).
const ALPN: &[&[u8]] = &[b"http/1.1"];

fn encryption(plan: &Plan, tls: &Tls) -> Result<TlsSettings, TlsError> {
    TlsSettings::new(tls, plan.target.host(), ALPN)
}

/// Where the name leads while the load runs, if it is resolved again.
fn lookup(plan: &Plan) -> Result<Option<Lookup>, RunError> {
    let place = plan.target.place()?;
    Ok(plan.target.resolves_again().then(|| Lookup::new(move || resolve(&place))))
}

/// When the schedules end. After a number of calls in open loop it is when the next one
/// would have come, so that rates are those of the schedule.
fn ends_at(plan: &Plan, times: &Times) -> Nanos {
    let by_time = plan.duration_s.map_or(Nanos::MAX, nanos);
    let last = plan.call_limit().and_then(|calls| calls.checked_sub(1));
    let Some(last) = last.and_then(|last| usize::try_from(last).ok()) else { return by_time };
    let mut starts = plan.load.schedule().starts_at(times, plan.seed, 0, 1);
    let Some(last) = starts.nth(last) else { return by_time };
    by_time.min(starts.next().unwrap_or(0).max(last + 1))
}

/// What calls are handed out to.
#[derive(Default)]
struct Sinks(Vec<Box<dyn CallSink>>);

impl fmt::Debug for Sinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sinks", self.0.len())
    }
}

/// A plan that is ready to run: checked, its target resolved and reachable.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    /// The address that answered.
    address: Endpoint,
    /// Those that connections to each server may go to.
    servers: Vec<Vec<Endpoint>>,
    /// Where the name leads while the load runs, if it is resolved again.
    lookup: Option<Lookup>,
    /// Of each server; none: connections are not encrypted.
    tls: Arc<[TlsSettings]>,
    descriptor_limit: u64,
    /// What calls ask for that are no part of sessions.
    requests: RequestsOfRun,
    /// For a plan with sessions.
    sessions: Option<script::ScriptSettings>,
    /// What calls are handed out to, of each worker; empty: to nobody.
    sinks: Sinks,
    /// Its timeline has long steps.
    is_coarse: bool,
    /// Says when the load begins.
    begin: Option<Begin>,
}

impl Engine {
    /// Checks the plan, resolves the target, connects to it once (with the TLS handshake
    /// of an `https` target), and makes sure that descriptors and ports suffice.
    ///
    /// # Errors
    /// [`RunError`] with the cause and what to do about it, be it a line of the file of its
    /// requests. Nothing has been sent to the target but one connect and one handshake.
    pub fn new(mut plan: Plan) -> Result<Self, RunError> {
        plan.validate()?;
        let requests = RequestsOfRun::new(&mut plan)?;
        if let Some(sessions) = plan.sessions() {
            let tls = script::encryption(&plan, sessions)?;
            let settings = script::ScriptSettings::new(&plan, sessions)?;
            return Self::of_sessions(settings, tls, requests, plan);
        }
        let (connections, wanted) = descriptors(&plan);
        let descriptor_limit = limits::raise_descriptor_limit(wanted);
        if descriptor_limit < wanted {
            return Err(RunError::Descriptors { wanted, limit: descriptor_limit });
        }
        let sources = plan.target.source_addresses().len().max(1) as u64;
        let available = limits::ephemeral_ports() * sources;
        if connections > available && !plan.target.is_unix() {
            return Err(RunError::Ports { wanted: connections, available });
        }
        let tls = plan.encryption().map(|tls| encryption(&plan, &tls)).transpose()?;
        let (address, endpoints) = reach(&plan, tls.as_ref())?;
        check_sources(&plan, &address)?;
        if plan.kernel_timestamps
            && let Some(address) = address.tcp()
        {
            socket::check_timestamps(address)
                .map_err(|cause| RunError::KernelTimestamps { cause })?;
        }
        let lookup = lookup(&plan)?;
        let tls = tls.into_iter().collect();
        let servers = vec![endpoints];
        let sessions = None;
        let sinks = Sinks::default();
        Ok(Self {
            plan,
            address,
            servers,
            lookup,
            tls,
            descriptor_limit,
            requests,
            sessions,
            sinks,
            is_coarse: false,
            begin: None,
        })
    }

    /// As [`Self::new`], which may take as long as the plan's timeout, until `stop` is
    /// set. What it began is then left to itself.
    ///
    /// # Errors
    /// As [`Self::new`]; [`RunError::Stopped`] if it was stopped before its end.
    pub fn prepare(plan: Plan, stop: &AtomicBool) -> Result<Self, RunError> {
        unless_stopped(stop, || Self::new(plan))?
    }

    /// A plan with sessions may open as many connections as the process is allowed to.
    fn of_sessions(
        settings: script::ScriptSettings,
        tls: Vec<TlsSettings>,
        requests: RequestsOfRun,
        plan: Plan,
    ) -> Result<Self, RunError> {
        let lookup = lookup(&plan)?;
        let mut servers = settings.servers.clone();
        if settings.sessions.preflight && settings.sessions.servers.is_empty() {
            let (address, endpoints) = reach(&plan, tls.first())?;
            check_sources(&plan, &address)?;
            servers = vec![endpoints];
        }
        let address =
            servers.iter().flatten().next().cloned().ok_or_else(|| RunError::Resolve {
                url: plan.target.url().to_owned(),
                cause: std::io::Error::other("the name has no address"),
            })?;
        let descriptor_limit = limits::raise_to_hard_limit();
        Ok(Self {
            plan,
            address,
            servers,
            lookup,
            tls: tls.into(),
            descriptor_limit,
            requests,
            sessions: Some(settings),
            sinks: Sinks::default(),
            is_coarse: false,
            begin: None,
        })
    }

    /// Hands out each call as it ends: `sink` makes one for each worker.
    #[must_use]
    pub fn with_call_sinks(
        self,
        mut sink: impl FnMut(&SinkContext<'_>) -> Box<dyn CallSink>,
    ) -> Self {
        self.with_sinks_if_all(|of| Some(sink(of)))
    }

    /// The same, of a `sink` that may make none: then calls are handed out to nobody.
    pub(crate) fn with_sinks_if_all(
        mut self,
        mut sink: impl FnMut(&SinkContext<'_>) -> Option<Box<dyn CallSink>>,
    ) -> Self {
        let loads: Vec<String> = self.plan.named_loads().map(|(name, _)| name.to_owned()).collect();
        let tags = &self.requests.tags;
        let sinks =
            (0..self.plan.threads).map(|worker| sink(&SinkContext { worker, tags, loads: &loads }));
        self.sinks = Sinks(sinks.collect::<Option<_>>().unwrap_or_default());
        self
    }

    /// The load begins when `begin` says: a reading of `CLOCK_MONOTONIC` in ns, or why it does not.
    /// It is asked once, when the connections are open that the plan wants warm; it may wait, and
    /// then asks now and then whether the run was stopped meanwhile. A time that has passed is no
    /// reason to begin later: whoever says it refuses.
    ///
    /// ```
    /// use loadgen_core::{Engine, Load, Plan, RunError, Schedule};
    /// # use loadgen_core::target_server::{TargetOptions, TargetServer};
    /// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
    /// # let url = server.url();
    ///
    /// let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(1000.0)));
    /// let late = Engine::new(plan)?.begins_when(|_| Err("it is too late".to_owned())).start()?;
    /// assert!(matches!(late.join(), Err(RunError::NotBegun { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn begins_when(
        mut self,
        begin: impl FnOnce(&dyn Fn() -> bool) -> Result<u64, String> + Send + 'static,
    ) -> Self {
        self.begin = Some(Begin::when(begin));
        self
    }

    /// The timeline has steps of a second from the start: for a load that goes on for days, and
    /// whose windows nobody looks at.
    pub(crate) fn with_coarse_timeline(mut self) -> Self {
        self.is_coarse = true;
        self
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
        let threads = self.plan.threads;
        let sessions = self.sessions.take();
        match sessions.map(|settings| script::Common::new(settings, threads, observer)) {
            // What is no reply by the standard fails a call; httperf counts it.
            None => self.launch_workers::<ReplyParser>(None),
            Some(common) => self.launch_workers::<TolerantReader>(Some(Arc::new(common))),
        }
    }

    /// The same, when it is decided what the workers speak.
    fn launch_workers<P: Protocol>(
        mut self,
        common: Option<Arc<script::Common>>,
    ) -> Result<RunHandle, RunError> {
        let setup = |cause| RunError::Setup { what: "a resolver thread", cause };
        let resolver = self.lookup.take().map(Resolver::start).transpose().map_err(setup)?;
        let of_workers = std::mem::take(&mut self.requests.of_workers);
        let settings = Arc::new(self.settings());
        let mut sinks = std::mem::take(&mut self.sinks).0.into_iter();
        let plan = &self.plan;
        let environment = environment::read(plan.threads, &self.address, self.descriptor_limit);
        let shared = Arc::new(Shared::new(plan.threads, plan.abort_rules()));
        if plan.shard().is_some() {
            // Others wait for what it measures, and it may not come to its end.
            shared.handover.give_each(&self.recorder());
        }
        let line = Arc::new(StartingLine::new(plan.threads, self.begin.take()));
        let options = self.socket_options();
        let mut workers = Vec::new();
        for (worker, requests) in (0..).zip(of_workers) {
            // One alone is best placed by the scheduler.
            let core = (plan.threads > 1).then_some(worker as usize);
            let spawned = Poll::new(plan.precision).and_then(|poll| {
                let bell = resolver.as_ref().map(Resolver::line).transpose()?;
                let sources = Sources::new(&options, (worker, plan.threads));
                let in_turn = plan.target.source_addresses().is_empty();
                let sources = if in_turn { sources.strictly_in_turn() } else { sources };
                let choice = plan.target.addresses();
                let servers = &self.servers;
                let of_all = plan.stripe(worker).of_all().0;
                let destination =
                    Destination::new(choice, servers, of_all, sources, &options, bell);
                if let Some(bell) = destination.line() {
                    poll.register_waker(bell.fd(), BELL)?;
                }
                let made = Worker::<P>::new(
                    Arc::clone(&settings),
                    Arc::clone(&shared),
                    worker,
                    poll,
                    self.loads(worker, requests, common.as_ref()),
                    destination,
                    self.recorder(),
                );
                let made = made.handing_out_to(sinks.next());
                let line = Arc::clone(&line);
                let shared = Arc::clone(&shared);
                let thread = os_thread::Builder::new().name(format!("loadgen-{worker}"));
                thread.spawn(move || carry_out(core, made, &line, &shared))
            });
            match spawned {
                Ok(thread) => workers.push(thread),
                Err(cause) => {
                    line.abandon();
                    shared.cut();
                    return Err(RunError::Setup { what: "a worker thread", cause });
                }
            }
        }
        let marks = Mutex::default();
        let tags = self.requests.tags;
        let ending = EndOnDrop::of(&self.plan, &shared);
        let plan = self.plan;
        let handed_over = Mutex::default();
        Ok(RunHandle {
            ending,
            plan,
            environment,
            shared,
            line,
            workers,
            handed_over,
            marks,
            resolver,
            tags,
        })
    }

    fn settings(&self) -> Settings {
        let plan = &self.plan;
        Settings {
            tls: Arc::clone(&self.tls),
            tunnel: plan.target.tunnel(),
            timeout: nanos(plan.timeout_s()),
            deadline: plan.deadline_s.map(nanos),
            drain: nanos(plan.drain().as_secs_f64()),
            end: ends_at(plan, &self.requests.times[0]),
            kernel_timestamps: plan.kernel_timestamps,
            check: plan.check.clone(),
            is_unix: plan.target.is_unix(),
        }
    }

    fn socket_options(&self) -> SocketOptions {
        let sources = self.plan.target.source_addresses().to_vec();
        let socket = self.plan.sessions().map(|sessions| sessions.socket.clone());
        let socket = socket.unwrap_or_default();
        if sources.is_empty() { socket } else { SocketOptions { sources, ..socket } }
    }

    /// The loads of a worker. The arrivals of the load are sessions if there are `common`
    /// settings of such.
    fn loads(
        &self,
        worker: u32,
        requests: Vec<Requests>,
        common: Option<&Arc<script::Common>>,
    ) -> Vec<LoadState> {
        let plan = &self.plan;
        let stripe = plan.stripe(worker);
        let mut loads: Vec<LoadState> = plan
            .loads()
            .zip(0..)
            .zip(requests.into_iter().zip(&self.requests.times))
            .map(|((load, number), (requests, times))| {
                LoadState::new(plan, (number, load), stripe, requests, times)
            })
            .collect();
        if let Some(common) = common
            && let Some(load) = loads.first_mut()
        {
            let count = common.settings.sessions.count;
            load.add_scripts(Scripts::new(Arc::clone(common), load.id, stripe), count);
        }
        loads
    }

    fn recorder(&self) -> Recorder {
        let plan = &self.plan;
        let mut recorder = Recorder::new(
            plan.loads().map(crate::Load::population),
            nanos(plan.warmup_s),
            plan.duration_s.map_or(0, |d| nanos(d + plan.drain().as_secs_f64())),
            CallLog::with_limit(plan.call_log / u64::from(plan.threads)),
        );
        recorder.keep_tags(self.requests.tags.len());
        if self.is_coarse {
            recorder.timeline = Timeline::coarse();
        }
        recorder
    }
}
