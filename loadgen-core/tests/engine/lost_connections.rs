//! Kept-alive connections that end in a migration, as the report counts them.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use loadgen_core::clock::Clock;
use loadgen_core::migration::{Context, MigrationRun, Trigger, TriggerError, VmFacts};
use loadgen_core::report::{render_html, render_text};
use loadgen_core::{Engine, Event, EventKind, Load, Plan, Schedule, Target};

const CONNECTIONS: usize = 64;

/// How the connections of before the firing end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// By RST, while they are idle.
    Reset,
    /// By FIN, while they are idle.
    Closed,
    /// By RST, when the next request comes: nobody knows of them any more.
    ResetWhenUsed,
}

#[derive(Debug, Clone)]
struct Server {
    end: End,
    moved: Arc<AtomicBool>,
    /// Old connections that are still to end.
    left: Arc<AtomicUsize>,
}

impl Server {
    fn start(end: End) -> (SocketAddr, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self { end, moved: Arc::default(), left: Arc::new(AtomicUsize::new(0)) };
        let shared = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let server = shared.clone();
                thread::spawn(move || server.serve(stream.unwrap()));
            }
        });
        (address, server)
    }

    fn serve(&self, mut stream: TcpStream) {
        let old = !self.moved.load(SeqCst);
        if old {
            self.left.fetch_add(1, SeqCst);
        }
        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let mut buffer = [0; 4096];
        loop {
            let ends = old && self.moved.load(SeqCst);
            if ends && self.end != End::ResetWhenUsed {
                break;
            }
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(_) if ends => break,
                Ok(_) => {
                    let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\
                                  Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nok";
                    stream.write_all(reply).unwrap();
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        if self.end != End::Closed {
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        drop(stream);
        if old {
            self.left.fetch_sub(1, SeqCst);
        }
    }
}

/// A migration after which nobody knows of the connections of before.
#[derive(Debug)]
struct Forgets(Server, Option<Clock>);

impl Trigger for Forgets {
    fn name(&self) -> &str {
        "test"
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        Ok(VmFacts::default())
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.1 = Some(context.clock);
        Ok(())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        while self.0.left.load(SeqCst) < CONNECTIONS {
            thread::sleep(Duration::from_millis(1));
        }
        self.0.moved.store(true, SeqCst);
        // Not before all have ended, but for those that end when they are used.
        while self.0.end != End::ResetWhenUsed && self.0.left.load(SeqCst) > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn next_event(&mut self, _: Duration) -> Result<Option<Event>, TriggerError> {
        // The load's threads see the ends before that.
        thread::sleep(Duration::from_millis(200));
        let now = self.1.as_ref().map_or(0, |clock| clock.now());
        Ok(Some(Event::new(EventKind::Completed, now, 0, "test")))
    }
}

fn all_are_lost(end: End, cause: &str) {
    let (address, server) = Server::start(end);
    let target = Target::parse(&format!("http://{address}/")).unwrap();
    let stream = Load::established(Schedule::constant(200.0))
        .with_connections(CONNECTIONS as u32)
        .with_warm_connections(CONNECTIONS as u32);
    let plan = Plan::new(target, stream).with_timeout(Duration::from_secs(30));
    let report = MigrationRun::new(plan, Box::new(Forgets(server, None)))
        .with_before(Duration::from_millis(400))
        .with_after(Duration::from_millis(1500))
        .run(&AtomicBool::new(false), &mut |_| {})
        .unwrap();
    let migration = report.migration.as_ref().unwrap();
    let lost = migration.connections_lost.established.clone().unwrap();
    let all = CONNECTIONS as u64;
    // A machine that let the generator stand still for a moment makes a FIN of just then one
    // that the generator may have to answer for: it is counted apart, and never twice.
    let ours = lost.closed_while_paused;
    assert_eq!((lost.of, lost.opened_since), (Some(all), 0), "{end:?} {lost:?}");
    assert_eq!(lost.count + ours, all, "{end:?} {lost:?}");
    assert_eq!(lost.causes.values().sum::<u64>(), lost.count, "{end:?} {lost:?}");
    // A request that is under way when the server closes makes a FIN a RST.
    let of_cause = lost.causes.get(cause).copied().unwrap_or(0);
    match end {
        End::Closed => assert!(of_cause + ours > 0, "{lost:?}"),
        End::Reset | End::ResetWhenUsed => assert_eq!(of_cause, all, "{end:?} {lost:?}"),
    }
    assert_eq!(report.connections_lost.values().sum::<u64>(), all, "{end:?}");
    if end == End::ResetWhenUsed {
        assert!(lost.calls_sent_again > 0, "{end:?}");
    }
    let text = render_text(&report);
    assert!(of_cause == 0 || text.contains(&format!("{of_cause} {cause}")), "{text}");
    assert!(render_html(&report).contains(&format!("{} of {all}", lost.count)));
}

#[test]
fn connections_that_are_reset_while_idle() {
    all_are_lost(End::Reset, "reset");
}

#[test]
fn connections_that_are_closed_while_idle() {
    all_are_lost(End::Closed, "closed");
}

#[test]
fn connections_that_nobody_knows_any_more() {
    all_are_lost(End::ResetWhenUsed, "reset");
}

/// The first of four connections, which are opened in 1.5 s, is closed by the server as
/// soon as it is there: that is before the load, on another clock.
#[test]
fn connections_that_end_before_the_load_are_none_of_it() {
    let server =
        Server { end: End::Closed, moved: Arc::default(), left: Arc::new(AtomicUsize::new(0)) };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let closed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&closed);
    thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            // The very first one is of the look whether the server is there.
            if n < 2 {
                drop(stream);
                count.fetch_add(1, SeqCst);
            } else {
                let server = server.clone();
                thread::spawn(move || server.serve(stream.unwrap()));
            }
        }
    });
    let target = Target::parse(&format!("http://{address}/")).unwrap();
    let stream = Load::established(Schedule::constant(50.0))
        .with_connections(4)
        .with_warm_connections(4)
        .with_connect_rate(2.0);
    let plan = Plan::new(target, stream).with_duration(Duration::from_millis(300));
    let report = Engine::new(plan).unwrap().run().unwrap();
    assert_eq!(closed.load(SeqCst), 2);
    assert!(report.counts.answered > 0, "{:?}", report.counts);
    assert!(report.connections_lost.is_empty(), "{:?}", report.connections_lost);
}
