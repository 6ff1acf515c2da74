//! The serving thread: one epoll loop, a queue of due times, and a behaviour.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;

use socket2::{SockRef, Socket};

use super::behaviour::{Behaviour, sleep_until};
use super::connection::{Connection, Sent};
use super::reply::{Kind, Replies, Reply};
use super::request::Found;
use super::stop::{Stopper, Waker};
use super::time_log::TimeLog;
use super::truth::{Tally, TargetTruth};
use super::{TargetOptions, TargetServerError};
use crate::clock::{MILLISECOND, Nanos, SECOND, monotonic_ns};
use crate::net::poll::{Poll, Readiness};
use crate::net::sys;

const LISTENER: u64 = u64::MAX;
const WAKER: u64 = u64::MAX - 1;

/// Bytes read at once, from whichever connection.
const RECEIVE: usize = 64 * 1024;

/// Reads from one connection before the others have their turn.
const READS: usize = 16;

/// Connections accepted before the others have their turn. After a freeze thousands
/// may wait: whoever came first is also to be answered first.
const ACCEPTS: usize = 32;

/// How long to wait after a failed accept (no descriptors left).
const ACCEPT_PAUSE: Nanos = 50 * MILLISECOND;

/// How long a refused client may go on sending before it is cut off.
const DRAIN: Nanos = SECOND;

/// A place for a connection. The generation tells a late event of an old
/// connection from one of the new one in its place.
#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    connection: Option<Connection>,
}

pub(super) struct Server<B> {
    listener: Socket,
    poll: Poll,
    stopper: Stopper,
    waker: Waker,
    behaviour: B,
    options: TargetOptions,
    replies: Replies,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// When to look at which connection again.
    due: BinaryHeap<Reverse<(Nanos, u64)>>,
    /// Connections that gave way to others.
    unfinished: Vec<u64>,
    /// When to accept; `Nanos::MAX` until the listener is ready.
    accept_at: Nanos,
    buffer: Vec<u8>,
    arrivals: TimeLog<1>,
    tally: Tally,
}

impl<B: Behaviour> Server<B> {
    pub(super) fn new(
        listener: Socket,
        address: SocketAddr,
        options: TargetOptions,
        stopper: Stopper,
        waker: Waker,
        behaviour: B,
    ) -> Result<Self, TargetServerError> {
        let poll = Poll::new(options.precision).map_err(system("epoll"))?;
        poll.register(listener.as_fd(), LISTENER).map_err(system("epoll"))?;
        poll.register_waker(waker.as_fd(), WAKER).map_err(system("epoll"))?;
        let calls = TimeLog::create(options.calls.clone(), options.calls_limit)?;
        let mut tally = Tally::new(calls)?;
        tally.truth.listen = address.to_string();
        tally.truth.delay_us = options.delay.as_secs_f64() * 1e6;
        tally.truth.workers = Some(options.workers).filter(|workers| *workers > 0);
        tally.truth.status = options.status;
        tally.truth.body_bytes = options.body_bytes;
        Ok(Self {
            listener,
            poll,
            stopper,
            waker,
            behaviour,
            replies: Replies::new(options.status, options.body_bytes, options.chunk_bytes),
            slots: Vec::new(),
            free: Vec::new(),
            due: BinaryHeap::new(),
            unfinished: Vec::new(),
            accept_at: 0,
            buffer: vec![0; RECEIVE],
            arrivals: TimeLog::create(options.arrivals.clone(), options.arrivals_limit)?,
            tally,
            options,
        })
    }

    pub(super) fn run(mut self) -> Result<TargetTruth, TargetServerError> {
        sys::minimise_timer_slack();
        let start = monotonic_ns();
        self.tally.truth.started_monotonic_ns = start;
        self.behaviour.start(start);
        while !self.stopper.is_stopped() {
            self.keep_time();
            if self.accept_at <= monotonic_ns() {
                self.accept();
            }
            for token in std::mem::take(&mut self.unfinished) {
                self.send(token);
            }
            let wait = if self.unfinished.is_empty() {
                self.next_deadline().saturating_sub(monotonic_ns())
            } else {
                0
            };
            let ready = self.poll.wait(wait).map_err(system("epoll_wait"))?;
            for i in 0..ready {
                self.react(self.poll.readiness(i));
                // A full batch takes milliseconds: what is due does not wait for it.
                self.keep_time();
            }
        }
        for slot in &self.slots {
            let left = slot.connection.as_ref().map_or(0, Connection::unanswered);
            self.tally.truth.replies_unsent += left;
        }
        self.tally.truth.arrivals_kept = self.arrivals.kept();
        self.tally.truth.arrivals_not_kept = self.arrivals.not_kept;
        self.arrivals.write()?;
        self.tally.finish(monotonic_ns())
    }

