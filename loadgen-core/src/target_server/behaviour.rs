//! When the server answers and when it does not: a [`Behaviour`] decides, the
//! serving thread obeys.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::thread;
use std::time::Duration;

use super::options::Freeze;
use super::stop::Stopper;
use crate::clock::{MILLISECOND, Nanos, as_nanos, monotonic_ns};
use crate::plan::Precision;

/// Decides about delays and freezes. Called by the serving thread only; all times
/// are `CLOCK_MONOTONIC` in ns.
pub(crate) trait Behaviour {
    /// The server begins to serve.
    fn start(&mut self, now: Nanos);

    /// When [`turn`](Self::turn) wants to be called next (`Nanos::MAX`: not by time).
    fn deadline(&self) -> Nanos;

    /// The deadline has come, or the server was woken. `Some(end)`: do nothing
    /// until then.
    fn turn(&mut self, now: Nanos) -> Option<Nanos>;

    /// The thread does nothing from now on (read directly before it sleeps).
    fn stopped(&mut self, _at: Nanos) {}

    /// The thread runs again (read directly after it slept).
    fn resumed(&mut self, _at: Nanos) {}

    /// The delay of a request that arrived at `now`.
    fn delay(&mut self, now: Nanos) -> Nanos;
}

/// A fixed delay, by so many workers at a time, and periodic freezes.
#[derive(Debug)]
pub(super) struct Periodic {
    delay: Nanos,
    /// When each worker is free; empty: there is one for every request.
    workers: BinaryHeap<Reverse<Nanos>>,
    /// Length and period.
    freeze: Option<(Nanos, Nanos)>,
    next: Nanos,
}

impl Periodic {
    pub(super) fn new(delay: Duration, freeze: Option<Freeze>) -> Self {
        let freeze = freeze.map(|f| (as_nanos(f.length), as_nanos(f.every)));
        Self { delay: as_nanos(delay), workers: BinaryHeap::new(), freeze, next: Nanos::MAX }
    }

    /// So many requests are worked on at a time, in the order of their arrival;
    /// 0: all.
    pub(super) fn with_workers(mut self, workers: u32) -> Self {
        self.workers = (0..workers).map(|_| Reverse(0)).collect();
        self
    }
}

impl Behaviour for Periodic {
    fn start(&mut self, now: Nanos) {
        self.next = self.freeze.map_or(Nanos::MAX, |(_, every)| now + every);
    }

    fn deadline(&self) -> Nanos {
        self.next
    }

    fn turn(&mut self, now: Nanos) -> Option<Nanos> {
        let (length, every) = self.freeze?;
        if now < self.next {
            return None;
        }
        // After a pause of the whole machine some freezes may lie in the past.
        let missed = (now - self.next) / every;
        let start = self.next + missed * every;
        self.next = start + every;
        (now < start + length).then_some(start + length)
    }

    fn delay(&mut self, now: Nanos) -> Nanos {
        let Some(mut first) = self.workers.peek_mut() else { return self.delay };
        let end = first.0.max(now).saturating_add(self.delay);
        first.0 = end;
        end - now
    }
}

/// Does nothing until `end`, or until the server is to stop.
pub(super) fn sleep_until(end: Nanos, precision: Precision, stopper: &Stopper) {
    // Before the end, polling the clock is more exact than sleeping.
    let spin = if precision == Precision::Low { 0 } else { 100_000 };
    loop {
        let now = monotonic_ns();
        if now >= end || stopper.is_stopped() {
            return;
        }
        let left = end - now;
        if left > spin {
            thread::sleep(Duration::from_nanos((left - spin).min(10 * MILLISECOND)));
        } else {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn periodic() -> Periodic {
        let freeze = Freeze { length: Duration::from_nanos(10), every: Duration::from_nanos(100) };
        let mut periodic = Periodic::new(Duration::from_nanos(3), Some(freeze));
        periodic.start(1000);
        periodic
    }

    #[test]
    fn freezes_stay_on_their_grid() {
        let mut periodic = periodic();
        assert_eq!(periodic.deadline(), 1100);
        assert_eq!(periodic.turn(1099), None);
        assert_eq!(periodic.turn(1104), Some(1110));
        assert_eq!(periodic.deadline(), 1200);
        assert_eq!(periodic.turn(1200), Some(1210));
    }

    #[test]
    fn a_request_waits_for_a_worker() {
        let mut two = Periodic::new(Duration::from_nanos(10), None).with_workers(2);
        assert_eq!([two.delay(100), two.delay(103), two.delay(104)], [10, 10, 16]);
        assert_eq!([two.delay(105), two.delay(121)], [18, 10]);
        let mut all = Periodic::new(Duration::from_nanos(10), None).with_workers(0);
        assert_eq!([all.delay(100), all.delay(100), all.delay(100)], [10, 10, 10]);
    }

    #[test]
    fn missed_freezes_are_left_out() {
        let mut periodic = periodic();
        assert_eq!(periodic.turn(1350), None);
        assert_eq!(periodic.deadline(), 1400);
        assert_eq!(periodic.turn(1505), Some(1510));
    }

    #[test]
    fn without_a_freeze_there_is_no_deadline() {
        let mut periodic = Periodic::new(Duration::from_nanos(3), None);
        periodic.start(1000);
        assert_eq!((periodic.deadline(), periodic.turn(2000)), (Nanos::MAX, None));
        assert_eq!(periodic.delay(5), 3);
    }
}
