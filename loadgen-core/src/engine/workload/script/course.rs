//! The course of a session: what it does next.

use std::cmp::Reverse;

use super::{
    LEAST_THINK, MOST_OBJECTS, NEVER, Next, PAUSE_AFTER_FAILURE, ScriptCall, Scripts, Session,
    log_of,
};
use crate::clock::Nanos;
use crate::engine::connection::Call;
use crate::plan::nanos;
use crate::record::{Failure, Recorder};
use crate::session::{Retry, Script};

impl Scripts {
    /// How many calls the next burst of a session has; `None`: there is no next one.
    fn next_burst(&self, session: &Session) -> Option<u64> {
        match &self.plan().script {
            Script::Connection { calls, burst } | Script::Bursts { calls, burst, .. } => {
                let left = calls.saturating_sub(session.burst_end);
                (left > 0).then(|| left.min(*burst))
            }
            Script::Log { sessions } => {
                let burst = log_of(sessions, session).bursts.get(session.bursts as usize)?;
                Some(burst.calls.len() as u64)
            }
            Script::Pages { visits, .. } => (session.bursts < *visits).then_some(1),
        }
    }

    /// The pause after the burst that a session has just done; `None`: its next
    /// burst follows at once.
    fn think_time(&self, session: &Session) -> Option<Nanos> {
        let think_s = match &self.plan().script {
            Script::Connection { .. } => return None,
            Script::Bursts { think_s, .. } | Script::Pages { think_s, .. } => *think_s,
            Script::Log { sessions } => {
                let done = session.bursts.saturating_sub(1) as usize;
                log_of(sessions, session).bursts.get(done).map_or(0.0, |burst| burst.think_s)
            }
        };
        Some(nanos(think_s).max(LEAST_THINK))
    }

    /// Begins the next burst of a session, or ends the session. `at` is the time at
    /// which its first calls are to start.
    pub(crate) fn begin_burst(&mut self, token: u64, at: Nanos) -> Next {
        let Some(session) = self.sessions.named(token) else {
            return Next::Wait;
        };
        let Some(calls) = self.next_burst(session) else { return Next::End(true) };
        let together = matches!(self.plan().script, Script::Connection { .. });
        let Some(session) = self.session(token) else { return Next::Wait };
        session.bursts += 1;
        session.burst_end += calls;
        // The first call of a burst goes ahead alone.
        session.released = if together { session.burst_end } else { session.created + 1 };
        session.released_at = at;
        Next::Calls
    }

    /// A call of a session is answered, with this status.
    pub(crate) fn answered(
        &mut self,
        token: u64,
        mut call: Call,
        status: u32,
        now: Nanos,
        recorder: &mut Recorder,
    ) -> Next {
        let sessions = &self.common.settings.sessions;
        let has_failed = sessions.are_scripted() && sessions.failure_status == Some(status);
        let may_retry = sessions.retry == Retry::Always;
        let id = self.id;
        if has_failed
            && may_retry
            && let Some((session, kept)) = self.session_and_call(token, call.request)
        {
            session.replies += 1;
            // Its reply is counted: this is one more call.
            call = again(&call, kept);
            call.intended = now;
            kept.started = false;
            recorder.offered(id, now, None);
            session.again.push_front(call);
            // A server that fails every call is not to be asked in a busy loop.
            self.sleep(token, now + LEAST_THINK);
            return Next::Wait;
        }
        self.forget(&call);
        let Some(session) = self.session(token) else { return Next::Wait };
        session.replies += 1;
        if has_failed {
            return Next::End(false);
        }
        session.finished += 1;
        if session.finished < session.burst_end {
            if session.released < session.burst_end {
                session.released = session.burst_end;
                session.released_at = now;
            }
            return Next::Calls;
        }
        let Some(session) = self.sessions.named(token) else {
            return Next::Wait;
        };
        if self.next_burst(session).is_none() {
            return Next::End(true);
        }
        match self.think_time(session) {
            Some(think) => {
                self.sleep(token, now + think);
                Next::Wait
            }
            None => self.begin_burst(token, now),
        }
    }

    /// Objects were found in a page that a session reads. `false`: more than can be.
    pub(crate) fn objects_found(&mut self, token: u64, objects: Vec<Vec<u8>>, now: Nanos) -> bool {
        let Some(session) = self.session(token) else { return true };
        if session.found.len() + objects.len() > MOST_OBJECTS {
            return false;
        }
        session.burst_end += objects.len() as u64;
        session.released = session.burst_end;
        session.released_at = now;
        session.found.extend(objects);
        true
    }

    /// Whether the unanswered calls of a connection that broke are sent again. `replies`
    /// had come over it.
    pub(crate) fn may_retry(&self, failure: Failure, replies: u32) -> bool {
        !failure.is_censored()
            && match self.plan().retry {
                Retry::Never => false,
                Retry::AfterReply => replies > 0,
                Retry::Always => true,
            }
    }

    /// A connection broke with these calls, which are sent again.
    pub(crate) fn retry(
        &mut self,
        token: u64,
        calls: Vec<Call>,
        replies: u32,
        now: Nanos,
        recorder: &mut Recorder,
    ) -> Next {
        for call in calls.into_iter().rev() {
            recorder.reconnect(self.id, call.intended);
            if self.common.wants_messages
                && let Some(kept) = self.calls.get(call.request)
            {
                self.common.tell(|observer| observer.dropped(kept.id));
            }
            if let Some((session, kept)) = self.session_and_call(token, call.request) {
                session.again.push_front(again(&call, kept));
            }
        }
        if replies > 0 {
            return Next::Calls;
        }
        self.sleep(token, now + PAUSE_AFTER_FAILURE);
        Next::Wait
    }

    fn sleep(&mut self, token: u64, at: Nanos) {
        if let Some(session) = self.session(token) {
            session.wakes = at;
            self.wakes.push(Reverse((at, token)));
        }
    }

    /// A session that has slept long enough, and what it does.
    pub(crate) fn wake(&mut self, now: Nanos) -> Option<(u64, Next)> {
        while let Some(&Reverse((at, token))) = self.wakes.peek() {
            if at > now {
                return None;
            }
            self.wakes.pop();
            let Some(session) = self.session(token).filter(|session| session.wakes <= now) else {
                continue;
            };
            let at = std::mem::replace(&mut session.wakes, NEVER);
            let is_through = session.again.is_empty() && session.finished == session.burst_end;
            let next = if is_through { self.begin_burst(token, at) } else { Next::Calls };
            return Some((token, next));
        }
        None
    }
}

/// A call, ready to be sent once more.
fn again(call: &Call, kept: &mut ScriptCall) -> Call {
    kept.begun = false;
    kept.answered = NEVER;
    Call {
        intended: call.intended,
        late: call.late,
        request: call.request,
        retried: true,
        ..Call::default()
    }
}
