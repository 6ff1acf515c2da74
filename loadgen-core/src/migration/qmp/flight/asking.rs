//! What QEMU is asked on the way, without waiting for the replies.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::session::{REPLY_LIMIT, Session};
use super::Flight;
use crate::clock::monotonic_ns;
use crate::migration::side::Side;
use crate::migration::trigger::TriggerError;

/// How often progress is asked for, when events tell all that is urgent.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// How often the state is asked for, when QEMU sends no migration events.
const STATE_EVERY: Duration = Duration::from_millis(50);

/// A request whose reply is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    State,
    RunAtTarget,
    StartPostcopy,
    PassSwitchover,
    GiveUp,
}

impl Flight {
    /// Asks for the state of the source, and without events of the target too.
    pub(super) fn ask_state(&mut self, session: &mut Session) -> Result<(), TriggerError> {
        let every = if self.setup.events { PROGRESS_EVERY } else { STATE_EVERY };
        self.next_state = Instant::now() + every;
        if let Some((side, ..)) = self.asked.iter().find(|a| a.2 == Asked::State) {
            // Counted by looks, since time passes also while we stand still.
            self.unanswered += 1;
            if every * self.unanswered > 3 * REPLY_LIMIT {
                let what = format!("query-migrate of {}", session.place(*side));
                return Err(TriggerError::Silent { what, waited: 3 * REPLY_LIMIT });
            }
            return Ok(());
        }
        self.unanswered = 0;
        self.last_state = Instant::now();
        self.order(session, Side::Source, Asked::State);
        if !self.setup.events && session.has_target() && session.closed(Side::Target).is_none() {
            self.order(session, Side::Target, Asked::State);
        }
        Ok(())
    }

    /// Asks for the state as soon as that is not too often: what remains is of interest
    /// at the begin of each round.
    pub(super) fn ask_soon(&mut self) {
        self.next_state = self.next_state.min(self.last_state + STATE_EVERY);
    }

    /// Sends a request whose reply will be read when it comes. That the socket is
    /// dead is told by its reader.
    pub(super) fn order(&mut self, session: &mut Session, side: Side, asked: Asked) {
        let (command, arguments) = match asked {
            Asked::State => ("query-migrate", Value::Null),
            Asked::RunAtTarget => ("cont", Value::Null),
            Asked::StartPostcopy => ("migrate-start-postcopy", Value::Null),
            Asked::PassSwitchover => ("migrate-continue", json!({ "state": "pre-switchover" })),
            Asked::GiveUp => ("migrate_cancel", Value::Null),
        };
        let at_ns = monotonic_ns();
        if let Ok(id) = session.send(side, command, arguments) {
            self.asked.push((side, id, asked, at_ns));
        }
    }
}
