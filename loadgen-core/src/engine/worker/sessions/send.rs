//! Sending the calls of a session: those that wait on a connection, as far as its socket
//! takes them.

use std::io;

use crate::clock::Nanos;
use crate::engine::connection::{Call, State};
use crate::engine::worker::Worker;
use crate::engine::workload::script::NEVER;
use crate::net::sys;
use crate::protocol::Protocol;
use crate::record::{Cause, Failure, Phase};

impl<P: Protocol> Worker<P> {
    /// Puts a connection of a session that carries calls among those that have time limits.
    /// The earliest of these is looked at first; then it is seen which it really is.
    pub(super) fn list_session(&mut self, index: u32, now: Nanos) {
        let s = usize::from(self.slab[index].load);
        let Some(scripts) = self.loads[s].scripts.as_deref() else { return };
        let settings = &scripts.common.settings;
        let limit = settings.limit_of_progress(now).min(settings.limit_of_reply(now));
        let call = &mut self.slab[index].call;
        let deadline = self.settings.deadline.map_or(NEVER, |d| call.intended + d);
        call.expires = limit.min(deadline);
        self.loads[s].active.push_by_expiry(&mut self.slab, index);
    }

    /// Adds a call to those that a connection of a session carries.
    pub(super) fn queue(&mut self, index: u32, call: Call, now: Nanos) {
        let connection = &mut self.slab[index];
        let Some(pipe) = &mut connection.pipe else { return };
        pipe.unsent += 1;
        if connection.has_call {
            pipe.behind.push_back(Call { expires: NEVER, ..call });
            self.loads[usize::from(connection.load)].behind += 1;
            // One that the socket takes nothing from, or that is not open, has its turn.
            if connection.state == State::Waiting {
                self.pump(index);
            }
            return;
        }
        connection.has_call = true;
        pipe.first_expires = NEVER;
        if connection.state.is_opening() {
            let Call { sent, expires, connecting, .. } = connection.call;
            connection.call = Call { sent, expires, connecting, ..call };
            return;
        }
        connection.call = call;
        connection.state = State::Sending;
        self.list_session(index, now);
        self.pump(index);
    }

    /// Sends what waits, as far as the socket takes it.
    pub(in crate::engine::worker) fn pump(&mut self, index: u32) {
        let mut now = self.now();
        let s = usize::from(self.slab[index].load);
        let was_idle = self.slab[index].sent() == 0;
        let connection = &mut self.slab[index];
        let (Some(link), Some(pipe)) = (&mut connection.session, &mut connection.pipe) else {
            return;
        };
        if link.surplus && pipe.unsent > 0 {
            return self.fail(index, Failure::new(Phase::Head, Cause::Protocol));
        }
        let Some(transport) = &mut connection.transport else { return };
        let load = &mut self.loads[s];
        let (id, Some(scripts)) = (load.id, load.scripts.as_deref_mut()) else {
            return;
        };
        connection.state = State::Sending;
        let mut failure = None;
        let mut first_sent = false;
        let mut taken = 0;
        while pipe.unsent > 0 {
            let is_first = pipe.unsent as usize > pipe.len();
            let call = pipe.first_unsent(&mut connection.call);
            let Some(kept) = scripts.call(call.request) else { return };
            if !std::mem::replace(&mut kept.begun, true) {
                call.sent = now;
                call.reused = connection.calls_done > 0;
                if !std::mem::replace(&mut kept.started, true) {
                    self.recorder.started(id, call.intended, now);
                }
            }
            let id = kept.id;
            let Some(request) = scripts.request(call.request) else { return };
            let rest = request.keep.get(call.written as usize..).unwrap_or_default();
            let is_whole = match transport.send(rest) {
                Ok(n) => {
                    call.written += n as u32;
                    taken += n as u64;
                    link.progress = now;
                    n == rest.len()
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    failure = Some(Failure::from_io(Phase::Send, &error));
                    break;
                }
            };
            if is_whole {
                now = sys::monotonic_ns().saturating_sub(self.origin);
                let due = scripts.common.settings.limit_of_reply(now);
                call.expires = if is_first { call.expires } else { due };
                if is_first {
                    pipe.first_expires = due;
                    first_sent = true;
                    connection.reply = P::reply_to(request.is_head);
                }
                pipe.unsent -= 1;
                if scripts.common.wants_messages {
                    let (head, body) = request.keep.split_at(request.head);
                    scripts.common.tell(|observer| observer.request(id, head, body));
                }
                scripts.record.request_sent();
            }
        }
        if taken > 0 {
            self.recorder.sent_bytes(now, taken);
            scripts.record.request_bytes(taken);
        }
        if failure.is_none() {
            match transport.flush() {
                Ok(true) if pipe.unsent == 0 => connection.state = State::Waiting,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => failure = Some(Failure::from_io(Phase::Send, &error)),
            }
        }
        if let Some(failure) = failure {
            return self.fail(index, failure);
        }
        if first_sent {
            self.look_for_objects(index);
        }
        let connection = &mut self.slab[index];
        let is_stale = connection.session.as_mut().is_some_and(|link| {
            let first = was_idle && first_sent;
            first && std::mem::take(&mut link.stale)
        });
        if is_stale {
            // What came while nothing was due was not read, and its event is over. Not
            // read here: the buffer may hold replies of another connection.
            let token = self.slab.token(index);
            let Some(transport) = &self.slab[index].transport else { return };
            if let Err(error) = self.poll.rearm(transport.fd(), token) {
                return self.fail(index, Failure::from_io(Phase::Head, &error));
            }
        }
        if self.slab[index].state == State::Sending {
            self.watch(index);
        }
    }

    /// The reply to the first call of a connection is the next to come: it may be a page.
    pub(super) fn look_for_objects(&mut self, index: u32) {
        let connection = &mut self.slab[index];
        let load = &mut self.loads[usize::from(connection.load)];
        if let (Some(link), Some(scripts)) = (&mut connection.session, &mut load.scripts)
            && scripts.common.settings.has_links()
        {
            let is_page = scripts.call(connection.call.request).is_some_and(|call| call.is_page);
            link.page = is_page.then(Box::default);
        }
    }
}
