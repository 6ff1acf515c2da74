//! Several calls in flight on one connection (`--pipeline`, RFC 9112 §9.3.2).
//!
//! The first call of a connection is where a single one would be, with its parser;
//! those behind it stand in a [`Pipe`], which is allocated when the first of them
//! comes. Replies come in the order of the requests. Invariants:
//!
//! - Only a connection whose requests are all sent takes a further call.
//! - While there are calls behind the first, the connection's `call.expires` is at
//!   or before the first time limit of them all, and that of the first stands in
//!   the pipe. Otherwise the first call is one that waits, and the field is its own.
//!
//! What becomes of calls that a connection leaves unanswered:
//!
//! - The server announced its end (`Connection: close`), and so does not answer
//!   them (§9.6): they are sent again elsewhere, if the method is idempotent.
//! - It closed or reset without a word, or what it sends is no HTTP: those sent a
//!   moment ago are sent once more, as a single call on a connection that had been
//!   idle would be. The others failed.
//! - The time limit of one has passed: that one failed, and its place is kept as
//!   long as others behind it wait: its late reply is read and dropped.

use std::io;

use super::Worker;
use super::calls::status_of;
use super::dating::take_date;
use crate::clock::Nanos;
use crate::engine::connection::{Call, State};
use crate::net::sys;
use crate::net::transport::Transport;
use crate::plan::CloseMode;
use crate::protocol::{Heads, Progress, Protocol};
use crate::record::{Cause, Failure, Phase};

/// What follows on the first call of a connection.
enum Next {
    /// The call behind it is the first now.
    Call,
    /// Nothing; the connection is idle.
    Nothing,
    /// The connection is closed, or about to be.
    Ended,
}

impl<P: Protocol> Worker<P> {
    /// A connection of a load that takes one more call, if there is any: each in
    /// its turn.
    pub(super) fn with_room(&mut self, s: usize) -> Option<u32> {
        while let Some(&token) = self.loads[s].roomy.0.front() {
            if let Some(index) = self.slab.find(token) {
                if self.takes_more(index) {
                    return Some(index);
                }
                self.slab[index].roomy = false;
            }
            self.loads[s].roomy.0.pop_front();
        }
        None
    }

    fn takes_more(&self, index: u32) -> bool {
        let connection = &self.slab[index];
        let load = &self.loads[usize::from(connection.load)];
        let (behind, given_up) =
            connection.pipe.as_ref().map_or((0, 0), |pipe| (pipe.len() as u32, pipe.given_up));
        let limit = load.calls_per_connection;
        // RFC 9112 §9.3.2: no pipelining behind a call that was sent again, until it
        // is answered.
        let retrying = connection.call.retried && connection.calls_done == 0;
        connection.state == State::Waiting
            && behind + 1 < load.pipeline
            && given_up == 0
            && (limit == 0 || connection.calls_done + 1 + behind < limit)
            && !retrying
    }

    /// Remembers a connection that takes one more call.
    #[inline(never)]
    pub(super) fn offer_room(&mut self, index: u32) {
        if !self.slab[index].roomy && self.takes_more(index) {
            let load = &mut self.loads[usize::from(self.slab[index].load)];
            load.roomy.push(&mut self.slab, index, load.open);
        }
    }

    /// Puts a call behind those that a connection carries; who calls this flushes it.
    fn enqueue(&mut self, index: u32, call: Call) {
        let now = self.now();
        let expires = self.settings.expiry(now, call.intended);
        let s = usize::from(self.slab[index].load);
        let load = &mut self.loads[s];
        if !call.retried {
            self.recorder.started(load.id, call.intended, now);
        }
        // Its turn is over; it comes again while it has room.
        load.roomy.0.pop_front();
        load.behind += 1;
        let connection = &mut self.slab[index];
        connection.roomy = false;
        let first_expires = connection.call.expires;
        let pipe = connection.pipe.get_or_insert_default();
        if pipe.behind.is_empty() {
            pipe.first_expires = first_expires;
            pipe.unordered = false;
            pipe.unsent = 0;
        }
        let before = pipe.behind.back().map_or(pipe.first_expires, |call| call.expires);
        pipe.unordered |= expires < before;
        pipe.behind.push_back(Call { sent: now, expires, reused: true, ..call });
        pipe.unsent += 1;
        if expires < first_expires {
            self.expire_at(index, expires);
        }
        self.offer_room(index);
    }

