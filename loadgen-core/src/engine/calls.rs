//! What happens on one connection: connecting, sending, reading, ending. The
//! other half of the worker.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::pool::{Call, State};
use super::shared::Settings;
use super::worker::{BUFFER, Worker};
use crate::clock::{MILLISECOND, Nanos};
use crate::http1::{Progress, ReplyParser, Truncated};
use crate::net::poll::Readiness;
use crate::net::{socket, sys};
use crate::plan::CloseMode;
use crate::record::{CallRecord, Cause, Failure, Outcome, Phase};

/// From this many body bytes on the kernel is told to drop them unread. Below,
/// one read of the buffer is as cheap.
const DISCARD_FROM: u64 = BUFFER as u64;

/// Most bytes dropped at once.
const DISCARD_AT_ONCE: u64 = 1024 * 1024;

/// Reads of one connection before the others get their turn.
const READS_AT_ONCE: u32 = 16;

/// A FIN or RST that was under way when the request left comes within a round
/// trip. A connection that breaks later carried a call that has failed.
const STALE_WITHIN: Nanos = 250 * MILLISECOND;

impl Worker {
    /// Starts the call of an arrival; the caller has made sure that a connection
    /// is idle or may be opened.
    pub(super) fn start(&mut self, s: usize, intended: Nanos, queued: bool) {
        match self.streams[s].idle.first() {
            Some(index) => {
                self.streams[s].idle.remove(&mut self.slab, index);
                self.begin(index, intended, queued);
            }
            None => self.open(s, Some(Call { intended, queued, ..Call::default() })),
        }
    }

    /// Opens a connection, for a call or (`None`) to be warm.
    pub(super) fn open(&mut self, s: usize, call: Option<Call>) {
        let now = self.now();
        if let Some(call) = call {
            let population = self.streams[s].population;
            self.recorder.opened(population, call.intended);
            if !call.retried {
                self.recorder.started(population, call.intended, now);
            }
        }
        let opened = self.connect().and_then(|fd| {
            if self.settings.kernel_timestamps {
                // It did so when the engine was made.
                let _ = sys::stamp_receipts(fd.as_fd());
            }
            let index = self.slab.open(fd, s as u8, self.settings.head_request);
            let token = self.slab.token(index);
            let registered = match &self.slab[index].fd {
                Some(fd) => self.poll.register(fd.as_fd(), token),
                None => Ok(()),
            };
            registered.map(|()| index).inspect_err(|_| self.slab.close(index))
        });
        let stream = &mut self.streams[s];
        match opened {
            Ok(index) => {
                stream.open += 1;
                let connection = &mut self.slab[index];
                connection.has_call = call.is_some();
                connection.call = Call { sent: now, ..call.unwrap_or_default() };
                connection.call.expires = match call {
                    Some(call) => self.settings.expiry(now, call.intended),
                    None => now + self.settings.timeout,
                };
                self.warming += u32::from(call.is_none());
                stream.active.push_by_expiry(&mut self.slab, index);
            }
            Err(error) => {
                let failure = Failure::from_io(Phase::Connect, &error);
                let Some(call) = call else { return self.warm_failed(failure) };
                let record = CallRecord {
                    intended: call.intended,
                    sent: now,
                    done: now,
                    bytes: 0,
                    outcome: Outcome::Failed(failure),
                    population: stream.population,
                    reused: false,
                    retried: call.retried,
                    queued: call.queued,
                };
                if stream.closed_loop {
                    stream.pause(now);
                }
                self.look_into_unconnected(s, &record);
                self.recorder.ended(record);
            }
        }
    }

    /// A socket that connects, from the next source address that has a port free.
    fn connect(&mut self) -> io::Result<OwnedFd> {
        let Settings { address, sources, .. } = &*self.settings;
        let Some(last) = sources.len().checked_sub(1) else {
            return socket::connect(*address, None);
        };
        for _ in 0..last {
            self.next_source = (self.next_source + 1) % sources.len();
            match socket::connect(*address, Some(sources[self.next_source])) {
                Err(error) if Cause::of(&error) == Cause::AddressUnavailable => {}
                other => return other,
            }
        }
        self.next_source = (self.next_source + 1) % sources.len();
        socket::connect(*address, Some(sources[self.next_source]))
    }

