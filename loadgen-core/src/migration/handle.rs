//! A migration under load on a thread of its own: watched, stopped, awaited.

use super::driver::{MigrationError, MigrationRun};
use super::stage::Stage;
use crate::background::Background;
use crate::engine::Snapshot;
use crate::error::RunError;
use crate::report::Report;

/// A migration under way. When it is dropped, the migration is cancelled, where its trigger
/// can, the load ends, and what was measured is lost.
#[derive(Debug)]
pub struct MigrationHandle(Background<MigrationSnapshot, Result<Report, MigrationError>>);

/// Where a migration stands.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct MigrationSnapshot {
    /// Its stage.
    pub stage: Stage,
    /// Events that have come so far.
    pub events: u64,
    /// Counters of the load, at most 200 ms old.
    pub load: Snapshot,
}

impl MigrationRun {
    /// Starts it on a thread of its own and returns; as [`Self::run`]. What cannot be
    /// prepared is told by [`MigrationHandle::join`].
    ///
    /// # Errors
    /// [`RunError::Setup`] if the kernel refuses a thread.
    pub fn start(self) -> Result<MigrationHandle, RunError> {
        let load = Snapshot::default();
        let begin = MigrationSnapshot { stage: Stage::WarmingUp, events: 0, load };
        let work = Background::start("loadgen-migration", begin, move |shared| {
            self.run(shared.flag(), &mut |now| {
                let mut noted = shared.progress();
                let events = noted.events + u64::from(now.event.is_some());
                *noted = MigrationSnapshot { stage: now.stage, events, load: now.snapshot };
            })
        });
        work.map(MigrationHandle)
            .map_err(|cause| RunError::Setup { what: "the thread of a migration", cause })
    }
}

impl MigrationHandle {
    /// Where it stands.
    #[must_use]
    pub fn snapshot(&self) -> MigrationSnapshot {
        *self.0.progress()
    }

    /// Cancels a migration under way and ends the load; the report is that of what was
    /// measured until then. Returns at once.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Whether it has come to its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits for the end and gives the result.
    ///
    /// # Errors
    /// As [`MigrationRun::run`].
    pub fn join(self) -> Result<Report, MigrationError> {
        self.0.join()
    }
}
