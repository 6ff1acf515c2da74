//! The time limits of a session's connection, which are httperf's: for connecting, for
//! progress in sending, and for the reply to the first of its calls.

use crate::clock::Nanos;
use crate::engine::connection::State;
use crate::engine::worker::Worker;
use crate::engine::workload::script::NEVER;
use crate::protocol::Protocol;
use crate::record::{Cause, Failure, Phase};

impl<P: Protocol> Worker<P> {
    /// When a connection of a session has been too slow.
    pub(super) fn limit_of_session(&self, index: u32) -> Nanos {
        let connection = &self.slab[index];
        let scripts = self.streams[usize::from(connection.stream)].scripts.as_deref();
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
        let limit = self.limit_of_session(index);
        let connection = &self.slab[index];
        if connection.has_call && !connection.state.is_opening() && limit < connection.call.expires
        {
            self.expire_at(index, limit);
        }
    }

    /// Since when a connection of a session waits for something that needs us to go on: a
    /// step of a handshake, or bytes that we make room for. `None`: what it waits for
    /// comes, or does not, whatever we do.
    pub(super) fn session_waits_since(&self, index: u32) -> Option<Nanos> {
        let connection = &self.slab[index];
        match connection.state {
            State::Connecting => connection.is_waiting_for_lookup().then_some(connection.opened),
            State::Securing => Some(connection.opened),
            _ if connection.pipe.as_ref().is_some_and(|pipe| pipe.unsent > 0) => {
                connection.session.as_ref().map(|link| link.progress)
            }
            _ => (connection.call.received > 0).then_some(connection.call.sent),
        }
    }

    /// A time limit of a connection of a session may have passed.
    pub(in crate::engine::worker) fn session_due(&mut self, index: u32) {
        let now = self.now();
        let own = self.session_waits_since(index).map_or(0, |at| self.looks.within(at, now));
        let limit = self.limit_of_session(index).saturating_add(own);
        if limit > self.looks.looked() {
            return self.expire_at(index, limit);
        }
        let connection = &self.slab[index];
        let phase = match connection.state {
            State::Connecting | State::Securing => Phase::Connect,
            _ if connection.sent() == 0 => Phase::Send,
            _ if connection.reply.has_status() => Phase::Body,
            _ => Phase::Head,
        };
        self.fail(index, Failure::new(phase, Cause::Timeout));
    }
}
