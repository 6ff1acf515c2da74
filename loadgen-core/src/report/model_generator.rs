//! What of the figures may be the generator's own doing. The JSON paths are a
//! contract, as those of [`Report`](super::Report) are.

use serde::{Deserialize, Serialize};

use super::Latency;

/// The generator's own pauses, and the calls that it may have had its part in.
///
/// A pause is the time between two looks of a worker thread at its sockets beyond the
/// sleep that it had asked for: the process was stopped, had no CPU, or was busy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GeneratorReport {
    /// Shorter times count as no pause.
    pub pause_threshold_ms: f64,
    /// Pauses of the worker threads after the warm-up.
    pub pauses: u64,
    /// All of them together.
    pub paused_ms: f64,
    /// The longest; `None`: there was none.
    pub longest_pause_ms: Option<f64>,
    /// When it began, from the start of the load.
    pub longest_pause_at_s: Option<f64>,
    /// Response times of all answered calls without the part of them that may be the
    /// generator's: its lag, and the pauses that a call was there for or came behind. A
    /// lower bound of what the server took. `None`: no call had any.
    pub response_time_without: Option<Latency>,
    /// Calls without a reply that may owe that to the generator's lateness.
    pub calls_lost: u64,
    /// Of them, those that were shed.
    pub shed: u64,
    /// Calls that had no reply when the load ended, and may have had one without it.
    pub left_over: u64,
}

impl GeneratorReport {
    /// The same without the histogram.
    pub(crate) fn in_short(&self) -> Self {
        let without = self.response_time_without.as_ref();
        let without = without.map(|latency| Latency { histogram: None, ..latency.clone() });
        Self { response_time_without: without, ..self.clone() }
    }

    /// The longest pause in words, if there was any.
    pub(crate) fn longest_pause(&self) -> Option<String> {
        let (ms, at_s) = (self.longest_pause_ms?, self.longest_pause_at_s?);
        Some(format!("its longest pause was {ms:.1} ms, at {at_s:.2} s"))
    }
}
