//! What a connection speaks below HTTP: bare TCP, or TLS over it. Never blocks.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::progress::{HandshakeError, Received};
use super::stamps::Stamps;
use super::tls::Agreed;
#[cfg(feature = "tls")]
use super::tls::TlsStream;
#[cfg(feature = "tls")]
use super::tunnel::Tunnel;
use super::{socket, sys};

/// A connection's bytes, plain or encrypted. The socket is non-blocking and
/// announced edge-triggered, so the caller goes on until [`WouldBlock`].
///
/// [`WouldBlock`]: io::ErrorKind::WouldBlock
#[derive(Debug)]
pub(crate) enum Transport {
    /// Bare TCP.
    Plain(OwnedFd),
    /// A unix socket.
    Unix(OwnedFd),
    /// TLS over TCP or a unix socket.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
}

impl Transport {
    /// The socket, to be registered.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(fd) | Self::Unix(fd) => fd.as_fd(),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.fd(),
        }
    }

    /// Whether a read may bring something that no event will tell of, since it came
    /// together with what has been read already.
    #[inline]
    pub(crate) fn has_pending(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Unix(_) => false,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.has_pending(),
        }
    }

    /// The same connection, whose TLS handshake is to be done in a tunnel, which a proxy is
    /// asked for by this request.
    pub(crate) fn through(self, request: &Arc<[u8]>) -> Self {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Self::Tls(Box::new(tls.through(Tunnel::new(Arc::clone(request))))),
            other => {
                let _ = request;
                other
            }
        }
    }

    /// Drives the TLS handshake, and the tunnel for it, as far as the socket allows. `true`: it is done
    /// (plain connections have none). To be called when the connect is done, and
    /// then at each readiness. What came with the handshake's end is not announced
    /// again: see [`Transport::has_pending`].
    pub(crate) fn handshake(&mut self) -> Result<bool, HandshakeError> {
        match self {
            Self::Plain(_) | Self::Unix(_) => Ok(true),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.handshake(),
        }
    }

    /// Takes what it can of `bytes`; `WouldBlock` when it can take nothing. Some
    /// of what was taken may wait for [`Transport::flush`].
    #[inline(always)]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(fd) | Self::Unix(fd) => sys::send(fd.as_fd(), bytes),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.send(bytes),
        }
    }

    /// Reads plaintext; 0 is the end of the stream (see [`Transport::truncated`]),
    /// `WouldBlock` that the socket has no more for now. `stamps` takes the kernel's
    /// timestamp, on a socket that was asked for them.
    #[inline(always)]
    pub(crate) fn recv(
        &mut self,
        buffer: &mut [u8],
        stamps: Option<&mut Stamps>,
    ) -> io::Result<Received> {
        match self {
            Self::Plain(fd) | Self::Unix(fd) => {
                let bytes = match stamps {
                    None => sys::recv(fd.as_fd(), buffer)?,
                    Some(stamps) => stamps.recv(fd.as_fd(), buffer)?,
                };
                // After a short read of a socket, what follows makes a new event.
                Ok(Received { bytes, drained: bytes < buffer.len() })
            }
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.recv(buffer, stamps),
        }
    }

    /// Whether received bytes can be dropped without being read: not where they must be
    /// decrypted first, and not from unix sockets, of which the kernel copies them to the
    /// null buffer that it is given, and says EFAULT.
    #[inline(always)]
    pub(crate) fn can_discard(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Unix(_) => false,
            #[cfg(feature = "tls")]
            Self::Tls(_) => false,
        }
    }

    /// Drops up to `most` bytes without reading them; `None` where that
    /// [cannot be done](Self::can_discard): read them then.
    pub(crate) fn discard(
        &mut self,
        most: usize,
        stamps: Option<&mut Stamps>,
    ) -> Option<io::Result<usize>> {
        match self {
            Self::Plain(fd) => Some(match stamps {
                None => sys::discard(fd.as_fd(), most),
                Some(stamps) => stamps.discard(fd.as_fd(), most),
            }),
            Self::Unix(_) => None,
            #[cfg(feature = "tls")]
            Self::Tls(_) => None,
        }
    }

    /// Reads what the socket has to nowhere, up to the peer's FIN; `true`: it came.
    pub(crate) fn has_ended(&self, buffer: &mut [u8]) -> io::Result<bool> {
        /// Reads of a peer that does not come to an end.
        const MOST: u32 = 16;
        for _ in 0..MOST {
            match sys::recv(self.fd(), buffer) {
                Ok(0) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// The stream has ended without the goodbye that TLS demands, so it may have
    /// been cut short by anyone. Plain streams cannot tell.
    pub(crate) fn truncated(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Unix(_) => false,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.truncated(),
        }
    }

    /// Ciphertext waits for the socket: call [`Transport::flush`] when writable.
    #[cfg(test)]
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Unix(_) => false,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.wants_write(),
        }
    }

    /// Writes waiting ciphertext; `true` when none is left.
    #[inline(always)]
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(_) | Self::Unix(_) => Ok(true),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// What was agreed on, once the handshake is done; `None` for plain ones.
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        match self {
            Self::Plain(_) | Self::Unix(_) => None,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.agreed(),
        }
    }

    /// Closes the connection, with TLS's goodbye if the socket takes it at once.
    pub(crate) fn close(self) {
        match self {
            Self::Plain(fd) | Self::Unix(fd) => drop(fd),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.close(),
        }
    }

    /// Closes the connection by RST, without a word.
    pub(crate) fn reset(self) {
        // Fails only on a socket that is no more: nothing is left to close then.
        let _ = socket::close_with_reset(self.fd());
    }
}
