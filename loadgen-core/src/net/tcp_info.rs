//! What the kernel says of one TCP connection at one moment, as far as it tells
//! why a call on it was slow. Asking costs about a µs, so it is done for slow calls
//! and a few connections ten times a second, never on the way of an ordinary call.

use std::os::fd::BorrowedFd;

use serde::{Deserialize, Serialize};

use super::{socket, sys};
use crate::clock::{MILLISECOND, Nanos};

/// The state of a connection whose handshake is under way.
const SYN_SENT: u8 = 2;

/// A sample of `TCP_INFO`. Ages are told by the kernel in its ticks: 1 to 10 ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TcpInfo {
    /// The handshake is not through.
    pub(crate) connecting: bool,
    /// Timeouts in a row that what is outstanding now has been sent again after.
    pub(crate) retransmits: u8,
    /// How often the timeout has been doubled.
    pub(crate) backoff: u8,
    /// Present retransmission timeout.
    pub(crate) rto_us: u32,
    /// Largest segment that is sent.
    pub(crate) segment_bytes: u32,
    /// Segments sent and not acknowledged.
    pub(crate) unacknowledged: u32,
    /// Segments taken for lost.
    pub(crate) lost: u32,
    /// Smoothed round trip and its deviation; 0: not measured yet.
    pub(crate) rtt_us: u32,
    pub(crate) rtt_var_us: u32,
    /// Segments sent again in the life of the connection, SYNs among them.
    pub(crate) total_retransmits: u32,
    /// Since data was last sent, or sent again.
    pub(crate) since_sent: Nanos,
    /// Since data was last received; on a new connection, since it was established.
    pub(crate) since_received: Nanos,
    /// Since an acknowledgement was last received, that of the SYN among them.
    pub(crate) since_acknowledged: Nanos,
    /// Received bytes wait to be read; told by [`Self::of_ended`] only.
    pub(crate) unread: bool,
}

impl TcpInfo {
    /// Asks the kernel; `None` if it does not say.
    pub(crate) fn of(fd: BorrowedFd<'_>) -> Option<Self> {
        let info = sys::tcp_info(fd).ok()?;
        let nanos = |ms: u32| u64::from(ms) * MILLISECOND;
        Some(Self {
            connecting: info.tcpi_state == SYN_SENT,
            retransmits: info.tcpi_retransmits,
            backoff: info.tcpi_backoff,
            rto_us: info.tcpi_rto,
            segment_bytes: info.tcpi_snd_mss,
            unacknowledged: info.tcpi_unacked,
            lost: info.tcpi_lost,
            rtt_us: info.tcpi_rtt,
            rtt_var_us: info.tcpi_rttvar,
            total_retransmits: info.tcpi_total_retrans,
            since_sent: nanos(info.tcpi_last_data_sent),
            since_received: nanos(info.tcpi_last_data_recv),
            since_acknowledged: nanos(info.tcpi_last_ack_recv),
            unread: false,
        })
    }

    /// The same at the end of a call, and whether something is left unread.
    pub(crate) fn of_ended(fd: BorrowedFd<'_>) -> Option<Self> {
        Some(Self { unread: socket::has_unread(fd), ..Self::of(fd)? })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_connection_tells_of_itself() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
        client.set_nonblocking(true).unwrap();
        assert!(!TcpInfo::of_ended(client.as_fd()).unwrap().unread);
        client.set_nonblocking(false).unwrap();
        server.write_all(b"yz").unwrap();
        client.read_exact(&mut [0]).unwrap();
        let info = TcpInfo::of_ended(client.as_fd()).unwrap();
        assert!(info.unread);
        assert!(!info.connecting);
        assert!(info.rtt_us > 0 && info.rto_us >= info.rtt_us && info.segment_bytes > 100);
        assert!(info.since_received < 60_000 * MILLISECOND, "{info:?}");
    }
}
