//! A tunnel through an HTTP proxy (RFC 9110 §9.3.6), as a state machine without input
//! or output of its own: bytes to be sent, bytes received, done or failed.
//!
//! Nothing may follow the head of the proxy's consent: the server at the other end of a
//! tunnel speaks TLS, in which the client speaks first.

use std::sync::Arc;

/// The most bytes of the proxy's answer, of interim ones (1xx) together.
const LONGEST_HEAD: usize = 16 * 1024;

/// A tunnel that is being asked for.
#[derive(Debug)]
pub(crate) struct Tunnel {
    request: Arc<[u8]>,
    sent: usize,
    /// The head of the answer, as far as it has come.
    head: Vec<u8>,
    /// Bytes of it that are known to hold no end.
    searched: usize,
    /// Bytes of interim answers.
    interim: usize,
}

/// Why there is no tunnel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TunnelError {
    /// The proxy will not.
    #[error("the proxy opened no tunnel: it answered {status}{}{reason}", if reason.is_empty() { "" } else { " " })]
    Refused {
        /// Its status.
        status: u16,
        /// The words beside it.
        reason: String,
    },
    /// What it said is not HTTP/1.
    #[error("the proxy opened no tunnel: its answer is not HTTP/1")]
    NotHttp,
    /// It says too much.
    #[error("the proxy opened no tunnel: the head of its answer is longer than 16 KiB")]
    TooLong,
    /// It has ended the connection.
    #[error("the proxy closed the connection before it opened a tunnel")]
    Closed,
    /// It, or the server, sent what nobody can have asked for.
    #[error("the proxy sent bytes behind its consent to a tunnel")]
    Unasked,
}

/// The request for a tunnel to `authority` (host and port). `authorization` is the value
/// of a `Proxy-Authorization` header.
pub(crate) fn request(authority: &str, authorization: Option<&str>) -> Arc<[u8]> {
    let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(value) = authorization {
        head.push_str(&format!("Proxy-Authorization: {value}\r\n"));
    }
    head.push_str(concat!("User-Agent: loadgen/", env!("CARGO_PKG_VERSION"), "\r\n\r\n"));
    head.into_bytes().into()
}

impl Tunnel {
    pub(crate) fn new(request: Arc<[u8]>) -> Self {
        Self { request, sent: 0, head: Vec::new(), searched: 0, interim: 0 }
    }

    /// What is still to be sent.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.request[self.sent..]
    }

    /// So many bytes of it are sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
    }

    /// Takes what the proxy says; `true`: the tunnel is open.
    ///
    /// # Errors
    /// [`TunnelError`]: there will be none.
    pub(crate) fn received(&mut self, bytes: &[u8]) -> Result<bool, TunnelError> {
        self.head.extend_from_slice(bytes);
        while let Some(length) = end_of_head(&self.head, self.searched) {
            let (status, reason) = status(&self.head[..length]).ok_or(TunnelError::NotHttp)?;
            self.searched = 0;
            match status {
                100..=199 => {
                    self.interim += length;
                    self.head.drain(..length);
                }
                200..=299 if length < self.head.len() => return Err(TunnelError::Unasked),
                200..=299 => return Ok(true),
                _ => return Err(TunnelError::Refused { status, reason }),
            }
        }
        if !may_be_http(&self.head) {
            return Err(TunnelError::NotHttp);
        }
        if self.interim + self.head.len() > LONGEST_HEAD {
            return Err(TunnelError::TooLong);
        }
        // The end may begin with the last three bytes.
        self.searched = self.head.len().saturating_sub(3);
        Ok(false)
    }
}

