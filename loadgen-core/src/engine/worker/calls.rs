//! What becomes of a call on its connection: it is sent, answered, sent once more, or
//! fails. How the connection came about is in `lifecycle.rs`.

use std::io;

use super::Worker;
use crate::clock::{MILLISECOND, Nanos};
use crate::engine::connection::{Call, State};
use crate::engine::load::LoadState;
use crate::engine::workload::requests::{NO_REQUEST, RequestId};
use crate::net::poll::Readiness;
use crate::plan::CloseMode;
use crate::protocol::Protocol;
use crate::record::{CallRecord, Cause, Failure, Outcome, Phase};

/// A FIN or RST that was under way when the request left comes within a round
/// trip. A connection that breaks later carried a call that has failed.
pub(super) const STALE_WITHIN: Nanos = 250 * MILLISECOND;

/// The status of a reply, as far as records go.
#[inline]
pub(super) fn status_of(reply: &impl Protocol) -> u16 {
    u16::try_from(reply.status()).unwrap_or(u16::MAX)
}

impl<P: Protocol> Worker<P> {
    /// Starts the call of an arrival; the caller has made sure that a connection
    /// is idle, may be opened, or takes one more call.
    pub(super) fn start<const HELD_BACK: bool>(&mut self, s: usize, call: Call) {
        if let Some(index) = self.loads[s].idle.first() {
            self.loads[s].idle.remove(&mut self.slab, index);
            return self.begin(index, call);
        }
        if self.loads[s].pipeline > 1
            && !self.may_open(s)
            && let Some(index) = self.with_room(s)
        {
            return self.follow::<HELD_BACK>(index, call);
        }
        self.open(s, Some(call));
    }

    /// Starts a call on a connection that was idle.
    #[inline(always)]
    fn begin(&mut self, index: u32, call: Call) {
        let now = self.now();
        let connection = &mut self.slab[index];
        let s = usize::from(connection.load);
        let expires = self.settings.expiry(now, call.intended);
        connection.alive = connection.call.sent;
        connection.call = Call { sent: now, expires, reused: true, ..call };
        connection.has_call = true;
        let load = &mut self.loads[s];
        connection.reply = P::reply_to(load.requests.is_head(call.request));
        if !call.retried {
            self.recorder.started(load.id, call.intended, now);
        }
        load.active.push_by_expiry(&mut self.slab, index);
        self.send(index);
    }

    /// Something has happened to a connection.
    pub(super) fn ready(&mut self, index: u32, readiness: Readiness) {
        let generation = self.slab[index].generation;
        if readiness.writable() {
            match self.slab[index].state {
                State::Connecting => self.connected(index),
                State::Securing => self.secure(index),
                State::Sending if self.slab[index].session.is_some() => self.pump(index),
                State::Sending if self.is_piped(index) => self.flush(index, true),
                State::Sending => self.send(index),
                _ => {}
            }
        }
        let same = self.slab[index].generation == generation;
        if same && readiness.readable() {
            if self.paced && self.is_paced(index) {
                self.read_slowly(index, readiness.hung_up());
            } else {
                self.read(index, readiness.hung_up());
            }
        }
        // A FIN that came together with a complete reply has no event of its own.
        let connection = &self.slab[index];
        let idle = connection.generation == generation && connection.state == State::Idle;
        if idle && readiness.hung_up() {
            self.read_unasked(index);
        }
    }

    fn is_paced(&self, index: u32) -> bool {
        self.loads[usize::from(self.slab[index].load)].pace.is_some()
    }

