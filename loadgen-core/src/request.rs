//! What is sent: one request, whose bytes are encoded once and shared by all
//! connections.

mod header;
mod of_http;

use serde::{Deserialize, Serialize};

use crate::error::PlanError;
use crate::protocol::http1::request::{self, RequestBytes};
use crate::secret::Secret;
use crate::target::Target;
pub(crate) use header::{Header, is_one_line, is_token};

/// What servers are told of the program unless the user says otherwise.
pub(crate) const USER_AGENT: &str = concat!("loadgen/", env!("CARGO_PKG_VERSION"));

/// Largest body that can be sent, in bytes.
const MAX_BODY: usize = 1 << 30;

/// One HTTP/1.1 request.
///
/// ```
/// use loadgen_core::Request;
///
/// let order = Request::get()
///     .with_method("POST")
///     .with_path("/cart")
///     .with_header("Content-Type", "application/json")
///     .with_body(br#"{"item": 7}"#.to_vec());
/// assert_eq!(order.method(), "POST");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    method: String,
    /// Replaces the path and query of the target's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<Header>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "crate::base64_bytes")]
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

    /// Sets the method, such as `HEAD` or [`http::Method::POST`].
    #[must_use]
    pub fn with_method(mut self, method: impl AsRef<str>) -> Self {
        method.as_ref().clone_into(&mut self.method);
        self
    }

    /// Sets path and query, in place of those of the target's URL.
    #[must_use]
    pub fn with_path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Adds a header. A header that the request has by itself (`Host`,
    /// `User-Agent`, `Connection`, `Content-Length`) is replaced by it. The value of
    /// one that [carries credentials](crate::secret::is_credential) is sent, but
    /// never written. A `Content-Length` that is not that of the body is refused when the
    /// plan is checked.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(Header::new(name, value));
        self
    }

    /// Adds a header whose value is sent, but never written, whatever its name.
    #[must_use]
    pub fn with_secret_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(Header::secret(name, Secret::new(value)));
        self
    }

    /// The same request with the headers of another one before its own, but for those that
    /// it has itself.
    pub(crate) fn over(&self, base: &Self) -> Self {
        let is_own = |header: &&Header| !self.headers.iter().any(|own| own.is_named(header.name()));
        let headers = base.headers.iter().filter(is_own).chain(&self.headers).cloned().collect();
        Self { headers, ..self.clone() }
    }

    /// Replaces the text of its path, of the values of its headers and of its body, if that is
    /// text.
    pub(crate) fn fill(
        &mut self,
        filled: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        if let Some(path) = &mut self.path {
            *path = filled(path)?;
        }
        self.headers.iter_mut().try_for_each(|header| header.fill(filled))?;
        if let Ok(text) = std::str::from_utf8(&self.body) {
            self.body = filled(text)?.into_bytes();
        }
        Ok(())
    }

    /// Whether it has a path or a body of its own.
    pub(crate) fn has_content(&self) -> bool {
        self.path.is_some() || !self.body.is_empty()
    }

    /// The headers, in order.
    pub(crate) fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// Keeps the values of the headers of this name secret; whether there is one.
    pub fn keep_secret(&mut self, name: &str) -> bool {
        let mut found = false;
        for header in self.headers.iter_mut().filter(|header| header.is_named(name)) {
            header.keep_secret();
            found = true;
        }
        found
    }

    /// The headers whose values a report did not keep, in order.
    pub(crate) fn missing_secrets(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(|header| header.is_missing()).map(Header::name)
    }

    /// Gives the first missing value of this header; what the report has of it.
    pub(crate) fn supply_secret(&mut self, name: &str, value: &str) -> Option<Secret> {
        let mut headers = self.headers.iter_mut();
        headers.find(|header| header.is_missing() && header.is_named(name))?.supply(value)
    }

    /// The same request without what is secret about it.
    pub(crate) fn without_secrets(mut self) -> Self {
        self.headers.iter_mut().for_each(Header::forget);
        self
    }

    /// Sets the body; its `Content-Length` is sent.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Path and query, if they are not those of the target's URL.
    pub(crate) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Whether the method may be sent again when a kept-alive connection turns
    /// out to be closed (RFC 9110 §9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        is_idempotent(&self.method)
    }

    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        check_method(&self.method)?;
        self.path.as_deref().map_or(Ok(()), check_path)?;
        self.headers.iter().try_for_each(Header::validate)?;
        let filled_in = |text: &[u8]| text.windows(2).any(|two| two == b"{{");
        let length = |header: &&Header| header.is_named("content-length");
        for given in self.headers.iter().filter(length).filter_map(Header::sent) {
            // What data fill in is looked at then.
            if !filled_in(given.as_bytes()) && !filled_in(&self.body) {
                check_length(given, &self.body)?;
            }
        }
        check_body(&self.body)
    }

    /// The headers that it is sent with whatever its body is: what it has by itself, then its
    /// own. Secret values are in clear.
    pub(crate) fn lines(&self, target: &Target) -> Vec<Header> {
        let given = |name: &str| self.headers.iter().any(|header| header.is_named(name));
        let authority = target.authority();
        let of_target =
            |secret: Option<&'_ Secret>| secret.and_then(Secret::reveal).map(str::to_owned);
        [
            ("Host", Some(authority.to_string())),
            ("User-Agent", Some(USER_AGENT.to_owned())),
            ("Authorization", of_target(target.authorization())),
            ("Proxy-Authorization", of_target(target.proxy_authorization())),
        ]
        .into_iter()
        .filter(|(name, _)| !given(name))
        .filter_map(|(name, value)| Some(Header::plain(name, &value?)))
        .chain(
            self.headers
                .iter()
                .map(|own| Header::plain(own.name(), own.sent().unwrap_or_default())),
        )
        .collect()
    }

    /// The bytes on the wire. `close` asks the server to close after the reply.
    pub(crate) fn encode(&self, target: &Target, close: bool) -> RequestBytes {
        let path = self.path.as_deref().unwrap_or_else(|| target.path());
        let mut head = Vec::new();
        self.lines(target).iter().for_each(|header| header.write(&mut head));
        let mut line = |name: &str, value: &str| Header::plain(name, value).write(&mut head);
        let given = |name: &str| self.headers.iter().any(|header| header.is_named(name));
        if close && !given("connection") {
            line("Connection", "close");
        }
        let needs_length = needs_length(&self.method, &self.body);
        if needs_length && !given("content-length") && !given("transfer-encoding") {
            line("Content-Length", &self.body.len().to_string());
        }
        let named = target.request_target(path);
        let (method, named) = (self.method.as_bytes(), named.as_bytes());
        request::write(method, &[named], 1, &[&head], &self.body)
    }
}

