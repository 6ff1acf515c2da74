//! Calls that are answered: counted to the byte, over connections as the plan says.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loadgen_core::target_server::TargetOptions;
use loadgen_core::{
    Engine, Load, Plan, Population, Precision, Request, RunError, Schedule, Target,
};

use super::{assert_adds_up, at, endless, fresh_at, plan, run};
use crate::common::{House, OddServer, millis, run_until, target};

#[test]
fn every_call_of_an_open_loop_is_answered_and_counted() {
    let server = target(TargetOptions::new().with_body_bytes(100));
    let report = run(plan(&server.url(), at(1000.0)));
    let truth = server.stop().unwrap();
    assert_adds_up(&report);
    assert_eq!((report.counts.offered, report.counts.answered), (500, 500));
    assert_eq!(report.status["2xx"], 500);
    assert_eq!(truth.requests_read, 500);
    assert_eq!(truth.bytes_sent, report.bytes.received);
    assert_eq!(truth.bytes_received, report.bytes.sent);
    assert!(report.counts.connections_opened <= 64);
    assert_eq!(report.lag.count, 500);
}

#[test]
fn response_time_includes_the_servers_delay() {
    let server = target(TargetOptions::new().with_delay(millis(20)));
    let report = run(plan(&server.url(), at(100.0)));
    assert_adds_up(&report);
    let min = report.service_time.min_us.unwrap();
    assert!(min >= 20_000.0, "{min}");
    assert!(report.response_time.min_us.unwrap() >= min);
}

#[test]
fn a_fresh_connection_for_every_call() {
    let server = target(TargetOptions::new());
    let report = run(plan(&server.url(), fresh_at(200.0)));
    let truth = server.stop().unwrap();
    assert_adds_up(&report);
    assert_eq!((report.counts.answered, report.counts.connections_opened), (100, 100));
    // One more: the connect that makes sure that the server is there.
    assert_eq!(truth.connections_accepted, 101);
    assert_eq!(report.populations.keys().collect::<Vec<_>>(), ["fresh"]);
}

#[test]
fn a_connection_carries_no_more_calls_than_allowed() {
    let server = target(TargetOptions::new());
    let report = run(plan(&server.url(), at(200.0).with_calls_per_connection(5)));
    assert_adds_up(&report);
    assert_eq!(report.counts.answered, 100);
    assert!(report.counts.connections_opened >= 20, "{:?}", report.counts);
}

#[test]
fn a_server_that_closes_connections_costs_no_failure() {
    let server = target(TargetOptions::new().with_keepalive_limit(3));
    let report = run(plan(&server.url(), at(400.0)));
    assert_adds_up(&report);
    assert_eq!((report.counts.answered, report.counts.failed), (200, 0));
}

#[test]
fn two_populations_in_one_run() {
    let server = target(TargetOptions::new());
    let probe = Load::fresh(Schedule::poisson(200.0));
    let report = run(plan(&server.url(), at(400.0)).with_probe(probe));
    assert_adds_up(&report);
    let of = |p: Population| &report.populations[p.name()];
    assert_eq!(of(Population::Established).counts.answered, 200);
    let fresh = of(Population::Fresh);
    assert_eq!(fresh.counts.answered, fresh.counts.offered);
    assert!((60..140).contains(&fresh.counts.offered), "{:?}", fresh.counts);
    assert_eq!(fresh.counts.connections_opened, fresh.counts.answered);
}

#[test]
fn threads_share_the_schedule_and_send_no_more() {
    let server = target(TargetOptions::new());
    for schedule in [Schedule::constant(600.0), Schedule::poisson(600.0)] {
        let one = run(plan(&server.url(), Load::established(schedule.clone())));
        let three = run(plan(&server.url(), Load::established(schedule)).with_threads(3));
        assert_adds_up(&three);
        assert_eq!(one.counts.offered, three.counts.offered);
    }
}

/// The server answers when all four connections have a call, ten times.
#[test]
fn closed_loop_keeps_every_connection_busy() {
    let house = House::of(4);
    let inside = house.clone();
    let server = OddServer::start(move |conversation| {
        while conversation.requests(1) {
            inside.enter();
            conversation.answer(1);
        }
    });
    let load = Load::established(Schedule::Closed).with_connections(4);
    let report = run_until(endless(&server.url(), load), |_| house.rounds() >= 10, || house.open());
    assert_adds_up(&report);
    assert_eq!(report.counts.connections_opened, 4);
    assert_eq!(report.counts.failed + report.counts.unfinished, 0, "{:?}", report.errors);
    assert_eq!(report.counts.answered, server.asked());
    assert_eq!(report.lag.count, 0, "a closed loop has no lag");
}

