//! What a QEMU tells, as events of a migration that somebody else makes.

use serde_json::Value;

use crate::clock::Clock;
use crate::event::{Event, EventKind};
use crate::migration::foreign_clock::{Mapping, Stamp};
use crate::migration::side::Side;

/// Who listens to the hypervisors of both sides.
pub(super) trait Listener: std::fmt::Debug + Send {
    /// Forgets what was heard until now, and begins.
    fn begin(&mut self);

    /// What was heard since it was asked last.
    fn hear(&mut self) -> Vec<Event>;

    /// What stands in for what was not heard, when all is over.
    fn last_words(&mut self) -> Vec<Event> {
        Vec::new()
    }

    /// Why a side was not heard, or not to the end.
    fn deaf(&self, side: Side) -> Option<String>;
}

/// How the times of both sides are mapped, and who is said to tell.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) clock: Clock,
    pub(super) mappings: [Mapping; 2],
    /// Such as `qmp:source`.
    pub(super) names: [&'static str; 2],
}

impl Mapped {
    pub(super) fn event(&self, kind: EventKind, side: Side, stamp: Stamp) -> Event {
        let (mapping, name) = (self.mappings[side as usize], self.names[side as usize]);
        mapping.event(kind, name, &self.clock, stamp)
    }

    /// The event that QEMU told by this name; `None` if it says nothing of a migration.
    pub(super) fn of_qemu(
        &self,
        side: Side,
        name: &str,
        data: &Value,
        stamp: Stamp,
    ) -> Option<Event> {
        let kind = match (name, side) {
            ("STOP", Side::Source) => EventKind::Stop,
            ("STOP", Side::Target) => EventKind::Mark("target-stop".to_owned()),
            ("RESUME", _) => EventKind::Resume,
            ("MIGRATION_PASS", Side::Source) => {
                EventKind::Round(data["pass"].as_u64().and_then(|pass| pass.try_into().ok())?)
            }
            ("MIGRATION", _) => {
                let status = data["status"].as_str()?;
                let kind = match (side, status) {
                    (Side::Source, "pre-switchover") => EventKind::PreSwitchover,
                    (Side::Source, "postcopy-active") => EventKind::PostCopy,
                    (Side::Source, "postcopy-paused") => EventKind::Paused,
                    (Side::Source, "postcopy-recover") => EventKind::Recovering,
                    // Begin and end of it are for the manager to tell.
                    _ => EventKind::Progress,
                };
                return Some(self.event(kind, side, stamp).with("status", status));
            }
            _ => return None,
        };
        Some(self.event(kind, side, stamp))
    }
}
