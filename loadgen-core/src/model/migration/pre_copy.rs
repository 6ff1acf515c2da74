//! Pre-copy of a machine with a working set: what both rules of it are told.

use super::dirtying::Dirtying;
use crate::model::error::{ModelError, not_negative, positive, ratio};

/// Pre-copy of a machine with a working set, until what is left can be sent within a limit on the
/// downtime.
///
/// There are two rules of what "left" means: [as QEMU does it](Self::by_slots), and the
/// [simple one](Self::by_passes), which tells less of the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PreCopy {
    /// Memory to send, in bytes: pages that are not empty.
    pub memory: f64,
    /// At which it is sent while the machine runs, in bytes a second.
    pub bandwidth: f64,
    /// At which the rest is sent while it stands still, in bytes a second.
    pub stop_bandwidth: f64,
    /// How the machine dirties its memory.
    pub dirtying: Dirtying,
    /// The limit on the downtime, as it is asked for, in s.
    pub limit_s: f64,
    /// What the target needs to load the state of devices and to resume, in s.
    pub load_s: f64,
    /// Bytes on the wire for a byte of memory: in the first pass, and later.
    pub ratios: (f64, f64),
}

impl PreCopy {
    /// With QEMU's limit of 300 ms, the same bandwidth while the machine stands still, and a target
    /// that resumes at once.
    #[must_use]
    pub fn new(memory: f64, bandwidth: f64, dirtying: Dirtying) -> Self {
        let stop_bandwidth = bandwidth;
        let ratios = (1.0, 1.0);
        Self { memory, bandwidth, stop_bandwidth, dirtying, limit_s: 0.3, load_s: 0.0, ratios }
    }

    /// At which the rest is sent while the machine stands still, in bytes a second.
    #[must_use]
    pub fn with_stop_bandwidth(mut self, stop_bandwidth: f64) -> Self {
        self.stop_bandwidth = stop_bandwidth;
        self
    }

    /// The limit on the downtime, in s.
    #[must_use]
    pub fn with_limit_s(mut self, limit_s: f64) -> Self {
        self.limit_s = limit_s;
        self
    }

    /// What the target needs to load the state of devices and to resume, in s.
    #[must_use]
    pub fn with_load_s(mut self, load_s: f64) -> Self {
        self.load_s = load_s;
        self
    }

    /// Compression, as of [`Geometric`](super::Geometric): bytes on the wire for a byte of memory, in
    /// the first pass and in later ones. What may be left is counted in bytes of memory.
    #[must_use]
    pub fn with_ratios(mut self, first: f64, later: f64) -> Self {
        self.ratios = (first, later);
        self
    }

    /// Bytes on the wire for a byte of memory in a pass, from 0.
    pub(super) fn ratio(&self, pass: usize) -> f64 {
        if pass == 0 { self.ratios.0 } else { self.ratios.1 }
    }

    /// What may be left at the stop, in bytes.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.bandwidth * self.limit_s
    }

    pub(super) fn check(&self) -> Result<(), ModelError> {
        not_negative("the memory", self.memory)?;
        positive("the bandwidth", self.bandwidth)?;
        positive("the bandwidth of the stop", self.stop_bandwidth)?;
        positive("the limit on the downtime", self.limit_s)?;
        not_negative("the time to load", self.load_s)?;
        ratio("the factor of the first pass", self.ratios.0)?;
        ratio("the factor of later passes", self.ratios.1)?;
        self.dirtying.check()
    }
}
