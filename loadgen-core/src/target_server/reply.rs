//! The bytes of the replies, made once and shared by all connections. Longer
//! bodies are repeated from a block: they need no memory, whatever their length.

use super::request::Wants;

/// Body bytes that go out together with the head, and the size of the block that
/// longer bodies are repeated from.
const BLOCK: usize = 64 * 1024;

/// Which reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The programmed one; the connection stays open.
    Keep,
    /// The same for HTTP/1.0, which must be told so.
    Keep10,
    /// The programmed one; the connection ends.
    Close,
    /// A refusal with this status; the connection ends.
    Refusal(u16),
    /// `100 Continue`: not the answer yet.
    Continue,
}

/// A reply to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) kind: Kind,
    /// Without its body, as for `HEAD`.
    pub(super) head_only: bool,
}

impl Reply {
    /// The reply that a request wants; `last`: the server closes after it anyway.
    pub(super) fn to(wants: Wants, last: bool) -> Self {
        let kind = match (wants.close || last, wants.http10) {
            (true, _) => Kind::Close,
            (false, true) => Kind::Keep10,
            (false, false) => Kind::Keep,
        };
        Self { kind, head_only: wants.head }
    }

    /// Whether the connection ends after it.
    pub(super) fn closes(self) -> bool {
        matches!(self.kind, Kind::Close | Kind::Refusal(_))
    }

    /// Whether it answers a request that was read whole.
    pub(super) fn answers(self) -> bool {
        matches!(self.kind, Kind::Keep | Kind::Keep10 | Kind::Close)
    }
}

/// A reply's head, with the first bytes of its body.
#[derive(Debug)]
struct Template {
    bytes: Vec<u8>,
    head: u64,
}

/// All replies of a server.
#[derive(Debug)]
pub(super) struct Replies {
    keep: Template,
    keep10: Template,
    close: Template,
    refusals: Vec<(u16, Template)>,
    go_on: Template,
    block: Vec<u8>,
    /// Bytes on the wire.
    body: u64,
    chunks: Option<Chunks>,
}

/// How a body is cut into chunks (RFC 9112 §7.1). Its bytes are told from their
/// place alone, so that nothing is kept for a reply under way.
#[derive(Debug)]
struct Chunks {
    /// Between the data of two whole chunks: the end of one, the line of the next.
    /// The first chunk has no end before its line.
    between: Vec<u8>,
    /// Line end and line of the last chunk, if it is shorter than the others.
    rest: Vec<u8>,
    /// Bytes of data in a whole chunk, and in the last one.
    size: u64,
    rest_size: u64,
    /// Whole chunks.
    count: u64,
}

/// After the data of the last chunk.
const CHUNKS_END: &[u8] = b"\r\n0\r\n\r\n";

impl Chunks {
    fn new(body: u64, size: u64) -> Self {
        let line = |size: u64| format!("\r\n{size:x}\r\n").into_bytes();
        let (count, rest_size) = (body / size, body % size);
        let rest = if rest_size > 0 { line(rest_size) } else { Vec::new() };
        Self { between: line(size), rest, size, rest_size, count }
    }

    /// Bytes of the whole body with its frame.
    fn length(&self) -> u64 {
        let whole = (self.between.len() as u64 + self.size) * self.count;
        // The first line has no line end of a chunk before it.
        whole + self.rest.len() as u64 + self.rest_size + CHUNKS_END.len() as u64 - 2
    }

    /// The first bytes of the body, frame and all, as many as a block.
    fn beginning(&self, block: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < BLOCK {
            let next = self.at(bytes.len() as u64, block);
            if next.is_empty() {
                break;
            }
            bytes.extend_from_slice(next);
        }
        bytes.truncate(BLOCK);
        bytes
    }

    /// The bytes from a place of the body on, up to the next border.
    fn at<'a>(&'a self, place: u64, block: &'a [u8]) -> &'a [u8] {
        let data = |left: u64| &block[..left.min(block.len() as u64) as usize];
        let place = place + 2;
        let unit = self.between.len() as u64 + self.size;
        let behind = unit * self.count;
        if place < behind {
            let within = place % unit;
            return match self.between.get(within as usize..) {
                Some(line) if !line.is_empty() => line,
                _ => data(unit - within),
            };
        }
        let within = place - behind;
        let rest = self.rest.len() as u64 + self.rest_size;
        if within < rest {
            return match self.rest.get(within as usize..) {
                Some(line) if !line.is_empty() => line,
                _ => data(rest - within),
            };
        }
        CHUNKS_END.get((within - rest) as usize..).unwrap_or_default()
    }
}