/// Where the first head ends, looked for from byte `from` on. Lines end with LF, with or
/// without CR before it (RFC 9112 §2.2).
fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let breaks = (from..bytes.len()).filter(|at| bytes[*at] == b'\n');
    breaks.into_iter().find_map(|at| match &bytes[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

const VERSION: &[u8] = b"HTTP/1.";

fn may_be_http(head: &[u8]) -> bool {
    let n = head.len().min(VERSION.len());
    head[..n] == VERSION[..n]
}

/// Status and reason of a whole head.
fn status(head: &[u8]) -> Option<(u16, String)> {
    let line = head.split(|byte| *byte == b'\n').next()?.trim_ascii_end();
    let rest = line.strip_prefix(VERSION)?;
    let (minor, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b" ").filter(|_| minor.is_ascii_digit())?;
    let (digits, reason) = rest.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) || !(reason.is_empty() || reason[0] == b' ') {
        return None;
    }
    let status = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let reason = String::from_utf8_lossy(reason.trim_ascii()).chars().take(100).collect();
    (100..=599).contains(&status).then_some((status, reason))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The answer in pieces of these lengths, again and again.
    fn told(answer: &[u8], lengths: &[usize]) -> Result<bool, TunnelError> {
        let mut tunnel = Tunnel::new(request("h:443", None));
        let mut rest = answer;
        let mut lengths = lengths.iter().copied().cycle();
        while !rest.is_empty() {
            let n = lengths.next().unwrap().clamp(1, rest.len());
            let (piece, after) = rest.split_at(n);
            rest = after;
            // What follows the consent is found by whoever reads on.
            if tunnel.received(piece)? {
                return if rest.is_empty() { Ok(true) } else { Err(TunnelError::Unasked) };
            }
        }
        Ok(false)
    }

    fn refused(status: u16, reason: &str) -> Result<bool, TunnelError> {
        Err(TunnelError::Refused { status, reason: reason.to_owned() })
    }

    #[test]
    fn the_request_names_the_server_and_the_secret() {
        let text = String::from_utf8(request("[::1]:443", Some("Basic dTpw")).to_vec()).unwrap();
        let expected = "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\
                        Proxy-Authorization: Basic dTpw\r\nUser-Agent: loadgen/";
        assert!(text.starts_with(expected) && text.ends_with("\r\n\r\n"), "{text}");
        let mut tunnel = Tunnel::new(request("h:443", None));
        assert!(tunnel.unsent().starts_with(b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nUser"));
        tunnel.sent(8);
        assert!(tunnel.unsent().starts_with(b"h:443"));
        tunnel.sent(tunnel.unsent().len());
        assert!(tunnel.unsent().is_empty());
    }

    const ANSWERS: [(&str, Option<u16>); 12] = [
        ("HTTP/1.1 200 Connection established\r\n\r\n", None),
        ("HTTP/1.0 200 OK\r\nVia: x\r\nContent-Length: 7\r\n\r\n", None),
        ("HTTP/1.1 204\r\n\r\n", None),
        ("HTTP/1.1 200 OK\n\n", None),
        ("HTTP/1.1 200 OK\nA: b\r\n\n", None),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", None),
        ("HTTP/1.1 407 Proxy Authentication Required\r\nA: b\r\n\r\n", Some(407)),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\nbody", Some(502)),
        ("HTTP/1.1 301 \r\n\r\n", Some(301)),
        ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n", Some(403)),
        ("HTTP/1.1 099 x\r\n\r\n", Some(0)),
        ("SSH-2.0-x\r\n", Some(0)),
    ];

    #[test]
    fn answers() {
        assert_eq!(told(b"HTTP/1.1 407 Who are you?\r\n\r\n", &[99]), refused(407, "Who are you?"));
        let error = TunnelError::Refused { status: 403, reason: String::new() }.to_string();
        assert_eq!(error, "the proxy opened no tunnel: it answered 403");
        for text in
            ["HTTP/1.1 2000 x\r\n\r\n", "HTTP/1.1 20 x\r\n\r\n", "HTTP/1.x 200\r\n\r\n", "\r\n"]
        {
            assert_eq!(told(text.as_bytes(), &[99]), Err(TunnelError::NotHttp), "{text:?}");
        }
        let behind = b"HTTP/1.1 200 OK\r\n\r\n\x16\x03";
        assert_eq!(told(behind, &[99]), Err(TunnelError::Unasked));
        let long = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(LONGEST_HEAD));
        assert_eq!(told(long.as_bytes(), &[1000]), Err(TunnelError::TooLong));
        let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
        assert_eq!(told(interim.as_bytes(), &[1000]), Err(TunnelError::TooLong));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            lengths in prop::collection::vec(1..40_usize, 1..6),
            which in 0..ANSWERS.len(),
            behind in prop::option::of("[ -~]{1,9}"),
        ) {
            let (answer, status) = ANSWERS[which];
            let whole = format!("{answer}{}", behind.clone().unwrap_or_default());
            let found = told(whole.as_bytes(), &lengths);
            match (status, behind) {
                (None, None) => prop_assert_eq!(found, Ok(true)),
                (None, Some(_)) => prop_assert_eq!(found, Err(TunnelError::Unasked)),
                (Some(0), _) => prop_assert_eq!(found, Err(TunnelError::NotHttp)),
                (Some(wanted), _) => {
                    let is_it = matches!(found, Err(TunnelError::Refused { status, .. }) if status == wanted);
                    prop_assert!(is_it, "{:?}", found);
                }
            }
        }

        #[test]
        fn nonsense_opens_nothing_and_no_head_is_kept_for_ever(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..30),
            prefix in prop::option::of(Just("HTTP/1.1 200 OK\r\n")),
        ) {
            let mut tunnel = Tunnel::new(request("h:443", None));
            let mut all = prefix.unwrap_or_default().as_bytes().to_vec();
            let mut ended = tunnel.received(&all).is_err();
            for piece in pieces {
                if ended {
                    break;
                }
                all.extend_from_slice(&piece);
                match tunnel.received(&piece) {
                    Ok(true) => {
                        prop_assert!(all.starts_with(VERSION) && all.ends_with(b"\n"));
                        ended = true;
                    }
                    Ok(false) => prop_assert!(tunnel.head.len() <= LONGEST_HEAD),
                    Err(_) => ended = true,
                }
            }
        }
    }
}
