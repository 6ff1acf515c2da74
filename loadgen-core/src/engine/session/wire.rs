//! What happens on one connection of a session: connecting, sending, ending.
//! Reading is in `reading.rs`.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use super::SessionWorker;
use super::parts::{Call, Connection, NEVER, State};
use super::timers::Owner;
use crate::clock::Nanos;
use crate::net::poll::Readiness;
use crate::net::progress::HandshakeError;
use crate::net::transport::Transport;
use crate::net::{socket, sys};
use crate::protocol::http1::TolerantReader;
use crate::record::{Cause, ConnectionEnd, Failure, Phase};
use crate::session::{Notice, Script};

impl SessionWorker {
    /// Opens a connection for a session. `None` if it failed at once; the session
    /// may have ended with it.
    pub(super) fn open(&mut self, index: u32) -> Option<u32> {
        let now = self.now();
        let settings = &self.common.settings;
        let session = self.sessions.get_mut(index)?;
        session.opened += 1;
        if session.opened == 1 && session.arrival_pending {
            self.recorder.started(settings.population, session.intended, now);
        }
        self.recorder.opened(settings.population, session.intended);
        self.record.opening();
        if !std::mem::take(&mut self.counted_ahead) {
            self.common.opening();
        }
        // A call that is sent again goes to the server that its bytes name.
        let server = session.again.front().map_or(self.next_server, |call| call.server);
        if session.again.is_empty() {
            self.next_server = (server + 1) % settings.addresses.len();
        }
        let address = settings.addresses[server];
        let socket = match socket::prepare(address, &self.common.settings.sessions.socket) {
            Ok(socket) => socket,
            Err(error) => return self.failed_at_once(index, &error, now),
        };
        // From here on it counts as a connection, whatever becomes of it: also if it
        // cannot come from the address that it is to come from.
        self.record.attempted();
        let begun = self.bind(&socket, address).and_then(|()| socket::begin(&socket, address));
        let connected = match begun {
            Ok(connected) => connected,
            Err(error) => return self.failed_at_once(index, &error, now),
        };
        let transport = match self.transport(index, server, socket) {
            Ok(transport) => transport,
            Err(error) => return self.failed_at_once(index, &error, now),
        };
        let place = self.connections.insert(Connection {
            transport,
            session: self.sessions.token(index),
            server,
            state: State::Connecting,
            opened: now,
            replies: 0,
            calls: VecDeque::new(),
            sent: 0,
            progress: now,
            reader: TolerantReader::new(false),
            timer: NEVER,
            stale: false,
            surplus: false,
            blocked: false,
            page: None,
        });
        let token = self.connections.token(place);
        let registered = match self.connections.get(place) {
            Some(connection) => self.poll.register(connection.transport.fd(), token),
            None => Ok(()),
        };
        if let Err(error) = registered {
            self.connections.remove(place);
            return self.failed_at_once(index, &error, now);
        }
        self.sessions.get_mut(index)?.connections.push(place);
        if connected {
            // Loopback may be as fast as that; the event that tells of it is spared.
            self.connected(place);
        } else {
            self.watch(place);
        }
        self.connections.find(token)
    }

    /// Binds a socket to where the next connection comes from.
    fn bind(&mut self, socket: &socket2::Socket, address: SocketAddr) -> io::Result<()> {
        if !self.common.settings.sessions.socket.choose_ports {
            let source = self.sources.take(address);
            return source.map_or(Ok(()), |source| socket::bind(socket, source));
        }
        for _ in 0..self.sources.ports() {
            let Some(source) = self.sources.take(address) else { break };
            match socket::bind(socket, source) {
                Ok(()) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from_raw_os_error(libc::EADDRINUSE))
    }

    fn transport(
        &mut self,
        index: u32,
        server: usize,
        socket: socket2::Socket,
    ) -> io::Result<Transport> {
        match (self.common.settings.tls.get(server), self.sessions.get_mut(index)) {
            (Some(tls), Some(session)) => tls.connect(socket.into(), &mut session.tls),
            _ => Ok(Transport::Plain(socket.into())),
        }
    }

    /// There was no connection to begin with.
    fn failed_at_once(&mut self, index: u32, error: &io::Error, now: Nanos) -> Option<u32> {
        self.record.closed(0, 0);
        self.common.closed();
        let failure = Failure::from_io(Phase::Connect, error);
        self.count(failure);
        self.connection_lost(index, Vec::new(), 0, failure, now);
        None
    }

    /// Something has happened to a connection.
    pub(super) fn ready(&mut self, place: u32, readiness: Readiness) {
        let token = self.connections.token(place);
        if readiness.writable()
            && let Some(connection) = self.connections.get_mut(place)
        {
            connection.blocked = false;
            match connection.state {
                State::Connecting => self.connected(place),
                State::Handshake => self.handshake(place),
                State::Open if connection.transport.wants_write() => self.pump(place),
                State::Open if connection.sent < connection.calls.len() => self.pump(place),
                State::Open => {}
            }
        }
        if readiness.readable()
            && let Some(place) = self.connections.find(token)
            && let Some(connection) = self.connections.get_mut(place)
        {
            match connection.state {
                State::Connecting => {}
                State::Handshake => self.handshake(place),
                State::Open => self.read(place, readiness.hung_up()),
            }
        }
    }

    /// The TCP connect has ended, one way or the other.
    fn connected(&mut self, place: u32) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(place) else { return };
        let error = socket::take_error(connection.transport.fd()).unwrap_or_else(Some);
        if let Some(error) = error {
            // httperf finds this out by its first write: its connect time counts.
            self.record.connected(now.saturating_sub(connection.opened));
            return self.failed(place, Failure::from_io(Phase::Connect, &error));
        }
        connection.state = State::Handshake;
        self.handshake(place);
    }

