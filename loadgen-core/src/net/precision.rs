//! How exactly starts are kept to.

use serde::{Deserialize, Serialize};

/// How exactly calls are started, and what it costs. Figures: 3000 starts a
/// second on an otherwise idle virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Sleep to the deadline: late by the wake-up time of the CPU, tens of µs.
    Low,
    /// Sleep until shortly before the deadline, then poll: late by a µs, about 20 %
    /// of a core at 3000/s. How shortly is learnt from how late this machine wakes a
    /// sleeper: nine of ten wake-ups are in time; at most 50 µs.
    #[default]
    Normal,
    /// Never sleep: late by less than a µs, one whole core a thread.
    High,
}
