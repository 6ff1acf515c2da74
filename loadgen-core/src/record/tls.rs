//! What TLS handshakes came to. Once a connection, never on the way of a call.

use serde::{Deserialize, Serialize};

use super::joined::first;
use crate::net::tls::Agreed;

/// Different agreements that are told apart: version × suite × protocol of one server.
const MOST: usize = 32;

/// TLS handshakes of a whole run, those before the load and of the warm-up included.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct TlsRecord {
    /// What was agreed on, whether resumed or not, and how often.
    agreed: Vec<(Agreed, u64)>,
    pub(crate) handshakes: u64,
    /// Those that took up an earlier session.
    pub(crate) resumed: u64,
    /// Why the first one failed that a side refused.
    pub(crate) failure: Option<String>,
}

impl TlsRecord {
    /// A handshake is complete.
    pub(super) fn complete(&mut self, agreed: Agreed) {
        self.handshakes += 1;
        self.resumed += u64::from(agreed.resumed);
        self.count(Agreed { resumed: false, ..agreed }, 1);
    }

    /// One side refused the other.
    pub(crate) fn failed(&mut self, reason: String) {
        self.failure.get_or_insert(reason);
    }

    fn count(&mut self, agreed: Agreed, n: u64) {
        if let Some((_, count)) = self.agreed.iter_mut().find(|(known, _)| *known == agreed) {
            *count += n;
        } else if self.agreed.len() < MOST {
            self.agreed.push((agreed, n));
        }
    }

    /// What most connections agreed on, and how many did.
    pub(crate) fn main(&self) -> Option<(Agreed, u64)> {
        self.agreed.iter().cloned().max_by_key(|(_, count)| *count)
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.handshakes += other.handshakes;
        self.resumed += other.resumed;
        for (agreed, n) in other.agreed {
            self.count(agreed, n);
        }
        self.failure = first(self.failure.take(), other.failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::TlsVersion;

    fn agreed(version: TlsVersion, resumed: bool) -> Agreed {
        Agreed { version, suite: "S".into(), alpn: true, resumed }
    }

    #[test]
    fn most_connections_say_what_was_agreed() {
        let mut record = TlsRecord::default();
        record.complete(agreed(TlsVersion::V1_2, false));
        let mut other = TlsRecord::default();
        for resumed in [false, true, true] {
            other.complete(agreed(TlsVersion::V1_3, resumed));
        }
        other.failed("first".to_owned());
        other.failed("second".to_owned());
        record.merge(other);
        assert_eq!((record.handshakes, record.resumed), (4, 2));
        assert_eq!(record.main(), Some((agreed(TlsVersion::V1_3, false), 3)));
        assert_eq!(record.failure.as_deref(), Some("first"));
    }
}
