//! What the handle of a run gives: windows, calls, and what becomes of a run without it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use loadgen_core::sweep::{Sweep, SweepObserver};
use loadgen_core::{CallLimit, Engine, Load, Outcome, Plan, Schedule, Snapshot};

use crate::common::{OddServer, wait_until};

fn server() -> OddServer {
    OddServer::start(|conversation| {
        while conversation.requests(1) {
            conversation.answer(1);
        }
    })
}

/// One that counts the connections that are open.
fn counting() -> (OddServer, Arc<AtomicU64>) {
    let open = Arc::new(AtomicU64::new(0));
    let there = Arc::clone(&open);
    let server = OddServer::start(move |conversation| {
        there.fetch_add(1, SeqCst);
        while conversation.requests(1) {
            conversation.answer(1);
        }
        there.fetch_sub(1, SeqCst);
    });
    (server, open)
}

fn plan(server: &OddServer) -> Plan {
    Plan::new(server.url().parse().unwrap(), Load::established(Schedule::constant(1000.0)))
}

#[test]
fn windows_together_are_the_run() {
    let server = server();
    let run =
        Engine::new(plan(&server).with_calls(CallLimit::Calls(500))).unwrap().start().unwrap();
    let windows: Vec<_> = run.windows().collect();
    let report = run.join().unwrap();
    assert!(windows.len() > 1, "{windows:?}");
    assert_eq!(windows[0].start, Duration::ZERO);
    assert!(windows.iter().all(|window| window.start <= window.end));
    let sum = |of: fn(&loadgen_core::Window) -> u64| windows.iter().map(of).sum::<u64>();
    assert_eq!(sum(|window| window.offered), report.counts.offered);
    assert_eq!(sum(|window| window.answered), report.counts.answered);
    assert_eq!(windows.last().unwrap().in_flight, 0);
}

#[test]
fn wrong_replies_are_seen_as_they_come() {
    let server = server();
    let plan = plan(&server).with_calls(CallLimit::Calls(200));
    let plan = plan.with_expectation("status=201".parse().unwrap());
    let run = Engine::new(plan).unwrap().start().unwrap();
    let wrong: u64 = run.windows().map(|window| window.wrong).sum();
    let last = run.snapshot().wrong;
    assert_eq!((wrong, last, run.join().unwrap().counts.wrong), (200, 200, 200));
}

/// A step of a sweep ends with its observer, though it would go on for long.
#[test]
fn a_sweep_whose_observer_panics_ends_its_load() {
    struct Panics;
    impl SweepObserver for Panics {
        fn goes_on(&mut self, now: &Snapshot) {
            assert!(now.answered == 0, "its own fault");
        }
    }
    let (server, open) = counting();
    let sweep = Sweep::new(plan(&server).with_duration(Duration::from_secs(3600))).unwrap();
    let (steps, mut report) = ("100".parse().unwrap(), sweep.report());
    let stop = AtomicBool::new(false);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        sweep.run(&steps, &mut report, &mut Panics, &stop).unwrap();
    }));
    assert!(panic.is_err() && report.points.is_empty());
    wait_until("the load has ended", || open.load(SeqCst) == 0);
}

#[test]
fn calls_come_with_the_report() {
    let server = server();
    let plan = plan(&server).with_calls(CallLimit::Calls(100)).with_call_log(80);
    let (report, calls) = Engine::new(plan).unwrap().start().unwrap().join_with_calls().unwrap();
    assert_eq!((calls.len(), calls.dropped(), report.counts.answered), (80, 20, 100));
    assert!(calls.iter().all(|call| call.outcome == Outcome::Answered(200) && call.load == 0));
}

/// When a run has ended, none of its connections is open.
#[test]
fn a_run_without_an_end_is_ended_with_its_handle() {
    for with_end in [false, true] {
        let (server, open) = counting();
        let mut plan = plan(&server);
        if with_end {
            plan = plan.with_duration(Duration::from_secs(3600));
        }
        let run = Engine::new(plan).unwrap().start().unwrap();
        let run = if with_end { run.stop_on_drop() } else { run };
        wait_until("it has begun", || server.asked() >= 10 && open.load(SeqCst) > 0);
        drop(run);
        wait_until("it has ended", || open.load(SeqCst) == 0);
    }
}

/// One whose plan has an end goes on to it.
#[test]
fn a_run_with_an_end_goes_on_without_its_handle() {
    let server = server();
    drop(Engine::new(plan(&server).with_calls(CallLimit::Calls(300))).unwrap().start().unwrap());
    wait_until("all calls were made", || server.asked() == 300);
}
