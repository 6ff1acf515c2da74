//! Connections that failed, counted.

use serde::{Deserialize, Serialize};

/// Connections that failed, by cause; a connection fails at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConnectionFailures {
    /// A time limit of ours passed.
    pub timeout: u64,
    /// The kernel gave up (`ETIMEDOUT`).
    pub kernel_timeout: u64,
    /// Refused (`ECONNREFUSED`).
    pub refused: u64,
    /// Reset or broken (`ECONNRESET`, `EPIPE`), or closed where a reply was due.
    pub reset: u64,
    /// No descriptor for this process (`EMFILE`).
    pub no_descriptor: u64,
    /// No descriptor on this machine (`ENFILE`).
    pub table_full: u64,
    /// No local port or address (`EADDRNOTAVAIL`).
    pub no_address: u64,
    /// The TLS handshake failed.
    pub tls: u64,
    /// Everything else.
    pub other: u64,
}

impl ConnectionFailures {
    pub(crate) fn add(&mut self, other: &Self) {
        self.timeout += other.timeout;
        self.kernel_timeout += other.kernel_timeout;
        self.refused += other.refused;
        self.reset += other.reset;
        self.no_descriptor += other.no_descriptor;
        self.table_full += other.table_full;
        self.no_address += other.no_address;
        self.tls += other.tls;
        self.other += other.other;
    }
}
