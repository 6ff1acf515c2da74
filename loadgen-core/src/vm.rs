//! What is known of a machine that is moved, and of its move: plain facts, which
//! triggers tell and reports keep.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::{as_millis, as_seconds};

/// How a virtual machine is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Strategy {
    /// Copy memory in rounds while the machine runs, stop it for the last one.
    #[default]
    PreCopy,
    /// Stop, move the CPUs, run at the target and fetch memory on demand.
    PostCopy,
    /// Stop, copy everything, run at the target.
    StopAndCopy,
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Self; 3] = [Self::PreCopy, Self::PostCopy, Self::StopAndCopy];

    /// The name in specifications and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PreCopy => "pre-copy",
            Self::PostCopy => "post-copy",
            Self::StopAndCopy => "stop-and-copy",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known of the machine before its migration. What is not known is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VmFacts {
    /// Name and version of the hypervisor or manager.
    pub hypervisor: Option<String>,
    /// Memory of the machine, in bytes.
    pub memory_bytes: Option<u64>,
    /// Whether it runs.
    pub running: Option<bool>,
    /// Anything else worth keeping in the report.
    pub details: Map<String, Value>,
}

/// How a migration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Ending {
    /// The target runs alone.
    Completed,
    /// It did not come about; the reason is in [`Settled::reason`](crate::migration::Settled::reason).
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl Ending {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One of several machines that were moved as one migration, the one under load first. Times in
/// ms; what is not known is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MovedMachine {
    /// The kind of its trigger.
    pub trigger: String,
    /// How it was moved.
    pub strategy: Option<Strategy>,
    /// How its own migration ended; `None`: it was not begun.
    pub ending: Option<Ending>,
    /// Why it is not at its target.
    pub reason: Option<String>,
    /// From the acceptance of its own migration to the end of it.
    pub total_ms: Option<f64>,
    /// From each STOP event to the RESUME event after it, summed.
    pub downtime_ms: Option<f64>,
    /// Total time by the account of its hypervisor.
    pub hypervisor_total_ms: Option<f64>,
    /// Downtime by the account of its hypervisor.
    pub hypervisor_downtime_ms: Option<f64>,
    /// Memory sent, in bytes.
    pub transferred_bytes: Option<u64>,
    /// Whether it was seen to run at its target.
    pub on_target: Option<bool>,
}

/// What the source of a simulated migration knows for certain.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Truth {
    /// How long the simulated machine really did not run, measured inside it.
    pub downtime_ms: f64,
    /// When it stopped, in seconds from the start of the load.
    pub stop_s: f64,
    /// When it ran again, in seconds from the start of the load.
    pub resume_s: f64,
    /// Total migration time, measured inside it.
    pub total_migration_time_ms: f64,
    /// Memory sent, in bytes, by the model.
    pub transferred_bytes: u64,
    /// Pre-copy rounds, by the model.
    pub rounds: u32,
}

impl Truth {
    /// The ground truth of a migration; times in ns from the start of the load.
    #[must_use]
    pub fn new(stop: u64, resume: u64, total_ns: u64, transferred_bytes: u64, rounds: u32) -> Self {
        Self {
            downtime_ms: as_millis(resume.saturating_sub(stop)),
            stop_s: as_seconds(stop),
            resume_s: as_seconds(resume),
            total_migration_time_ms: as_millis(total_ns),
            transferred_bytes,
            rounds,
        }
    }
}