    /// Sends what is left of the request, as far as the socket takes it.
    pub(super) fn send(&mut self, index: u32) {
        let connection = &mut self.slab[index];
        let Some(transport) = &mut connection.transport else { return };
        let s = usize::from(connection.load);
        let load = &self.loads[s];
        let limit = load.calls_per_connection;
        connection.last_call = limit != 0 && connection.calls_done + 1 >= limit;
        let (requests, request) = (&load.requests, connection.call.request);
        let bytes = match (connection.last_call, load.close) {
            (true, CloseMode::Server) => requests.get(request).last(&mut self.scratch),
            _ => requests.keep(request),
        };
        connection.state = State::Sending;
        let mut failed = None;
        let mut taken = 0;
        while (connection.call.written as usize) < bytes.len() {
            match transport.send(&bytes[connection.call.written as usize..]) {
                Ok(n) => {
                    connection.call.written += n as u32;
                    taken += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let mut all_sent = connection.call.written as usize == bytes.len();
        if all_sent {
            match transport.flush() {
                Ok(flushed) => all_sent = flushed,
                Err(error) => failed = Some(error),
            }
        }
        if all_sent {
            connection.state = State::Waiting;
        }
        if taken > 0 {
            let first = u64::from(connection.call.written) == taken;
            let at = if first { connection.call.sent } else { self.now() };
            self.recorder.sent_bytes(at, taken);
        }
        if let Some(error) = failed {
            return self.broken(index, Failure::from_io(Phase::Send, &error));
        }
        if all_sent && self.loads[s].pipeline > 1 {
            self.offer_room(index);
        }
    }

    /// How far the call on a connection has come.
    pub(super) fn phase(&self, index: u32) -> Phase {
        let connection = &self.slab[index];
        match connection.state {
            State::Connecting | State::Securing => Phase::Connect,
            State::Sending if connection.call.received == 0 && connection.first_is_unsent() => {
                Phase::Send
            }
            _ if connection.reply.has_status() => Phase::Body,
            _ => Phase::Head,
        }
    }

    /// The reply is complete, since `now`. `clean`: nothing came after it.
    pub(super) fn complete(&mut self, index: u32, clean: bool, now: Nanos) {
        if now > self.slab[index].call.expires
            && let Some(failure) = self.received_too_late(index, now)
        {
            return self.fail(index, failure);
        }
        let connection = &mut self.slab[index];
        let s = usize::from(connection.load);
        connection.calls_done += 1;
        let all_sent = connection.state == State::Waiting;
        let keep = connection.reply.keep_alive();
        let asked_to_close = connection.last_call;
        let status = status_of(&connection.reply);
        let outcome = self.outcome_of(index, status, now);
        self.record(index, outcome, now);
        if keep && clean && all_sent && !asked_to_close {
            let load = &mut self.loads[s];
            load.active.remove(&mut self.slab, index);
            self.slab[index].has_call = false;
            self.slab[index].state = State::Idle;
            if load.closed_loop && now < self.end && !load.is_exhausted() {
                let request = load.next_request();
                self.recorder.offered(load.id, now, None);
                if request != NO_REQUEST {
                    return self.begin(index, Call { intended: now, request, ..Call::default() });
                }
                self.shed(s, now, request, false);
            }
            return self.loads[s].idle.push(&mut self.slab, index);
        }
        self.end_connection(index, clean && all_sent, now);
        if self.loads[s].closed_loop {
            self.come_back::<false>(s);
        }
    }

    /// The connection broke before any byte of a reply. If it had been idle, the
    /// server had probably closed it just then: the call is sent once more, on a
    /// new connection (RFC 9112 §9.3.1). Otherwise it has failed.
    pub(super) fn broken(&mut self, index: u32, failure: Failure) {
        if self.slab[index].session.is_some() {
            return self.session_failed(index, failure);
        }
        let call = self.slab[index].call;
        // Since when it is broken is not known, only that it was not at the last look.
        let young = self.looks.looked().saturating_sub(call.sent) <= STALE_WITHIN;
        let first = call.received == 0 && !call.retried && !call.given_up;
        let stale = young && call.reused && first;
        let closed = matches!(failure.cause, Cause::Reset | Cause::ClosedEarly);
        let s = usize::from(self.slab[index].load);
        if !(stale && closed && self.loads[s].requests.get(call.request).is_idempotent) {
            return self.fail(index, failure);
        }
        self.recorder.reconnect(self.loads[s].id, call.intended);
        let again = Call { retried: true, reused: false, written: 0, ..call };
        let others = self.strand(index, failure, false);
        self.lost(index, failure.cause, others + 1);
        self.drop_connection(index);
        if self.may_open(s) {
            self.open(s, Some(again));
        } else {
            self.loads[s].again.push_front(again);
        }
    }

    /// The call, or the opening of a warm connection, has failed.
    pub(super) fn fail(&mut self, index: u32, failure: Failure) {
        if self.slab[index].session.is_some() {
            return self.session_failed(index, failure);
        }
        let now = self.now();
        let s = usize::from(self.slab[index].load);
        if !self.slab[index].has_call {
            self.warm_failed(failure);
        } else if !self.slab[index].call.given_up {
            self.record(index, Outcome::Failed(failure), now);
            if self.loads[s].closed_loop {
                self.loads[s].pause(now);
            }
        }
        let again = self.strand(index, failure, false);
        self.lost(index, failure.cause, again);
        self.drop_connection(index);
    }

    /// The time limit of a connection's call (or of its connecting) has passed.
    pub(super) fn time_out(&mut self, index: u32) {
        if self.slab[index].session.is_some() {
            return self.session_due(index);
        }
        if self.is_piped(index) {
            return self.expire_pipe(index);
        }
        let connection = &self.slab[index];
        let mut cause = Cause::Timeout;
        if connection.has_call {
            let limit = self.limit_without_us(&connection.call, self.waits_for_us_since(index));
            if limit > self.looks.looked() {
                return self.expire_at(index, limit);
            }
            cause = self.limit_of(&connection.call);
        }
        self.fail(index, Failure::new(self.phase(index), cause));
    }

    /// Which of its time limits a call meets first.
    pub(super) fn limit_of(&self, call: &Call) -> Cause {
        match self.settings.deadline {
            Some(deadline)
                if call.intended.saturating_add(deadline)
                    <= call.sent.saturating_add(self.settings.timeout) =>
            {
                Cause::Deadline
            }
            _ => Cause::Timeout,
        }
    }

    /// Records the end of the call that a connection carries.
    pub(super) fn record(&mut self, index: u32, outcome: Outcome, now: Nanos) {
        let worth_a_look = self.is_worth_a_look(self.slab[index].call.intended, now);
        let call = self.call_record(index, outcome, now);
        self.count_own(&call, self.slab[index].call.lag());
        self.recorder.ended(call);
        // Its record is made anew then, so that usually it need not be kept.
        if worth_a_look {
            self.look_into(index, outcome, now);
        }
    }

    // Always: where the compiler leaves it to itself, a call has 30 instructions more.
    #[inline(always)]
    pub(super) fn call_record(&self, index: u32, outcome: Outcome, now: Nanos) -> CallRecord {
        let connection = &self.slab[index];
        let load = &self.loads[usize::from(connection.load)];
        let tag = self.tag_of(load, connection.call.request);
        connection.call.record(load.id, tag, outcome, now)
    }

    /// The number of the tag of a request of a load.
    #[inline]
    pub(super) fn tag_of(&self, load: &LoadState, request: RequestId) -> u8 {
        // Calls of sessions have numbers of another kind.
        if self.tagged && load.scripts.is_none() { load.requests.tag(request) } else { 0 }
    }

    /// Records the end of a call that is not the first of a connection.
    pub(super) fn record_call(&mut self, s: usize, call: &Call, outcome: Outcome, now: Nanos) {
        let (lag, request) = (call.lag(), call.request);
        let load = &self.loads[s];
        let call = call.record(load.id, self.tag_of(load, call.request), outcome, now);
        self.count_own(&call, lag);
        self.recorder.ended(call);
        self.look_into_unconnected(s, &call, request);
    }
}
