//! What an arrival does when it is more than one call: a [`Sessions`] plan makes
//! every arrival of the load a session, a scripted sequence of bursts of calls
//! with think times over connections of its own, as httperf knows them.
//!
//! The calls of a plain [`Load`](crate::Load) share a pool of connections; a
//! session brings its own and closes them at its end.

mod cookie;
mod host;
mod observer;
mod page;
mod script;
mod uris;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use cookie::CookieJar;
pub use host::HostLine;
pub use observer::{Observer, Sample};
pub(crate) use page::{Found, Links, PageScanner};
pub use script::{Burst, Script, ScriptedCall, ScriptedSession};
pub(crate) use uris::UriWalker;
pub use uris::Uris;

use crate::error::PlanError;
pub use crate::net::SocketOptions;
use crate::net::tls::Tls;
pub use crate::protocol::{Notice, ReplySizes};
pub use crate::raw_text::RawText;
use crate::request::{Header, Request, USER_AGENT};
use crate::secret::lines;

/// What every arrival of the load does, and how its connections behave.
///
/// ```
/// use loadgen_core::session::{Script, Sessions, Uris};
/// use loadgen_core::{Engine, Load, Plan, Schedule};
/// # use loadgen_core::target_server::{TargetOptions, TargetServer};
/// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
/// # let url = server.url();
///
/// // Users who look at three pages, half a millisecond apart; twenty of them, a hundred a second.
/// let script = Script::Bursts { calls: 3, burst: 1, think_s: 0.0005 };
/// let uris = Uris::List { uris: vec!["/".into(), "/shoes".into()], wrap: true };
/// let sessions = Sessions::scripted(script).with_count(20).with_uris(uris);
/// let plan = Plan::new(url.parse()?, Load::established(Schedule::poisson(100.0)));
/// let report = Engine::new(plan.with_sessions(sessions))?.run()?;
/// let figures = report.sessions.ok_or("a run of sessions has their figures")?;
/// assert_eq!(figures.outcomes.map(|outcomes| outcomes.succeeded), Some(20));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Sessions {
    /// Arrivals in all; `None`: until stopped.
    pub count: Option<u64>,
    /// The calls of a session.
    pub script: Script,
    /// The URIs of calls to which the script gives none.
    pub uris: Uris,
    /// The bytes of each request around method and URI.
    pub head: Head,
    /// Most connections of a session at once.
    pub connections: u32,
    /// Most calls in flight on a connection (pipelining, RFC 9112 §9.3.2).
    pub calls_in_flight: u32,
    /// Most connections open at once in the whole run, of which each thread has its share;
    /// an arrival that finds as many is shed. `None`: no limit. Unless 0, at least as many
    /// as the plan has threads.
    pub open_connections: Option<u32>,
    /// What becomes of the unanswered calls of a connection that broke.
    pub retry: Retry,
    /// A reply with this status makes its session fail.
    pub failure_status: Option<u32>,
    /// Sends the cookie that the server set (`Set-Cookie`) with the later calls of
    /// a session.
    pub cookies: bool,
    /// Limits in seconds; see [`Limits`].
    pub limits: Limits,
    /// Options of the sockets.
    pub socket: SocketOptions,
    /// Names of servers that connections go to in turn, each with its own `Host`
    /// line; empty: the plan's target alone.
    pub servers: Vec<String>,
    /// Where plans said it before [`Plan`](crate::Plan) did; taken over from there when
    /// one is read.
    #[serde(default, rename = "tls", skip_serializing)]
    pub(crate) old_tls: Option<Tls>,
    /// When rates are sampled.
    pub sampling: Sampling,
    /// Connects to the target once before the load, and agrees on TLS with it, as a load of
    /// single calls does: a server that is not there is an error. Without it, and with
    /// [several servers](Self::servers), what the connections of sessions meet is the result, as
    /// with httperf.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preflight: bool,
}

