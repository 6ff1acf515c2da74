//! Requests out of a stream of bytes, however it is split. Knows nothing of
//! sockets and clocks.

/// Longest head (request line and headers) that is read.
pub(super) const HEAD_LIMIT: usize = 64 * 1024;

/// Most header lines of a head.
const HEADERS: usize = 128;

/// A partial head larger than this is not worth keeping room for.
const KEPT_CAPACITY: usize = 4096;

/// What a request wants of its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wants {
    /// HTTP/1.0: persistence must be said aloud in the reply.
    pub(super) http10: bool,
    /// `HEAD`: no body in the reply.
    pub(super) head: bool,
    /// The connection ends after the reply.
    pub(super) close: bool,
}

/// What was found in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A request, read to its last byte.
    Request(Wants),
    /// A client that sends its body only after a `100 Continue`.
    AwaitsContinue,
    /// Bytes that are no request; the status of the refusal. Nothing follows.
    Refused(u16),
}

/// The reading side of one connection.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// A head that has not come whole yet.
    partial: Vec<u8>,
    /// The request whose body is being skipped, and what is left of it.
    body: Option<(Wants, u64)>,
    /// The last request was read: what follows is ignored.
    finished: bool,
    /// Bytes came after the last request.
    surplus: bool,
}

impl Inbound {
    /// No request will be taken from this connection any more.
    fn finish(&mut self) {
        self.finished = true;
        self.partial = Vec::new();
    }

    /// Whether bytes came that nobody answers. Closing then would reset the
    /// connection and may take the reply with it.
    pub(super) fn has_surplus(&self) -> bool {
        self.surplus
    }

    /// Takes `bytes` and tells what they completed. `found` returns whether to
    /// go on; after `false` the rest is surplus.
    pub(super) fn push(&mut self, bytes: &[u8], mut found: impl FnMut(Found) -> bool) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.finished {
                self.surplus = true;
                return;
            }
            if let Some((wants, left)) = self.body {
                let taken = left.min(rest.len() as u64);
                rest = &rest[taken as usize..];
                self.body = (taken < left).then_some((wants, left - taken));
                if self.body.is_none() {
                    self.complete(wants, &mut found);
                }
                continue;
            }
            match self.head(rest) {
                Ok(None) => return,
                Ok(Some((used, head))) => {
                    rest = &rest[used..];
                    if head.body == 0 {
                        self.complete(head.wants, &mut found);
                    } else {
                        self.body = Some((head.wants, head.body));
                        if head.awaits_continue && rest.is_empty() {
                            found(Found::AwaitsContinue);
                        }
                    }
                }
                Err(status) => {
                    self.finish();
                    // Whatever else comes belongs to the refused request.
                    self.surplus = true;
                    found(Found::Refused(status));
                }
            }
        }
    }

    fn complete(&mut self, wants: Wants, found: &mut impl FnMut(Found) -> bool) {
        if !found(Found::Request(wants)) || wants.close {
            self.finish();
        }
    }

    /// Reads a head from what was kept and `rest`; tells how much of `rest` it used.
    fn head(&mut self, rest: &[u8]) -> Result<Option<(usize, Head)>, u16> {
        if self.partial.is_empty() {
            // Empty lines before a request line are to be ignored (RFC 9112 §2.2).
            let blank = rest.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            let start = &rest[blank..];
            return match parse_head(start)? {
                Some((used, head)) => Ok(Some((blank + used, head))),
                None => self.keep(start).map(|()| None),
            };
        }
        let before = self.partial.len();
        self.keep(rest)?;
        // A head ends with a line feed: without one there is nothing new to parse.
        if !rest.contains(&b'\n') {
            return Ok(None);
        }
        let Some((used, head)) = parse_head(&self.partial)? else { return Ok(None) };
        self.partial.clear();
        self.partial.shrink_to(KEPT_CAPACITY);
        Ok(Some((used.saturating_sub(before), head)))
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), u16> {
        self.partial.extend_from_slice(bytes);
        // What lies beyond an end of head is not part of it: look before judging.
        if self.partial.len() > HEAD_LIMIT && parse_head(&self.partial)?.is_none() {
            return Err(431);
        }
        Ok(())
    }
}

