//! When what a worker has done is sampled, and what a sample says.

use crate::clock::{Nanos, SECOND};
use crate::session::Sample;

/// When what is sampled next, and what there was at the last time.
#[derive(Default)]
pub(super) struct Sampling {
    pub(super) next: Nanos,
    last: Nanos,
    pub(super) ticks: usize,
    replies: u64,
    sessions: u64,
    pub(super) next_statuses: Nanos,
    pub(super) status_ticks: usize,
    pub(super) statuses: Vec<u64>,
}

impl Sampling {
    pub(super) fn new(first: Nanos, first_statuses: Nanos) -> Self {
        Self { next: first, next_statuses: first_statuses, ..Self::default() }
    }

    /// What there was is counted no more.
    pub(super) fn forget(&mut self) {
        (self.replies, self.sessions) = (0, 0);
        self.statuses.clear();
    }

    /// The sample that is due at `now`, if one is, of what there is by now; the next one
    /// is due `every` after it was due. Rates are those of the time that has passed, not
    /// of the time that should have: a worker may be late.
    pub(super) fn take(
        &mut self,
        now: Nanos,
        replies: u64,
        sessions: u64,
        every: Nanos,
    ) -> Option<Sample> {
        if now < self.next {
            return None;
        }
        let elapsed = now.saturating_sub(self.last).max(1) as f64 / SECOND as f64;
        let sample = Sample {
            replies_per_s: (replies - self.replies) as f64 / elapsed,
            sessions_per_s: (sessions - self.sessions) as f64 / elapsed,
        };
        (self.replies, self.sessions) = (replies, sessions);
        self.last = now;
        self.ticks += 1;
        self.next += every;
        Some(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    fn taken(sampling: &mut Sampling, ms: u64, replies: u64, sessions: u64) -> Option<(f64, f64)> {
        let every = 100 * MILLISECOND;
        let sample = sampling.take(ms * MILLISECOND, replies, sessions, every)?;
        Some((sample.replies_per_s, sample.sessions_per_s))
    }

    #[test]
    fn rates_are_those_since_the_sample_before() {
        let mut sampling = Sampling::new(100 * MILLISECOND, 0);
        assert_eq!(taken(&mut sampling, 99, 5, 1), None);
        assert_eq!(taken(&mut sampling, 100, 10, 2), Some((100.0, 20.0)));
        assert_eq!(taken(&mut sampling, 199, 30, 2), None);
        assert_eq!(taken(&mut sampling, 200, 30, 2), Some((200.0, 0.0)));
    }

    #[test]
    fn a_late_worker_gives_the_rate_of_the_time_that_passed() {
        let mut sampling = Sampling::new(100 * MILLISECOND, 0);
        // It stood still from 90 to 400 ms: four samples are due by then.
        assert_eq!(taken(&mut sampling, 400, 20, 4), Some((50.0, 10.0)));
        for _ in 0..3 {
            assert_eq!(taken(&mut sampling, 400, 20, 4), Some((0.0, 0.0)));
        }
        assert_eq!(taken(&mut sampling, 400, 20, 4), None);
        assert_eq!(taken(&mut sampling, 500, 30, 4), Some((100.0, 0.0)));
    }
}