/// Whether a method may be sent again unasked (RFC 9110 §9.2.2).
pub(crate) fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS" | "TRACE")
}

/// Whether a request says how long its body is (RFC 9110 §8.6).
pub(crate) fn needs_length(method: &str, body: &[u8]) -> bool {
    !body.is_empty() || matches!(method, "POST" | "PUT")
}

fn unfit(what: &'static str, value: &str) -> PlanError {
    PlanError::Request { what, value: value.escape_debug().to_string() }
}

/// Checks that a method is one.
pub(crate) fn check_method(method: &str) -> Result<(), PlanError> {
    if is_token(method) { Ok(()) } else { Err(unfit("method", method)) }
}

/// Checks that path and query can stand in a request line.
pub(crate) fn check_path(path: &str) -> Result<(), PlanError> {
    let fits = !path.is_empty() && !path.bytes().any(|b| b <= b' ' || b == 0x7f);
    if fits { Ok(()) } else { Err(unfit("path", path)) }
}

/// Checks that a `Content-Length` is that of the body. Of another one the server waits for what
/// never comes, or takes the rest of the body for a request.
pub(crate) fn check_length(given: &str, body: &[u8]) -> Result<(), PlanError> {
    let digits = given.trim_matches([' ', '\t']);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && digits.parse() == Ok(body.len()) {
        return Ok(());
    }
    let value = format!("{} (the body has {} bytes)", given.escape_debug(), body.len());
    Err(PlanError::Request { what: "Content-Length", value })
}

