//! What calls of a pool have, calls of sessions have: warm-up, probe, drain, deadline, the
//! causes of slow calls, and every place that a load can go to.

use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loadgen_core::session::{Burst, Script, ScriptedCall, ScriptedSession, Sessions};
use loadgen_core::target_server::TargetOptions;
use loadgen_core::{Addresses, Engine, Load, Plan, Population, Request, Schedule, Target};

use super::{checked, connections, every, plan, run, scripted};
use crate::common::{OK, OddServer, gated_server, target, wait_until};
use crate::opening::full;
use crate::places::serve;

fn port(server: &loadgen_core::target_server::RunningTarget) -> u16 {
    server.local_addr().port()
}

fn to(target: Target, sessions: Sessions) -> Plan {
    Plan::new(target, Load::established(every(0.01))).with_sessions(sessions)
}

/// Two bursts of two calls, a millisecond apart.
fn bursts() -> Script {
    Script::Bursts { calls: 4, burst: 2, think_s: 0.001 }
}

#[test]
fn arrivals_of_the_warm_up_are_left_out() {
    let server = target(TargetOptions::new());
    let mut sessions = scripted(0, bursts());
    sessions.count = None;
    sessions.sampling.first_s = 0.1;
    sessions.sampling.every_s = 0.1;
    let plan = plan(port(&server), every(0.01), sessions)
        .with_duration(Duration::from_secs(1))
        .with_warmup(Duration::from_millis(205))
        .with_drain(Duration::from_secs(30));
    let (figures, report) = run(plan);
    // 79 of 100 arrivals, and later calls of sessions that began before them.
    let c = &report.counts;
    assert!((4 * 79..400).contains(&c.offered), "{c:?}");
    assert_eq!(c.offered, c.answered, "{:?}", report.errors);
    assert!((report.measured_s - 0.795).abs() < 1e-9, "{}", report.measured_s);
    let span = report.duration_s - 0.205;
    assert!((figures.test_duration_s - span).abs() < 1e-9, "{figures:?}");
    // Of 0.3 s to 1.0 s and, while sessions are waited for, later.
    assert!(figures.reply_rate_samples.len() >= 8, "{figures:?}");
    let outcomes = figures.outcomes.unwrap();
    assert!(outcomes.failed == 0 && (79..=100).contains(&outcomes.succeeded), "{outcomes:?}");
    server.stop().unwrap();
}

#[test]
fn a_probe_comes_beside_them() {
    let server = target(TargetOptions::new());
    let probe = Load::fresh(Schedule::constant(100.0));
    let mut sessions = scripted(0, bursts());
    sessions.count = None;
    let plan = plan(port(&server), every(0.01), sessions)
        .with_probe(probe)
        .with_request(Request::get().with_header("X-Probe", "1"))
        .with_timeout(Duration::from_secs(30))
        .with_duration(Duration::from_millis(500))
        .with_drain(Duration::from_secs(30));
    let (figures, report) = run(plan);
    let of = |population: Population| &report.populations[population.name()];
    let (load, probe) = (of(Population::Established), of(Population::Fresh));
    assert_eq!((load.counts.answered, load.counts.failed), (200, 0), "{:?}", report.errors);
    assert_eq!((probe.counts.offered, probe.counts.answered), (50, 50), "{:?}", report.errors);
    assert_eq!(probe.counts.connections_opened, 50);
    // What sessions count is theirs alone.
    assert_eq!((figures.connections.attempted, figures.replies.completed), (50, 200));
    server.stop().unwrap();
}

#[test]
fn sessions_are_waited_for_if_the_plan_says_so() {
    let (gate, server) = gated_server();
    let mut waiting = connections(0, 3);
    waiting.count = None;
    let plan = plan(server.address.port(), Schedule::constant(10.0), waiting)
        .with_duration(Duration::from_millis(300))
        .with_drain(Duration::from_secs(60));
    let handle = Engine::new(plan).unwrap().start().unwrap();
    let clock = handle.clock().unwrap();
    wait_until("the load is over", || clock.now() > 400_000_000);
    assert!(!handle.is_finished());
    gate.open();
    let (figures, report) = checked(handle.join().unwrap());
    let c = &report.counts;
    assert_eq!((c.offered, c.answered, c.unfinished), (9, 9, 0), "{c:?}");
    assert_eq!(figures.replies.completed, 9);
}

#[test]
fn a_deadline_is_of_their_calls_too() {
    let (gate, server) = gated_server();
    let plan = plan(server.address.port(), every(0.01), connections(5, 2))
        .with_deadline(Duration::from_millis(200));
    let (figures, report) = run(plan);
    assert_eq!(report.errors["head-deadline"], 5, "{:?}", report.errors);
    assert_eq!((figures.failures.timeout, figures.connections.attempted), (5, 5));
    gate.open();
}

#[test]
fn a_deadline_is_of_connecting_too() {
    let (_socket, address) = full();
    let plan = plan(address.port(), every(0.01), connections(5, 1))
        .with_deadline(Duration::from_millis(200));
    let (_, report) = run(plan);
    let errors = &report.errors;
    assert!(errors["connect-deadline"] > 0, "{errors:?}");
    assert!(errors.keys().all(|class| class.ends_with("-deadline")), "{errors:?}");
}

