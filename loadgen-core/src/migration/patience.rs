//! A time limit on others that does not run while *we* stand still.
//!
//! A process that is stopped (SIGSTOP, a suspended host, no CPU) sees a limit pass
//! at once when it goes on, although what it waits for lies unread in a socket or a
//! pipe. So time is counted by looks: a look that came much later than it was to
//! come counts for nothing, and after it there is always another one.

use std::time::{Duration, Instant};

/// How long one wait lasts at the most.
const TURN: Duration = Duration::from_millis(100);

/// A wait that lasted longer than this was not ours: we were held up.
const HELD_UP: Duration = Duration::from_millis(250);

/// How many such waits are forgiven, so that a limit ends on a machine that holds us
/// up all the time, too.
const FORGIVEN: u32 = 100;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    left: Duration,
    since: Instant,
    forgiven: u32,
}

impl Patience {
    /// A limit that begins now.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { left: limit, since: Instant::now(), forgiven: 0 }
    }

    /// How long to wait before the next look: [`TURN`] at the most, or what is left.
    pub(crate) fn turn(&self) -> Duration {
        self.left.min(TURN)
    }

    /// To be called after each wait that brought nothing: counts it. Whether the limit
    /// has passed.
    pub(crate) fn is_over(&mut self) -> bool {
        let now = Instant::now();
        let waited = now.saturating_duration_since(self.since);
        self.since = now;
        self.count(waited)
    }

    fn count(&mut self, waited: Duration) -> bool {
        if waited > HELD_UP && self.forgiven < FORGIVEN {
            self.forgiven += 1;
            self.left = self.left.max(TURN);
        } else {
            self.left = self.left.saturating_sub(waited);
        }
        self.left.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_stop_of_our_own_does_not_count_and_is_followed_by_another_look() {
        let mut patience = Patience::new(1000 * MS);
        for _ in 0..9 {
            assert!(!patience.count(100 * MS));
        }
        assert!(!patience.count(99 * MS));
        assert_eq!(patience.turn(), MS);
        // Stopped for a minute, in the last millisecond.
        assert!(!patience.count(60_000 * MS));
        assert_eq!(patience.turn(), TURN);
        assert!(patience.count(100 * MS));
    }

    #[test]
    fn a_limit_ends_on_a_machine_that_always_holds_us_up() {
        let mut patience = Patience::new(1000 * MS);
        let looks = (1..).find(|_| patience.count(300 * MS)).unwrap();
        assert_eq!(looks, FORGIVEN + 4);
    }
}
