//! Where the load goes, as the user said it: a URL, what is connected to in place of
//! its host, and the addresses that connections come from. How names become addresses
//! is in `net/resolver.rs`.
//!
//! Invariant: the URL of a [`Target`] holds neither user nor password. They become an
//! `Authorization` header, which is kept as a [`Secret`]. So it is with its proxy.

mod addresses;
mod connect_to;
mod proxy;
mod url;
mod validate;

use std::borrow::Cow;
use std::io;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::PlanError;
use crate::net::endpoint::Endpoint;
use crate::net::resolver::{self, Place};
use crate::net::tunnel;
use crate::secret::{Secret, shown_url};
pub use addresses::Addresses;
pub use connect_to::ConnectTo;
pub use proxy::Proxy;
use url::UrlParts;

const AUTHORIZATION: &str = "Authorization";
const PROXY_AUTHORIZATION: &str = "Proxy-Authorization";

/// The server under load.
///
/// ```
/// use loadgen_core::{Addresses, Target};
///
/// let by_name = Target::parse("https://shop.example/cart?full=1")?.with_addresses(Addresses::All);
/// assert_eq!(by_name.url(), "https://shop.example/cart?full=1");
/// // The server behind a name that leads elsewhere yet, and one on a unix socket.
/// let new_one = Target::parse("http://shop.example/")?.with_connect_to("10.0.0.7:8080".parse()?);
/// let local: Target = "unix:/run/app.sock:/health".parse()?;
/// assert!(new_one.connect_to().is_some() && local.connect_to().is_none());
/// # Ok::<(), loadgen_core::PlanError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Target {
    url: String,
    /// Value of the `Authorization` header, from user and password of the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization: Option<Secret>,
    /// Where to connect instead of the addresses of the URL's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_to: Option<ConnectTo>,
    /// Through which connections go.
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<Proxy>,
    /// Which of the addresses of a name connections go to.
    #[serde(skip_serializing_if = "Addresses::is_first")]
    addresses: Addresses,
    /// The name is resolved again for each new connection.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    resolve_again: bool,
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
    connect_to: Option<ConnectTo>,
    #[serde(default)]
    proxy: Option<Proxy>,
    #[serde(default)]
    addresses: Addresses,
    #[serde(default)]
    resolve_again: bool,
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
            proxy: written.proxy,
            addresses: written.addresses,
            resolve_again: written.resolve_again,
            source_addresses: written.source_addresses,
        }
    }
}

impl FromStr for Target {
    type Err = PlanError;

    /// As [`Target::parse`].
    fn from_str(url: &str) -> Result<Self, PlanError> {
        Self::parse(url)
    }
}