    /// Goes on with the TLS handshake; a plain connection has none.
    fn handshake(&mut self, place: u32) {
        let Some(connection) = self.connections.get_mut(place) else { return };
        match connection.transport.handshake() {
            Ok(false) => self.watch(place),
            Ok(true) => self.established(place),
            Err(HandshakeError::Socket(error)) => {
                self.failed(place, Failure::from_io(Phase::Connect, &error));
            }
            Err(error) => {
                let reason = error.to_string();
                self.record.tls_failure.get_or_insert(reason);
                self.failed(place, Failure::new(Phase::Connect, Cause::Tls));
            }
        }
    }

    /// Calls can be sent.
    fn established(&mut self, place: u32) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(place) else { return };
        connection.state = State::Open;
        connection.progress = now;
        self.record.connected(now.saturating_sub(connection.opened));
        let Some(session) = self.sessions.find(connection.session) else { return };
        let token = self.connections.token(place);
        match self.common.settings.sessions.script {
            // Opened and left alone.
            Script::Connection { calls: 0, .. } => return self.watch(place),
            Script::Connection { .. } => {
                let at = self.sessions.get(session).map_or(now, |s| s.intended);
                self.begin_burst(session, at);
            }
            _ => self.pump(place),
        }
        // A handshake's last bytes may have come together with others.
        if !self.common.settings.tls.is_empty()
            && let Some(place) = self.connections.find(token)
        {
            self.read(place, false);
        }
    }

    /// Sends what waits, as far as the socket takes it.
    pub(super) fn pump(&mut self, place: u32) {
        let mut now = self.now();
        let Some(connection) = self.connections.get_mut(place) else { return };
        if connection.state != State::Open || connection.blocked {
            return;
        }
        if connection.surplus && connection.sent < connection.calls.len() {
            return self.failed(place, Failure::new(Phase::Head, Cause::Protocol));
        }
        let mut failure = None;
        let was_idle = connection.sent == 0;
        while let Some(call) = connection.calls.get_mut(connection.sent) {
            if call.begun == NEVER {
                call.begun = now;
                call.reused = connection.replies > 0;
                if !call.started {
                    call.started = true;
                    self.recorder.started(self.common.settings.population, call.intended, now);
                }
            }
            let rest = call.request.bytes.get(call.written..).unwrap_or_default();
            match connection.transport.send(rest) {
                Ok(n) => {
                    call.written += n;
                    self.recorder.sent_bytes(now, n as u64);
                    self.record.request_bytes(n as u64);
                    connection.progress = now;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    connection.blocked = true;
                    break;
                }
                Err(error) => {
                    failure = Some(Failure::from_io(Phase::Send, &error));
                    break;
                }
            }
            if call.written == call.request.bytes.len() {
                now = sys::monotonic_ns().saturating_sub(self.origin);
                let limit = self.common.settings.reply_timeout;
                call.due = if limit == 0 { NEVER } else { now + limit };
                connection.sent += 1;
                if connection.sent == 1 {
                    connection.reader = TolerantReader::new(call.request.is_head);
                    connection.page = self.common.settings.page(call);
                }
                self.record.request_sent();
                if self.common.wants_messages {
                    let (head, body) = call.request.bytes.split_at(call.request.head);
                    self.common.tell(|observer| observer.request(call.id, head, body));
                }
            }
        }
        if failure.is_none()
            && let Err(error) = connection.transport.flush()
            && error.kind() != io::ErrorKind::WouldBlock
        {
            failure = Some(Failure::from_io(Phase::Send, &error));
        }
        if let Some(failure) = failure {
            return self.failed(place, failure);
        }
        if was_idle && connection.sent > 0 && std::mem::take(&mut connection.stale) {
            // What came while nothing was due was not read, and its event is over. Not
            // read here: the buffer may hold replies of another connection.
            let token = self.connections.token(place);
            let Some(connection) = self.connections.get(place) else { return };
            if let Err(error) = self.poll.rearm(connection.transport.fd(), token) {
                return self.failed(place, Failure::from_io(Phase::Head, &error));
            }
        }
        self.watch(place);
    }

    /// Sees to it that the connection's deadline is noticed.
    pub(super) fn watch(&mut self, place: u32) {
        let token = self.connections.token(place);
        let timeout = self.common.settings.timeout;
        if let Some(connection) = self.connections.get_mut(place) {
            let deadline = connection.deadline(timeout);
            if deadline < connection.timer {
                connection.timer = deadline;
                self.timers.set(deadline, Owner::Connection(token));
            }
        }
    }

    /// A deadline of a connection may have passed.
    pub(super) fn connection_due(&mut self, place: u32) {
        let timeout = self.common.settings.timeout;
        let now = self.now();
        let token = self.connections.token(place);
        let Some(connection) = self.connections.get_mut(place) else { return };
        if connection.timer > now {
            // Its deadline was moved to an earlier time, and is set again by now.
            return;
        }
        connection.timer = NEVER;
        let deadline = connection.deadline(timeout);
        if deadline > now {
            return self.watch(place);
        }
        let own = connection.waits_for_us_since().map_or(0, |at| self.looks.within(at, now));
        let limit = deadline + own;
        if limit > now {
            connection.timer = limit;
            return self.timers.set(limit, Owner::Connection(token));
        }
        if limit > self.looks.looked() {
            // Perhaps what it waits for came while we did not look.
            return self.to_be_looked_at.push(token);
        }
        let phase = match connection.state {
            State::Connecting | State::Handshake => Phase::Connect,
            State::Open if connection.sent == 0 => Phase::Send,
            State::Open if connection.reader.begun() => Phase::Body,
            State::Open => Phase::Head,
        };
        self.failed(place, Failure::new(phase, Cause::Timeout));
    }

    /// A connection has failed.
    pub(super) fn failed(&mut self, place: u32, failure: Failure) {
        let now = self.now();
        self.count(failure);
        let Some(connection) = self.connections.get(place) else { return };
        if connection.state == State::Open {
            self.recorder.connection_ended(ConnectionEnd {
                opened: connection.opened,
                alive: connection.progress.min(now),
                ended: now,
                population: self.common.settings.population,
                loss: Some(failure.cause),
                again: 0,
            });
        }
        let (session, replies) = (connection.session, connection.replies);
        let unanswered = self.close(place, now);
        if let Some(index) = self.sessions.find(session) {
            if let Some(session) = self.sessions.get_mut(index) {
                session.connections.retain(|other| *other != place);
            }
            self.connection_lost(index, unanswered, replies, failure, now);
        }
    }

    /// Counts a failed connection by its cause.
    fn count(&mut self, failure: Failure) {
        let failures = &mut self.record.failures;
        let class = match (failure.cause, failure.errno) {
            (Cause::Timeout, libc::ETIMEDOUT) => &mut failures.kernel_timeout,
            (Cause::Timeout | Cause::Deadline, _) => &mut failures.timeout,
            (Cause::Refused, _) => &mut failures.refused,
            (Cause::Reset | Cause::ClosedEarly, _) => &mut failures.reset,
            (_, libc::ENFILE) => &mut failures.table_full,
            (Cause::DescriptorsExhausted, _) => &mut failures.no_descriptor,
            (Cause::Tls, _) => &mut failures.tls,
            (_, errno) => {
                if errno != 0 && self.common.first_unexpected_error() {
                    self.common.tell(|o| o.notice(Notice::UnexpectedError(errno)));
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
        if failure.phase == Phase::Connect && by_server && self.common.settings.stop_on_tls_failure
        {
            let reason = || match failure.errno {
                0 => failure.class(),
                errno => io::Error::from_raw_os_error(errno).to_string(),
            };
            self.record.tls_failure.get_or_insert_with(reason);
            self.shared.cut();
        }
    }

    /// Closes a connection; gives the calls that it leaves unanswered. The caller
    /// sees to the session's list.
    pub(super) fn close(&mut self, place: u32, now: Nanos) -> Vec<Call> {
        let Some(connection) = self.connections.remove(place) else { return Vec::new() };
        self.record.closed(now.saturating_sub(connection.opened), connection.replies);
        self.common.closed();
        connection.transport.close();
        connection.calls.into()
    }
}
