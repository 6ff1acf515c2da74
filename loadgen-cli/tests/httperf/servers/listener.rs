//! A listening socket whose connections are recorded, one thread each.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// From this address no client comes, only [`Listener::take`]: a connection from
/// here is accepted after all that were made before it.
const MARKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// No connection outlives its client by more than this.
const LIMIT: Duration = Duration::from_secs(10);

/// What a client did with one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: End,
}

/// How a client ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Reset,
    /// The server ended it first.
    Unknown,
}

#[derive(Default)]
struct Record {
    open: usize,
    markers: usize,
    connections: Vec<Connection>,
}

type Shared = Arc<(Mutex<Record>, Condvar)>;

/// Accepts connections until the test ends.
pub(crate) struct Listener {
    port: u16,
    shared: Shared,
}

impl Listener {
    /// Listens at a free port of 127.0.0.1; each connection is given to `serve`
    /// on a thread of its own, which tells what the client did.
    pub(crate) fn start(serve: impl Fn(TcpStream) -> Connection + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared::default();
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, &of_thread, &serve));
        Self { port, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until every connection that was made has ended; returns and forgets
    /// them, in the order of their ends.
    pub(crate) fn take(&self) -> Vec<Connection> {
        let (record, changed) = &*self.shared;
        let markers = record.lock().unwrap().markers;
        let marker = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        marker.bind(&SocketAddr::from((MARKER, 0)).into()).unwrap();
        marker.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)).into()).unwrap();
        let waiting = |record: &mut Record| record.markers == markers || record.open > 0;
        let locked = record.lock().unwrap();
        let (mut record, late) = changed.wait_timeout_while(locked, LIMIT, waiting).unwrap();
        assert!(!late.timed_out(), "port {}: {} connections open", self.port, record.open);
        std::mem::take(&mut record.connections)
    }
}

fn accept(
    listener: &TcpListener,
    shared: &Shared,
    serve: &(impl Fn(TcpStream) -> Connection + Clone + Send + 'static),
) {
    while let Ok((stream, peer)) = listener.accept() {
        let (record, changed) = &**shared;
        if peer.ip() == MARKER {
            record.lock().unwrap().markers += 1;
            changed.notify_all();
            continue;
        }
        record.lock().unwrap().open += 1;
        let (serve, shared) = (serve.clone(), Arc::clone(shared));
        std::thread::spawn(move || {
            let connection = serve(stream);
            let (record, changed) = &*shared;
            let mut record = record.lock().unwrap();
            record.connections.push(connection);
            record.open -= 1;
            changed.notify_all();
        });
    }
}
