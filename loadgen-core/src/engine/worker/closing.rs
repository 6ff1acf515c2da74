//! How a connection ends: after its last call as the plan says
//! ([`CloseMode`]), or by the server while nobody expects anything of it; and what
//! is kept of the ends.
//!
//! A connection is *lost* if it was open and its end was neither planned nor
//! announced by the server. Nothing of this is on the way of a call: it is done
//! where a connection ends.

use std::io;

use super::Worker;
use super::calls::STALE_WITHIN;
use crate::clock::{MILLISECOND, Nanos};
use crate::engine::connection::State;
use crate::net::transport::Transport;
use crate::plan::CloseMode;
use crate::protocol::Protocol;
use crate::record::{Cause, ConnectionEnd, Failure, LoadId, Phase, Population};

/// How long a server that is to close a connection is waited for.
const LINGER: Nanos = 100 * MILLISECOND;

/// When an idle connection, found ended at `now`, was alive for sure. Its end is told at
/// once, or within a round trip, to whoever looks.
fn alive_while_idle(sent: Nanos, looked: Nanos, now: Nanos) -> Nanos {
    sent.max(looked.min(now.saturating_sub(STALE_WITHIN)))
}

/// Why a connection that owes nothing cannot go on, if it has ended or said something.
fn end_of(transport: &mut Transport, buffer: &mut [u8]) -> Option<Cause> {
    match transport.recv(buffer, None) {
        Ok(received) if received.bytes == 0 => Some(Cause::ClosedEarly),
        Ok(_) => Some(Cause::Protocol),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) => Some(Cause::of(&error)),
    }
}

impl<P: Protocol> Worker<P> {
    /// The last reply of a connection is complete. `clean`: nothing came after it,
    /// and the whole request was sent.
    pub(super) fn end_connection(&mut self, index: u32, clean: bool, now: Nanos) {
        let mut again = 0;
        if self.slab[index].pipe.is_some() {
            again = self.strand(index, Failure::new(Phase::Head, Cause::ClosedEarly), true);
        }
        let connection = &self.slab[index];
        if connection.reply.keep_alive() && !connection.last_call {
            let cause = self.unannounced_end(index);
            self.lost(index, cause, again);
        } else if self.recorder.connections.keeps() {
            self.ended_as_planned(index, now);
        }
        let load = &self.loads[usize::from(self.slab[index].load)];
        match load.close {
            CloseMode::Server if clean && load.closing.len() < load.limit => {
                return self.await_close(index, now);
            }
            CloseMode::Reset => {
                if let Some(transport) = self.slab[index].transport.take() {
                    transport.reset();
                }
            }
            _ => {}
        }
        self.drop_connection(index);
    }

    /// Lets the server close first, for a short time: TIME_WAIT, and with it the
    /// port, then stays with the server instead of running us out of ports.
    fn await_close(&mut self, index: u32, now: Nanos) {
        let load = &mut self.loads[usize::from(self.slab[index].load)];
        load.active.remove(&mut self.slab, index);
        load.open -= 1;
        let connection = &mut self.slab[index];
        connection.state = State::Closing;
        connection.has_call = false;
        connection.call.expires = now + LINGER;
        load.closing.push(&mut self.slab, index);
        // The FIN may have come together with the reply: its event is over then.
        self.read_unasked(index);
    }

