//! When calls start, as the embedding program says it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use loadgen_core::report::VerdictStatus;
use loadgen_core::target_server::TargetOptions;
use loadgen_core::{CallLimit, Engine, Load, Plan, Schedule};

use crate::common::{millis, target};

/// The calls of all threads start when the function says, and each number is asked for.
#[test]
fn calls_start_when_the_program_says() {
    let server = target(TargetOptions::new());
    let asked = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&asked);
    // Pairs, 50 ms apart; in windows of 100 ms that makes four.
    let pairs = Schedule::custom("pairs", move |k| {
        seen.fetch_or(1 << k.min(63), SeqCst);
        millis(k / 2 * 50)
    });
    for threads in [1, 2] {
        let plan = Plan::new(server.url().parse().unwrap(), Load::established(pairs.clone()))
            .with_threads(threads)
            .with_call_log(100)
            .with_calls(CallLimit::Calls(10));
        asked.store(0, SeqCst);
        let (report, calls) =
            Engine::new(plan).unwrap().start().unwrap().join_with_calls().unwrap();
        assert_eq!((report.counts.offered, report.counts.answered), (10, 10));
        let mut intended: Vec<u64> = calls.iter().map(|c| c.intended / 1_000_000).collect();
        intended.sort_unstable();
        assert_eq!(intended, [0, 0, 50, 50, 100, 100, 150, 150, 200, 200]);
        assert_eq!(asked.load(SeqCst) & 0x3ff, 0x3ff);
        // What started next would have started at 250 ms: until then the load lasted.
        assert!((report.measured_s - 0.25).abs() < 1e-9, "{}", report.measured_s);
        let text = loadgen_core::report::render_text(&report);
        assert!(text.contains("at the times of 'pairs', a schedule of the program"), "{text}");
    }
}

/// A table that is at its end says its last time again and again.
#[test]
fn one_that_stands_still_is_told_as_the_programs_and_ends() {
    let server = target(TargetOptions::new());
    let table = Schedule::custom("table", |k| millis(10 * k.min(3)));
    let plan = Plan::new(server.url().parse().unwrap(), Load::established(table))
        .with_duration(Duration::from_secs(1));
    let report = Engine::new(plan).unwrap().run().unwrap();
    assert_eq!(report.counts.offered, 100_003, "{:?}", report.counts);
    assert_eq!(report.verdict.status, VerdictStatus::Invalid);
    let reasons = report.verdict.reasons.join("; ");
    assert!(
        reasons.contains("'table' says the same time, 0.03 s, for more than 100000"),
        "{reasons}"
    );
}

/// It says by itself when there are no more.
#[test]
fn one_with_an_end_has_so_many_calls() {
    let server = target(TargetOptions::new());
    let three = |k| if k < 3 { millis(10 * k) } else { Duration::MAX };
    let plan = Plan::new(
        server.url().parse().unwrap(),
        Load::established(Schedule::custom("three", three)),
    );
    let report = Engine::new(plan.with_duration(millis(300))).unwrap().run().unwrap();
    assert_eq!((report.counts.offered, report.counts.answered), (3, 3));
    assert_eq!(report.workers_lost, 0, "{:?}", report.verdict.reasons);
}

#[test]
fn a_panic_is_told_as_the_programs_and_the_report_kept() {
    let server = target(TargetOptions::new());
    let broken = Schedule::custom("broken", |k| {
        assert!(k < 5, "out of times");
        millis(10 * k)
    });
    let plan = Plan::new(server.url().parse().unwrap(), Load::established(broken))
        .with_duration(Duration::from_secs(60));
    let report = Engine::new(plan).unwrap().run().unwrap();
    // The last one's reply need not be there yet.
    let counts = report.counts;
    assert_eq!((counts.offered, counts.answered + counts.unfinished), (5, 5), "{counts:?}");
    assert_eq!(report.workers_lost, 1);
    assert_eq!(report.verdict.status, VerdictStatus::Invalid);
    let reasons = report.verdict.reasons.join("; ");
    assert!(
        reasons.contains("the program's schedule 'broken' panicked: out of times"),
        "{reasons}"
    );
    assert!(report.duration_s < 30.0, "{}", report.duration_s);
}
