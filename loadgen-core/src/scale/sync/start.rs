//! The moment at which a load starts.

use serde::{Deserialize, Serialize};

use super::error::SyncError;
use super::offset::Offset;

/// The common start, on this shard's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Start {
    /// In ns of this shard's `CLOCK_MONOTONIC`
    /// ([`clock::monotonic_ns`](crate::clock::monotonic_ns)).
    pub at_ns: u64,
    /// How far from shard 0's start it is at most, in ns. 0 for shard 0.
    pub bound_ns: u64,
    /// The same moment in ns of shard 0's `CLOCK_MONOTONIC`, as it was told.
    pub host_ns: u64,
}

impl Start {
    /// The host's own.
    pub(super) fn of_host(at_ns: u64) -> Self {
        Self { at_ns, bound_ns: 0, host_ns: at_ns }
    }

    /// The host's, on the clock of a guest.
    ///
    /// # Errors
    /// [`SyncError::Late`] if it was before `now_ns`: a start is never shifted.
    pub(super) fn of_guest(host_ns: u64, offset: Offset, now_ns: u64) -> Result<Self, SyncError> {
        let (at_ns, bound_ns) = offset.to_own(host_ns);
        match now_ns.checked_sub(at_ns) {
            Some(late_ns) if late_ns > 0 => Err(SyncError::Late { late_ns }),
            _ => Ok(Self { at_ns, bound_ns, host_ns }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_mapped_and_never_shifted() {
        let offset = Offset { ns: 500, bound_ns: 7, at_ns: 1_000, exchanges: 32 };
        let start = Start::of_guest(2_500, offset, 1_900).unwrap();
        assert_eq!(start.at_ns, 2_000);
        assert!((7..=10).contains(&start.bound_ns), "{start:?}");
        assert!(Start::of_guest(2_500, offset, 2_000).is_ok());
        let error = Start::of_guest(2_500, offset, 500_002_000).unwrap_err();
        assert!(error.to_string().contains("0.5 s ago"), "{error}");
    }
}