    /// Starts a call behind those that a connection carries: at once, or, `HELD_BACK`, when
    /// [`Self::return_together`] has brought all that return.
    pub(super) fn follow<const HELD_BACK: bool>(&mut self, index: u32, call: Call) {
        self.enqueue(index, call);
        if HELD_BACK {
            self.unflushed.push(self.slab.token(index));
        } else {
            self.flush(index, false);
        }
    }

    /// Sets when it is looked at whether the time of a connection has run out.
    pub(super) fn expire_at(&mut self, index: u32, at: Nanos) {
        let connection = &self.slab[index];
        let (load, opening) =
            (&mut self.loads[usize::from(connection.load)], connection.state.is_opening());
        let list = if opening { &mut load.connecting } else { &mut load.active };
        list.remove(&mut self.slab, index);
        self.slab[index].call.expires = at;
        list.push_by_expiry(&mut self.slab, index);
    }

    /// Whether a connection carries more than one call.
    pub(super) fn is_piped(&self, index: u32) -> bool {
        self.slab[index].pipe.as_ref().is_some_and(|pipe| pipe.len() > 0)
    }

    /// Sends what is unsent, as far as the socket takes it. `late`: the calls of
    /// which nothing was sent yet begin only now.
    pub(super) fn flush(&mut self, index: u32, late: bool) {
        let mut taken = 0;
        let mut failed = None;
        let s = usize::from(self.slab[index].load);
        let limit = self.loads[s].calls_per_connection;
        let by_server = self.loads[s].close == CloseMode::Server;
        let now = self.now();
        let settings = &self.settings;
        let connection = &mut self.slab[index];
        let Some(pipe) = &mut connection.pipe else { return };
        let Some(transport) = &mut connection.transport else { return };
        let behind = pipe.behind.len() as u32;
        // The request of the connection's last call may be another.
        let ends = limit != 0 && connection.calls_done + 1 + behind >= limit;
        let other_last = u32::from(ends && by_server);
        while pipe.unsent > 0 {
            let written = pipe.first_unsent(&mut connection.call).written as usize;
            let request =
                self.loads[s].requests.get(pipe.first_unsent(&mut connection.call).request);
            let alike = pipe.unsent.saturating_sub(other_last);
            let (bytes, length) = if alike == 0 {
                let last = request.last(&mut self.scratch);
                (&last[written..], last.len())
            } else if request.many.is_empty() {
                (&request.keep[written..], request.keep.len())
            } else {
                let wanted = request.many.len().min(alike as usize * request.keep.len());
                (&request.many[written..wanted], request.keep.len())
            };
            match transport.send(bytes) {
                Ok(n) => {
                    taken += n as u64;
                    let mut left = n;
                    while left > 0 && pipe.unsent > 0 {
                        let call = pipe.first_unsent(&mut connection.call);
                        if late && call.written == 0 {
                            call.sent = now;
                            call.expires = settings.expiry(now, call.intended);
                        }
                        let part = left.min(length - call.written as usize);
                        call.written += part as u32;
                        let whole = call.written as usize == length;
                        left -= part;
                        pipe.unsent -= u32::from(whole);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let mut all_sent = pipe.unsent == 0;
        if all_sent && failed.is_none() {
            match transport.flush() {
                Ok(flushed) => all_sent = flushed,
                Err(error) => failed = Some(error),
            }
        }
        connection.state = if all_sent { State::Waiting } else { State::Sending };
        if taken > 0 {
            self.recorder.sent_bytes(now, taken);
        }
        match failed {
            Some(error) => self.cut_off(index, &error),
            None if all_sent => self.offer_room(index),
            None => {}
        }
    }

    /// No request can be sent on a connection any more. What the server answered
    /// before it ended the connection is read first; the read finds the end, too.
    fn cut_off(&mut self, index: u32, error: &io::Error) {
        let token = self.slab.token(index);
        let gone =
            matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe);
        if gone && self.slab[index].resting {
            // Its reads are paced: the next one comes by itself.
            return;
        }
        let announced =
            |transport: &Transport| gone && self.poll.rearm(transport.fd(), token).is_ok();
        if !self.slab[index].transport.as_ref().is_some_and(announced) {
            self.broken(index, Failure::from_io(Phase::Send, error));
        }
    }

    /// A reply is complete at `at` of the bytes in the buffer, which is filled to
    /// `filled`: takes the replies that follow. Whether to go on reading.
    pub(super) fn replies_of(
        &mut self,
        index: u32,
        mut at: usize,
        filled: usize,
        hung_up: bool,
    ) -> bool {
        let s = usize::from(self.slab[index].load);
        let mut users = 0;
        let more = loop {
            users += u32::from(!self.slab[index].call.given_up);
            match self.next_call(index, filled - at, !hung_up) {
                Next::Call => {}
                Next::Nothing | Next::Ended => break false,
            }
            if at == filled {
                break true;
            }
            let connection = &mut self.slab[index];
            let bytes = &self.buffer[at..filled];
            let outcome = if self.scanning && self.scans.look_at(&self.loads[s].requests) {
                let requests = &self.loads[s].requests;
                self.scans.advance(index, connection, &mut self.heads, bytes, requests)
            } else {
                connection.reply.advance(&mut self.heads, bytes, &mut ())
            };
            if self.heads.is_new() {
                let (sent, now) =
                    (connection.call.sent, sys::monotonic_ns().saturating_sub(self.origin));
                take_date(&mut self.recorder, &self.heads, sent, now);
            }
            match outcome {
                Ok((n, Progress::Done)) => at += n,
                Ok((n, Progress::More)) => {
                    if at + n < filled {
                        connection.partial = Some(self.buffer[at + n..filled].into());
                    }
                    break true;
                }
                Err(_) => {
                    let failure = Failure::new(self.phase(index), Cause::Protocol);
                    self.fail(index, failure);
                    break false;
                }
            }
        };
        if self.loads[s].closed_loop {
            self.return_together(s, users);
        }
        more
    }

    /// Users of a closed loop whose calls were answered together start the next ones
    /// together: their requests leave in one piece.
    fn return_together(&mut self, s: usize, users: u32) {
        for _ in 0..users {
            self.come_back::<true>(s);
        }
        while let Some(token) = self.unflushed.pop() {
            if let Some(index) = self.slab.find(token) {
                self.flush(index, false);
            }
        }
    }

    /// The reply to the first call is complete, and `surplus` bytes behind it were
    /// read. `open`: the server has not closed.
    fn next_call(&mut self, index: u32, surplus: usize, open: bool) -> Next {
        let now = self.now();
        let connection = &mut self.slab[index];
        let s = usize::from(connection.load);
        connection.calls_done += 1;
        connection.call.received = connection.call.received.saturating_sub(surplus as u64);
        let keep = connection.reply.keep_alive();
        let status = status_of(&connection.reply);
        if connection.call.given_up {
            if let Some(pipe) = &mut connection.pipe {
                pipe.given_up -= 1;
            }
        } else {
            let outcome = self.outcome_of(index, status, now);
            self.record(index, outcome, now);
        }
        let connection = &mut self.slab[index];
        let Some(pipe) = &mut connection.pipe else { return Next::Ended };
        if pipe.behind.is_empty() {
            let clean = open && surplus == 0 && connection.state == State::Waiting;
            if keep && clean && !connection.last_call {
                connection.has_call = false;
                connection.state = State::Idle;
                self.loads[s].active.remove(&mut self.slab, index);
                self.loads[s].idle.push(&mut self.slab, index);
                return Next::Nothing;
            }
            self.end_connection(index, clean, now);
            return Next::Ended;
        }
        let sent = pipe.unsent as usize <= pipe.len();
        let all_given_up = pipe.given_up as usize == pipe.len();
        let next = if keep && sent && !all_given_up { pipe.behind.pop_front() } else { None };
        let Some(next) = next else {
            self.end_connection(index, false, now);
            return Next::Ended;
        };
        let last = pipe.behind.is_empty();
        pipe.first_expires = next.expires;
        // With others behind it, what was set before is early enough: it is looked
        // at again then.
        let key = if last { next.expires } else { connection.call.expires };
        connection.alive = connection.call.sent;
        connection.call = Call { received: surplus as u64, expires: key, ..next };
        connection.reply = P::reply_to(self.loads[s].requests.is_head(next.request));
        let limit = self.loads[s].calls_per_connection;
        connection.last_call = last && limit != 0 && connection.calls_done + 1 >= limit;
        self.loads[s].behind -= 1;
        if last {
            self.expire_at(index, next.expires);
        }
        self.offer_room(index);
        Next::Call
    }

    /// The reply to the first call ended with the server's FIN.
    pub(super) fn last_reply(&mut self, index: u32) {
        let s = usize::from(self.slab[index].load);
        let users = u32::from(!self.slab[index].call.given_up);
        self.next_call(index, 0, false);
        if self.loads[s].closed_loop {
            self.return_together(s, users);
        }
    }
}