    fn next_deadline(&self) -> Nanos {
        let due = self.due.peek().map_or(Nanos::MAX, |Reverse((due, _))| *due);
        // An hour at most: a wait without end is an overflow away.
        let idle = monotonic_ns() + 3600 * SECOND;
        due.min(self.behaviour.deadline()).min(self.accept_at).min(idle)
    }

    /// Does all that time asks for: freezes, and replies that are due.
    fn keep_time(&mut self) {
        while !self.stopper.is_stopped() {
            let now = monotonic_ns();
            if now >= self.behaviour.deadline() {
                self.obey(now);
                continue;
            }
            match self.due.peek() {
                Some(Reverse((due, token))) if *due <= now => {
                    let token = *token;
                    self.due.pop();
                    self.send(token);
                }
                _ => break,
            }
        }
    }

    /// Lets the behaviour decide, and does nothing if it says so.
    fn obey(&mut self, now: Nanos) {
        let Some(end) = self.behaviour.turn(now) else { return };
        let start = monotonic_ns();
        self.behaviour.stopped(start);
        sleep_until(end, self.options.precision, &self.stopper);
        let end = monotonic_ns();
        self.behaviour.resumed(end);
        self.tally.froze(start, end);
    }

    fn react(&mut self, readiness: Readiness) {
        match readiness.token() {
            LISTENER => self.accept_at = 0,
            WAKER => {
                self.waker.silence();
                self.obey(monotonic_ns());
            }
            token => {
                if readiness.readable() {
                    self.read(token, readiness.hung_up());
                }
                if readiness.writable() {
                    self.send(token);
                }
            }
        }
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS {
            match self.listener.accept() {
                Ok((socket, _)) => {
                    self.tally.truth.connections_accepted += 1;
                    if self.adopt(socket).is_err() {
                        self.tally.truth.accept_failures += 1;
                    }
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => {
                        self.accept_at = Nanos::MAX;
                        return;
                    }
                    // The client gave up before it was accepted, or a signal came.
                    Some(libc::ECONNABORTED | libc::EINTR | libc::EPROTO) => {}
                    // No descriptors or no memory: those who are served may go on.
                    _ => {
                        self.tally.truth.accept_failures += 1;
                        self.accept_at = monotonic_ns() + ACCEPT_PAUSE;
                        return;
                    }
                },
            }
        }
        self.accept_at = 0;
    }

