//! A server that always says the same: the reply of an nginx to a page of 100
//! bytes, with a date that stands still. What a client does with it is the same
//! work call by call, on every machine.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

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

/// Serves on a free port of the loopback until the process ends, with a thread a
/// connection.
///
/// # Errors
/// If it cannot listen.
pub fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            thread::spawn(move || serve(connection));
        }
    });
    Ok(address)
}

/// Replies to requests without a body that come one at a time.
fn serve(mut connection: TcpStream) -> io::Result<()> {
    let reply = reply();
    let mut buffer = [0; 4096];
    let mut filled = 0;
    connection.set_nodelay(true)?;
    loop {
        let n = connection.read(&mut buffer[filled..])?;
        filled += n;
        if n == 0 {
            return Ok(());
        }
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            connection.write_all(&reply)?;
            filled = 0;
        }
    }
}
