//! ICMP echo, by a datagram socket where the kernel lets this user have one
//! (`net.ipv4.ping_group_range`), else by a raw one (`CAP_NET_RAW`).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use socket2::{Domain, Protocol, Socket, Type};

use crate::clock::monotonic_ns;
use crate::net::sys;

/// Type, code, checksum, identifier, sequence number; then what is sent back.
const HEAD: usize = 8;
const PACKET: usize = HEAD + 8;

/// Types of a request and its reply.
const V4: (u8, u8) = (8, 0);
const V6: (u8, u8) = (128, 129);

pub(super) struct Echo {
    socket: Socket,
    is_v4: bool,
    /// A raw socket of IPv4: its packets come with the IP header, and go out with the
    /// checksum that we give them.
    raw_v4: bool,
    /// Sent along, so that the replies to others are not taken for ours.
    secret: u64,
}

impl Echo {
    pub(super) fn new(machine: IpAddr, source: Option<IpAddr>) -> io::Result<Self> {
        let (domain, protocol) = match machine {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let open = |kind: Type| Socket::new(domain, kind.nonblocking().cloexec(), Some(protocol));
        let (socket, raw) = match open(Type::DGRAM) {
            Ok(socket) => (socket, false),
            Err(_) => (open(Type::RAW)?, true),
        };
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        socket.connect(&SocketAddr::new(machine, 0).into())?;
        let secret = monotonic_ns().wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ u64::from(std::process::id()).rotate_left(32);
        let is_v4 = machine.is_ipv4();
        Ok(Self { socket, is_v4, raw_v4: raw && is_v4, secret })
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    fn types(&self) -> (u8, u8) {
        if self.is_v4 { V4 } else { V6 }
    }

    pub(super) fn send(&self, number: u64) -> io::Result<()> {
        let packet = request(self.types().0, self.secret, number);
        // A first failure may be the word of an earlier packet's.
        let sent = self.socket.send(&packet).or_else(|_| self.socket.send(&packet))?;
        if sent == PACKET { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Tells the numbers of the checks whose replies have come; all numbers are below
    /// `newest`.
    pub(super) fn answers(&self, newest: u64, mut tell: impl FnMut(u64)) {
        let mut buffer = [0; 256];
        let mut failures = 0;
        while failures < 16 {
            match sys::recv(self.socket.as_fd(), &mut buffer) {
                Ok(len) => {
                    if let Some(number) = self.number(&buffer[..len], newest) {
                        tell(number);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => failures += 1,
            }
        }
    }

    fn number(&self, bytes: &[u8], newest: u64) -> Option<u64> {
        let start = if self.raw_v4 { usize::from(bytes.first()? & 0x0f) * 4 } else { 0 };
        reply(bytes.get(start..)?, self.types().1, self.secret, newest)
    }
}

/// An echo request with its checksum; where the kernel has to make that itself (IPv6,
/// datagram sockets), it does not mind ours.
fn request(kind: u8, secret: u64, number: u64) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[0] = kind;
    packet[4..6].copy_from_slice(&(secret as u16).to_be_bytes());
    packet[6..8].copy_from_slice(&(number as u16).to_be_bytes());
    packet[HEAD..].copy_from_slice(&secret.to_be_bytes());
    let sum = checksum(&packet);
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// The internet checksum (RFC 1071) of a packet of whole 16-bit words.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks_exact(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The number of the check that this packet answers: the latest with these last 16
/// bits, which are sent again after a minute at the earliest.
fn reply(packet: &[u8], kind: u8, secret: u64, newest: u64) -> Option<u64> {
    let (head, rest) = packet.split_first_chunk::<HEAD>()?;
    if head[0] != kind || head[1] != 0 || !rest.starts_with(&secret.to_be_bytes()) {
        return None;
    }
    let low = u64::from(u16::from_be_bytes([head[6], head[7]]));
    let last = newest.checked_sub(1)?;
    last.checked_sub((last & 0xffff).wrapping_sub(low) & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_tells_its_number_however_often_they_came_round() {
        for number in [0, 1, 0xffff, 0x1_0000, 0x5_0003, 0xffff_ffff] {
            let mut packet = request(V4.0, 77, number);
            assert_eq!(checksum(&packet), 0, "with its checksum a packet sums up to nothing");
            assert_eq!(reply(&packet, V4.1, 77, number + 3), None, "a request is no reply");
            packet[0] = V4.1;
            for newer in [1, 2, 900] {
                assert_eq!(reply(&packet, V4.1, 77, number + newer), Some(number));
            }
            assert_eq!(reply(&packet, V4.1, 78, number + 1), None, "someone else's");
            assert_eq!(reply(&packet[..12], V4.1, 77, number + 1), None, "cut off");
        }
        assert_eq!(reply(&[], 0, 77, 1), None);
    }
}
