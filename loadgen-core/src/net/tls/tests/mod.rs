//! Against a real server on the loopback, by edge-triggered readiness as in the
//! engine: a readiness that is not announced is a test that fails.

#![allow(clippy::unwrap_used)]

mod handshakes;
mod measure;
mod transfers;
mod verification;

use std::io;
use std::net::SocketAddr;

use super::test_server::{self, Authority, TestServer};
use super::{TlsSessionCache, TlsSettings};
use crate::clock::{SECOND, monotonic_ns};
use crate::net::poll::Poll;
use crate::net::progress::HandshakeError;
use crate::net::tls::Tls;
use crate::net::transport::Transport;
use crate::net::{SocketOptions, socket};
use crate::plan::Precision;

/// A connection with a loop of its own.
struct Client {
    transport: Transport,
    poll: Poll,
}

impl Client {
    /// Connected, but not yet by TLS.
    fn open(settings: &TlsSettings, cache: &mut TlsSessionCache, address: SocketAddr) -> Self {
        let server = address.into();
        let fd = socket::prepare(&server, &SocketOptions::default()).unwrap();
        socket::begin(&fd, &server).unwrap();
        let transport = settings.connect(fd.into(), cache).unwrap();
        let poll = Poll::new(Precision::Low).unwrap();
        poll.register(transport.fd(), 0).unwrap();
        Self { transport, poll }
    }

    fn connect(settings: &TlsSettings, address: SocketAddr) -> Result<Self, HandshakeError> {
        Self::connect_in(settings, &mut TlsSessionCache::default(), address)
    }

    fn connect_in(
        settings: &TlsSettings,
        cache: &mut TlsSessionCache,
        address: SocketAddr,
    ) -> Result<Self, HandshakeError> {
        let mut client = Self::open(settings, cache, address);
        while !client.transport.handshake()? {
            client.wait();
        }
        Ok(client)
    }

    /// Until the socket is announced.
    fn wait(&mut self) {
        let end = monotonic_ns() + 60 * SECOND;
        // A process that is stopped and goes on ends its waits with nothing.
        while self.poll.wait(end.saturating_sub(monotonic_ns())).unwrap() == 0 {
            assert!(monotonic_ns() < end, "nothing is announced");
        }
    }

    fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.transport.send(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(),
                Err(error) => panic!("{error}"),
            }
        }
        while !self.transport.flush().unwrap() {
            self.wait();
        }
    }

    fn recv_once(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.transport.recv(buffer, None).map(|received| received.bytes)
    }

    fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.recv_once(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(),
                other => return other,
            }
        }
    }

    /// Reads `length` bytes, at most `at_once` a time.
    fn read(&mut self, length: usize, at_once: usize) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = vec![0; at_once];
        while all.len() < length {
            let n = self.recv(&mut buffer).unwrap();
            assert_ne!(n, 0, "an end after {} bytes", all.len());
            all.extend_from_slice(&buffer[..n]);
        }
        assert_eq!(all.len(), length);
        all
    }

    /// Asks for `length` bytes and checks them.
    fn ask(&mut self, length: usize, at_once: usize) {
        self.send(&(length as u32).to_be_bytes());
        assert!(self.read(length, at_once) == test_server::pattern(length));
    }
}

/// A server that anyone may connect to.
fn server() -> TestServer {
    let identity = Authority::new().sign(&["localhost"]);
    TestServer::serving(test_server::config(&identity, test_server::BOTH, None))
}

fn settings(tls: &Tls) -> TlsSettings {
    TlsSettings::new(tls, "localhost", &[]).unwrap()
}
