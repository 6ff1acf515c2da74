//! Post-copy that stands still: the path between the two sides was cut, and QEMU waits
//! on both until somebody mends it (`migrate-recover` at the target, then `migrate` with
//! `resume` at the source). We tell when it stood still and why; we do not mend it, since
//! only the user knows by which path.
//!
//! Both sides tell of the pause, and again of its end: it begins with the first and ends
//! when no side is paused any more.

use std::time::Instant;

use serde_json::Value;

use super::super::session::Session;
use super::Flight;
use crate::event::EventKind;
use crate::migration::foreign_clock::Stamp;
use crate::migration::side::Side;

/// What a paused post-copy waits for.
const WAITS_FOR: &str = "a recovery: migrate-recover at the target, then migrate with resume=true \
                         at the source";

/// Who stands still, since when, and why.
#[derive(Debug, Default)]
pub(super) struct Pause {
    sides: [bool; 2],
    since: Option<Instant>,
    reason: Option<String>,
    recovering: bool,
}

impl Pause {
    pub(super) fn is_open(&self) -> bool {
        self.since.is_some()
    }

    /// A side goes on. Whether the pause is over with it.
    fn goes_on(&mut self, side: Side) -> bool {
        self.sides[side as usize] = false;
        let over = self.is_open() && self.sides == [false; 2];
        if over {
            *self = Self::default();
        }
        over
    }

    /// Why a migration that stands still is given up.
    pub(super) fn never_recovered(&self) -> Option<String> {
        let paused = self.since?.elapsed().as_secs_f64();
        let why = self.reason.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        Some(format!(
            "post-copy has been paused for {paused:.1} s{why}, and nobody recovered it: the \
             target lacks memory that only the source has, and both wait for {WAITS_FOR}"
        ))
    }
}

impl Flight {
    /// A side says that it is paused.
    pub(super) fn on_paused(&mut self, session: &mut Session, side: Side, stamp: Stamp) {
        self.postcopy = true;
        self.switched = true;
        self.pause.sides[side as usize] = true;
        if self.pause.is_open() {
            self.tell_status(side, "postcopy-paused", stamp);
        } else {
            self.pause.since = Some(Instant::now());
            // Nothing is urgent while all stands still: this may wait for its replies.
            self.pause.reason = why_paused(session);
            let reason = self.pause.reason.clone();
            let reason = reason.unwrap_or_else(|| "QEMU gives no reason".to_owned());
            let event = self.event(EventKind::Paused, side, stamp);
            self.out.push_back(event.with("reason", reason).with("waits_for", WAITS_FOR));
        }
        if side == Side::Source
            && let Some((why, _)) = self.target_gone.take()
        {
            self.lost_target(session, &why);
        }
    }

    /// A side says that it is being recovered.
    pub(super) fn on_recovering(&mut self, side: Side, status: &str, stamp: Stamp) {
        if self.pause.recovering {
            self.tell_status(side, status, stamp);
            return;
        }
        self.pause.recovering = true;
        let event = self.event(EventKind::Recovering, side, stamp);
        self.out.push_back(event.with("status", status));
    }

    /// A side is in post-copy, for the first time or again.
    pub(super) fn on_postcopy(&mut self, side: Side, stamp: Stamp) {
        self.postcopy = true;
        self.switched = true;
        let paused = self.pause.is_open();
        let again = self.pause.goes_on(side);
        if again || (side == Side::Source && !paused) {
            self.tell(EventKind::PostCopy, side, stamp);
        } else {
            self.tell_status(side, "postcopy-active", stamp);
        }
    }
}

/// QEMU's reason for a pause (7.2 gives none, 10.0 at the source).
fn why_paused(session: &mut Session) -> Option<String> {
    [Side::Source, Side::Target].into_iter().find_map(|side| {
        if side == Side::Target && !session.has_target() {
            return None;
        }
        let state = session.ask(side, "query-migrate", Value::Null).ok()?.ok()?;
        state["error-desc"].as_str().map(str::to_owned)
    })
}
