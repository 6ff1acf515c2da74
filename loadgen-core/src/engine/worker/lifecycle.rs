//! The life of a connection up to its first call: connecting, the TLS handshake, ready;
//! and its end, when it is dropped with whatever it was at.

use std::os::fd::{AsFd, OwnedFd};

use super::Worker;
use crate::clock::Nanos;
use crate::engine::connection::{Call, State};
use crate::engine::destination::failure;
use crate::net::progress::HandshakeError;
use crate::net::transport::Transport;
use crate::net::{socket, sys};
use crate::protocol::Protocol;
use crate::record::{Cause, Failure, Phase};

impl<P: Protocol> Worker<P> {
    /// Opens a connection, for a call or (`None`) to be warm.
    pub(super) fn open(&mut self, s: usize, call: Option<Call>) {
        let now = self.now();
        if let Some(call) = call {
            let id = self.loads[s].id;
            if !call.retried {
                self.recorder.started(id, call.intended, now);
            }
        }
        let is_head = self.loads[s].requests.is_head(call.map_or(0, |call| call.request));
        // The clock of a load that has not begun is another.
        let begun = if call.is_some() { now } else { 0 };
        let index = self.begin_opening(s, is_head, begun);
        let connection = &mut self.slab[index];
        connection.has_call = call.is_some();
        connection.call = Call { sent: now, received: 0, ..call.unwrap_or_default() };
        connection.call.expires = match call {
            Some(call) => self.settings.expiry(now, call.intended),
            None => now + self.settings.timeout,
        };
        self.warming += u32::from(call.is_none());
        self.loads[s].connecting.push_by_expiry(&mut self.slab, index);
        self.set_out(index);
    }

    /// A slot for a connection that begins to be opened now (`begun`: on the clock of the
    /// load). The caller puts it among those that are connecting.
    pub(super) fn begin_opening(&mut self, s: usize, is_head: bool, begun: Nanos) -> u32 {
        let now = self.now();
        let index = self.slab.open(s as u8, is_head);
        let load = &mut self.loads[s];
        load.open += 1;
        load.opening.begun(now);
        let connection = &mut self.slab[index];
        connection.opened = begun;
        connection.alive = begun;
        index
    }

    /// Begins to connect.
    pub(super) fn connect(&mut self, index: u32) {
        if let Err(failure) = self.try_connect(index) {
            self.fail(index, failure);
        }
    }

    fn try_connect(&mut self, index: u32) -> Result<(), Failure> {
        let socket = self.socket(index);
        self.attempted(index, socket.as_ref().err());
        let (fd, visit) = socket?;
        if self.settings.kernel_timestamps {
            // It did so when the engine was made.
            let _ = sys::stamp_receipts(fd.as_fd());
        }
        self.poll
            .register(fd.as_fd(), self.slab.token(index))
            .map_err(|error| Failure::from_io(Phase::Connect, &error))?;
        let s = usize::from(self.slab[index].load);
        let server = usize::from(self.slab[index].server);
        let transport = match self.settings.tls.get(server) {
            None if self.settings.is_unix => Transport::Unix(fd),
            None => Transport::Plain(fd),
            Some(tls) => {
                let session = self.slab[index].session.as_ref().map(|link| link.session);
                let tls = tls.connect(fd, self.loads[s].tls_sessions(session));
                let tls = tls.map_err(|error| Failure::from_io(Phase::Connect, &error))?;
                match &self.settings.tunnel {
                    None => tls,
                    Some(request) => tls.through(request),
                }
            }
        };
        let connection = &mut self.slab[index];
        connection.transport = Some(transport);
        connection.visit = visit;
        Ok(())
    }

    /// The TCP connect has ended, one way or the other.
    pub(super) fn connected(&mut self, index: u32) {
        let error = match &self.slab[index].transport {
            Some(transport) => socket::take_error(transport.fd()).unwrap_or_else(Some),
            None => None,
        };
        let now = self.now();
        if let Some(error) = error {
            self.not_connected(index, now);
            return self.fail(index, Failure::from_io(Phase::Connect, &error));
        }
        self.recorder.visits.opened(self.slab[index].visit);
        let (took, connecting) = self.connecting(index, now);
        let connection = &mut self.slab[index];
        connection.call.connecting = connecting;
        if connection.has_call || connection.session.is_some() {
            let id = self.loads[usize::from(connection.load)].id;
            self.recorder.connected(id, connection.call.intended, took);
        }
        if self.settings.tls.is_empty() {
            return self.established(index, now);
        }
        let connection = &mut self.slab[index];
        connection.state = State::Securing;
        connection.connected = now;
        self.secure(index);
    }

