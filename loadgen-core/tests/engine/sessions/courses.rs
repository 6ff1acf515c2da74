//! What sessions do when all goes well, and what is counted of it.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use loadgen_core::session::{Burst, Retry, Script, ScriptedCall, ScriptedSession};
use loadgen_core::target_server::TargetOptions;
use loadgen_core::{Engine, Load, Plan, Schedule, Target};

use super::{BUSY, connections, every, plan, run, scripted};
use crate::common::{OK, OddServer, gated_server, millis, target, wait_until};

#[test]
fn connections_of_several_calls() {
    let server = target(TargetOptions::new().with_body_bytes(100));
    let port = server.local_addr().port();
    let (figures, report) = run(plan(port, every(0.005), connections(20, 3)));
    let truth = server.stop().unwrap();
    assert_eq!(truth.requests_read, 60);
    assert_eq!(figures.connections.attempted, 20);
    assert_eq!(figures.connections.connected, 20);
    assert_eq!(figures.connections.with_reply, 20);
    assert_eq!((figures.requests.sent, figures.replies.completed), (60, 60));
    assert_eq!(figures.replies.content_bytes, 6000);
    assert_eq!(figures.replies.by_class, [0, 60, 0, 0, 0]);
    assert_eq!(figures.requests.bytes, truth.bytes_received);
    assert_eq!(figures.replies.header_bytes + figures.replies.content_bytes, truth.bytes_sent);
    assert_eq!(figures.outcomes, None);
    assert_eq!(report.counts.answered, 60);
    assert!(figures.test_duration_s >= 0.095, "{}", figures.test_duration_s);
}

#[test]
fn several_workers_share_the_arrivals_and_count_alike() {
    let server = target(TargetOptions::new());
    let port = server.local_addr().port();
    let (figures, report) = run(plan(port, every(0.001), connections(201, 2)).with_threads(2));
    assert_eq!(figures.connections.attempted, 201);
    assert_eq!(figures.replies.completed, 402);
    assert_eq!(report.counts.answered, 402);
    assert!(figures.test_duration_s >= 0.2);
    server.stop().unwrap();
}

#[test]
fn one_after_the_other() {
    let server = target(TargetOptions::new().with_delay(Duration::from_millis(5)));
    let port = server.local_addr().port();
    let (figures, _) = run(plan(port, Schedule::Closed, connections(10, 1)));
    assert_eq!(figures.connections.concurrent, 1);
    assert_eq!(figures.replies.completed, 10);
    assert!(figures.replies.response_mean_ms.unwrap() >= 5.0);
    assert!(figures.test_duration_s >= 0.05);
    server.stop().unwrap();
}

#[test]
fn a_closed_loop_holds_as_many_sessions_as_it_may() {
    let (gate, server) = gated_server();
    let stream = Load::established(Schedule::Closed).with_connections(5);
    let target = Target::parse(&server.url()).unwrap();
    let sessions = connections(20, 1);
    let plan = Plan::new(target, stream).with_sessions(sessions).with_threads(2);
    let handle = Engine::new(plan).unwrap().start().unwrap();
    wait_until("five are asked for", || server.asked() == 5);
    thread::sleep(millis(20));
    assert_eq!(server.asked(), 5);
    gate.open();
    let report = handle.join().unwrap();
    assert_eq!((report.counts.answered, report.sessions.unwrap().connections.attempted), (20, 20));
}

/// The server answers a burst when it has all of it, and looks whether there is more.
#[test]
fn bursts_go_out_together_and_the_last_may_be_short() {
    let too_many = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&too_many);
    let server = OddServer::start(move |conversation| {
        for burst in [4, 4, 2] {
            if !conversation.requests(burst) {
                return;
            }
            thread::sleep(millis(10));
            seen.fetch_or(conversation.more_is_there(), SeqCst);
            conversation.answer(burst);
        }
        conversation.until_the_end();
    });
    let mut sessions = connections(3, 10);
    sessions.script = Script::Connection { calls: 10, burst: 4 };
    let (figures, _) = run(plan(server.address.port(), every(0.01), sessions));
    assert_eq!((figures.replies.completed, figures.failures.timeout), (30, 0));
    assert!(!too_many.load(SeqCst), "more than a burst of four came at once");
    let life = figures.connections.lifetime_ms.unwrap();
    assert!(life.min >= 30.0, "{life:?}");
}

