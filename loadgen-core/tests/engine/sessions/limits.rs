//! Limits: of time, of connections, of calls in flight.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use loadgen_core::report::render_text;
use loadgen_core::session::{Limits, Script};
use loadgen_core::target_server::TargetOptions;
use loadgen_core::{Load, Plan, Schedule, Target};

use super::{checked, connections, every, plan, run, scripted};
use crate::common::{Conversation, Gate, House, OddServer, gated_server, millis, run_and, target};

#[test]
fn silence_times_out() {
    let server = OddServer::start(Conversation::until_the_end);
    let mut sessions = connections(4, 1);
    sessions.limits = Limits::new(millis(100), millis(100));
    let (figures, report) = run(plan(server.address.port(), every(0.01), sessions));
    assert_eq!(figures.failures.timeout, 4);
    assert_eq!(report.errors["head-timeout"], 4);
    assert!((0.2..20.0).contains(&figures.test_duration_s), "{}", figures.test_duration_s);
}

/// The first call goes ahead alone. After it the server answers when four connections
/// have a call each: two rounds, if there is room for so many, and no call too many.
#[test]
fn room_is_limited_by_connections_and_calls_in_flight() {
    let (house, asked) = (House::of(4), Arc::new(AtomicU64::new(0)));
    let crowded = Arc::new(AtomicBool::new(false));
    let (inside, seen) = (house.clone(), Arc::clone(&crowded));
    let server = OddServer::start(move |conversation| {
        while conversation.requests(1) {
            if asked.fetch_add(1, SeqCst) == 0 {
                thread::sleep(millis(20));
                seen.fetch_or(asked.load(SeqCst) > 1, SeqCst);
            } else {
                inside.enter();
            }
            seen.fetch_or(conversation.more_is_there(), SeqCst);
            conversation.answer(1);
        }
    });
    let mut sessions = scripted(1, Script::Bursts { calls: 9, burst: 9, think_s: 0.0 });
    sessions.calls_in_flight = 1;
    sessions.connections = 4;
    let (figures, _) = run(plan(server.address.port(), Schedule::Closed, sessions));
    assert_eq!(figures.connections.attempted, 4);
    assert_eq!(figures.connections.concurrent, 4);
    assert_eq!((figures.replies.completed, figures.failures.timeout), (9, 0));
    assert_eq!(house.rounds(), 2);
    assert!(!crowded.load(SeqCst), "a connection had two calls, or the first was not alone");
}

/// Nothing is answered before all have arrived.
#[test]
fn too_many_open_connections_shed_arrivals() {
    let (gate, server) = gated_server();
    let mut sessions = connections(20, 1);
    sessions.open_connections = Some(4);
    let plan = plan(server.address.port(), every(0.001), sessions);
    let report = run_and(plan, |so_far| so_far.offered == 20, || gate.open());
    let (figures, report) = checked(report);
    assert_eq!(figures.arrivals_shed, 16);
    assert_eq!((report.counts.offered, report.counts.shed), (20, 16));
    assert_eq!(figures.replies.completed, 4);
}

#[test]
fn the_limit_of_open_connections_is_that_of_all_workers() {
    for (gap_s, threads, most) in [(0.005, 2, 3), (1e-6, 8, 10)] {
        let (gate, server) = gated_server();
        let mut sessions = connections(20, 1);
        sessions.open_connections = Some(most);
        let plan = plan(server.address.port(), every(gap_s), sessions).with_threads(threads);
        let report = run_and(plan, |so_far| so_far.offered == 20, || gate.open());
        let (figures, report) = checked(report);
        let most = u64::from(most);
        let counted = (figures.connections.attempted, figures.arrivals_shed);
        assert_eq!(counted, (most, 20 - most), "{figures:?}");
        let text = render_text(&report);
        assert!(text.contains("20 connections, calls on each: 1"), "{text}");
        assert!(text.contains("30 s to connect and to send, 30 s for a reply"), "{text}");
    }
}

#[test]
fn a_burst_without_end_times_out_in_little_memory() {
    // It never reads.
    let server = OddServer::start(|_| Gate::default().pass());
    let mut sessions = connections(1, u64::MAX);
    sessions.script = Script::Connection { calls: u64::MAX, burst: u64::MAX };
    sessions.limits.timeout_s = 0.3;
    let (figures, _) = run(plan(server.address.port(), Schedule::Closed, sessions));
    assert_eq!(figures.failures.timeout, 1, "{figures:?}");
}

#[test]
fn a_page_without_end_is_given_up() {
    let server = OddServer::start(|conversation| {
        conversation.requests(1);
        conversation.say("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n");
        let page = b"<img src=x>".repeat(1000);
        while conversation.stream.write_all(&page).is_ok() {}
    });
    let script = Script::Pages { visits: 1, think_s: 0.0 };
    let plan = plan(server.address.port(), Schedule::Closed, scripted(1, script));
    let (figures, _) = run(plan);
    assert_eq!((figures.failures.other, figures.outcomes.unwrap().failed), (1, 1));
}

#[test]
fn busy_ports_are_skipped_when_we_choose() {
    let server = target(TargetOptions::new());
    let port = server.local_addr().port();
    let mut sessions = connections(3, 1);
    sessions.socket.choose_ports = true;
    // 1024 workers have one port in 63 each.
    let target = Target::host_port("127.0.0.1", port, false).unwrap();
    let load = Load::established(every(0.001)).with_connections(1024);
    let plan = Plan::new(target, load).with_sessions(sessions).with_threads(1024);
    let (figures, report) = run(plan);
    assert_eq!(figures.replies.completed, 3, "{figures:?}");
    assert_eq!(report.workers_lost, 0);
    server.stop().unwrap();
}

/// Nothing is ever answered: only time can end it.
#[test]
fn time_ends_a_run() {
    let server = OddServer::start(Conversation::until_the_end);
    let sessions = connections(1_000_000, 1);
    let plan = plan(server.address.port(), every(0.01), sessions);
    let (figures, report) = run(plan.with_duration(Duration::from_secs(1)));
    // The end is that of the plan, however late the machine came to it.
    assert!((0.999..1.001).contains(&figures.test_duration_s), "{}", figures.test_duration_s);
    let c = &report.counts;
    assert_eq!((c.offered, c.answered, c.failed), (100, 0, 0), "{c:?}");
    assert!(c.unfinished > 0, "{c:?}");
    assert_eq!(c.unfinished, figures.connections.attempted, "{c:?}");
}
