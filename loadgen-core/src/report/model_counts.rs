//! What became of calls. Its field names are part of the contract, as those of
//! [`Report`](super::Report) are.

use serde::{Deserialize, Serialize};

/// Calls by their fate. `offered = started + shed`;
/// `started = answered + failed + unfinished`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Arrivals by the schedule.
    pub offered: u64,
    /// Calls whose connect or sending began.
    pub started: u64,
    /// Calls whose reply is complete, whatever its status.
    pub answered: u64,
    /// Those of them whose reply is not as expected.
    #[serde(default)]
    pub wrong: u64,
    /// Calls that ended without a complete reply.
    pub failed: u64,
    /// Arrivals that were never started.
    pub shed: u64,
    /// Calls still open when the run ended.
    pub unfinished: u64,
    /// Response times only known to be longer than something: timed out, past
    /// the deadline, shed, unfinished.
    pub censored: u64,
    /// Calls sent again because the server had closed the idle connection that
    /// was chosen for them. Not failures.
    pub reconnects: u64,
    /// Arrivals that had to wait for a connection because the pool was at its
    /// limit. Their waiting is in their response time, not in the lag.
    pub queued: u64,
    /// Connections that came to be open for calls: those opened before the load do not
    /// count, nor do attempts that failed.
    pub connections_opened: u64,
}
