//! The parts of a URL (RFC 3986, as far as `http` and `https` need it), and the form
//! for unix sockets: `unix:/run/app.sock:/path?query`.

use std::net::Ipv6Addr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::PlanError;
use crate::net::endpoint::{Endpoint, unix_path_error};
use crate::net::resolver::Place;
use crate::secret::{Secret, shown_url};

/// What a unix socket stands for in a request, which has to name some host.
const LOCALHOST: &str = "localhost";

/// The parts of an `http[s]://host[:port][/path][?query]` URL, or of a
/// `unix:/socket[:/path][?query]` one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UrlParts<'a> {
    /// Host without the brackets and the zone of an IPv6 address.
    pub(super) host: &'a str,
    /// The zone of an IPv6 address, as it is written behind `%25`.
    pub(super) zone: Option<&'a str>,
    pub(super) port: u16,
    /// As it stands in the URL: brackets and zone kept, port only if given.
    pub(super) authority: &'a str,
    /// Path and query, at least `/`.
    pub(super) path: &'a str,
    /// `https`.
    pub(super) tls: bool,
    /// The unix socket that it names.
    pub(super) unix: Option<&'a str>,
}

impl UrlParts<'_> {
    /// What is connected to.
    pub(super) fn place(&self) -> Place {
        match self.unix {
            Some(path) => Place::At(Endpoint::Unix(path.into())),
            None => Place::Host {
                host: self.host.to_owned(),
                zone: self.zone.and_then(percent_decoded),
                port: self.port,
            },
        }
    }
}

/// A host and a port as they stand in a URL.
pub(super) struct HostPort<'a> {
    /// Without the brackets and the zone of an IPv6 address.
    pub(super) host: &'a str,
    /// As it is written behind `%25`.
    pub(super) zone: Option<&'a str>,
    pub(super) port: Option<u16>,
}

/// The URL in the form that [`split`] takes (scheme in lower case, a path before a
/// query, neither user nor password), and the `Authorization` header of the latter.
pub(super) fn canonical(url: &str) -> Result<(String, Option<Secret>), PlanError> {
    let bad = |reason: &'static str| PlanError::Url { url: shown_url(url), reason };
    if let Some(unix) = after_unix(url) {
        let url = canonical_unix(unix);
        split(&url)?;
        return Ok((url, None));
    }
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?', '#', '@']) => {
            (scheme.to_ascii_lowercase(), rest)
        }
        _ => ("http".to_owned(), url),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let slash = if after.starts_with('?') { "/" } else { "" };
    let plain = format!("{scheme}://{host}{slash}{after}");
    split(&plain).map_err(|error| match error {
        // Shown as it was given, as far as it may be.
        PlanError::Url { reason, .. } => bad(reason),
        other => other,
    })?;
    let authorization = user.map(|user| basic(user).ok_or_else(|| bad(BAD_USER))).transpose()?;
    Ok((plain, authorization))
}

/// What follows the scheme of a URL of a unix socket. A URL without a scheme may have a
/// host of the same name: `unix:80/`.
pub(super) fn after_unix(url: &str) -> Option<&str> {
    let rest = url.get(5..).filter(|_| url[..5].eq_ignore_ascii_case("unix:"))?;
    // With the empty host of a file's URL it is the same: `unix:///run/app.sock`.
    let rest = rest.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(rest);
    (!rest.starts_with(|c: char| c.is_ascii_digit())).then_some(rest)
}

/// The same with a path before a query, and without a colon that nothing follows.
fn canonical_unix(rest: &str) -> String {
    let rest = rest.strip_suffix(':').unwrap_or(rest);
    match rest.split_once(":?") {
        Some((socket, query)) if !socket.contains(":/") => format!("unix:{socket}:/?{query}"),
        _ => format!("unix:{rest}"),
    }
}

/// Reads a canonical URL of a unix socket. Its path ends at the first `:/`, and stands
/// for itself: nothing in it is percent-decoded, as with other programs.
fn split_unix<'a>(url: &'a str, rest: &'a str) -> Result<UrlParts<'a>, PlanError> {
    let bad = |reason: &'static str| PlanError::Url { url: shown_url(url), reason };
    let (socket, path) = match rest.find(":/") {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (rest, "/"),
    };
    if let Some(reason) = unix_path_error(Path::new(socket)) {
        return Err(bad(reason));
    }
    if socket.contains('?') {
        return Err(bad("a query follows the path of the request: unix:/SOCKET:/PATH?QUERY"));
    }
    let path = path.split('#').next().unwrap_or(path);
    Ok(UrlParts {
        host: LOCALHOST,
        zone: None,
        port: 80,
        authority: LOCALHOST,
        path,
        tls: false,
        unix: Some(socket),
    })
}