/// What stands around method and URI in each request. Values of headers that carry
/// credentials are sent, but never written.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Head {
    /// The method of calls to which the script gives none.
    pub method: RawText,
    /// Minor version of HTTP/1: 0 or 1. With 0 every connection is closed after
    /// its reply in sessions.
    pub minor_version: u8,
    /// Lines between the request line and the `Host` line, each with its line end.
    #[serde(serialize_with = "crate::secret::lines::serialize")]
    pub before_host: RawText,
    /// The `Host` line.
    #[serde(default, skip_serializing_if = "HostLine::is_of_target")]
    pub host: HostLine,
    /// Lines after the `Host` line, verbatim, each with its line end.
    #[serde(serialize_with = "crate::secret::lines::serialize")]
    pub after_host: RawText,
    /// Headers after these lines; see [`Sessions::with_head_of`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) headers: Vec<Header>,
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = |lines: &RawText| String::from(RawText(lines::redact(lines)));
        f.debug_struct("Head")
            .field("method", &self.method)
            .field("minor_version", &self.minor_version)
            .field("before_host", &lines(&self.before_host))
            .field("host", &self.host)
            .field("after_host", &lines(&self.after_host))
            .field("headers", &self.headers)
            .finish()
    }
}

/// What becomes of the unanswered calls of a connection that broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Retry {
    /// They are lost, and the session ends.
    Never,
    /// They are sent again on a new connection if the broken one had delivered a
    /// reply; else the session fails.
    AfterReply,
    /// They are sent again on a new connection, and so is a call that was answered
    /// with the failure status.
    Always,
}

/// Time limits in seconds; 0: none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// For connecting (with the TLS handshake), and without progress in sending.
    pub timeout_s: f64,
    /// Added to `timeout_s` from the complete sending of a request to the end of
    /// its reply. There is no limit on replies if both are 0.
    pub think_s: f64,
}

/// When the rates of replies and sessions are sampled, in seconds from the start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Sampling {
    /// The first sample.
    pub first_s: f64,
    /// From one sample to the next.
    pub every_s: f64,
}

impl Limits {
    /// No limit.
    pub const NONE: Self = Self { timeout_s: 0.0, think_s: 0.0 };

    /// The [timeout](Self::timeout_s), and what is [added](Self::think_s) to it for the server's
    /// work.
    #[must_use]
    pub fn new(timeout: Duration, think: Duration) -> Self {
        Self { timeout_s: timeout.as_secs_f64(), think_s: think.as_secs_f64() }
    }
}

impl Sessions {
    /// Most calls in flight on a connection. The rest of a larger burst follows as
    /// replies come.
    pub const MOST_IN_FLIGHT: u32 = 65_536;

    /// One connection an arrival, which carries `calls` calls one after the other
    /// and is closed; no limits, the kernel's buffers, samples every 5 s.
    #[must_use]
    pub fn connections(calls: u64) -> Self {
        Self {
            count: None,
            script: Script::Connection { calls, burst: 1 },
            uris: Uris::Fixed { uri: "/".into() },
            head: Head {
                method: "GET".into(),
                minor_version: 1,
                before_host: RawText::default(),
                host: HostLine::OfTarget,
                after_host: RawText::default(),
                headers: Vec::new(),
            },
            connections: 1,
            calls_in_flight: Self::MOST_IN_FLIGHT,
            open_connections: None,
            retry: Retry::Never,
            failure_status: None,
            cookies: false,
            limits: Limits::NONE,
            socket: SocketOptions::default(),
            servers: Vec::new(),
            old_tls: None,
            sampling: Sampling { first_s: 5.0, every_s: 5.0 },
            preflight: true,
        }
    }

    /// Sessions of a script: up to 4 connections, 32 calls in flight on each,
    /// retried after a reply.
    #[must_use]
    pub fn scripted(script: Script) -> Self {
        Self {
            script,
            connections: 4,
            calls_in_flight: 32,
            retry: Retry::AfterReply,
            ..Self::connections(1)
        }
    }

    /// Ends after so many arrivals.
    #[must_use]
    pub fn with_count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// Sets what calls ask for to which the script gives no URI.
    #[must_use]
    pub fn with_uris(mut self, uris: Uris) -> Self {
        self.uris = uris;
        self
    }

