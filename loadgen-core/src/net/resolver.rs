//! From what a target names to where its connections go.

use std::ffi::CString;
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, ToSocketAddrs};

use super::endpoint::Endpoint;
use super::sys;

/// What is connected to, before it is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// What needs no resolver.
    At(Endpoint),
    /// A host, by its name or address, and a port.
    Host {
        /// An IPv6 address without brackets and zone.
        host: String,
        /// The zone of an IPv6 address.
        zone: Option<Vec<u8>>,
        port: u16,
    },
}

/// All endpoints of a place, in the resolver's order, each once; at least one. May take
/// as long as the resolver does: seconds, where a name server is silent.
pub(crate) fn resolve(place: &Place) -> io::Result<Vec<Endpoint>> {
    let (host, zone, port) = match place {
        Place::At(endpoint) => return Ok(vec![endpoint.clone()]),
        Place::Host { host, zone, port } => (host.as_str(), zone, *port),
    };
    if let (Some(zone), Ok(address)) = (zone, host.parse::<Ipv6Addr>()) {
        let address = SocketAddrV6::new(address, port, 0, scope(zone)?);
        return Ok(vec![Endpoint::Tcp(address.into())]);
    }
    let mut endpoints = Vec::new();
    for address in (host, port).to_socket_addrs()? {
        if !endpoints.contains(&Endpoint::Tcp(address)) {
            endpoints.push(Endpoint::Tcp(address));
        }
    }
    if endpoints.is_empty() {
        return Err(io::Error::other("the name has no address"));
    }
    Ok(endpoints)
}

/// The number of the zone of an IPv6 address (RFC 4007): which network interface it is
/// on, by its name or its number.
fn scope(zone: &[u8]) -> io::Result<u32> {
    let shown = String::from_utf8_lossy(zone).into_owned();
    if let Ok(number) = shown.parse::<u32>()
        && number > 0
    {
        return Ok(number);
    }
    let number = CString::new(zone).ok().and_then(|name| sys::interface_number(&name));
    number.ok_or_else(|| {
        io::Error::other(format!(
            "this machine has no network interface '{shown}', which is the zone of the address"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(host: &str) -> Place {
        Place::Host { host: host.to_owned(), zone: None, port: 80 }
    }

    #[test]
    fn addresses_need_no_resolver() {
        for (name, shown) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
            let found = resolve(&host(name)).unwrap();
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [shown]);
        }
        let unix = Endpoint::Unix("/run/a.sock".into());
        assert_eq!(resolve(&Place::At(unix.clone())).unwrap(), [unix]);
    }

    #[test]
    fn what_has_no_address_is_an_error() {
        assert!(resolve(&host("no name has a space")).is_err());
        let zone = Some(b"no-such".to_vec());
        let error = resolve(&Place::Host { host: "fe80::1".to_owned(), zone, port: 80 });
        assert!(error.unwrap_err().to_string().contains("no network interface 'no-such'"));
    }
}
