//! What a state that QEMU tells means. A state that is not known here, as newer versions
//! may have, is an event with its name.

use std::time::Instant;

use super::super::session::Session;
use super::asking::Asked;
use super::{Flight, OTHER_SIDE};
use crate::event::EventKind;
use crate::migration::foreign_clock::Stamp;
use crate::migration::side::Side;
use crate::migration::strategy::PostcopyAfter;
use crate::migration::trigger::Strategy;

/// States on the way that need no event of their own.
const ON_THE_WAY: [&str; 10] = [
    "none",
    "setup",
    "active",
    "device",
    "cancelling",
    "colo",
    "wait-unplug",
    "pre-switchover",
    "failed",
    "cancelled",
];

impl Flight {
    pub(super) fn on_status(
        &mut self,
        session: &mut Session,
        side: Side,
        status: &str,
        stamp: Stamp,
    ) {
        if self.status[side as usize] == status {
            return;
        }
        status.clone_into(&mut self.status[side as usize]);
        match (side, status) {
            (Side::Source, "setup") => self.tell(EventKind::Setup, side, stamp),
            (Side::Source, "active") => self.on_active(session, stamp),
            (Side::Source, "pre-switchover") => {
                // Only with the capability pause-before-switchover: QEMU waits for us.
                self.order(session, side, Asked::PassSwitchover);
                self.tell(EventKind::PreSwitchover, side, stamp);
            }
            (_, "postcopy-active") => self.on_postcopy(side, stamp),
            (_, "postcopy-paused") => self.on_paused(session, side, stamp),
            (_, "postcopy-recover" | "postcopy-recover-setup") => {
                self.on_recovering(side, status, stamp);
            }
            (Side::Source, "completed") => {
                let moment = self.moment(side, stamp);
                self.source_done = Some((moment, Instant::now() + OTHER_SIDE));
                self.tell_status(side, status, stamp);
                if let Some((why, _)) = self.target_gone.take() {
                    self.lost_target(session, &why);
                } else if self.target_failed {
                    self.only_the_source_completed(session);
                }
                self.complete_if_done(session.has_target());
            }
            (Side::Target, "completed") => {
                if self.setup.strategy == Strategy::StopAndCopy {
                    self.order(session, side, Asked::RunAtTarget);
                }
                self.target_done = Some(self.moment(side, stamp));
                self.tell_status(side, status, stamp);
                self.complete_if_done(true);
            }
            (Side::Target, "failed") => {
                self.target_failed = true;
                self.tell_status(side, status, stamp);
                if self.source_done.is_some() {
                    self.only_the_source_completed(session);
                }
            }
            (Side::Source, "failed") => {
                let reason = self.given_up.clone();
                self.begin_end(session, EventKind::Failed, stamp, reason);
            }
            (Side::Source, "cancelled") => match self.given_up.clone() {
                None => self.begin_end(session, EventKind::Cancelled, stamp, None),
                why => self.begin_end(session, EventKind::Failed, stamp, why),
            },
            _ if ON_THE_WAY.contains(&status) => self.tell_status(side, status, stamp),
            _ => self.tell(EventKind::State(status.to_owned()), side, stamp),
        }
    }

    /// The source copies: the first round has begun. Newer versions (11) do not tell of
    /// it by `MIGRATION_PASS`.
    fn on_active(&mut self, session: &mut Session, stamp: Stamp) {
        if self.setup.strategy == Strategy::PostCopy
            && !self.postcopy
            && let PostcopyAfter::Time(time) = self.setup.postcopy_after
        {
            self.postcopy_due = Some(Instant::now() + time);
        }
        self.on_pass(session, 1, stamp);
        self.tell_status(Side::Source, "active", stamp);
    }

    /// A pass over the memory began at the source. Those of post-copy are no rounds, nor
    /// is its last look at what is dirty.
    pub(super) fn on_pass(&mut self, session: &mut Session, pass: u32, stamp: Stamp) {
        if self.postcopy && (self.source_stopped || self.switched) {
            let event = self.event(EventKind::Progress, Side::Source, stamp);
            self.out.push_back(event.with("post_copy_pass", pass));
        } else if pass > self.round {
            self.round = pass;
            self.tell(EventKind::Round(pass), Side::Source, stamp);
            self.ask_soon();
            if pass > 1
                && self.setup.strategy == Strategy::PostCopy
                && self.setup.postcopy_after == PostcopyAfter::FirstPass
                && !self.postcopy
            {
                self.start_postcopy(session);
            }
        }
    }

    pub(super) fn tell_status(&mut self, side: Side, status: &str, stamp: Stamp) {
        let event = self.event(EventKind::Progress, side, stamp);
        self.out.push_back(event.with("status", status));
    }
}
