//! What the server knows when it ends: [`TargetTruth`].

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::TargetServerError;
use super::time_log::TimeLog;
use crate::clock::{Nanos, SECOND, monotonic_ns};
use crate::report::latency::quantile;

/// Freezes that are listed one by one; later ones are only counted.
const LISTED_FREEZES: usize = 100_000;

/// What the built-in server did, by its own account. `*_monotonic_ns` are readings
/// of `CLOCK_MONOTONIC` of the server's host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TargetTruth {
    /// The address that it listened on.
    pub listen: String,
    /// When it began to serve; freezes are counted from here.
    pub started_monotonic_ns: u64,
    /// When it ended.
    pub stopped_monotonic_ns: u64,
    /// The programmed delay.
    pub delay_us: f64,
    /// Requests that were worked on at a time; `None`: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// Status of the replies.
    pub status: u16,
    /// Bytes of each reply's body.
    pub body_bytes: u64,
    /// Connections accepted.
    pub connections_accepted: u64,
    /// Connections that the client reset.
    pub connections_reset: u64,
    /// Times that no connection could be accepted (no descriptors, no memory);
    /// tried again 50 ms later each time.
    pub accept_failures: u64,
    /// Requests read whole.
    pub requests_read: u64,
    /// Requests that were not sound, answered with 400, 411 or 431. Not part of
    /// `requests_read`.
    pub requests_refused: u64,
    /// Replies given to the kernel whole.
    pub replies_sent: u64,
    /// Replies not sent, since the connection had gone or the server ended.
    pub replies_unsent: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Bytes given to the kernel.
    pub bytes_sent: u64,
    /// How late replies were sent.
    pub send_lateness: Lateness,
    /// When the server did nothing: the real times, not the programmed ones.
    pub freezes: Vec<FreezeTruth>,
    /// Freezes after the first 100,000, which are not listed.
    pub freezes_not_listed: u64,
    /// Arrival times written.
    pub arrivals_kept: u64,
    /// Arrival times beyond the limit, not written.
    pub arrivals_not_kept: u64,
    /// Calls whose times were written.
    #[serde(default)]
    pub calls_kept: u64,
    /// Calls beyond the limit, whose times were not written.
    #[serde(default)]
    pub calls_not_kept: u64,
}

/// One freeze as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FreezeTruth {
    /// Read directly before the thread slept.
    pub start_monotonic_ns: u64,
    /// Read directly after it slept.
    pub end_monotonic_ns: u64,
}

/// From the time a reply was due to just before its first byte was given to the
/// kernel, in µs. A reply that became due in a freeze counts from the freeze's end.
/// `None` if there was no reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lateness {
    /// Replies counted.
    pub count: u64,
    /// Half of the replies were late by no more; `None` below 20, as in reports.
    pub p50_us: Option<f64>,
    /// 99 % of the replies were late by no more; `None` below 1000.
    pub p99_us: Option<f64>,
    /// The latest one.
    pub max_us: Option<f64>,
}

/// Collects the truth while the server runs.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) truth: TargetTruth,
    /// When requests had come, and replies had been sent.
    calls: TimeLog<2>,
    lateness: Histogram<u64>,
    last_freeze: (Nanos, Nanos),
}

impl Tally {
    pub(super) fn new(calls: TimeLog<2>) -> Result<Self, TargetServerError> {
        let lateness = Histogram::new_with_bounds(1, 3600 * SECOND, 3).map_err(|error| {
            TargetServerError::System { what: "histogram", cause: std::io::Error::other(error) }
        })?;
        Ok(Self { truth: TargetTruth::default(), calls, lateness, last_freeze: (0, 0) })
    }

    pub(super) fn froze(&mut self, start: Nanos, end: Nanos) {
        self.last_freeze = (start, end);
        if self.truth.freezes.len() < LISTED_FREEZES {
            let freeze = FreezeTruth { start_monotonic_ns: start, end_monotonic_ns: end };
            self.truth.freezes.push(freeze);
        } else {
            self.truth.freezes_not_listed += 1;
        }
    }

    /// A reply that was due at `due` is about to be sent.
    pub(super) fn sending(&mut self, due: Nanos, now: Nanos) {
        let (start, end) = self.last_freeze;
        let due = if (start..end).contains(&due) { end } else { due };
        self.lateness.saturating_record(now.saturating_sub(due));
    }

    /// The reply to a request that came at `came` was given to the kernel whole.
    pub(super) fn sent(&mut self, came: Nanos) {
        self.truth.replies_sent += 1;
        self.calls.record(|| [came, monotonic_ns()]);
    }

    pub(super) fn finish(mut self, now: Nanos) -> Result<TargetTruth, TargetServerError> {
        let count = self.lateness.len();
        self.truth.send_lateness = Lateness {
            count,
            p50_us: quantile(&self.lateness, 1, 2),
            p99_us: quantile(&self.lateness, 99, 100),
            max_us: (count > 0).then_some(self.lateness.max() as f64 / 1000.0),
        };
        self.truth.stopped_monotonic_ns = now;
        self.truth.calls_kept = self.calls.kept();
        self.truth.calls_not_kept = self.calls.not_kept;
        self.calls.write()?;
        Ok(self.truth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        Tally::new(TimeLog::create(None, 0).unwrap()).unwrap()
    }

    #[test]
    fn lateness_in_a_freeze_counts_from_its_end() {
        let mut tally = tally();
        tally.froze(1_000_000, 3_000_000);
        tally.sending(2_000_000, 3_005_000);
        let truth = tally.finish(4_000_000).unwrap();
        let lateness = truth.send_lateness;
        assert_eq!(lateness.count, 1);
        assert!((lateness.max_us.unwrap() - 5.0).abs() < 0.01, "{lateness:?}");
    }

    #[test]
    fn without_replies_there_is_no_lateness() {
        let truth = tally().finish(1).unwrap();
        assert_eq!((truth.send_lateness.count, truth.send_lateness.p50_us), (0, None));
    }
}