impl Target {
    /// A target from an `http://`, `https://` or `unix:` URL. A URL without a scheme is
    /// taken as http. User and password before the host (`http://user:password@host/`) are
    /// sent as basic authentication (RFC 7617) and written nowhere. An IPv6 address may
    /// have a zone (`http://[fe80::1%25eth0]/`, RFC 6874).
    ///
    /// A unix socket is `unix:/run/app.sock:/path?query`, or `unix:@name:/path` if it is
    /// an abstract one. Its path ends at the first `:/` and is taken as it stands; the
    /// `Host` header says `localhost`.
    ///
    /// # Errors
    /// [`PlanError::Url`] if the URL has no host, a bad port, bytes that cannot
    /// stand in a request line, or another scheme.
    pub fn parse(url: &str) -> Result<Self, PlanError> {
        let (url, authorization) = url::canonical(url)?;
        Ok(Self {
            url,
            authorization,
            connect_to: None,
            proxy: None,
            addresses: Addresses::First,
            resolve_again: false,
            source_addresses: Vec::new(),
        })
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

    /// Connects there instead of to the URL's host; the `Host` header still names the
    /// host of the URL.
    #[must_use]
    pub fn with_connect_to(mut self, place: ConnectTo) -> Self {
        self.connect_to = Some(place);
        self
    }

    /// Connects through a proxy.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Which of the addresses of the name connections go to.
    #[must_use]
    pub fn with_addresses(mut self, addresses: Addresses) -> Self {
        self.addresses = addresses;
        self
    }

    /// Resolves the name again for each new connection, which then goes to an address
    /// that the name had after the connection was asked for.
    #[must_use]
    pub fn with_resolve_again(mut self) -> Self {
        self.resolve_again = true;
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

    /// Where connections go instead of to the URL's host.
    #[must_use]
    pub fn connect_to(&self) -> Option<&ConnectTo> {
        self.connect_to.as_ref()
    }

    /// The proxy that connections go through.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// Which of the addresses of the name connections go to.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Whether the name is resolved again for each new connection.
    #[must_use]
    pub fn resolves_again(&self) -> bool {
        self.resolve_again
    }

    /// The `Authorization` header that the URL asks for.
    pub(crate) fn authorization(&self) -> Option<&Secret> {
        self.authorization.as_ref()
    }

    /// The headers whose values the URLs had, and a report did not keep.
    pub(crate) fn missing_secrets(&self) -> impl Iterator<Item = &'static str> {
        let missing = |secret: &Secret| secret.reveal().is_none();
        let own = self.authorization.as_ref().is_some_and(missing).then_some(AUTHORIZATION);
        let proxy = self.proxy.as_ref().is_some_and(Proxy::is_missing_authorization);
        own.into_iter().chain(proxy.then_some(PROXY_AUTHORIZATION))
    }

    /// Gives a missing header; what the report has of it.
    pub(crate) fn supply_secret(&mut self, name: &str, value: &str) -> Option<Secret> {
        if name.eq_ignore_ascii_case(PROXY_AUTHORIZATION) {
            return self.proxy.as_mut()?.supply_authorization(value);
        }
        let secret = self.authorization.as_mut()?;
        let asked = name.eq_ignore_ascii_case(AUTHORIZATION) && secret.reveal().is_none();
        asked.then(|| std::mem::replace(secret, Secret::new(value)))
    }

    /// The same target without what is secret about it.
    pub(crate) fn without_secrets(mut self) -> Self {
        self.authorization = self.authorization.map(|_| Secret::new(""));
        self.proxy = self.proxy.map(Proxy::without_secrets);
        self
    }

    /// Whether connections go to a place of their own choice.
    pub(crate) fn connects_elsewhere(&self) -> bool {
        self.connect_to.is_some()
    }

    /// Whether connections go to a unix socket.
    pub(crate) fn is_unix(&self) -> bool {
        matches!(self.place(), Ok(Place::At(Endpoint::Unix(_))))
    }

    /// Whether the URL asks for TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.parts().is_ok_and(|parts| parts.tls)
    }

    /// Whether a URL of it is one of the other's server: the same scheme, host and port.
    pub(crate) fn is_at_the_server_of(&self, other: &Self) -> bool {
        let parts = |target: &Self| {
            let parts = target.parts().ok()?;
            let host = parts.host.to_ascii_lowercase();
            Some((parts.tls, host, parts.port, parts.unix.map(str::to_owned)))
        };
        parts(self) == parts(other)
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

    /// What the request line names (RFC 9112 §3.2), with this path and query: the whole
    /// URL for a proxy that passes requests on, else the path.
    pub(crate) fn request_target<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match (&self.proxy, self.is_tls()) {
            (Some(_), false) => Cow::Owned(format!("http://{}{path}", self.authority())),
            _ => Cow::Borrowed(path),
        }
    }

    /// The `Proxy-Authorization` header for the requests of calls. One for a tunnel is
    /// not for the server at its end.
    pub(crate) fn proxy_authorization(&self) -> Option<&Secret> {
        self.proxy.as_ref().filter(|_| !self.is_tls())?.authorization()
    }

    /// What asks the proxy for a tunnel to the server, if connections need one.
    pub(crate) fn tunnel(&self) -> Option<Arc<[u8]>> {
        let proxy = self.proxy.as_ref().filter(|_| self.is_tls())?;
        let authority = match self.host() {
            host if host.contains(':') => format!("[{host}]:{}", self.port()),
            host => format!("{host}:{}", self.port()),
        };
        Some(tunnel::request(&authority, proxy.authorization().and_then(Secret::reveal)))
    }

    /// What is connected to.
    pub(crate) fn place(&self) -> Result<Place, PlanError> {
        match (&self.connect_to, &self.proxy) {
            (Some(place), _) => Ok(place.place().clone()),
            (None, Some(proxy)) => proxy.place(),
            (None, None) => Ok(self.parts()?.place()),
        }
    }

    /// The endpoints to try, in the resolver's order.
    pub(crate) fn resolve(&self) -> io::Result<Vec<Endpoint>> {
        resolver::resolve(&self.place().map_err(io::Error::other)?)
    }

