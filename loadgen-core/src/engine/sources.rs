//! Which local address and port the next connection comes from.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::Socket;

use crate::net::endpoint::Endpoint;
use crate::net::{SocketOptions, socket};

/// The first port that is taken when we choose; those below are reserved.
const FIRST_PORT: u16 = 1024;

/// Local addresses in turn, and ports in order.
#[derive(Debug)]
pub(super) struct Sources {
    addresses: Vec<IpAddr>,
    next: usize,
    /// The next port of each address; none: the kernel chooses.
    ports: Vec<u16>,
    /// From one port to the next: workers share the range.
    stride: u16,
    /// Each connection comes from the next address, whatever comes of it, as with httperf.
    /// Otherwise from one of the server's family, or another one if that has no port left.
    strictly: bool,
}

impl Sources {
    pub(super) fn new(options: &SocketOptions, (shard, shards): (u32, u32)) -> Self {
        let addresses = options.sources.clone();
        let ports = if options.choose_ports { addresses.len().max(1) } else { 0 };
        Self {
            next: if addresses.is_empty() { 0 } else { shard as usize % addresses.len() },
            // A plan has 1024 workers at the most.
            ports: vec![FIRST_PORT + shard as u16; ports],
            stride: shards as u16,
            addresses,
            strictly: false,
        }
    }

    /// The same, of which each is used in its turn.
    pub(super) fn strictly_in_turn(self) -> Self {
        Self { strictly: true, ..self }
    }

    /// Whether connections to `server` can come from these addresses.
    pub(super) fn fit(&self, server: &Endpoint) -> bool {
        match (self.addresses.first(), server.tcp()) {
            (Some(source), Some(server)) => self.strictly || source.is_ipv4() == server.is_ipv4(),
            _ => true,
        }
    }

    /// How many addresses are tried for a connection.
    pub(super) fn tries(&self) -> usize {
        if self.strictly { 1 } else { self.addresses.len().max(1) }
    }

    /// Binds a socket to where the next connection to `server` comes from.
    pub(super) fn bind(&mut self, socket: &Socket, server: SocketAddr) -> io::Result<()> {
        if self.ports.is_empty() {
            let source = self.take(server);
            return source.map_or(Ok(()), |source| socket::bind(socket, source));
        }
        for _ in 0..self.ports() {
            let Some(source) = self.take(server) else { break };
            match socket::bind(socket, source) {
                Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {}
                other => return other,
            }
        }
        Err(io::Error::from_raw_os_error(libc::EADDRINUSE))
    }

    /// Where the next connection to `server` comes from; `None`: as the kernel
    /// likes.
    fn take(&mut self, server: SocketAddr) -> Option<SocketAddr> {
        let address = self.addresses.get(self.next).copied();
        let port = self.ports.get_mut(self.next).map(|port| {
            let taken = *port;
            *port = match taken.checked_add(self.stride) {
                Some(next) => next,
                None => FIRST_PORT + (taken - FIRST_PORT) % self.stride,
            };
            taken
        });
        if !self.addresses.is_empty() {
            self.next = (self.next + 1) % self.addresses.len();
        }
        let any: IpAddr = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        (address.is_some() || port.is_some())
            .then(|| SocketAddr::new(address.unwrap_or(any), port.unwrap_or(0)))
    }

    /// How many ports a worker has to try before all are known to be taken.
    fn ports(&self) -> usize {
        usize::from((u16::MAX - FIRST_PORT) / self.stride) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_ascend_and_wrap_within_their_stripe() {
        let options = SocketOptions { choose_ports: true, ..SocketOptions::default() };
        let server = "127.0.0.1:80".parse().unwrap();
        let mut sources = Sources::new(&options, (1, 3));
        let port = |s: &mut Sources| s.take(server).unwrap().port();
        assert_eq!((port(&mut sources), port(&mut sources)), (1025, 1028));
        let stripe = sources.ports();
        let ports: std::collections::BTreeSet<_> =
            (0..stripe).map(|_| port(&mut sources)).collect();
        assert_eq!(ports.len(), stripe);
        assert!(ports.iter().all(|port| port % 3 == 1025 % 3));
        for shards in [1, 2, 1024] {
            let mut sources = Sources::new(&options, (shards - 1, shards));
            assert!((0..70_000).all(|_| port(&mut sources) >= 1024));
        }
    }

    #[test]
    fn the_kernel_chooses_unless_told() {
        let server = "[::1]:80".parse().unwrap();
        assert_eq!(Sources::new(&SocketOptions::default(), (0, 1)).take(server), None);
        let options =
            SocketOptions { sources: vec!["::2".parse().unwrap()], ..SocketOptions::default() };
        assert_eq!(Sources::new(&options, (0, 1)).take(server), "[::2]:0".parse().ok());
    }
}
