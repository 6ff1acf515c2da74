//! How connections are encrypted, as a plan says it.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

impl TlsVersion {
    /// The number, such as `1.3`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }
}

/// The name that the server is told (SNI, RFC 6066), and that its certificate is
/// checked for.
///
/// In JSON it is the name, `null` where none is told, and left out for the host of the
/// URL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ServerName {
    /// The host of the URL, or the server's name where there are several. An IP address
    /// is checked, but told to no server (RFC 6066 §3).
    #[default]
    OfTarget,
    /// This name in place of it.
    Named(String),
    /// No name is told; the certificate is checked for that of the target.
    Omitted,
}

impl ServerName {
    fn is_of_target(&self) -> bool {
        *self == Self::OfTarget
    }
}

impl From<&str> for ServerName {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl Serialize for ServerName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // `Tls` leaves it out; `null` would be read as something else.
            Self::OfTarget => {
                Err(serde::ser::Error::custom("the target's name is told by leaving it out"))
            }
            Self::Named(name) => serializer.serialize_str(name),
            Self::Omitted => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for ServerName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Omitted, Self::Named))
    }
}

/// How connections are encrypted. The default checks the server's certificate against the
/// authorities of the system, tells the server the name of the target, and speaks the
/// highest version that the server has.
///
/// ```
/// use loadgen_core::{Load, Plan, Schedule, Tls, TlsVersion};
///
/// // Certificates are checked unless one says otherwise.
/// let tls = Tls::default().with_version(TlsVersion::V1_3).with_ca_file("our-ca.pem");
/// let load = Load::established(Schedule::constant(100.0));
/// Plan::new("https://shop.example/".parse()?, load).with_tls(tls).validate()?;
/// # Ok::<(), loadgen_core::PlanError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Tls {
    /// The only version to speak; `None`: the highest that the server has.
    pub version: Option<TlsVersion>,
    /// Cipher suites in OpenSSL's notation, separated by colons; those of TLS 1.3 are bound only by a
    /// list that names some. `None`: all that rustls has.
    pub ciphers: Option<String>,
    /// Checks the server's certificate and its name.
    pub verify: bool,
    /// Certificates to trust (PEM), beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// A directory of such files.
    pub ca_path: Option<PathBuf>,
    /// The client's own certificate (PEM).
    pub certificate: Option<PathBuf>,
    /// Its key (PEM); `None`: it is in the certificate's file.
    pub key: Option<PathBuf>,
    /// The name told to the server and checked.
    #[serde(skip_serializing_if = "ServerName::is_of_target")]
    pub server_name: ServerName,
    /// The run ends with the first connection that the server refuses, breaks off or
    /// cannot encrypt. One that takes too long, or that this machine has no means
    /// for, is a failure like any other.
    pub stop_on_failure: bool,
    /// Connections take up TLS sessions of earlier ones, which spares both sides most of
    /// a handshake: in a session the connections after its first one; of calls without a
    /// session all connections of one load in one thread, as if they were all one user's.
    pub resume: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            version: None,
            ciphers: None,
            verify: true,
            ca_file: None,
            ca_path: None,
            certificate: None,
            key: None,
            server_name: ServerName::OfTarget,
            stop_on_failure: false,
            resume: false,
        }
    }
}

impl Tls {
    /// Takes any certificate, whoever signed it and for whatever name.
    #[must_use]
    pub fn unchecked() -> Self {
        Self { verify: false, ..Self::default() }
    }

    /// Speaks this version and no other.
    #[must_use]
    pub fn with_version(mut self, version: TlsVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// Offers these [cipher suites](Self::ciphers) alone, such as
    /// `ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256`. As with OpenSSL, a list that names none of
    /// TLS 1.3 leaves those of 1.3 as they are.
    #[must_use]
    pub fn with_ciphers(mut self, ciphers: impl Into<String>) -> Self {
        self.ciphers = Some(ciphers.into());
        self
    }

    /// Trusts the certificates of this file (PEM), beside those of the system.
    #[must_use]
    pub fn with_ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(file.into());
        self
    }

    /// Trusts those of all files of this directory, too.
    #[must_use]
    pub fn with_ca_path(mut self, directory: impl Into<PathBuf>) -> Self {
        self.ca_path = Some(directory.into());
        self
    }

    /// Shows the server this certificate with this key (PEM files; they may be one).
    #[must_use]
    pub fn with_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.certificate = Some(certificate.into());
        self.key = Some(key.into());
        self
    }

    /// Tells the server this name, and checks its certificate for it.
    #[must_use]
    pub fn with_server_name(mut self, name: impl Into<ServerName>) -> Self {
        self.server_name = name.into();
        self
    }

    /// Ends the run with the first connection that [fails](Self::stop_on_failure).
    #[must_use]
    pub fn with_stop_on_failure(mut self) -> Self {
        self.stop_on_failure = true;
        self
    }

    /// Lets connections [take up](Self::resume) TLS sessions of earlier ones.
    #[must_use]
    pub fn with_resumption(mut self) -> Self {
        self.resume = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_comes_back_from_json() {
        for (name, member) in [
            (ServerName::OfTarget, None),
            (ServerName::Omitted, Some(serde_json::Value::Null)),
            (ServerName::from("h"), Some("h".into())),
        ] {
            let tls = Tls { server_name: name, ..Tls::default() };
            let json = serde_json::to_value(&tls).unwrap();
            assert_eq!(json.get("server_name").cloned(), member);
            assert_eq!(serde_json::from_value::<Tls>(json).unwrap(), tls);
        }
    }

    #[test]
    fn who_says_nothing_is_checked() {
        let tls: Tls = serde_json::from_str("{}").unwrap();
        assert!(tls.verify && !tls.resume && tls == Tls::default());
    }
}