    /// Sets how many connections a session has at most, and how many calls may be in flight on
    /// each.
    #[must_use]
    pub fn with_connections(mut self, connections: u32, calls_in_flight: u32) -> Self {
        self.connections = connections;
        self.calls_in_flight = calls_in_flight;
        self
    }

    /// Sets how many connections of the whole run are [open](Self::open_connections) at once.
    #[must_use]
    pub fn with_open_connections(mut self, most: u32) -> Self {
        self.open_connections = Some(most);
        self
    }

    /// Sets what becomes of the unanswered calls of a connection that broke.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Lets a session fail that gets a reply with this status.
    #[must_use]
    pub fn with_failure_status(mut self, status: u32) -> Self {
        self.failure_status = Some(status);
        self
    }

    /// Sends the cookie that the server set with the later calls of a session.
    #[must_use]
    pub fn with_cookies(mut self) -> Self {
        self.cookies = true;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Begins without [trying](Self::preflight) whether the server is there.
    #[must_use]
    pub fn without_preflight(mut self) -> Self {
        self.preflight = false;
        self
    }

    /// The same sessions, whose calls have the method (unless the script gives one) and the
    /// headers of this request: what its calls send when it is that of a plan without
    /// sessions. Its path and body are not looked at.
    #[must_use]
    pub fn with_head_of(mut self, request: &Request) -> Self {
        self.head.method = request.method().into();
        self.head.headers = request.headers().to_vec();
        if !self.head.headers.iter().any(|header| header.is_named("user-agent")) {
            self.head.headers.insert(0, Header::new("User-Agent", USER_AGENT));
        }
        self
    }

    /// All headers whose values may be secret.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &Header> {
        let calls = match &self.script {
            Script::Log { sessions } => sessions.as_slice(),
            _ => &[],
        };
        let calls = calls.iter().flat_map(|s| &s.bursts).flat_map(|burst| &burst.calls);
        self.head.headers.iter().chain(calls.flat_map(|call| &call.headers))
    }

    /// The same, to be changed.
    pub(crate) fn headers_mut(&mut self) -> impl Iterator<Item = &mut Header> {
        let calls = match &mut self.script {
            Script::Log { sessions } => sessions.as_mut_slice(),
            _ => &mut [],
        };
        let calls = calls.iter_mut().flat_map(|s| &mut s.bursts).flat_map(|b| &mut b.calls);
        self.head.headers.iter_mut().chain(calls.flat_map(|call| &mut call.headers))
    }

    /// Whether arrivals are sessions in httperf's sense, not mere connections.
    #[must_use]
    pub fn are_scripted(&self) -> bool {
        !matches!(self.script, Script::Connection { .. })
    }

    /// Checks that the sessions can be carried out.
    ///
    /// # Errors
    /// [`PlanError`] with the offending value.
    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        let range = |what, range, value: String| Err(PlanError::Range { what, range, value });
        for (what, value) in [
            ("the timeout", self.limits.timeout_s),
            ("the think timeout", self.limits.think_s),
            ("the first sample", self.sampling.first_s),
        ] {
            if !(0.0..=1e7).contains(&value) {
                return range(what, "from 0 s to 10,000,000 s", format!("{value} s"));
            }
        }
        if !(1e-3..=1e7).contains(&self.sampling.every_s) {
            return range("the sampling interval", "from 1 ms", self.sampling.every_s.to_string());
        }
        if self.connections == 0 {
            return range("the connections of a session", "at least 1", "0".to_owned());
        }
        if !(1..=Self::MOST_IN_FLIGHT).contains(&self.calls_in_flight) {
            let value = self.calls_in_flight.to_string();
            return range("the calls in flight on a connection", "from 1 to 65,536", value);
        }
        if self.head.minor_version > 1 {
            let value = format!("1.{}", self.head.minor_version);
            return range("the HTTP version", "1.0 or 1.1", value);
        }
        self.headers().try_for_each(Header::validate)?;
        if self.head.headers.iter().any(|header| header.is_named("content-length")) {
            return Err(PlanError::Conflict(
                "each call of sessions has a Content-Length of its own: leave that header out",
            ));
        }
        self.script.validate()?;
        self.uris.validate()
    }
}
