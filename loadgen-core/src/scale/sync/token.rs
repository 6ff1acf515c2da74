//! What all shards of a load know and nobody else, and how one proves that it knows it.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::error::SyncError;
use super::hex::Hex;

/// What proves that somebody knows the token.
pub(super) type Proof = Hex<32>;

/// What all shards of a load know and nobody else. It is never sent, and never shown.
///
/// By convention it comes from the environment variable [`SyncToken::VARIABLE`].
///
/// ```
/// use loadgen_core::scale::sync::SyncToken;
///
/// let token = SyncToken::new("6f1d0c52a4b94be7")?;
/// assert!(!format!("{token:?}").contains("6f1d"));
/// assert!(SyncToken::new("secret").is_err());
/// # Ok::<(), loadgen_core::scale::sync::SyncError>(())
/// ```
#[derive(Clone)]
pub struct SyncToken {
    /// HMAC with the token as its key: of the token itself nothing more is needed.
    keyed: Hmac<Sha256>,
}

impl SyncToken {
    /// The environment variable that holds it.
    pub const VARIABLE: &str = "LOADGEN_SYNC_TOKEN";

    /// The fewest characters of one. Who overhears a proof can try tokens at leisure.
    pub const SHORTEST: usize = 16;

    /// A token from its text. Blanks and line ends around it do not count.
    ///
    /// # Errors
    /// [`SyncError::Token`] if it has less than [`Self::SHORTEST`] characters.
    pub fn new(text: &str) -> Result<Self, SyncError> {
        let text = text.trim();
        let length = text.chars().count();
        if length < Self::SHORTEST {
            return Err(SyncError::Token { length });
        }
        // HMAC takes keys of any length.
        let keyed = Hmac::<Sha256>::new_from_slice(text.as_bytes())
            .map_err(|_| SyncError::Token { length })?;
        Ok(Self { keyed })
    }

    /// Proves that this side knows the token.
    pub(super) fn prove(&self, statement: &str) -> Proof {
        Hex(self.over(statement).finalize().into_bytes().into())
    }

    /// Whether the other side knows it. Takes as long for a wrong proof as for a right one.
    pub(super) fn is_proven(&self, statement: &str, proof: &Proof) -> bool {
        self.over(statement).verify_slice(&proof.0).is_ok()
    }

    fn over(&self, statement: &str) -> Hmac<Sha256> {
        let mut keyed = self.keyed.clone();
        keyed.update(statement.as_bytes());
        keyed
    }
}

impl fmt::Debug for SyncToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SyncToken(«redacted»)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_are_hmac_sha256() {
        // The expected one is by Python's hmac module.
        let token = SyncToken::new("0123456789abcdef").unwrap();
        let proof = token.prove("loadgen-sync/1");
        assert!(token.is_proven("loadgen-sync/1", &proof));
        assert!(!token.is_proven("loadgen-sync/2", &proof));
        let expected = "3e4a891071e6dfcd24663c364337cef2\
                        91c4e1f9f7fbb351724fb76c76f7dc35";
        assert_eq!(proof.to_string(), expected);
        let mut other = proof;
        other.0[31] ^= 1;
        assert!(!token.is_proven("loadgen-sync/1", &other));
    }

    #[test]
    fn the_token_is_shown_nowhere_and_long() {
        let token = SyncToken::new(" 0123456789abcdef\n").unwrap();
        assert!(!format!("{token:?} {token:#?}").contains("0123"));
        let same = SyncToken::new("0123456789abcdef").unwrap();
        assert!(same.is_proven("x", &token.prove("x")));
        let error = SyncToken::new("0123456789abcde").unwrap_err().to_string();
        assert!(error.contains("15 characters") && error.contains(SyncToken::VARIABLE), "{error}");
        assert!(!error.contains("0123"), "{error}");
        assert!(error.contains(&SyncToken::SHORTEST.to_string()), "{error}");
    }
}