impl Replies {
    pub(super) fn new(status: u16, body_bytes: u64, chunk_bytes: Option<u64>) -> Self {
        // These statuses have no body, whatever their headers say (RFC 9110 §6.4.1).
        let bodiless = matches!(status, 204 | 304);
        let body = if bodiless { 0 } else { body_bytes };
        let block = vec![b'x'; usize::try_from(body).unwrap_or(BLOCK).min(BLOCK)];
        let chunks = chunk_bytes.filter(|_| !bodiless).map(|size| Chunks::new(body, size));
        let framing = match &chunks {
            _ if bodiless => String::new(),
            Some(_) => "Transfer-Encoding: chunked\r\n".to_owned(),
            None => format!("Content-Length: {body}\r\n"),
        };
        // The beginning of a chunked body goes out with the head as far as it is small.
        let first = match &chunks {
            Some(chunks) => chunks.beginning(&block),
            None => block.clone(),
        };
        let template = |connection| Template::new(status, &framing, connection, &first);
        Self {
            keep: template(""),
            keep10: template("Connection: keep-alive\r\n"),
            close: template("Connection: close\r\n"),
            refusals: [400, 411, 431]
                .map(|status| {
                    let framing = "Content-Length: 0\r\n";
                    (status, Template::new(status, framing, "Connection: close\r\n", b""))
                })
                .into(),
            go_on: Template { bytes: b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), head: 25 },
            block,
            body: chunks.as_ref().map_or(body, Chunks::length),
            chunks,
        }
    }

    /// The next bytes of a reply of which `sent` bytes went out; empty at its end.
    pub(super) fn rest(&self, reply: Reply, sent: u64) -> &[u8] {
        let template = self.template(reply.kind);
        let body = if reply.head_only || !reply.answers() { 0 } else { self.body };
        let total = template.head + body;
        let ready = &template.bytes[..(template.bytes.len() as u64).min(total) as usize];
        match usize::try_from(sent) {
            Ok(sent) if sent < ready.len() => &ready[sent..],
            // All bytes of a body are the same, so any part of the block will do.
            _ if total <= sent => &[],
            _ => {
                if let Some(chunks) = &self.chunks {
                    return chunks.at(sent - template.head, &self.block);
                }
                let left = total.saturating_sub(sent).min(self.block.len() as u64);
                &self.block[..left as usize]
            }
        }
    }

    fn template(&self, kind: Kind) -> &Template {
        match kind {
            Kind::Keep => &self.keep,
            Kind::Keep10 => &self.keep10,
            Kind::Close => &self.close,
            Kind::Continue => &self.go_on,
            Kind::Refusal(status) => self
                .refusals
                .iter()
                .find_map(|(other, template)| (*other == status).then_some(template))
                .unwrap_or(&self.refusals[0].1),
        }
    }
}

impl Template {
    fn new(status: u16, framing: &str, connection: &str, body: &[u8]) -> Self {
        let reason = reason(status);
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nServer: loadgen-target\r\n\
             Content-Type: text/plain\r\n{framing}{connection}\r\n"
        );
        let head_len = head.len() as u64;
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        Self { bytes, head: head_len }
    }
}

/// The usual words; a status may go without any.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        411 => "Length Required",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(replies: &Replies, reply: Reply, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let rest = replies.rest(reply, all.len() as u64);
            if rest.is_empty() {
                return all;
            }
            all.extend_from_slice(&rest[..rest.len().min(step)]);
        }
    }

    #[test]
    fn bodies_have_their_length_however_they_are_sent() {
        for body in [0, 1, 100, BLOCK as u64, 3 * BLOCK as u64 + 17] {
            let replies = Replies::new(200, body, None);
            for step in [7, 5000, usize::MAX] {
                let bytes = whole(&replies, Reply { kind: Kind::Keep, head_only: false }, step);
                let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
                assert_eq!((bytes.len() - head) as u64, body);
                let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
                assert!(text.contains(&format!("Content-Length: {body}\r\n")), "{text}");
            }
            let head = whole(&replies, Reply { kind: Kind::Keep, head_only: true }, 9);
            assert!(head.ends_with(b"\r\n\r\n"));
        }
    }

    #[test]
    fn chunked_bodies_have_their_length_and_their_chunks() {
        for size in [1, 7, 4096, BLOCK as u64 + 1] {
            for body in [0, 1, 7, 14, 5000, BLOCK as u64, 3 * BLOCK as u64 + 17] {
                if body / size > 10_000 {
                    continue;
                }
                let replies = Replies::new(200, body, Some(size));
                let reply = Reply { kind: Kind::Keep, head_only: false };
                let bytes = whole(&replies, reply, usize::MAX);
                assert_eq!(whole(&replies, reply, 5), bytes, "{body} in chunks of {size}");
                let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
                let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
                assert!(text.contains("Transfer-Encoding: chunked\r\n"), "{text}");
                assert!(!text.contains("Content-Length"), "{text}");
                let mut expected = Vec::new();
                for at in (0..body).step_by(size as usize) {
                    let data = size.min(body - at);
                    expected.extend(format!("{data:x}\r\n").bytes());
                    expected.resize(expected.len() + data as usize, b'x');
                    expected.extend(b"\r\n");
                }
                expected.extend(b"0\r\n\r\n");
                assert!(bytes[head..] == expected, "{body} in chunks of {size}");
            }
        }
    }

    #[test]
    fn statuses_without_a_body_have_none() {
        let bytes =
            whole(&Replies::new(304, 50, None), Reply { kind: Kind::Close, head_only: false }, 99);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("HTTP/1.1 304 Not Modified\r\n"), "{text}");
        assert!(!text.contains("Content-Length"), "{text}");
        assert!(text.ends_with("Connection: close\r\n\r\n"), "{text}");
    }

    #[test]
    fn refusals_and_continue_have_no_body() {
        let replies = Replies::new(200, 50, None);
        let refusal = Reply { kind: Kind::Refusal(411), head_only: false };
        let text = String::from_utf8(whole(&replies, refusal, 99)).unwrap();
        assert!(text.starts_with("HTTP/1.1 411 ") && text.ends_with("\r\n\r\n"), "{text}");
        let go_on = Reply { kind: Kind::Continue, head_only: false };
        assert_eq!(whole(&replies, go_on, 99), b"HTTP/1.1 100 Continue\r\n\r\n");
    }
}