    /// Bytes or the end on a connection of which no reply is due.
    pub(super) fn read_unasked(&mut self, index: u32) {
        let connection = &mut self.slab[index];
        let s = usize::from(connection.load);
        let Some(transport) = &mut connection.transport else { return };
        match (connection.state, &mut connection.session) {
            (State::Securing, _) => self.secure(index),
            // Perhaps a reply to the request that is being sent: read when it is sent.
            (State::Sending, Some(link)) => link.stale = true,
            (State::Idle, Some(link)) => match end_of(transport, &mut self.buffer) {
                None => {}
                // Bytes that nobody asked for: they must not pass for the next reply.
                Some(Cause::Protocol) => link.surplus = true,
                // Noticed after the next request, as by httperf.
                Some(_) => link.stale = true,
            },
            (State::Idle, None) => {
                // The end, an error, or bytes that nobody asked for: of no use any more.
                let Some(cause) = end_of(transport, &mut self.buffer) else { return };
                self.lost(index, cause, 0);
                self.loads[s].idle.remove(&mut self.slab, index);
                self.loads[s].open -= 1;
                self.slab.close(index);
            }
            (State::Closing, _) => {
                // Only the server's FIN leaves the port with it; whatever it says before
                // that, TLS's goodbye among it, does not.
                if matches!(transport.has_ended(&mut self.buffer), Ok(false)) {
                    return;
                }
                self.loads[s].closing.remove(&mut self.slab, index);
                self.slab.close(index);
            }
            _ => {}
        }
    }

    /// Why a connection cannot go on after a complete reply that announced no end.
    #[cold]
    fn unannounced_end(&mut self, index: u32) -> Cause {
        let Some(transport) = &mut self.slab[index].transport else { return Cause::Other };
        // With nothing more to read, bytes that belong to no call came with the reply, or
        // the reply came before its request was sent.
        end_of(transport, &mut self.buffer).unwrap_or(Cause::Protocol)
    }

    /// A connection that was open is lost, and `again` calls are sent again for that.
    #[cold]
    pub(super) fn lost(&mut self, index: u32, cause: Cause, again: u32) {
        // The load did not lose what ended before it began, on another clock.
        if !self.looks.has_begun() {
            return;
        }
        let connection = &self.slab[index];
        let now = self.now();
        let alive = match connection.state {
            State::Free | State::Connecting | State::Securing => return,
            State::Idle => alive_while_idle(connection.call.sent, self.looks.looked(), now),
            _ if connection.call.received > 0 => connection.alive.max(connection.call.sent),
            _ => connection.alive,
        };
        let end = ConnectionEnd { loss: Some(cause), again, ..self.end_of(index, alive, now) };
        self.recorder.connection_ended(end);
        self.outlet.connection_lost(&end);
    }

    /// The end of a kept-alive connection that is not lost: how many are open at a
    /// moment is known only together with these.
    #[cold]
    pub(super) fn ended_as_planned(&mut self, index: u32, now: Nanos) {
        let end = self.end_of(index, now, now);
        if end.population == Population::Established {
            self.recorder.connection_ended(end);
        }
    }

    /// Keeps which connections are open when the run ends.
    pub(super) fn keep_open_ones(&mut self, now: Nanos) {
        if !self.recorder.connections.keeps() {
            return;
        }
        for index in 0..self.slab.slots() {
            let state = self.slab[index].state;
            if matches!(state, State::Idle | State::Sending | State::Waiting) {
                let end = ConnectionEnd { ended: Nanos::MAX, ..self.end_of(index, now, now) };
                if end.population == Population::Established {
                    self.recorder.connection_ended(end);
                }
            }
        }
        self.recorder.connections.set_whole();
    }

    fn end_of(&self, index: u32, alive: Nanos, ended: Nanos) -> ConnectionEnd {
        let connection = &self.slab[index];
        let LoadId { number: load, population } = self.loads[usize::from(connection.load)].id;
        ConnectionEnd {
            opened: connection.opened,
            alive,
            ended,
            load,
            population,
            loss: None,
            again: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_may_have_ended_while_nobody_looked() {
        const MS: Nanos = MILLISECOND;
        assert_eq!(alive_while_idle(0, 2_999 * MS, 3_000 * MS), 2_750 * MS);
        // A pause of 1 s.
        assert_eq!(alive_while_idle(0, 2_000 * MS, 3_000 * MS), 2_000 * MS);
        assert_eq!(alive_while_idle(2_900 * MS, 2_000 * MS, 3_000 * MS), 2_900 * MS, "used since");
    }
}
