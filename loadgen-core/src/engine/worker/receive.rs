//! Reading from a connection: bytes to the parser, or dropped in the kernel.

use std::io;

use super::dating::take_date;
use super::{BUFFER, Worker};
use crate::clock::Nanos;
use crate::engine::connection::Link;
use crate::engine::connection::State;
use crate::engine::load::LoadState;
use crate::net::transport::Transport;
use crate::protocol::{Heads, Progress, Protocol, Truncated};
use crate::record::{Cause, Failure, Phase};

/// From this many body bytes on the kernel is told to drop them unread. Below,
/// one read of the buffer is as cheap.
const DISCARD_FROM: u64 = BUFFER as u64;

/// Most bytes dropped at once.
const DISCARD_AT_ONCE: u64 = 1024 * 1024;

/// Reads of one connection before the others get their turn.
const READS_AT_ONCE: u32 = 16;

/// Whether a body may be dropped unread: a session may look for objects in it, or show it.
fn nobody_wants(session: &Option<Box<Link>>, load: &LoadState) -> bool {
    let is_shown = || load.scripts.as_ref().is_some_and(|s| s.common.wants_messages);
    session.as_ref().is_none_or(|link| link.page.is_none() && !is_shown())
}

impl<P: Protocol> Worker<P> {
    /// Reads until the socket has nothing more. Events are edge-triggered: after
    /// a short read a new event will come, unless the peer has hung up already.
    // Inlined although it is called from two places: every call passes through one of them.
    #[inline(always)]
    pub(super) fn read(&mut self, index: u32, hung_up: bool) {
        if !self.read_at_most(index, hung_up, (READS_AT_ONCE, usize::MAX), &mut 0) {
            return;
        }
        // There may be more; the event that told of it is used up.
        let token = self.slab.token(index);
        if let Some(transport) = &self.slab[index].transport
            && let Err(error) = self.poll.rearm(transport.fd(), token)
        {
            self.fail(index, Failure::from_io(self.phase(index), &error));
        }
    }

    /// The same with at most so many reads of so many bytes. Whether it came to that;
    /// `bytes` grows by those that were taken.
    #[inline(always)]
    pub(super) fn read_at_most(
        &mut self,
        index: u32,
        hung_up: bool,
        (reads, most): (u32, usize),
        bytes: &mut u64,
    ) -> bool {
        for _ in 0..reads {
            let connection = &mut self.slab[index];
            if !connection.awaits_reply() {
                self.read_unasked(index);
                return false;
            }
            let Some(transport) = &mut connection.transport else { return false };
            let droppable = connection.reply.droppable();
            if droppable >= DISCARD_FROM
                && !self.scanning
                && nobody_wants(&connection.session, &self.loads[usize::from(connection.load)])
                && let asked = droppable.min(DISCARD_AT_ONCE).min(most as u64) as usize
                && let Some(result) = transport.discard(asked, self.kernel.stamps.as_mut())
            {
                match self.taken(index, result) {
                    Some((n, now)) => {
                        *bytes += n as u64;
                        let progress = self.slab[index].reply.dropped(n as u64);
                        if n < asked {
                            self.slab[index].emptied = now;
                        }
                        if matches!(progress, Progress::Done) {
                            if self.slab[index].session.is_some() {
                                let token = self.slab.token(index);
                                self.session_reply_complete(index, 0, now);
                                if self.slab.find(token).is_none() {
                                    return false;
                                }
                                continue;
                            }
                            if self.slab[index].pipe.is_none() {
                                self.complete(index, !hung_up, now);
                                return false;
                            }
                            if !self.replies_of(index, 0, 0, hung_up) {
                                return false;
                            }
                        }
                        continue;
                    }
                    None => return false,
                }
            }
            // An unfinished head goes in front of what follows it.
            let kept = connection.partial.take().map_or(0, |partial| {
                self.buffer[..partial.len()].copy_from_slice(&partial);
                partial.len()
            });
            let head = self.heads.before_large_body(DISCARD_FROM);
            let limited = |_: &usize| connection.reply.is_fresh() && transport.can_discard();
            let most = match head.filter(limited) {
                Some(head) => most.min(head),
                None => most,
            };
            let end = self.buffer.len().min(most.saturating_add(kept));
            let stamps = self.kernel.stamps.as_mut();
            let (result, drained) = match transport.recv(&mut self.buffer[kept..end], stamps) {
                Ok(received) => (Ok(received.bytes), received.drained),
                Err(error) => (Err(error), true),
            };
            if kept > 0 && !matches!(result, Ok(n) if n > 0) {
                connection.partial = Some(self.buffer[..kept].into());
            }
            let Some((n, now)) = self.taken(index, result) else { return false };
            *bytes += n as u64;
            let filled = kept + n;
            let connection = &mut self.slab[index];
            if connection.session.is_some() {
                if drained {
                    connection.emptied = now;
                }
                if !self.replies_of_session(index, filled, now) || (drained && !hung_up) {
                    return false;
                }
                continue;
            }
            let bytes = &self.buffer[..filled];
            let load = usize::from(connection.load);
            let outcome = if self.scanning && self.scans.look_at(&self.loads[load].requests) {
                let requests = &self.loads[load].requests;
                self.scans.advance(index, connection, &mut self.heads, bytes, requests)
            } else {
                connection.reply.advance(&mut self.heads, bytes, &mut ())
            };
            if self.heads.is_new() {
                take_date(&mut self.recorder, &self.heads, connection.call.sent, now);
            }
            match outcome {
                // After a FIN nothing can be asked on this connection any more.
                Ok((consumed, Progress::Done)) => {
                    if connection.pipe.is_none() {
                        let clean = consumed == filled && !hung_up;
                        if !drained {
                            return self.complete_with_more_behind(index, clean, now);
                        }
                        self.complete(index, clean, now);
                        return false;
                    }
                    if !self.replies_of(index, consumed, filled, hung_up) {
                        return false;
                    }
                }
                Ok((consumed, Progress::More)) => {
                    if drained {
                        connection.emptied = now;
                    }
                    if consumed < filled {
                        connection.partial = Some(self.buffer[consumed..filled].into());
                    }
                }
                Err(_) => {
                    let failure = Failure::new(self.phase(index), Cause::Protocol);
                    self.fail(index, failure);
                    return false;
                }
            }
            if drained && !hung_up {
                return false;
            }
        }
        true
    }

