//! How connections are encrypted.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Versions of TLS that can be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3 (RFC 8446).
    #[serde(rename = "1.3")]
    V1_3,
}

/// How connections are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Tls {
    /// The only version to speak; `None`: the highest that the server has.
    pub version: Option<TlsVersion>,
    /// Cipher suites in OpenSSL's notation, separated by colons; `None`: all that
    /// rustls has.
    pub ciphers: Option<String>,
    /// Checks the server's certificate and its name.
    pub verify: bool,
    /// Certificates to trust (PEM), beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// A directory of such files.
    pub ca_path: Option<PathBuf>,
    /// The client's own certificate (PEM).
    pub certificate: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
    /// The name told to the server (SNI, RFC 6066) and checked against its
    /// certificate; `None`: no name is told, and the target's is checked.
    pub server_name: Option<String>,
    /// The run ends with the first connection that the server refuses, breaks off or
    /// cannot encrypt. One that takes too long, or that this machine has no means
    /// for, is a failure like any other.
    pub stop_on_failure: bool,
    /// The connections of a session resume the TLS session of its first one.
    pub resume: bool,
}
