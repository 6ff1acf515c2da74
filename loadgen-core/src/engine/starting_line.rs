//! Where the workers of a run wait for each other, so that time 0 is the same
//! moment for all of them, and after the last warm connection is open.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::clock::{MILLISECOND, Nanos, monotonic_ns};

/// From the last worker's readiness to time 0: enough for all to wake up.
const RUN_UP: Nanos = 2 * MILLISECOND;

#[derive(Debug)]
struct State {
    missing: u32,
    /// Time 0 on `CLOCK_MONOTONIC`.
    origin: Option<u64>,
    abandoned: bool,
}

/// The meeting point of a run's workers and of whoever waits for its start.
#[derive(Debug)]
pub(crate) struct StartingLine {
    state: Mutex<State>,
    changed: Condvar,
}

impl StartingLine {
    pub(crate) fn new(workers: u32) -> Self {
        let state = State { missing: workers, origin: None, abandoned: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// A worker is ready. Waits for the others; returns time 0, or `None` when the
    /// start was abandoned. The last one to come sets it.
    pub(crate) fn ready(&self) -> Option<u64> {
        let mut state = self.lock();
        state.missing -= 1;
        if state.missing == 0 {
            state.origin = Some(monotonic_ns() + RUN_UP);
            self.changed.notify_all();
        }
        drop(state);
        self.origin()
    }

    /// Waits for time 0 to be known; `None` when the start was abandoned.
    pub(crate) fn origin(&self) -> Option<u64> {
        let waiting = |state: &mut State| state.origin.is_none() && !state.abandoned;
        let state =
            self.changed.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        state.origin
    }

    /// Time 0, if it is known already.
    pub(crate) fn known_origin(&self) -> Option<u64> {
        self.lock().origin
    }

    /// Sends everybody home: a worker is missing for good.
    pub(crate) fn abandon(&self) {
        self.lock().abandoned = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn all_start_at_the_same_time() {
        let line = StartingLine::new(3);
        let origins: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..3).map(|_| scope.spawn(|| line.ready())).collect();
            workers.into_iter().map(|w| w.join().unwrap()).collect()
        });
        assert!(origins[0].is_some());
        assert!(origins.iter().all(|o| *o == origins[0]));
        assert_eq!(line.known_origin(), origins[0]);
    }

    #[test]
    fn nobody_waits_for_a_worker_that_will_not_come() {
        let line = StartingLine::new(2);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| line.ready());
            line.abandon();
            assert_eq!(waiting.join().unwrap(), None);
        });
        assert_eq!(line.origin(), None);
    }
}