const BAD_USER: &str = "user or password have a '%' that two hexadecimal digits do not follow: \
                        write '%' itself as %25";

/// Basic authentication (RFC 7617) with `user[:password]` of a URL.
fn basic(user: &str) -> Option<Secret> {
    let mut both = percent_decoded(user)?;
    if !user.contains(':') {
        both.push(b':');
    }
    Some(Secret::new(format!("Basic {}", STANDARD.encode(both))))
}

/// The bytes of a text with `%41` for `A`; `None` if a `%` is followed by anything else.
pub(super) fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, next)) = rest.split_first() {
        rest = next;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, next) = rest.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = digit(*digits.first()?)? * 16 + digit(*digits.last()?)?;
        bytes.push(u8::try_from(value).ok()?);
        rest = next;
    }
    Some(bytes)
}

/// Reads a canonical URL.
pub(super) fn split(url: &str) -> Result<UrlParts<'_>, PlanError> {
    let bad = |reason: &'static str| PlanError::Url { url: shown_url(url), reason };
    if url.bytes().any(|b| b <= b' ' || b == 0x7f) {
        return Err(bad("it contains a space or a control character"));
    }
    if let Some(rest) = url.strip_prefix("unix:") {
        return split_unix(url, rest);
    }
    let (tls, rest) = if let Some(rest) = url.strip_prefix("https://") {
        (true, rest)
    } else {
        let rest = url.strip_prefix("http://");
        (false, rest.ok_or_else(|| bad("only http://, https:// and unix: URLs can be loaded"))?)
    };
    let rest = rest.split('#').next().unwrap_or(rest);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err(bad("user and password are not where they should be"));
    }
    let path = match path.as_bytes().first() {
        None => "/",
        Some(b'/') => path,
        Some(_) => return Err(bad("a query needs a path before it, such as '/?'")),
    };
    let HostPort { host, zone, port } = host_port(authority).map_err(bad)?;
    let port = port.unwrap_or(if tls { 443 } else { 80 });
    Ok(UrlParts { host, zone, port, authority, path, tls, unix: None })
}

