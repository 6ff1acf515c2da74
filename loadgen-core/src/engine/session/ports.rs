//! Which local address and port the next connection comes from.

use std::net::{IpAddr, SocketAddr};

use crate::session::SocketOptions;

/// The first port that is taken when we choose; those below are reserved.
const FIRST_PORT: u16 = 1024;

/// Local addresses in turn, and ports in order.
pub(super) struct Sources {
    addresses: Vec<IpAddr>,
    next: usize,
    /// The next port of each address; none: the kernel chooses.
    ports: Vec<u16>,
    /// From one port to the next: workers share the range.
    stride: u16,
}

impl Sources {
    pub(super) fn new(options: &SocketOptions, shard: u32, shards: u32) -> Self {
        let addresses = options.sources.clone();
        let ports = if options.choose_ports { addresses.len().max(1) } else { 0 };
        Self {
            next: if addresses.is_empty() { 0 } else { shard as usize % addresses.len() },
            ports: vec![FIRST_PORT + (shard % 1024) as u16; ports],
            stride: (shards % 1024) as u16,
            addresses,
        }
    }

    /// Where the next connection to `server` comes from; `None`: as the kernel
    /// likes.
    pub(super) fn take(&mut self, server: SocketAddr) -> Option<SocketAddr> {
        let address = self.addresses.get(self.next).copied();
        let port = self.ports.get_mut(self.next).map(|port| {
            let taken = *port;
            *port = taken.checked_add(self.stride).unwrap_or(FIRST_PORT + taken % self.stride);
            taken
        });
        if !self.addresses.is_empty() {
            self.next = (self.next + 1) % self.addresses.len();
        }
        let any: IpAddr = match server {
            SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        (address.is_some() || port.is_some())
            .then(|| SocketAddr::new(address.unwrap_or(any), port.unwrap_or(0)))
    }

    /// How many ports there are to try before all are known to be taken; 1 where
    /// the kernel chooses.
    pub(super) fn tries(&self) -> u32 {
        if self.ports.is_empty() { 1 } else { u32::from(u16::MAX - FIRST_PORT) / 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_ascend_and_wrap_within_their_stripe() {
        let options = SocketOptions { choose_ports: true, ..SocketOptions::default() };
        let server = "127.0.0.1:80".parse().unwrap();
        let mut sources = Sources::new(&options, 1, 3);
        let port = |s: &mut Sources| s.take(server).unwrap().port();
        assert_eq!((port(&mut sources), port(&mut sources)), (1025, 1028));
        sources.ports[0] = 65_534;
        assert_eq!(port(&mut sources), 65_534);
        assert!(port(&mut sources) < 1030);
    }

    #[test]
    fn the_kernel_chooses_unless_told() {
        let server = "[::1]:80".parse().unwrap();
        assert_eq!(Sources::new(&SocketOptions::default(), 0, 1).take(server), None);
        let options =
            SocketOptions { sources: vec!["::2".parse().unwrap()], ..SocketOptions::default() };
        assert_eq!(Sources::new(&options, 0, 1).take(server), "[::2]:0".parse().ok());
    }
}
