//! Calls over TLS: the same fates as over bare TCP, and what is told of handshakes.

use std::io::Write;
use std::net::TcpListener;
use std::thread;

use loadgen_core::{CloseMode, Engine, Load, Plan, RunError, Schedule, Target, Tls, TlsVersion};

use super::common::{Gate, OK, millis, run_until};
use super::secure_server::{SecureServer, Secured};
use super::{assert_adds_up, at, endless, fresh_at, plan, run};

/// The plan for this server, which it trusts.
fn trusting(server: &SecureServer, load: Load) -> Plan {
    plan(&server.url(), load).with_tls(server.trusted())
}

fn serving() -> SecureServer {
    SecureServer::start(Secured::serve)
}

#[test]
fn calls_are_answered_and_the_report_says_what_was_agreed() {
    let server = serving();
    let report = run(trusting(&server, at(200.0)));
    assert_adds_up(&report);
    assert_eq!((report.counts.answered, report.counts.failed), (100, 0));
    assert!(report.connections_lost.is_empty(), "{:?}", report.connections_lost);
    let tls = report.tls.unwrap();
    assert_eq!(tls.version.as_deref(), Some("1.3"));
    assert!(tls.cipher.as_deref().is_some_and(|cipher| cipher.starts_with("TLS_")), "{tls:?}");
    assert_eq!(tls.alpn.as_deref(), Some("http/1.1"));
    assert_eq!((tls.resumed, tls.differing, tls.first_failure), (0, 0, None));
    // That of the look before the load is the server's, but none of the run's.
    assert_eq!(tls.handshakes, u64::from(server.handshakes()) - 1);
    assert_eq!(tls.handshakes, report.counts.connections_opened);
    assert_eq!(tls.handshake_time.count, tls.handshakes);
    assert_eq!(report.connect_time.unwrap().count, tls.handshakes);
}

#[test]
fn the_version_asked_for_is_spoken() {
    let server = serving();
    let mut tls = server.trusted();
    tls.version = Some(TlsVersion::V1_2);
    let report = run(plan(&server.url(), at(50.0)).with_tls(tls));
    assert_eq!(report.counts.answered, 25);
    assert_eq!(report.tls.unwrap().version.as_deref(), Some("1.2"));
}

/// Without resumption each newcomer is a stranger; with it only the first one is.
#[test]
fn sessions_are_taken_up_only_when_asked_to() {
    for resume in [false, true] {
        let server = serving();
        let mut tls = server.trusted();
        tls.resume = resume;
        // One connection after the other, so that each finds the tickets of the last.
        let load = Load::fresh(Schedule::Closed).with_connections(1);
        let plan = endless(&server.url(), load).with_tls(tls);
        let report = run_until(plan, |s| s.answered >= 20, || {});
        let tls = report.tls.unwrap();
        assert_eq!(report.counts.failed, 0, "{:?}", report.errors);
        assert_eq!(tls.resumed, if resume { tls.handshakes - 1 } else { 0 });
    }
}

#[test]
fn both_populations_have_their_handshake_times() {
    let server = serving();
    let plan = trusting(&server, at(100.0)).with_probe(fresh_at(100.0));
    let report = run(plan);
    assert_adds_up(&report);
    assert_eq!(report.counts.answered, 100);
    let of = |name: &str| report.populations[name].tls_handshake_time.as_ref().unwrap().count;
    assert_eq!(of("fresh"), 50);
    assert_eq!(of("established"), report.populations["established"].counts.connections_opened);
    let all = report.tls.unwrap().handshake_time.count;
    assert_eq!(all, of("fresh") + of("established"));
}

/// What a server says unasked after its handshake (the tickets of TLS 1.3) is no end.
#[test]
fn warm_connections_stay_warm() {
    let server = serving();
    let load = Load::established(Schedule::Closed).with_connections(8).with_warm_connections(8);
    let plan = endless(&server.url(), load).with_tls(server.trusted());
    let report = run_until(plan, |s| s.answered >= 100, || {});
    assert_eq!((report.counts.failed, report.counts.connections_opened), (0, 0));
    assert!(report.connections_lost.is_empty(), "{:?}", report.connections_lost);
    let tls = report.tls.unwrap();
    assert_eq!((tls.handshakes, tls.handshake_time.count), (8, 0));
}

