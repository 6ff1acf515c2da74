//! Where the workers of a run wait for each other, so that time 0 is the same
//! moment for all of them, and after the last warm connection is open.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::clock::{MILLISECOND, Nanos, monotonic_ns};

/// From the last worker's readiness to time 0: enough for all to wake up.
const RUN_UP: Nanos = 2 * MILLISECOND;

/// How long before time 0 workers are sent off to wait for it, and how often it is looked until
/// then whether there is to be none.
const NEAR: Nanos = 200 * MILLISECOND;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Says, when all workers are ready, when time 0 is: a reading of `CLOCK_MONOTONIC` in ns, or why
/// there is none. It may wait, and then asks whether the run was given up meanwhile.
pub(crate) struct Begin(Says);

type Says = Box<dyn FnOnce(&dyn Fn() -> bool) -> Result<u64, String> + Send>;

impl Begin {
    pub(crate) fn when(
        says: impl FnOnce(&dyn Fn() -> bool) -> Result<u64, String> + Send + 'static,
    ) -> Self {
        Self(Box::new(says))
    }
}

impl fmt::Debug for Begin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Begin")
    }
}

#[derive(Debug)]
struct State {
    missing: u32,
    /// Time 0 on `CLOCK_MONOTONIC`.
    origin: Option<u64>,
    abandoned: bool,
    /// `None`: time 0 is as soon as may be.
    begin: Option<Begin>,
    /// Why there is no time 0.
    failure: Option<String>,
}

/// The meeting point of a run's workers and of whoever waits for its start.
#[derive(Debug)]
pub(crate) struct StartingLine {
    state: Mutex<State>,
    changed: Condvar,
}

impl StartingLine {
    pub(crate) fn new(workers: u32, begin: Option<Begin>) -> Self {
        let state =
            State { missing: workers, origin: None, abandoned: false, begin, failure: None };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// A worker is ready. Waits for the others; returns time 0, or `None` when the
    /// start was abandoned. The last one to come sets it.
    pub(crate) fn ready(&self, is_given_up: &dyn Fn() -> bool) -> Option<u64> {
        let mut state = self.lock();
        state.missing -= 1;
        let is_last = state.missing == 0;
        let begin = if is_last { state.begin.take() } else { None };
        drop(state);
        if is_last {
            // It may take its time, in which others may abandon the start.
            let soon = || Ok(monotonic_ns() + RUN_UP);
            let origin = begin.map_or_else(soon, |begin| {
                (begin.0)(is_given_up).and_then(|origin| await_start(origin, is_given_up))
            });
            let mut state = self.lock();
            match origin {
                Ok(origin) => state.origin = Some(origin),
                Err(why) => (state.abandoned, state.failure) = (true, Some(why)),
            }
            self.changed.notify_all();
        }
        self.origin()
    }

    /// Why the load did not begin, if somebody was asked when it is to, and did not know.
    pub(crate) fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
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

/// Waits until it is near: nobody looks before whether the run was given up.
fn await_start(origin: u64, is_given_up: &dyn Fn() -> bool) -> Result<u64, String> {
    while monotonic_ns().saturating_add(NEAR) < origin {
        if is_given_up() {
            return Err("it was stopped before".to_owned());
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_is_far_can_be_given_up() {
        let far = monotonic_ns() + 3_600_000 * MILLISECOND;
        let line = StartingLine::new(1, Some(Begin::when(move |_| Ok(far))));
        assert_eq!(line.ready(&|| true), None);
        assert!(line.failure().is_some());
        let soon = monotonic_ns() + 2 * NEAR;
        let line = StartingLine::new(1, Some(Begin::when(move |_| Ok(soon))));
        assert_eq!(line.ready(&|| false), Some(soon));
    }

    #[test]
    fn all_start_at_the_same_time() {
        let line = StartingLine::new(3, None);
        let origins: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..3).map(|_| scope.spawn(|| line.ready(&|| false))).collect();
            workers.into_iter().map(|w| w.join().unwrap()).collect()
        });
        assert!(origins[0].is_some());
        assert!(origins.iter().all(|o| *o == origins[0]));
        assert_eq!(line.known_origin(), origins[0]);
    }

    #[test]
    fn nobody_waits_for_a_worker_that_will_not_come() {
        let line = StartingLine::new(2, None);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| line.ready(&|| false));
            line.abandon();
            assert_eq!(waiting.join().unwrap(), None);
        });
        assert_eq!(line.origin(), None);
    }

    #[test]
    fn somebody_may_say_when() {
        let at = |begin: Begin| {
            let line = StartingLine::new(1, Some(begin));
            (line.ready(&|| true), line.failure())
        };
        assert_eq!(at(Begin::when(|_| Ok(7))), (Some(7), None));
        let late = at(Begin::when(|is_given_up| Err(format!("late: {}", is_given_up()))));
        assert_eq!(late, (None, Some("late: true".to_owned())));
    }
}
