//! The engine against real sockets: the built-in server where it does, hand-made
//! misbehaving servers where it does not.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use loadgen_core::target_server::{RunningTarget, TargetOptions, TargetServer};
use loadgen_core::{
    Engine, Plan, Population, Precision, Report, Request, RunError, Schedule, Stream, Target,
};

fn target(options: TargetOptions) -> RunningTarget {
    TargetServer::bind(options).unwrap().spawn().unwrap()
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn plan(url: &str, load: Stream) -> Plan {
    Plan::new(Target::parse(url).unwrap(), load)
        .with_duration(millis(500))
        .with_timeout(Duration::from_secs(5))
}

fn run(plan: Plan) -> Report {
    Engine::new(plan).unwrap().run().unwrap()
}

fn at(rate: f64) -> Stream {
    Stream::established(Schedule::constant(rate))
}

fn fresh_at(rate: f64) -> Stream {
    Stream::fresh(Schedule::constant(rate))
}

/// The sums that hold whatever happens (in runs without a warm-up).
fn assert_adds_up(report: &Report) {
    let c = &report.counts;
    assert_eq!(c.offered, c.started + c.shed, "{c:?}");
    assert_eq!(c.started, c.answered + c.failed + c.unfinished, "{c:?}");
    assert_eq!(c.failed, report.errors.values().sum::<u64>(), "{c:?} {:?}", report.errors);
    assert_eq!(c.answered, report.status.values().sum::<u64>(), "{c:?}");
    assert_eq!(report.response_time.count, c.answered);
    assert_eq!(report.service_time.count, c.answered);
    let windows = &report.timeline.windows;
    assert_eq!(windows.iter().map(|w| w.answered).sum::<u64>(), c.answered);
    assert_eq!(windows.iter().map(|w| w.offered).sum::<u64>(), c.offered);
    assert_eq!(windows.iter().map(|w| w.bytes_received).sum::<u64>(), report.bytes.received);
}

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
    assert!((20_000.0..40_000.0).contains(&min), "{min}");
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
    let probe = Stream::fresh(Schedule::poisson(200.0));
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
        let one = run(plan(&server.url(), Stream::established(schedule)));
        let three = run(plan(&server.url(), Stream::established(schedule)).with_threads(3));
        assert_adds_up(&three);
        assert_eq!(one.counts.offered, three.counts.offered);
    }
}

#[test]
fn closed_loop_keeps_every_connection_busy() {
    let server = target(TargetOptions::new().with_delay(millis(5)));
    let load = Stream::established(Schedule::Closed).with_connections(4);
    let report = run(plan(&server.url(), load));
    assert_adds_up(&report);
    assert_eq!(report.counts.connections_opened, 4);
    // One busy connection alone would make 100 calls.
    assert!((110..=4 * 101).contains(&report.counts.answered), "{:?}", report.counts);
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
fn a_call_that_takes_too_long_is_a_timeout_and_censored() {
    let server = target(TargetOptions::new().with_delay(Duration::from_secs(2)));
    let report = run(plan(&server.url(), at(40.0)).with_timeout(millis(100)));
    assert_adds_up(&report);
    assert_eq!(report.errors["head-timeout"], 20);
    assert_eq!(report.counts.censored, 20);
    assert_eq!(report.timeline.failed_calls.len(), 20);
    let waited = report.timeline.failed_calls[0].waited_s;
    assert!((0.1..1.0).contains(&waited), "{waited}");
}

#[test]
fn the_deadline_counts_from_the_intended_start() {
    // One connection, 100 ms a call, 50 calls a second: the queue grows, and most
    // of the 250 ms are spent in it.
    let server = target(TargetOptions::new().with_delay(millis(100)));
    let load = at(50.0).with_connections(1);
    let report = run(plan(&server.url(), load).with_deadline(millis(250)));
    assert_adds_up(&report);
    let c = report.counts;
    assert!(c.failed > 10 && c.answered > 0 && c.queued > 10, "{c:?}");
    assert!(report.errors.keys().all(|class| class.ends_with("deadline")), "{:?}", report.errors);
    assert!(report.response_time.max_us.unwrap() < 300_000.0, "{:?}", report.response_time);
    assert_eq!(c.censored, c.shed + c.failed);
}

#[test]
fn beyond_the_backlog_arrivals_are_shed() {
    let server = target(TargetOptions::new().with_delay(millis(100)));
    let report = run(plan(&server.url(), at(200.0).with_connections(1).with_backlog(5)));
    assert_adds_up(&report);
    assert!(report.counts.shed > 50, "{:?}", report.counts);
    assert!(report.verdict.reasons.iter().any(|r| r.contains("never started")));
}

#[test]
fn waiting_for_a_connection_is_response_time_and_not_lag() {
    let server = target(TargetOptions::new().with_delay(millis(50)));
    let report = run(plan(&server.url(), at(100.0).with_connections(1)));
    assert_adds_up(&report);
    assert!(report.response_time.max_us.unwrap() > 1_000_000.0, "{:?}", report.response_time);
    assert!(report.service_time.max_us.unwrap() < 500_000.0, "{:?}", report.service_time);
    assert!(report.lag.max_us.unwrap() < 500_000.0, "{:?}", report.lag);
    // What the drain did is not throughput, and the verdict tells of it.
    assert_eq!(report.counts.answered, 50);
    assert!(report.rates.answered_per_s.unwrap() <= 20.0, "{:?}", report.rates);
    assert!(report.verdict.reasons.iter().any(|r| r.contains("still waiting")));
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
fn stopping_ends_the_load_and_waits_for_replies() {
    let server = target(TargetOptions::new().with_delay(millis(100)));
    let endless = Plan::new(Target::parse(&server.url()).unwrap(), at(100.0));
    let handle = Engine::new(endless).unwrap().start().unwrap();
    handle.clock().unwrap();
    thread::sleep(millis(300));
    handle.mark("half-time");
    assert!(handle.snapshot().offered > 0);
    handle.stop();
    let report = handle.join().unwrap();
    assert_adds_up(&report);
    assert_eq!(report.counts.unfinished, 0);
    assert_eq!(report.events[0].name, "half-time");
    assert!((0.2..1.0).contains(&report.events[0].at_s), "{:?}", report.events);
}

#[test]
fn what_is_open_at_the_end_is_unfinished() {
    let server = target(TargetOptions::new().with_delay(Duration::from_secs(3)));
    let load = at(20.0).with_connections(4);
    let report = run(plan(&server.url(), load).with_drain(millis(50)));
    assert_adds_up(&report);
    assert_eq!((report.counts.unfinished, report.counts.shed), (4, 6));
    assert_eq!(report.counts.censored, 10);
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

/// A server that gives every connection to `serve`, in a thread of its own.
fn odd_server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serve = std::sync::Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    url
}

/// Reads one request head; `false` when the client is gone.
fn read_head(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => seen.push(byte[0]),
            _ => return false,
        }
    }
    true
}

