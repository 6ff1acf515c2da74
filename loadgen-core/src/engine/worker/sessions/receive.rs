//! The replies of a session.

use crate::clock::Nanos;
use crate::engine::connection::{Call, State};
use crate::engine::worker::Worker;
use crate::engine::worker::calls::status_of;
use crate::engine::workload::script::NEVER;
use crate::protocol::{Progress, Protocol, Truncated};
use crate::record::{Cause, Failure, Phase};

impl<P: Protocol> Worker<P> {
    /// Reads the first `filled` bytes of the buffer, received at `now`, as replies of a
    /// session. Whether the connection is still there.
    pub(in crate::engine::worker) fn replies_of_session(
        &mut self,
        index: u32,
        filled: usize,
        now: Nanos,
    ) -> bool {
        let token = self.slab.token(index);
        let s = usize::from(self.slab[index].load);
        let mut at = 0;
        // Only these can the bytes be replies to, not a call that one of them releases.
        let mut due = self.slab[index].sent();
        while at < filled && due > 0 {
            let connection = &mut self.slab[index];
            let request = connection.call.request;
            let (Some(link), Some(pipe)) = (&mut connection.session, &mut connection.pipe) else {
                return true;
            };
            let load = &mut self.loads[s];
            let Some(scripts) = load.scripts.as_deref_mut() else { return true };
            let (session, sent) = (link.session, connection.call.sent);
            let bytes = self.buffer.get(at..filled).unwrap_or_default();
            let scanning = match load.requests.scans() {
                true => {
                    let is_fresh = connection.reply.is_fresh();
                    Some(self.scans.scanning(index, is_fresh, load.requests.expected_of_all()))
                }
                false => None,
            };
            let parts = scripts.parts(session, request, link.page.as_deref_mut());
            let mut parts = parts.scanned(scanning);
            let outcome = connection.reply.advance(&mut self.heads, bytes, &mut parts);
            let found = parts.into_found();
            if connection.reply.has_status() {
                if let Some(kept) = scripts.call(request)
                    && kept.answered == NEVER
                {
                    kept.answered = now;
                    scripts.record.reply_begun(now.saturating_sub(sent));
                }
            } else if pipe.first_expires != NEVER {
                // Progress counts until the status line is there, no longer.
                pipe.first_expires = scripts.common.settings.limit_of_reply(now);
            }
            let (used, progress) = match outcome {
                Ok(outcome) => outcome,
                Err(_) => {
                    let phase = self.session_phase(index);
                    self.fail(index, Failure::new(phase, Cause::Protocol));
                    return false;
                }
            };
            at += used;
            if !found.is_empty() {
                if !scripts.objects_found(session, found, now) {
                    self.fail(index, Failure::new(Phase::Body, Cause::Protocol));
                    return false;
                }
                self.issue(s, session, now);
                if self.slab.find(token).is_none() {
                    return false;
                }
            }
            if progress == Progress::More {
                if at < filled {
                    self.slab[index].partial = Some(self.buffer[at..filled].into());
                }
                break;
            }
            due -= 1;
            if let Some(link) = &mut self.slab[index].session {
                // Before the next call is sent: it fails instead.
                link.surplus = due == 0 && at < filled;
            }
            self.session_reply_complete(index, filled - at, now);
            if self.slab.find(token).is_none() {
                return false;
            }
        }
        true
    }

    /// The reply to the first call of a connection is complete, since `now`, and `behind`
    /// bytes that were read follow it.
    pub(in crate::engine::worker) fn session_reply_complete(
        &mut self,
        index: u32,
        behind: usize,
        now: Nanos,
    ) {
        let connection = &mut self.slab[index];
        let s = usize::from(connection.load);
        connection.calls_done += 1;
        connection.call.received = connection.call.received.saturating_sub(behind as u64);
        let (status, sizes) = (connection.reply.status(), connection.reply.sizes());
        let call = connection.call;
        let Some(session) = connection.session.as_ref().map(|link| link.session) else { return };
        let Some(scripts) = self.loads[s].scripts.as_deref_mut() else { return };
        let kept = scripts.call(call.request).map(|kept| (kept.id, kept.answered));
        let (id, begun) = kept.unwrap_or((0, NEVER));
        let sizes = sizes.unwrap_or_default();
        let took = now.saturating_sub(begun.min(now));
        scripts.record.reply_complete(status, took, sizes);
        if scripts.common.wants_messages {
            scripts.common.tell(|observer| observer.reply_end(id, sizes));
        }
        let settings = &scripts.common.settings.sessions;
        let spent = settings.head.minor_version == 0 && settings.are_scripted();
        let outcome = self.outcome_of(index, status_of(&self.slab[index].reply), now);
        self.record(index, outcome, now);
        let connection = &mut self.slab[index];
        connection.alive = call.sent;
        let Some(pipe) = &mut connection.pipe else { return };
        match pipe.behind.pop_front() {
            Some(next) => {
                pipe.first_expires = next.expires;
                // It is where its limit says in the list, until that is looked at.
                let expires = call.expires;
                connection.call = Call { received: behind as u64, expires, ..next };
                let load = &mut self.loads[s];
                load.behind -= 1;
                let request = load.scripts.as_ref().and_then(|s| s.request(next.request));
                connection.reply = P::reply_to(request.is_some_and(|request| request.is_head));
                self.look_for_objects(index);
                self.watch(index);
            }
            None => {
                connection.has_call = false;
                connection.state = State::Idle;
                self.loads[s].active.remove(&mut self.slab, index);
                if spent {
                    self.close_as_planned(index, now);
                    self.leave_session(s, session, index);
                }
            }
        }
        let Some(scripts) = self.loads[s].scripts.as_deref_mut() else { return };
        let next = scripts.answered(session, call, status, now, &mut self.recorder);
        self.go_on(s, session, next, now);
    }

    /// The server has ended a connection of a session.
    pub(in crate::engine::worker) fn session_ended_by_server(&mut self, index: u32, cut: bool) {
        let phase = self.session_phase(index);
        let ended = self.slab[index].reply.end_of_stream();
        let cause = Cause::ClosedEarly;
        let failure = match ended {
            Ok(()) if cut => Failure::new(phase, cause),
            Ok(()) => {
                let token = self.slab.token(index);
                let now = self.now();
                self.session_reply_complete(index, 0, now);
                let Some(index) = self.slab.find(token) else { return };
                if self.slab[index].carries() == 0 {
                    // Noticed when the next request is sent.
                    if let Some(link) = &mut self.slab[index].session {
                        link.stale = true;
                    }
                    return;
                }
                Failure::new(Phase::Head, cause)
            }
            Err(Truncated::InBody) => Failure::new(phase, cause),
            Err(_) => Failure::new(Phase::Head, cause),
        };
        self.fail(index, failure);
    }

    /// How far the first call of a connection of a session has come.
    pub(super) fn session_phase(&self, index: u32) -> Phase {
        let connection = &self.slab[index];
        match connection.state {
            State::Connecting | State::Securing => Phase::Connect,
            _ if connection.reply.has_status() => Phase::Body,
            _ if connection.sent() > 0 => Phase::Head,
            _ => Phase::Send,
        }
    }
}
