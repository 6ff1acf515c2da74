//! One load of a plan: its arrivals, how connections carry them, and what they ask for.

use serde::{Deserialize, Serialize};

use crate::error::PlanError;
use crate::expectation::Expectation;
use crate::record::Population;
use crate::request::Request;
use crate::schedule::{Schedule, Times};
use crate::workload_file::RequestList;

/// How a connection ends after its last call: the last that it may carry
/// ([`Load::with_calls_per_connection`]), or the one with which the server
/// announced its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CloseMode {
    /// The last request says `Connection: close`, and the server has 100 ms to
    /// close: TIME_WAIT, and with it the port, stays on its side.
    #[default]
    Server,
    /// The last request is like the others, and we close as soon as its reply is
    /// complete: the port of the connection stays in TIME_WAIT for a minute.
    Client,
    /// As `Client`, but by RST (`SO_LINGER` of 0 s): no TIME_WAIT on either side.
    /// The server sees a reset connection, not a closed one.
    Reset,
}

impl CloseMode {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One load: an arrival process, the connections that carry it, and, where it is not what the
/// plan says, what its calls ask for.
///
/// ```
/// use loadgen_core::{Load, Schedule};
///
/// // Kept-alive clients, all connected before the first call; and newcomers, who connect each time.
/// let clients = Load::established(Schedule::poisson(500.0))
///     .with_connections(64)
///     .with_warm_connections(64);
/// let newcomers = Load::fresh(Schedule::constant(50.0)).with_max_connecting(20);
/// assert_eq!((clients.connections(), newcomers.connections()), (64, 4096));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    pub(crate) schedule: Schedule,
    /// Whose calls they are. A plan of an older version does not say; then one call a
    /// connection is how newcomers call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    population: Option<Population>,
    /// Most connections open at once.
    pub(crate) connections: u32,
    /// Connections opened before the load starts.
    pub(crate) warm_connections: u32,
    /// Calls on one connection before it is closed; 0: no limit.
    pub(crate) calls_per_connection: u32,
    /// Arrivals that may wait for a connection; beyond it they are shed.
    pub(crate) backlog: u32,
    /// How connections end after their last call.
    #[serde(default, skip_serializing_if = "CloseMode::is_default")]
    pub(crate) close: CloseMode,
    /// Most calls in flight on one connection.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(crate) pipeline: u32,
    /// Most handshakes under way at once; `None`: 64 in a closed loop (in each
    /// thread), else as many as arrivals ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_connecting: Option<u32>,
    /// Most connections opened in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connect_rate_per_s: Option<f64>,
    /// Most bytes read in a second from one connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) read_bytes_per_s: Option<f64>,
    /// What its calls ask for; without either, what the plan says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Request>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) requests: Option<RequestList>,
    /// What is expected of all replies to them, beside what the plan expects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) expect: Vec<Expectation>,
}

/// A plan that was written before there was pipelining says nothing of it.
fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_one(pipeline: &u32) -> bool {
    *pipeline == 1
}

impl Load {
    /// A load over kept-alive connections: at most 64 at once, none of them
    /// opened before it is needed, 100,000 arrivals waiting.
    #[must_use]
    pub fn established(schedule: Schedule) -> Self {
        Self {
            schedule,
            population: Some(Population::Established),
            connections: 64,
            warm_connections: 0,
            calls_per_connection: 0,
            backlog: 100_000,
            close: CloseMode::Server,
            pipeline: 1,
            max_connecting: None,
            connect_rate_per_s: None,
            read_bytes_per_s: None,
            request: None,
            requests: None,
            expect: Vec::new(),
        }
    }

    /// A load that opens a connection for every call: at most 4096 at once.
    #[must_use]
    pub fn fresh(schedule: Schedule) -> Self {
        Self {
            population: Some(Population::Fresh),
            connections: 4096,
            calls_per_connection: 1,
            ..Self::established(schedule)
        }
    }

    /// Most connections open at once (1 to 1,000,000).
    #[must_use]
    pub fn with_connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// Opens this many connections before the load starts.
    #[must_use]
    pub fn with_warm_connections(mut self, connections: u32) -> Self {
        self.warm_connections = connections;
        self
    }

    /// Closes a connection after this many calls; 0: only when the server does. One call
    /// a connection is how newcomers call: [`Self::fresh`], and no other load.
    #[must_use]
    pub fn with_calls_per_connection(mut self, calls: u32) -> Self {
        self.calls_per_connection = calls;
        self
    }

    /// How many arrivals may wait for a connection before further ones are shed.
    #[must_use]
    pub fn with_backlog(mut self, backlog: u32) -> Self {
        self.backlog = backlog;
        self
    }

    /// How connections end after their last call.
    #[must_use]
    pub fn with_close(mut self, close: CloseMode) -> Self {
        self.close = close;
        self
    }

    /// Most calls in flight on one connection (1 to 1024), in the order of their
    /// requests (RFC 9112 §9.3.2). In open loop a call goes behind another only when
    /// no connection is idle and none may be opened; in closed loop every connection
    /// carries this many. What a call waits for the replies in front of it is part
    /// of its service time.
    #[must_use]
    pub fn with_pipeline(mut self, calls: u32) -> Self {
        self.pipeline = calls;
        self
    }

    /// Most handshakes under way at once. Arrivals that find no connection wait
    /// meanwhile, and that is part of their response time. Without it, 64 for each
    /// thread of a closed loop, so that the server's backlog survives its start; in
    /// open loop a user who comes connects.
    #[must_use]
    pub fn with_max_connecting(mut self, handshakes: u32) -> Self {
        self.max_connecting = Some(handshakes);
        self
    }

