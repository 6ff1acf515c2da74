//! The bytes of requests. Those that are always the same are encoded once and
//! shared by all connections.

use crate::engine::workload::requests::Prepared;
use crate::protocol::http1::request;
use crate::request::Header;
use crate::session::{Head, HostLine, Script, ScriptedCall, Sessions, Uris};
use crate::target::Target;

/// Encodes requests.
#[derive(Debug)]
pub(super) struct Encoder {
    head: Head,
    /// Stands before each URI that is a path: a proxy is told the whole URL
    /// (RFC 9112 §3.2.2).
    before_path: Vec<u8>,
    /// The `Host` line of each server, if it has one.
    hosts: Vec<Vec<u8>>,
    /// The one request of each server, if there is but one.
    fixed: Vec<Prepared>,
}

impl Encoder {
    pub(super) fn new(target: &Target, sessions: &Sessions) -> Self {
        let hosts = host_lines(target, sessions);
        let before_path = target.request_target("").into_owned().into_bytes();
        let head = sessions.head.clone();
        let mut encoder = Self { head, before_path, hosts, fixed: Vec::new() };
        let scripted = matches!(sessions.script, Script::Log { .. } | Script::Pages { .. });
        if let (Uris::Fixed { uri }, false, false) = (&sessions.uris, scripted, sessions.cookies) {
            encoder.fixed = (0..encoder.hosts.len())
                .map(|server| encoder.encode(server, uri, None, None))
                .collect();
        }
        encoder
    }

    /// The request that all calls to a server share, if they do.
    pub(super) fn fixed(&self, server: usize) -> Option<&Prepared> {
        self.fixed.get(server)
    }

    /// A call of a log has a method, a body and headers of its own; `cookie` is a whole line.
    pub(super) fn encode(
        &self,
        server: usize,
        uri: &[u8],
        call: Option<&ScriptedCall>,
        cookie: Option<&[u8]>,
    ) -> Prepared {
        let method = call.map_or(&*self.head.method, |call| call.method.as_bytes());
        let body = call.map_or(&b""[..], |call| &call.body);
        let headers = self.headers(call.map_or(&[], |call| &call.headers));
        let before_path: &[u8] = if uri.starts_with(b"/") { &self.before_path } else { b"" };
        let length = match body.len() {
            0 => String::new(),
            _ if has(&headers, b"transfer-encoding:") => String::new(),
            _ if has(&headers, b"content-length:") => String::new(),
            length => format!("Content-length: {length}\r\n"),
        };
        let lines = [
            &*self.head.before_host,
            self.hosts.get(server).map_or(b"", |line| line.as_slice()),
            &self.head.after_host,
            &headers,
            length.as_bytes(),
            cookie.unwrap_or_default(),
        ];
        let target = [before_path, uri];
        let request = request::write(method, &target, self.head.minor_version, &lines, body);
        Prepared::alike(request, method == b"HEAD")
    }

    /// The lines of the headers that all calls have, and of a call's own, which go before
    /// those of the same name.
    fn headers(&self, own: &[Header]) -> Vec<u8> {
        let mut lines = Vec::new();
        let is_replaced = |header: &&Header| !own.iter().any(|own| own.is_named(header.name()));
        let all = self.head.headers.iter().filter(is_replaced);
        all.chain(own).for_each(|header| header.write(&mut lines));
        lines
    }
}

/// The `Host` line of each server; empty: none.
fn host_lines(target: &Target, sessions: &Sessions) -> Vec<Vec<u8>> {
    let line = |name: &[u8]| [b"Host: ", name, b"\r\n"].concat();
    let head = &sessions.head;
    let given = [&head.before_host, &head.after_host].iter().any(|lines| has(lines, b"host:"))
        || head.headers.iter().any(|header| header.is_named("host"));
    match (&head.host, sessions.servers.as_slice()) {
        (HostLine::OfTarget, servers) if given => vec![Vec::new(); servers.len().max(1)],
        (HostLine::OfTarget, []) => vec![line(target.authority().as_bytes())],
        (HostLine::OfTarget, servers) => {
            servers.iter().map(|name| line(target.authority_of(name).as_bytes())).collect()
        }
        (HostLine::Named(name), []) => vec![line(name)],
        (HostLine::Named(_), servers) => servers.iter().map(|name| line(name.as_bytes())).collect(),
        (HostLine::Omitted, servers) => vec![Vec::new(); servers.len().max(1)],
    }
}

