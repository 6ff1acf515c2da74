//! Which URI a call asks for when its script does not say.

use serde::{Deserialize, Serialize};

use super::RawText;
use crate::error::PlanError;

/// The source of URIs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Uris {
    /// Always the same.
    Fixed {
        /// The URI.
        uri: RawText,
    },
    /// The next of a list, over the whole run.
    List {
        /// At least one.
        uris: Vec<RawText>,
        /// From the beginning again after the last; else the run ends when a call
        /// needs one more.
        wrap: bool,
    },
    /// A working set of files that is walked through at a miss rate (httperf's
    /// `--wset`).
    Set {
        /// What stands before the digits.
        prefix: RawText,
        /// Files in all.
        files: u64,
        /// Which share of the calls goes to the next file, 0 to 1.
        miss_rate: f64,
        /// The first file.
        first: u64,
        /// From one file to the next.
        stride: u64,
    },
}

impl Uris {
    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        let range = |what, range, value: String| Err(PlanError::Range { what, range, value });
        match self {
            Self::Fixed { .. } => Ok(()),
            Self::List { uris, .. } if uris.is_empty() => {
                range("the list of URIs", "at least one", "0".to_owned())
            }
            Self::List { .. } => Ok(()),
            Self::Set { files: 0, .. } => range("the working set", "at least 1 file", "0".into()),
            Self::Set { miss_rate, .. } if !(0.0..=1.0).contains(miss_rate) => {
                range("the miss rate", "from 0 to 1", miss_rate.to_string())
            }
            Self::Set { .. } => Ok(()),
        }
    }
}

/// Stub until the real one lands.
#[derive(Debug, Clone)]
pub(crate) struct UriWalker(Uris);

impl UriWalker {
    pub(crate) fn new(uris: &Uris) -> Self {
        Self(uris.clone())
    }
    pub(crate) fn uri(&mut self, index: u64, into: &mut Vec<u8>) -> bool {
        match &self.0 {
            Uris::Fixed { uri } => into.extend_from_slice(uri),
            Uris::List { uris, wrap } => {
                if index as usize >= uris.len() && !wrap {
                    return false;
                }
                into.extend_from_slice(&uris[index as usize % uris.len()]);
            }
            Uris::Set { prefix, .. } => into.extend_from_slice(prefix),
        }
        true
    }
}