    /// Starts a call on a connection that was idle.
    fn begin(&mut self, index: u32, intended: Nanos, queued: bool) {
        let now = self.now();
        let connection = &mut self.slab[index];
        let s = usize::from(connection.stream);
        let expires = self.settings.expiry(now, intended);
        connection.call =
            Call { intended, sent: now, expires, reused: true, queued, ..Call::default() };
        connection.has_call = true;
        connection.parser = ReplyParser::new(self.settings.head_request);
        let stream = &mut self.streams[s];
        self.recorder.started(stream.population, intended, now);
        stream.active.push_by_expiry(&mut self.slab, index);
        self.send(index);
    }

    /// Something has happened to a connection.
    pub(super) fn ready(&mut self, index: u32, readiness: Readiness) {
        let generation = self.slab[index].generation;
        if readiness.writable() {
            match self.slab[index].state {
                State::Connecting => self.connected(index),
                State::Sending => self.send(index),
                _ => {}
            }
        }
        let same = self.slab[index].generation == generation;
        if same && readiness.readable() {
            self.read(index, readiness.hung_up());
        }
        // A FIN that came together with a complete reply has no event of its own.
        let connection = &self.slab[index];
        let idle = connection.generation == generation && connection.state == State::Idle;
        if idle && readiness.hung_up() {
            self.read_unasked(index);
        }
    }

    fn connected(&mut self, index: u32) {
        let error = match &self.slab[index].fd {
            Some(fd) => socket::take_error(fd.as_fd()).unwrap_or_else(Some),
            None => None,
        };
        if let Some(error) = error {
            return self.fail(index, Failure::from_io(Phase::Connect, &error));
        }
        let s = usize::from(self.slab[index].stream);
        self.streams[s].active.remove(&mut self.slab, index);
        if !self.slab[index].has_call {
            self.warming -= 1;
            self.slab[index].state = State::Idle;
            return self.streams[s].idle.push(&mut self.slab, index);
        }
        // The time limit starts again with the first byte sent.
        let now = self.now();
        let connecting = self.connecting(index, now.saturating_sub(self.slab[index].call.sent));
        let call = &mut self.slab[index].call;
        call.connecting = connecting;
        call.sent = now;
        call.expires = self.settings.expiry(now, call.intended);
        self.streams[s].active.push_by_expiry(&mut self.slab, index);
        self.send(index);
    }

