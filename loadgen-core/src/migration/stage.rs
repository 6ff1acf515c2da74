//! Where a migration under load stands, for those who watch it.

use crate::engine::Snapshot;
use crate::event::Event;

/// Where a migration under load stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Connections are opened, or the warm-up runs.
    WarmingUp,
    /// The baseline is measured.
    Before,
    /// The migration is under way.
    Migrating,
    /// The migration is over; the recovery is measured.
    After,
    /// No calls are started any more; replies are awaited.
    Draining,
}

impl Stage {
    /// The name in progress displays.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WarmingUp => "warm-up",
            Self::Before => "before",
            Self::Migrating => "migrating",
            Self::After => "after",
            Self::Draining => "draining",
        }
    }
}

/// What an observer of a migration run is shown: ten times a second, and at every
/// event.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct MigrationProgress<'a> {
    /// Where the run stands.
    pub stage: Stage,
    /// Counters of the load.
    pub snapshot: Snapshot,
    /// The event that has just come, if this is shown because of one.
    pub event: Option<&'a Event>,
}
