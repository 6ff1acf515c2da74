//! Where shards meet: `HOST:PORT`, for both sides.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};

use socket2::{Domain, Protocol, Socket, Type};

use super::error::SyncError;
use crate::printable::printable;

/// Connections that wait to be accepted, as the standard library has it.
const BACKLOG: i32 = 128;

/// Where shards meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    host: String,
    port: u16,
}

impl Place {
    /// Reads `HOST:PORT`; an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// [`SyncError::Place`] if it is not that.
    pub(super) fn parse(given: &str) -> Result<Self, SyncError> {
        Self::parts(given.trim()).ok_or_else(|| {
            let given: String = given.chars().take(80).collect();
            SyncError::Place { given: printable(&given).into_owned() }
        })
    }

    fn parts(given: &str) -> Option<Self> {
        let (host, port) = given.rsplit_once(':')?;
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let bare = host.strip_prefix('[').map_or(Some(host), |rest| rest.strip_suffix(']'))?;
        let is_host = if bare.len() < host.len() {
            bare.parse::<Ipv6Addr>().is_ok()
        } else {
            let odd = |c: char| c.is_whitespace() || c.is_control() || "/@:[]".contains(c);
            !bare.is_empty() && !bare.contains(odd)
        };
        let port = port.parse().ok()?;
        (is_port && is_host).then(|| Self { host: bare.to_owned(), port })
    }

    /// The addresses behind it, as they are now. Takes as long as the system's resolver.
    pub(super) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        Ok((self.host.as_str(), self.port).to_socket_addrs()?.collect())
    }

    /// Listens there. An address, and `localhost`, are taken as they are. Of any other name the
    /// port alone counts, at all addresses of this machine: a machine's own name often is 127.0.1.1
    /// on itself, or that of a service in front of it.
    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        if self.host.parse::<IpAddr>().is_ok() || self.host.eq_ignore_ascii_case("localhost") {
            return TcpListener::bind((self.host.as_str(), self.port));
        }
        // Where there is no IPv6, the other one is left.
        self.listen_at_all().or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, self.port)))
    }

    /// At all addresses of IPv6, and of IPv4 with them, whatever is usual here.
    fn listen_at_all(&self) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_only_v6(false)?;
        socket.set_reuse_address(true)?;
        let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.port));
        socket.bind(&all.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_hosts_with_ports() {
        for given in ["a.b:1", "127.0.0.1:0", "[::1]:65535", "job-0.svc:7000", "x_y:80"] {
            assert_eq!(Place::parse(given).unwrap().to_string(), given);
        }
        assert_eq!(Place::parse(" h:1\n").unwrap().to_string(), "h:1");
        for given in [
            "",
            "h",
            ":1",
            "h:",
            "h:65536",
            "h:+1",
            "h:-1",
            "::1:7000",
            "[::1]",
            "[::1:7",
            "[h]:7",
            "http://h:1",
            "a b:1",
            "u@h:1",
            "a:b:1",
            "\u{1b}h\n:1",
        ] {
            let error = Place::parse(given).unwrap_err().to_string();
            assert!(error.contains("HOST:PORT") && !error.contains('\u{1b}'), "{error}");
        }
    }

    #[test]
    fn an_address_is_listened_at_as_it_is() {
        let listener = Place::parse("127.0.0.1:0").unwrap().listen().unwrap();
        assert_eq!(listener.local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
        let local = Place::parse("localhost:0").unwrap().listen().unwrap();
        assert!(local.local_addr().unwrap().ip().is_loopback());
        // By a name at all addresses, of both kinds.
        let named = Place::parse("some.name:0").unwrap().listen().unwrap();
        let port = named.local_addr().unwrap().port();
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        let resolved = Place::parse("127.0.0.1:80").unwrap().resolve().unwrap();
        assert_eq!(resolved, ["127.0.0.1:80".parse::<SocketAddr>().unwrap()]);
    }
}
