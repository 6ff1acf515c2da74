//! What a worker remembers of a session, a connection and a call.

use std::collections::VecDeque;

use super::request::Request;
use crate::clock::Nanos;
use crate::net::tls::TlsSessionCache;
use crate::net::transport::Transport;
use crate::protocol::http1::TolerantReader;
use crate::session::CookieJar;

use super::page::PageReply;

/// Never.
pub(super) const NEVER: Nanos = Nanos::MAX;

/// A session under way.
pub(super) struct Session {
    /// Its number in the plan.
    pub(super) arrival: u64,
    pub(super) intended: Nanos,
    pub(super) began: Nanos,
    /// Its connections, the first opened first.
    pub(super) connections: Vec<u32>,
    /// Connections opened.
    pub(super) opened: u64,
    pub(super) replies: u64,
    /// Calls that were created, those of them that are answered, those that may be
    /// created now, and those that are in the bursts begun so far.
    pub(super) created: u64,
    pub(super) finished: u64,
    pub(super) released: u64,
    pub(super) burst_end: u64,
    /// Bursts begun.
    pub(super) bursts: u64,
    /// When the calls released last were released: their intended start.
    pub(super) released_at: Nanos,
    /// Its arrival was offered as a call that is not created yet.
    pub(super) arrival_pending: bool,
    /// Calls to be sent again.
    pub(super) again: VecDeque<Call>,
    /// Objects of pages, to be fetched.
    pub(super) found: VecDeque<Vec<u8>>,
    pub(super) cookie: Option<Box<CookieJar>>,
    /// When it goes on after its think time (or after a pause).
    pub(super) wakes: Nanos,
    pub(super) tls: TlsSessionCache,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    Handshake,
    Open,
}

/// A connection.
pub(super) struct Connection {
    pub(super) transport: Transport,
    /// Token of its session.
    pub(super) session: u64,
    pub(super) server: usize,
    pub(super) state: State,
    /// Start of connecting.
    pub(super) opened: Nanos,
    pub(super) replies: u64,
    /// Calls in order; the first `sent` are completely sent.
    pub(super) calls: VecDeque<Call>,
    pub(super) sent: usize,
    /// The socket last took bytes.
    pub(super) progress: Nanos,
    pub(super) reader: TolerantReader,
    /// The earliest of its deadlines in the timers.
    pub(super) timer: Nanos,
    /// The peer has closed, or sent what nobody asked for, while nothing was due.
    pub(super) stale: bool,
    /// Bytes came after a complete reply: what follows cannot be told from it.
    pub(super) surplus: bool,
    /// The socket takes nothing more until it says so.
    pub(super) blocked: bool,
    /// Looks for objects in the page that is being read.
    pub(super) page: Option<Box<PageReply>>,
}

/// A call.
pub(super) struct Call {
    /// Serial number in the run.
    pub(super) id: u64,
    pub(super) intended: Nanos,
    pub(super) request: Request,
    /// Which server the request names.
    pub(super) server: usize,
    pub(super) written: usize,
    /// When it could be sent: it was at the head of its connection's queue.
    pub(super) begun: Nanos,
    /// When its reply must be complete.
    pub(super) due: Nanos,
    /// The status line of its reply came.
    pub(super) answered: Nanos,
    pub(super) received: u64,
    /// Its connection had been used before it.
    pub(super) reused: bool,
    pub(super) retried: bool,
    /// The record knows of its start.
    pub(super) started: bool,
    /// It asks for a page, not for an object of one.
    pub(super) is_page: bool,
}

impl Connection {
    /// Since when it waits for something that needs us to go on: a step of a
    /// handshake, or bytes that we make room for. `None`: what it waits for comes, or
    /// does not, whatever we do.
    pub(super) fn waits_for_us_since(&self) -> Option<Nanos> {
        if self.state == State::Handshake {
            return Some(self.opened);
        }
        let first = self.calls.front()?;
        if self.sent < self.calls.len() {
            return Some(self.progress);
        }
        (first.received > 0).then_some(first.begun)
    }

    /// The next moment at which the connection has been too slow.
    pub(super) fn deadline(&self, timeout: Nanos) -> Nanos {
        let after = |at: Nanos| if timeout == 0 { NEVER } else { at + timeout };
        if self.state != State::Open {
            return after(self.opened);
        }
        let sending = if self.sent < self.calls.len() { after(self.progress) } else { NEVER };
        let reply = if self.sent > 0 { self.calls.front().map_or(NEVER, |c| c.due) } else { NEVER };
        sending.min(reply)
    }
}