    fn parts(&self) -> Result<UrlParts<'_>, PlanError> {
        url::split(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn scheme_may_be_left_out() {
        assert_eq!(Target::parse("127.0.0.1:80/x").unwrap().url(), "http://127.0.0.1:80/x");
    }

    #[test]
    fn connect_to_wins_over_the_resolver() {
        let target = || Target::parse("http://no.such.host/").unwrap();
        for place in ["127.0.0.1:81", "[::1]:81", "unix:/run/a.sock"] {
            let target = target().with_connect_to(place.parse().unwrap());
            assert_eq!(target.resolve().unwrap()[0].to_string(), place);
            assert_eq!(target.authority(), "no.such.host");
        }
        let named = target().with_connect_to("localhost:81".parse().unwrap());
        assert!(named.resolve().unwrap().iter().all(|endpoint| endpoint.tcp().is_some()));
    }

    #[test]
    fn passwords_are_in_no_url() {
        let target = Target::parse("http://user:hunter2@h:81/p?q").unwrap();
        assert_eq!((target.url(), target.host(), target.port()), ("http://h:81/p?q", "h", 81));
        let json = serde_json::to_string(&target).unwrap();
        assert!(!format!("{target:?}{json}").contains("hunter2"), "{json}");
        let mut kept: Target = serde_json::from_str(&json).unwrap();
        assert_eq!(kept, target);
        assert_eq!(kept.missing_secrets().collect::<Vec<_>>(), ["Authorization"]);
        assert!(kept.supply_secret("Proxy-Authorization", "x").is_none());
        assert!(kept.supply_secret("authorization", "Basic dXNlcjpodW50ZXIy").is_some());
        assert!(kept.supply_secret("authorization", "x").is_none());
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
    fn a_proxy_is_connected_to_and_told_the_whole_url() {
        let proxy: Proxy = "http://u:p@127.0.0.1:3128".parse().unwrap();
        let target = |url: &str| Target::parse(url).unwrap().with_proxy(proxy.clone());
        let plain = target("http://[fe80::1%25lo]:81/p");
        assert_eq!(plain.resolve().unwrap()[0].to_string(), "127.0.0.1:3128");
        assert_eq!(plain.request_target("/q?r"), "http://[fe80::1]:81/q?r");
        assert!(plain.proxy_authorization().is_some());
        let tls = target("https://h/p");
        assert_eq!(tls.request_target("/p"), "/p");
        assert!(tls.proxy_authorization().is_none() && plain.tunnel().is_none());
        let asked = |url: &str| String::from_utf8(target(url).tunnel().unwrap().to_vec()).unwrap();
        assert!(asked("https://h/p").starts_with("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n"));
        assert!(asked("https://[::1]:8443/").starts_with("CONNECT [::1]:8443 HTTP/1.1\r\n"));
        assert!(asked("https://h/p").contains("\r\nProxy-Authorization: Basic dTpw\r\n"));
        let json = serde_json::to_string(&plain).unwrap();
        let mut kept: Target = serde_json::from_str(&json).unwrap();
        assert_eq!(kept.missing_secrets().collect::<Vec<_>>(), ["Proxy-Authorization"]);
        assert!(kept.supply_secret("Authorization", "x").is_none());
        assert!(kept.supply_secret("proxy-authorization", "Basic dTpw").is_some());
        assert!(kept == plain && kept.missing_secrets().next().is_none());
    }

    #[test]
    fn old_and_new_targets_are_read() {
        let old = serde_json::json!({"url": "http://h/", "connect_to": "127.0.0.1:80"});
        let old: Target = serde_json::from_value(old).unwrap();
        assert_eq!(
            old,
            Target::parse("h/").unwrap().with_connect_to("127.0.0.1:80".parse().unwrap())
        );
        assert_eq!((old.addresses(), old.resolves_again()), (Addresses::First, false));
        let new = Target::parse("h/").unwrap().with_addresses(Addresses::All).with_resolve_again();
        let json = serde_json::to_string(&new).unwrap();
        assert!(json.contains(r#""addresses":"all","resolve_again":true"#), "{json}");
        assert_eq!(serde_json::from_str::<Target>(&json).unwrap(), new);
    }

    #[test]
    fn zones_are_scopes_and_stay_here() {
        let target = Target::parse("http://[fe80::1%25lo]:81/").unwrap();
        assert_eq!((target.host(), &*target.authority()), ("fe80::1", "[fe80::1]:81"));
        let Some(SocketAddr::V6(address)) = target.resolve().unwrap()[0].tcp() else {
            panic!("not IPv6")
        };
        // The loopback is the first interface of every network namespace.
        assert_eq!((address.scope_id(), address.port()), (1, 81));
        let by_number = Target::parse("http://[fe80::1%251]:81/").unwrap();
        assert_eq!(by_number.resolve().unwrap(), [Endpoint::from(SocketAddr::V6(address))]);
        assert_eq!(Target::host_port("fe80::1%lo", 81, false).unwrap(), target);
        let error = Target::parse("http://[fe80::1%25no-such]/").unwrap().resolve().unwrap_err();
        assert!(error.to_string().contains("no network interface 'no-such'"), "{error}");
    }
}
