//! How fast connections of a load may be opened: how many handshakes may be
//! under way at once, and how many may begin in a second. Arrivals that find no
//! connection wait meanwhile, in the due queue.

use crate::clock::{MILLISECOND, Nanos, SECOND};
use crate::plan::Load;
use crate::schedule::Schedule;

/// Handshakes under way at once in a closed loop, and while connections are opened
/// before the load: below the backlog of common servers (511, older ones 128).
pub(crate) const AT_ONCE: u32 = 64;

/// A worker that was late opens what it missed of this time together.
const CATCH_UP: Nanos = 10 * MILLISECOND;

/// The limits of one load in one worker, and where it stands.
#[derive(Debug)]
pub(crate) struct Opening {
    /// Handshakes under way.
    under_way: u32,
    at_once: u32,
    /// From one to the next; 0: no limit.
    every: Nanos,
    next: Nanos,
}

impl Opening {
    pub(crate) fn new(load: &Load, shards: u32) -> Self {
        // In open loop a user who comes connects at once unless told otherwise: if
        // he waited, he would not feel what the server does to newcomers.
        let default = match load.schedule {
            Schedule::Closed => AT_ONCE,
            _ => u32::MAX,
        };
        let share = |whole: u32| (whole / shards).max(1);
        let every = |rate: f64| (SECOND as f64 * f64::from(shards) / rate).round() as Nanos;
        Self {
            under_way: 0,
            at_once: load.max_connecting.map_or(default, share),
            every: load.connect_rate_per_s.map_or(0, every),
            next: 0,
        }
    }

    /// Whether one more may begin. `now` is asked for only if it matters.
    pub(crate) fn is_allowed(&self, now: impl FnOnce() -> Nanos) -> bool {
        self.under_way < self.at_once && (self.every == 0 || self.next <= now())
    }

    /// When the next one may begin, if it is time that forbids it.
    pub(crate) fn next(&self) -> Option<Nanos> {
        (self.every > 0 && self.under_way < self.at_once).then_some(self.next)
    }

    /// Whether connections are opened at a rate.
    pub(crate) fn is_paced(&self) -> bool {
        self.every > 0
    }

    pub(crate) fn begun(&mut self, now: Nanos) {
        self.under_way += 1;
        self.next = (self.next + self.every).max(now.saturating_sub(CATCH_UP));
    }

    pub(crate) fn ended(&mut self) {
        self.under_way -= 1;
    }

    /// The clock begins anew.
    pub(crate) fn restart(&mut self) {
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(at_once: Option<u32>, rate: Option<f64>, shards: u32) -> Opening {
        let mut load = Load::established(Schedule::constant(1.0));
        load.max_connecting = at_once;
        load.connect_rate_per_s = rate;
        Opening::new(&load, shards)
    }

    #[test]
    fn handshakes_under_way_are_limited() {
        let mut opening = opening(Some(4), None, 2);
        opening.begun(0);
        assert!(opening.is_allowed(|| 0));
        opening.begun(0);
        assert!(!opening.is_allowed(|| SECOND));
        assert_eq!(opening.next(), None);
        opening.ended();
        assert!(opening.is_allowed(|| 0));
    }

    /// Invented clock: a look every `step`, all that is allowed is opened.
    fn begun_in_a_second(opening: &mut Opening, step: Nanos) -> u64 {
        let mut begun = 0;
        for now in (0..SECOND).step_by(step as usize) {
            while opening.is_allowed(|| now) {
                opening.begun(now);
                begun += 1;
            }
        }
        begun
    }

    #[test]
    fn the_rate_holds_however_often_it_is_looked_at() {
        for step in [10_000, MILLISECOND, 9 * MILLISECOND] {
            let begun = begun_in_a_second(&mut opening(None, Some(1000.0), 1), step);
            assert!((985..=1011).contains(&begun), "{begun} with a look every {step} ns");
        }
        let begun = begun_in_a_second(&mut opening(None, Some(1000.0), 4), MILLISECOND);
        assert!((247..=254).contains(&begun), "{begun} in one of four shards");
    }

    #[test]
    fn what_was_missed_is_not_caught_up_for_long() {
        let mut opening = opening(None, Some(1000.0), 1);
        opening.begun(0);
        let mut begun = 0;
        while opening.is_allowed(|| SECOND) {
            opening.begun(SECOND);
            begun += 1;
        }
        assert!((10..=12).contains(&begun), "{begun}");
    }
}