/// Reads `host[:port]`, or says what is wrong with it.
pub(super) fn host_port(authority: &str) -> Result<HostPort<'_>, &'static str> {
    let (host, zone, port) = if let Some(literal) = authority.strip_prefix('[') {
        let (address, after) =
            literal.split_once(']').ok_or("the IPv6 address has no closing ']'")?;
        let (host, zone) = match address.split_once("%25") {
            Some((_, "")) => return Err("the zone of the IPv6 address is empty"),
            Some((host, zone)) if percent_decoded(zone).is_some() => (host, Some(zone)),
            Some(_) => return Err("the zone of the IPv6 address has a '%' that means nothing"),
            None if address.contains('%') => {
                return Err("the zone of an IPv6 address is written with %25, as [fe80::1%25eth0]");
            }
            None => (address, None),
        };
        if host.parse::<Ipv6Addr>().is_err() {
            return Err("what stands in brackets is no IPv6 address");
        }
        (host, zone, after.strip_prefix(':').or(if after.is_empty() { None } else { Some("?") }))
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, None, Some(port)),
            None => (authority, None, None),
        }
    };
    if host.is_empty() {
        return Err("it names no host");
    }
    let port = port.map(|text| match text.parse::<u16>() {
        Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err("the port is not a number from 1 to 65535"),
    });
    Ok(HostPort { host, zone, port: port.transpose()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        assert_eq!((parts.path, parts.zone), ("/", None));
        let parts = split("http://[fe80::1%25eth0]/x").unwrap();
        assert_eq!((parts.host, parts.zone, parts.port), ("fe80::1", Some("eth0"), 80));
    }

    #[test]
    fn one_form_of_many() {
        for (given, url) in [
            ("HTTP://h/X", "http://h/X"),
            ("hTTps://h", "https://h"),
            ("h?x", "http://h/?x"),
            ("http://h?x=1/2#y", "http://h/?x=1/2#y"),
            ("h#f", "http://h#f"),
            ("127.0.0.1/?u=http://x@y/", "http://127.0.0.1/?u=http://x@y/"),
            ("u:p@h?x", "http://h/?x"),
            ("http://a@b:c@h", "http://h"),
        ] {
            let (canonical, _) = canonical(given).unwrap();
            assert_eq!(canonical, url);
            assert_eq!(super::canonical(&canonical).unwrap(), (canonical, None));
        }
        assert_eq!(split("http://h/?x").unwrap().path, "/?x");
    }

    #[test]
    fn unix_sockets() {
        for (given, url, socket, path) in [
            ("unix:/run/a.sock", "unix:/run/a.sock", "/run/a.sock", "/"),
            ("unix:/run/a.sock:", "unix:/run/a.sock", "/run/a.sock", "/"),
            ("UNIX:/a:/b?c=d:/e#f", "unix:/a:/b?c=d:/e#f", "/a", "/b?c=d:/e"),
            ("unix:/a:?b", "unix:/a:/?b", "/a", "/?b"),
            ("unix:/a:/b:?c", "unix:/a:/b:?c", "/a", "/b:?c"),
            ("unix:///run/a.sock:/b", "unix:/run/a.sock:/b", "/run/a.sock", "/b"),
            ("unix:@a:/b", "unix:@a:/b", "@a", "/b"),
            ("unix:/a%2Fb@c:1:/", "unix:/a%2Fb@c:1:/", "/a%2Fb@c:1", "/"),
        ] {
            let (canonical, secret) = canonical(given).unwrap();
            assert_eq!((canonical.as_str(), secret), (url, None));
            assert_eq!(super::canonical(&canonical).unwrap().0, canonical);
            let parts = split(&canonical).unwrap();
            assert_eq!((parts.unix, parts.path), (Some(socket), path));
            assert_eq!((parts.host, parts.authority, parts.tls), ("localhost", "localhost", false));
        }
        // A host of this name.
        let (url, _) = canonical("unix:81/x").unwrap();
        let parts = split(&url).unwrap();
        assert_eq!((parts.host, parts.port, parts.unix), ("unix", 81, None));
    }

    #[test]
    fn users_and_passwords() {
        let sent = |url: &str| canonical(url).unwrap().1.unwrap().reveal().unwrap().to_owned();
        // Each as `printf '%s' … | base64` has it.
        assert_eq!(sent("http://Aladdin:open%20sesame@h/"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(sent("http://key@h/"), "Basic a2V5Og==");
        assert_eq!(sent("http://u:a:b@h/"), "Basic dTphOmI=");
        assert_eq!(sent("http://a%40b:%C3%A9@h/"), "Basic YUBiOsOp");
    }

    #[test]
    fn bad_urls_name_the_reason_and_no_password() {
        for (url, reason) in [
            ("ftp://a/", "only http"),
            ("http:///x", "no host"),
            ("http://?x", "no host"),
            ("http://u:hunter2@/", "no host"),
            ("http://a:0/", "port"),
            ("http://a:99999/", "port"),
            ("http://a:+80/", "port"),
            ("http://u:hunter2@a:x/", "port"),
            ("http://u:hunter2/@a/", "port"),
            ("u:hunter2/@a", "port"),
            ("http://[::1/", "closing"),
            ("http://[::1]x/", "port"),
            ("http://[fe80::1%25]/", "zone"),
            ("http://[fe80::1%lo]/", "%25"),
            ("http://[fe80::1%25a%2]/", "zone"),
            ("http://[1.2.3.4]/", "no IPv6 address"),
            ("http://[a%25lo]/", "no IPv6 address"),
            ("unix:", "begins with"),
            ("unix:a.sock", "begins with"),
            ("unix://host/a", "a host"),
            ("unix:/", "no unix socket"),
            ("unix:/a?b", "follows the path"),
            ("unix:/a b", "space"),
            ("http://a/b c", "space"),
            ("http://u:hunter2@a/b c", "space"),
            ("http://a/b\r\nX: y", "control"),
            ("http://u:hunter2%@a/", "'%'"),
            ("ftp://u:hunter2@a/", "only http"),
        ] {
            let error = canonical(url).unwrap_err().to_string();
            assert!(error.contains(reason), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{url}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_no_error_has_a_password(
            text in "\\PC*", password in "[a-z]{9}", host in "[a-z\\[\\]:%@0-9]*", tail in "[/?#@a%]*",
        ) {
            let _ = canonical(&text);
            let url = format!("http://u:{password}@{host}{tail}");
            match canonical(&url) {
                Ok((plain, secret)) => {
                    prop_assert!(!plain.contains(&password) && secret.is_some());
                    prop_assert_eq!(canonical(&plain).unwrap(), (plain, None));
                }
                Err(error) => prop_assert!(!error.to_string().contains(&password)),
            }
        }
    }
}
