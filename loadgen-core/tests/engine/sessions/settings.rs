//! What sessions do where nothing is said, and what is told of them while they run.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use loadgen_core::session::{Script, Sessions};
use loadgen_core::target_server::TargetOptions;
use loadgen_core::{Engine, Load, Plan, Schedule, Target};

use super::{checked, connections, every, plan, run, scripted};
use crate::common::{gated_server, target, wait_until};

/// Answers whatever comes as nginx answers plain bytes on a port of TLS, and gives what
/// came first on each connection.
fn hears() -> (u16, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = vec![0; 4096];
            let n = stream.read(&mut bytes).unwrap_or(0);
            bytes.truncate(n);
            let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(answer);
            if tell.send(bytes).is_err() {
                return;
            }
        }
    });
    (port, told)
}

fn to(url: &str, sessions: Sessions) -> Plan {
    let load = Load::established(every(0.01));
    Plan::new(Target::parse(url).unwrap(), load).with_sessions(sessions)
}

/// No plain byte, and the certificate is asked for by name.
#[cfg(feature = "tls")]
#[test]
fn an_https_url_is_never_sent_plain_bytes() {
    let (port, heard) = hears();
    let (figures, report) = run(to(&format!("https://localhost:{port}/"), connections(2, 1)));
    assert_eq!(figures.replies.completed, 0);
    assert_eq!((report.counts.answered, report.errors["connect-tls"]), (0, 2));
    for first in [heard.recv().unwrap(), heard.recv().unwrap()] {
        assert_eq!(first[0], 22, "no TLS handshake: {first:?}");
        assert!(first.windows(9).any(|bytes| bytes == b"localhost"), "{first:?}");
    }
}

#[test]
fn requests_name_the_host_of_the_url() {
    let (port, heard) = hears();
    run(to(&format!("http://localhost:{port}/"), connections(1, 1)));
    let request = String::from_utf8(heard.recv().unwrap()).unwrap();
    assert_eq!(request, format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"));
}

/// Calls, not the connections that rest between two bursts.
#[test]
fn what_is_in_flight_are_calls() {
    let server = target(TargetOptions::new());
    let thinkers = scripted(5, Script::Bursts { calls: 2, burst: 1, think_s: 1e6 });
    let plan_of = |sessions| plan(server.local_addr().port(), every(0.01), sessions);
    let handle = Engine::new(plan_of(thinkers)).unwrap().start().unwrap();
    wait_until("all think", || handle.snapshot().answered == 5);
    let now = handle.snapshot();
    assert_eq!((now.started, now.in_flight), (5, 0));
    // Sessions are not waited for.
    handle.stop();
    let (_, report) = checked(handle.join().unwrap());
    assert_eq!((report.counts.started, report.counts.answered), (5, 5));
    server.stop().unwrap();

    let (gate, server) = gated_server();
    let mut waiting = connections(1, 3);
    waiting.script = Script::Connection { calls: 3, burst: 3 };
    waiting.count = None;
    let schedule = Schedule::constant(0.001);
    let handle =
        Engine::new(plan(server.address.port(), schedule, waiting)).unwrap().start().unwrap();
    wait_until("three calls are under way", || handle.snapshot().in_flight == 3);
    handle.stop();
    let (_, report) = checked(handle.join().unwrap());
    assert_eq!((report.counts.started, report.counts.unfinished), (3, 3));
    gate.open();
}
