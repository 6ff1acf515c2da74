//! How a migration ends: who must have said what, and what is put right when it
//! did not come about.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::client::event_source;
use super::super::session::Session;
use super::asking::Asked;
use super::{Flight, OTHER_SIDE};
use crate::event::{Event, EventKind};
use crate::migration::foreign_clock::Stamp;
use crate::migration::side::Side;
use crate::migration::trigger::Strategy;

/// How long a source may need to run again after a migration that failed.
const RESUME_AGAIN: Duration = Duration::from_secs(2);

/// A final event that waits for the source to run again.
#[derive(Debug)]
pub(super) struct End {
    pub(super) event: Event,
    /// Until when a stopped source is waited for.
    pub(super) until: Instant,
}

impl Flight {
    /// The target's socket was closed a while ago, and the source has not ended the
    /// migration. The target may live, but unseen it is of no use: we give up.
    pub(super) fn target_stays_gone(&mut self, session: &mut Session, why: String) {
        if self.postcopy || self.given_up.is_some() {
            self.lost_target(session, &why);
            return;
        }
        self.given_up = Some(target_went_away(session, &why));
        self.order(session, Side::Source, Asked::GiveUp);
        self.target_gone = Some((why, Instant::now() + OTHER_SIDE));
    }

    pub(super) fn lost_target(&mut self, session: &mut Session, why: &str) {
        let reason = target_went_away(session, why);
        self.begin_end(session, EventKind::Failed, Stamp::now(), Some(reason));
    }

    /// The source says `completed` and the target `failed`: both cannot be.
    pub(super) fn only_the_source_completed(&mut self, session: &mut Session) {
        let state = session.ask(Side::Target, "query-migrate", Value::Null);
        let state = state.ok().and_then(Result::ok).unwrap_or_default();
        let why = state["error-desc"].as_str().map(|why| format!(" ({why})")).unwrap_or_default();
        let reason = format!("the source says completed, but the target says failed{why}");
        self.begin_end(session, EventKind::Failed, Stamp::now(), Some(reason));
    }

    /// Whether the machine runs nowhere any more, and why: only where a side is known to
    /// be gone, since a socket may be lost alone.
    fn lost_machine(&self, session: &Session) -> Option<&'static str> {
        let handed_over = self.source_done.is_some();
        if self.target_failed && handed_over {
            return Some(
                "the machine is lost: the source has handed it over, and must not run it any more",
            );
        }
        if session.is_gone(Side::Target) {
            return match (handed_over, self.switched) {
                (true, _) => Some(
                    "the machine is lost: the source has handed it over, and cannot run it any \
                     more, since it knows nothing of what the target did",
                ),
                (_, true) => Some(
                    "the machine is lost: in post-copy neither side has all of its memory, and \
                     the source cannot run it any more",
                ),
                _ => session
                    .is_gone(Side::Source)
                    .then_some("the machine is lost: both sides are gone"),
            };
        }
        if handed_over || self.target_done.is_some() || !session.is_gone(Side::Source) {
            return None;
        }
        Some(if self.switched {
            "the machine is lost: the source had memory that the target has not"
        } else {
            "the machine is lost with the source, where it ran"
        })
    }

    /// The source is done since long, but the target did not say that it runs.
    pub(super) fn source_done_but_not_target(&mut self, session: &mut Session) {
        let Some((moment, _)) = self.source_done else { return };
        let state = session.ask(Side::Target, "query-status", Value::Null);
        let state = state.ok().and_then(Result::ok).unwrap_or_default();
        if state["running"].as_bool() == Some(true) {
            let event = Event::new(EventKind::Completed, moment.0, moment.1, "qmp:source");
            let note = "the target runs, but not all of its events (RESUME, MIGRATION completed) \
                        were seen";
            self.out.push_back(event.with("note", note));
            self.over = true;
            return;
        }
        let status = state["status"].as_str().unwrap_or("unknown");
        let reason = format!("the source is done, but the target does not run (it is {status})");
        self.begin_end(session, EventKind::Failed, Stamp::now(), Some(reason));
    }

    pub(super) fn complete_if_done(&mut self, has_target: bool) {
        let Some((source, _)) = self.source_done.filter(|_| !self.over && self.end.is_none())
        else {
            return;
        };
        let last = match (has_target, self.target_done, self.resumed) {
            (false, ..) => (source, Side::Source),
            (true, Some(target), Some(resumed)) => {
                let target = target.max(resumed);
                if target > source { (target, Side::Target) } else { (source, Side::Source) }
            }
            (true, ..) => return,
        };
        let ((at, uncertainty), side) = last;
        let mut event = Event::new(EventKind::Completed, at, uncertainty, event_source(side));
        if self.setup.strategy == Strategy::PostCopy && !self.switched {
            event = event.with("note", "it completed before post-copy began: this was a pre-copy");
        }
        self.out.push_back(event);
        self.over = true;
    }

    /// The migration did not come about: finds out why, and sees to it that the
    /// machine runs on where it was.
    pub(super) fn begin_end(
        &mut self,
        session: &mut Session,
        kind: EventKind,
        stamp: Stamp,
        reason: Option<String>,
    ) {
        if self.over || self.end.is_some() {
            return;
        }
        let mut event = self.event(kind, Side::Source, stamp);
        let lost = self.lost_machine(session);
        // A source that is done must stay stopped: its machine is elsewhere.
        let may_run_again = self.source_done.is_none() && session.closed(Side::Source).is_none();
        let mut reason = reason;
        if event.kind == EventKind::Failed && session.closed(Side::Source).is_none() {
            let state = session.ask(Side::Source, "query-migrate", Value::Null);
            let state = state.ok().and_then(Result::ok).unwrap_or_default();
            let desc = state["error-desc"].as_str().map(str::to_owned);
            reason = reason.or(desc).or_else(|| Some("QEMU gives no reason".to_owned()));
        }
        if may_run_again
            && self.setup.strategy == Strategy::StopAndCopy
            && let Err(error) = session.execute(Side::Source, "cont", Value::Null)
        {
            event = event.with("note", format!("the source stays stopped: {error}"));
        }
        if let Some(lost) = lost {
            reason = Some(reason.map_or(lost.to_owned(), |reason| format!("{reason}; {lost}")));
            event = event.with("machine_lost", true);
        }
        if let Some(reason) = reason {
            event = event.with("reason", reason);
        }
        let wait = may_run_again && self.source_stopped && !self.switched;
        let until = Instant::now() + if wait { RESUME_AGAIN } else { Duration::ZERO };
        self.end = Some(End { event, until });
    }

    pub(super) fn finish(&mut self) {
        if let Some(end) = self.end.take() {
            self.out.push_back(end.event);
            self.over = true;
        }
    }
}

fn target_went_away(session: &Session, why: &str) -> String {
    let place = session.place(Side::Target);
    format!("the target went away in mid-migration: the QMP socket of {place}: {why}")
}
