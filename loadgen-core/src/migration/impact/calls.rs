//! What a single call tells of the service, by itself: how long it took, whether its
//! end was seen, and whether it is evidence at all.

use crate::clock::{MILLISECOND, Nanos};
use crate::record::{CallRecord, Outcome, Population};

/// Calls before the silence from which *X* is taken.
pub(super) const CALLS_BEFORE: usize = 50;
/// A connect that took this long lost its first SYN.
pub(super) const LOST_SYN: Nanos = 900 * MILLISECOND;

/// Intended start to completion (or giving up).
pub(super) fn response(call: &CallRecord) -> Nanos {
    call.done.saturating_sub(call.intended)
}

/// Whether the response time is only known to be longer than [`response`].
pub(super) fn is_censored(call: &CallRecord) -> bool {
    match call.outcome {
        Outcome::Answered(_) | Outcome::AsExpected(_) | Outcome::Wrong(..) => false,
        Outcome::Failed(failure) => failure.is_censored(),
        Outcome::Shed | Outcome::Unfinished => true,
    }
}

/// The time that a call needed from its start. For newcomers it holds the
/// connect, which in the log lies between intended start and first byte.
pub(super) fn need(call: &CallRecord) -> Nanos {
    match call.population {
        Population::Established => call.done.saturating_sub(call.sent),
        Population::Fresh => response(call),
    }
}

/// Half as long again and a ms: the call that is judged may be the slowest of
/// many, and one such call must not count as evidence of a standstill.
pub(super) fn generous(longest: Nanos) -> Nanos {
    longest + longest / 2 + MILLISECOND
}

/// Whether nothing of the call ever left: it is no evidence of the service.
pub(super) fn never_sent(call: &CallRecord) -> bool {
    match call.outcome {
        Outcome::Shed => true,
        Outcome::Failed(failure) => failure.is_client_side(),
        Outcome::Unfinished => false,
        Outcome::Answered(_) | Outcome::AsExpected(_) | Outcome::Wrong(..) => false,
    }
}
