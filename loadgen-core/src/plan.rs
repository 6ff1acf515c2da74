//! What to do: a [`Plan`] says which target gets which requests at which times,
//! over what connections, and when to give up. It is validated before anything
//! runs and is kept in the report, so that a run can be repeated.

mod document;
mod launched;
mod load;
mod loads;
mod of_sessions;
mod questions;
mod secrets;
mod shard;
mod validate;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::abort::AbortRule;
use crate::check::{Check, NamedCheck};
use crate::clock::{Nanos, SECOND};
use crate::error::PlanError;
use crate::expectation::Expectation;
pub use crate::net::Precision;
use crate::net::tls::Tls;
use crate::request::Request;
use crate::session::Sessions;
use crate::target::Target;
use crate::workload_file::RequestList;
pub(crate) use document::pass_over_unknown;
pub use launched::{LaunchError, ShardSpec};
pub use load::{CloseMode, Load};
use loads::{MAIN, NamedLoad, PROBE};
pub use shard::Shard;
pub(crate) use shard::Stripe;

/// A load to put on a target. Build it with the `with_*` methods; it is checked
/// when an [`Engine`](crate::Engine) takes it.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "document::Document")]
pub struct Plan {
    pub(crate) target: Target,
    /// How connections to an `https` target are encrypted; `None`: as by default.
    tls: Option<Tls>,
    /// `None`: a GET of the target's URL.
    request: Option<Request>,
    /// The main load.
    pub(crate) load: Load,
    /// Loads beside it, the probe first.
    beside: Vec<NamedLoad>,
    /// What an arrival of the main load does; `None`: one call of `request`.
    pub(crate) sessions: Option<Box<Sessions>>,
    pub(crate) requests: Option<RequestList>,
    pub(crate) expect: Vec<Expectation>,
    pub(crate) check: Option<NamedCheck>,
    /// How long calls are started; `None`: until stopped.
    pub(crate) duration_s: Option<f64>,
    /// Calls of the main load after which it ends.
    pub(crate) calls: Option<CallLimit>,
    pub(crate) abort_if: Vec<AbortRule>,
    /// Calls with an intended start before this are sent but left out of the
    /// summary figures (not of the timeline).
    pub(crate) warmup_s: f64,
    /// From the first byte sent (and, before it, from the start of connecting);
    /// `None`: the default.
    timeout_s: Option<f64>,
    /// From the intended start, sent or not.
    pub(crate) deadline_s: Option<f64>,
    /// How long to wait, after the last start, for replies under way; `None`: as long
    /// as the timeout.
    drain_s: Option<f64>,
    pub(crate) threads: u32,
    /// `None`: the whole.
    pub(crate) shard: Option<Shard>,
    pub(crate) precision: Precision,
    pub(crate) seed: u64,
    /// Keep a record of every call (48 bytes each), up to this many.
    pub(crate) call_log: u64,
    /// Ask the kernel when it received each reply.
    pub(crate) kernel_timestamps: bool,
    /// Settings of a later version, by their paths.
    unknown_settings: Vec<String>,
}

/// After how many calls a load ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CallLimit {
    /// This many, 1 to 1,000,000,000,000.
    Calls(u64),
    /// As many as the [list of requests](Plan::with_requests) of the main load has.
    EachRequestOnce,
}

impl Plan {
    /// A load on a target: timeout 10 s, no deadline, no warm-up, one thread,
    /// until stopped.
    #[must_use]
    pub fn new(target: Target, load: Load) -> Self {
        Self {
            target,
            tls: None,
            request: None,
            load,
            beside: Vec::new(),
            sessions: None,
            requests: None,
            expect: Vec::new(),
            check: None,
            duration_s: None,
            calls: None,
            abort_if: Vec::new(),
            warmup_s: 0.0,
            timeout_s: None,
            deadline_s: None,
            drain_s: None,
            threads: 1,
            shard: None,
            precision: Precision::Normal,
            seed: 1,
            call_log: 0,
            kernel_timestamps: false,
            unknown_settings: Vec::new(),
        }
    }

