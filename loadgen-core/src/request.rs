//! What is sent: one request, whose bytes are encoded once and shared by all
//! connections.

use serde::{Deserialize, Serialize};

use crate::error::PlanError;
use crate::target::Target;

/// Largest body that can be sent, in bytes.
const MAX_BODY: usize = 1 << 30;

/// One HTTP/1.1 request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    method: String,
    /// Replaces the path and query of the target's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "crate::report::base64_bytes")]
    body: Vec<u8>,
}

impl Default for Request {
    fn default() -> Self {
        Self::get()
    }
}

impl Request {
    /// A GET of the target's URL.
    #[must_use]
    pub fn get() -> Self {
        Self { method: "GET".to_owned(), path: None, headers: Vec::new(), body: Vec::new() }
    }

    /// Sets the method, such as `HEAD` or `POST`.
    #[must_use]
    pub fn with_method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// Adds a header. A header that the request has by itself (`Host`,
    /// `User-Agent`, `Connection`, `Content-Length`) is replaced by it.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body; its `Content-Length` is sent.
    #[must_use]
    pub fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Whether the method may be sent again when a kept-alive connection turns
    /// out to be closed (RFC 9110 §9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS" | "TRACE")
    }

    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        let bad = |what: &'static str, value: &str| PlanError::Request {
            what,
            value: value.escape_debug().to_string(),
        };
        if self.method.is_empty() || !self.method.bytes().all(is_token) {
            return Err(bad("method", &self.method));
        }
        if let Some(path) = &self.path
            && (path.is_empty() || path.bytes().any(|b| b <= b' ' || b == 0x7f))
        {
            return Err(bad("path", path));
        }
        for (name, value) in &self.headers {
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(bad("header name", name));
            }
            if value.bytes().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
                return Err(bad("header value", value));
            }
        }
        if self.body.len() > MAX_BODY {
            return Err(PlanError::Range {
                what: "the request's body",
                range: "at most 1 GiB",
                value: format!("{} bytes", self.body.len()),
            });
        }
        Ok(())
    }

    /// The bytes on the wire. `close` asks the server to close after the reply.
    pub(crate) fn encode(&self, target: &Target, close: bool) -> Vec<u8> {
        let path = self.path.as_deref().unwrap_or_else(|| target.path());
        let mut head = format!("{} {path} HTTP/1.1\r\n", self.method);
        let mut line = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        let given = |name: &str| self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !given("host") {
            line("Host", target.authority());
        }
        if !given("user-agent") {
            line("User-Agent", concat!("loadgen/", env!("CARGO_PKG_VERSION")));
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        if close && !given("connection") {
            line("Connection", "close");
        }
        let needs_length = !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT");
        if needs_length && !given("content-length") && !given("transfer-encoding") {
            line("Content-Length", &self.body.len().to_string());
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A byte of an HTTP token (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(request: &Request, close: bool) -> String {
        let target = Target::parse("http://h:81/p?q").unwrap();
        String::from_utf8(request.encode(&target, close)).unwrap()
    }

    #[test]
    fn plain_get() {
        let agent = concat!("loadgen/", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            text(&Request::get(), false),
            format!("GET /p?q HTTP/1.1\r\nHost: h:81\r\nUser-Agent: {agent}\r\n\r\n")
        );
        assert!(text(&Request::get(), true).contains("\r\nConnection: close\r\n\r\n"));
    }

    #[test]
    fn body_and_own_headers() {
        let request = Request::get()
            .with_method("POST")
            .with_header("host", "other")
            .with_header("User-Agent", "x")
            .with_body(b"abc".to_vec());
        assert_eq!(
            text(&request, false),
            "POST /p?q HTTP/1.1\r\nhost: other\r\nUser-Agent: x\r\nContent-Length: 3\r\n\r\nabc"
        );
    }

    #[test]
    fn no_way_to_smuggle_a_line() {
        for request in [
            Request::get().with_method("GE T"),
            Request::get().with_header("X", "a\r\nY: b"),
            Request::get().with_header("X:", "a"),
            Request { path: Some("/a b".into()), ..Request::get() },
        ] {
            assert!(request.validate().is_err(), "{request:?}");
        }
    }
}
