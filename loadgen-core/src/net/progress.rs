//! What a read and a handshake come to, whatever a connection speaks below HTTP.

use std::io;

use super::tunnel::TunnelError;

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    /// Plaintext bytes; 0: the end of the stream.
    pub(crate) bytes: usize,
    /// Nothing more was there to be read: whatever comes later is announced.
    pub(crate) drained: bool,
}

/// Why a connection did not get through its TLS handshake.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "plain connections have none"))]
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// The connection broke below TLS.
    #[error("the connection broke during the TLS handshake: {0}")]
    Socket(io::Error),
    /// The server ended the connection without a word.
    #[error("the server closed the connection during the TLS handshake")]
    Closed,
    /// One side refused the other; the text says which and why.
    #[error("{0}")]
    Refused(String),
    /// There is no tunnel to do it in.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
}
