//! Certificates and keys from files (PEM).

use std::fs;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// Largest file that is read: a bundle of all CAs of a system has 0.3 MB.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// The certificates to trust: those of the system, of `file` and of the files in
/// `directory`. As issuers, and as they are.
pub(super) fn roots(
    file: Option<&Path>,
    directory: Option<&Path>,
) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), TlsError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    let mut trusted = system.certs;
    // Systems carry a few certificates that no strict reader takes.
    roots.add_parsable_certificates(trusted.iter().cloned());
    if let Some(file) = file {
        for certificate in certificates(CA, file)? {
            roots.add(certificate.clone()).map_err(|error| content(CA, file, error.to_string()))?;
            trusted.push(certificate);
        }
    }
    if let Some(directory) = directory {
        let unreadable =
            |cause| TlsError::Read { what: "the CA directory", path: directory.into(), cause };
        for entry in fs::read_dir(directory).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            // Such directories also hold links of hashed names, lists of
            // revocations and notes.
            if path.is_file() {
                let found = certificates(CA, &path).unwrap_or_default();
                roots.add_parsable_certificates(found.iter().cloned());
                trusted.extend(found);
            }
        }
    }
    if roots.is_empty() {
        let errors: Vec<_> = system.errors.iter().map(ToString::to_string).collect();
        let reason = if errors.is_empty() { "none found".to_owned() } else { errors.join("; ") };
        return Err(TlsError::NoRoots(reason));
    }
    Ok((roots, trusted))
}

const CA: &str = "the CA certificates in";

/// All certificates of a file; at least one.
pub(super) fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(what, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(content(what, path, "it holds no certificate in PEM".to_owned())),
        Err(error) => Err(content(what, path, format!("it is not sound PEM ({error})"))),
    }
}

/// The first private key of a file: PKCS#8, PKCS#1 or SEC1.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    const WHAT: &str = "the client key in";
    let text = read(WHAT, path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let encrypted = text.windows(9).any(|window| window == b"ENCRYPTED");
        let reason = match error {
            _ if encrypted => {
                "it is encrypted: decrypt it first (openssl pkey -in FILE -out PLAIN)".to_owned()
            }
            pem::Error::NoItemsFound => "it holds no private key in PEM".to_owned(),
            error => format!("it is not sound PEM ({error})"),
        };
        content(WHAT, path, reason)
    })
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |cause| TlsError::Read { what, path: path.into(), cause };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MOST_BYTES {
        return Err(content(what, path, format!("with {size} bytes it is too large for that")));
    }
    fs::read(path).map_err(failed)
}

fn content(what: &'static str, path: &Path, reason: String) -> TlsError {
    TlsError::Content { what, path: path.into(), reason }
}
