//! A blocking TLS server, and certificates, for the tests of this module.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};

/// Someone who signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        // Two of the same name would be told apart by their signatures only.
        let name = format!("Authority {:02x?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn sign(&self, names: &[&str]) -> Identity {
        self.sign_until(names, 2100)
    }

    pub(crate) fn sign_until(&self, names: &[&str], year: i32) -> Identity {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    /// A certificate that is its own CA, as `openssl req -x509` makes them.
    pub(crate) fn own(names: &[&str], until: i32, is_ca: IsCa) -> Identity {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.is_ca = is_ca;
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params.distinguished_name.push(DnType::CommonName, "localhost");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        Arc::new(roots)
    }
}

pub(crate) const BOTH: &[&SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

/// A server with `identity` that wants a certificate of `clients`, if given.
pub(crate) fn config(
    identity: &Identity,
    versions: &[&'static SupportedProtocolVersion],
    clients: Option<&Authority>,
) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(authority.roots(), provider)
                .build()
                .unwrap(),
        ),
    };
    let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    builder.with_single_cert(chain, key).unwrap()
}

/// What the server has seen of a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) name: Option<String>,
    pub(crate) resumed: bool,
    pub(crate) client_certificate: bool,
}

pub(crate) type Stream = StreamOwned<ServerConnection, TcpStream>;

/// Listens on a port of its own until dropped.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    seen: Mutex<Receiver<Seen>>,
    stop: Arc<AtomicBool>,
}

impl TestServer {
    /// Answers requests: see [`serve`].
    pub(crate) fn serving(config: ServerConfig) -> Self {
        Self::start(config, serve)
    }

    pub(crate) fn start(
        config: ServerConfig,
        script: impl Fn(Stream) + Clone + Send + 'static,
    ) -> Self {
        let (told, seen) = channel();
        let config = Arc::new(config);
        let mut server = Self::bare(move |mut socket| {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            while connection.is_handshaking() {
                if connection.complete_io(&mut socket).is_err() {
                    return;
                }
            }
            let _ = told.send(Seen {
                name: connection.server_name().map(str::to_owned),
                resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
                client_certificate: connection.peer_certificates().is_some(),
            });
            script(StreamOwned::new(connection, socket));
        });
        server.seen = Mutex::new(seen);
        server
    }

    /// A server without TLS.
    pub(crate) fn bare(script: impl Fn(TcpStream) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            for socket in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (socket, script) = (socket.unwrap(), script.clone());
                thread::spawn(move || script(socket));
            }
        });
        Self { address, seen: Mutex::new(channel().1), stop }
    }

    /// The next handshake.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().recv_timeout(Duration::from_secs(10)).unwrap()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// Ends with TLS's goodbye.
pub(crate) const GOODBYE: u32 = 0;
/// Ends without it.
pub(crate) const CUT: u32 = u32::MAX;

/// Answers each request, four bytes long, with as many bytes as it says.
pub(crate) fn serve(mut stream: Stream) {
    let mut request = [0; 4];
    while stream.read_exact(&mut request).is_ok() {
        match u32::from_be_bytes(request) {
            GOODBYE => {
                stream.conn.send_close_notify();
                let _ = stream.flush();
                return;
            }
            CUT => return,
            length => {
                if stream.write_all(&pattern(length as usize)).is_err() {
                    return;
                }
            }
        }
    }
}

/// Sends back what comes.
pub(crate) fn echo(mut stream: Stream) {
    let mut buffer = [0; 5000];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
}

/// Bytes that tell when one is lost, doubled or moved.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}
