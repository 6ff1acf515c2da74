//! Sessions against real sockets: the built-in server where it does, hand-made
//! misbehaving servers where it does not.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use loadgen_core::report::SessionsReport;
use loadgen_core::session::{
    Burst, Limits, Retry, Script, ScriptedCall, ScriptedSession, Sessions, Tls,
};
use loadgen_core::target_server::{RunningTarget, TargetOptions, TargetServer};
use loadgen_core::{Engine, GapLaw, Gaps, Plan, Report, Schedule, Stream, Target};

fn target(options: TargetOptions) -> RunningTarget {
    TargetServer::bind(options).unwrap().spawn().unwrap()
}

fn every(gap_s: f64) -> Schedule {
    Schedule::Drawn(Gaps { law: GapLaw::Constant { gap_s }, client: 0 })
}

fn plan(port: u16, schedule: Schedule, mut sessions: Sessions) -> Plan {
    sessions.head.host = Some("127.0.0.1".into());
    let target = Target::host_port("127.0.0.1", port, false).unwrap();
    Plan::new(target, Stream::established(schedule)).with_sessions(sessions)
}

fn run(plan: Plan) -> (SessionsReport, Report) {
    let report = Engine::new(plan).unwrap().run().unwrap();
    let c = &report.counts;
    assert_eq!(c.offered, c.started + c.shed, "{c:?}");
    assert_eq!(c.started, c.answered + c.failed + c.unfinished, "{c:?}");
    assert_eq!(c.failed, report.errors.values().sum::<u64>(), "{c:?}");
    (report.sessions.clone().unwrap(), report)
}

fn connections(count: u64, calls: u64) -> Sessions {
    let mut sessions = Sessions::connections(calls);
    sessions.count = Some(count);
    sessions.limits = Limits { timeout_s: 1.0, think_s: 0.0 };
    sessions
}

fn scripted(count: u64, script: Script) -> Sessions {
    let mut sessions = Sessions::scripted(script);
    sessions.count = Some(count);
    sessions.limits = Limits { timeout_s: 1.0, think_s: 0.0 };
    sessions
}

/// A server that does `serve` with every connection, by its number, in a thread of
/// its own.
fn server(serve: impl Fn(u32, TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for (stream, number) in listener.incoming().zip(0..) {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(number, stream.unwrap()));
        }
    });
    address
}

/// Reads one request head; `None` at the end.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

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
fn bursts_go_out_together_and_the_last_may_be_short() {
    let server = target(TargetOptions::new().with_delay(Duration::from_millis(10)));
    let port = server.local_addr().port();
    let mut sessions = connections(3, 10);
    sessions.script = Script::Connection { calls: 10, burst: 4 };
    let (figures, _) = run(plan(port, every(0.01), sessions));
    assert_eq!(figures.replies.completed, 30);
    // Three bursts of 10 ms each, not ten.
    let life = figures.connections.lifetime_ms.unwrap();
    assert!(life.min >= 30.0 && life.min < 90.0, "{life:?}");
    server.stop().unwrap();
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
    let address = server(move |_, mut stream| {
        while let Some(head) = request(&mut stream) {
            let line = head.lines().next().unwrap().to_owned();
            if head.contains("Content-length: 3") {
                let mut body = [0; 3];
                stream.read_exact(&mut body).unwrap();
                assert_eq!(&body, b"a=1");
            }
            seen.lock().unwrap().push(line);
            let body: &[u8] = if head.starts_with("HEAD") { &OK[..OK.len() - 5] } else { OK };
            stream.write_all(body).unwrap();
        }
    });
    let call = |method: &str, uri: &str, body: &str| ScriptedCall {
        method: method.to_owned(),
        uri: uri.into(),
        body: body.into(),
    };
    let session = |calls: Vec<ScriptedCall>| ScriptedSession {
        bursts: calls.into_iter().map(|c| Burst { calls: vec![c], think_s: 0.0 }).collect(),
    };
    let log = vec![
        session(vec![call("GET", "/a", ""), call("POST", "/b", "a=1"), call("HEAD", "/c", "")]),
        session(vec![call("GET", "/d", "")]),
    ];
    let sessions = scripted(3, Script::Log { sessions: log });
    let (figures, _) = run(plan(address.port(), Schedule::Closed, sessions));
    let lines = asked.lock().unwrap().clone();
    let expected = ["GET /a", "POST /b", "HEAD /c", "GET /d", "GET /a", "POST /b", "HEAD /c"];
    assert_eq!(lines, expected.map(|line| format!("{line} HTTP/1.1")));
    assert_eq!(figures.outcomes.unwrap().by_replies, [0, 1, 0, 2]);
}

