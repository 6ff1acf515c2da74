//! Where connections go: unix sockets, IPv6, another place than the URL's, a proxy.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use loadgen_core::{CloseMode, Engine, Load, Plan, Report, Target};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::common::{OK, OddServer, nobody, run_until, target};
use crate::{assert_adds_up, at, fresh_at, run};
use loadgen_core::target_server::TargetOptions;

/// Answers every request of every connection, and notes what they said.
pub(crate) fn serve(listener: UnixListener, answer: Vec<u8>) -> Arc<Mutex<Vec<String>>> {
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&heads);
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
            thread::spawn(move || talk(stream.unwrap(), &seen, &answer));
        }
    });
    heads
}

fn talk(mut stream: UnixStream, seen: &Mutex<Vec<String>>, answer: &[u8]) {
    let mut come = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        while let Some(end) = come.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(come.drain(..end + 4).collect()).unwrap();
            let is_last = head.contains("Connection: close");
            seen.lock().unwrap().push(head);
            if stream.write_all(answer).is_err() || is_last {
                return;
            }
        }
        match stream.read(&mut buffer) {
            Ok(n @ 1..) => come.extend_from_slice(&buffer[..n]),
            _ => return,
        }
    }
}

fn plan(target: Target, load: Load) -> Plan {
    Plan::new(target, load)
        .with_timeout(Duration::from_secs(30))
        .with_duration(Duration::from_millis(500))
}

fn parsed(url: &str) -> Target {
    Target::parse(url).unwrap()
}

#[track_caller]
fn assert_all_answered(report: &Report, address: &str) {
    assert_adds_up(report);
    assert_eq!(report.counts.answered, report.counts.offered, "{:?}", report.errors);
    assert_eq!(report.environment.address, address);
    let to = report.connected_to.as_ref().unwrap();
    let [one] = &to.addresses[..] else { panic!("{to:?}") };
    assert_eq!((one.address.as_str(), one.opened), (address, one.connections));
    assert_eq!(one.opened, report.counts.connections_opened);
    assert_eq!((to.beyond, to.lookups), (0, None));
}

#[test]
fn unix_sockets_carry_every_kind_of_load() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.sock");
    let heads = serve(UnixListener::bind(&path).unwrap(), OK.to_vec());
    let url = format!("unix:{}:/a?b=c", path.display());
    let address = format!("unix:{}", path.display());
    let loads = [
        at(100.0),
        fresh_at(100.0),
        at(100.0).with_calls_per_connection(7).with_close(CloseMode::Client),
        at(100.0).with_pipeline(4).with_connections(1),
        at(100.0).with_connections(4).with_warm_connections(0).with_max_connecting(1),
    ];
    for load in loads {
        let report = run(plan(parsed(&url), load));
        assert_all_answered(&report, &address);
        assert_eq!(report.counts.answered, 50);
    }
    let heads = heads.lock().unwrap();
    assert!(
        heads.iter().all(|head| head.starts_with("GET /a?b=c HTTP/1.1\r\nHost: localhost\r\n"))
    );
    assert_eq!(heads.len(), 250);
}

/// Large bodies are dropped by the kernel, which it does not do on unix sockets.
#[test]
fn large_bodies_come_through_unix_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.sock");
    let body = 1_000_000;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {body}\r\n\r\n{}", "x".repeat(body));
    let bytes = answer.len() as u64;
    serve(UnixListener::bind(&path).unwrap(), answer.into_bytes());
    for load in [at(40.0), at(40.0).with_read_rate(1e8), at(40.0).with_pipeline(2)] {
        let report = run(plan(parsed(&format!("unix:{}", path.display())), load));
        assert_all_answered(&report, &format!("unix:{}", path.display()));
        assert_eq!(report.bytes.received, 20 * bytes);
    }
}

#[test]
fn abstract_sockets_and_the_hosts_of_other_urls() {
    let name = format!("loadgen-test-{}", std::process::id());
    let address = UnixAddress::from_abstract_name(name.as_bytes()).unwrap();
    let heads = serve(UnixListener::bind_addr(&address).unwrap(), OK.to_vec());
    let report = run(plan(parsed(&format!("unix:@{name}")), at(100.0)));
    assert_all_answered(&report, &format!("unix:@{name}"));
    let place = format!("unix:@{name}").parse().unwrap();
    let other = parsed("http://service.test:81/x").with_connect_to(place);
    assert_all_answered(&run(plan(other, at(100.0))), &format!("unix:@{name}"));
    let heads = heads.lock().unwrap();
    assert!(heads.last().unwrap().starts_with("GET /x HTTP/1.1\r\nHost: service.test:81\r\n"));
}

