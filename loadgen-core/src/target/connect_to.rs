//! Where to connect in place of the URL's host: `--connect-to`.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::url::{self, HostPort};
use crate::error::PlanError;
use crate::net::endpoint::{Endpoint, unix_path_error};
use crate::net::resolver::Place;

/// Where to connect in place of the URL's host: a name or an address with a port, or a
/// unix socket. Written `HOST:PORT` (an IPv6 address in brackets) or `unix:/run/app.sock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConnectTo {
    /// As it was written.
    text: String,
    place: Place,
}

impl ConnectTo {
    /// What is connected to.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

impl FromStr for ConnectTo {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let bad = |reason| PlanError::ConnectTo { given: text.to_owned(), reason };
        let place = match url::after_unix(text) {
            Some(path) => {
                if let Some(reason) = unix_path_error(Path::new(path)) {
                    return Err(bad(reason));
                }
                Place::At(Endpoint::Unix(path.into()))
            }
            _ => match text.parse::<SocketAddr>() {
                Ok(address) if address.port() > 0 => Place::At(Endpoint::Tcp(address)),
                _ => host(text).map_err(bad)?,
            },
        };
        Ok(Self { text: text.to_owned(), place })
    }
}

/// A place from `HOST:PORT`, resolved as the host of a URL is.
fn host(text: &str) -> Result<Place, &'static str> {
    if text.contains(|c: char| c <= ' ' || c == '\u{7f}' || "/?#@".contains(c)) {
        return Err("write HOST:PORT, [IPV6]:PORT or unix:/PATH, and nothing else");
    }
    if text.matches(':').count() > 1 && !text.starts_with('[') {
        return Err("an IPv6 address stands in brackets, as [::1]:80");
    }
    let HostPort { host, zone, port } = url::host_port(text)?;
    let port = port.ok_or("it names no port: write HOST:PORT")?;
    let zone = zone.and_then(url::percent_decoded);
    Ok(Place::Host { host: host.to_owned(), zone, port })
}

impl From<SocketAddr> for ConnectTo {
    fn from(address: SocketAddr) -> Self {
        Self { text: address.to_string(), place: Place::At(Endpoint::Tcp(address)) }
    }
}

impl TryFrom<String> for ConnectTo {
    type Error = PlanError;

    fn try_from(text: String) -> Result<Self, PlanError> {
        text.parse()
    }
}

impl From<ConnectTo> for String {
    fn from(place: ConnectTo) -> Self {
        place.text
    }
}

impl fmt::Display for ConnectTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_in_three_ways() {
        let place = |text: &str| text.parse::<ConnectTo>().unwrap().place;
        let address = |text: &str| Place::At(Endpoint::Tcp(text.parse().unwrap()));
        assert_eq!(place("127.0.0.1:80"), address("127.0.0.1:80"));
        assert_eq!(place("[::1]:80"), address("[::1]:80"));
        let host = |host: &str, zone: Option<&str>, port| Place::Host {
            host: host.to_owned(),
            zone: zone.map(|zone| zone.as_bytes().to_vec()),
            port,
        };
        assert_eq!(place("new.example:8080"), host("new.example", None, 8080));
        assert_eq!(place("unix:80"), host("unix", None, 80));
        assert_eq!(place("[fe80::1%25eth0]:81"), host("fe80::1", Some("eth0"), 81));
        assert_eq!(place("unix:///run/a"), place("unix:/run/a"));
        for path in ["/run/with space?#%:/a", "@abstract"] {
            let unix = Place::At(Endpoint::Unix(path.into()));
            assert_eq!(place(&format!("unix:{path}")), unix);
        }
    }

    #[test]
    fn what_is_no_place_is_told() {
        for (text, word) in [
            ("", "no host"),
            (":80", "no host"),
            ("h", "no port"),
            ("h:0", "port"),
            ("127.0.0.1:0", "port"),
            ("h:x", "port"),
            ("::1:80", "brackets"),
            ("[::1]", "no port"),
            ("[fe80::1%eth0]:80", "%25"),
            ("http://h:80/", "nothing else"),
            ("h:80/x", "nothing else"),
            ("u@h:80", "nothing else"),
            ("unix:a", "begins with"),
            ("unix:", "begins with"),
            ("unix://h/a", "a host"),
        ] {
            let error = text.parse::<ConnectTo>().unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn it_stands_in_reports_as_it_was_written() {
        for text in ["127.0.0.1:80", "h:80", "unix:/a", "[fe80::1%25lo]:80"] {
            let place: ConnectTo = text.parse().unwrap();
            let json = serde_json::to_string(&place).unwrap();
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<ConnectTo>(&json).unwrap(), place);
        }
        let error = serde_json::from_str::<ConnectTo>("\"h\"").unwrap_err().to_string();
        assert!(error.contains("no port"), "{error}");
    }
}
