//! A time limit on others that does not run while *we* stand still.
//!
//! A process that is stopped (SIGSTOP, a suspended host, no CPU) sees a limit pass
//! at once when it goes on, although what it waits for lies unread in a socket or a
//! pipe. So time is counted by looks: a look that came much later than it was to
//! come counts for nothing, and after it there is always another one.
//!
//! Every look counts, whatever it brought: others who talk without pause must not make
//! a limit last for ever.

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
    over: bool,
}

/// What one wait came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn<T> {
    /// Something came.
    Brought(T),
    /// Nothing came yet.
    Nothing,
    /// The limit has passed; nothing was looked for any more, or nothing came.
    Over,
}

impl Patience {
    /// A limit that begins now.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { left: limit, since: Instant::now(), forgiven: 0, over: false }
    }

    /// One look: `look` waits for as long as it is told at the most. What it brings in
    /// the last of the time still counts; after that nothing is looked for.
    pub(crate) fn wait<T>(&mut self, look: impl FnOnce(Duration) -> Option<T>) -> Turn<T> {
        if self.over {
            return Turn::Over;
        }
        let brought = look(self.turn());
        let over = self.tick();
        match brought {
            Some(brought) => Turn::Brought(brought),
            None if over => Turn::Over,
            None => Turn::Nothing,
        }
    }

    /// Whether the limit has passed, by the looks that were counted.
    #[cfg(feature = "clouds")]
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// How long to wait before the next look: [`TURN`] at the most, or what is left.
    pub(crate) fn turn(&self) -> Duration {
        self.left.min(TURN)
    }

    /// Counts a look that was made elsewhere: to be called after each of them, whatever
    /// it brought. Whether the limit has passed.
    pub(crate) fn tick(&mut self) -> bool {
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
        self.over |= self.left.is_zero();
        self.over
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

    #[test]
    fn who_talks_without_pause_does_not_make_a_limit_last() {
        let mut patience = Patience::new(1000 * MS);
        let mut looks = 0;
        // The clock is invented: each look takes 50 ms of it, and brings something.
        let turn = loop {
            patience.since = patience.since.checked_sub(50 * MS).unwrap();
            match patience.wait(|_| Some(())) {
                Turn::Brought(()) => looks += 1,
                other => break other,
            }
            assert!(looks < 1000);
        };
        assert_eq!(turn, Turn::Over);
    }

    #[test]
    fn there_is_always_one_look() {
        let mut patience = Patience::new(Duration::ZERO);
        assert_eq!(patience.wait(|turn| turn.is_zero().then_some(7)), Turn::Brought(7));
        assert_eq!(patience.wait(|_| Some(7)), Turn::Over);
        assert_eq!(Patience::new(Duration::ZERO).wait(|_| None::<u8>), Turn::Over);
    }
}
