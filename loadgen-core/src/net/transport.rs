//! What a connection speaks below HTTP: bare TCP, or TLS over it. Never blocks.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::sys;
#[cfg(feature = "tls")]
use super::tls::TlsStream;
#[cfg(feature = "tls")]
use crate::session::TlsVersion;

/// A connection's bytes, plain or encrypted. The socket is non-blocking and
/// announced edge-triggered, so the caller goes on until [`WouldBlock`].
///
/// [`WouldBlock`]: io::ErrorKind::WouldBlock
pub(crate) enum Transport {
    /// Bare TCP.
    Plain(OwnedFd),
    /// TLS over it.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
}

/// What both sides of a TLS connection have agreed on.
#[cfg(feature = "tls")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) version: TlsVersion,
    /// The name that rustls has for it: IANA's, with `TLS13_` for those of 1.3.
    pub(crate) suite: &'static str,
    /// An earlier TLS session was taken up, which spares the server most work.
    pub(crate) resumed: bool,
}

/// Why a connection did not get through its TLS handshake.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "plain connections have none"))]
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// The connection broke below TLS.
    #[error("the connection broke during the TLS handshake: {0}")]
    Socket(#[source] io::Error),
    /// The server ended the connection without a word.
    #[error("the server closed the connection during the TLS handshake")]
    Closed,
    /// One side refused the other; the text says which and why.
    #[error("{0}")]
    Refused(String),
}

impl Transport {
    /// The socket, to be registered.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(fd) => fd.as_fd(),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.fd(),
        }
    }

    /// Drives the TLS handshake as far as the socket allows. `true`: it is done
    /// (plain connections have none). To be called when the connect is done, and
    /// then at each readiness. The caller reads once after it: what came with the
    /// handshake's end is not announced again.
    pub(crate) fn handshake(&mut self) -> Result<bool, HandshakeError> {
        match self {
            Self::Plain(_) => Ok(true),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.handshake(),
        }
    }

    /// Takes what it can of `bytes`; `WouldBlock` when it can take nothing. Some
    /// of what was taken may wait for [`Transport::flush`].
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(fd) => sys::send(fd.as_fd(), bytes),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.send(bytes),
        }
    }

    /// Reads plaintext; 0 is the end of the stream (see [`Transport::truncated`]),
    /// `WouldBlock` that the socket has no more for now.
    pub(crate) fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(fd) => sys::recv(fd.as_fd(), buffer),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.recv(buffer),
        }
    }

    /// Drops up to `most` bytes without reading them; `None` where they must be
    /// decrypted first: read them then.
    pub(crate) fn discard(&mut self, most: usize) -> Option<io::Result<usize>> {
        match self {
            Self::Plain(fd) => Some(sys::discard(fd.as_fd(), most)),
            #[cfg(feature = "tls")]
            Self::Tls(_) => None,
        }
    }

    /// The stream has ended without the goodbye that TLS demands, so it may have
    /// been cut short by anyone. Plain streams cannot tell.
    pub(crate) fn truncated(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.truncated(),
        }
    }

    /// Ciphertext waits for the socket: call [`Transport::flush`] when writable.
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.wants_write(),
        }
    }

    /// Writes waiting ciphertext; `true` when none is left.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(true),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// What was agreed on, once the handshake is done; `None` for plain ones.
    #[cfg(feature = "tls")]
    #[cfg_attr(not(test), expect(dead_code, reason = "for reports"))]
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => tls.agreed(),
        }
    }

    /// Closes the connection, with TLS's goodbye if the socket takes it at once.
    pub(crate) fn close(self) {
        match self {
            Self::Plain(fd) => drop(fd),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.close(),
        }
    }
}
