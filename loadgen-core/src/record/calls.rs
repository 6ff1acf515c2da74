//! The call log: one record a call, bounded. What a migration did to the calls
//! is cut to phases that are known only afterwards, so it needs each of them.

use serde::{Deserialize, Serialize};

use super::load::LoadId;
use super::{Outcome, Population};
use crate::clock::Nanos;

/// Records in one piece of the log: it grows by whole pieces, never by copying.
const CHUNK: usize = 32 * 1024;

/// One call, as the client saw it. All times in ns from the start of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallRecord {
    /// When the schedule said it should start.
    pub intended: Nanos,
    /// When its first byte was sent; for a call that never came so far, when its
    /// connect began, or when it was given up.
    pub sent: Nanos,
    /// When its reply was complete, or when it was given up.
    pub done: Nanos,
    /// Bytes received for it.
    pub bytes: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Its load: the place among [those of the plan](crate::Plan::named_loads), 0 for the main
    /// one.
    pub load: u8,
    /// How it was connected.
    pub population: Population,
    /// Of its request's tag the place among the report's [`tags`](crate::Report::tags); 0
    /// where there are none.
    pub tag: u8,
    /// Whether the connection had been open before this call.
    pub reused: bool,
    /// Whether it was sent again, since its first connection was found closed.
    pub retried: bool,
    /// Whether it had to wait for a connection because the pool was at its limit.
    pub queued: bool,
}

impl CallRecord {
    /// An arrival that was never started, and given up at `now`.
    pub(crate) fn never_taken_up(load: LoadId, intended: Nanos, tag: u8, now: Nanos) -> Self {
        Self {
            intended,
            sent: now,
            done: now,
            bytes: 0,
            outcome: Outcome::Shed,
            load: load.number,
            population: load.population,
            tag,
            reused: false,
            retried: false,
            queued: false,
        }
    }
}

/// Calls in the order of their ends, up to a limit.
#[derive(Debug, Default)]
pub struct CallLog {
    chunks: Vec<Vec<CallRecord>>,
    len: u64,
    limit: u64,
    /// Calls that came after the limit was reached.
    dropped: u64,
}

impl CallLog {
    /// A log of at most `limit` calls; 0 keeps none.
    #[must_use]
    pub fn with_limit(limit: u64) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Whether it keeps any call.
    pub(crate) fn keeps(&self) -> bool {
        self.limit > 0
    }

    /// Adds a call, or counts it as dropped when the log is full.
    #[inline]
    pub fn push(&mut self, call: CallRecord) {
        if self.len >= self.limit {
            self.dropped += 1;
        } else {
            self.keep(call);
        }
    }

    fn keep(&mut self, call: CallRecord) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(call),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(call);
                self.chunks.push(chunk);
            }
        }
        self.len += 1;
    }

    /// The calls.
    pub fn iter(&self) -> impl Iterator<Item = &CallRecord> {
        self.chunks.iter().flatten()
    }

    /// How many calls are kept.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether no call is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Calls that came after the limit was reached and are not kept.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Joins the log of another worker.
    pub(crate) fn merge(&mut self, other: Self) {
        self.chunks.extend(other.chunks);
        self.len += other.len;
        self.limit += other.limit;
        self.dropped += other.dropped;
    }
}

impl FromIterator<CallRecord> for CallLog {
    fn from_iter<I: IntoIterator<Item = CallRecord>>(calls: I) -> Self {
        let mut log = Self::with_limit(u64::MAX);
        for call in calls {
            log.push(call);
        }
        log.limit = log.len;
        log
    }
}
