//! How connections end after their last call, as the server sees it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use loadgen_core::report::render_text;
use loadgen_core::{CloseMode, Engine, Load, Plan, Report, Schedule, Target};

/// What a server saw of one connection that carried a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// The last request said `Connection: close`.
    asked: bool,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Ended by the server, which was asked to.
    Own,
    Fin,
    Reset,
}

/// A server that closes only when it is asked to, and tells what it saw.
fn server() -> (SocketAddr, mpsc::Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, seen) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let tell = tell.clone();
            thread::spawn(move || {
                // The engine connects once without a request.
                if let Some(seen) = serve(stream.unwrap()) {
                    let _ = tell.send(seen);
                }
            });
        }
    });
    (address, seen)
}

fn serve(mut stream: TcpStream) -> Option<Seen> {
    let mut requests = 0;
    let mut buffer = [0; 4096];
    loop {
        let n = match stream.read(&mut buffer) {
            Ok(0) => return (requests > 0).then_some(Seen { asked: false, end: End::Fin }),
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return Some(Seen { asked: false, end: End::Reset });
            }
            Err(error) => panic!("{error}"),
        };
        requests += 1;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        if String::from_utf8_lossy(&buffer[..n]).contains("Connection: close") {
            return Some(Seen { asked: true, end: End::Own });
        }
    }
}

fn run(address: SocketAddr, stream: Load) -> Report {
    let target = Target::parse(&format!("http://{address}/")).unwrap();
    let plan = Plan::new(target, stream)
        .with_duration(Duration::from_millis(300))
        .with_timeout(Duration::from_secs(30));
    Engine::new(plan).unwrap().run().unwrap()
}

#[test]
fn the_server_sees_the_close_that_the_plan_says() {
    let cases = [
        (CloseMode::Server, Seen { asked: true, end: End::Own }),
        (CloseMode::Client, Seen { asked: false, end: End::Fin }),
        (CloseMode::Reset, Seen { asked: false, end: End::Reset }),
    ];
    for (close, expected) in cases {
        for calls in [1, 3] {
            let (address, seen) = server();
            let schedule = Schedule::constant(200.0);
            let stream = match calls {
                1 => Load::fresh(schedule),
                _ => Load::established(schedule).with_calls_per_connection(calls),
            };
            let stream = stream.with_connections(1).with_close(close);
            let report = run(address, stream);
            assert_eq!((report.counts.answered, report.counts.failed), (60, 0), "{close:?}");
            assert_eq!(report.counts.connections_opened, 60 / u64::from(calls), "{close:?}");
            for _ in 0..60 / calls {
                let seen = seen.recv_timeout(Duration::from_secs(60)).unwrap();
                assert_eq!(seen, expected, "{close:?}, calls: {calls}");
            }
        }
    }
}

#[test]
fn a_choice_without_a_last_call_is_refused() {
    let target = Target::parse("http://127.0.0.1:9/").unwrap();
    let stream = Load::established(Schedule::constant(1.0)).with_close(CloseMode::Reset);
    let error = Plan::new(target, stream).validate().unwrap_err().to_string();
    assert!(
        error.contains("the way of closing needs the number of calls on a connection"),
        "{error}"
    );
}

#[test]
fn the_report_says_who_closed() {
    let (address, _) = server();
    let fresh = Load::fresh(Schedule::constant(50.0));
    let text = |report: &Report| {
        // Lines may be broken anywhere.
        render_text(report).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let reset = text(&run(address, fresh.clone().with_close(CloseMode::Reset)));
    assert!(reset.contains("one call each, closed by RST"), "{reset}");
    let report = run(address, fresh.clone().with_close(CloseMode::Client));
    assert!(text(&report).contains("closed by the client (FIN)"), "{}", text(&report));
    let again = Report::from_json(&report.to_json_pretty().unwrap()).unwrap();
    assert_eq!(again.plan, report.plan);
    assert!(!run(address, fresh).to_json_pretty().unwrap().contains("\"close\""));
}