    /// Sorts out the result of a read: the bytes taken and when, or `None` when
    /// reading is over for now (and the call, perhaps, for good).
    #[inline(always)]
    fn taken(&mut self, index: u32, result: io::Result<usize>) -> Option<(usize, Nanos)> {
        match result {
            Ok(n) if n > 0 => {
                let now = self.now();
                self.slab[index].call.received += n as u64;
                self.recorder.received_bytes(now, n as u64);
                Some((n, now))
            }
            other => {
                self.nothing_taken(index, other);
                None
            }
        }
    }

    /// The end of the load, an error, or nothing for now.
    #[inline(never)]
    fn nothing_taken(&mut self, index: u32, result: io::Result<usize>) {
        match result {
            Ok(_) => self.end_of_stream(index),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                let failure = Failure::from_io(self.phase(index), &error);
                if failure.cause == Cause::Tls {
                    self.recorder.tls.failed(error.to_string());
                }
                self.broken(index, failure);
            }
        }
    }

    /// A reply is complete, but perhaps more lies behind it, which no event tells of.
    /// Whether the connection is to be announced again for that.
    #[cold]
    #[inline(never)]
    fn complete_with_more_behind(&mut self, index: u32, clean: bool, now: Nanos) -> bool {
        let generation = self.slab[index].generation;
        self.complete(index, clean, now);
        if self.slab[index].generation != generation {
            return false;
        }
        match self.slab[index].state {
            State::Sending | State::Waiting => true,
            _ => {
                self.read_unasked(index);
                false
            }
        }
    }

    fn end_of_stream(&mut self, index: u32) {
        // An encrypted load that ends without its goodbye may have been cut by anyone:
        // that completes nothing.
        let cut = self.slab[index].transport.as_ref().is_some_and(Transport::truncated);
        if self.slab[index].session.is_some() {
            return self.session_ended_by_server(index, cut);
        }
        match self.slab[index].reply.end_of_stream() {
            Ok(()) if cut => {
                self.fail(index, Failure::new(self.phase(index), Cause::ClosedEarly));
            }
            Ok(()) if self.slab[index].pipe.is_some() => self.last_reply(index),
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
}
