//! What of the figures may be the generator's own: its pauses, and the calls that
//! it had its part in.
//!
//! Kept as differences, so that a run without them pays nothing: the response times
//! *without* own lateness are those measured, less `as_measured`, plus `without`.

use serde::{Deserialize, Serialize};

use super::load::{Histogram, add, histogram};
use super::written;
use crate::clock::Nanos;

/// Own lateness of a call from which it is kept.
pub(crate) const KEPT_FROM: Nanos = 10_000;

/// Times in which a worker did not look at its sockets, beyond the sleep it had
/// asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PauseRecord {
    pub(crate) longest: Nanos,
    /// When the longest began.
    pub(crate) at: Nanos,
    pub(crate) count: u64,
    pub(crate) sum: Nanos,
}

impl PauseRecord {
    pub(crate) fn add(&mut self, from: Nanos, to: Nanos) {
        let length = to.saturating_sub(from);
        self.count += 1;
        self.sum += length;
        if length > self.longest {
            (self.longest, self.at) = (length, from);
        }
    }

    /// Joins that of another worker.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        if other.longest > self.longest {
            (self.longest, self.at) = (other.longest, other.at);
        }
    }
}

/// Calls after the warm-up that the generator had its part in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OwnRecord {
    /// Response times of answered calls that may hold some of its lateness: as they
    /// were, and without as much of it as there may be.
    #[serde(with = "written::histogram")]
    pub(crate) as_measured: Histogram,
    #[serde(with = "written::histogram")]
    pub(crate) without: Histogram,
    /// Calls that brought no reply, for which it may be to blame.
    pub(crate) lost: u64,
    /// Those of them that were shed.
    pub(crate) shed: u64,
    /// Those of them that ran out of time.
    pub(crate) timed_out: u64,
    /// Calls that had not ended at the end of the load, and may have without it.
    pub(crate) left_over: u64,
    /// Arrivals that waited for a connection when the load ended, because of it.
    pub(crate) waiting_at_end: u64,
}

impl Default for OwnRecord {
    fn default() -> Self {
        Self {
            as_measured: histogram(),
            without: histogram(),
            lost: 0,
            shed: 0,
            timed_out: 0,
            left_over: 0,
            waiting_at_end: 0,
        }
    }
}

impl OwnRecord {
    /// An answered call that took `response`, of which up to `own` are the generator's.
    pub(crate) fn answered(&mut self, response: Nanos, own: Nanos) {
        self.as_measured.saturating_record(response);
        self.without.saturating_record(response.saturating_sub(own));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        add(&mut self.as_measured, &other.as_measured);
        add(&mut self.without, &other.without);
        self.lost += other.lost;
        self.shed += other.shed;
        self.timed_out += other.timed_out;
        self.left_over += other.left_over;
        self.waiting_at_end += other.waiting_at_end;
    }

    /// The upper bounds of several delays may come to more than there was: no call took
    /// less than `shortest` without them.
    pub(crate) fn bounded(&self, shortest: Nanos) -> Self {
        if self.without.is_empty() || self.without.min() >= shortest {
            return self.clone();
        }
        let mut without = histogram();
        for step in self.without.iter_recorded() {
            let times = step.count_since_last_iteration();
            without.saturating_record_n(step.value_iterated_to().max(shortest), times);
        }
        Self { without, ..self.clone() }
    }

    /// These response times, those of all answered calls, without own lateness.
    /// `None` if they are not those that this was recorded beside.
    pub(crate) fn taken_out_of(&self, response: &Histogram) -> Option<Histogram> {
        let mut rest = response.clone();
        rest.subtract(&self.as_measured).ok()?;
        add(&mut rest, &self.without);
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    #[test]
    fn lateness_is_taken_out_of_the_calls_that_had_it() {
        let mut all = histogram();
        let mut own = OwnRecord::default();
        for _ in 0..98 {
            all.record(2 * MILLISECOND).unwrap();
        }
        for response in [80, 90] {
            all.record(response * MILLISECOND).unwrap();
            own.answered(response * MILLISECOND, 75 * MILLISECOND);
        }
        let without = own.taken_out_of(&all).unwrap();
        assert_eq!(without.len(), 100);
        let near = |value: u64, ms: u64| value.abs_diff(ms * MILLISECOND) < MILLISECOND / 10;
        assert!(near(without.max(), 15) && near(without.value_at_quantile(0.98), 2));
        assert!(own.taken_out_of(&histogram()).is_none());
    }

    #[test]
    fn nothing_is_shorter_than_the_server_ever_was() {
        let mut own = OwnRecord::default();
        own.answered(50 * MILLISECOND, 50 * MILLISECOND);
        own.answered(90 * MILLISECOND, 30 * MILLISECOND);
        let own = own.bounded(48 * MILLISECOND);
        assert_eq!(own.without.len(), 2);
        let near = |value: u64, ms: u64| value.abs_diff(ms * MILLISECOND) < MILLISECOND / 10;
        assert!(near(own.without.min(), 48) && near(own.without.max(), 60));
    }

    #[test]
    fn the_longest_pause_is_that_of_any_worker() {
        let mut one = PauseRecord::default();
        one.add(5, 10);
        one.add(20, 22);
        let mut other = PauseRecord::default();
        other.add(7, 17);
        one.merge(&other);
        assert_eq!(one, PauseRecord { longest: 10, at: 7, count: 3, sum: 17 });
    }
}