#[test]
fn a_server_that_closes_costs_an_error_and_the_calls_are_sent_again() {
    // Closes after every second reply.
    let address = server(|_, mut stream| {
        for _ in 0..2 {
            if request(&mut stream).is_none() {
                return;
            }
            stream.write_all(OK).unwrap();
        }
    });
    let script = Script::Bursts { calls: 6, burst: 1, think_s: 0.01 };
    let (figures, report) = run(plan(address.port(), every(0.01), scripted(5, script)));
    let outcomes = figures.outcomes.unwrap();
    assert_eq!((outcomes.succeeded, outcomes.failed), (5, 0));
    assert_eq!(figures.failures.reset, 10);
    assert_eq!((figures.requests.sent, figures.replies.completed), (40, 30));
    assert_eq!(outcomes.connections_of_succeeded, 15);
    assert_eq!(report.counts.reconnects, 10);
}

#[test]
fn a_refused_server_is_counted_and_ends_the_sessions() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let (figures, report) = run(plan(port, every(0.002), connections(10, 1)));
    assert_eq!((figures.connections.attempted, figures.failures.refused), (10, 10));
    assert_eq!(report.errors["connect-refused"], 10);
    let script = Script::Bursts { calls: 3, burst: 1, think_s: 0.0 };
    let (figures, _) = run(plan(port, every(0.002), scripted(4, script.clone())));
    assert_eq!(figures.outcomes.unwrap().failed, 4);
    // Tried again and again, but not without a pause, until stopped.
    let mut sessions = scripted(1, script);
    sessions.retry = Retry::Always;
    let plan = plan(port, every(0.002), sessions).with_duration(Duration::from_millis(200));
    let (figures, _) = run(plan);
    assert!((5..=25).contains(&figures.failures.refused), "{:?}", figures.failures);
}

#[test]
fn a_refused_server_is_no_recursion() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let (figures, _) = run(plan(port, Schedule::Closed, connections(20_000, 1)));
    assert_eq!(figures.failures.refused, 20_000);
}

#[test]
fn silence_times_out() {
    let address = server(|_, stream| {
        thread::sleep(Duration::from_secs(5));
        drop(stream);
    });
    let mut sessions = connections(4, 1);
    sessions.limits = Limits { timeout_s: 0.1, think_s: 0.1 };
    let (figures, report) = run(plan(address.port(), every(0.01), sessions));
    assert_eq!(figures.failures.timeout, 4);
    assert_eq!(report.errors["head-timeout"], 4);
    assert!((0.2..1.0).contains(&figures.test_duration_s), "{}", figures.test_duration_s);
}

#[test]
fn failure_status_fails_the_session_or_is_asked_again() {
    // 503 on every second request of a connection.
    let serve = |_, mut stream: TcpStream| {
        let mut n = 0;
        while request(&mut stream).is_some() {
            n += 1;
            let busy: &[u8] = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
            stream.write_all(if n % 2 == 0 { busy } else { OK }).unwrap();
        }
    };
    let address = server(serve);
    let script = Script::Bursts { calls: 3, burst: 1, think_s: 0.001 };
    let mut sessions = scripted(3, script);
    sessions.failure_status = Some(503);
    let (figures, _) = run(plan(address.port(), every(0.01), sessions.clone()));
    assert_eq!(figures.outcomes.unwrap().failed, 3);
    assert_eq!(figures.replies.by_class, [0, 3, 0, 0, 3]);
    sessions.retry = Retry::Always;
    let (figures, _) = run(plan(address.port(), every(0.01), sessions));
    let outcomes = figures.outcomes.unwrap();
    assert_eq!((outcomes.succeeded, outcomes.failed), (3, 0));
    assert_eq!(figures.replies.by_class, [0, 9, 0, 0, 6]);
}