#[test]
fn warm_connections_are_open_before_the_load() {
    let server = target(TargetOptions::new());
    let load = at(50.0).with_connections(30).with_warm_connections(30);
    let report = run(plan(&server.url(), load));
    let truth = server.stop().unwrap();
    assert_adds_up(&report);
    assert_eq!(report.counts.connections_opened, 0);
    assert_eq!(truth.connections_accepted, 31);
}

#[test]
fn the_warm_up_is_left_out_of_the_summary() {
    let server = target(TargetOptions::new());
    let report = run(plan(&server.url(), at(200.0)).with_warmup(millis(250)));
    assert_eq!(report.counts.offered, 50);
    assert!((report.measured_s - 0.25).abs() < 1e-9);
    assert!((report.rates.offered_per_s.unwrap() - 200.0).abs() < 1e-6);
    assert_eq!(report.timeline.windows.iter().map(|w| w.offered).sum::<u64>(), 100);
}

#[test]
fn methods_and_bodies() {
    let server = target(TargetOptions::new().with_body_bytes(300_000));
    let head = Request::get().with_method("HEAD");
    let report = run(plan(&server.url(), at(40.0)).with_request(head));
    assert_adds_up(&report);
    assert_eq!(report.counts.answered, 20);
    assert!(report.bytes.received < 20 * 1000, "{:?}", report.bytes);
    let post = Request::get().with_method("POST").with_body(vec![b'x'; 500_000]);
    let report = run(plan(&server.url(), at(40.0)).with_request(post));
    assert_adds_up(&report);
    assert_eq!(report.counts.answered, 20);
    assert!(report.bytes.sent > 20 * 500_000);
    assert!(report.bytes.received > 20 * 300_000);
}

#[test]
fn error_statuses_are_answers_of_a_class_of_their_own() {
    let server = target(TargetOptions::new().with_status(503));
    let report = run(plan(&server.url(), at(100.0)));
    assert_adds_up(&report);
    assert_eq!(report.status["5xx"], 50);
    let population = &report.populations["established"];
    assert_eq!(population.response_time.count, 0);
    assert_eq!(population.response_time_error_status.count, 50);
}

#[test]
fn ipv6() {
    let listen = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let server = target(TargetOptions::new().with_listen(listen));
    let report = run(plan(&server.url(), at(100.0)));
    assert_adds_up(&report);
    assert_eq!(report.counts.answered, 50);
    assert!(report.environment.address.starts_with("[::1]:"));
}

#[test]
fn source_addresses_take_turns() {
    let peers = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&peers);
    let server = OddServer::start(move |conversation| {
        if conversation.requests(1) {
            let peer = conversation.stream.peer_addr().unwrap().ip().to_string();
            seen.lock().unwrap().push(peer);
            conversation.answer(1);
        }
    });
    let sources = vec!["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap()];
    let target = Target::parse(&server.url()).unwrap().with_source_addresses(sources);
    let report = run(Plan::new(target, fresh_at(40.0)).with_duration(millis(500)));
    assert_eq!(report.counts.answered, 20);
    let peers = peers.lock().unwrap();
    for source in ["127.0.0.2", "127.0.0.3"] {
        assert_eq!(peers.iter().filter(|p| *p == source).count(), 10, "{peers:?}");
    }
}

#[test]
fn source_addresses_are_checked_before_the_load() {
    let server = target(TargetOptions::new());
    for source in ["::1", "192.0.2.1"] {
        let target = Target::parse(&server.url()).unwrap();
        let target = target.with_source_addresses(vec![source.parse().unwrap()]);
        let error = Engine::new(Plan::new(target, at(1.0))).unwrap_err();
        assert!(matches!(error, RunError::Source { .. }), "{error:?}");
        assert!(error.to_string().contains(source), "{error}");
    }
}

#[test]
fn a_close_delimited_body_ends_with_the_connection() {
    let server = OddServer::start(|conversation| {
        if conversation.requests(1) {
            conversation.say("HTTP/1.0 200 OK\r\n\r\nall that there is");
        }
    });
    let report = run(plan(&server.url(), at(40.0)));
    assert_adds_up(&report);
    assert_eq!((report.counts.answered, report.counts.failed), (20, 0), "{:?}", report.errors);
}

/// A stall costs no CPU time. One that sleeps needs a hundredth of one that does not.
#[test]
fn low_precision_sleeps_and_high_does_not() {
    let server = target(TargetOptions::new());
    let cpu = |precision| {
        let plan = plan(&server.url(), at(20.0)).with_duration(Duration::from_secs(1));
        let report = run(plan.with_precision(precision));
        assert_adds_up(&report);
        report.cpu.user_s + report.cpu.system_s
    };
    assert!(cpu(Precision::High) > cpu(Precision::Low));
}
