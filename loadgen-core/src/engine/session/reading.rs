//! Reading the replies of a connection of a session.

use std::io;

use super::SessionWorker;
use super::page::PageReply;
use super::parts::{Call, NEVER, Session};
use super::settings::Common;
use crate::engine::worker::BUFFER;
use crate::protocol::http1::{LINE_KEPT, TolerantReader};
use crate::protocol::{Progress, Sink, Truncated};
use crate::record::{Cause, Failure, Outcome, Phase};
use crate::session::{CookieJar, Found, Notice};

/// From this many body bytes on the kernel is told to drop them unread.
const DISCARD_FROM: u64 = BUFFER as u64;

/// Most bytes dropped at once.
const DISCARD_AT_ONCE: u64 = 1024 * 1024;

/// Reads of one connection before the others get their turn.
const READS_AT_ONCE: u32 = 16;

/// Most objects that wait to be fetched in one session: a page with more of them is
/// taken for one without end.
const MOST_OBJECTS: usize = 100_000;

/// Where the parts of a reply go.
struct Parts<'a> {
    common: &'a Common,
    call: u64,
    cookie: Option<&'a mut CookieJar>,
    page: Option<&'a mut PageReply>,
    found: Vec<Vec<u8>>,
}

impl Sink for Parts<'_> {
    fn takes_whole_lines(&self) -> bool {
        self.common.wants_messages
    }

    fn line(&mut self, line: &[u8]) {
        if self.common.wants_messages {
            self.common.tell(|observer| observer.reply_line(self.call, line));
        }
        // A run does not do something else because it is watched.
        let line = line.get(..LINE_KEPT).unwrap_or(line);
        if let Some(jar) = &mut self.cookie
            && let Some(notice) = jar.take(line)
        {
            self.common.tell(|observer| observer.notice(notice));
        }
        if let (Some(page), Some(links)) = (&mut self.page, &self.common.settings.links) {
            page.line(links, line, &mut |found| keep(self.common, &mut self.found, &found));
        }
    }

    fn body(&mut self, bytes: &[u8]) {
        if self.common.wants_messages {
            self.common.tell(|observer| observer.reply_body(self.call, bytes));
        }
        if let (Some(page), Some(links)) = (&mut self.page, &self.common.settings.links) {
            page.body(links, bytes, &mut |found| keep(self.common, &mut self.found, &found));
        }
    }

    fn notice(&mut self, notice: Notice<'_>) {
        self.common.tell(|observer| observer.notice(notice));
    }
}

/// How many objects wait to be fetched in a session.
fn session_objects(session: Option<&Session>) -> usize {
    session.map_or(0, |session| session.found.len())
}

/// Keeps an object to be fetched, tells of one that is not.
fn keep(common: &Common, objects: &mut Vec<Vec<u8>>, found: &Found<'_>) {
    match found {
        Found::Fetch(uri) => objects.push(uri.to_vec()),
        Found::Foreign(uri) => common.tell(|o| o.notice(Notice::ForeignUri(uri))),
    }
}

impl SessionWorker {
    /// Reads until the socket has nothing more. Events are edge-triggered: after a
    /// short read a new event will come, unless the peer has hung up already.
    pub(super) fn read(&mut self, place: u32, hung_up: bool) {
        let token = self.connections.token(place);
        for _ in 0..READS_AT_ONCE {
            let Some(connection) = self.connections.get_mut(place) else { return };
            if connection.sent == 0 {
                self.read_unasked(place);
                return self.watch(place);
            }
            let droppable = connection.reader.discardable();
            let whole = !self.common.wants_messages && connection.page.is_none();
            if whole
                && droppable >= DISCARD_FROM
                && let Some(result) =
                    connection.transport.discard(droppable.min(DISCARD_AT_ONCE) as usize, None)
            {
                let Some(n) = self.taken(place, result) else { return };
                let Some(connection) = self.connections.get_mut(place) else { return };
                if matches!(connection.reader.discarded(n as u64), Progress::Done) {
                    self.reply_complete(place);
                    if self.connections.find(token).is_none() {
                        return;
                    }
                }
                continue;
            }
            let result = connection.transport.recv(&mut self.buffer, None);
            let drained = result.as_ref().is_ok_and(|received| received.drained);
            let result = result.map(|received| received.bytes);
            let Some(n) = self.taken(place, result) else { return };
            self.replies(place, token, n);
            if self.connections.find(token).is_none() {
                return;
            }
            if drained && !hung_up {
                return self.watch(place);
            }
        }
        // There may be more; the event that told of it is used up.
        let Some(connection) = self.connections.get(place) else { return };
        if let Err(error) = self.poll.rearm(connection.transport.fd(), token) {
            return self.failed(place, Failure::from_io(Phase::Body, &error));
        }
        self.watch(place);
    }

    /// Something came while no reply is due.
    fn read_unasked(&mut self, place: u32) {
        let Some(connection) = self.connections.get_mut(place) else { return };
        if !connection.calls.is_empty() {
            // Perhaps a reply to the request that is being sent: read when it is sent.
            connection.stale = true;
            return;
        }
        match connection.transport.recv(&mut self.buffer, None) {
            // Bytes that nobody asked for: they must not pass for the next reply.
            Ok(received) if received.bytes > 0 => connection.surplus = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // The end, or an error: noticed after the next request, as by httperf.
            _ => connection.stale = true,
        }
    }