    /// Most connections opened in a second, those before the load included; a worker
    /// that was late makes up for at most 10 ms. Arrivals wait as with
    /// [`Self::with_max_connecting`].
    #[must_use]
    pub fn with_connect_rate(mut self, per_s: f64) -> Self {
        self.connect_rate_per_s = Some(per_s);
        self
    }

    /// Reads no faster than this from each connection, through a small receive
    /// buffer, so that the server feels a slow client: its writes block.
    #[must_use]
    pub fn with_read_rate(mut self, bytes_per_s: f64) -> Self {
        self.read_bytes_per_s = Some(bytes_per_s);
        self
    }

    /// Gives its calls a request of their own, in place of those that the
    /// [plan](crate::Plan::with_request) says. With a [list](Self::with_requests), method and
    /// headers stand where those of the list say nothing.
    #[must_use]
    pub fn with_request(mut self, request: Request) -> Self {
        self.request = Some(request);
        self
    }

    /// Gives its calls the requests of a list, in place of those that the
    /// [plan](crate::Plan::with_requests) says.
    #[must_use]
    pub fn with_requests(mut self, requests: RequestList) -> Self {
        self.requests = Some(requests);
        self
    }

    /// Expects this of all replies to its calls, beside what the
    /// [plan](crate::Plan::with_expectation) expects.
    #[must_use]
    pub fn with_expectation(mut self, expectation: Expectation) -> Self {
        self.expect.push(expectation);
        self
    }

    /// Whether it says itself what its calls ask for.
    pub(crate) fn says_requests(&self) -> bool {
        self.request.is_some() || self.requests.is_some()
    }

    /// Whether all that there is to say about what its calls ask for and what is expected is
    /// what the plan says.
    pub(crate) fn has_requests_of_plan(&self) -> bool {
        !self.says_requests() && self.expect.is_empty()
    }

    /// When those of an access log came is known now, and with it the rate of a replay.
    pub(crate) fn know_times(&mut self, times: &Times) {
        if let Schedule::Recorded(recorded) = &mut self.schedule {
            *recorded = recorded.knowing(times);
        }
    }

    /// The arrival process.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Most connections open at once.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// Which population the calls of this load belong to.
    #[must_use]
    pub fn population(&self) -> Population {
        self.population.unwrap_or(match self.calls_per_connection {
            1 => Population::Fresh,
            _ => Population::Established,
        })
    }

    /// Whether each worker draws its starts by itself, so that nobody knows all of them.
    pub(super) fn is_of_streams(&self) -> bool {
        matches!(self.schedule, Schedule::PoissonStreams { .. })
    }

    /// Whether a start is known only from those before it.
    pub(super) fn has_random_gaps(&self) -> bool {
        use Schedule::{Drawn, Poisson, Uniform};
        matches!(self.schedule, Poisson { .. } | Uniform { .. } | Drawn(_))
    }

    /// Whether nothing is asked of its connections that sessions do not do.
    pub(super) fn connects_plainly(&self) -> bool {
        self.close == CloseMode::Server
            && self.pipeline == 1
            && self.max_connecting.is_none()
            && self.connect_rate_per_s.is_none()
            && self.read_bytes_per_s.is_none()
    }

    /// Whether it makes sense, as the load of so many processes together.
    pub(super) fn validate(&self, shards: u32) -> Result<(), PlanError> {
        self.schedule.validate(shards)?;
        if (self.population() == Population::Fresh) != (self.calls_per_connection == 1) {
            return Err(PlanError::Conflict(match self.population() {
                Population::Fresh => {
                    "newcomers have one call a connection: make it Load::established if \
                     connections are to carry more"
                }
                Population::Established => {
                    "with one call a connection every user is a newcomer, and is to be told as \
                     one: make the load one of Load::fresh"
                }
            }));
        }
        if !(1..=1_000_000 * u64::from(shards)).contains(&self.connections.into()) {
            return Err(PlanError::Range {
                what: "the number of connections",
                range: "from 1 to 1,000,000 (of each process)",
                value: self.connections.to_string(),
            });
        }
        if self.warm_connections > self.connections {
            return Err(PlanError::Range {
                what: "the number of warm connections",
                range: "at most the number of connections",
                value: self.warm_connections.to_string(),
            });
        }
        let range = |what, range, value: String| Err(PlanError::Range { what, range, value });
        if !(1..=1024).contains(&self.pipeline) {
            let what = "{pipeline}";
            return range(what, "from 1 to 1024", self.pipeline.to_string());
        }
        if self.pipeline > 1 && self.calls_per_connection == 1 {
            return Err(PlanError::Conflict(
                "a connection of one call has nothing to pipeline: raise {calls-per-connection}, or lower \
                 {pipeline} to 1",
            ));
        }
        if self.max_connecting == Some(0) {
            let what = "{max-connecting}";
            return range(what, "at least 1", "0".to_owned());
        }
        if let Some(rate) = self.connect_rate_per_s
            && !(rate.is_finite() && (0.001..=1e7).contains(&rate))
        {
            let what = "{connect-rate}";
            return range(what, "from 0.001 to 10,000,000 per second", rate.to_string());
        }
        if let Some(rate) = self.read_bytes_per_s
            && !(rate.is_finite() && (1.0..=1e12).contains(&rate))
        {
            let what = "{read-rate}";
            return range(what, "from 1 byte to 1 TB per second", format!("{rate} B/s"));
        }
        if self.close != CloseMode::Server && self.calls_per_connection == 0 {
            return Err(PlanError::Conflict(
                "connections without a last call are not closed by us: {close} needs \
                 {calls-per-connection} (or, for newcomers, {probe})",
            ));
        }
        Ok(())
    }
}
