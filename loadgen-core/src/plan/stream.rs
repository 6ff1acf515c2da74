//! One stream of calls of a plan: its arrivals, and how connections carry them.

use serde::{Deserialize, Serialize};

use crate::error::PlanError;
use crate::record::Population;
use crate::schedule::Schedule;

/// How a connection ends after its last call: the last that it may carry
/// ([`Stream::with_calls_per_connection`]), or the one with which the server
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

/// One stream of calls: an arrival process and the connections that carry it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    pub(crate) schedule: Schedule,
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
}

impl Stream {
    /// A stream over kept-alive connections: at most 64 at once, none of them
    /// opened before it is needed, 100,000 arrivals waiting.
    #[must_use]
    pub fn established(schedule: Schedule) -> Self {
        Self {
            schedule,
            connections: 64,
            warm_connections: 0,
            calls_per_connection: 0,
            backlog: 100_000,
            close: CloseMode::Server,
        }
    }

    /// A stream that opens a connection for every call: at most 4096 at once.
    #[must_use]
    pub fn fresh(schedule: Schedule) -> Self {
        Self { connections: 4096, calls_per_connection: 1, ..Self::established(schedule) }
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

    /// Closes a connection after this many calls; 0: only when the server does.
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

    /// The arrival process.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// Most connections open at once.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// Which population the calls of this stream belong to.
    #[must_use]
    pub fn population(&self) -> Population {
        if self.calls_per_connection == 1 { Population::Fresh } else { Population::Established }
    }

    pub(super) fn validate(&self) -> Result<(), PlanError> {
        self.schedule.validate()?;
        if !(1..=1_000_000).contains(&self.connections) {
            return Err(PlanError::Range {
                what: "the number of connections",
                range: "from 1 to 1,000,000",
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
        if self.close != CloseMode::Server && self.calls_per_connection == 0 {
            return Err(PlanError::Conflict(
                "connections without a last call are not closed by us: --close needs \
                 --calls-per-connection (or, for newcomers, --probe-rate)",
            ));
        }
        Ok(())
    }
}