/// Whether there is a line among these that begins so.
fn has(lines: &[u8], name: &[u8]) -> bool {
    let begins =
        |line: &[u8]| line.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
    lines.split(|byte| *byte == b'\n').any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Request, USER_AGENT};

    fn target() -> Target {
        Target::parse("http://h:81/p").unwrap()
    }

    #[test]
    fn the_host_of_the_url_is_named_unless_another_is() {
        let line = |sessions: &Sessions, server| {
            let encoder = Encoder::new(&target(), sessions);
            let bytes = &encoder.fixed(server).unwrap().keep;
            String::from_utf8(bytes.to_vec()).unwrap().replace("GET / HTTP/1.1\r\n", "")
        };
        let mut sessions = Sessions::connections(1);
        assert_eq!(line(&sessions, 0), "Host: h:81\r\n\r\n");
        sessions.head.after_host = "X: y\r\nhost: other\r\n".into();
        assert_eq!(line(&sessions, 0), "X: y\r\nhost: other\r\n\r\n");
        sessions.head.after_host = "X-Host: y\r\n".into();
        assert_eq!(line(&sessions, 0), "Host: h:81\r\nX-Host: y\r\n\r\n");
        sessions.servers = vec!["a".to_owned(), "::1".to_owned()];
        assert_eq!(line(&sessions, 0), "Host: a:81\r\nX-Host: y\r\n\r\n");
        assert_eq!(line(&sessions, 1), "Host: [::1]:81\r\nX-Host: y\r\n\r\n");
        sessions.head.host = HostLine::Omitted;
        assert_eq!(line(&sessions, 1), "X-Host: y\r\n\r\n");
    }

    #[test]
    fn lines_stand_in_order() {
        let mut sessions = Sessions::connections(1);
        sessions.head.before_host = "User-Agent: x\r\n".into();
        sessions.head.host = "h".into();
        sessions.head.after_host = "X-A: 1\r\n".into();
        let encoder = Encoder::new(&target(), &sessions);
        let plain = encoder.fixed(0).unwrap();
        assert_eq!(&*plain.keep, b"GET / HTTP/1.1\r\nUser-Agent: x\r\nHost: h\r\nX-A: 1\r\n\r\n");
        assert_eq!(plain.head, plain.keep.len());
        let call = ScriptedCall::new("POST", "/p").with_body("abc");
        let full = encoder.encode(0, b"/p", Some(&call), Some(b"Cookie: c=1\r\n"));
        assert_eq!(
            &*full.keep,
            b"POST /p HTTP/1.1\r\nUser-Agent: x\r\nHost: h\r\nX-A: 1\r\n\
              Content-length: 3\r\nCookie: c=1\r\n\r\nabc"
        );
        assert_eq!(full.keep.len() - full.head, 3);
    }

    #[test]
    fn a_call_has_the_headers_of_the_request_and_its_own_before_them() {
        let request = Request::get()
            .with_method("HEAD")
            .with_header("Accept", "a")
            .with_header("User-Agent", "x")
            .with_header("host", "other");
        let sessions = Sessions::connections(1).with_head_of(&request);
        let encoder = Encoder::new(&target(), &sessions);
        let sent = |call: Option<&ScriptedCall>| {
            String::from_utf8(encoder.encode(0, b"/", call, None).keep.to_vec()).unwrap()
        };
        let all = "Accept: a\r\nUser-Agent: x\r\nhost: other\r\n";
        assert_eq!(sent(None), format!("HEAD / HTTP/1.1\r\n{all}\r\n"));
        let call = ScriptedCall::new("GET", "/").with_header("accept", "b");
        let own = "User-Agent: x\r\nhost: other\r\naccept: b\r\n";
        assert_eq!(sent(Some(&call)), format!("GET / HTTP/1.1\r\n{own}\r\n"));
        let chunked = ScriptedCall::new("PUT", "/").with_body("0\r\n\r\n");
        let chunked = sent(Some(&chunked.with_header("Transfer-Encoding", "chunked")));
        assert!(!chunked.contains("Content-length"), "{chunked}");
        let given = ScriptedCall::new("PUT", "/").with_body("abc");
        let given = sent(Some(&given.with_header("content-length", "3")));
        assert!(given.ends_with("content-length: 3\r\n\r\nabc"), "{given}");
        assert!(!given.contains("Content-length"), "{given}");
        let plain = Sessions::connections(1).with_head_of(&Request::get());
        let agent = &plain.head.headers[0];
        assert_eq!((agent.name(), agent.sent()), ("User-Agent", Some(USER_AGENT)));
    }

    #[test]
    fn each_server_has_its_name() {
        let mut sessions = Sessions::connections(1);
        sessions.head.host = "h".into();
        sessions.servers = vec!["a".to_owned(), "b".to_owned()];
        let encoder = Encoder::new(&target(), &sessions);
        assert_eq!(&*encoder.fixed(1).unwrap().keep, b"GET / HTTP/1.1\r\nHost: b\r\n\r\n");
        sessions.head.method = "HEAD".into();
        assert!(Encoder::new(&target(), &sessions).fixed(0).unwrap().is_head);
    }
}