/// The kernel refuses at once what waits with TCP.
#[test]
fn a_full_backlog_is_a_failure_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.sock");
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    // Nobody accepts; the engine's first look takes the only place.
    listener.listen(0).unwrap();
    let url = format!("unix:{}", path.display());
    let load = plan(parsed(&url), fresh_at(100.0));
    let report = run(load);
    assert_eq!(report.errors["connect-backlog-full"], 50, "{:?}", report.errors);
    // Not ours, as the lack of ports would be.
    let reasons = report.verdict.reasons.join("\n");
    assert!(!reasons.contains("port") && !reasons.contains("this machine"), "{reasons}");
    let started = std::time::Instant::now();
    let soon = Plan::new(parsed(&url), at(1.0)).with_timeout(Duration::from_millis(100));
    let error = Engine::new(soon).unwrap_err().to_string();
    assert!(error.contains(&url), "{error}");
    assert!(started.elapsed() < Duration::from_secs(30), "it waits no longer than the timeout");
}

#[test]
fn a_unix_server_that_goes_away_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.sock");
    serve(UnixListener::bind(&path).unwrap(), OK.to_vec());
    let url = format!("unix:{}", path.display());
    let load = Plan::new(parsed(&url), fresh_at(200.0)).with_timeout(Duration::from_secs(30));
    let gone = Arc::new(Mutex::new(false));
    let file = path.clone();
    let report = run_until(
        load,
        move |now| {
            let mut gone = gone.lock().unwrap();
            if now.answered >= 10 && !*gone {
                std::fs::remove_file(&file).unwrap();
                *gone = true;
            }
            now.failed >= 10
        },
        || {},
    );
    assert!(report.errors["connect-unreachable"] >= 10, "{:?}", report.errors);
    // What nobody serves is told before the load.
    let error = Engine::new(plan(parsed(&url), at(1.0))).unwrap_err().to_string();
    assert!(error.contains("No such file"), "{error}");
    drop(UnixListener::bind(&path).unwrap());
    let error = Engine::new(plan(parsed(&url), at(1.0))).unwrap_err().to_string();
    assert!(error.contains("refused"), "{error}");
}

#[test]
fn a_name_may_stand_in_place_of_the_url() {
    let server = target(TargetOptions::new());
    let address = server.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let (_, port) = address.rsplit_once(':').unwrap();
    let place = format!("localhost:{port}").parse().unwrap();
    let report = run(plan(parsed("http://service.test/").with_connect_to(place), at(100.0)));
    assert_all_answered(&report, &address);
    assert_eq!(report.plan.target().connect_to().unwrap().to_string(), format!("localhost:{port}"));
}

#[test]
fn a_proxy_is_told_the_whole_url() {
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&heads);
    let proxy = OddServer::start(move |conversation| {
        while let Some(head) = conversation.request() {
            seen.lock().unwrap().push(head);
            conversation.answer(1);
        }
    });
    let url = format!("http://user:hunter2@{}", proxy.address);
    let behind = parsed("http://service.test:81/a?b").with_proxy(url.parse().unwrap());
    let report = run(plan(behind, at(100.0)));
    assert_all_answered(&report, &proxy.address.to_string());
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("hunter2") && !json.contains("dXNlcjpodW50ZXIy"));
    let heads = heads.lock().unwrap();
    let expected = "GET http://service.test:81/a?b HTTP/1.1\r\nHost: service.test:81\r\n";
    assert!(heads.iter().all(|head| {
        head.starts_with(expected)
            && head.contains("\r\nProxy-Authorization: Basic dXNlcjpodW50ZXIy\r\n")
    }));
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let (_held, address) = nobody();
    let proxy = format!("http://u:hunter2@{address}").parse().unwrap();
    let behind = parsed("http://service.test/").with_proxy(proxy);
    let error = Engine::new(plan(behind, at(1.0))).unwrap_err().to_string();
    assert!(error.contains(&format!("(of 'http://{address}')")), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn what_unix_sockets_have_not_is_told() {
    let at_unix = |load: Load| plan(parsed("unix:/run/app.sock"), load);
    let closed = at(1.0).with_calls_per_connection(2).with_close(CloseMode::Reset);
    for (plan, word) in [
        (at_unix(at(1.0)).with_kernel_timestamps(), "leave out the kernel's timestamps"),
        (at_unix(closed), "cannot be reset"),
    ] {
        let error = Engine::new(plan).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}