/// Long bodies cannot be dropped in the kernel: their bytes are decrypted and counted.
#[test]
fn long_replies_are_read_whole() {
    const LENGTH: usize = 3_000_000;
    let server = SecureServer::start(|client| {
        while client.request() {
            client.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").as_bytes());
            client.say(&vec![b'x'; LENGTH]);
        }
    });
    let load = Load::established(Schedule::Closed).with_connections(2);
    let plan = endless(&server.url(), load).with_tls(server.trusted());
    let report = run_until(plan, |s| s.answered >= 6, || {});
    let c = report.counts;
    assert_eq!((c.failed, c.connections_opened), (0, 2), "{:?}", report.errors);
    assert!(report.bytes.received >= c.answered * LENGTH as u64, "{:?}", report.bytes);
}

/// Several replies in one record, and one in several.
#[test]
fn pipelined_calls_are_answered() {
    let server = SecureServer::start(|client| {
        while (0..4).all(|_| client.request()) {
            let all = OK.repeat(4);
            client.say(&all[..50]);
            client.say(&all[50..51]);
            client.say(&all[51..]);
        }
    });
    let load = Load::established(Schedule::Closed).with_connections(3).with_pipeline(4);
    let plan = endless(&server.url(), load).with_tls(server.trusted()).with_drain(millis(0));
    let report = run_until(plan, |s| s.answered >= 400, || {});
    assert_eq!((report.counts.failed, report.counts.connections_opened), (0, 3));
}

/// A body that ends with the connection is whole only after TLS's goodbye: without it
/// anyone may have cut it.
#[test]
fn a_body_without_a_goodbye_was_cut() {
    for goodbye in [true, false] {
        let server = SecureServer::start(move |client| {
            if client.request() {
                client.say(b"HTTP/1.1 200 OK\r\n\r\nas far as it goes");
                if goodbye {
                    client.goodbye();
                }
            }
        });
        let report = run(trusting(&server, fresh_at(40.0)));
        assert_adds_up(&report);
        let failed = if goodbye { 0 } else { 20 };
        assert_eq!((report.counts.offered, report.counts.failed), (20, failed));
        assert_eq!(report.errors.get("body-closed-early").copied().unwrap_or(0), failed);
    }
}

/// A server that ends idle connections, with and without a goodbye.
#[test]
fn a_call_on_a_connection_that_had_ended_is_sent_again() {
    for goodbye in [true, false] {
        let server = SecureServer::start(move |client| {
            if client.request() {
                client.say(OK);
                if goodbye {
                    client.goodbye();
                    client.until_the_end();
                }
            }
        });
        let load = Load::established(Schedule::Closed).with_connections(1);
        let plan = endless(&server.url(), load).with_tls(server.trusted());
        let report = run_until(plan, |s| s.answered >= 20, || {});
        assert_adds_up(&report);
        assert_eq!(report.counts.failed, 0, "{:?}", report.errors);
        // The last one may be open still.
        let lost: u64 = report.connections_lost.values().sum();
        assert!(lost + 1 >= report.counts.answered, "{:?}", report.connections_lost);
    }
}

#[test]
fn connections_end_as_asked_to() {
    for close in [CloseMode::Server, CloseMode::Client, CloseMode::Reset] {
        let server = SecureServer::start(|client| {
            client.serve();
            client.goodbye();
        });
        let load = at(100.0).with_calls_per_connection(2).with_close(close);
        let report = run(trusting(&server, load));
        assert_adds_up(&report);
        assert_eq!((report.counts.answered, report.counts.failed), (50, 0), "{close:?}");
        assert!(report.connections_lost.is_empty(), "{close:?} {:?}", report.connections_lost);
    }
}

/// The wait for a handshake is part of the call, and has a cause of its own.
#[test]
fn a_handshake_that_gets_stuck_is_a_failed_connect() {
    let gate = Gate::default();
    let closed = gate.clone();
    let server = SecureServer::with(Secured::serve, move |number, _| {
        if number > 1 {
            closed.pass();
        }
        true
    });
    let plan = endless(&server.url(), fresh_at(50.0)).with_tls(server.trusted());
    let plan = plan.with_timeout(millis(300));
    let report = run_until(plan, |s| s.failed >= 10, || gate.open());
    assert_eq!(report.errors["connect-timeout"], report.counts.failed);
    let causes = &report.slow_calls.unwrap().causes;
    assert!(causes["tls-handshake"].calls >= 10, "{causes:?}");
    assert_eq!(report.tls.unwrap().handshakes, report.counts.answered);
}

