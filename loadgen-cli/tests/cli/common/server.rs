//! A server inside of the test that answers by the number of the call, so that what
//! it does is a matter of counting and not of time.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use socket2::SockRef;

/// What is done about a request.
pub(crate) enum Reply {
    /// Status 200.
    Good,
    /// Status 503.
    Busy,
    /// The connection ends without a reply.
    None,
    /// Status 200, and from before it is sent nobody listens any more.
    Last,
}

/// The number of a request, from 1: on its connection, and of all.
pub(crate) struct Number {
    pub(crate) on_connection: u64,
    pub(crate) of_all: u64,
}

/// Serves until the test ends, at an address (one of the test's own: nobody else
/// comes to listen there when this server has ceased to). Returns its URL.
pub(crate) fn serve(
    address: &str,
    reply: impl Fn(Number) -> Reply + Send + Sync + 'static,
) -> String {
    let listener = Arc::new(TcpListener::bind((address, 0)).unwrap());
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (reply, asked) = (Arc::new(reply), Arc::new(AtomicU64::new(0)));
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let (listener, reply, asked) =
                (Arc::clone(&listener), Arc::clone(&reply), Arc::clone(&asked));
            std::thread::spawn(move || {
                // A client that goes away is no failure of the server's.
                let _ = converse(stream, &listener, |on_connection| {
                    let of_all = asked.fetch_add(1, Ordering::SeqCst) + 1;
                    reply(Number { on_connection, of_all })
                });
            });
        }
    });
    url
}

fn converse(
    mut stream: TcpStream,
    listener: &TcpListener,
    reply: impl Fn(u64) -> Reply,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream.try_clone()?);
    for number in 1.. {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        let status = match reply(number) {
            Reply::Good => "200 OK",
            Reply::Busy => "503 Busy",
            Reply::None => return stream.shutdown(Shutdown::Both),
            Reply::Last => {
                SockRef::from(listener).shutdown(Shutdown::Both)?;
                "200 OK"
            }
        };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 6\r\n\r\nhello\n")?;
    }
    Ok(())
}
