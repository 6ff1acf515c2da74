//! A hand-made server that speaks TLS, and whom to trust for it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

use loadgen_core::Tls;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::common::OK;

/// A connection that is encrypted by now.
pub(super) struct Secured {
    pub(super) stream: StreamOwned<ServerConnection, TcpStream>,
}

impl Secured {
    /// Reads the head of a request; `false` at the end.
    pub(super) fn request(&mut self) -> bool {
        let mut last = [0; 4];
        let mut byte = [0];
        while last != *b"\r\n\r\n" {
            if !matches!(self.stream.read(&mut byte), Ok(1)) {
                return false;
            }
            last.rotate_left(1);
            last[3] = byte[0];
        }
        true
    }

    pub(super) fn say(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
        let _ = self.stream.flush();
    }

    /// Says that nothing more comes, and closes.
    pub(super) fn goodbye(&mut self) {
        self.stream.conn.send_close_notify();
        let _ = self.stream.flush();
        let _ = self.stream.sock.shutdown(std::net::Shutdown::Write);
    }

    /// Waits until the client ends it.
    pub(super) fn until_the_end(&mut self) {
        while matches!(self.stream.read(&mut [0; 4096]), Ok(1..)) {}
    }

    /// Answers requests until the client ends the connection.
    pub(super) fn serve(&mut self) {
        while self.request() {
            self.say(OK);
        }
    }
}

/// A server that lives as long as its program.
pub(super) struct SecureServer {
    pub(super) address: SocketAddr,
    folder: TempDir,
    handshakes: Arc<AtomicU32>,
}

impl SecureServer {
    /// With a certificate for `localhost`. Does `talk` with each connection that has come
    /// through its handshake, in a thread of its own.
    pub(super) fn start(talk: impl Fn(&mut Secured) + Send + Sync + 'static) -> Self {
        Self::with(talk, |_, _| true)
    }

    /// The same; a connection for which `greet` is `false` is left alone in its handshake.
    /// It is told which TCP connection it is: 0 is the engine's look whether a server is
    /// there, 1 that whether it speaks TLS.
    pub(super) fn with(
        talk: impl Fn(&mut Secured) + Send + Sync + 'static,
        greet: impl Fn(u32, &TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let handshakes = Arc::new(AtomicU32::new(0));
        let (talk, greet, count) = (Arc::new(talk), Arc::new(greet), Arc::clone(&handshakes));
        thread::spawn(move || {
            for (socket, number) in listener.incoming().zip(0..) {
                let (talk, greet, config) =
                    (Arc::clone(&talk), Arc::clone(&greet), Arc::clone(&config));
                let count = Arc::clone(&count);
                thread::spawn(move || {
                    let mut socket = socket.unwrap();
                    socket.set_nodelay(true).unwrap();
                    if !greet(number, &socket) {
                        // Held open until the client gives up.
                        while matches!(socket.read(&mut [0; 4096]), Ok(1..)) {}
                        return;
                    }
                    let mut connection = ServerConnection::new(config).unwrap();
                    while connection.is_handshaking() {
                        if connection.complete_io(&mut socket).is_err() {
                            return;
                        }
                    }
                    count.fetch_add(1, SeqCst);
                    talk(&mut Secured { stream: StreamOwned::new(connection, socket) });
                });
            }
        });
        Self { address, folder, handshakes }
    }

    pub(super) fn url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }

    /// Trusts this server.
    pub(super) fn trusted(&self) -> Tls {
        let mut tls = Tls::default();
        tls.ca_file = Some(self.certificate());
        tls
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Handshakes that came about, that of the engine's look whether the server speaks TLS
    /// among them.
    pub(super) fn handshakes(&self) -> u32 {
        self.handshakes.load(SeqCst)
    }
}

fn config(folder: &TempDir) -> Arc<ServerConfig> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    std::fs::write(folder.path().join("certificate.pem"), &certificate).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}
