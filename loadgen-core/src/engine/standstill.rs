//! What the threads of a run tell each other of their long pauses: the burst that
//! follows one makes the calls of all threads wait. Written only after such a pause.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Nanos;

/// Long pauses of all threads, of which those at the same time count once.
#[derive(Debug, Default)]
pub(crate) struct Standstill {
    /// The end of the last one, from the start of the load.
    end: AtomicU64,
    /// How long they were together.
    sum: AtomicU64,
}

impl Standstill {
    /// A thread stood still. Returns how much of that is new.
    pub(super) fn add(&self, start: Nanos, end: Nanos) -> Nanos {
        let told = self.end.fetch_max(end, Ordering::Relaxed);
        let new = end.saturating_sub(start.max(told));
        // Whoever sees the sum sees an end that belongs to it, or a later one.
        self.sum.fetch_add(new, Ordering::Release);
        new
    }

    #[inline]
    pub(super) fn sum(&self) -> Nanos {
        self.sum.load(Ordering::Acquire)
    }

    pub(super) fn end(&self) -> Nanos {
        self.end.load(Ordering::Relaxed)
    }
}
