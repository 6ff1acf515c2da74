//! What is wrong with the settings of TLS.

use std::io;
use std::path::PathBuf;

/// Settings of TLS that cannot be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The program has no TLS in it.
    #[error("this build has no TLS: build it with the cargo feature 'tls', or use http://")]
    NotBuilt,
    /// A version that nobody should speak any more (RFC 8996).
    #[error(
        "{0} is not available: rustls speaks TLS 1.2 and 1.3 only; choose one of them or neither"
    )]
    Version(String),
    /// No cipher suite is left.
    #[error(
        "no cipher suite is left of the list '{list}'{}; available: {available}",
        unmatched(.unavailable)
    )]
    Ciphers {
        /// The list as given.
        list: String,
        /// Its elements that stand for no suite that there is.
        unavailable: Vec<String>,
        /// The suites that there are for the versions asked for, by OpenSSL's
        /// names and separated by colons.
        available: String,
    },
    /// A file or directory cannot be read.
    #[error("cannot read {what} '{path}': {cause}")]
    Read {
        /// What it was to hold.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{what} '{path}': {reason}")]
    Content {
        /// What it was to hold.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A key that is not the certificate's.
    #[error(
        "the client key in '{key}' is not that of the client certificate in '{certificate}': \
         give the two that belong together"
    )]
    KeyMismatch {
        /// Where the certificate is.
        certificate: PathBuf,
        /// Where the key is.
        key: PathBuf,
    },
    /// A key alone proves nothing.
    #[error("a client key was given without its certificate: give the certificate too")]
    KeyWithoutCertificate,
    /// Nobody to trust.
    #[error(
        "no certificate to check the server's with: this system has none ({0}); name a file \
         or directory of CA certificates, or do not verify"
    )]
    NoRoots(String),
    /// Neither a host name nor an address.
    #[error("'{0}' is neither a host name nor an IP address, so no certificate can be for it")]
    Name(String),
    /// The library refused the settings as a whole.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

fn unmatched(unavailable: &[String]) -> String {
    if unavailable.is_empty() {
        String::new()
    } else {
        format!(" (not available: {})", unavailable.join(", "))
    }
}
