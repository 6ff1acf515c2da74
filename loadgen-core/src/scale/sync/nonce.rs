//! Numbers that nobody can tell before: they make every proof a new one.

use std::fs::File;
use std::io::Read as _;

use super::error::SyncError;
use super::hex::Hex;

/// A number used once.
pub(super) type Nonce = Hex<16>;

/// A new one, from the kernel.
///
/// # Errors
/// [`SyncError::Random`] if the kernel gives none.
pub(super) fn nonce() -> Result<Nonce, SyncError> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(SyncError::Random)?;
    Ok(Hex(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        assert_ne!(nonce().unwrap().0, nonce().unwrap().0);
    }
}