    /// Sends what is left of the request, as far as the socket takes it.
    fn send(&mut self, index: u32) {
        let connection = &mut self.slab[index];
        let Some(fd) = &connection.fd else { return };
        let stream = &self.streams[usize::from(connection.stream)];
        let limit = stream.calls_per_connection;
        connection.last_call = limit != 0 && connection.calls_done + 1 >= limit;
        let request = &self.settings.request;
        let bytes = match (connection.last_call, stream.close) {
            (true, CloseMode::Server) => &request.last,
            _ => &request.keep,
        };
        connection.state = State::Sending;
        let mut failed = None;
        let mut taken = 0;
        while (connection.call.written as usize) < bytes.len() {
            match sys::send(fd.as_fd(), &bytes[connection.call.written as usize..]) {
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
        if connection.call.written as usize == bytes.len() {
            connection.state = State::Waiting;
        }
        if taken > 0 {
            let first = u64::from(connection.call.written) == taken;
            let at = if first { connection.call.sent } else { self.now() };
            self.recorder.sent_bytes(at, taken);
        }
        if let Some(error) = failed {
            self.broken(index, Failure::from_io(Phase::Send, &error));
        }
    }

    /// Reads until the socket has nothing more. Events are edge-triggered: after
    /// a short read a new event will come, unless the peer has hung up already.
    fn read(&mut self, index: u32, hung_up: bool) {
        for _ in 0..READS_AT_ONCE {
            let connection = &mut self.slab[index];
            let Some(fd) = &connection.fd else { return };
            if !matches!(connection.state, State::Sending | State::Waiting) {
                return self.read_unasked(index);
            }
            let droppable = connection.parser.discardable();
            if droppable >= DISCARD_FROM {
                let len = droppable.min(DISCARD_AT_ONCE) as usize;
                let result = match &mut self.kernel.stamps {
                    None => sys::discard(fd.as_fd(), len),
                    Some(stamps) => stamps.discard(fd.as_fd(), len),
                };
                match self.taken(index, result) {
                    Some((n, now)) => {
                        let progress = self.slab[index].parser.discarded(n as u64);
                        if matches!(progress, Progress::Done) {
                            return self.complete(index, !hung_up, now);
                        }
                        continue;
                    }
                    None => return,
                }
            }
            // An unfinished head goes in front of what follows it.
            let kept = connection.partial.take().map_or(0, |partial| {
                self.buffer[..partial.len()].copy_from_slice(&partial);
                partial.len()
            });
            let room = self.buffer.len() - kept;
            let result = match &mut self.kernel.stamps {
                None => sys::recv(fd.as_fd(), &mut self.buffer[kept..]),
                Some(stamps) => stamps.recv(fd.as_fd(), &mut self.buffer[kept..]),
            };
            if kept > 0 && !matches!(result, Ok(n) if n > 0) {
                connection.partial = Some(self.buffer[..kept].into());
            }
            let Some((n, now)) = self.taken(index, result) else { return };
            let filled = kept + n;
            let connection = &mut self.slab[index];
            let bytes = &self.buffer[..filled];
            match self.known_head.advance(&mut connection.parser, bytes) {
                // After a FIN nothing can be asked on this connection any more.
                Ok((consumed, Progress::Done)) => {
                    return self.complete(index, consumed == filled && !hung_up, now);
                }
                Ok((consumed, Progress::More)) => {
                    if consumed < filled {
                        connection.partial = Some(self.buffer[consumed..filled].into());
                    }
                }
                Err(_) => {
                    let failure = Failure::new(self.phase(index), Cause::Protocol);
                    return self.fail(index, failure);
                }
            }
            if n < room && !hung_up {
                return;
            }
        }
        // There may be more; the event that told of it is used up.
        let token = self.slab.token(index);
        if let Some(fd) = &self.slab[index].fd
            && let Err(error) = self.poll.rearm(fd.as_fd(), token)
        {
            self.fail(index, Failure::from_io(self.phase(index), &error));
        }
    }

    /// Sorts out the result of a read: the bytes taken and when, or `None` when
    /// reading is over for now (and the call, perhaps, for good).
    #[inline]
    fn taken(&mut self, index: u32, result: io::Result<usize>) -> Option<(usize, Nanos)> {
        match result {
            Ok(0) => {
                self.end_of_stream(index);
                None
            }
            Ok(n) => {
                let now = self.now();
                self.slab[index].call.received += n as u64;
                self.recorder.received_bytes(now, n as u64);
                Some((n, now))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => {
                let failure = Failure::from_io(self.phase(index), &error);
                self.broken(index, failure);
                None
            }
        }
    }

    fn end_of_stream(&mut self, index: u32) {
        match self.slab[index].parser.end_of_stream() {
            Ok(()) => {
                let now = self.now();
                self.complete(index, false, now);
            }
            Err(Truncated::BeforeHead) => {
                self.broken(index, Failure::new(Phase::Head, Cause::ClosedEarly));
            }
            Err(_) => {
                let failure = Failure::new(self.phase(index), Cause::ClosedEarly);
                self.fail(index, failure);
            }
        }
    }

    /// How far the call on a connection has come.
    fn phase(&self, index: u32) -> Phase {
        let connection = &self.slab[index];
        match connection.state {
            State::Connecting => Phase::Connect,
            State::Sending if connection.call.received == 0 => Phase::Send,
            _ if connection.parser.in_head() => Phase::Head,
            _ => Phase::Body,
        }
    }

    /// The reply is complete, since `now`. `clean`: nothing came after it.
    fn complete(&mut self, index: u32, clean: bool, now: Nanos) {
        let connection = &mut self.slab[index];
        let s = usize::from(connection.stream);
        connection.calls_done += 1;
        let all_sent = connection.state == State::Waiting;
        let keep = connection.parser.keep_alive();
        let asked_to_close = connection.last_call;
        let status = connection.parser.status();
        self.record(index, Outcome::Answered(status), now);
        if keep && clean && all_sent && !asked_to_close {
            let stream = &mut self.streams[s];
            stream.active.remove(&mut self.slab, index);
            self.slab[index].has_call = false;
            self.slab[index].state = State::Idle;
            if stream.closed_loop && now < self.end {
                self.recorder.offered(stream.population, now, None);
                return self.begin(index, now, false);
            }
            return self.streams[s].idle.push(&mut self.slab, index);
        }
        self.end_connection(index, clean && all_sent, now);
        if self.streams[s].closed_loop && now < self.end {
            self.arrive(s, now, None);
        }
    }

    /// The connection broke before any byte of a reply. If it had been idle, the
    /// server had probably closed it just then: the call is sent once more, on a
    /// new connection (RFC 9112 §9.3.1). Otherwise it has failed.
    fn broken(&mut self, index: u32, failure: Failure) {
        let call = self.slab[index].call;
        let young = self.now().saturating_sub(call.sent) <= STALE_WITHIN;
        let stale = young && call.reused && call.received == 0 && !call.retried;
        let closed = matches!(failure.cause, Cause::Reset | Cause::ClosedEarly);
        if !(stale && closed && self.settings.idempotent) {
            return self.fail(index, failure);
        }
        let s = usize::from(self.slab[index].stream);
        self.recorder.reconnect(self.streams[s].population, call.intended);
        self.drop_active(index);
        let again = Call { retried: true, reused: false, written: 0, ..call };
        self.open(s, Some(again));
    }

    /// The call, or the opening of a warm connection, has failed.
    fn fail(&mut self, index: u32, failure: Failure) {
        let now = self.now();
        let s = usize::from(self.slab[index].stream);
        if self.slab[index].has_call {
            self.record(index, Outcome::Failed(failure), now);
            if self.streams[s].closed_loop {
                self.streams[s].pause(now);
            }
        } else {
            self.warm_failed(failure);
        }
        self.drop_active(index);
    }

    /// The time limit of a connection's call (or of its connecting) has passed.
    pub(super) fn time_out(&mut self, index: u32) {
        let call = self.slab[index].call;
        let by_deadline = |d: Nanos| call.intended.saturating_add(d) <= call.expires;
        let cause = match self.settings.deadline {
            Some(deadline) if self.slab[index].has_call && by_deadline(deadline) => Cause::Deadline,
            _ => Cause::Timeout,
        };
        self.fail(index, Failure::new(self.phase(index), cause));
    }

    /// Records the end of the call that a connection carries.
    pub(super) fn record(&mut self, index: u32, outcome: Outcome, now: Nanos) {
        let worth_a_look = self.is_worth_a_look(self.slab[index].call.intended, now);
        let call = self.call_record(index, outcome, now);
        self.recorder.ended(call);
        // Its record is made anew then, so that usually it need not be kept.
        if worth_a_look {
            self.look_into(index, outcome, now);
        }
    }

    #[inline]
    pub(super) fn call_record(&self, index: u32, outcome: Outcome, now: Nanos) -> CallRecord {
        let connection = &self.slab[index];
        CallRecord {
            intended: connection.call.intended,
            sent: connection.call.sent,
            done: now,
            bytes: connection.call.received.min(u64::from(u32::MAX)) as u32,
            outcome,
            population: self.streams[usize::from(connection.stream)].population,
            reused: connection.call.reused,
            retried: connection.call.retried,
            queued: connection.call.queued,
        }
    }

    /// Closes a connection of the active list.
    pub(super) fn drop_active(&mut self, index: u32) {
        let connection = &self.slab[index];
        let s = usize::from(connection.stream);
        if !connection.has_call {
            self.warming -= 1;
        }
        self.streams[s].active.remove(&mut self.slab, index);
        self.streams[s].open -= 1;
        self.slab.close(index);
    }
}
