//! A TLS connection over a non-blocking socket.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustls::{ClientConnection, HandshakeKind, ProtocolVersion};

use super::failure::handshake_failure;
use super::{Agreed, TlsVersion};
use crate::net::progress::{HandshakeError, Received};
use crate::net::stamps::Stamps;
use crate::net::sys;
use crate::net::tunnel::{Tunnel, TunnelError};

/// Most plaintext taken at once: a record. So at most one waits as ciphertext.
const RECORD: usize = 16 * 1024;

/// A TLS connection over a non-blocking socket. Holds at most one record in each
/// direction (16 KiB and a little), and during the handshake up to 64 KiB of it.
pub(crate) struct TlsStream {
    fd: OwnedFd,
    connection: ClientConnection,
    /// What ended TLS. Told after the data that came before it has been read.
    failure: Option<String>,
    truncated: bool,
    /// The last read took all that the socket had.
    drained: bool,
    /// Plaintext may be left to be taken.
    plaintext: bool,
    /// The peer has said that it will send nothing more.
    closed: bool,
    /// What has to be opened before TLS can be spoken.
    tunnel: Option<Box<Tunnel>>,
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream").field("fd", &self.fd).finish_non_exhaustive()
    }
}

impl TlsStream {
    pub(super) fn new(fd: OwnedFd, connection: ClientConnection) -> Self {
        Self {
            fd,
            connection,
            failure: None,
            truncated: false,
            drained: false,
            plaintext: false,
            closed: false,
            tunnel: None,
        }
    }

    /// The same in a tunnel, which is opened first.
    pub(crate) fn through(self, tunnel: Tunnel) -> Self {
        Self { tunnel: Some(Box::new(tunnel)), ..self }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn handshake(&mut self) -> Result<bool, HandshakeError> {
        if let Some(tunnel) = &mut self.tunnel {
            if !open(tunnel, self.fd.as_fd())? {
                return Ok(false);
            }
            self.tunnel = None;
        }
        loop {
            let broken = match self.flush() {
                // Once it is done, what comes is for recv, which bounds it.
                Ok(flushed) if !self.connection.is_handshaking() => return Ok(flushed),
                Ok(_) => None,
                Err(error) => Some(error),
            };
            // A server that hangs up has often said why: the last words come first.
            match self.read_socket(None) {
                Ok(0) => {
                    return Err(broken.map_or(HandshakeError::Closed, HandshakeError::Socket));
                }
                Ok(_) => {
                    self.process();
                    if let Some(failure) = self.failure.take() {
                        return Err(HandshakeError::Refused(failure));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return broken.map_or(Ok(false), |error| Err(HandshakeError::Socket(error)));
                }
                Err(error) => return Err(HandshakeError::Socket(broken.unwrap_or(error))),
            }
        }
    }

    #[inline(never)]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.flush()? || self.connection.is_handshaking() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = self.connection.writer().write(&bytes[..bytes.len().min(RECORD)])?;
        self.flush()?;
        Ok(taken)
    }

    #[inline(never)]
    pub(crate) fn recv(
        &mut self,
        buffer: &mut [u8],
        mut stamps: Option<&mut Stamps>,
    ) -> io::Result<Received> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.plaintext = false,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.truncated = true;
                    return Ok(Received { bytes: 0, drained: true });
                }
                Ok(bytes) => {
                    self.plaintext = bytes == buffer.len();
                    return Ok(Received { bytes, drained: !self.has_pending() });
                }
                Err(error) => return Err(error),
            }
            if let Some(failure) = &self.failure {
                return Err(io::Error::new(io::ErrorKind::InvalidData, failure.clone()));
            }
            self.read_socket(stamps.as_deref_mut())?;
            self.process();
        }
    }

    /// Whether a read would bring something, or might, that no event will tell of.
    pub(crate) fn has_pending(&self) -> bool {
        !self.drained || self.plaintext || self.closed || self.failure.is_some()
    }

    pub(crate) fn truncated(&self) -> bool {
        self.truncated
    }

    #[cfg(test)]
    pub(crate) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    #[inline(never)]
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Socket::new(self.fd.as_fd())) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    pub(crate) fn close(mut self) {
        if self.tunnel.is_some() {
            // The proxy would take it for a part of its own protocol.
            return;
        }
        self.connection.send_close_notify();
        // Whether the server hears it or not, the connection is over.
        let _ = self.flush();
    }

    pub(crate) fn agreed(&self) -> Option<Agreed> {
        let version = match self.connection.protocol_version()? {
            ProtocolVersion::TLSv1_2 => TlsVersion::V1_2,
            _ => TlsVersion::V1_3,
        };
        Some(Agreed {
            version,
            suite: self.connection.negotiated_cipher_suite()?.suite().as_str()?.into(),
            alpn: self.connection.alpn_protocol().is_some(),
            resumed: self.connection.handshake_kind()? == HandshakeKind::Resumed,
        })
    }

    fn read_socket(&mut self, stamps: Option<&mut Stamps>) -> io::Result<usize> {
        let mut socket = Socket { stamps, ..Socket::new(self.fd.as_fd()) };
        let read = self.connection.read_tls(&mut socket);
        self.drained = socket.drained;
        read
    }

    /// Decrypts what has been read, and answers what TLS itself wants answered.
    fn process(&mut self) {
        match self.connection.process_new_packets() {
            Ok(state) => {
                self.plaintext = state.plaintext_bytes_to_read() > 0;
                self.closed = state.peer_has_closed();
            }
            Err(error) => self.failure = Some(handshake_failure(&error)),
        }
        // A socket that takes nothing or is broken shows in what comes next.
        let _ = self.flush();
    }
}

/// A non-blocking socket in the eyes of the library.
struct Socket<'a> {
    fd: BorrowedFd<'a>,
    stamps: Option<&'a mut Stamps>,
    /// A read took all that there was.
    drained: bool,
}

impl<'a> Socket<'a> {
    fn new(fd: BorrowedFd<'a>) -> Self {
        Self { fd, stamps: None, drained: false }
    }
}

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.stamps {
            None => sys::recv(self.fd, buffer),
            Some(stamps) => stamps.recv(self.fd, buffer),
        };
        self.drained = match &read {
            Ok(n) => *n < buffer.len(),
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        read
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sys::send(self.fd, bytes)
    }

    /// The messages of a flight in one segment.
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        // A request is one record, for which the plain call is the cheaper one.
        if let [one] = parts {
            return self.write(one);
        }
        socket2::SockRef::from(&self.fd).send_vectored_with_flags(parts, libc::MSG_NOSIGNAL)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Goes on with a tunnel, as far as the socket allows; `true`: it is open.
fn open(tunnel: &mut Tunnel, fd: BorrowedFd<'_>) -> Result<bool, HandshakeError> {
    let mut broken = None;
    while !tunnel.unsent().is_empty() && broken.is_none() {
        match sys::send(fd, tunnel.unsent()) {
            Ok(n) => tunnel.sent(n),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // A proxy that hangs up may have said why.
            Err(error) => broken = Some(error),
        }
    }
    let mut buffer = [0; 2048];
    loop {
        match sys::recv(fd, &mut buffer) {
            Ok(0) => return Err(TunnelError::Closed.into()),
            Ok(n) => {
                if tunnel.received(&buffer[..n])? {
                    return Ok(true);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return broken.map_or(Ok(false), |error| Err(HandshakeError::Socket(error)));
            }
            Err(error) => return Err(HandshakeError::Socket(broken.unwrap_or(error))),
        }
    }
}
