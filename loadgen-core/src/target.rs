//! Where the load goes: a URL, the addresses behind it, and the addresses that
//! connections come from.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use serde::{Deserialize, Serialize};

use crate::error::PlanError;

/// The server under load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    url: String,
    /// Where to connect instead of the addresses of the URL's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connect_to: Option<SocketAddr>,
    /// Local addresses that connections are opened from, in turn. Each adds its
    /// own range of ports (about 28,000) for a destination.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    source_addresses: Vec<IpAddr>,
}

/// The parts of an `http[s]://host[:port][/path][?query]` URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UrlParts<'a> {
    /// Host without the brackets of an IPv6 literal.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// As it stands in the `Host` header: brackets kept, port only if given.
    pub(crate) authority: &'a str,
    /// Path and query, at least `/`.
    pub(crate) path: &'a str,
    /// `https`.
    pub(crate) tls: bool,
}

impl Target {
    /// A target from an `http://` or `https://` URL. A URL without a scheme is taken as http.
    ///
    /// # Errors
    /// [`PlanError::Url`] if the URL has no host, a bad port, bytes that cannot
    /// stand in a request line, or another scheme.
    pub fn parse(url: &str) -> Result<Self, PlanError> {
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        split(&url)?;
        Ok(Self { url, connect_to: None, source_addresses: Vec::new() })
    }

    /// A server by name or address and port.
    ///
    /// # Errors
    /// [`PlanError::Url`] if the name cannot stand in a URL.
    pub fn host_port(host: &str, port: u16, tls: bool) -> Result<Self, PlanError> {
        let scheme = if tls { "https" } else { "http" };
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Self::parse(&format!("{scheme}://{host}:{port}/"))
    }

    /// Connects to this address instead of the URL's host; the `Host` header
    /// still names the host of the URL.
    #[must_use]
    pub fn with_connect_to(mut self, address: SocketAddr) -> Self {
        self.connect_to = Some(address);
        self
    }

    /// Opens connections from these local addresses, in turn.
    #[must_use]
    pub fn with_source_addresses(mut self, addresses: Vec<IpAddr>) -> Self {
        self.source_addresses = addresses;
        self
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The local addresses that connections come from; empty: the kernel chooses.
    #[must_use]
    pub fn source_addresses(&self) -> &[IpAddr] {
        &self.source_addresses
    }

    /// Whether connections go to an address of their own choice.
    pub(crate) fn connects_elsewhere(&self) -> bool {
        self.connect_to.is_some()
    }

    /// Whether the URL asks for TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.parts().is_ok_and(|parts| parts.tls)
    }

    /// The host of the URL, an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        self.parts().map_or("", |parts| parts.host)
    }

    /// The port of the URL, or that of its scheme.
    pub(crate) fn port(&self) -> u16 {
        self.parts().map_or(0, |parts| parts.port)
    }

    /// Host and port for the `Host` header (RFC 9110 §7.2).
    pub(crate) fn authority(&self) -> &str {
        self.parts().map_or("", |parts| parts.authority)
    }

    /// The same of another server on the target's port, by its name or address.
    pub(crate) fn authority_of(&self, server: &str) -> String {
        let host = if server.contains(':') { format!("[{server}]") } else { server.to_owned() };
        match (self.port(), self.is_tls()) {
            (80, false) | (443, true) => host,
            (port, _) => format!("{host}:{port}"),
        }
    }

    /// Path and query for the request line (RFC 9112 §3.2.1).
    pub(crate) fn path(&self) -> &str {
        self.parts().map_or("/", |parts| parts.path)
    }

    /// The addresses to try, in the resolver's order.
    pub(crate) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        if let Some(address) = self.connect_to {
            return Ok(vec![address]);
        }
        let parts = self.parts().map_err(io::Error::other)?;
        let addresses: Vec<_> = (parts.host, parts.port).to_socket_addrs()?.collect();
        if addresses.is_empty() {
            return Err(io::Error::other("the name has no address"));
        }
        Ok(addresses)
    }

    /// Checked again because a deserialised target has not been through [`Self::parse`].
    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        self.parts().map(|_| ())
    }

    fn parts(&self) -> Result<UrlParts<'_>, PlanError> {
        split(&self.url)
    }
}

fn split(url: &str) -> Result<UrlParts<'_>, PlanError> {
    let bad = |reason: &'static str| PlanError::Url { url: url.to_owned(), reason };
    if url.bytes().any(|b| b <= b' ' || b == 0x7f) {
        return Err(bad("it contains a space or a control character"));
    }
    let (tls, rest) = if let Some(rest) = url.strip_prefix("https://") {
        (true, rest)
    } else {
        let rest = url.strip_prefix("http://");
        (false, rest.ok_or_else(|| bad("only http:// and https:// URLs can be loaded"))?)
    };
    let rest = rest.split('#').next().unwrap_or(rest);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err(bad("user names in URLs are not sent: give an Authorization header"));
    }
    let path = match path.as_bytes().first() {
        None => "/",
        Some(b'/') => path,
        Some(_) => return Err(bad("a query needs a path before it, such as '/?'")),
    };
    let (host, port) = if let Some(literal) = authority.strip_prefix('[') {
        let (host, after) =
            literal.split_once(']').ok_or_else(|| bad("the IPv6 address has no closing ']'"))?;
        (host, after.strip_prefix(':').or(if after.is_empty() { None } else { Some("?") }))
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if host.is_empty() {
        return Err(bad("it names no host"));
    }
    let port = match port {
        None if tls => 443,
        None => 80,
        Some(text) => match text.parse::<u16>() {
            Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => port,
            _ => return Err(bad("the port is not a number from 1 to 65535")),
        },
    };
    Ok(UrlParts { host, port, authority, path, tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_url() {
        let parts = split("http://example.org:8080/a?b=c#d").unwrap();
        assert_eq!(parts.host, "example.org");
        assert_eq!(parts.port, 8080);
        assert_eq!(parts.authority, "example.org:8080");
        assert_eq!(parts.path, "/a?b=c");
        let parts = split("http://[::1]:81").unwrap();
        assert_eq!((parts.host, parts.port, parts.authority), ("::1", 81, "[::1]:81"));
        assert_eq!(parts.path, "/");
    }

    #[test]
    fn scheme_may_be_left_out() {
        assert_eq!(Target::parse("127.0.0.1:80/x").unwrap().url(), "http://127.0.0.1:80/x");
    }

    #[test]
    fn bad_urls_name_the_reason() {
        for (url, reason) in [
            ("ftp://a/", "only http"),
            ("http:///x", "no host"),
            ("http://a:0/", "port"),
            ("http://a:99999/", "port"),
            ("http://a:+80/", "port"),
            ("http://[::1/", "closing"),
            ("http://[::1]x/", "port"),
            ("http://a/b c", "space"),
            ("http://a/b\r\nX: y", "control"),
            ("http://u:p@a/", "Authorization"),
            ("http://a?x", "path"),
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }

    #[test]
    fn connect_to_wins_over_the_resolver() {
        let address: SocketAddr = "127.0.0.1:81".parse().unwrap();
        let target = Target::parse("http://no.such.host/").unwrap().with_connect_to(address);
        assert_eq!(target.resolve().unwrap(), vec![address]);
    }
}
