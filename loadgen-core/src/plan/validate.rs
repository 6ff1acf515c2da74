//! Whether a plan can be carried out as it is.

use super::{CloseMode, Plan};
use crate::error::PlanError;
use crate::record::Population;
use crate::workload_file::RequestList;

impl Plan {
    /// Checks that the plan can be carried out.
    ///
    /// # Errors
    /// [`PlanError`] with the offending value.
    pub fn validate(&self) -> Result<(), PlanError> {
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
        for stream in self.streams() {
            stream.validate()?;
        }
        if self.target.is_unix() {
            self.validate_unix()?;
        }
        if let Some(probe) = &self.probe
            && probe.population() == self.load.population()
        {
            return Err(PlanError::Conflict(match probe.population() {
                Population::Fresh => {
                    "the load itself opens a connection for each call, and its calls could not be \
                     told from those of the probe: leave out the probe (--probe-rate)"
                }
                Population::Established => {
                    "the load and the probe both keep their connections, and their calls could not \
                     be told apart: make the probe one call a connection (Stream::fresh), or leave \
                     it out"
                }
            }));
        }
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
        if !(1..=1024).contains(&self.threads) {
            return Err(PlanError::Range {
                what: "the number of threads",
                range: "from 1 to 1024",
                value: self.threads.to_string(),
            });
        }
        if let Some(sessions) = &self.sessions {
            self.validate_sessions(sessions)?;
        }
        if let Some(requests) = &self.requests {
            self.validate_requests(requests)?;
        }
        if self.kernel_timestamps && self.streams().any(|stream| stream.pipeline > 1) {
            return Err(PlanError::Conflict(
                "with pipelining several replies share a kernel timestamp: leave out \
                 --kernel-timestamps or --pipeline",
            ));
        }
        if self.streams().any(|stream| stream.connections < self.threads) {
            return Err(PlanError::Conflict(
                "every thread needs a connection of its own: raise --connections or lower --threads",
            ));
        }
        if self.streams().any(|stream| stream.max_connecting.is_some_and(|n| n < self.threads)) {
            return Err(PlanError::Conflict(
                "every thread has its share of the handshakes under way: raise --max-connecting \
                 or lower --threads",
            ));
        }
        Ok(())
    }

    fn validate_requests(&self, requests: &RequestList) -> Result<(), PlanError> {
        if self.sessions.is_some() {
            return Err(PlanError::Conflict(
                "the calls of sessions ask for what their script says: leave out the list of \
                 requests, or the sessions",
            ));
        }
        if !requests.is_of_the_request() && self.request().has_content() {
            return Err(PlanError::Conflict(
                "the requests of a list have paths and bodies of their own: of the request beside \
                 it only method and headers are looked at, so leave out its path and body",
            ));
        }
        requests.validate()
    }

    /// What TCP has and unix sockets have not.
    fn validate_unix(&self) -> Result<(), PlanError> {
        if self.kernel_timestamps {
            return Err(PlanError::Conflict(
                "the kernel tells for no unix socket when it received what is read: leave out \
                 --kernel-timestamps",
            ));
        }
        if self.streams().any(|stream| stream.close == CloseMode::Reset) {
            return Err(PlanError::Conflict(
                "connections to a unix socket cannot be reset: use --close client or server",
            ));
        }
        Ok(())
    }
}