    /// How connections are encrypted, of an `https` target. Without it the server's
    /// certificate is checked against the authorities of the system, and the server is
    /// told the name of the target: [`Tls::default`]. A plan with an `http` target that
    /// says it is refused.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets the request, of loads that have [none of their own](Load::with_request); the
    /// default is a GET of the target's URL.
    #[must_use]
    pub fn with_request(mut self, request: Request) -> Self {
        self.request = Some(request);
        self
    }

    /// Lets the calls make the requests of a list, of loads that have
    /// [none of their own](Load::with_requests). Of the plan's own request, method and
    /// headers stand where those of the list say nothing. The file of a list is read when a
    /// run is prepared.
    ///
    /// ```
    /// use loadgen_core::{ListedRequest, Plan, Request, RequestList, Schedule, Load, Target};
    ///
    /// let buy = Request::get().with_method("POST").with_body(b"item=7".to_vec());
    /// let list = RequestList::given([
    ///     ListedRequest::new(Request::get(), "/").with_tag("page"),
    ///     ListedRequest::new(buy, "/cart").with_tag("cart").with_expectation("status=201".parse()?),
    /// ]);
    /// let target = Target::parse("http://127.0.0.1:8080/")?;
    /// let load = Load::established(Schedule::Profile("0..100/10s,100/1m".parse()?));
    /// Plan::new(target, load).with_requests(list).validate()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_requests(mut self, requests: RequestList) -> Self {
        self.requests = Some(requests);
        self
    }

    /// Expects this of all replies, beside what else is expected. A reply that is not so is
    /// counted as [`Outcome::Wrong`](crate::Outcome::Wrong). Where anything is expected, a
    /// status of 400 and above is wrong, too, unless it is what is expected.
    #[must_use]
    pub fn with_expectation(mut self, expectation: Expectation) -> Self {
        self.expect.push(expectation);
        self
    }

    /// Lets the embedding program look at each reply that is as expected: one that it rejects
    /// is counted as [`Outcome::Wrong`](crate::Outcome::Wrong). `make` makes the check of each
    /// worker, which has this number; reports tell `name`. A plan has one check: a second one
    /// takes the place of the first. Where nothing is expected of the
    /// status, whatever it is is for the check to judge. Sessions cannot be checked so.
    ///
    /// ```
    /// use loadgen_core::{CallLimit, Engine, Load, Plan, Reply, Schedule};
    /// # use loadgen_core::target_server::{TargetOptions, TargetServer};
    /// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
    /// # let url = server.url();
    ///
    /// let load = Load::established(Schedule::constant(1000.0));
    /// let plan = Plan::new(url.parse()?, load).with_calls(CallLimit::Calls(100));
    /// let plan = plan.with_check("empty body", |_worker| {
    ///     |reply: &Reply<'_>| match reply.body() {
    ///         [] => Ok(()),
    ///         body => Err(format!("a body of {} bytes", body.len()).into()),
    ///     }
    /// });
    /// let report = Engine::new(plan)?.run()?;
    /// assert_eq!((report.counts.answered, report.counts.wrong), (100, 100));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_check<C: Check + 'static>(
        mut self,
        name: &str,
        make: impl Fn(u32) -> C + Send + Sync + 'static,
    ) -> Self {
        self.check = Some(NamedCheck::new(name, make));
        self
    }

    /// Makes every arrival of the main load a session in place of a call of the
    /// plan's request. Sessions have connections, requests and time limits of their
    /// own; the plan's request and timeout are those of the loads beside it, and a plan without
    /// one that sets them is refused. Warm-up, deadline and drain are the plan's; without a
    /// drain, sessions end where the run does. In a closed loop as many sessions are under way
    /// as the main load may have connections.
    #[must_use]
    pub fn with_sessions(mut self, sessions: Sessions) -> Self {
        self.sessions = Some(Box::new(sessions));
        self
    }

    /// How long calls are started.
    #[must_use]
    pub fn with_duration(mut self, duration: Duration) -> Self {
        self.duration_s = Some(duration.as_secs_f64());
        self
    }

    /// Ends the run after so many calls of the main load, those of the warm-up among them, or
    /// with the [duration](Self::with_duration), whichever comes first. In open loop it ends
    /// when the next call would have come; in closed loop, where each thread has its share of
    /// them, with the end of the last one. [Sessions](Self::with_sessions) have a number of
    /// their own.
    #[must_use]
    pub fn with_calls(mut self, calls: CallLimit) -> Self {
        self.calls = Some(calls);
        self
    }

    /// Ends the run before its time when this is met (any of them, if there are several). It
    /// is looked at ten times a second, from the start of the load, warm-up included. The
    /// report then says so ([`Report::aborted`](crate::Report::aborted)), and that it was
    /// interrupted; calls under way are awaited for the drain time.
    #[must_use]
    pub fn with_abort_if(mut self, rule: AbortRule) -> Self {
        self.abort_if.push(rule);
        self
    }

    /// Leaves calls with an intended start before this out of the summary.
    #[must_use]
    pub fn with_warmup(mut self, warmup: Duration) -> Self {
        self.warmup_s = warmup.as_secs_f64();
        self
    }

    /// Time limit of a call, from its first byte sent, and of a connect. Also
    /// sets the drain time, unless [`Self::with_drain`] follows.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout_s = Some(timeout.as_secs_f64());
        self.drain_s = None;
        self
    }

    /// Time limit of a call from its intended start, whether sent or not.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline_s = Some(deadline.as_secs_f64());
        self
    }

    /// How long to wait for replies under way after the last start.
    #[must_use]
    pub fn with_drain(mut self, drain: Duration) -> Self {
        self.drain_s = Some(drain.as_secs_f64());
        self
    }

    /// Worker threads, each beginning on a core of its own, as far as there are
    /// enough of them, with its stripe of the arrivals and its share of the
    /// connections.
    #[must_use]
    pub fn with_threads(mut self, threads: u32) -> Self {
        self.threads = threads;
        self
    }

    /// How exactly calls are started.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Seed of the random schedules.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Keeps a record of every call, 48 bytes each, up to `limit` calls. A
    /// migration's impact is computed from it.
    #[must_use]
    pub fn with_call_log(mut self, limit: u64) -> Self {
        self.call_log = limit;
        self
    }

    /// Asks the kernel when it received each reply, so that the report tells how
    /// long replies lay unread, and the service time without that. Response and
    /// service time stay as they are. Costs some CPU with each read.
    #[must_use]
    pub fn with_kernel_timestamps(mut self) -> Self {
        self.kernel_timestamps = true;
        self
    }

    /// The same plan with its main load at another rate (calls a second). The law
    /// of the gaps stays, and so do other loads.
    ///
    /// # Errors
    /// [`PlanError::Conflict`] in closed loop, where the server decides the rate.
    pub fn with_rate(mut self, rate_per_s: f64) -> Result<Self, PlanError> {
        self.load.schedule =
            self.load.schedule.clone().with_rate(rate_per_s).ok_or(PlanError::Conflict(
                "a closed loop has no rate, and what comes at times of its own (a replay, a \
                 schedule of the program) has none that could be set: the load needs an \
                 open-loop schedule of a rate",
            ))?;
        Ok(self)
    }
}

/// Seconds as a duration. A plan that has not been validated may hold any number;
/// one that is no duration is taken as zero.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Seconds of a validated plan as nanoseconds.
pub(crate) fn nanos(seconds: f64) -> Nanos {
    (seconds * SECOND as f64).round() as Nanos
}

#[cfg(test)]
mod tests;
