//! Where the load goes: a URL, the addresses behind it, and the addresses that
//! connections come from.
//!
//! Invariant: the URL of a [`Target`] holds neither user nor password. They become an
//! `Authorization` header, which is kept as a [`Secret`].

mod url;
mod zone;

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};

use serde::{Deserialize, Serialize};

use crate::error::PlanError;
use crate::secret::{Secret, shown_url};
use url::UrlParts;

/// The server under load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Target {
    url: String,
    /// Value of the `Authorization` header, from user and password of the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization: Option<Secret>,
    /// Where to connect instead of the addresses of the URL's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_to: Option<SocketAddr>,
    /// Local addresses that connections are opened from, in turn. Each adds its
    /// own range of ports (about 28,000) for a destination.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    source_addresses: Vec<IpAddr>,
}

/// A target as it stands in a report, or as someone wrote it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    url: String,
    #[serde(default)]
    authorization: Option<Secret>,
    #[serde(default)]
    connect_to: Option<SocketAddr>,
    #[serde(default)]
    source_addresses: Vec<IpAddr>,
}

impl From<Written> for Target {
    /// A bad URL is told when the plan is validated.
    fn from(written: Written) -> Self {
        let (url, own) =
            url::canonical(&written.url).unwrap_or_else(|_| (shown_url(&written.url), None));
        Self {
            url,
            authorization: own.or(written.authorization),
            connect_to: written.connect_to,
            source_addresses: written.source_addresses,
        }
    }
}

impl Target {
    /// A target from an `http://` or `https://` URL. A URL without a scheme is taken as
    /// http. User and password before the host (`http://user:password@host/`) are sent
    /// as basic authentication (RFC 7617) and written nowhere. An IPv6 address may have a
    /// zone (`http://[fe80::1%25eth0]/`, RFC 6874).
    ///
    /// # Errors
    /// [`PlanError::Url`] if the URL has no host, a bad port, bytes that cannot
    /// stand in a request line, or another scheme.
    pub fn parse(url: &str) -> Result<Self, PlanError> {
        let (url, authorization) = url::canonical(url)?;
        Ok(Self { url, authorization, connect_to: None, source_addresses: Vec::new() })
    }

    /// A server by name or address and port. An IPv6 address may have a zone, as
    /// `fe80::1%eth0`.
    ///
    /// # Errors
    /// [`PlanError::Url`] if the name cannot stand in a URL.
    pub fn host_port(host: &str, port: u16, tls: bool) -> Result<Self, PlanError> {
        if host.contains(['/', '?', '#', '@']) {
            let reason = "a server is a name or an address, and nothing else";
            return Err(PlanError::Url { url: shown_url(host), reason });
        }
        let scheme = if tls { "https" } else { "http" };
        let host = match host.contains(':') {
            true => format!("[{}]", host.replacen('%', "%25", 1)),
            false => host.to_owned(),
        };
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

    /// The URL, without user and password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The local addresses that connections come from; empty: the kernel chooses.
    #[must_use]
    pub fn source_addresses(&self) -> &[IpAddr] {
        &self.source_addresses
    }

    /// The `Authorization` header that the URL asks for.
    pub(crate) fn authorization(&self) -> Option<&Secret> {
        self.authorization.as_ref()
    }

    /// Whether the URL had a password, which a report did not keep.
    pub(crate) fn is_missing_authorization(&self) -> bool {
        self.authorization.as_ref().is_some_and(|secret| secret.reveal().is_none())
    }

    /// Gives the missing header; what the report has of it.
    pub(crate) fn supply_authorization(&mut self, value: &str) -> Option<Secret> {
        self.is_missing_authorization().then(|| self.authorization.replace(Secret::new(value)))?
    }

    /// The same target without what is secret about it.
    pub(crate) fn without_secrets(mut self) -> Self {
        self.authorization = self.authorization.map(|_| Secret::new(""));
        self
    }

    /// Whether connections go to an address of their own choice.
    pub(crate) fn connects_elsewhere(&self) -> bool {
        self.connect_to.is_some()
    }

    /// Whether the URL asks for TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.parts().is_ok_and(|parts| parts.tls)
    }

