//! A relay before a server: passes on both directions and records what the
//! client sent.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};

use super::listener::{Connection, End, Listener};
use super::traps::end_of;

/// Listens, and passes everything to the server at this port of 127.0.0.1.
pub(super) fn before(server: u16) -> Listener {
    Listener::start(move |client| {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).unwrap();
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        relay(client, server)
    })
}

fn relay(mut client: TcpStream, mut server: TcpStream) -> Connection {
    let mut replies = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let back = std::thread::spawn(move || {
        let _ = pass(&mut replies.0, &mut replies.1, &mut Vec::new());
        let _ = replies.1.shutdown(Shutdown::Write);
    });
    let mut bytes = Vec::new();
    let end = end_of(pass(&mut client, &mut server, &mut bytes));
    // after a reset nobody is there for what the server still says
    let how = if end == End::Fin { Shutdown::Write } else { Shutdown::Both };
    let _ = server.shutdown(how);
    let _ = back.join();
    Connection { bytes, end }
}

/// Until the end of `from`; that `to` takes no more ends nothing, for what else
/// comes is still to be recorded.
fn pass(from: &mut TcpStream, to: &mut TcpStream, record: &mut Vec<u8>) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        let part = buffer.get(..n).unwrap_or_default();
        record.extend_from_slice(part);
        let _ = to.write_all(part);
    }
}
