//! Servers with a certificate to trust.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

/// Takes what webpki takes, and also a certificate that is, to the byte, one of the
/// trusted ones: the certificate that a server signed for itself, and that people then
/// trust, is its own CA more often than not, and webpki takes no CA for a server.
///
/// Of such a certificate are checked: the dates, the names if it has any
/// (subjectAltName), and that the server has its key. Not checked is what it may be
/// used for (extended key usage) if it is a CA's. One without a name is not taken for
/// one with another name: who trusts this very file knows whose it is.
#[derive(Debug)]
pub(super) struct Trusting {
    pub(super) by_webpki: Arc<WebPkiServerVerifier>,
    pub(super) trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.by_webpki.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let Err(Error::InvalidCertificate(error)) = &verified else { return verified };
        if !self.trusted.contains(end_entity) {
            return verified;
        }
        // webpki looks at the dates first, and at the names last.
        let checked = match error {
            CertificateError::Other(error) if is_of_a_ca(error) => {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&certificate, server_name)
                    .map(|()| ServerCertVerified::assertion())
            }
            _ => verified,
        };
        match checked {
            Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                presented,
                ..
            })) if presented.is_empty() => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_webpki.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_webpki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_webpki.supported_verify_schemes()
    }
}

/// Whether a certificate was refused for being a CA's.
pub(super) fn is_of_a_ca(error: &OtherError) -> bool {
    is(error, &webpki::Error::CaUsedAsEndEntity)
}

/// Whether a certificate was refused for being of X.509 version 1 or 2.
pub(super) fn is_of_an_old_version(error: &OtherError) -> bool {
    is(error, &webpki::Error::UnsupportedCertVersion)
}

fn is(error: &OtherError, wanted: &webpki::Error) -> bool {
    error.0.downcast_ref::<webpki::Error>() == Some(wanted)
}
