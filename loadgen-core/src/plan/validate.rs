//! Whether a plan can be carried out as it is.

use super::{CallLimit, CloseMode, Load, MAIN, Plan};
use crate::abort::AbortRule;
use crate::error::PlanError;
use crate::schedule::Schedule;
use crate::workload_file::RequestList;

/// Most calls that a load can be limited to.
const MOST_CALLS: u64 = 1_000_000_000_000;

/// The same, where the time of the last is known only by walking all.
const MOST_RANDOM_CALLS: u64 = 100_000_000;

/// Most loads of a plan: calls name theirs by a small number.
const MOST_LOADS: usize = 64;

impl Plan {
    /// Checks that the plan can be carried out.
    ///
    /// # Errors
    /// [`PlanError`] with the offending value.
    pub fn validate(&self) -> Result<(), PlanError> {
        self.refuse_unknown_settings()?;
        self.target.validate()?;
        if self.tls.is_some() && !self.target.is_tls() {
            return Err(PlanError::Conflict(
                "there are settings of TLS, but the URL is http: make it https, or leave them out",
            ));
        }
        self.request().validate()?;
        let missing = self.missing_secrets();
        if !missing.is_empty() {
            return Err(PlanError::Secrets { headers: missing });
        }
        for load in self.loads() {
            load.validate(self.shards())?;
        }
        if self.target.is_unix() {
            self.validate_unix()?;
        }
        self.validate_names()?;
        let seconds = |what, value: f64, least: f64| {
            if value.is_finite() && value >= least && value <= 1e7 {
                return Ok(());
            }
            let range = if least > 0.0 {
                "above 0 s and at most 10,000,000 s"
            } else {
                "from 0 s to 10,000,000 s"
            };
            Err(PlanError::Range { what, range, value: format!("{value} s") })
        };
        if let Some(duration) = self.duration_s {
            seconds("the duration", duration, 1e-9)?;
            if self.warmup_s >= duration {
                return Err(PlanError::Conflict("the warm-up must be shorter than the duration"));
            }
        }
        seconds("the warm-up", self.warmup_s, 0.0)?;
        seconds("the timeout", self.timeout_s(), 1e-9)?;
        seconds("the drain time", self.drain_s(), 0.0)?;
        if let Some(deadline) = self.deadline_s {
            seconds("the deadline", deadline, 1e-9)?;
        }
        if let Some(limit) = self.calls {
            self.validate_calls(limit)?;
        }
        if self.abort_if.iter().any(AbortRule::is_of_wrong_replies) && !self.may_expect() {
            return Err(PlanError::Conflict(
                "no reply can be wrong, since nothing is expected of any: say what is expected \
                 ({expect}), or leave out the rule of wrong replies",
            ));
        }
        if self.shards() > 1 && self.abort_if.iter().any(AbortRule::is_a_number) {
            return Err(PlanError::Conflict(
                "a shard sees its part of the calls alone, and cannot tell when so many of all have failed \
                 or were wrong: give the load up by a share of the calls (error-rate), or by p99",
            ));
        }
        if !(1..=1024).contains(&self.threads) {
            return Err(PlanError::Range {
                what: "the number of threads",
                range: "from 1 to 1024",
                value: self.threads.to_string(),
            });
        }
        if let Some(check) = &self.check {
            check.validate()?;
        }
        if let Some(sessions) = &self.sessions {
            self.validate_sessions(sessions)?;
        }
        if self.sessions.is_some() && self.requests.is_some() {
            return Err(PlanError::Conflict(
                "the calls of sessions ask for what their script says: leave out the list of \
                 requests, or the sessions",
            ));
        }
        for load in self.loads() {
            self.validate_requests(load)?;
        }
        if self.kernel_timestamps && self.loads().any(|load| load.pipeline > 1) {
            return Err(PlanError::Conflict(
                "with pipelining several replies share a kernel timestamp: leave out \
                 {kernel-timestamps} or {pipeline}",
            ));
        }
        if self.loads().any(|load| load.connections < self.workers()) {
            return Err(PlanError::Conflict(
                "every thread of every shard needs a connection of its own: raise {connections} or \
                 lower {threads}",
            ));
        }
        if self.loads().any(|load| load.max_connecting.is_some_and(|n| n < self.workers())) {
            return Err(PlanError::Conflict(
                "every thread has its share of the handshakes under way: raise {max-connecting} \
                 or lower {threads}",
            ));
        }
        Ok(())
    }

    /// A plan without what it does not know would be another one.
    pub(crate) fn refuse_unknown_settings(&self) -> Result<(), PlanError> {
        match self.unknown_settings() {
            [] => Ok(()),
            unknown => Err(PlanError::UnknownSettings { settings: unknown.to_vec() }),
        }
    }

