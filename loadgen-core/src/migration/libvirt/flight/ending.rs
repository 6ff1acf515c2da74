//! The end: virsh's exit, and the word of both sides on where the machine runs.

use std::time::{Duration, Instant};

use super::asking::Asked;
use super::{AGAIN, Flight, Moment};
use crate::clock::Nanos;
use crate::event::{Event, EventKind};
use crate::migration::libvirt::virsh;
use crate::migration::side::Side;
use crate::migration::trigger::{Strategy, TriggerError};

/// How long what both sides said may still be under way when virsh has ended.
const EVENT_LAG: Duration = Duration::from_millis(500);
/// How long the target may need to say that the machine runs.
const RUNNING_LIMIT: Duration = Duration::from_secs(10);
/// How long what virsh printed may still be under way when it has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The end of virsh.
#[derive(Debug)]
pub(super) struct End {
    /// Why it failed, by virsh's account.
    pub(super) failed: Option<String>,
    pub(super) at: Nanos,
    pub(super) since: Instant,
    /// The state of the machine at both sides, once it was told.
    pub(super) states: [Option<Result<String, String>>; 2],
    pub(super) ask_again: Instant,
}

impl Flight {
    pub(super) fn virsh_ended(&mut self, at: Nanos, now: Instant) -> Result<(), TriggerError> {
        self.migrate.drain_within(LAST_WORDS);
        let status = self.migrate.reap();
        let status = status.map_err(|error| TriggerError::io("waiting for virsh", error))?;
        let why = || virsh::reason(status, &self.migrate.stderr_tail());
        let failed = (!status.success()).then(why);
        self.out.push_back(Event::new(EventKind::Mark("virsh ended".to_owned()), at, 0, "libvirt"));
        self.end = Some(End { failed, at, since: now, states: [None, None], ask_again: now });
        Ok(())
    }

    /// Virsh has ended: what both sides say of it now.
    pub(super) fn find_the_end(&mut self, now: Instant) {
        let Some(end) = &mut self.end else { return };
        let since = now - end.since;
        if end.ask_again <= now && !self.questions.iter().any(|q| matches!(q.0, Asked::State(_))) {
            end.ask_again = now + AGAIN;
            let failed = end.failed.is_some();
            let state = ["domstate", "--domain"];
            self.ask(Asked::State(Side::Target), Side::Target, &state);
            if failed {
                self.ask(Asked::State(Side::Source), Side::Source, &state);
            }
            return;
        }
        let runs = |state: &Option<Result<String, String>>| matches!(state, Some(Ok(state)) if state == "running");
        let (source, target) = (runs(&end.states[0]), runs(&end.states[1]));
        let all_told = end.states[1].is_some() && (end.failed.is_none() || end.states[0].is_some());
        if since < EVENT_LAG || !(all_told || since > RUNNING_LIMIT) {
            return;
        }
        match &end.failed {
            None if target => self.complete(),
            None if since < RUNNING_LIMIT => {}
            None => {
                let is = match &end.states[1] {
                    Some(Ok(state)) => format!("the machine does not run there (it is {state})"),
                    Some(Err(why)) => format!("nobody knows whether it runs there ({why})"),
                    None => "the target does not say whether it runs there".to_owned(),
                };
                self.fail(EventKind::Failed, format!("virsh completed the migration, but {is}"));
            }
            Some(why) => {
                let place = match (source, target) {
                    (true, true) => "; the machine runs at BOTH sides",
                    (true, false) => "; the machine runs on at the source",
                    (false, true) => "; but the machine runs at the target",
                    (false, false) => "; the machine is seen to run at neither side",
                };
                let (kind, why) = match (&self.given_up, self.cancelled) {
                    (Some(ours), _) => (EventKind::Failed, ours),
                    (None, Some(_)) => (EventKind::Cancelled, why),
                    (None, None) => (EventKind::Failed, why),
                };
                let reason = format!("{why}{place}");
                self.fail(kind, reason);
            }
        }
    }

    /// When both sides were done, of what is known of that.
    pub(super) fn last_done(&self) -> Option<Moment> {
        self.done.iter().chain([&self.resumed]).flatten().copied().max()
    }

    fn complete(&mut self) {
        let ended = self.end.as_ref().map_or(0, |end| end.at);
        let mut event = match self.last_done() {
            Some((at, uncertainty)) => Event::new(EventKind::Completed, at, uncertainty, "libvirt"),
            None => Event::new(EventKind::Completed, ended, 0, "libvirt").with(
                "note",
                "no event of the end was heard, so the exit of virsh stands: that is later, by \
                 what libvirt tidies up",
            ),
        };
        if self.setup.strategy == Strategy::PostCopy && !self.switched {
            event = event.with("note", "it completed before post-copy began: this was a pre-copy");
        }
        self.out.push_back(event);
        self.over = true;
    }

    fn fail(&mut self, kind: EventKind, reason: String) {
        let ended = self.end.as_ref().map_or(0, |end| end.at);
        let (at, uncertainty) = self.done[Side::Source as usize].unwrap_or((ended, 0));
        let event = Event::new(kind, at, uncertainty, "libvirt").with("reason", reason);
        self.out.push_back(event);
        self.over = true;
    }
}
