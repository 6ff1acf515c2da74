//! The fields of a report that the kernel's view fills: why calls were slow, and
//! how connections fared over time. Their JSON paths are a contract, as those of
//! [`Report`](super::Report) are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Latency;

/// Why calls were slow: their time by what it went into. Only of single calls, not
/// of sessions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlowCalls {
    /// A call is slow when it took longer than this, from its intended start to its
    /// reply or its giving up, whatever became of it. Linux waits at least so long
    /// before it sends data again.
    pub threshold_ms: f64,
    /// Slow calls, without those of the warm-up.
    pub count: u64,
    /// Of them, those whose connection the kernel was asked about.
    pub sampled: u64,
    /// By cause: `syn-retransmission`, `data-retransmission`, `server`,
    /// `handshake`, `reconnect`, `queue`, `own-lag`, `unsampled`; those that did not
    /// occur are left out.
    pub causes: BTreeMap<String, SlowCause>,
}

/// One thing that slow calls spent their time on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlowCause {
    /// Slow calls that spent more time on this than on anything else.
    pub calls: u64,
    /// The time that all slow calls spent on it.
    pub time_s: f64,
    /// The slowest of `calls`; `None` if it is the main cause of none.
    pub slowest: Option<SlowCall>,
}

/// One slow call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlowCall {
    /// Its intended start, from the start of the load.
    pub at_s: f64,
    /// From there to its reply or its giving up.
    pub took_ms: f64,
    /// Its way of connecting.
    pub population: String,
    /// Its time by cause; what took none is left out.
    pub parts_ms: BTreeMap<String, f64>,
    /// Its connection when it ended; `None` if the kernel was not asked.
    pub connection: Option<ConnectionSample>,
}

/// What the kernel said of a connection (`TCP_INFO`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConnectionSample {
    /// Smoothed round trip; `None` before it was measured.
    pub rtt_us: Option<f64>,
    /// Its mean deviation.
    pub rtt_deviation_us: Option<f64>,
    /// Retransmission timeout in force.
    pub rto_ms: f64,
    /// Segments sent again in its life, SYNs among them.
    pub total_retransmits: u32,
    /// Timeouts in a row that what is outstanding has been sent again after.
    pub retransmits: u32,
    /// How often the timeout has been doubled.
    pub backoff: u32,
    /// Segments not acknowledged.
    pub unacknowledged: u32,
    /// Segments that the kernel took for lost.
    pub lost: u32,
}

/// What the kernel's receive timestamps told, of answered calls. Only with
/// [`Plan::with_kernel_timestamps`](crate::Plan::with_kernel_timestamps).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KernelTimestamps {
    /// From the kernel's receipt of the reply's last byte to our reading of it.
    pub receive_delay: Latency,
    /// Service time without it: first byte sent to that receipt.
    pub service_time_to_receipt: Latency,
    /// Answered calls of which the kernel did not say.
    pub missing: u64,
}

/// What the kernel said during one window: of some of the connections, ten times a
/// second, and of the worker threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KernelWindow {
    /// Samples of connections: up to 8 in turn, and the one with the oldest call of
    /// each load.
    pub samples: u64,
    /// Of them, those that had sent something again that was not acknowledged yet.
    pub retransmitting: u64,
    /// Mean and largest of the smoothed round trips; `None` where none was known.
    pub rtt_mean_us: Option<f64>,
    /// Samples that have one; 0 in reports of earlier versions.
    #[serde(default)]
    pub rtt_samples: u64,
    /// The largest of them.
    pub rtt_max_us: Option<f64>,
    /// The largest retransmission timeout in force.
    pub rto_max_ms: Option<f64>,
    /// How long the worker threads were ready to run and had no CPU, together.
    pub run_delay_ms: Option<f64>,
}
