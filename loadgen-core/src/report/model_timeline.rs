//! The run over time, as a report tells it. The JSON paths are a contract, as those of
//! [`Report`](super::Report) are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::KernelWindow;
use crate::record::Window;

/// The run over time, on a grid from the start of the load. It holds the warm-up
/// too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TimelineReport {
    /// Width of a window.
    pub window_ms: f64,
    /// The windows, without gaps.
    pub windows: Vec<WindowReport>,
    /// The same counts on a finer grid.
    pub counters: TimelineCounters,
    /// Failed, shed and unfinished calls, one by one, up to 10,000 of them.
    pub failed_calls: Vec<FailedCall>,
    /// How many of them there were in all.
    pub failed_calls_total: u64,
}

/// One window. Offered, shed and response times belong to the window of the
/// intended start; started, answered, failed and bytes to the window in which
/// they happened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WindowReport {
    /// Its begin, from the start of the load.
    pub start_s: f64,
    /// Arrivals by the schedule.
    pub offered: u64,
    /// Calls started.
    pub started: u64,
    /// Replies completed.
    pub answered: u64,
    /// Calls failed.
    pub failed: u64,
    /// Arrivals never started.
    pub shed: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Response times of the calls that were to start in it, by population.
    pub populations: BTreeMap<String, PopulationWindow>,
    /// Slow calls that were to start in it, by cause (the first 100,000 of a run).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slow_calls: BTreeMap<String, u64>,
    /// What the kernel said during it; `None` if it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelWindow>,
}

/// Response times of a window's calls of one population (2 significant digits).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PopulationWindow {
    /// Answered calls with an intended start in the window.
    pub count: u64,
    /// Median response time.
    pub p50_us: Option<f64>,
    /// 99th percentile, or the maximum when the window has fewer than 100 calls.
    pub p99_us: Option<f64>,
    /// Longest response time.
    pub max_us: Option<f64>,
}

impl PopulationWindow {
    /// What is told of a window that was recorded.
    pub(crate) fn of(window: &Window) -> Self {
        let count = window.count();
        let micros = |ns: u64| ns as f64 / 1e3;
        let p99 = window.quantile_ns(if count < 100 { 1.0 } else { 0.99 });
        Self {
            count,
            p50_us: window.quantile_ns(0.5).map(micros),
            p99_us: p99.map(micros),
            max_us: (count > 0).then_some(micros(window.max_ns)),
        }
    }
}

/// Counts on a fine grid, one entry a step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TimelineCounters {
    /// Width of a step.
    pub step_ms: f64,
    /// Arrivals by the schedule.
    pub offered: Vec<u32>,
    /// Replies completed.
    pub answered: Vec<u32>,
    /// Calls failed.
    pub failed: Vec<u32>,
}

/// A call that brought no reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailedCall {
    /// Its intended start, from the start of the load.
    pub at_s: f64,
    /// From the intended start to giving up.
    pub waited_s: f64,
    /// Its way of connecting.
    pub population: String,
    /// `phase-cause`, `shed` or `unfinished`.
    pub class: String,
}
