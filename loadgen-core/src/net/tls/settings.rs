//! From the settings of a plan to connections.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName as Name;
use rustls::{ClientConfig, ClientConnection, Error, InconsistentKeys, SupportedProtocolVersion};

use super::ciphers::{self, Suites};
use super::trusting::Trusting;
use super::unchecked::Unchecked;
use super::{ServerName, Tls, TlsError, TlsStream, TlsVersion, files};
use crate::net::transport::Transport;

/// Servers whose tickets a client keeps: eight of each, by rustls. A server gives one or
/// two tickets a handshake, and in TLS 1.3 each is good for one.
const SERVERS: usize = 8;

/// How connections to one server are encrypted; shared by all workers.
#[derive(Debug)]
pub(crate) struct TlsSettings {
    config: Arc<ClientConfig>,
    name: Name<'static>,
    resume: bool,
}

/// What the connections of one client (a session, or one load in one worker) have in
/// common: what they were given to resume TLS sessions. Of no cost until then.
#[derive(Debug, Default)]
pub(crate) struct TlsSessionCache(Option<Arc<ClientConfig>>);

impl TlsSettings {
    /// Settings for connections to `host`: a name, or an IP address without
    /// brackets. Reads the files that `tls` names. `alpn` are the protocols that the
    /// server may choose of (RFC 7301), best first; none: it is not asked.
    ///
    /// # Errors
    /// [`TlsError`], for what cannot be read or is not available.
    pub(crate) fn new(tls: &Tls, host: &str, alpn: &[&[u8]]) -> Result<Self, TlsError> {
        let Suites { suites, versions } = ciphers::choose(tls.ciphers.as_deref(), tls.version)?;
        let provider =
            Arc::new(CryptoProvider { cipher_suites: suites, ..ring::default_provider() });
        let versions: Vec<&'static SupportedProtocolVersion> = versions
            .iter()
            .map(|version| match version {
                TlsVersion::V1_2 => &rustls::version::TLS12,
                TlsVersion::V1_3 => &rustls::version::TLS13,
            })
            .collect();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier(tls, provider)?);
        let mut config = match client_files(tls)? {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = files::certificates("the client certificate in", certificate)?;
                let key_content = files::key(key)?;
                builder.with_client_auth_cert(chain, key_content).map_err(|error| match error {
                    Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                        TlsError::KeyMismatch { certificate: certificate.into(), key: key.into() }
                    }
                    error => TlsError::Content {
                        what: "the client key in",
                        path: key.into(),
                        reason: format!("it cannot be used with its certificate ({error})"),
                    },
                })?
            }
        };
        config.enable_sni = tls.server_name != ServerName::Omitted;
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), name: name(tls, host)?, resume: tls.resume })
    }

    /// The same for a client that is not ours, and the name that it checks.
    #[cfg(feature = "clouds")]
    pub(crate) fn for_client(self) -> (Arc<ClientConfig>, Name<'static>) {
        (self.config, self.name)
    }

    /// Encrypts a connection, which may still be connecting. Nothing is sent yet:
    /// see [`Transport::handshake`].
    pub(crate) fn connect(
        &self,
        fd: OwnedFd,
        session: &mut TlsSessionCache,
    ) -> io::Result<Transport> {
        let config = if self.resume { session.config(&self.config) } else { &self.config };
        let connection = ClientConnection::new(Arc::clone(config), self.name.clone())
            .map_err(io::Error::other)?;
        Ok(Transport::Tls(Box::new(TlsStream::new(fd, connection))))
    }
}

impl TlsSessionCache {
    fn config(&mut self, shared: &ClientConfig) -> &Arc<ClientConfig> {
        // Cloned are a dozen references; the store is the session's own.
        self.0.get_or_insert_with(|| {
            let mut config = shared.clone();
            config.resumption = Resumption::in_memory_sessions(SERVERS);
            Arc::new(config)
        })
    }
}

pub(super) fn verifier(
    tls: &Tls,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    if !tls.verify {
        return Ok(Arc::new(Unchecked(provider)));
    }
    let (roots, trusted) = files::roots(tls.ca_file.as_deref(), tls.ca_path.as_deref())?;
    let by_webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| TlsError::Setup(error.to_string()))?;
    Ok(Arc::new(Trusting { by_webpki, trusted }))
}

/// The files of the client's certificate and key: often one and the same.
fn client_files(tls: &Tls) -> Result<Option<(&Path, &Path)>, TlsError> {
    match (&tls.certificate, &tls.key) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(TlsError::KeyWithoutCertificate),
        (Some(certificate), None) => Ok(Some((certificate, certificate))),
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
    }
}

fn name(tls: &Tls, host: &str) -> Result<Name<'static>, TlsError> {
    let name = match &tls.server_name {
        // Neither told nor checked; but the library wants one.
        ServerName::Omitted if !tls.verify => {
            return Ok(Name::from(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        }
        ServerName::Named(name) => name,
        ServerName::Omitted | ServerName::OfTarget => host,
    };
    Name::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))
}
