//! Servers that are not there, break off, or say what nobody asked for.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use loadgen_core::session::{Retry, Script, Sessions};
use loadgen_core::{Engine, Load, Plan, RunError, Schedule, Target, Tls};

use super::{BUSY, connections, every, plan, run, scripted};
use crate::common::{Gate, OK, OddServer, millis, nobody};

#[test]
fn a_server_that_closes_costs_an_error_and_the_calls_are_sent_again() {
    // Closes after every second reply.
    let server = OddServer::start(|conversation| {
        for _ in 0..2 {
            if conversation.requests(1) {
                conversation.answer(1);
            }
        }
    });
    let script = Script::Bursts { calls: 6, burst: 1, think_s: 0.01 };
    let (figures, report) = run(plan(server.address.port(), every(0.01), scripted(5, script)));
    let outcomes = figures.outcomes.unwrap();
    assert_eq!((outcomes.succeeded, outcomes.failed), (5, 0));
    assert_eq!(figures.failures.reset, 10);
    assert_eq!((figures.requests.sent, figures.replies.completed), (40, 30));
    assert_eq!(outcomes.connections_of_succeeded, 15);
    assert_eq!(report.counts.reconnects, 10);
}

#[test]
fn a_refused_server_is_an_error_unless_that_is_to_be_measured() {
    let (_nobody, address) = nobody();
    let port = address.port();
    for sessions in
        [Sessions::connections(1), Sessions::scripted(Script::Pages { visits: 1, think_s: 0.0 })]
    {
        let refused = Engine::new(plan(port, every(0.002), sessions.with_count(1))).unwrap_err();
        assert!(matches!(refused, RunError::Connect { .. }), "{refused}");
    }
    let (figures, report) = run(plan(port, every(0.002), connections(10, 1)));
    assert_eq!((figures.connections.attempted, figures.failures.refused), (10, 10));
    assert_eq!(report.errors["connect-refused"], 10);
    let script = Script::Bursts { calls: 3, burst: 1, think_s: 0.0 };
    let (figures, _) = run(plan(port, every(0.002), scripted(4, script.clone())));
    assert_eq!(figures.outcomes.unwrap().failed, 4);
    // Tried again and again, but not without a pause of 10 ms, until stopped.
    let mut sessions = scripted(1, script);
    sessions.retry = Retry::Always;
    let plan = plan(port, every(0.002), sessions).with_duration(Duration::from_secs(1));
    let (figures, _) = run(plan);
    assert!((5..=101).contains(&figures.failures.refused), "{:?}", figures.failures);
}

#[test]
fn a_refused_server_is_no_recursion() {
    let (_nobody, address) = nobody();
    let (figures, _) = run(plan(address.port(), Schedule::Closed, connections(20_000, 1)));
    assert_eq!(figures.failures.refused, 20_000);
}

/// An idle connection is told to go (408), while the replies of another one come in
/// one piece: none of them is lost.
#[test]
fn replies_that_come_together_are_all_read() {
    let (all_asked, told) = (Gate::default(), Gate::default());
    let server = OddServer::start(move |conversation| {
        let mut asked = 0;
        while conversation.requests(1) {
            asked += 1;
            if conversation.number == 0 {
                conversation.answer(1);
                if asked == 4 {
                    all_asked.pass();
                    conversation.say("HTTP/1.1 408 Gone\r\nContent-Length: 0\r\n\r\n");
                    told.open();
                }
            } else if asked == 3 {
                all_asked.open();
                told.pass();
                // Usually the client has heard of it then; it may be slow, too.
                thread::sleep(millis(40));
                let _ = conversation.stream.write_all(&[BUSY.as_bytes(), OK, OK].concat());
            } else if asked > 3 {
                conversation.answer(1);
            }
        }
    });
    let mut sessions = scripted(1, Script::Bursts { calls: 7, burst: 7, think_s: 0.0 });
    sessions.connections = 2;
    sessions.calls_in_flight = 3;
    sessions.failure_status = Some(503);
    sessions.retry = Retry::Always;
    let (figures, _) = run(plan(server.address.port(), Schedule::Closed, sessions));
    assert_eq!(figures.failures.timeout, 0, "{figures:?}");
    assert_eq!(figures.outcomes.as_ref().unwrap().succeeded, 1, "{figures:?}");
}

