//! Ports where no reply is to be had: silence, FIN, RST, a full backlog, nobody.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use super::listener::{Connection, End, Listener};

/// Before the client has sent anything, or after: a race.
pub(super) const AT_ONCE: Duration = Duration::ZERO;

/// After any client has sent its request.
pub(super) const LATE: Duration = Duration::from_millis(60);

/// Reads all and answers nothing.
pub(super) fn hole() -> Listener {
    Listener::start(|mut stream| {
        let mut bytes = Vec::new();
        let end = end_of(stream.read_to_end(&mut bytes).map(drop));
        Connection { bytes, end }
    })
}

/// Closes every connection after a while.
pub(super) fn fin(after: Duration) -> Listener {
    Listener::start(move |mut stream| {
        std::thread::sleep(after);
        let bytes = come(&mut stream, after);
        Connection { bytes, end: End::Unknown }
    })
}

/// Resets every connection after a while.
pub(super) fn rst(after: Duration) -> Listener {
    Listener::start(move |mut stream| {
        std::thread::sleep(after);
        let bytes = come(&mut stream, after);
        reset(stream);
        Connection { bytes, end: End::Unknown }
    })
}

/// What has come until now; nothing when it is a matter of luck whether it has.
fn come(stream: &mut TcpStream, after: Duration) -> Vec<u8> {
    let mut bytes = Vec::new();
    if after > AT_ONCE && stream.set_nonblocking(true).is_ok() {
        let _ = stream.read_to_end(&mut bytes);
    }
    bytes
}

/// Ends a connection by RST.
pub(super) fn reset(stream: TcpStream) {
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}

/// How the client ended it, by what reading from it came to.
pub(super) fn end_of(read: std::io::Result<()>) -> End {
    match read {
        Ok(()) => End::Fin,
        Err(e) if e.kind() == ErrorKind::ConnectionReset => End::Reset,
        Err(_) => End::Unknown,
    }
}

/// A port that drops every SYN, for its queue is full.
pub(super) struct FullBacklog {
    listener: Socket,
    _queued: Vec<Socket>,
}

impl FullBacklog {
    pub(super) fn start() -> Self {
        let listener = bound();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let queued = (0..3).map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address);
            socket
        });
        Self { _queued: queued.collect(), listener }
    }

    pub(super) fn port(&self) -> u16 {
        port(&self.listener)
    }
}

/// A port that refuses: bound, so that nobody else gets it, but not listening.
pub(super) struct Refusing(Socket);

impl Refusing {
    pub(super) fn start() -> Self {
        Self(bound())
    }

    pub(super) fn port(&self) -> u16 {
        port(&self.0)
    }
}

fn bound() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket
}

fn port(socket: &Socket) -> u16 {
    socket.local_addr().unwrap().as_socket().unwrap().port()
}
