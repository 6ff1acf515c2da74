//! The calls of each phase. A call belongs to the phase of its intended start;
//! goodput and bytes belong to the phase in which the reply was complete.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::clock::{Nanos, as_seconds};
use crate::record::kernel::SlowCall;
use crate::record::{CallRecord, Outcome, Phase, Population};
use crate::report::latency::latency;
use crate::report::{Counts, PhaseReport};

use super::calls::{is_censored, response};
use super::marks::Cut;
use super::view::View;

/// The report of every phase, in order.
pub(super) fn phases(view: &View<'_>) -> Vec<PhaseReport> {
    let cuts = &view.marks.cuts;
    let mut bytes = vec![0_u64; cuts.len()];
    for call in &view.calls {
        let index = cuts.partition_point(|cut| cut.end <= call.done);
        if let Some(bytes) = bytes.get_mut(index) {
            *bytes += call.bytes;
        }
    }
    cuts.iter().zip(bytes).map(|(cut, bytes)| phase(view, cut, bytes)).collect()
}

fn phase(view: &View<'_>, cut: &Cut, bytes: u64) -> PhaseReport {
    let calls = view.intended(cut.start, cut.end);
    let mut errors: BTreeMap<String, u64> = BTreeMap::new();
    for call in calls {
        if let Outcome::Failed(failure) = call.outcome {
            *errors.entry(failure.class()).or_default() += 1;
        }
    }
    let good: usize =
        Population::ALL.iter().map(|p| view.completed(*p, cut.start, cut.end).len()).sum();
    let length = as_seconds(cut.end - cut.start);
    PhaseReport {
        name: cut.name.clone(),
        start_s: as_seconds(cut.start),
        end_s: as_seconds(cut.end),
        counts: counts(calls),
        response_time: histogram(calls).map(|h| latency(&h, true)).unwrap_or_default(),
        errors,
        slow_calls: slow_calls(view.input.slow, cut),
        error_replies: calls.iter().filter(|call| is_error_reply(call)).count() as u64,
        goodput_per_s: Some(good as f64 / length),
        bytes_per_s: Some(bytes as f64 / length),
    }
}

/// The slow calls of a phase by cause.
fn slow_calls(slow: &[SlowCall], cut: &Cut) -> BTreeMap<String, u64> {
    let mut causes = BTreeMap::new();
    for call in slow.iter().filter(|call| (cut.start..cut.end).contains(&call.intended)) {
        *causes.entry(call.cause.name().to_owned()).or_default() += 1;
    }
    causes
}

/// A complete reply that is not good: of status 400 and above, or not as expected.
pub(super) fn is_error_reply(call: &CallRecord) -> bool {
    call.outcome.is_answered() && !call.outcome.is_good()
}

/// Whether the call has no complete reply.
pub(super) fn is_lost(call: &CallRecord) -> bool {
    !call.outcome.is_answered()
}

fn counts(calls: &[CallRecord]) -> Counts {
    let mut counts = Counts { offered: calls.len() as u64, ..Counts::default() };
    for call in calls {
        match call.outcome {
            Outcome::Answered(_) | Outcome::AsExpected(_) => counts.answered += 1,
            Outcome::Wrong(..) => {
                counts.answered += 1;
                counts.wrong += 1;
            }
            Outcome::Failed(_) => counts.failed += 1,
            Outcome::Shed => counts.shed += 1,
            Outcome::Unfinished => counts.unfinished += 1,
        }
        counts.censored += u64::from(is_censored(call));
        counts.reconnects += u64::from(call.retried);
        counts.queued += u64::from(call.queued);
        counts.connections_opened += u64::from(!call.reused && connected(call));
    }
    counts.started = counts.offered - counts.shed;
    counts
}

/// Whether the log shows that the call had a connection.
fn connected(call: &CallRecord) -> bool {
    match call.outcome {
        Outcome::Answered(_) | Outcome::AsExpected(_) | Outcome::Wrong(..) => true,
        Outcome::Failed(failure) => failure.phase != Phase::Connect,
        Outcome::Shed | Outcome::Unfinished => false,
    }
}

pub(super) fn histogram(calls: &[CallRecord]) -> Option<Histogram<u64>> {
    // Auto-resizing with 3 digits: neither making it nor recording can fail.
    let mut histogram = Histogram::new(3).ok()?;
    for call in calls.iter().filter(|call| call.outcome.is_good()) {
        histogram.record(as_value(response(call))).ok()?;
    }
    Some(histogram)
}

/// Longer than a day is a day: a histogram of 584 years would take memory for it.
fn as_value(nanos: Nanos) -> u64 {
    nanos.min(86_400 * crate::clock::SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::causes::SlowCause;

    #[test]
    fn slow_calls_belong_to_the_phase_of_their_intended_start() {
        let slow = [9, 10, 15, 20].map(|intended| SlowCall { intended, cause: SlowCause::Queue });
        let cut = Cut { name: "blackout".to_owned(), start: 10, end: 20 };
        assert_eq!(slow_calls(&slow, &cut), BTreeMap::from([("queue".to_owned(), 2)]));
    }
}
