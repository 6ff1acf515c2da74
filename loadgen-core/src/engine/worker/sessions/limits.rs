//! The time limits of a session's connection, which are httperf's: for connecting, for
//! progress in sending, and for the reply to the first of its calls; beside them the
//! deadline of that call, if the plan has one.

use crate::clock::Nanos;
use crate::engine::connection::State;
use crate::engine::worker::Worker;
use crate::engine::workload::script::NEVER;
use crate::protocol::Protocol;
use crate::record::{Cause, Failure, Phase};

impl<P: Protocol> Worker<P> {
    /// When a connection of a session has been too slow, the deadline of its call aside.
    pub(super) fn limit_of_session(&self, index: u32) -> Nanos {
        let connection = &self.slab[index];
        let scripts = self.loads[usize::from(connection.load)].scripts.as_deref();
        let (Some(link), Some(scripts)) = (&connection.session, scripts) else { return NEVER };
        let settings = &scripts.common.settings;
        if connection.state.is_opening() {
            return settings.limit_of_progress(connection.opened);
        }
        let Some(pipe) = connection.pipe.as_ref().filter(|_| connection.has_call) else {
            return NEVER;
        };
        let sending =
            if pipe.unsent > 0 { settings.limit_of_progress(link.progress) } else { NEVER };
        let reply = if connection.sent() > 0 { pipe.first_expires } else { NEVER };
        sending.min(reply)
    }

    /// Sees to it that the time limit of a connection of a session is noticed where it has
    /// become earlier. One that has moved later, as most do, is seen to when it comes up.
    pub(in crate::engine::worker) fn watch(&mut self, index: u32) {
        let connection = &self.slab[index];
        let deadline = self.settings.deadline.map_or(NEVER, |d| connection.call.intended + d);
        let limit = self.limit_of_session(index).min(deadline);
        if connection.has_call && !connection.state.is_opening() && limit < connection.call.expires
        {
            self.expire_at(index, limit);
        }
    }

    /// A time limit of a connection of a session may have passed.
    pub(in crate::engine::worker) fn session_due(&mut self, index: u32) {
        let waits_since = self.waits_for_us_since(index);
        let own = waits_since.map_or(0, |since| self.looks.within(since, self.now()));
        let connection = &self.slab[index];
        // One that is being opened has the intended start of the call that it is for.
        let by_deadline = match connection.has_call || connection.state.is_opening() {
            true => self.deadline_without_us(&connection.call, waits_since),
            false => NEVER,
        };
        let by_timeout = self.limit_of_session(index).saturating_add(own);
        let limit = by_timeout.min(by_deadline);
        if limit > self.looks.looked() {
            return self.expire_at(index, limit);
        }
        let phase = match connection.state {
            State::Connecting | State::Securing => Phase::Connect,
            _ if connection.sent() == 0 => Phase::Send,
            _ if connection.reply.has_status() => Phase::Body,
            _ => Phase::Head,
        };
        let cause = if by_deadline <= by_timeout { Cause::Deadline } else { Cause::Timeout };
        self.fail(index, Failure::new(phase, cause));
    }
}