#[test]
fn it_is_told_why_their_calls_were_slow() {
    let server = target(TargetOptions::new().with_delay(Duration::from_millis(300)));
    let (_, report) = run(plan(port(&server), every(0.01), connections(4, 1)));
    assert_eq!(report.slow_calls.as_ref().unwrap().count, 4, "{:?}", report.slow_calls);
    let connect = report.connect_time.as_ref().unwrap();
    assert_eq!(connect.count, 4);
    server.stop().unwrap();
}

#[test]
fn they_go_to_a_unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.sock");
    let heads = serve(UnixListener::bind(&path).unwrap(), OK.to_vec());
    let target = Target::parse(&format!("unix:{}:/", path.display())).unwrap();
    let (figures, report) = run(to(target, scripted(3, bursts())));
    assert_eq!((report.counts.answered, figures.outcomes.unwrap().succeeded), (12, 3));
    let heads = heads.lock().unwrap();
    assert_eq!(heads.len(), 12);
    assert!(heads.iter().all(|head| head.contains("\r\nHost: localhost\r\n")), "{:?}", heads[0]);
}

/// A proxy that answers itself.
#[test]
fn they_go_through_a_proxy() {
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&heads);
    let proxy = OddServer::start(move |talk| {
        while let Some(head) = talk.request() {
            seen.lock().unwrap().push(head);
            talk.answer(1);
        }
    });
    let call = |uri: &str| ScriptedCall::new("GET", uri);
    let burst = Burst::new([call("/a?b"), call("http://other/c")]);
    let log = Script::Log { sessions: vec![ScriptedSession::new([burst])] };
    let given = format!("http://user:secret@{}", proxy.address);
    let target =
        Target::parse("http://shop.example:81/").unwrap().with_proxy(given.parse().unwrap());
    let (_, report) = run(to(target, scripted(1, log)));
    assert_eq!(report.counts.answered, 2, "{:?}", report.errors);
    let heads = heads.lock().unwrap();
    let lines: Vec<_> = heads.iter().map(|head| head.lines().next().unwrap()).collect();
    // One that names its server itself is passed on as it is.
    assert_eq!(lines, ["GET http://shop.example:81/a?b HTTP/1.1", "GET http://other/c HTTP/1.1"]);
    let line = "\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n";
    assert!(heads.iter().all(|head| head.contains(line)), "{:?}", heads[0]);
}

#[test]
fn they_go_to_all_addresses_from_the_source_that_the_target_names() {
    let server = target(TargetOptions::new());
    let target = Target::parse("http://service.test/")
        .unwrap()
        .with_connect_to(format!("localhost:{}", port(&server)).parse().unwrap())
        .with_addresses(Addresses::All)
        .with_source_addresses(vec!["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap()]);
    let (_, report) = run(to(target, connections(6, 1)));
    assert_eq!(report.counts.answered, 6, "{:?}", report.errors);
    let went = report.connected_to.unwrap();
    assert_eq!((went.addresses.len(), went.addresses[0].opened), (1, 6));
    server.stop().unwrap();
}

/// What is expected of replies is expected in sessions, too, however their bodies come; a
/// session goes on after a reply that is not so.
#[test]
fn replies_are_compared_with_what_is_expected() {
    let server = OddServer::start(|conversation| {
        for k in 0.. {
            if conversation.request().is_none() {
                return;
            }
            // Two of four are wrong: one by its text, one by its status.
            let (status, text) = match k % 4 {
                1 => ("200 OK", ["all is i", "ll her", "e"]),
                2 => ("201 Created", ["all is w", "ell her", "e"]),
                _ => ("200 OK", ["all is w", "ell her", "e"]),
            };
            let chunks: String =
                text.iter().map(|part| format!("{:x}\r\n{part}\r\n", part.len())).collect();
            let head = format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n");
            for piece in [head.as_str(), &chunks[..14], &chunks[14..], "0\r\n\r\n"] {
                conversation.say(piece);
                // So that each is read by itself.
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    });
    let port = server.url().rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
    for calls in [(4, 1), (4, 2)] {
        let script = Script::Bursts { calls: calls.0, burst: calls.1, think_s: 0.001 };
        let plan = plan(port, every(0.001), scripted(10, script))
            .with_expectation("body~is well".parse().unwrap())
            .with_expectation("status=200".parse().unwrap());
        let (figures, report) = run(plan);
        assert_eq!(figures.outcomes.unwrap().succeeded, 10, "{:?}", report.errors);
        assert_eq!((report.counts.answered, report.counts.wrong), (40, 20), "{calls:?}");
        let wrong: Vec<(&str, u64)> = report.wrong.iter().map(|(k, n)| (k.as_str(), *n)).collect();
        assert_eq!(wrong, [("body", 10), ("status", 10)], "{calls:?}");
        assert_eq!(report.response_time.count, 20);
    }
}

/// A reply to HEAD has no body to be looked at, nor is that of the call before taken for it.
#[test]
fn a_reply_to_head_is_compared_by_its_status() {
    let server = target(TargetOptions::new().with_body_bytes(10));
    let burst = |method| Burst::new([ScriptedCall::new(method, "/")]);
    let script = Script::Log { sessions: vec![ScriptedSession::new(["GET", "HEAD"].map(burst))] };
    let plan = plan(port(&server), every(0.001), scripted(5, script));
    let (_, report) = run(plan.with_expectation("size=10".parse().unwrap()));
    assert_eq!((report.counts.answered, report.counts.wrong), (10, 0), "{:?}", report.wrong);
    server.stop().unwrap();
}