    /// Goes on with the TLS handshake, or with the tunnel for it.
    pub(super) fn secure(&mut self, index: u32) {
        let connection = &mut self.slab[index];
        let Some(transport) = &mut connection.transport else { return };
        match transport.handshake() {
            Ok(false) => return,
            Ok(true) => {}
            Err(HandshakeError::Socket(error)) => {
                return self.fail(index, Failure::from_io(Phase::Connect, &error));
            }
            Err(HandshakeError::Closed) => {
                return self.fail(index, Failure::new(Phase::Connect, Cause::ClosedEarly));
            }
            Err(HandshakeError::Refused(reason)) => {
                self.recorder.tls.failed(reason);
                return self.fail(index, Failure::new(Phase::Connect, Cause::Tls));
            }
            Err(HandshakeError::Tunnel(error)) => {
                self.recorder.tls.failed(error.to_string());
                return self.fail(index, Failure::new(Phase::Connect, Cause::Proxy));
            }
        }
        let now = self.now();
        let took = now.saturating_sub(self.slab[index].connected);
        let connection = &mut self.slab[index];
        connection.call.connecting.secured(took);
        let agreed = connection.transport.as_ref().and_then(Transport::agreed);
        let id = self.loads[usize::from(connection.load)].id;
        let is_counted = connection.has_call || connection.session.is_some();
        let intended = is_counted.then_some(connection.call.intended);
        self.recorder.secured(id, intended, took, agreed);
        let generation = connection.generation;
        self.established(index, now);
        let connection = &self.slab[index];
        let same = connection.generation == generation;
        if same && connection.transport.as_ref().is_some_and(Transport::has_pending) {
            // It came together with the end of the handshake: no event tells of it.
            match connection.state {
                State::Idle => self.read_unasked(index),
                State::Free => {}
                _ => self.read(index, false),
            }
        }
    }

    /// Calls can be sent.
    fn established(&mut self, index: u32, now: Nanos) {
        let s = usize::from(self.slab[index].load);
        self.loads[s].connecting.remove(&mut self.slab, index);
        self.loads[s].opening.ended();
        if self.slab[index].session.is_some() {
            return self.session_connected(index, now);
        }
        if !self.slab[index].has_call {
            self.warming -= 1;
            self.slab[index].state = State::Idle;
            self.slab[index].call.sent = 0;
            return self.loads[s].idle.push(&mut self.slab, index);
        }
        // The time limit starts again with the first byte sent.
        let call = &mut self.slab[index].call;
        call.sent = now;
        call.expires = self.settings.expiry(now, call.intended);
        self.loads[s].active.push_by_expiry(&mut self.slab, index);
        self.send(index);
    }

    /// Closes a connection that is being opened, or carries calls, or is a session's.
    pub(super) fn drop_connection(&mut self, index: u32) {
        let connection = &self.slab[index];
        let s = usize::from(connection.load);
        let load = &mut self.loads[s];
        if let Some(pipe) = &connection.pipe {
            load.behind -= pipe.len() as u32;
        }
        if connection.state.is_opening() {
            self.warming -= u32::from(!connection.has_call && connection.session.is_none());
            load.opening.ended();
            load.connecting.remove(&mut self.slab, index);
        } else if connection.has_call {
            load.active.remove(&mut self.slab, index);
        }
        self.loads[s].open -= 1;
        self.slab.close(index);
    }

    /// Begins to connect, or to wait for the lookup that says where to.
    pub(super) fn set_out(&mut self, index: u32) {
        let token = self.slab.token(index);
        if !self.destination.has_to_wait(token) {
            self.connect(index);
        }
    }

    /// A socket that connects, and the number of the endpoint in the record.
    pub(super) fn socket(&mut self, index: u32) -> Result<(OwnedFd, u8), Failure> {
        let begun = if self.looks.has_begun() { self.now() } else { 0 };
        let connection = &self.slab[index];
        let server = usize::from(connection.server);
        let pace = self.loads[usize::from(connection.load)].pace;
        let buffer = pace.map(|pace| pace.receive_buffer);
        // The resolver found no address of the family that the source addresses have.
        let nowhere = Failure::new(Phase::Connect, Cause::Resolve);
        let endpoint = self.destination.next_endpoint(server).ok_or(nowhere)?.clone();
        let visit = self.recorder.visits.begin(&endpoint, begun);
        let socket = self.destination.socket(&endpoint, buffer);
        socket.map(|fd| (fd, visit)).map_err(|error| failure(&endpoint, &error))
    }

    /// A lookup has ended: those that have waited for it connect.
    #[cold]
    pub(super) fn resolved(&mut self) {
        let Some(answer) = self.destination.answer() else { return };
        while let Some(token) = self.destination.next_waiting(answer.number) {
            // It may have run out of time.
            let Some(index) = self.slab.find(token) else { continue };
            match &answer.found {
                Ok(_) => {
                    let now = self.now();
                    let call = &mut self.slab[index].call;
                    call.connecting.resolved(now.saturating_sub(call.sent));
                    self.connect(index);
                }
                Err(_) => self.fail(index, Failure::new(Phase::Connect, Cause::Resolve)),
            }
        }
        for s in 0..self.loads.len() {
            self.serve(s);
        }
    }
}
