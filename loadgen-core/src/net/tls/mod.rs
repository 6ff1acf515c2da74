//! TLS for client connections, over non-blocking sockets; by rustls.

#[cfg(not(feature = "tls"))]
mod absent;
mod agreed;
#[cfg(feature = "tls")]
mod ciphers;
mod error;
#[cfg(feature = "tls")]
mod failure;
#[cfg(feature = "tls")]
mod files;
mod options;
#[cfg(feature = "tls")]
mod settings;
#[cfg(feature = "tls")]
mod stream;
#[cfg(feature = "tls")]
mod trusting;
#[cfg(feature = "tls")]
mod unchecked;

#[cfg(all(test, feature = "tls"))]
pub(crate) mod test_server;
#[cfg(all(test, feature = "tls"))]
mod tests;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::{TlsSessionCache, TlsSettings};
pub(crate) use agreed::Agreed;
pub use error::TlsError;
#[cfg(feature = "clouds")]
pub(crate) use failure::handshake_failure;
pub use options::{ServerName, Tls, TlsVersion};
#[cfg(feature = "tls")]
pub(crate) use settings::{TlsSessionCache, TlsSettings};
#[cfg(feature = "tls")]
pub(crate) use stream::TlsStream;
