//! Limits of time and room, and the end of a run.

use std::io::Write;
use std::thread;
use std::time::Duration;

use loadgen_core::Engine;
use loadgen_core::target_server::TargetOptions;

use super::{assert_adds_up, at, endless, plan, run};
use crate::common::{
    Conversation, LIMIT, OddServer, gated_server, millis, run_and, target, wait_until,
};

#[test]
fn a_call_that_takes_too_long_is_a_timeout_and_censored() {
    let server = OddServer::start(Conversation::until_the_end);
    // Connected before, so that a call has nothing to wait for but its reply.
    let load = at(40.0).with_connections(20).with_warm_connections(20);
    let plan = plan(&server.url(), load).with_timeout(Duration::from_secs(1));
    let report = run(plan.with_drain(LIMIT));
    assert_adds_up(&report);
    assert_eq!(report.errors["head-timeout"], 20);
    assert_eq!(report.counts.censored, 20);
    assert_eq!(report.timeline.failed_calls.len(), 20);
    let waited = report.timeline.failed_calls[0].waited_s;
    assert!((1.0..20.0).contains(&waited), "{waited}");
}

/// Nothing is ever answered, on one connection. A call that waited for it has only the
/// rest of its 250 ms: so more of them fail, one after the other, than if each had its
/// 250 ms from when it was sent.
#[test]
fn the_deadline_counts_from_the_intended_start() {
    let server = OddServer::start(Conversation::until_the_end);
    let load = at(100.0).with_connections(1);
    let plan = plan(&server.url(), load).with_duration(Duration::from_secs(2));
    let report = run(plan.with_deadline(millis(250)).with_drain(LIMIT));
    assert_adds_up(&report);
    let c = report.counts;
    assert_eq!((c.answered, c.failed + c.shed), (0, 200), "{c:?}");
    assert!(c.failed > 0 && c.queued > 0, "{c:?}");
    assert!(report.errors.keys().all(|class| class.ends_with("deadline")), "{:?}", report.errors);
    assert!(report.timeline.failed_calls.iter().all(|call| call.waited_s >= 0.25));
    let told = format!("{c:?} {}", report.duration_s);
    assert!(c.failed as f64 * 0.25 > report.duration_s, "{told}");
    assert_eq!(c.censored, c.shed + c.failed);
}

/// Nothing is answered before all have arrived.
#[test]
fn beyond_the_backlog_arrivals_are_shed() {
    let (gate, server) = gated_server();
    let plan = plan(&server.url(), at(200.0).with_connections(1).with_backlog(5));
    let report = run_and(plan, |so_far| so_far.offered == 100, || gate.open());
    assert_adds_up(&report);
    assert_eq!((report.counts.answered, report.counts.shed), (6, 94), "{:?}", report.counts);
    assert!(report.verdict.reasons.iter().any(|r| r.contains("never started")));
}

#[test]
fn waiting_for_a_connection_is_response_time_and_not_lag() {
    let server = target(TargetOptions::new().with_delay(millis(50)));
    let report = run(plan(&server.url(), at(100.0).with_connections(1)).with_drain(LIMIT));
    assert_adds_up(&report);
    assert_eq!(report.counts.answered, 50);
    // The last one was intended at 490 ms and sent after 49 others of 50 ms. If the
    // machine stood still it is later still, and so is its end.
    let (lag, response) = (report.lag.max_us.unwrap(), report.response_time.max_us.unwrap());
    assert!(response > 1_900_000.0 && response > lag + 1_000_000.0, "{lag} {response}");
    // One after the other, they took no longer together than the run.
    let service = report.service_time.mean_us.unwrap() * 50.0;
    assert!(service <= report.duration_s * 1e6, "{service}");
    // What the drain did is not throughput, and the verdict tells of it.
    assert!(report.rates.answered_per_s.unwrap() <= 20.0, "{:?}", report.rates);
    assert!(report.verdict.reasons.iter().any(|r| r.contains("still waiting")));
}

#[test]
fn stopping_ends_the_load_and_waits_for_replies() {
    let server = target(TargetOptions::new().with_delay(millis(100)));
    let handle = Engine::new(endless(&server.url(), at(100.0))).unwrap().start().unwrap();
    let clock = handle.clock().unwrap();
    wait_until("calls are under way", || handle.snapshot().in_flight > 0);
    let before = clock.now();
    handle.mark("half-time");
    let after = clock.now();
    handle.stop();
    let report = handle.join().unwrap();
    assert_adds_up(&report);
    assert!(report.counts.answered > 0);
    assert_eq!(report.counts.unfinished, 0);
    assert_eq!(report.events[0].name, "half-time");
    let marked = report.events[0].at_s * 1e9;
    let about = (before as f64 - 1e3)..(after as f64 + 1e3);
    assert!(about.contains(&marked), "{marked} {about:?}");
}

#[test]
fn what_is_open_at_the_end_is_unfinished() {
    let server = OddServer::start(Conversation::until_the_end);
    let load = at(20.0).with_connections(4);
    let report = run(plan(&server.url(), load).with_drain(millis(50)));
    assert_adds_up(&report);
    assert_eq!((report.counts.unfinished, report.counts.shed), (4, 6));
    assert_eq!(report.counts.censored, 10);
}

#[test]
fn cutting_ends_a_run_that_is_hopelessly_behind() {
    let server = target(TargetOptions::new());
    let plan = endless(&server.url(), at(5_000_000.0));
    let handle = Engine::new(plan).unwrap().start().unwrap();
    handle.clock().unwrap();
    thread::sleep(millis(500));
    handle.stop();
    handle.stop();
    let report = handle.join().unwrap();
    let c = report.counts;
    assert_eq!(c.offered, c.started + c.shed, "{c:?}");
    assert!(c.shed > 0 && report.duration_s < 30.0, "{c:?}");
}

#[test]
fn an_endless_reply_holds_up_neither_other_calls_nor_the_end() {
    let server = OddServer::start(|conversation| {
        if conversation.requests(1) {
            conversation.say("HTTP/1.1 200 OK\r\n\r\n");
            let block = vec![b'x'; 1 << 20];
            while conversation.stream.write_all(&block).is_ok() {}
        }
    });
    let plan = plan(&server.url(), at(4.0)).with_timeout(Duration::from_secs(1));
    let report = run(plan.with_drain(LIMIT));
    assert_adds_up(&report);
    assert_eq!(report.errors.get("body-timeout"), Some(&2), "{:?}", report.errors);
    assert!(report.duration_s < 30.0, "{}", report.duration_s);
}
