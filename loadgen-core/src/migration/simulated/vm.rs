//! The machine to simulate: [`SimulatedVm`].

use serde::{Deserialize, Serialize};

use super::super::trigger::Strategy;

/// A machine to simulate and its migration. The letters are those of the
/// [model](super).
///
/// The default moves 512 MiB at 64 MiB/s by pre-copy while 10 MiB/s become dirty: two
/// rounds, 9 to 10 s in all, a downtime of 0.13 to 0.33 s, by the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedVm {
    pub(super) strategy: Strategy,
    pub(super) memory_bytes: u64,
    pub(super) dirty_bytes_per_s: f64,
    /// Not above the memory.
    pub(super) working_set_bytes: Option<u64>,
    pub(super) bandwidth_bytes_per_s: f64,
    pub(super) downtime_limit_s: f64,
    pub(super) max_rounds: u32,
    pub(super) post_copy_after_s: f64,
    pub(super) brownout_s: f64,
    pub(super) faults_s: f64,
    pub(super) delay_s: f64,
    pub(super) body_bytes: u64,
    pub(super) seed: u64,
}

impl Default for SimulatedVm {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            strategy: Strategy::PreCopy,
            memory_bytes: 512 * MIB,
            dirty_bytes_per_s: (10 * MIB) as f64,
            working_set_bytes: None,
            bandwidth_bytes_per_s: (64 * MIB) as f64,
            downtime_limit_s: 0.3,
            max_rounds: 30,
            post_copy_after_s: 1.0,
            brownout_s: 0.002,
            faults_s: 0.02,
            delay_s: 0.001,
            body_bytes: 100,
            seed: 1,
        }
    }
}
