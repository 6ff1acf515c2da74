//! What is counted where.

use super::*;
use crate::Miss;
use crate::clock::{MILLISECOND, SECOND};
use crate::record::{Cause, Phase};

const LOAD: LoadId = LoadId { number: 0, population: Population::Established };

fn call(intended: Nanos, done: Nanos, outcome: Outcome) -> CallRecord {
    CallRecord {
        intended,
        sent: intended,
        done,
        bytes: 0,
        outcome,
        load: 0,
        population: Population::Established,
        tag: 0,
        reused: true,
        retried: false,
        queued: false,
    }
}

fn recorder(warmup_end: Nanos) -> Recorder {
    Recorder::new([Population::Established].into_iter(), warmup_end, 0, CallLog::default())
}

/// What is said of the memory that a log of calls takes.
#[test]
fn a_call_has_48_bytes() {
    assert_eq!(size_of::<CallRecord>(), 48);
}

#[test]
fn warm_up_is_in_the_timeline_only() {
    let mut recorder = recorder(SECOND);
    for at in [0, 2 * SECOND] {
        recorder.offered(LOAD, at, Some(100));
        recorder.started(LOAD, at, at);
        recorder.ended(call(at, at + MILLISECOND, Outcome::Answered(200)));
    }
    let record = recorder.loads().next().unwrap();
    assert_eq!((record.tally.offered, record.tally.answered), (1, 1));
    assert_eq!((record.lag.len(), record.response.len(), record.service.len()), (1, 1, 1));
    assert_eq!(recorder.timeline.steps().iter().map(|c| c.answered).sum::<u32>(), 2);
    // Whoever watches the run is told of all.
    for at in [0, 2 * SECOND] {
        recorder.ended(call(at, at + MILLISECOND, Outcome::Wrong(200, Miss::Status)));
    }
    let totals = recorder.totals();
    assert_eq!((totals.answered, totals.not_good, totals.wrong), (4, 2, 2));
}

#[test]
fn time_limits_that_we_made_pass_are_lost_but_not_left_over() {
    let mut recorder = recorder(0);
    recorder.load_end = SECOND;
    let timeout = Outcome::Failed(Failure::new(Phase::Head, Cause::Timeout));
    recorder.owes(&call(0, 2 * SECOND, timeout), SECOND);
    let own = recorder.own().unwrap();
    assert_eq!((own.lost, own.timed_out, own.shed, own.left_over), (1, 1, 0, 0));
}

#[test]
fn replies_that_are_not_as_expected_are_in_times_of_their_own() {
    let mut recorder = recorder(0);
    recorder.load_end = SECOND;
    let wrong = call(0, 3, Outcome::Wrong(200, Miss::Body));
    for call in [wrong, call(0, 5, Outcome::AsExpected(404)), call(0, 7, Outcome::Answered(200))] {
        recorder.ended(call);
        recorder.owes(&call, 1);
    }
    let record = recorder.loads().next().unwrap();
    assert_eq!((record.tally.answered, record.wrong), (3, [0, 0, 1, 0]));
    assert_eq!((recorder.totals().not_good, recorder.totals().wrong), (1, 1));
    assert_eq!((record.response.len(), record.response_error_status.len()), (2, 0));
    assert_eq!(record.response_wrong.as_ref().unwrap().len(), 1);
    let statuses: Vec<_> = record.status.iter().collect();
    assert_eq!(statuses, [(Some(200), 2), (Some(404), 1)]);
    // Own lateness is taken out of what is in the response times alone.
    assert_eq!(recorder.own().unwrap().as_measured.len(), 2);
}

#[test]
fn fates_are_kept_apart() {
    let mut recorder = recorder(0);
    let timeout = Failure::new(Phase::Head, Cause::Timeout);
    let reset = Failure::new(Phase::Body, Cause::Reset);
    recorder.ended(call(0, 5, Outcome::Answered(200)));
    recorder.ended(call(0, 7, Outcome::Answered(503)));
    recorder.ended(call(0, 9 * SECOND, Outcome::Failed(timeout)));
    recorder.ended(call(0, 8 * SECOND, Outcome::Failed(timeout)));
    recorder.ended(call(0, 3, Outcome::Failed(reset)));
    recorder.ended(call(0, 3, Outcome::Shed));
    recorder.ended(call(0, 3, Outcome::Unfinished));
    let record = recorder.loads().next().unwrap();
    assert_eq!(record.response.len(), 1);
    assert_eq!(record.response_error_status.len(), 1);
    assert_eq!(record.time_to_failure.len(), 3);
    let tally = record.tally;
    assert_eq!((tally.answered, tally.failed, tally.timed_out), (2, 3, 2));
    assert_eq!((tally.shed, tally.unfinished), (1, 1));
    assert_eq!(record.errors[Phase::Head as usize][Cause::Timeout as usize], 2);
    assert_eq!(recorder.bad_calls.examples, [(timeout, 8 * SECOND), (reset, 3)]);
    assert_eq!(recorder.bad_calls.total, 5);
}