/// What the server needs to know of a head.
#[derive(Debug, Clone, Copy)]
struct Head {
    wants: Wants,
    body: u64,
    awaits_continue: bool,
}

/// The head at the start of `bytes` and its length; `None` if it has not ended.
fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Head)>, u16> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let used = match request.parse(bytes) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(431),
        Err(_) => return Err(400),
    };
    if used > HEAD_LIMIT {
        return Err(431);
    }
    let http10 = request.version == Some(0);
    let (mut close, mut keep, mut awaits_continue, mut host) = (false, false, false, false);
    let mut length = None;
    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("connection") {
            close |= has_token(header.value, b"close");
            keep |= has_token(header.value, b"keep-alive");
        } else if is("content-length") {
            let this = digits(header.value).ok_or(400_u16)?;
            if length.is_some_and(|other| other != this) {
                return Err(400);
            }
            length = Some(this);
        } else if is("transfer-encoding") {
            // A body without a length: the server does not read those.
            return Err(411);
        } else if is("expect") {
            awaits_continue |= has_token(header.value, b"100-continue");
        } else if is("host") {
            host = true;
        }
    }
    if !http10 && !host {
        // RFC 9112 §3.2.
        return Err(400);
    }
    let wants =
        Wants { http10, head: request.method == Some("HEAD"), close: close || (http10 && !keep) };
    Ok(Some((used, Head { wants, body: length.unwrap_or(0), awaits_continue })))
}

fn has_token(value: &[u8], token: &[u8]) -> bool {
    value.split(|b| *b == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

fn digits(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Wants = Wants { http10: false, head: false, close: false };

    /// Everything found when the bytes come in pieces of `size`.
    fn found_in_pieces(bytes: &[u8], size: usize) -> Vec<Found> {
        let mut inbound = Inbound::default();
        let mut all = Vec::new();
        for piece in bytes.chunks(size) {
            inbound.push(piece, |found| {
                all.push(found);
                true
            });
        }
        all
    }

    fn found(bytes: &[u8]) -> Vec<Found> {
        found_in_pieces(bytes, bytes.len())
    }

    #[test]
    fn any_split_gives_the_same_requests() {
        let bytes = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\n\
            Content-Length: 7\r\n\r\n1234567HEAD / HTTP/1.1\r\nHost: a\r\n\r\n\
            GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n\
            GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\nGET / never read";
        let expected = [
            Found::Request(KEEP),
            Found::Request(KEEP),
            Found::Request(Wants { head: true, ..KEEP }),
            Found::Request(Wants { http10: true, ..KEEP }),
            Found::Request(Wants { close: true, ..KEEP }),
        ];
        for size in 1..=bytes.len() {
            assert_eq!(found_in_pieces(bytes, size), expected, "pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused_once() {
        let cases: [(&[u8], u16); 7] = [
            (b"nonsense\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
            (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        ];
        for (bytes, status) in cases {
            assert_eq!(found(bytes), [Found::Refused(status)], "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn heads_have_a_limit_but_what_follows_them_has_not() {
        let mut long = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
        long.resize(HEAD_LIMIT + 1, b'x');
        for size in [1000, 50_000, long.len()] {
            assert_eq!(found_in_pieces(&long, size), [Found::Refused(431)], "pieces of {size}");
        }
        let many = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5000);
        assert!(many.len() > 2 * HEAD_LIMIT);
        assert_eq!(found_in_pieces(&many, 60_001).len(), 5000);
        let lines = [b"GET / HTTP/1.1\r\n".to_vec(), b"X: y\r\n".repeat(HEADERS + 1)].concat();
        assert_eq!(found(&lines), [Found::Refused(431)]);
    }

    #[test]
    fn a_waiting_client_is_told_to_go_on() {
        let head =
            b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(found(head), [Found::AwaitsContinue]);
        assert_eq!(found(&[&head[..], b"ab"].concat()), [Found::Request(KEEP)]);
    }

    #[test]
    fn surplus_is_noticed() {
        let mut inbound = Inbound::default();
        inbound.push(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", |_| false);
        assert!(inbound.finished && !inbound.has_surplus());
        inbound.push(b"G", |_| true);
        assert!(inbound.has_surplus());
    }
}