    /// Loads are told apart by their names.
    fn validate_names(&self) -> Result<(), PlanError> {
        if self.beside.len() >= MOST_LOADS {
            return Err(PlanError::Range {
                what: "the number of loads",
                range: "from 1 to 64",
                value: (self.beside.len() + 1).to_string(),
            });
        }
        for (place, beside) in self.beside.iter().enumerate() {
            let name = &beside.name;
            let is_word = |c: char| !c.is_control() && !c.is_whitespace();
            if !(1..=64).contains(&name.chars().count()) || !name.chars().all(is_word) {
                return Err(PlanError::Range {
                    what: "the name of a load",
                    range: "from 1 to 64 characters without spaces",
                    value: format!("{:?}", name.chars().take(80).collect::<String>()),
                });
            }
            if name == MAIN || self.beside[..place].iter().any(|known| known.name == *name) {
                return Err(PlanError::Range {
                    what: "the name of a load",
                    range: "one that no other load has (the main one is called load)",
                    value: name.clone(),
                });
            }
        }
        Ok(())
    }

    fn validate_requests(&self, load: &Load) -> Result<(), PlanError> {
        let request = self.request_of(load);
        request.validate()?;
        self.validate_replay(load)?;
        let Some(requests) = self.requests_of(load) else { return Ok(()) };
        let is_base = requests.is_of_the_request() || requests.is_made();
        if !is_base && request.has_content() {
            return Err(PlanError::Conflict(
                "the requests of a list have paths and bodies of their own: of the request beside \
                 it only method and headers are looked at, so leave out its path and body",
            ));
        }
        requests.validate()
    }

    /// What was recorded comes again with the requests that it was recorded of.
    fn validate_replay(&self, load: &Load) -> Result<(), PlanError> {
        if !matches!(load.schedule, Schedule::Recorded(_)) {
            return Ok(());
        }
        if !std::ptr::eq(load, &raw const self.load) && load.requests.is_none() {
            return Err(PlanError::Conflict(
                "the times of the plan's access log are those of the main load, not of one beside \
                 it: give that an access log of its own, or another schedule",
            ));
        }
        if !self.requests_of(load).is_some_and(RequestList::has_times) {
            return Err(PlanError::Conflict(
                "a replay needs the access log that has its times: a list of requests of that \
                 format, in its own order and without data",
            ));
        }
        Ok(())
    }

    fn validate_calls(&self, limit: CallLimit) -> Result<(), PlanError> {
        if self.sessions.is_some() {
            return Err(PlanError::Conflict(
                "the arrivals of this load are sessions, which are limited by their own number, \
                 not by {calls}",
            ));
        }
        match limit {
            CallLimit::Calls(calls) if !(1..=MOST_CALLS).contains(&calls) => {
                Err(PlanError::Range {
                    what: "{calls}",
                    range: "from 1 to 1,000,000,000,000",
                    value: calls.to_string(),
                })
            }
            _ if self.load.is_of_streams() => Err(PlanError::Conflict(
                "where each worker draws its arrivals by itself nobody knows which is the last of {calls}: \
                 give the load a duration, or have Poisson arrivals of the whole",
            )),
            // They are walked before the load begins, to know when it ends.
            CallLimit::Calls(calls) if calls > MOST_RANDOM_CALLS && self.load.has_random_gaps() => {
                Err(PlanError::Range {
                    what: "{calls} with random gaps",
                    range: "at most 100,000,000",
                    value: calls.to_string(),
                })
            }
            CallLimit::EachRequestOnce if self.requests_of(&self.load).is_none() => {
                Err(PlanError::Conflict(
                    "there is no list of requests that could be made once each: give one ({requests}), or \
                     say how many calls there are ({calls})",
                ))
            }
            CallLimit::EachRequestOnce
                if self.requests_of(&self.load).is_some_and(RequestList::is_made) =>
            {
                Err(PlanError::Conflict(
                    "requests that a program makes have no end: give a number of calls instead",
                ))
            }
            CallLimit::EachRequestOnce | CallLimit::Calls(_) => Ok(()),
        }
    }

    /// Whether something may be expected of replies: of a file it is known when it has been
    /// read.
    fn may_expect(&self) -> bool {
        self.check.is_some()
            || self.loads().any(|load| {
                let listed = self.requests_of(load).is_some_and(RequestList::may_expect);
                listed || self.expected_of(load).next().is_some()
            })
    }

    /// What TCP has and unix sockets have not.
    fn validate_unix(&self) -> Result<(), PlanError> {
        if self.kernel_timestamps {
            return Err(PlanError::Conflict(
                "the kernel tells for no unix socket when it received what is read: leave out \
                 {kernel-timestamps}",
            ));
        }
        if self.loads().any(|load| load.close == CloseMode::Reset) {
            return Err(PlanError::Conflict(
                "connections to a unix socket cannot be reset: let {close} be that of the client or of the \
                 server",
            ));
        }
        Ok(())
    }
}
