//! What tests of whole runs share: servers that know what they wait for, and waits
//! for a condition in place of a time.
//!
//! A machine may stand still for half a second at any moment. So a test lets its server
//! hold an answer until the server has seen what it must see, or lets a run go on until
//! enough has happened; it does not hope that something was quick.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use loadgen_core::target_server::{RunningTarget, TargetOptions, TargetServer};
use loadgen_core::{Engine, Plan, Report, Snapshot};
use socket2::{Domain, Socket, Type};

/// Nothing takes so long unless it is broken.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub(crate) fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn target(options: TargetOptions) -> RunningTarget {
    TargetServer::bind(options).unwrap().spawn().unwrap()
}

/// Waits until it is so.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(millis(2));
    }
}

/// Carries out a plan without an end, stops it when enough has happened, and waits for
/// the rest of it. `then` is done before it is stopped.
pub(crate) fn run_until(
    plan: Plan,
    enough: impl Fn(&Snapshot) -> bool,
    then: impl FnOnce(),
) -> Report {
    let handle = Engine::new(plan).unwrap().start().unwrap();
    handle.clock().unwrap();
    wait_until("the run comes so far", || enough(&handle.snapshot()));
    then();
    handle.stop();
    handle.join().unwrap()
}

/// Carries out a plan with an end of its own, and does `then` when enough has happened.
pub(crate) fn run_and(
    plan: Plan,
    enough: impl Fn(&Snapshot) -> bool,
    then: impl FnOnce(),
) -> Report {
    let handle = Engine::new(plan).unwrap().start().unwrap();
    handle.clock().unwrap();
    wait_until("the run comes so far", || enough(&handle.snapshot()));
    then();
    handle.join().unwrap()
}

/// A port on which nobody listens, and that nobody else gets while the socket lives.
pub(crate) fn nobody() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// Holds whoever comes until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn pass(&self) {
        let (open, changed) = &*self.0;
        drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
    }

    pub(crate) fn open(&self) {
        let (open, changed) = &*self.0;
        *open.lock().unwrap() = true;
        changed.notify_all();
    }
}

/// Lets nobody go on before so many are there together, again and again, until it is
/// opened. So what comes through in rounds was there at the same time.
#[derive(Clone)]
pub(crate) struct House(Arc<(Mutex<Inside>, Condvar)>);

struct Inside {
    size: u64,
    there: u64,
    rounds: u64,
    open: bool,
}

impl House {
    pub(crate) fn of(size: u64) -> Self {
        let inside = Inside { size, there: 0, rounds: 0, open: false };
        Self(Arc::new((Mutex::new(inside), Condvar::new())))
    }

    pub(crate) fn enter(&self) {
        let (inside, changed) = &*self.0;
        let mut all = inside.lock().unwrap();
        all.there += 1;
        if all.there == all.size {
            all.there = 0;
            all.rounds += 1;
            changed.notify_all();
        } else {
            let mine = all.rounds;
            drop(changed.wait_while(all, |all| all.rounds == mine && !all.open).unwrap());
        }
    }

    /// How often it was full.
    pub(crate) fn rounds(&self) -> u64 {
        self.0.0.lock().unwrap().rounds
    }

    pub(crate) fn open(&self) {
        let (inside, changed) = &*self.0;
        inside.lock().unwrap().open = true;
        changed.notify_all();
    }
}

/// One connection of a hand-made server.
pub(crate) struct Conversation {
    pub(crate) stream: TcpStream,
    /// Which connection of the server it is.
    pub(crate) number: u32,
    /// What was read and not yet taken for a request.
    pub(crate) come: Vec<u8>,
    asked: Arc<AtomicU64>,
}

impl Conversation {
    /// Waits for `n` more requests without a body; `false` at the end.
    pub(crate) fn requests(&mut self, n: usize) -> bool {
        (0..n).all(|_| self.request().is_some())
    }

    /// The head of the next request; `None` at the end.
    pub(crate) fn request(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.come.windows(4).position(|w| w == b"\r\n\r\n") {
                self.asked.fetch_add(1, SeqCst);
                return String::from_utf8(self.come.drain(..end + 4).collect()).ok();
            }
            self.read()?;
        }
    }

    /// The next `length` bytes; `None` at the end.
    pub(crate) fn body(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.come.len() < length {
            self.read()?;
        }
        Some(self.come.drain(..length).collect())
    }

    fn read(&mut self) -> Option<()> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(read @ 1..) => self.come.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
        Some(())
    }

    /// Whether more has come that is not taken yet.
    pub(crate) fn more_is_there(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let there = !self.come.is_empty() || self.stream.peek(&mut [0]).is_ok();
        self.stream.set_nonblocking(false).unwrap();
        there
    }

    /// Waits until the client ends it.
    pub(crate) fn until_the_end(&mut self) {
        while self.read().is_some() {}
    }

    pub(crate) fn answer(&mut self, n: usize) {
        let _ = self.stream.write_all(&OK.repeat(n));
    }

    pub(crate) fn say(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes());
    }

    /// Makes its end a reset.
    pub(crate) fn reset(&self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A hand-made server, which lives as long as its program.
pub(crate) struct OddServer {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicU64>,
}

impl OddServer {
    /// Does `talk` with each connection, in a thread of its own. An engine's look
    /// whether the server is there is one of them: it asks for nothing.
    pub(crate) fn start(talk: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicU64::new(0));
        let (all, talk) = (Arc::clone(&asked), Arc::new(talk));
        thread::spawn(move || {
            for (stream, number) in listener.incoming().zip(0..) {
                let (asked, talk) = (Arc::clone(&all), Arc::clone(&talk));
                thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream.set_nodelay(true).unwrap();
                    talk(&mut Conversation { stream, number, come: Vec::new(), asked });
                });
            }
        });
        Self { address, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How many requests it was asked.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(SeqCst)
    }
}

/// A server that answers when its gate is open.
pub(crate) fn gated_server() -> (Gate, OddServer) {
    let gate = Gate::default();
    let before = gate.clone();
    let server = OddServer::start(move |conversation| {
        while conversation.requests(1) {
            before.pass();
            conversation.answer(1);
        }
    });
    (gate, server)
}
