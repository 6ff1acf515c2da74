//! The bytes of requests. Those that are always the same are encoded once and
//! shared by all connections.

use crate::engine::workload::requests::Prepared;
use crate::protocol::http1::request;
use crate::session::{Head, HostLine, Script, Sessions, Uris};
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
                .map(|server| encoder.encode(server, None, uri, None, b""))
                .collect();
        }
        encoder
    }

    /// The request that all calls to a server share, if they do.
    pub(super) fn fixed(&self, server: usize) -> Option<&Prepared> {
        self.fixed.get(server)
    }

    /// `method` of `None` is the plan's; `cookie` is a whole line.
    pub(super) fn encode(
        &self,
        server: usize,
        method: Option<&str>,
        uri: &[u8],
        cookie: Option<&[u8]>,
        body: &[u8],
    ) -> Prepared {
        let method = method.map_or(&*self.head.method, str::as_bytes);
        let before_path: &[u8] = if uri.starts_with(b"/") { &self.before_path } else { b"" };
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-length: {length}\r\n"),
        };
        let lines = [
            &*self.head.before_host,
            self.hosts.get(server).map_or(b"", |line| line.as_slice()),
            &self.head.after_host,
            length.as_bytes(),
            cookie.unwrap_or_default(),
        ];
        let target = [before_path, uri];
        let request = request::write(method, &target, self.head.minor_version, &lines, body);
        Prepared::alike(request, method == b"HEAD")
    }
}

/// The `Host` line of each server; empty: none.
fn host_lines(target: &Target, sessions: &Sessions) -> Vec<Vec<u8>> {
    let line = |name: &[u8]| [b"Host: ", name, b"\r\n"].concat();
    let head = &sessions.head;
    let given = has_host(&head.before_host) || has_host(&head.after_host);
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

/// Whether there is a `Host` line among these.
fn has_host(lines: &[u8]) -> bool {
    let name = |line: &[u8]| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"host:"));
    lines.split(|byte| *byte == b'\n').any(name)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let full = encoder.encode(0, Some("POST"), b"/p", Some(b"Cookie: c=1\r\n"), b"abc");
        assert_eq!(
            &*full.keep,
            b"POST /p HTTP/1.1\r\nUser-Agent: x\r\nHost: h\r\nX-A: 1\r\n\
              Content-length: 3\r\nCookie: c=1\r\n\r\nabc"
        );
        assert_eq!(full.keep.len() - full.head, 3);
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
