//! How connections came about.

use serde::{Deserialize, Serialize};

use super::Latency;

/// What TLS came to, of a run over https.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TlsReport {
    /// The version that most connections agreed on, such as `1.3`; `None`: none came
    /// about.
    pub version: Option<String>,
    /// The cipher suite of these, by the name of its RFC.
    pub cipher: Option<String>,
    /// The protocol that the server chose for these (ALPN); `None`: it chose none.
    pub alpn: Option<String>,
    /// Handshakes that came about, those before the load and of the warm-up included.
    pub handshakes: u64,
    /// Of these, those that agreed on something else than most.
    pub differing: u64,
    /// Of all, those that took up an earlier TLS session.
    pub resumed: u64,
    /// End of the TCP handshake to end of the TLS handshake, of connections opened for
    /// calls, without those of the warm-up.
    pub handshake_time: Latency,
    /// Why one side refused the other the first time, in a handshake or after it.
    pub first_failure: Option<String>,
}
