//! Sessions in place of single calls.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use loadgen_core::session::{Retry, Script, Sessions, SocketOptions};
use loadgen_core::session_file::read_sessions;
use loadgen_core::units::parse_duration;
use loadgen_core::{Plan, Request, Schedule, Stream};

use super::{CheckOptions, ConnectionOptions, LoadOptions, RequestOptions, TargetOptions};
use crate::exit::Failure;

#[derive(Debug, Args)]
#[command(next_help_heading = "Sessions")]
pub(crate) struct SessionOptions {
    /// Every arrival of the load is a session of this file: bursts of calls with think times
    ///
    /// A file whose name ends in .toml is TOML: [[session]] with [[session.burst]], each with
    /// calls = ["/path", { method, path, headers, body, body_file }] and think = "1s" after it
    /// (see docs/sessions.md). Any other file is httperf's --wsesslog: a line a call, indented where
    /// it belongs to the burst before it; a blank line ends the session. Arrivals take the
    /// sessions of the file in turn. The first call of a burst goes alone; its reply releases
    /// the others. --rate is in sessions a second; calls have the headers of -H.
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,

    /// Think time after bursts to which the file gives none
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration,
          requires = "session")]
    session_think: Duration,

    /// Connections of one session at once, opened when its calls need them
    #[arg(long, value_name = "N", default_value_t = 4, requires = "session")]
    session_connections: u32,

    /// Send the cookies that the server sets with the later calls of the session
    #[arg(long, requires = "session")]
    session_cookies: bool,

    /// Whether calls are sent again that a broken connection left unanswered
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = RetryArg::AfterReply,
          requires = "session")]
    session_retry: RetryArg,

    /// A reply with this status makes its session fail [default: no reply does]
    #[arg(long, value_name = "STATUS", requires = "session",
          value_parser = clap::value_parser!(u32).range(100..=599))]
    session_failure_status: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RetryArg {
    /// They are lost, and their session fails
    Never,
    /// On a new connection if the broken one had brought a reply; else the session fails
    AfterReply,
    /// On a new connection, and so is a call answered with --session-failure-status
    Always,
}

impl From<RetryArg> for Retry {
    fn from(retry: RetryArg) -> Self {
        match retry {
            RetryArg::Never => Self::Never,
            RetryArg::AfterReply => Self::AfterReply,
            RetryArg::Always => Self::Always,
        }
    }
}

/// What a load is made of, by all options that have a say in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload<'a> {
    pub(crate) target: &'a TargetOptions,
    pub(crate) connections: &'a ConnectionOptions,
    pub(crate) requests: &'a RequestOptions,
    pub(crate) sessions: &'a SessionOptions,
    pub(crate) checks: &'a CheckOptions,
    pub(crate) load: &'a LoadOptions,
}

/// The streams of a load: the main one, and the probe beside it.
pub(crate) type Streams = (Stream, Option<Stream>);

/// Most connections of a stream of sessions, whose number is theirs to say.
const NO_LIMIT: u32 = 1_000_000;

/// Sessions at once in closed loop, unless the user says otherwise.
const AT_ONCE: u32 = 64;

impl Workload<'_> {
    /// The plan of this load on a URL, with this warm-up unless the user gives another.
    /// `streams` are those of a load of single calls.
    pub(crate) fn plan(
        &self,
        url: &str,
        (stream, probe): Streams,
        warmup: Duration,
    ) -> Result<Plan, Failure> {
        if self.requests.orders_nothing() {
            return Err(Failure::usage(
                "--requests-order says in which order requests are made: give them with --requests \
                 FILE or --data FILE.csv",
            ));
        }
        let Some(file) = &self.sessions.session else {
            let plan = Plan::new(self.target.target(url)?, stream);
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
        let script = read_sessions(file, self.sessions.session_think).map_err(Failure::usage)?;
        let sessions = self.sessions(Script::Log { sessions: script }, &request, stream.schedule());
        let at_once = match stream.schedule() {
            Schedule::Closed => self.connections.most_connections().unwrap_or(AT_ONCE),
            _ => NO_LIMIT,
        };
        let stream = Stream::established(stream.schedule()).with_connections(at_once);
        let plan = Plan::new(self.target.target(url)?, stream).with_sessions(sessions);
        let plan = self.checks.apply(self.target.encrypted(plan));
        Ok(self.load.apply(
            match probe {
                Some(probe) => plan.with_request(request).with_probe(probe),
                None => plan,
            },
            warmup,
        ))
    }

    fn sessions(&self, script: Script, request: &Request, schedule: Schedule) -> Sessions {
        let options = self.sessions;
        let mut sessions = Sessions::scripted(script).with_head_of(request);
        sessions.connections = options.session_connections;
        sessions.calls_in_flight = self.connections.pipeline();
        // Of a closed loop they limit the sessions.
        sessions.open_connections =
            self.connections.most_connections().filter(|_| schedule != Schedule::Closed);
        sessions.retry = options.session_retry.into();
        sessions.failure_status = options.session_failure_status;
        sessions.cookies = options.session_cookies;
        sessions.limits.timeout_s = self.load.timeout().as_secs_f64();
        let close_with_reset = self.connections.resets();
        sessions.socket = SocketOptions { close_with_reset, ..SocketOptions::default() };
        sessions.preflight = true;
        sessions
    }
}
