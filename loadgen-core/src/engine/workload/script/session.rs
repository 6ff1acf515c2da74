//! What is remembered of a session and of its calls.

use std::collections::VecDeque;

use crate::clock::Nanos;
use crate::engine::connection::Call;
use crate::engine::workload::requests::Prepared;
use crate::net::tls::TlsSessionCache;
use crate::session::CookieJar;

/// Never.
pub(crate) const NEVER: Nanos = Nanos::MAX;

/// A session under way.
pub(crate) struct Session {
    /// Its number in the plan.
    pub(super) arrival: u64,
    pub(crate) intended: Nanos,
    /// How late its arrival was taken up.
    pub(super) lag: Nanos,
    pub(crate) began: Nanos,
    /// Its connections by their places, the first opened first.
    pub(crate) connections: Vec<u32>,
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
    pub(crate) tls: TlsSessionCache,
}

impl Session {
    /// Its arrival as a call, for the record.
    pub(super) fn arrival(&self) -> Call {
        Call { sent: self.began, ..Call::arriving(self.intended, self.lag, 0) }
    }

    /// Whether it has a call that may be made now.
    pub(super) fn wants_call(&self) -> bool {
        !self.again.is_empty() || self.created < self.released
    }
}

/// What is known of a call of a session beside what is known of every call.
pub(crate) struct ScriptCall {
    /// Serial number in the run.
    pub(crate) id: u64,
    /// Its bytes; `None`: those that all calls to its server share.
    pub(super) bytes: Option<Box<Prepared>>,
    /// Which server the request names.
    pub(crate) server: u16,
    /// It got to the head of its connection's queue.
    pub(crate) begun: bool,
    /// The record knows of its start.
    pub(crate) started: bool,
    /// When the status line of its reply came.
    pub(crate) answered: Nanos,
    /// It asks for a page, not for an object of one.
    pub(crate) is_page: bool,
}
