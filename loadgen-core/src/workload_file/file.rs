//! The bytes of a file, which line one of them is in, and what tells files apart.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::error::WorkloadFileError;

/// Most bytes of a file.
const MOST_BYTES: u64 = 2 << 30;

/// The bytes of a file.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, WorkloadFileError> {
    let failed = |cause| WorkloadFileError::Read { file: file.to_owned(), cause };
    let mut bytes = Vec::new();
    let mut reader = File::open(file).map_err(failed)?.take(MOST_BYTES + 1);
    reader.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(failed(io::Error::other("it has more than 2 GiB")));
    }
    Ok(bytes)
}

/// The line, from 1, of a byte.
pub(crate) fn line_of(bytes: &[u8], at: usize) -> u64 {
    let before = &bytes[..at.min(bytes.len())];
    before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
}

/// FNV-1a (Fowler, Noll & Vo; draft-eastlake-fnv), which tells files apart, not forgeries.
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(super) fn finish(&self) -> u64 {
        self.0
    }
}
