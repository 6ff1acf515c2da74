//! A server that does by the URI what no server should.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::listener::{Connection, End, Listener};
use super::traps::{end_of, reset};

/// One thing that the server does.
enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    /// Closes the connection: FIN.
    Close,
    /// Ends the connection by RST.
    Reset,
}
use Step::{Close, Pause, Reset, Send};

/// Listens at a free port.
pub(super) fn start() -> Listener {
    Listener::start(|stream| {
        let _ = stream.set_nodelay(true);
        Conversation { stream, come: Vec::new(), used: 0 }.hold()
    })
}

struct Conversation {
    stream: TcpStream,
    /// All that the client sent; the first `used` bytes are answered requests.
    come: Vec<u8>,
    used: usize,
}

impl Conversation {
    fn hold(mut self) -> Connection {
        let mut requests = 0;
        loop {
            let request = match self.next_request() {
                Ok(Some(request)) => request,
                Ok(None) => return self.ended(End::Fin),
                Err(e) => return self.ended(end_of(Err(e))),
            };
            requests += 1;
            for step in reply(&request, requests) {
                match step {
                    // a client that is gone is noticed by the next read
                    Send(bytes) => drop(self.stream.write_all(&bytes)),
                    Pause(time) => std::thread::sleep(time),
                    Close => return self.broken_off(false),
                    Reset => return self.broken_off(true),
                }
            }
        }
    }

    /// The bytes of the next request, head and body; none at the end.
    fn next_request(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        loop {
            let rest = self.come.get(self.used..).unwrap_or_default();
            if let Some(length) = request_length(rest) {
                let request = rest.get(..length).unwrap_or_default().to_vec();
                self.used += length;
                return Ok(Some(request));
            }
            let mut buffer = [0; 16 * 1024];
            let n = self.stream.read(&mut buffer)?;
            if n == 0 {
                return Ok(None);
            }
            self.come.extend_from_slice(buffer.get(..n).unwrap_or_default());
        }
    }

    fn ended(self, end: End) -> Connection {
        Connection { bytes: self.come, end }
    }

    /// What came after the last answered request was a matter of luck.
    fn broken_off(mut self, by_reset: bool) -> Connection {
        if by_reset {
            reset(self.stream);
        }
        self.come.truncate(self.used);
        Connection { bytes: self.come, end: End::Unknown }
    }
}

/// Length of the request that the bytes begin with, if all of it is there.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(bytes.get(..head)?).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body = length.and_then(|digits| digits.trim().parse().ok()).unwrap_or(0);
    (bytes.len() >= head + body).then_some(head + body)
}