/// The extra reply comes while the session thinks, for 100 ms. Where the machine stood
/// still so long, the server is asked again on the same connection: then that run tells
/// nothing, and there is another one.
#[test]
fn bytes_that_nobody_asked_for_are_no_reply() {
    let asked_on = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&asked_on);
    let server = OddServer::start(move |conversation| {
        if conversation.requests(1) {
            conversation.answer(1);
            thread::sleep(millis(10));
            conversation.say("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
        }
        while conversation.requests(1) {
            seen.fetch_add(1, SeqCst);
            conversation.answer(1);
        }
    });
    let figures = (0..10).find_map(|_| {
        asked_on.store(0, SeqCst);
        let script = Script::Bursts { calls: 4, burst: 1, think_s: 0.1 };
        let (figures, _) = run(plan(server.address.port(), every(0.01), scripted(2, script)));
        (asked_on.load(SeqCst) == 0).then_some(figures)
    });
    let figures = figures.expect("calls went out on connections with bytes that nobody asked for");
    assert_eq!(figures.replies.by_class, [0, 8, 0, 0, 0], "{figures:?}");
    assert_eq!(figures.failures.other, 6);
    assert_eq!(figures.outcomes.unwrap().succeeded, 2);
}

#[test]
fn a_short_body_is_no_success() {
    let saying = |text: &'static str| {
        let server = OddServer::start(move |conversation| {
            conversation.requests(1);
            conversation.say(text);
        });
        run(plan(server.address.port(), every(0.01), connections(3, 1))).0
    };
    let figures = saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    assert_eq!((figures.replies.completed, figures.failures.reset), (0, 3));
    let figures = saying("HTTP/1.0 200 OK\r\n\r\nuntil close");
    assert_eq!((figures.replies.completed, figures.failures.reset), (3, 0));
}

/// httperf ends at the first connection that it cannot encrypt, not at one that
/// is not answered in time.
#[test]
fn a_slow_tls_server_does_not_end_the_run() {
    let encrypted = |port: u16| {
        let mut sessions = connections(3, 1);
        sessions.limits.timeout_s = 0.2;
        let mut tls = Tls::default();
        tls.stop_on_failure = true;
        let target = Target::host_port("127.0.0.1", port, true).unwrap();
        let load = Load::fresh(every(0.01));
        run(Plan::new(target, load).with_sessions(sessions).with_tls(tls)).0
    };
    // Connects, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let figures = encrypted(silent.local_addr().unwrap().port());
    assert_eq!((figures.failures.timeout, figures.tls_failure), (3, None));
    let (_nobody, closed) = nobody();
    let figures = encrypted(closed.port());
    assert!(figures.tls_failure.is_some(), "{figures:?}");
    assert_eq!(figures.failures.refused, 1);
}

#[test]
fn bytes_behind_a_reply_are_not_taken_for_the_next_one() {
    let surplus = |calls| {
        let server = OddServer::start(|conversation| {
            while conversation.requests(1) {
                let _ = conversation.stream.write_all(&[OK, b"and more"].concat());
            }
        });
        run(plan(server.address.port(), every(0.01), connections(3, calls))).0
    };
    let figures = surplus(2);
    assert_eq!((figures.replies.completed, figures.replies.by_class[1]), (3, 3));
    assert_eq!(figures.failures.other, 3, "{figures:?}");
    // Nothing comes after the last reply that could be mistaken.
    let figures = surplus(1);
    assert_eq!((figures.replies.completed, figures.failures.other), (3, 0));
}
