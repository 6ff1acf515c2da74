//! The end of a silence, seen closely: when the first reply came after it, how
//! long the service then took for what had piled up, and whether the client
//! itself was awake. It says nothing of the begin of a silence.
//!
//! A service that comes back first reads all that waits, and then answers it. The
//! time before the first reply cannot be seen from outside; the time *C* from the
//! first reply until the pile is answered can. Reading a request costs about as
//! much as answering it: [`CatchUp::before_first_reply`] takes [`READING`]·C.
//!
//! *C* ends with the last reply to a call that had waited at the first one. What
//! waits for TCP to send it again is no pile: a call that is answered as promptly
//! as ever, though it started after the first reply, shows that the service has
//! time again.

use crate::clock::{MILLISECOND, Nanos};
use crate::record::{CallRecord, Population};

use super::calls::{CALLS_BEFORE, generous, need, never_sent};
use super::gap::Gap;
use super::view::{View, rank};

/// How many times as long as for all of its replies a service may need before the
/// first of them, for reading what has piled up. Measured with 267 waiting calls
/// and a server in the same process: 0.1 to 3.0 times.
const READING: Nanos = 3;
/// A first reply of the other population this long before the end of a gap is
/// of the same return of the service: the least retransmission timeout.
const SAME_RETURN: Nanos = 200 * MILLISECOND;
/// A call that started later than this after its intended start, with a free
/// connection at hand, tells that the client did not run.
const ASLEEP: Nanos = MILLISECOND;

/// How the service came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CatchUp {
    /// First good reply of any population, as it was seen.
    pub(super) first: Nanos,
    /// When it came, at the earliest: we may have stood still.
    came: Nanos,
    /// *C*: from then until the pile was answered.
    pub(super) took: Nanos,
    /// Until when, before the first reply, the client is known to have been awake.
    awake: Nanos,
}

impl CatchUp {
    pub(super) fn new(view: &View<'_>, gap: Gap) -> Self {
        if gap.cut {
            let came = view.own.happened(gap.end);
            return Self { first: gap.end, came, took: 0, awake: gap.end };
        }
        let first = first_reply(view, gap);
        let prompt = Population::ALL.map(|p| prompt(view, p, gap, first));
        let idle = view
            .intended(first, Nanos::MAX)
            .iter()
            .filter(|call| call.outcome.is_good() && !call.queued && call.sent >= first)
            .filter(|call| prompt[call.population as usize].is_some_and(|p| need(call) <= p))
            .map(|call| call.done)
            .min()
            .unwrap_or_else(|| {
                let until = view.own.seen(first + SAME_RETURN);
                until + view.own.within(first, until)
            });
        let answered = view
            .calls
            .iter()
            .filter(|call| call.outcome.is_answered())
            .map(|call| (view.left(call).0, call))
            .filter(|(left, call)| *left < first && (first..=idle).contains(&call.done))
            .filter(|(left, call)| {
                prompt[call.population as usize].is_some_and(|p| call.done > left + p)
            })
            .map(|(_, call)| call.done)
            .max();
        let came = view.own.happened(first);
        let took = answered.map_or(0, |last| last - came);
        Self { first, came, took, awake: awake(view, first) }
    }

    /// How long before its first reply the service may already have run.
    pub(super) fn before_first_reply(&self) -> Nanos {
        READING * self.took
    }

    /// A call that a running service answered by then was seen to be answered
    /// before the first reply.
    pub(super) fn seen_by(&self) -> Nanos {
        self.came.saturating_sub(self.before_first_reply()).min(self.awake)
    }
}

/// The end of the longest time without any good reply, of those that end with the
/// gap or shortly before.
fn first_reply(view: &View<'_>, gap: Gap) -> Nanos {
    let mut dones: Vec<Nanos> = Population::ALL
        .into_iter()
        .flat_map(|p| view.completed(p, gap.start, gap.end.saturating_add(1)))
        .map(|call| call.done)
        .collect();
    dones.sort_unstable();
    dones
        .windows(2)
        .filter(|pair| pair[1] + SAME_RETURN + view.own.within(pair[1], gap.end) >= gap.end)
        .max_by_key(|pair| pair[1] - pair[0])
        .map_or(gap.end, |pair| pair[1])
}

/// What a call needs of a service that has time: the longest need before the gap
/// or, if the service is slower ever since, the median after it.
fn prompt(view: &View<'_>, p: Population, gap: Gap, first: Nanos) -> Option<Nanos> {
    let good = view.good(p);
    let until = good.partition_point(|call| call.done <= gap.start);
    let around = &good[until.saturating_sub(CALLS_BEFORE)..until];
    let before = around.iter().filter(|call| !view.own.touches(call)).map(need).max();
    let of = |call: &&CallRecord| call.population == p && call.outcome.is_good() && !call.queued;
    let after = view.intended(first, Nanos::MAX).iter().filter(of).map(need).collect();
    before.into_iter().chain(rank(after, 50, 100)).max().map(generous)
}

/// The last sign of life of the client before a sleep from which it woke to see
/// the first reply. Whatever was answered in its sleep, it saw no earlier.
fn awake(view: &View<'_>, first: Nanos) -> Nanos {
    let missed = view
        .calls
        .iter()
        .filter(|call| call.reused && !call.queued && !call.retried && !never_sent(call))
        .filter(|call| call.intended < first && call.sent + ASLEEP >= first)
        .filter(|call| call.sent > call.intended + ASLEEP)
        .map(|call| call.intended)
        .min();
    let Some(missed) = missed else { return first };
    let signs = view.calls.iter().flat_map(|call| [call.sent, call.done]);
    signs.filter(|at| *at <= missed).max().unwrap_or(0)
}
