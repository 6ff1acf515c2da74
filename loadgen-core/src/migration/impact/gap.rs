//! A silence, as a client sees it.

use crate::clock::Nanos;

/// A silence: no good reply was complete in `(start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) start: Nanos,
    pub(super) end: Nanos,
    /// Cut by the end of the load: in truth it is longer.
    pub(super) cut: bool,
}

impl Gap {
    pub(super) fn length(&self) -> Nanos {
        self.end - self.start
    }
}
