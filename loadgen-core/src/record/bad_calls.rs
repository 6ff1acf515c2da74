//! Calls that brought no reply, kept one by one up to a limit, and an example of each
//! class of failure.

use serde::{Deserialize, Serialize};

use super::{CallRecord, Failure};
use crate::clock::Nanos;

/// Calls that are kept.
const MOST_BAD_CALLS: usize = 10_000;

/// Failed, shed and unfinished calls.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct BadCalls {
    /// The first [`MOST_BAD_CALLS`] of them.
    pub(crate) kept: Vec<CallRecord>,
    /// How many there were.
    pub(crate) total: u64,
    /// The first failure of each class, and when it was given up.
    pub(crate) examples: Vec<(Failure, Nanos)>,
    /// When the program's check first rejected a reply, and why.
    pub(crate) rejected: Option<(Nanos, String)>,
}

impl BadCalls {
    pub(super) fn push(&mut self, call: CallRecord) {
        self.total += 1;
        if self.kept.len() < MOST_BAD_CALLS {
            self.kept.push(call);
        }
    }

    /// One that is counted, and not kept.
    pub(super) fn count(&mut self) {
        self.total += 1;
    }

    pub(super) fn example(&mut self, failure: Failure, at: Nanos) {
        let same = |(known, _): &&mut (Failure, Nanos)| {
            (known.phase, known.cause) == (failure.phase, failure.cause)
        };
        match self.examples.iter_mut().find(same) {
            Some(known) if known.1 > at => *known = (failure, at),
            Some(_) => {}
            None => self.examples.push((failure, at)),
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.total += other.total;
        self.kept.extend(other.kept);
        self.kept.sort_by_key(|call| (call.done, call.intended, call.load, call.tag));
        self.kept.truncate(MOST_BAD_CALLS);
        self.rejected = match (self.rejected.take(), other.rejected) {
            (Some(mine), Some(theirs)) => Some(if theirs.0 < mine.0 { theirs } else { mine }),
            (mine, theirs) => mine.or(theirs),
        };
        for (failure, at) in other.examples {
            self.example(failure, at);
        }
    }
}
