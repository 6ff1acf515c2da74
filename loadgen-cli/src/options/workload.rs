//! What a load is made of: the options that `run`, `sweep` and `migrate` have in common, and
//! the plan that they make together.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use loadgen_core::session::{Sessions, SocketOptions};
use loadgen_core::{Load, Plan, Population, Request, Schedule};

use super::{
    CheckOptions, ConnectionOptions, LoadOptions, RequestOptions, SessionOptions, TargetOptions,
};
use crate::exit::Failure;

/// What a load is made of.
#[derive(Debug, Args)]
pub(crate) struct Workload {
    #[command(flatten)]
    pub(crate) load: LoadOptions,
    #[command(flatten)]
    pub(crate) connections: ConnectionOptions,
    #[command(flatten)]
    pub(crate) requests: RequestOptions,
    #[command(flatten)]
    checks: CheckOptions,
    #[command(flatten)]
    sessions: SessionOptions,
    #[command(flatten)]
    pub(crate) target: TargetOptions,
}

/// The loads of a load: the main one, and the probe beside it.
pub(crate) type Loads = (Load, Option<Load>);

/// Most connections of a load of sessions, whose number is theirs to say.
const NO_LIMIT: u32 = 1_000_000;

/// Sessions at once in closed loop, unless the user says otherwise.
const AT_ONCE: u32 = 64;

impl Workload {
    /// The plan of this load on a URL, with this warm-up unless the user gives another.
    /// `loads` are those of a load of single calls.
    pub(crate) fn plan(
        &self,
        url: &str,
        (load, probe): Loads,
        warmup: Duration,
    ) -> Result<Plan, Failure> {
        if self.requests.orders_nothing() {
            return Err(Failure::usage(
                "--requests-order says in which order requests are made: give them with --requests \
                 FILE or --data FILE.csv",
            ));
        }
        if self.requests.has_speed() && !matches!(load.schedule(), Schedule::Recorded(_)) {
            return Err(Failure::usage(
                "--speed is for a log that comes at its own times: leave it out, or what says at \
                 which rate it comes",
            ));
        }
        let Some(file) = self.sessions.file() else {
            if probe.is_some() && load.population() == Population::Fresh {
                return Err(Failure::usage(
                    "the load itself opens a connection for each call, so a probe beside it would \
                     feel nothing else: leave out the probe (--probe-rate)",
                ));
            }
            let plan = Plan::new(self.target.target(url)?, load);
            let plan = self.target.encrypted(plan.with_request(self.target.request()?));
            let plan = match self.requests.list() {
                Some(list) => plan.with_requests(list),
                None => plan,
            };
            let plan = self.checks.apply(self.load.apply(plan, warmup));
            return Ok(match probe {
                Some(probe) => plan.with_probe(probe),
                None => plan,
            });
        };
        let request = self.target.request()?;
        if probe.is_none()
            && let Some(option) = self.target.of_single_calls()
        {
            return Err(Failure::usage(format!(
                "the calls of sessions have methods and bodies of their own, in the file: leave \
                 out {option}, or add --probe-rate, whose calls it is meant for"
            )));
        }
        let sessions = self.sessions(file, &request, load.schedule())?;
        let at_once = match load.schedule() {
            Schedule::Closed => self.connections.most_connections().unwrap_or(AT_ONCE),
            _ => NO_LIMIT,
        };
        let load = Load::established(load.schedule().clone()).with_connections(at_once);
        let plan = Plan::new(self.target.target(url)?, load).with_sessions(sessions);
        let plan = self.checks.apply(self.target.encrypted(plan));
        Ok(self.load.apply(
            match probe {
                Some(probe) => plan.with_request(request).with_probe(probe),
                None => plan,
            },
            warmup,
        ))
    }

    /// The sessions of a file, by all options that have a say in them.
    fn sessions(
        &self,
        file: &Path,
        request: &Request,
        schedule: &Schedule,
    ) -> Result<Sessions, Failure> {
        let mut sessions = self.sessions.read(file, request)?;
        sessions.calls_in_flight = self.connections.pipeline();
        // Of a closed loop they limit the sessions.
        sessions.open_connections =
            self.connections.most_connections().filter(|_| *schedule != Schedule::Closed);
        sessions.limits.timeout_s = self.load.timeout().as_secs_f64();
        let close_with_reset = self.connections.resets();
        sessions.socket = SocketOptions { close_with_reset, ..SocketOptions::default() };
        Ok(sessions)
    }
}
