//! How fast connections are opened, as the server and the kernel see it.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use loadgen_core::clock::MILLISECOND;
use loadgen_core::report::render_text;
use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Engine, Load, Plan, Report, Schedule, Target};
use socket2::{Domain, Socket, Type};

use crate::common::LIMIT;

fn plan(address: SocketAddr, stream: Load) -> Plan {
    let target = Target::parse(&format!("http://{address}/")).unwrap();
    Plan::new(target, stream).with_duration(Duration::from_millis(600))
}

fn run(plan: Plan) -> Report {
    let report = Engine::new(plan).unwrap().run().unwrap();
    let c = &report.counts;
    assert_eq!(c.offered, c.started + c.shed, "{c:?}");
    assert_eq!(c.started, c.answered + c.failed + c.unfinished, "{c:?}");
    report
}

/// A server whose backlog is full after one connection: no further handshake ends.
pub(crate) fn full() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// Handshakes under way to a port of this machine. The kernel's list changes while it
/// is read: a socket may stand in it twice, or beside the one that took its place. So
/// ports of ours are counted, and of two looks the lower one counts.
fn handshakes(port: u16) -> usize {
    let to = format!(":{port:04X}");
    let look = || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let of_ours = |line: &str| {
            let mut columns = line.split_whitespace().skip(1);
            let (local, remote, state) = (columns.next()?, columns.next()?, columns.next()?);
            (remote.ends_with(&to) && state == "02").then(|| local.to_owned())
        };
        table.lines().filter_map(of_ours).collect::<HashSet<String>>().len()
    };
    look().min(look())
}

#[test]
fn handshakes_under_way_are_no_more_than_allowed() {
    for closed in [true, false] {
        let (_socket, address) = full();
        let schedule = if closed { Schedule::Closed } else { Schedule::constant(200.0) };
        let stream = Load::established(schedule).with_connections(50).with_max_connecting(5);
        let plan = plan(address, stream).with_timeout(Duration::from_millis(400));
        let (done, wait) = mpsc::channel();
        let runner = thread::spawn(move || {
            let report = run(plan);
            done.send(()).unwrap();
            report
        });
        let mut most = 0;
        while wait.try_recv().is_err() {
            most = most.max(handshakes(address.port()));
            thread::sleep(Duration::from_millis(5));
        }
        let report = runner.join().unwrap();
        assert!((1..=5).contains(&most), "{most}");
        assert_eq!(report.counts.answered, 0);
        if closed {
            assert_eq!(report.counts.queued, 0, "users of a closed loop do not queue");
        } else {
            // They waited in the queue, and that is said.
            assert!(report.counts.queued > 50, "{:?}", report.counts);
        }
        let text = render_text(&report).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("at most 5 handshakes at once"), "{text}");
    }
}

#[test]
fn in_open_loop_nobody_waits_to_connect_unless_told_to() {
    let (_socket, address) = full();
    let stream = Load::fresh(Schedule::constant(200.0)).with_connections(500);
    let report = run(plan(address, stream).with_timeout(Duration::from_millis(400)));
    assert_eq!((report.counts.started, report.counts.queued), (120, 0));
}

/// Nothing is answered: each call needs a connection of its own. A machine that stands
/// still opens them later, never earlier.
#[test]
fn connections_are_opened_at_the_rate() {
    for closed in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, accepted) = mpsc::channel();
        thread::spawn(move || {
            let mut all = Vec::new();
            for stream in listener.incoming() {
                all.push(stream);
                let _ = tell.send(());
            }
        });
        let schedule = if closed { Schedule::Closed } else { Schedule::constant(1000.0) };
        let stream = Load::established(schedule).with_connections(40).with_connect_rate(100.0);
        let target = Target::parse(&format!("http://{address}/")).unwrap();
        let plan = Plan::new(target, stream).with_timeout(LIMIT).with_drain(Duration::ZERO);
        let handle = Engine::new(plan).unwrap().start().unwrap();
        let clock = handle.clock().unwrap();
        // The first one is of the look whether the server is there.
        accepted.recv_timeout(LIMIT).unwrap();
        for n in 0..40 {
            accepted.recv_timeout(LIMIT).unwrap();
            // n gaps of 10 ms, of which one tick may be made up for.
            let now = clock.now();
            assert!(now + 20 * MILLISECOND >= n * 10 * MILLISECOND, "{n}: {now}");
        }
        handle.stop();
        let report = handle.join().unwrap();
        assert_eq!(report.counts.connections_opened, 40);
    }
}

#[test]
fn warm_connections_keep_to_the_rate_too() {
    let server = TargetServer::bind(TargetOptions::new()).unwrap().spawn().unwrap();
    let target = Target::parse(&server.url()).unwrap();
    let stream = Load::established(Schedule::constant(100.0))
        .with_connections(30)
        .with_warm_connections(30)
        .with_connect_rate(100.0);
    let plan = Plan::new(target, stream).with_duration(Duration::from_millis(200));
    let started = Instant::now();
    let report = run(plan);
    assert!(started.elapsed() > Duration::from_millis(450), "{:?}", started.elapsed());
    assert_eq!((report.counts.answered, report.counts.connections_opened), (20, 0));
    assert_eq!(server.stop().unwrap().connections_accepted, 31);
}
