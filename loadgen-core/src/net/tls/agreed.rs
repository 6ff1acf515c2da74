//! What two sides agreed on in a handshake.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::TlsVersion;

/// What both sides of a TLS connection have agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Agreed {
    pub(crate) version: TlsVersion,
    /// The name that rustls has for it: IANA's, with `TLS13_` for those of 1.3.
    pub(crate) suite: Cow<'static, str>,
    /// The server chose the protocol that was offered (ALPN, RFC 7301).
    pub(crate) alpn: bool,
    /// An earlier TLS session was taken up, which spares the server most work.
    pub(crate) resumed: bool,
}
