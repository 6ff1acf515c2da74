//! What sockets are told before they connect.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Options of the sockets, set before they connect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketOptions {
    /// `SO_SNDBUF` in bytes; `None`: as the kernel has it.
    pub send_buffer: Option<u32>,
    /// `SO_RCVBUF` in bytes; `None`: as the kernel has it.
    pub receive_buffer: Option<u32>,
    /// Every close sends RST (`SO_LINGER` of 0 s): no port is left in TIME_WAIT,
    /// and the server sees a broken connection.
    pub close_with_reset: bool,
    /// Local ports from 1024 on are taken in order, not chosen by the kernel.
    pub choose_ports: bool,
    /// Local addresses that connections come from, in turn; empty: the kernel
    /// chooses.
    pub sources: Vec<IpAddr>,
}
