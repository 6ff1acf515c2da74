//! How connections ended: those that were lost, and, where a migration is to be
//! told of, how long each kept-alive one was there. Nothing of it is on the way of
//! a call: a record is made when a connection ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cause, Population};
use crate::clock::Nanos;

/// Ends of connections that are kept one by one, for each worker: 48 MB.
const MOST: usize = 1_000_000;

/// The end of one connection. Times in ns from the start of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConnectionEnd {
    /// When it was begun; 0: before the load.
    pub opened: Nanos,
    /// The last moment at which it is known to have been alive. One that is found dead
    /// by a call may have died at any time from here on.
    pub alive: Nanos,
    /// When its end was seen; [`Nanos::MAX`]: it was open when the run ended.
    pub ended: Nanos,
    /// The load whose it was, as in [`CallRecord::load`](crate::CallRecord::load).
    pub load: u8,
    /// How its calls were connected.
    pub population: Population,
    /// Why it was lost; `None`: it was not, its end was planned or announced.
    pub loss: Option<Cause>,
    /// Calls that were sent again on another connection, since it was lost.
    pub again: u32,
}

/// Ends of connections, up to a limit.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ConnectionLog {
    ends: Vec<ConnectionEnd>,
    keeps: bool,
    dropped: u64,
    /// Every kept-alive connection is in it, those that were not lost, too.
    whole: bool,
}

impl ConnectionLog {
    /// A log that keeps what it is given, or nothing.
    pub(crate) fn new(keeps: bool) -> Self {
        Self { keeps, ..Self::default() }
    }

    /// All the connections there were, those that were not lost included.
    #[must_use]
    pub fn of_all(ends: Vec<ConnectionEnd>) -> Self {
        Self { ends, keeps: true, dropped: 0, whole: true }
    }

    /// Of those that were lost; of the others nothing is known.
    pub(crate) fn of_lost(ends: Vec<ConnectionEnd>) -> Self {
        Self { ends, keeps: true, dropped: 0, whole: false }
    }

    /// Whether anything is kept.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    pub(crate) fn push(&mut self, end: ConnectionEnd) {
        match self.keeps {
            true if self.ends.len() < MOST => self.ends.push(end),
            keeps => self.dropped += u64::from(keeps),
        }
    }

    /// All kept-alive connections are in it by now, or were dropped.
    pub(crate) fn set_whole(&mut self) {
        self.whole = true;
    }

    /// The ends.
    pub fn iter(&self) -> impl Iterator<Item = &ConnectionEnd> {
        self.ends.iter()
    }

    /// Whether an end that was to be kept was not.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.dropped > 0
    }

    /// Whether it has every kept-alive connection.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole && !self.is_cut()
    }

    /// Joins the log of another worker.
    pub(crate) fn merge(&mut self, other: Self) {
        self.ends.extend(other.ends);
        self.dropped += other.dropped;
        self.whole &= other.whole;
    }
}

/// Lost connections by cause.
pub(crate) type Losses = [u64; Cause::ALL.len()];

/// The name of a cause among lost connections.
pub(crate) fn loss_name(cause: Cause) -> String {
    match cause {
        Cause::ClosedEarly => "closed".to_owned(),
        // A call ran out of time, whichever limit it was.
        Cause::Timeout | Cause::Deadline => "timed_out".to_owned(),
        other => other.name().replace('-', "_"),
    }
}

/// The causes that occurred, by name.
pub(crate) fn by_name(losses: &Losses) -> BTreeMap<String, u64> {
    let mut named = BTreeMap::new();
    for cause in Cause::ALL {
        let n = losses[cause as usize];
        if n > 0 {
            *named.entry(loss_name(cause)).or_default() += n;
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_of_a_call_are_one_cause() {
        let mut losses = Losses::default();
        losses[Cause::Timeout as usize] = 2;
        losses[Cause::Deadline as usize] = 3;
        losses[Cause::ClosedEarly as usize] = 1;
        let expected = [("closed".to_owned(), 1), ("timed_out".to_owned(), 5)];
        assert_eq!(by_name(&losses), BTreeMap::from(expected));
    }

    #[test]
    fn a_log_that_lacks_an_end_says_so() {
        let end = ConnectionEnd {
            opened: 0,
            alive: 1,
            ended: 2,
            load: 0,
            population: Population::Established,
            loss: None,
            again: 0,
        };
        let mut log = ConnectionLog::new(true);
        log.push(end);
        log.set_whole();
        assert!(log.is_whole() && !log.is_cut());
        for _ in 0..MOST {
            log.push(end);
        }
        assert!(log.is_cut() && !log.is_whole());
        let mut none = ConnectionLog::new(false);
        none.push(end);
        assert!(none.iter().next().is_none() && !none.is_cut());
    }
}
