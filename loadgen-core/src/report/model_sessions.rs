//! The figures of a run of sessions, in httperf's definitions. They stand beside
//! the figures of calls that every report has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{ConnectionFailures, Moments};

/// What a run of sessions (or of connections with a number of calls each)
/// measured, from the start of the load to its end; a warm-up is not left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionsReport {
    /// From the start of the load (or the end of its warm-up, from when on all that stands
    /// here is counted) to the end of the last session, or to the stop.
    pub test_duration_s: f64,
    /// Connections.
    pub connections: ConnectionFigures,
    /// Requests.
    pub requests: RequestFigures,
    /// Replies.
    pub replies: ReplyFigures,
    /// Connections that failed, by cause.
    pub failures: ConnectionFailures,
    /// Why TLS could not be spoken, of the first connection that failed so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_failure: Option<String>,
    /// Arrivals that were shed because too many connections were open.
    pub arrivals_shed: u64,
    /// Complete replies per second, one value a sampling interval; the last,
    /// incomplete interval has none.
    pub reply_rate_samples: Vec<f64>,
    /// The same of successful sessions.
    pub session_rate_samples: Vec<f64>,
    /// Outcomes of sessions; `None` if the arrivals were mere connections.
    pub outcomes: Option<SessionOutcomes>,
}

/// Connections of a run of sessions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConnectionFigures {
    /// Attempts that got a socket, whatever became of them.
    pub attempted: u64,
    /// Those of them that were told to be connected, and those that were refused
    /// after having been under way.
    pub connected: u64,
    /// Mean time from the start of connecting to its end (with TLS: of the
    /// handshake), over `connected`.
    pub connect_mean_ms: Option<f64>,
    /// Connections that ended after at least one complete reply.
    pub with_reply: u64,
    /// From the start of connecting to the close, over `with_reply`.
    pub lifetime_ms: Option<Moments>,
    /// The same in bins of 1 ms: `(bin, connections)`, without empty bins. The
    /// last bin is 99,999; longer lives are in none.
    pub lifetime_histogram: Vec<(u32, u64)>,
    /// An upper bound of the connections open at once; exact with one thread.
    pub concurrent: u64,
    /// The largest number of connects in one round of a worker's loop, without its
    /// last such round.
    pub connect_burst: u64,
}

/// Requests of a run of sessions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RequestFigures {
    /// Completely sent ones; those that are sent again count again.
    pub sent: u64,
    /// Bytes of requests, also of unfinished ones.
    pub bytes: u64,
}

/// Replies of a run of sessions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReplyFigures {
    /// Complete ones of status 100 to 599.
    pub completed: u64,
    /// Those whose status line came.
    pub begun: u64,
    /// Mean time from the moment at which a request could be sent to the status
    /// line of its reply, over `begun`.
    pub response_mean_ms: Option<f64>,
    /// Mean time from the status line to the end of the reply, over `completed`.
    pub transfer_mean_ms: Option<f64>,
    /// Bytes of status lines and headers, of complete replies.
    pub header_bytes: u64,
    /// Bytes of bodies, of complete replies.
    pub content_bytes: u64,
    /// Bytes of trailers, of complete replies.
    pub footer_bytes: u64,
    /// Complete replies by the hundreds of their status, 1xx to 5xx.
    pub by_class: [u64; 5],
    /// Complete replies by status.
    pub by_status: BTreeMap<u32, u64>,
}

/// Outcomes of sessions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionOutcomes {
    /// Sessions that came to the end of their script.
    pub succeeded: u64,
    /// Sessions that did not.
    pub failed: u64,
    /// Connections opened by those that succeeded.
    pub connections_of_succeeded: u64,
    /// Mean age at the end, of those that succeeded.
    pub lifetime_mean_s: Option<f64>,
    /// Mean age at the end, of those that failed.
    pub failtime_mean_s: Option<f64>,
    /// `[k]`: sessions that got k replies.
    pub by_replies: Vec<u64>,
}
