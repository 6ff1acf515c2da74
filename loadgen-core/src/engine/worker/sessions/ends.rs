//! How the connections of a session, and the session itself, come to an end, and what is
//! counted of it.

use std::io;

use crate::clock::Nanos;
use crate::engine::connection::Call;
use crate::engine::worker::Worker;
use crate::protocol::Protocol;
use crate::record::{Cause, Failure, Outcome, Phase};
use crate::session::Notice;

impl<P: Protocol> Worker<P> {
    /// The sessions of the load that a connection of one belongs to, and its token.
    pub(super) fn session_of(&self, index: u32) -> Option<u64> {
        self.slab[index].session.as_ref().map(|link| link.session)
    }

    /// The connect of a session's connection was tried, or (`failure`) could not be: it
    /// counts from when it has a socket, also if that cannot come from the address that
    /// it is to come from.
    pub(in crate::engine::worker) fn attempted(&mut self, index: u32, failure: Option<&Failure>) {
        let connection = &self.slab[index];
        if connection.session.is_none() {
            return;
        }
        const NO_SOCKET: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
        if failure.is_none_or(|failure| !NO_SOCKET.contains(&failure.errno))
            && let Some(scripts) = &mut self.loads[usize::from(connection.load)].scripts
        {
            scripts.record.attempted();
        }
    }

    /// A connect of a session has failed. httperf finds this out by its first write: its
    /// connect time counts.
    pub(in crate::engine::worker) fn not_connected(&mut self, index: u32, now: Nanos) {
        let connection = &self.slab[index];
        if connection.session.is_some()
            && let Some(scripts) = &mut self.loads[usize::from(connection.load)].scripts
        {
            scripts.record.connected(now.saturating_sub(connection.opened));
        }
    }

    /// A connection of a session has failed.
    pub(in crate::engine::worker) fn session_failed(&mut self, index: u32, failure: Failure) {
        let now = self.now();
        let s = usize::from(self.slab[index].load);
        let Some(session) = self.session_of(index) else { return };
        self.count_failed_connection(s, failure);
        let replies = self.slab[index].calls_done;
        let Some(scripts) = self.scripts(s) else { return };
        let is_retried = scripts.may_retry(failure, replies);
        let again = if is_retried { self.slab[index].carries() as u32 } else { 0 };
        self.lost(index, failure.cause, again);
        let connection = &mut self.slab[index];
        let first = connection.has_call.then_some(connection.call);
        let behind = connection.pipe.as_mut().map(|pipe| pipe.behind.drain(..).collect::<Vec<_>>());
        let behind = behind.unwrap_or_default();
        self.loads[s].behind -= behind.len() as u32;
        if is_retried {
            self.close_of_session(index, now);
            self.leave_session(s, session, index);
            let calls: Vec<Call> = first.into_iter().chain(behind).collect();
            let Some(scripts) = self.loads[s].scripts.as_deref_mut() else { return };
            let next = scripts.retry(session, calls, replies, now, &mut self.recorder);
            return self.go_on(s, session, next, now);
        }
        let outcome = Outcome::Failed(failure);
        if let Some(call) = first {
            self.record(index, outcome, now);
            self.drop_call(s, &call, now);
        }
        self.close_of_session(index, now);
        self.leave_session(s, session, index);
        for call in behind {
            self.end_call(s, &call, outcome, now);
        }
        self.finish_session(s, session, Some(failure), now);
    }

    /// Takes a closed connection off the list of its session.
    pub(super) fn leave_session(&mut self, s: usize, session: u64, index: u32) {
        if let Some(session) = self.scripts(s).and_then(|scripts| scripts.session(session)) {
            session.connections.retain(|other| *other != index);
        }
    }

    /// Counts a failed connection by its cause.
    pub(super) fn count_failed_connection(&mut self, s: usize, failure: Failure) {
        let reason = self.recorder.tls.failure.clone();
        let Some(scripts) = self.loads[s].scripts.as_deref_mut() else { return };
        if failure.cause == Cause::Tls
            && failure.phase == Phase::Connect
            && let Some(reason) = reason
        {
            scripts.record.tls_failure.get_or_insert(reason);
        }
        let failures = &mut scripts.record.failures;
        let class = match (failure.cause, failure.errno) {
            (Cause::Timeout, libc::ETIMEDOUT) => &mut failures.kernel_timeout,
            (Cause::Timeout | Cause::Deadline, _) => &mut failures.timeout,
            (Cause::Refused, _) => &mut failures.refused,
            (Cause::Reset | Cause::ClosedEarly, _) => &mut failures.reset,
            (_, libc::ENFILE) => &mut failures.table_full,
            (Cause::DescriptorsExhausted, _) => &mut failures.no_descriptor,
            (Cause::Tls, _) => &mut failures.tls,
            (_, errno) => {
                if errno != 0 && scripts.common.first_unexpected_error() {
                    scripts.common.tell(|o| o.notice(Notice::UnexpectedError(errno)));
                }
                if errno == libc::EADDRNOTAVAIL {
                    &mut failures.no_address
                } else {
                    &mut failures.other
                }
            }
        };
        *class += 1;
        // A server that is only slow, or a lack of ours, is no mistake of set-up: the
        // run goes on, as with httperf.
        let by_server = matches!(
            failure.cause,
            Cause::Tls | Cause::Refused | Cause::Reset | Cause::ClosedEarly
        );
        if failure.phase == Phase::Connect
            && by_server
            && scripts.common.settings.stop_on_tls_failure
        {
            let reason = || match failure.errno {
                0 => failure.class(),
                errno => io::Error::from_raw_os_error(errno).to_string(),
            };
            scripts.record.tls_failure.get_or_insert_with(reason);
            self.shared.cut();
        }
    }

