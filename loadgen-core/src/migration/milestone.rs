//! What is marked of each of several machines that are moved as one migration: `machine 2 stop`.
//! The first machine is the one under load.

use crate::event::{Event, EventKind};

/// The mark of a milestone of a machine, by its number from 1.
pub(super) fn of_machine(number: usize, kind: &EventKind) -> EventKind {
    EventKind::Mark(format!("machine {number} {}", kind.name()))
}

/// Whether it is a mark of a machine.
pub(super) fn is_one(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Mark(name) if name.starts_with("machine "))
}

/// Whether the migration of the machine under load begins with this event, after others.
pub(super) fn begins_loaded(event: &Event) -> bool {
    event.kind == of_machine(1, &EventKind::Accepted)
}

/// Whether the migration of the machine under load is over with this event, that of all may not
/// be.
pub(super) fn ends_loaded(event: &Event) -> bool {
    [EventKind::Completed, EventKind::Failed, EventKind::Cancelled]
        .iter()
        .any(|kind| event.kind == of_machine(1, kind))
}