    fn adopt(&mut self, socket: Socket) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        let token = u64::from(slot.generation) << 32 | u64::from(index);
        if let Err(error) = self.poll.register(socket.as_fd(), token) {
            self.free.push(index);
            return Err(error);
        }
        slot.connection = Some(Connection::new(socket.into()));
        // Its request may have come with the handshake; registering tells.
        Ok(())
    }

    fn connection(&mut self, token: u64) -> Option<&mut Connection> {
        let slot = self.slots.get_mut((token & u64::from(u32::MAX)) as usize)?;
        (u64::from(slot.generation) == token >> 32).then_some(slot.connection.as_mut())?
    }

    fn close(&mut self, token: u64) {
        let index = token & u64::from(u32::MAX);
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        if let Some(connection) = slot.connection.take() {
            self.tally.truth.replies_unsent += connection.unanswered();
            // LISTENER and WAKER are the last tokens: generations stay below them.
            slot.generation = (slot.generation + 1) % (u32::MAX - 1);
            self.free.push(index as u32);
        }
    }

    /// Reads what has come, queues the replies, sends those that are due at once.
    fn read(&mut self, token: u64, hung_up: bool) {
        let stamped = self.options.calls.is_some();
        for turn in 0.. {
            let mut buffer = std::mem::take(&mut self.buffer);
            let Some(connection) = self.connection(token) else {
                self.buffer = buffer;
                return;
            };
            if connection.is_full() || turn == READS {
                connection.unread = true;
                if turn == READS {
                    self.unfinished.push(token);
                }
                self.buffer = buffer;
                return;
            }
            connection.unread = false;
            let received = receive(connection, &mut buffer, stamped);
            let now = monotonic_ns();
            let go_on = match received {
                Ok((0, _)) => {
                    connection.ended = true;
                    if connection.is_idle() || connection.draining {
                        self.close(token);
                    }
                    false
                }
                Ok((n, unread)) => {
                    self.take(token, &buffer[..n], now, now.saturating_sub(unread));
                    // A short read means empty, unless the end follows (epoll(7)).
                    n == buffer.len() || hung_up
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => false,
                    io::ErrorKind::Interrupted => true,
                    _ => {
                        self.tally.truth.connections_reset += 1;
                        self.close(token);
                        false
                    }
                },
            };
            self.buffer = buffer;
            if self.connection(token).is_some_and(|connection| connection.has_due(now)) {
                self.send(token);
            }
            if !go_on {
                return;
            }
        }
    }

    /// Bytes of a connection that came to the kernel at `came` and were read at `now`.
    fn take(&mut self, token: u64, bytes: &[u8], now: Nanos, came: Nanos) {
        let Self { slots, due, behaviour, arrivals, tally, options, .. } = self;
        let slot = slots.get_mut((token & u64::from(u32::MAX)) as usize);
        let Some(connection) = slot.and_then(|slot| slot.connection.as_mut()) else { return };
        tally.truth.bytes_received += bytes.len() as u64;
        let mut inbound = std::mem::take(&mut connection.inbound);
        inbound.push(bytes, |found| {
            let (at, reply) = match found {
                Found::Request(wants) => {
                    tally.truth.requests_read += 1;
                    arrivals.record(|| [now]);
                    connection.requests += 1;
                    let last = connection.requests == options.keepalive_limit;
                    (now.saturating_add(behaviour.delay(now)), Reply::to(wants, last))
                }
                Found::AwaitsContinue => (now, Reply { kind: Kind::Continue, head_only: false }),
                Found::Refused(status) => {
                    tally.truth.requests_refused += 1;
                    (now, Reply { kind: Kind::Refusal(status), head_only: false })
                }
            };
            let at = connection.queue(at, came, reply);
            if at > now {
                due.push(Reverse((at, token)));
            }
            !reply.closes()
        });
        connection.inbound = inbound;
    }

    /// Sends what is due on a connection, and ends it if that was all.
    fn send(&mut self, token: u64) {
        let Self { slots, replies, tally, .. } = self;
        let slot = slots.get_mut((token & u64::from(u32::MAX)) as usize);
        let connection = slot
            .filter(|slot| u64::from(slot.generation) == token >> 32)
            .and_then(|slot| slot.connection.as_mut());
        let Some(connection) = connection else { return };
        if connection.draining {
            // Its time is up only if it comes from the due queue; a mere readiness
            // for writing must not cut it short.
            if monotonic_ns() >= connection.drain_until {
                self.close(token);
            } else if connection.unread {
                self.read(token, true);
            }
            return;
        }
        match connection.send_due(replies, tally) {
            Sent::Blocked => {}
            Sent::Unfinished => self.unfinished.push(token),
            Sent::Broken => {
                self.tally.truth.connections_reset += 1;
                self.close(token);
            }
            Sent::Last if connection.inbound.has_surplus() && !connection.ended => {
                self.drain(token);
            }
            Sent::Last => self.close(token),
            Sent::AllDue if connection.ended && connection.is_idle() => self.close(token),
            Sent::AllDue => {
                if connection.unread && !connection.is_full() {
                    self.read(token, true);
                }
            }
        }
    }

    /// Ends our side and waits for the client's: closing with unread bytes would
    /// reset the connection and may destroy the refusal on its way.
    fn drain(&mut self, token: u64) {
        let until = monotonic_ns() + DRAIN;
        let Some(connection) = self.connection(token) else { return };
        connection.draining = true;
        connection.drain_until = until;
        if SockRef::from(&connection.fd()).shutdown(Shutdown::Write).is_err() {
            self.close(token);
            return;
        }
        self.due.push(Reverse((until, token)));
        self.read(token, true);
    }
}

/// Reads; with the time for which the last of these bytes lay in the kernel, if that is
/// asked for and known.
fn receive(
    connection: &Connection,
    buffer: &mut [u8],
    stamped: bool,
) -> io::Result<(usize, Nanos)> {
    if !stamped {
        return sys::recv(connection.fd(), buffer).map(|n| (n, 0));
    }
    let (n, came) = sys::recv_stamped(connection.fd(), buffer)?;
    Ok((n, came.map_or(0, |came| sys::realtime_ns().saturating_sub(came))))
}

fn system(what: &'static str) -> impl Fn(io::Error) -> TargetServerError {
    move |cause| TargetServerError::System { what, cause }
}
