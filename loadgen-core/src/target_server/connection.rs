//! One client's connection: what it still gets, and what it has got of it.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::reply::{Replies, Reply};
use super::request::Inbound;
use super::truth::Tally;
use crate::clock::{Nanos, monotonic_ns};
use crate::net::sys;

/// Replies waiting on one connection above which nothing more is read from it.
/// (One `recv` may add some thousands more.)
const PIPELINE: usize = 1024;

/// Bytes sent to one connection before the others have their turn.
const BURST: u64 = 1 << 20;

/// How far [`Connection::send_due`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Nothing is due any more.
    AllDue,
    /// The client takes no more for now; writability tells.
    Blocked,
    /// Others have their turn; call again.
    Unfinished,
    /// The reply after which the connection ends went out.
    Last,
    /// The connection is broken.
    Broken,
}

/// A reply that waits, or is under way.
#[derive(Debug, Clone, Copy)]
struct Pending {
    due: Nanos,
    /// When the request had come to the kernel.
    came: Nanos,
    reply: Reply,
}

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    pub(super) inbound: Inbound,
    /// In the order of the requests; due times do not fall.
    waiting: VecDeque<Pending>,
    /// The reply under way and how much of it went out.
    sending: Option<(Pending, u64)>,
    last_due: Nanos,
    pub(super) requests: u64,
    /// Bytes may wait to be read: reading stopped before the socket was empty.
    pub(super) unread: bool,
    /// The client sends nothing more.
    pub(super) ended: bool,
    /// All was sent; only the client's end is awaited.
    pub(super) draining: bool,
    /// When a draining connection is cut off.
    pub(super) drain_until: Nanos,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            inbound: Inbound::default(),
            waiting: VecDeque::new(),
            sending: None,
            last_due: 0,
            requests: 0,
            unread: false,
            ended: false,
            draining: false,
            drain_until: 0,
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Adds a reply to a request that came at `came`; returns when it is due.
    pub(super) fn queue(&mut self, due: Nanos, came: Nanos, reply: Reply) -> Nanos {
        self.last_due = self.last_due.max(due);
        self.waiting.push_back(Pending { due: self.last_due, came, reply });
        self.last_due
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= PIPELINE
    }

    pub(super) fn has_due(&self, now: Nanos) -> bool {
        self.sending.is_some() || self.waiting.front().is_some_and(|pending| pending.due <= now)
    }

    /// Requests that were read and have no whole reply yet.
    pub(super) fn unanswered(&self) -> u64 {
        let sending = self.sending.iter().map(|(pending, _)| pending);
        self.waiting.iter().chain(sending).filter(|pending| pending.reply.answers()).count() as u64
    }

    /// Nothing is to be sent any more.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.sending.is_none()
    }

    /// Sends what is due.
    pub(super) fn send_due(&mut self, replies: &Replies, tally: &mut Tally) -> Sent {
        let mut burst = 0;
        loop {
            let (pending, mut sent) = match self.sending {
                Some(under_way) => under_way,
                None => {
                    let now = monotonic_ns();
                    match self.waiting.front() {
                        Some(&pending) if pending.due <= now => {
                            self.waiting.pop_front();
                            if pending.reply.answers() {
                                tally.sending(pending.due, now);
                            }
                            self.sending = Some((pending, 0));
                            (pending, 0)
                        }
                        _ => return Sent::AllDue,
                    }
                }
            };
            let reply = pending.reply;
            loop {
                let rest = replies.rest(reply, sent);
                if rest.is_empty() {
                    break;
                }
                if burst >= BURST {
                    return Sent::Unfinished;
                }
                match sys::send(self.fd(), rest) {
                    Ok(n) => {
                        sent += n as u64;
                        burst += n as u64;
                        tally.truth.bytes_sent += n as u64;
                        self.sending = Some((pending, sent));
                    }
                    Err(error) => match error.kind() {
                        std::io::ErrorKind::WouldBlock => return Sent::Blocked,
                        std::io::ErrorKind::Interrupted => {}
                        _ => return Sent::Broken,
                    },
                }
            }
            self.sending = None;
            if reply.answers() {
                tally.sent(pending.came);
            }
            if reply.closes() {
                return Sent::Last;
            }
        }
    }
}
