//! A server that always says the same: the reply of an nginx to a page of 100
//! bytes, with a date that stands still. What a client does with it is the same
//! work call by call, on every machine.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The head of the reply, as nginx 1.22 writes it; a body of 100 bytes follows.
const HEAD: &str = "HTTP/1.1 200 OK\r\n\
    Server: nginx/1.22.1\r\n\
    Date: Mon, 02 Jun 2025 10:00:00 GMT\r\n\
    Content-Type: text/html\r\n\
    Content-Length: 100\r\n\
    Last-Modified: Mon, 02 Jun 2025 09:00:00 GMT\r\n\
    Connection: keep-alive\r\n\
    ETag: \"683d6790-64\"\r\n\
    Accept-Ranges: bytes\r\n\r\n";

/// The whole reply.
#[must_use]
pub fn reply() -> Vec<u8> {
    [HEAD.as_bytes(), &[b'x'; 100]].concat()
}

/// Serves clients that hold `connections` at once, one client after the other, on a free
/// port of the loopback until the process ends: bare, or encrypted by `tls`. Before them
/// each client opens and closes `tries` connections, to see whether the server is there. It replies
/// in rounds: to all connections at once, as soon as each has sent a request. A client
/// that is slower than this server (callgrind makes it so) then finds the replies of a
/// whole round waiting, so that the system calls it needs for them do not depend on
/// chance.
///
/// # Errors
/// If it cannot listen.
pub fn start(
    tries: usize,
    connections: usize,
    tls: Option<ServerConfig>,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let tls = tls.map(Arc::new);
    thread::spawn(move || {
        let mut accepted = (0..).map(|_| accept(&listener, tls.as_ref()));
        loop {
            accepted.by_ref().take(tries).flatten().for_each(until_closed);
            let Ok(connections) = accepted.by_ref().take(connections).collect() else { return };
            in_rounds(connections);
        }
    });
    Ok(address)
}

/// TLS 1.3 with one cipher suite, the one that all clients know (RFC 8446 §9.1), and a
/// certificate made on the spot.
///
/// # Errors
/// If the certificate cannot be made.
pub fn tls() -> Result<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut provider = ring::default_provider();
    provider.cipher_suites = vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.into()], key)?;
    Ok(config)
}

/// A client's connection.
enum Connection {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Connection {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.get_ref(),
        }
    }

    /// Reads plaintext. The first time it waits for the handshake, too.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
        }
    }
}

/// So long a round waits for requests that do not come: at the end of its load a client
/// asks nothing more on most of its connections. Longer than a machine stands still,
/// since smaller rounds are other work for the client.
const PATIENCE: Duration = Duration::from_secs(1);

/// And so long for each connection once that has passed.
const IMPATIENCE: Duration = Duration::from_millis(1);

fn accept(listener: &TcpListener, tls: Option<&Arc<ServerConfig>>) -> io::Result<Connection> {
    let (socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Connection::Plain(socket)) };
    let session = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
    Ok(Connection::Tls(Box::new(StreamOwned::new(session, socket))))
}

/// Lets a client try: it may make its TLS handshake, and asks nothing.
fn until_closed(mut connection: Connection) {
    while connection.read(&mut [0; 64]).is_ok_and(|bytes| bytes > 0) {}
}

/// Serves these connections until all are closed.
fn in_rounds(mut connections: Vec<Connection>) {
    let reply = reply();
    while !connections.is_empty() {
        let mut asked = vec![];
        let mut patience = PATIENCE;
        connections.retain_mut(|connection| match request(connection, patience) {
            Ok(whole) => {
                if !whole {
                    patience = IMPATIENCE;
                }
                asked.push(whole);
                true
            }
            Err(_) => false,
        });
        let mut asked = asked.into_iter();
        connections.retain_mut(|connection| {
            !asked.next().unwrap_or(false) || connection.write_all(&reply).is_ok()
        });
    }
}

/// Reads a request without a body, if one comes in this time. Nothing comes behind it:
/// the next one waits for the reply.
fn request(connection: &mut Connection, patience: Duration) -> io::Result<bool> {
    connection.socket().set_read_timeout(Some(patience))?;
    let mut buffer = [0; 4096];
    let mut filled = 0;
    while !buffer[..filled].ends_with(b"\r\n\r\n") {
        match connection.read(&mut buffer[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => filled += n,
            // A process that was stopped and goes on is told so by a read with a limit.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && filled == 0 => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
