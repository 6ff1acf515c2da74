//! How connections to https:// URLs are encrypted.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use loadgen_core::{ServerName, Tls, TlsVersion};

#[derive(Debug, Args)]
#[command(next_help_heading = "TLS (https:// URLs)")]
pub(crate) struct TlsOptions {
    /// Take any certificate: neither who signed it nor its name is checked
    #[arg(long, short = 'k')]
    insecure: bool,

    /// Trust these CA certificates (PEM, a file or a directory) beside those of the system
    #[arg(long, value_name = "PATH", conflicts_with = "insecure")]
    ca: Option<PathBuf>,

    /// Certificate to show to a server that wants one (PEM); its key may be in the same file
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,

    /// Key of that certificate (PEM, not encrypted)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// Name that the server is told (SNI) and its certificate is checked for
    /// [default: the host of the URL]
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,

    /// Speak this version only [default: the highest that the server has]
    #[arg(long, value_enum, value_name = "VERSION")]
    tls_version: Option<VersionArg>,

    /// Cipher suites to offer, in OpenSSL's notation, such as ECDHE+AESGCM:!RSA
    /// [default: all of rustls]
    #[arg(long, value_name = "LIST")]
    ciphers: Option<String>,

    /// Let new connections take up earlier TLS sessions, as one returning user's would
    ///
    /// Spares both sides most of a handshake. Without it every new connection is that of a user
    /// who has never been there, and pays for the whole handshake. Connections of one load in one
    /// thread share what the server gave them; the report says how many handshakes were resumed.
    #[arg(long)]
    tls_resume: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VersionArg {
    /// RFC 5246
    #[value(name = "1.2")]
    V1_2,
    /// RFC 8446
    #[value(name = "1.3")]
    V1_3,
}

impl TlsOptions {
    /// The settings, if any option is given.
    pub(crate) fn settings(&self) -> Option<Tls> {
        let mut tls = if self.insecure { Tls::unchecked() } else { Tls::default() };
        match &self.ca {
            Some(path) if path.is_dir() => tls.ca_path = Some(path.clone()),
            other => tls.ca_file.clone_from(other),
        }
        tls.certificate.clone_from(&self.cert);
        tls.key.clone_from(&self.key);
        if let Some(name) = &self.server_name {
            tls.server_name = ServerName::Named(name.clone());
        }
        tls.version = self.tls_version.map(|version| match version {
            VersionArg::V1_2 => TlsVersion::V1_2,
            VersionArg::V1_3 => TlsVersion::V1_3,
        });
        tls.ciphers.clone_from(&self.ciphers);
        tls.resume = self.tls_resume;
        (tls != Tls::default()).then_some(tls)
    }
}