#[test]
fn room_is_limited_by_connections_and_calls_in_flight() {
    let server = target(TargetOptions::new().with_delay(Duration::from_millis(20)));
    let port = server.local_addr().port();
    let mut sessions = scripted(1, Script::Bursts { calls: 9, burst: 9, think_s: 0.0 });
    sessions.calls_in_flight = 1;
    sessions.connections = 4;
    let (figures, _) = run(plan(port, Schedule::Closed, sessions));
    assert_eq!(figures.connections.attempted, 4);
    assert_eq!(figures.connections.concurrent, 4);
    assert_eq!(figures.replies.completed, 9);
    // One alone, then two rounds of four.
    let life = figures.outcomes.unwrap().lifetime_mean_s.unwrap();
    assert!((0.06..0.2).contains(&life), "{life}");
    server.stop().unwrap();
}

#[test]
fn too_many_open_connections_shed_arrivals() {
    let server = target(TargetOptions::new().with_delay(Duration::from_millis(100)));
    let port = server.local_addr().port();
    let mut sessions = connections(20, 1);
    sessions.open_connections = Some(4);
    let (figures, report) = run(plan(port, every(0.001), sessions));
    assert_eq!(figures.arrivals_shed, 16);
    assert_eq!((report.counts.offered, report.counts.shed), (20, 16));
    assert_eq!(figures.replies.completed, 4);
    server.stop().unwrap();
}

#[test]
fn the_limit_of_open_connections_is_that_of_all_workers() {
    let server = target(TargetOptions::new().with_delay(Duration::from_millis(200)));
    let port = server.local_addr().port();
    let mut sessions = connections(20, 1);
    sessions.open_connections = Some(3);
    let (figures, report) = run(plan(port, every(0.005), sessions).with_threads(2));
    assert_eq!((figures.connections.attempted, figures.arrivals_shed), (3, 17), "{figures:?}");
    let text = loadgen_core::report::render_text(&report);
    assert!(text.contains("20 connections, calls on each: 1"), "{text}");
    assert!(text.contains("1 s to connect and to send, 1 s for a reply"), "{text}");
    server.stop().unwrap();
}

/// An idle connection is told to go (408), while the replies of another one come in
/// one piece: none of them is lost.
#[test]
fn replies_that_come_together_are_all_read() {
    let address = server(|number, mut stream| {
        let busy: &[u8] = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
        let gone: &[u8] = b"HTTP/1.1 408 Gone\r\nContent-Length: 0\r\n\r\n";
        let mut asked = 0;
        while request(&mut stream).is_some() {
            asked += 1;
            if number == 0 {
                stream.write_all(OK).unwrap();
                if asked == 4 {
                    thread::sleep(Duration::from_millis(10));
                    let _ = stream.write_all(gone);
                }
            } else if asked == 3 {
                thread::sleep(Duration::from_millis(50));
                stream.write_all(&[busy, OK, OK].concat()).unwrap();
            } else if asked > 3 {
                stream.write_all(OK).unwrap();
            }
        }
    });
    let mut sessions = scripted(1, Script::Bursts { calls: 7, burst: 7, think_s: 0.0 });
    sessions.connections = 2;
    sessions.calls_in_flight = 3;
    sessions.failure_status = Some(503);
    sessions.retry = Retry::Always;
    let (figures, _) = run(plan(address.port(), Schedule::Closed, sessions));
    assert_eq!(figures.failures.timeout, 0, "{figures:?}");
    assert_eq!(figures.outcomes.as_ref().unwrap().succeeded, 1, "{figures:?}");
}