    /// The host of the URL, an IPv6 address without its brackets and its zone.
    pub(crate) fn host(&self) -> &str {
        self.parts().map_or("", |parts| parts.host)
    }

    /// The port of the URL, or that of its scheme.
    pub(crate) fn port(&self) -> u16 {
        self.parts().map_or(0, |parts| parts.port)
    }

    /// Host and port for the `Host` header (RFC 9110 §7.2), without a zone, which means
    /// something on this machine only (RFC 6874 §4).
    pub(crate) fn authority(&self) -> Cow<'_, str> {
        let Ok(parts) = self.parts() else { return Cow::Borrowed("") };
        match parts.zone {
            None => Cow::Borrowed(parts.authority),
            Some(zone) => Cow::Owned(parts.authority.replacen(&format!("%25{zone}"), "", 1)),
        }
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
        if let (Some(zone), Ok(address)) = (parts.zone, parts.host.parse::<Ipv6Addr>()) {
            let scope = zone::scope(zone)?;
            return Ok(vec![SocketAddrV6::new(address, parts.port, 0, scope).into()]);
        }
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
        url::split(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_may_be_left_out() {
        assert_eq!(Target::parse("127.0.0.1:80/x").unwrap().url(), "http://127.0.0.1:80/x");
    }

    #[test]
    fn connect_to_wins_over_the_resolver() {
        let address: SocketAddr = "127.0.0.1:81".parse().unwrap();
        let target = Target::parse("http://no.such.host/").unwrap().with_connect_to(address);
        assert_eq!(target.resolve().unwrap(), vec![address]);
    }

    #[test]
    fn passwords_are_in_no_url() {
        let target = Target::parse("http://user:hunter2@h:81/p?q").unwrap();
        assert_eq!((target.url(), target.host(), target.port()), ("http://h:81/p?q", "h", 81));
        let json = serde_json::to_string(&target).unwrap();
        assert!(!format!("{target:?}{json}").contains("hunter2"), "{json}");
        let mut kept: Target = serde_json::from_str(&json).unwrap();
        assert_eq!(kept, target);
        assert!(kept.is_missing_authorization());
        assert!(kept.supply_authorization("Basic dXNlcjpodW50ZXIy").is_some());
        assert_eq!(kept, target);
        // Someone wrote a report by hand, or badly.
        for url in ["http://u:hunter2@h/", "http://u:hunter2@h:x/", "http://u:hunt/er2@h/"] {
            let written = serde_json::json!({ "url": url });
            let target: Target = serde_json::from_value(written).unwrap();
            let error = target.validate().map_or_else(|e| e.to_string(), |()| String::new());
            let all = format!("{target:?}{}{error}", serde_json::to_string(&target).unwrap());
            assert!(!all.contains("er2"), "{all}");
        }
    }

    #[test]
    fn zones_are_scopes_and_stay_here() {
        let target = Target::parse("http://[fe80::1%25lo]:81/").unwrap();
        assert_eq!((target.host(), &*target.authority()), ("fe80::1", "[fe80::1]:81"));
        let SocketAddr::V6(address) = target.resolve().unwrap()[0] else { panic!("not IPv6") };
        // The loopback is the first interface of every network namespace.
        assert_eq!((address.scope_id(), address.port()), (1, 81));
        let by_number = Target::parse("http://[fe80::1%251]:81/").unwrap();
        assert_eq!(by_number.resolve().unwrap(), vec![SocketAddr::V6(address)]);
        assert_eq!(Target::host_port("fe80::1%lo", 81, false).unwrap(), target);
        let error = Target::parse("http://[fe80::1%25no-such]/").unwrap().resolve().unwrap_err();
        assert!(error.to_string().contains("no network interface 'no-such'"), "{error}");
    }
}