/// What is done about the n-th request (from 1) of a connection.
fn reply(request: &[u8], n: usize) -> Vec<Step> {
    let line = String::from_utf8_lossy(request).lines().next().unwrap_or_default().to_owned();
    let uri = line.split(' ').nth(1).unwrap_or("/");
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let seconds = Duration::from_secs_f64(query.parse().unwrap_or(0.1));
    match path {
        "/" => whole("200 OK", "", b"hello\n"),
        "/echo" => whole("200 OK", "", request),
        "/slow" => vec![Pause(seconds), Send(text("200 OK", "", b"slow\n"))],
        "/drip" => {
            let drops = (0..10).flat_map(|_| [Pause(seconds), send(b"x")]);
            [send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")]
                .into_iter()
                .chain(drops)
                .collect()
        }
        "/line" => whole("200 OK", &line_of(query, "X-L: "), b"hello\n"),
        "/status" => {
            let line = line_of(query, "HTTP/1.1 200 ");
            vec![send(format!("{line}Content-Length: 6\r\n\r\nhello\n").as_bytes())]
        }
        "/page.html" => whole("200 OK", "Content-Type: text/html\r\n", PAGE),
        "/location" => whole("302 Found", "Location: /elsewhere\r\n", b""),
        _ => chunked(path)
            .or_else(|| status(path))
            .or_else(|| headers(path))
            .or_else(|| broken_off(path, n))
            .unwrap_or_else(|| whole("404 Not Found", "", format!("no {path}\n").as_bytes())),
    }
}

/// A line of so many bytes, its end among them.
fn line_of(length: &str, start: &str) -> String {
    let length: usize = length.parse().unwrap_or(0);
    format!("{start}{}\r\n", "a".repeat(length.saturating_sub(start.len() + 2)))
}

/// Chunked bodies, well made and not.
fn chunked(path: &str) -> Option<Vec<Step>> {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = match path {
        "/chunked" => "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        "/trailer" => "5;ext=1\r\nhello\r\n0\r\nX-T: abc\r\n\r\n",
        "/badchunk" => "zz\r\nhello\r\n0\r\n\r\n",
        "/shortchunk" => return Some(vec![send(head.as_bytes()), send(b"40\r\nonly"), Close]),
        "/splitchunk" => {
            return Some(in_pieces(&[
                "HTTP/1.1 200 OK\r\nTransfer-Enc",
                "oding: chunked\r\n\r\n5\r\nhel",
                "lo\r",
                "\n1",
                "0\r\n0123456789abcdef\r\n0",
                "\r\n\r",
                "\n",
            ]));
        }
        _ => return None,
    };
    Some(vec![send(format!("{head}{body}").as_bytes())])
}

/// Status lines of all kinds.
fn status(path: &str) -> Option<Vec<Step>> {
    let first = match path {
        "/continue" => "HTTP/1.1 100 Continue\r\n\r\n",
        "/103" => "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
        "/204" => return Some(vec![send(b"HTTP/1.1 204 No Content\r\n\r\n")]),
        "/304" => {
            return Some(vec![send(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n")]);
        }
        "/garbage" => return Some(vec![send(b"THIS IS NOT HTTP\r\n\r\n")]),
        "/s099" => return Some(whole("99 Odd", "", b"hello\n")),
        "/s404" => return Some(whole("404 Not Found", "", b"hello\n")),
        "/s600" => return Some(whole("600 Odd", "", b"hello\n")),
        "/splitstatus" => {
            let pieces =
                ["HTT", "P/1.1 20", "0 OK\r\nContent-Length: 3\r\n", "X-Y: z\r\n\r\na", "bc"];
            return Some(in_pieces(&pieces));
        }
        _ => return None,
    };
    let mut bytes = first.as_bytes().to_vec();
    bytes.extend(text("200 OK", "", b"final\n"));
    Some(vec![Send(bytes)])
}

/// Headers, and bodies that do not fit them.
fn headers(path: &str) -> Option<Vec<Step>> {
    Some(match path {
        "/te" => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc";
            vec![send(head.as_bytes())]
        }
        "/lf" => vec![send(b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc")],
        "/longhdr" => whole("200 OK", &format!("X-Long: {}\r\n", "a".repeat(3000)), b"hello\n"),
        "/cookie" => whole("200 OK", "Set-Cookie: sid=abc; Path=/; HttpOnly\r\n", b"hello\n"),
        "/cookie2" => {
            let two = "Set-Cookie: first=1; path=/\r\nset-cookie: second=2\r\n";
            whole("200 OK", two, b"hello\n")
        }
        "/barecookie" => whole("200 OK", "Set-Cookie:sid=bare\r\n", b"hello\n"),
        "/longcookie" => {
            whole("200 OK", &format!("Set-Cookie: c={}\r\n", "v".repeat(400)), b"hello\n")
        }
        "/extra" => vec![Send([text("200 OK", "", b"hello\n"), b"SURPLUS".to_vec()].concat())],
        _ => return None,
    })
}

/// Connections that end where they should not, or replies that change.
fn broken_off(path: &str, n: usize) -> Option<Vec<Step>> {
    let last = || text("200 OK", "Connection: close\r\n", b"bye\n");
    Some(match path {
        "/fin" => vec![Close],
        "/reset" => vec![Reset],
        "/nocl" => vec![send(b"HTTP/1.0 200 OK\r\n\r\nuntil close"), Close],
        "/short" => vec![send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"), Close],
        "/resethalf" => vec![
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"),
            Pause(Duration::from_millis(50)),
            Reset,
        ],
        "/closehdr" => vec![Send(last()), Close],
        "/close2" if n >= 2 => vec![Send(last()), Close],
        "/close2" => whole("200 OK", "", b"more\n"),
        "/flaky" if n.is_multiple_of(2) => whole("503 Busy", "", b"busy\n"),
        "/flaky0" if n.is_multiple_of(2) => whole("503 Busy", "", b""),
        "/flaky" | "/flaky0" => whole("200 OK", "", b"hello\n"),
        _ => return None,
    })
}

const PAGE: &[u8] = b"<html><!-- <img src=\"no.gif\"> --><img src=\"a.gif\"><IMG SRC=b.gif >\
<a href=\"x.html\">x</a><frame src=\"http://127.0.0.1/c.gif\">\
<iframe src=\"http://other/d.gif\"></html>\n";

fn send(bytes: &[u8]) -> Step {
    Send(bytes.to_vec())
}

fn whole(status: &str, headers: &str, body: &[u8]) -> Vec<Step> {
    vec![Send(text(status, headers, body))]
}

fn text(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nServer: odd\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Sends with pauses that make every piece a read of its own.
fn in_pieces(pieces: &[&str]) -> Vec<Step> {
    let pause = || Pause(Duration::from_millis(30));
    pieces.iter().flat_map(|piece| [send(piece.as_bytes()), pause()]).collect()
}