    /// Sorts out the result of a read: the bytes taken, or `None` when reading is
    /// over for now (and the connection, perhaps, for good).
    fn taken(&mut self, place: u32, result: io::Result<usize>) -> Option<usize> {
        match result {
            Ok(0) => {
                self.end_of_stream(place);
                None
            }
            Ok(n) => {
                let now = self.now();
                self.recorder.received_bytes(now, n as u64);
                if let Some(connection) = self.connections.get_mut(place)
                    && let Some(call) = connection.calls.front_mut()
                {
                    call.received += n as u64;
                }
                Some(n)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.watch(place);
                None
            }
            Err(error) => {
                let phase = self.phase(place);
                self.failed(place, Failure::from_io(phase, &error));
                None
            }
        }
    }

    /// Reads the first `filled` bytes of the buffer as replies.
    fn replies(&mut self, place: u32, token: u64, filled: usize) {
        let mut at = 0;
        // Only these can the bytes be replies to, not a call that one of them releases.
        let mut due = self.connections.get(place).map_or(0, |connection| connection.sent);
        while at < filled {
            let now = self.now();
            let Some(connection) = self.connections.get_mut(place) else { return };
            let Some(call) = connection.calls.front_mut().filter(|_| due > 0) else {
                return;
            };
            let session = self.sessions.find(connection.session);
            let session_state = session.and_then(|index| self.sessions.get_mut(index));
            let mut parts = Parts {
                common: &self.common,
                call: call.id,
                cookie: session_state.and_then(|session| session.cookie.as_deref_mut()),
                page: connection.page.as_deref_mut(),
                found: Vec::new(),
            };
            let bytes = self.buffer.get(at..filled).unwrap_or_default();
            let outcome = connection.reader.advance(bytes, &mut parts);
            let found = parts.found;
            if connection.reader.begun() {
                if call.answered == NEVER {
                    call.answered = now;
                    self.record.reply_begun(now.saturating_sub(call.begun));
                }
            } else if call.due != NEVER {
                // Progress counts until the status line is there, no longer.
                call.due = now + self.common.settings.reply_timeout;
            }
            let kept = session_objects(session.and_then(|index| self.sessions.get(index)));
            let done = match outcome {
                Ok(_) if kept + found.len() > MOST_OBJECTS => {
                    return self.failed(place, Failure::new(Phase::Body, Cause::Protocol));
                }
                Ok((used, progress)) => {
                    at += used;
                    matches!(progress, Progress::Done)
                }
                Err(_) => {
                    let phase = self.phase(place);
                    return self.failed(place, Failure::new(phase, Cause::Protocol));
                }
            };
            if let (false, Some(index)) = (found.is_empty(), session) {
                self.objects_found(index, found, now);
                if self.connections.find(token).is_none() {
                    return;
                }
            }
            if !done {
                return;
            }
            due -= 1;
            if let Some(connection) = self.connections.get_mut(place) {
                // Before the next call is sent: it fails instead.
                connection.surplus = due == 0 && at < filled;
            }
            self.reply_complete(place);
            if self.connections.find(token).is_none() {
                return;
            }
        }
    }

    /// The reply to the first call of a connection is complete.
    fn reply_complete(&mut self, place: u32) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(place) else { return };
        let Some(call) = connection.calls.pop_front() else { return };
        connection.sent -= 1;
        connection.replies += 1;
        let (status, sizes) = (connection.reader.status(), connection.reader.sizes());
        let next = connection.calls.front();
        let next_is_head = next.is_some_and(|call| call.request.is_head);
        connection.page = next.and_then(|call| self.common.settings.page(call));
        connection.reader = TolerantReader::new(next_is_head);
        let session = connection.session;
        let spent = self.common.settings.sessions.head.minor_version == 0
            && self.common.settings.sessions.are_scripted()
            && connection.calls.is_empty();
        self.record.reply_complete(status, now.saturating_sub(call.answered.min(now)), sizes);
        if self.common.wants_messages {
            self.common.tell(|observer| observer.reply_end(call.id, sizes));
        }
        let status_code = u16::try_from(status).unwrap_or(u16::MAX);
        self.call_ended(&call, Outcome::Answered(status_code), now);
        let Some(index) = self.sessions.find(session) else { return };
        if spent {
            self.close(place, now);
            if let Some(session) = self.sessions.get_mut(index) {
                session.connections.retain(|other| *other != place);
            }
        }
        self.answered(index, call, status, now);
    }

    /// The server has closed.
    fn end_of_stream(&mut self, place: u32) {
        let phase = self.phase(place);
        let Some(connection) = self.connections.get_mut(place) else { return };
        // An encrypted stream that ends without its goodbye may have been cut by
        // anyone: that completes nothing.
        let cut = connection.transport.truncated();
        let failure = match connection.reader.end_of_stream() {
            Ok(()) if cut => Failure::new(phase, Cause::ClosedEarly),
            Ok(()) => {
                let token = self.connections.token(place);
                self.reply_complete(place);
                let Some(place) = self.connections.find(token) else { return };
                let Some(connection) = self.connections.get_mut(place) else { return };
                if connection.calls.is_empty() {
                    // Noticed when the next request is sent.
                    connection.stale = true;
                    return self.watch(place);
                }
                Failure::new(Phase::Head, Cause::ClosedEarly)
            }
            Err(Truncated::BeforeHead | Truncated::InHead) => {
                Failure::new(Phase::Head, Cause::ClosedEarly)
            }
            Err(_) => Failure::new(phase, Cause::ClosedEarly),
        };
        self.failed(place, failure);
    }

    /// How far the first call of a connection has come.
    fn phase(&self, place: u32) -> Phase {
        match self.connections.get(place) {
            Some(connection) if connection.reader.begun() => Phase::Body,
            Some(connection) if connection.calls.front().is_some_and(Call::is_sent) => Phase::Head,
            _ => Phase::Send,
        }
    }
}

impl Call {
    fn is_sent(&self) -> bool {
        self.written == self.request.bytes.len()
    }
}
