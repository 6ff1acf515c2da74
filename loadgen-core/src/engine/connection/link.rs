//! What ties a connection to the session that has it to itself.

use crate::clock::Nanos;
use crate::engine::workload::script::PageReply;

/// What a connection of a session has beside what every connection has.
#[derive(Debug)]
pub(crate) struct Link {
    /// Token of its session.
    pub(crate) session: u64,
    /// When the socket last took bytes.
    pub(crate) progress: Nanos,
    /// The peer has closed, or sent what nobody asked for, while nothing was due.
    pub(crate) stale: bool,
    /// Bytes came after a complete reply: what follows cannot be told from it.
    pub(crate) surplus: bool,
    /// Looks for objects in the page that is being read.
    pub(crate) page: Option<Box<PageReply>>,
}
