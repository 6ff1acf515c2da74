//! The fields of a report that tell what a reach check saw from outside. Their JSON
//! paths are a contract, as those of [`Report`](super::Report) are.

use serde::{Deserialize, Serialize};

/// How long the network lost the packets that were sent to the machine: dark by
/// sending. The run of lost checks at the switch-over (without STOP and RESUME events:
/// the longest after the firing), and how the checks were made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unreachable {
    /// Packets that were sent did not arrive for at least so long: from the first lost
    /// check to the last one, by their latest and earliest moment of sending. 0 where
    /// none was lost, where one alone was, and for `syn`, since a full accept queue
    /// drops SYNs of a machine that is reachable. A check is lost when it was not
    /// answered within 900 ms. `None`: not measured; `reason` says why.
    pub at_least: Option<f64>,
    /// … and at most so long: from the last check before that arrived to the first one
    /// after. Where none was lost: the longest time between two that arrived. `None`:
    /// not measured, or none arrived any more.
    pub at_most: Option<f64>,
    /// When it began at the earliest, in seconds from the start of the load.
    pub start_s: Option<f64>,
    /// `rst:PORT` (SYNs to a closed port), `icmp` or `syn` (SYNs to the service's port).
    pub method: Option<String>,
    /// The address that was asked.
    pub address: Option<String>,
    /// Checks a second.
    pub rate_per_s: Option<f64>,
    /// Checks sent, in all; `None`, here and below: there was no reach check.
    pub sent: Option<u64>,
    /// Checks lost after the firing.
    pub lost: Option<u64>,
    /// Checks lost before it: what is normal.
    pub lost_before: Option<u64>,
    /// Runs of lost checks after the firing beside the one told above, and the longest
    /// of them, at most.
    pub other_runs: Option<u64>,
    /// See `other_runs`; `None` where there is none, or its end was not seen.
    pub longest_other_at_most: Option<f64>,
    /// The longest time by which the checking thread was late: pauses of our own widen
    /// the intervals.
    pub longest_pause_ms: Option<f64>,
    /// CPU time of the checking thread.
    pub cpu_s: Option<f64>,
    /// Why nothing was measured; beside figures: why not to the end of the load.
    pub reason: Option<String>,
}

/// How long the machine's kernel gave no answer: silent by answering. The time without
/// packets arriving is in it, and so is that in which a slow machine did not get to
/// answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Silent {
    /// The longest time without an answer at the switch-over (without STOP and RESUME
    /// events: after the firing) lasted at least so long. `None`: not measured.
    pub at_least: Option<f64>,
    /// … and at most so long. `None`: not measured, or no answer came any more.
    pub at_most: Option<f64>,
    /// When it began at the earliest, in seconds from the start of the load.
    pub start_s: Option<f64>,
    /// The longest such time from the end of the warm-up to the firing, at most: what is
    /// normal.
    pub longest_before: Option<f64>,
}