    /// Closes a connection of a session that is not lost, and whose calls are seen to.
    pub(super) fn close_as_planned(&mut self, index: u32, now: Nanos) {
        if self.recorder.connections.keeps() && !self.slab[index].state.is_opening() {
            self.ended_as_planned(index, now);
        }
        self.close_of_session(index, now);
    }

    /// Closes a connection of a session, whose calls are seen to.
    pub(super) fn close_of_session(&mut self, index: u32, now: Nanos) {
        let connection = &mut self.slab[index];
        let s = usize::from(connection.load);
        let (opened, replies) = (connection.opened, connection.calls_done);
        if let Some(scripts) = self.loads[s].scripts.as_deref_mut() {
            let life = if connection.transport.is_some() { now.saturating_sub(opened) } else { 0 };
            scripts.record.closed(life, replies.into());
        }
        self.drop_connection(index);
    }

    /// A session is over: its connections are closed, what it had not done is left.
    pub(super) fn end_session(&mut self, s: usize, session: u64, success: bool) {
        let now = self.now();
        self.close_session(s, session, now, Some(success));
    }

    /// The session has failed with a connection.
    pub(super) fn finish_session(
        &mut self,
        s: usize,
        session: u64,
        failure: Option<Failure>,
        now: Nanos,
    ) {
        let pending = self.scripts(s).and_then(|scripts| scripts.take_pending(session));
        if let (Some(call), Some(failure)) = (pending, failure) {
            self.record_call(s, &call, Outcome::Failed(failure), now);
        }
        self.close_session(s, session, now, Some(false));
    }

    /// The run is over while this session is under way.
    pub(in crate::engine::worker) fn abandon_sessions(&mut self, s: usize, now: Nanos) {
        let tokens = self.scripts(s).map(|scripts| scripts.tokens()).unwrap_or_default();
        for session in tokens {
            self.close_session(s, session, now, None);
        }
    }

    /// Ends a session, with or without success; `None`: it is cut off, and is none of
    /// those that ended.
    pub(super) fn close_session(
        &mut self,
        s: usize,
        session: u64,
        now: Nanos,
        success: Option<bool>,
    ) {
        let Some(mut ended) = self.scripts(s).and_then(|scripts| scripts.remove(session)) else {
            return;
        };
        if let Some(call) = ended.pending.take() {
            self.record_call(s, &call, Outcome::Unfinished, now);
        }
        for index in std::mem::take(&mut ended.session.connections) {
            let connection = &mut self.slab[index];
            let first = connection.has_call.then_some(connection.call);
            let behind: Vec<Call> = connection
                .pipe
                .as_mut()
                .map(|pipe| pipe.behind.drain(..).collect())
                .unwrap_or_default();
            self.loads[s].behind -= behind.len() as u32;
            // Given up with the session, for another call's failure.
            if let Some(call) = first {
                self.record(index, Outcome::Unfinished, now);
                self.drop_call(s, &call, now);
            }
            for call in behind {
                self.end_call(s, &call, Outcome::Unfinished, now);
            }
            match success {
                Some(_) => self.close_as_planned(index, now),
                None => self.drop_connection(index),
            }
        }
        for call in ended.waiting() {
            self.end_call(s, &call, Outcome::Unfinished, now);
        }
        if let (Some(success), Some(scripts)) = (success, self.scripts(s)) {
            scripts.count_end(&ended.session, success, now);
        }
    }

    /// A call that is on no connection any more ends without a reply.
    pub(super) fn end_call(&mut self, s: usize, call: &Call, outcome: Outcome, now: Nanos) {
        let begun = self.drop_call(s, call, now);
        let sent = if begun { call.sent } else { now };
        self.record_call(s, &Call { sent, ..*call }, outcome, now);
    }

    /// Sees to what is known of a call that ends without a reply. Whether it had begun.
    pub(super) fn drop_call(&mut self, s: usize, call: &Call, now: Nanos) -> bool {
        let id = self.loads[s].id;
        let Some(scripts) = self.loads[s].scripts.as_deref_mut() else { return false };
        let Some(kept) = scripts.forget(call) else { return false };
        if scripts.common.wants_messages {
            scripts.common.tell(|observer| observer.dropped(kept.id));
        }
        if !kept.started {
            // It never got to the head of its connection's queue.
            self.recorder.started(id, call.intended, now);
        }
        kept.begun
    }
}