#[test]
fn sessions_think_between_bursts() {
    let server = target(TargetOptions::new());
    let port = server.local_addr().port();
    let script = Script::Bursts { calls: 6, burst: 2, think_s: 0.05 };
    let (figures, report) = run(plan(port, every(0.01), scripted(4, script)));
    let outcomes = figures.outcomes.unwrap();
    assert_eq!((outcomes.succeeded, outcomes.failed), (4, 0));
    assert_eq!(outcomes.by_replies, [0, 0, 0, 0, 0, 0, 4]);
    assert_eq!(outcomes.connections_of_succeeded, 4);
    assert!(outcomes.lifetime_mean_s.unwrap() >= 0.1);
    assert_eq!(figures.replies.completed, 24);
    assert_eq!(report.counts.answered, 24);
    server.stop().unwrap();
}

#[test]
fn a_log_is_followed_and_begins_again() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let server = OddServer::start(move |conversation| {
        while let Some(head) = conversation.request() {
            let line = head.lines().next().unwrap().to_owned();
            if head.contains("Content-length: 3") {
                assert_eq!(conversation.body(3).unwrap(), b"a=1");
            }
            seen.lock().unwrap().push(line);
            let body: &[u8] = if head.starts_with("HEAD") { &OK[..OK.len() - 2] } else { OK };
            conversation.stream.write_all(body).unwrap();
        }
    });
    let call = |method: &str, uri: &str, body: &str| ScriptedCall::new(method, uri).with_body(body);
    let session = |calls: Vec<ScriptedCall>| {
        ScriptedSession::new(calls.into_iter().map(|call| Burst::new([call])))
    };
    let log = vec![
        session(vec![call("GET", "/a", ""), call("POST", "/b", "a=1"), call("HEAD", "/c", "")]),
        session(vec![call("GET", "/d", "")]),
    ];
    let sessions = scripted(3, Script::Log { sessions: log });
    let (figures, _) = run(plan(server.address.port(), Schedule::Closed, sessions));
    let lines = asked.lock().unwrap().clone();
    let expected = ["GET /a", "POST /b", "HEAD /c", "GET /d", "GET /a", "POST /b", "HEAD /c"];
    assert_eq!(lines, expected.map(|line| format!("{line} HTTP/1.1")));
    assert_eq!(figures.outcomes.unwrap().by_replies, [0, 1, 0, 2]);
}

#[test]
fn failure_status_fails_the_session_or_is_asked_again() {
    // 503 on every second request of a connection.
    let server = OddServer::start(|conversation| {
        while conversation.requests(1) {
            conversation.answer(1);
            if conversation.requests(1) {
                conversation.say(BUSY);
            }
        }
    });
    let script = Script::Bursts { calls: 3, burst: 1, think_s: 0.001 };
    let mut sessions = scripted(3, script);
    sessions.failure_status = Some(503);
    let (figures, _) = run(plan(server.address.port(), every(0.01), sessions.clone()));
    assert_eq!(figures.outcomes.unwrap().failed, 3);
    assert_eq!(figures.replies.by_class, [0, 3, 0, 0, 3]);
    sessions.retry = Retry::Always;
    let (figures, _) = run(plan(server.address.port(), every(0.01), sessions));
    let outcomes = figures.outcomes.unwrap();
    assert_eq!((outcomes.succeeded, outcomes.failed), (3, 0));
    assert_eq!(figures.replies.by_class, [0, 9, 0, 0, 6]);
}

/// What a sample says is tested with invented times, beside the code.
#[test]
fn rates_are_sampled() {
    let server = target(TargetOptions::new());
    let port = server.local_addr().port();
    let mut sessions = connections(100, 1);
    sessions.sampling.first_s = 0.1;
    sessions.sampling.every_s = 0.1;
    let (figures, _) = run(plan(port, every(0.01), sessions).with_threads(2));
    // The last arrival is at 0.99 s. No sample is taken before its time.
    let most = (figures.test_duration_s / 0.1) as usize + 1;
    assert!((9..=most).contains(&figures.reply_rate_samples.len()), "{figures:?}");
    assert!(figures.reply_rate_samples.iter().any(|rate| *rate > 0.0), "{figures:?}");
    server.stop().unwrap();
}