#[test]
fn a_server_that_breaks_off_in_the_handshake_is_told_from_one_that_is_refused() {
    let server = SecureServer::with(Secured::serve, |number, socket| {
        if number > 1 {
            // No record of TLS, and the end.
            let _ = (&mut &*socket).write_all(if number % 2 == 0 { b"what?" } else { b"" });
            let _ = socket.shutdown(std::net::Shutdown::Write);
            return false;
        }
        true
    });
    let report = run(trusting(&server, fresh_at(40.0)));
    assert_adds_up(&report);
    assert_eq!(report.counts.failed, 20);
    assert_eq!(report.errors["connect-closed-early"] + report.errors["connect-tls"], 20);
    let tls = report.tls.unwrap();
    assert_eq!((tls.version, tls.handshakes), (None, 0));
    assert!(tls.first_failure.is_some_and(|reason| reason.contains("not TLS")));
}

/// TLS that breaks down later, as where a server of TLS 1.3 finds out only after the
/// handshake that it wants a client certificate.
#[test]
fn tls_that_ends_after_the_handshake_is_told_with_its_reason() {
    let server = SecureServer::start(|client| {
        if client.request() {
            let _ = client.stream.sock.write_all(b"no record of TLS");
            let _ = client.stream.sock.shutdown(std::net::Shutdown::Write);
        }
    });
    let report = run(trusting(&server, fresh_at(40.0)));
    assert_adds_up(&report);
    assert_eq!(report.errors["head-tls"], 20, "{:?}", report.errors);
    let tls = report.tls.unwrap();
    assert_eq!(tls.handshakes, 20);
    assert!(tls.first_failure.is_some_and(|reason| reason.contains("TLS")));
}

#[test]
fn the_kernels_timestamps_are_those_of_the_records() {
    let server = serving();
    let report = run(trusting(&server, at(100.0)).with_kernel_timestamps());
    let stamps = report.kernel_timestamps.unwrap();
    assert_eq!(stamps.receive_delay.count + stamps.missing, 50);
    // Where nobody else asked for stamps, the kernel begins a little later.
    assert!(stamps.missing < 50, "{}", stamps.missing);
}

fn refused(plan: Plan) -> String {
    match Engine::new(plan) {
        Err(error @ (RunError::Handshake { .. } | RunError::Plan(_))) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_cannot_be_trusted_is_not_loaded() {
    let server = serving();
    let by_default = refused(plan(&server.url(), at(1.0)));
    assert!(by_default.contains("the server's certificate"), "{by_default}");
    assert!(by_default.contains(&server.url()), "{by_default}");
    let other = Target::parse(&format!("https://other.example:{}/", server.address.port()));
    let other = Plan::new(other.unwrap().with_connect_to(server.address.into()), at(1.0));
    let error = refused(other.clone().with_tls(server.trusted()));
    assert!(error.contains("another name") && error.contains("localhost"), "{error}");
    assert_eq!(server.handshakes(), 0);
    let mut named = server.trusted();
    named.server_name = "localhost".into();
    for tls in [named, Tls::unchecked()] {
        let report = run(other.clone().with_tls(tls).with_duration(millis(100)));
        assert_eq!((report.counts.answered, report.counts.failed), (1, 0));
    }
}

#[test]
fn a_server_without_tls_is_told_before_the_load() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            thread::spawn(move || {
                while matches!(std::io::Read::read(&mut socket, &mut [0; 999]), Ok(1..)) {}
            });
        }
    });
    let error = refused(plan(&url, at(1.0)));
    assert!(error.contains("is this its port for https"), "{error}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let error = refused(plan(&url, at(1.0)).with_timeout(millis(100)));
    assert!(error.contains("not through within 0.1 s"), "{error}");
    let error = refused(plan("http://127.0.0.1/", at(1.0)).with_tls(Tls::default()));
    assert!(error.contains("make it https"), "{error}");
}