#[test]
fn source_addresses_take_turns() {
    let peers = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = peers.clone();
    let url = odd_server(move |mut stream| {
        let peer = stream.peer_addr().unwrap().ip().to_string();
        if read_head(&mut stream) {
            seen.lock().unwrap().push(peer);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let sources = vec!["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap()];
    let target = Target::parse(&url).unwrap().with_source_addresses(sources);
    let report = run(Plan::new(target, fresh_at(40.0)).with_duration(millis(500)));
    assert_eq!(report.counts.answered, 20);
    let peers = peers.lock().unwrap();
    for source in ["127.0.0.2", "127.0.0.3"] {
        assert_eq!(peers.iter().filter(|p| *p == source).count(), 10, "{peers:?}");
    }
}

#[test]
fn failures_are_told_apart() {
    let replying = |text: &'static str| {
        odd_server(move |mut stream| {
            if read_head(&mut stream) {
                let _ = stream.write_all(text.as_bytes());
            }
        })
    };
    for (text, class) in [
        ("", "head-closed-early"),
        ("HTTP/1.1 200 OK\r\nContent-Le", "head-closed-early"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "body-closed-early"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "head-protocol"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "body-protocol"),
    ] {
        let report = run(plan(&replying(text), fresh_at(20.0)));
        assert_adds_up(&report);
        assert_eq!(report.errors.get(class), Some(&10), "{class}: {:?}", report.errors);
        assert_eq!(report.error_examples[0].class, class);
    }
}

#[test]
fn a_reset_names_its_errno() {
    let url = odd_server(|mut stream| {
        if read_head(&mut stream) {
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    });
    let report = run(plan(&url, fresh_at(20.0)));
    assert_adds_up(&report);
    assert_eq!(report.errors.get("head-reset"), Some(&10), "{:?}", report.errors);
    assert_eq!(report.error_examples[0].errno, Some(104));
}

#[test]
fn a_stale_connection_is_tried_again_on_a_new_one() {
    // Answers the first call of a connection and closes it at the second.
    let url = odd_server(|mut stream| {
        if read_head(&mut stream) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            read_head(&mut stream);
        }
    });
    let one = || at(40.0).with_connections(1);
    let report = run(plan(&url, one()));
    assert_adds_up(&report);
    assert_eq!((report.counts.answered, report.counts.failed), (20, 0), "{:?}", report.errors);
    assert!(report.counts.reconnects >= 10, "{:?}", report.counts);
    // A POST may have had its effect already: it is not sent twice.
    let report = run(plan(&url, one()).with_request(Request::get().with_method("POST")));
    assert_adds_up(&report);
    assert_eq!(report.counts.reconnects, 0);
    assert!(report.errors["head-closed-early"] >= 8, "{:?}", report.errors);
}

#[test]
fn a_call_that_was_reset_late_has_failed() {
    // The server had the second call for half a second before it broke off.
    let url = odd_server(|mut stream| {
        if read_head(&mut stream) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            if read_head(&mut stream) {
                thread::sleep(millis(500));
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        }
    });
    let report = run(plan(&url, at(10.0).with_connections(1)));
    assert_adds_up(&report);
    assert_eq!(report.counts.reconnects, 0);
    assert!(report.errors["head-reset"] >= 1, "{:?}", report.errors);
}

#[test]
fn a_server_that_closes_with_its_reply_parks_nobody() {
    // No `Connection: close` is said, and the other direction stays open: nothing
    // but the FIN tells that no second call can be made.
    let url = odd_server(|mut stream| {
        if read_head(&mut stream) {
            let socket = socket2::SockRef::from(&stream);
            socket.set_tcp_cork(true).unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            read_head(&mut stream);
        }
    });
    let load = Stream::established(Schedule::Closed).with_connections(2);
    let report = run(plan(&url, load));
    assert_adds_up(&report);
    assert!(report.counts.answered > 20, "{:?}", report.counts);
    assert_eq!(report.counts.failed, 0, "{:?}", report.errors);
}

#[test]
fn an_endless_reply_holds_up_neither_other_calls_nor_the_end() {
    let url = odd_server(|mut stream| {
        if read_head(&mut stream) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            let block = vec![b'x'; 1 << 20];
            while stream.write_all(&block).is_ok() {}
        }
    });
    let report = run(plan(&url, at(4.0)).with_timeout(millis(300)));
    assert_adds_up(&report);
    assert_eq!(report.errors.get("body-timeout"), Some(&2), "{:?}", report.errors);
    assert!(report.duration_s < 5.0, "{}", report.duration_s);
}

#[test]
fn cutting_ends_a_run_that_is_hopelessly_behind() {
    let server = target(TargetOptions::new());
    let endless = Plan::new(Target::parse(&server.url()).unwrap(), at(5_000_000.0));
    let handle = Engine::new(endless).unwrap().start().unwrap();
    handle.clock().unwrap();
    thread::sleep(millis(500));
    handle.stop();
    handle.stop();
    let report = handle.join().unwrap();
    let c = report.counts;
    assert_eq!(c.offered, c.started + c.shed, "{c:?}");
    assert!(c.shed > 0 && report.duration_s < 10.0, "{c:?}");
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
    let url = odd_server(|mut stream| {
        if read_head(&mut stream) {
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nall that there is");
        }
    });
    let report = run(plan(&url, at(40.0)));
    assert_adds_up(&report);
    assert_eq!((report.counts.answered, report.counts.failed), (20, 0), "{:?}", report.errors);
}

#[test]
fn a_dead_server_is_named_before_anything_is_measured() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Engine::new(plan(&format!("http://{address}/"), at(1.0))).unwrap_err();
    assert!(matches!(error, RunError::Connect { .. }), "{error:?}");
    assert!(error.to_string().contains("is the server running?"), "{error}");
}

#[test]
fn a_server_that_dies_and_comes_back() {
    let server = target(TargetOptions::new());
    let address = server.local_addr();
    let endless = Plan::new(Target::parse(&server.url()).unwrap(), at(200.0));
    let handle = Engine::new(endless).unwrap().start().unwrap();
    handle.clock().unwrap();
    thread::sleep(millis(400));
    server.stop().unwrap();
    thread::sleep(millis(400));
    let again = target(TargetOptions::new().with_listen(address));
    thread::sleep(millis(400));
    handle.stop();
    let report = handle.join().unwrap();
    assert_adds_up(&report);
    let refused = report.errors.get("connect-refused").copied().unwrap_or(0);
    assert!(refused >= 20, "{:?}", report.errors);
    assert!(report.counts.answered >= 60, "{:?}", report.counts);
    assert!(again.stop().unwrap().requests_read >= 20);
}

#[test]
fn low_precision_sleeps_and_high_does_not() {
    let server = target(TargetOptions::new());
    let cpu = |precision| {
        let report = run(plan(&server.url(), at(200.0)).with_precision(precision));
        assert_adds_up(&report);
        report.cpu.user_s + report.cpu.system_s
    };
    assert!(cpu(Precision::High) > cpu(Precision::Low));
}

#[test]
fn thousands_of_failures_do_not_fill_the_report() {
    let url = odd_server(drop);
    let load = fresh_at(22_000.0).with_connections(8000);
    let report = run(plan(&url, load).with_drain(Duration::from_secs(20)));
    assert_adds_up(&report);
    let timeline = &report.timeline;
    assert_eq!(timeline.failed_calls.len(), 10_000);
    let bad = report.counts.failed + report.counts.shed + report.counts.unfinished;
    assert_eq!(timeline.failed_calls_total, bad);
}
