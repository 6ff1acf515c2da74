//! A TLS connection over a non-blocking socket.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustls::{ClientConnection, HandshakeKind, ProtocolVersion};

use super::failure::handshake_failure;
use crate::net::sys;
use crate::net::transport::{Agreed, HandshakeError};
use crate::session::TlsVersion;

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
}

impl TlsStream {
    pub(super) fn new(fd: OwnedFd, connection: ClientConnection) -> Self {
        Self { fd, connection, failure: None, truncated: false }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn handshake(&mut self) -> Result<bool, HandshakeError> {
        loop {
            let broken = match self.flush() {
                // Once it is done, what comes is for recv, which bounds it.
                Ok(flushed) if !self.connection.is_handshaking() => return Ok(flushed),
                Ok(_) => None,
                Err(error) => Some(error),
            };
            // A server that hangs up has often said why: the last words come first.
            match self.connection.read_tls(&mut Socket(self.fd.as_fd())) {
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

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.flush()? || self.connection.is_handshaking() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = self.connection.writer().write(&bytes[..bytes.len().min(RECORD)])?;
        self.flush()?;
        Ok(taken)
    }

    pub(crate) fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.truncated = true;
                    return Ok(0);
                }
                other => return other,
            }
            if let Some(failure) = &self.failure {
                return Err(io::Error::new(io::ErrorKind::InvalidData, failure.clone()));
            }
            self.connection.read_tls(&mut Socket(self.fd.as_fd()))?;
            self.process();
        }
    }

    pub(crate) fn truncated(&self) -> bool {
        self.truncated
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Socket(self.fd.as_fd())) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    pub(crate) fn close(mut self) {
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
            suite: self.connection.negotiated_cipher_suite()?.suite().as_str()?,
            resumed: self.connection.handshake_kind()? == HandshakeKind::Resumed,
        })
    }

    /// Decrypts what has been read, and answers what TLS itself wants answered.
    fn process(&mut self) {
        if let Err(error) = self.connection.process_new_packets() {
            self.failure = Some(handshake_failure(&error));
        }
        // A socket that takes nothing or is broken shows in what comes next.
        let _ = self.flush();
    }
}

/// A non-blocking socket in the eyes of the library.
struct Socket<'a>(BorrowedFd<'a>);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        sys::recv(self.0, buffer)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sys::send(self.0, bytes)
    }

    /// The messages of a flight in one segment.
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        socket2::SockRef::from(&self.0).send_vectored_with_flags(parts, libc::MSG_NOSIGNAL)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
