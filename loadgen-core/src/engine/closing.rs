//! How a connection ends: after its last call as the plan says
//! ([`CloseMode`]), or by the server while nobody expects anything of it.

use std::io;
use std::os::fd::AsFd;

use super::pool::State;
use super::worker::Worker;
use crate::clock::{MILLISECOND, Nanos};
use crate::net::{socket, sys};
use crate::plan::CloseMode;
use crate::record::{Cause, Failure, Phase};

/// How long a server that is to close a connection is waited for.
const LINGER: Nanos = 100 * MILLISECOND;

impl Worker {
    /// The last reply of a connection is complete. `clean`: nothing came after it,
    /// and the whole request was sent.
    pub(super) fn end_connection(&mut self, index: u32, clean: bool, now: Nanos) {
        if self.slab[index].pipe.is_some() {
            self.strand(index, Failure::new(Phase::Head, Cause::ClosedEarly), true);
        }
        let stream = &self.streams[usize::from(self.slab[index].stream)];
        match stream.close {
            CloseMode::Server if clean && stream.closing.len() < stream.limit => {
                return self.await_close(index, now);
            }
            CloseMode::Reset => {
                if let Some(fd) = &self.slab[index].fd {
                    // Fails only on a socket that is no more: nothing is left to close.
                    let _ = socket::close_with_reset(fd.as_fd());
                }
            }
            _ => {}
        }
        self.drop_active(index);
    }

    /// Lets the server close first, for a short time: TIME_WAIT, and with it the
    /// port, then stays with the server instead of running us out of ports.
    fn await_close(&mut self, index: u32, now: Nanos) {
        let stream = &mut self.streams[usize::from(self.slab[index].stream)];
        stream.active.remove(&mut self.slab, index);
        stream.open -= 1;
        let connection = &mut self.slab[index];
        connection.state = State::Closing;
        connection.has_call = false;
        connection.call.expires = now + LINGER;
        stream.closing.push(&mut self.slab, index);
        // The FIN may have come together with the reply: its event is over then.
        self.read_unasked(index);
    }

    /// Bytes or the end on a connection that owes no reply.
    pub(super) fn read_unasked(&mut self, index: u32) {
        let connection = &self.slab[index];
        let s = usize::from(connection.stream);
        let Some(fd) = &connection.fd else { return };
        if let Err(error) = sys::recv(fd.as_fd(), &mut self.buffer)
            && error.kind() == io::ErrorKind::WouldBlock
        {
            return;
        }
        // The end, an error, or bytes that nobody asked for: of no use any more.
        match connection.state {
            State::Idle => {
                self.streams[s].idle.remove(&mut self.slab, index);
                self.streams[s].open -= 1;
                self.slab.close(index);
            }
            State::Closing => {
                self.streams[s].closing.remove(&mut self.slab, index);
                self.slab.close(index);
            }
            _ => {}
        }
    }
}
