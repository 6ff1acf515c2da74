//! The bytes of the replies, made once and shared by all connections.

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
    body: u64,
}

impl Replies {
    pub(super) fn new(status: u16, body_bytes: u64) -> Self {
        // These statuses have no body, whatever their headers say (RFC 9110 §6.4.1).
        let bodiless = matches!(status, 204 | 304);
        let body = if bodiless { 0 } else { body_bytes };
        let block = vec![b'x'; usize::try_from(body).unwrap_or(BLOCK).min(BLOCK)];
        let length = (!bodiless).then_some(body);
        let template = |connection| Template::new(status, length, connection, &block);
        Self {
            keep: template(""),
            keep10: template("Connection: keep-alive\r\n"),
            close: template("Connection: close\r\n"),
            refusals: [400, 411, 431]
                .map(|status| {
                    (status, Template::new(status, Some(0), "Connection: close\r\n", b""))
                })
                .into(),
            go_on: Template { bytes: b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), head: 25 },
            block,
            body,
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
            _ => {
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
    fn new(status: u16, length: Option<u64>, connection: &str, body: &[u8]) -> Self {
        let length = length.map(|n| format!("Content-Length: {n}\r\n")).unwrap_or_default();
        let reason = reason(status);
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nServer: loadgen-target\r\n\
             Content-Type: text/plain\r\n{length}{connection}\r\n"
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
            let replies = Replies::new(200, body);
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
    fn statuses_without_a_body_have_none() {
        let bytes =
            whole(&Replies::new(304, 50), Reply { kind: Kind::Close, head_only: false }, 99);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("HTTP/1.1 304 Not Modified\r\n"), "{text}");
        assert!(!text.contains("Content-Length"), "{text}");
        assert!(text.ends_with("Connection: close\r\n\r\n"), "{text}");
    }

    #[test]
    fn refusals_and_continue_have_no_body() {
        let replies = Replies::new(200, 50);
        let refusal = Reply { kind: Kind::Refusal(411), head_only: false };
        let text = String::from_utf8(whole(&replies, refusal, 99)).unwrap();
        assert!(text.starts_with("HTTP/1.1 411 ") && text.ends_with("\r\n\r\n"), "{text}");
        let go_on = Reply { kind: Kind::Continue, head_only: false };
        assert_eq!(whole(&replies, go_on, 99), b"HTTP/1.1 100 Continue\r\n\r\n");
    }
}