/// Checks that a body is no longer than can be sent.
pub(crate) fn check_body(body: &[u8]) -> Result<(), PlanError> {
    if body.len() <= MAX_BODY {
        return Ok(());
    }
    Err(PlanError::Range {
        what: "the request's body",
        range: "at most 1 GiB",
        value: format!("{} bytes", body.len()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(request: &Request, close: bool) -> String {
        let target = Target::parse("http://h:81/p?q").unwrap();
        String::from_utf8(request.encode(&target, close).bytes).unwrap()
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
    fn a_length_that_is_not_that_of_the_body_is_refused() {
        let given = |length: &str, body: &str| {
            let request = Request::get().with_header("content-length", length);
            request.with_body(body).validate().map_err(|error| error.to_string())
        };
        for (length, body) in
            [("3", "abc"), (" 3", "abc"), ("0", ""), ("{{n}}", "a"), ("9", "{{x}}")]
        {
            given(length, body).unwrap();
        }
        for (length, body) in
            [("2", "abc"), ("4", "abc"), ("5", ""), ("+3", "abc"), ("", ""), ("x", "")]
        {
            let said = given(length, body).unwrap_err();
            assert!(
                said.contains(&format!("{length} (the body has {} bytes)", body.len())),
                "{said}"
            );
        }
    }

    #[test]
    fn credentials_are_sent_and_never_written() {
        let request = Request::get()
            .with_header("authorization", "Bearer hunter2")
            .with_secret_header("X-Mine", "hunter3")
            .with_header("X-Not", "seen");
        let sent = text(&request, false);
        assert!(sent.contains("authorization: Bearer hunter2\r\nX-Mine: hunter3\r\n"), "{sent}");
        let json = serde_json::to_string(&request).unwrap();
        for written in [json.clone(), format!("{request:?}"), format!("{request:#?}")] {
            assert!(!written.contains("hunter"), "{written}");
            assert!(written.contains("seen") && written.contains("«redacted»"), "{written}");
        }
        let mut kept: Request = serde_json::from_str(&json).unwrap();
        assert_eq!(kept, request);
        assert_eq!(kept.missing_secrets().collect::<Vec<_>>(), ["authorization", "X-Mine"]);
        assert_eq!(serde_json::to_string(&kept).unwrap(), json);
        assert!(kept.supply_secret("Authorization", "Bearer hunter2").is_some());
        assert!(kept.supply_secret("X-Mine", "hunter3").is_some());
        assert!(kept.supply_secret("X-Mine", "hunter3").is_none());
        assert_eq!(text(&kept, false), sent);
        // A report of an older version has them in clear: from now on it does not.
        let old = json!({"method": "GET", "headers": [["Cookie", "a=hunter2"]]});
        let old: Request = serde_json::from_value(old).unwrap();
        assert!(text(&old, false).contains("Cookie: a=hunter2\r\n"));
        assert!(!serde_json::to_string(&old).unwrap().contains("hunter2"));
        let broken = Request::get().with_header("Cookie", "hunter2\n").validate().unwrap_err();
        assert!(!broken.to_string().contains("hunter2"), "{broken}");
        let mut late = Request::get().with_header("X-Mine", "hunter3");
        assert!(late.keep_secret("x-mine") && !late.keep_secret("X-Other"));
        assert!(!format!("{late:?}").contains("hunter3"));
    }

    #[test]
    fn a_password_in_the_url_becomes_basic_authentication() {
        let target = Target::parse("http://us%65r:p%40ss@h/").unwrap();
        let sent =
            |request: Request| String::from_utf8(request.encode(&target, false).bytes).unwrap();
        // printf user:p@ss | base64
        assert!(sent(Request::get()).contains("\r\nAuthorization: Basic dXNlcjpwQHNz\r\n"));
        let own = sent(Request::get().with_header("authorization", "Bearer x"));
        assert!(own.contains("Bearer x") && !own.contains("Basic"), "{own}");
    }

    #[test]
    fn a_proxy_that_passes_requests_on_is_told_the_whole_url() {
        let proxy = || "http://u:p@127.0.0.1:3128".parse().unwrap();
        let sent = |url: &str, request: &Request| {
            let target = Target::parse(url).unwrap().with_proxy(proxy());
            String::from_utf8(request.encode(&target, false).bytes).unwrap()
        };
        let plain = sent("http://h:81/p?q", &Request::get());
        let expected = "GET http://h:81/p?q HTTP/1.1\r\nHost: h:81\r\n";
        assert!(plain.starts_with(expected), "{plain}");
        assert!(plain.contains("\r\nProxy-Authorization: Basic dTpw\r\n"), "{plain}");
        let own = Request::get().with_header("proxy-authorization", "Bearer x");
        assert!(!sent("http://h/", &own).contains("Basic"));
        // The server at the end of a tunnel is told nothing of it.
        let tunnelled = sent("https://h/p", &Request::get());
        assert!(tunnelled.starts_with("GET /p HTTP/1.1\r\nHost: h\r\n"), "{tunnelled}");
        assert!(!tunnelled.contains("Proxy"), "{tunnelled}");
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
