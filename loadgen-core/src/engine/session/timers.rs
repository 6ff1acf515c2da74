//! Deadlines of connections and sessions. A deadline that moves later, as most do,
//! touches nothing here: whoever is woken too early says when to come again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::Nanos;

/// Deadlines from which it is worth looking for void ones.
const ENOUGH_TO_TIDY: usize = 4096;

/// Whose deadline it is, by token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Connection(u64),
    Session(u64),
}

/// Deadlines, the next one first.
#[derive(Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(Nanos, Owner)>>);

impl Timers {
    pub(super) fn set(&mut self, at: Nanos, owner: Owner) {
        self.0.push(Reverse((at, owner)));
    }

    /// Forgets the deadlines of those that are gone, once they are the larger part:
    /// `live` have one.
    pub(super) fn tidy(&mut self, live: usize, is_live: impl Fn(Owner) -> bool) {
        if self.0.len() > 4 * live + ENOUGH_TO_TIDY {
            self.0.retain(|Reverse((_, owner))| is_live(*owner));
        }
    }

    /// When the next one is due; some may be void by then.
    pub(super) fn next(&self) -> Option<Nanos> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one that is due.
    pub(super) fn take_due(&mut self, now: Nanos) -> Option<Owner> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, owner))| owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadlines_of_the_gone_are_forgotten() {
        let mut timers = Timers::default();
        for token in 0..10_000 {
            timers.set(10_000 - token, Owner::Connection(token));
            timers.tidy(10, |owner| matches!(owner, Owner::Connection(token) if token < 10));
            assert!(timers.0.len() <= ENOUGH_TO_TIDY + 41);
        }
        assert_eq!(timers.take_due(0), None);
        timers.tidy(0, |owner| owner == Owner::Connection(9));
        let due: Vec<_> = std::iter::from_fn(|| timers.take_due(9_995)).collect();
        assert!(due.is_sorted_by_key(|owner| Reverse(*owner)), "{due:?}");
    }
}
