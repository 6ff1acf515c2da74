//! Deadlines of connections and sessions. A deadline that moves later, as most do,
//! touches nothing here: whoever is woken too early says when to come again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::Nanos;

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