#[test]
fn bytes_that_nobody_asked_for_are_no_reply() {
    // The extra reply comes while the session thinks.
    let address = server(|_, mut stream| {
        while request(&mut stream).is_some() {
            stream.write_all(OK).unwrap();
            thread::sleep(Duration::from_millis(10));
            if stream.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    });
    let script = Script::Bursts { calls: 4, burst: 1, think_s: 0.03 };
    let (figures, _) = run(plan(address.port(), every(0.01), scripted(2, script)));
    assert_eq!(figures.replies.by_class, [0, 8, 0, 0, 0], "{figures:?}");
    assert_eq!(figures.failures.other, 6);
    assert_eq!(figures.outcomes.unwrap().succeeded, 2);
}

#[test]
fn a_burst_without_end_times_out_in_little_memory() {
    let address = server(|_, stream| {
        thread::sleep(Duration::from_secs(5));
        drop(stream);
    });
    let mut sessions = connections(1, u64::MAX);
    sessions.script = Script::Connection { calls: u64::MAX, burst: u64::MAX };
    sessions.limits.timeout_s = 0.3;
    let (figures, _) = run(plan(address.port(), Schedule::Closed, sessions));
    assert_eq!(figures.failures.timeout, 1, "{figures:?}");
}

#[test]
fn a_page_without_end_is_given_up() {
    let address = server(|_, mut stream| {
        request(&mut stream);
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
        let page = b"<img src=x>".repeat(1000);
        let _ = stream.write_all(head);
        while stream.write_all(&page).is_ok() {}
    });
    let script = Script::Pages { visits: 1, think_s: 0.0 };
    let (figures, _) = run(plan(address.port(), Schedule::Closed, scripted(1, script)));
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
    let load = Stream::established(every(0.001)).with_connections(1024);
    let plan = Plan::new(target, load).with_sessions(sessions).with_threads(1024);
    let (figures, report) = run(plan);
    assert_eq!(figures.replies.completed, 3, "{figures:?}");
    assert_eq!(report.workers_lost, 0);
    server.stop().unwrap();
}

#[test]
fn time_ends_a_run() {
    let server = target(TargetOptions::new().with_delay(Duration::from_millis(50)));
    let port = server.local_addr().port();
    let sessions = connections(1_000_000, 1);
    let plan = plan(port, every(0.01), sessions).with_duration(Duration::from_millis(300));
    let (figures, report) = run(plan);
    assert!((0.299..2.0).contains(&figures.test_duration_s), "{}", figures.test_duration_s);
    assert!((5..=31).contains(&figures.connections.attempted));
    assert!(report.counts.unfinished > 0 && report.counts.failed == 0);
    server.stop().unwrap();
}

#[test]
fn a_short_body_is_no_success() {
    let address = server(|_, mut stream| {
        request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this").unwrap();
    });
    let (figures, _) = run(plan(address.port(), every(0.01), connections(3, 1)));
    assert_eq!((figures.replies.completed, figures.failures.reset), (0, 3));
    let address = server(|_, mut stream| {
        request(&mut stream);
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nuntil close").unwrap();
    });
    let (figures, _) = run(plan(address.port(), every(0.01), connections(3, 1)));
    assert_eq!((figures.replies.completed, figures.failures.reset), (3, 0));
}

#[test]
fn rates_are_sampled() {
    let server = target(TargetOptions::new());
    let port = server.local_addr().port();
    let mut sessions = connections(40, 1);
    sessions.sampling.first_s = 0.1;
    sessions.sampling.every_s = 0.1;
    let (figures, _) = run(plan(port, every(0.01), sessions).with_threads(2));
    assert!((3..=4).contains(&figures.reply_rate_samples.len()), "{figures:?}");
    for rate in &figures.reply_rate_samples {
        assert!((50.0..150.0).contains(rate), "{figures:?}");
    }
    server.stop().unwrap();
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
        sessions.tls = Some(tls);
        let target = Target::host_port("127.0.0.1", port, true).unwrap();
        let load = Stream::fresh(every(0.01));
        run(Plan::new(target, load).with_sessions(sessions)).0
    };
    // Connects, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let figures = encrypted(silent.local_addr().unwrap().port());
    assert_eq!((figures.failures.timeout, figures.tls_failure), (3, None));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let figures = encrypted(closed.port());
    assert!(figures.tls_failure.is_some(), "{figures:?}");
    assert_eq!(figures.failures.refused, 1);
}

#[test]
fn bytes_behind_a_reply_are_not_taken_for_the_next_one() {
    let surplus = |calls| {
        let address = server(|_, mut stream| {
            while request(&mut stream).is_some() {
                if stream.write_all(&[OK, b"and more"].concat()).is_err() {
                    return;
                }
            }
        });
        run(plan(address.port(), every(0.01), connections(3, calls))).0
    };
    let figures = surplus(2);
    assert_eq!((figures.replies.completed, figures.replies.by_class[1]), (3, 3));
    assert_eq!(figures.failures.other, 3, "{figures:?}");
    // Nothing comes after the last reply that could be mistaken.
    let figures = surplus(1);
    assert_eq!((figures.replies.completed, figures.failures.other), (3, 0));
}
