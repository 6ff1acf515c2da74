//! The ways to move a machine that there are models of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A way to move a machine.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Strategy {
    /// It stands still while all of its memory is sent.
    StopAndCopy,
    /// Its memory is sent in passes while it runs; it stands still for what is left.
    #[default]
    PreCopy,
    /// One pass while it runs; what was dirtied follows it.
    Hybrid,
    /// It goes on at its target, and its memory follows.
    PostCopy,
}

impl Strategy {
    /// All of them, from the one that stands still for the longest time to the shortest, as a rule.
    pub const ALL: [Self; 4] = [Self::StopAndCopy, Self::PreCopy, Self::Hybrid, Self::PostCopy];

    /// Whether memory follows a machine that runs at its target already.
    #[must_use]
    pub fn follows(self) -> bool {
        matches!(self, Self::Hybrid | Self::PostCopy)
    }

    /// Its name, which triggers take, too.
    ///
    /// ```
    /// use loadgen_core::model::Strategy;
    ///
    /// assert_eq!("pre-copy".parse::<Strategy>()?.name(), "pre-copy");
    /// # Ok::<(), loadgen_core::model::UnknownStrategy>(())
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StopAndCopy => "stop-and-copy",
            Self::PreCopy => "pre-copy",
            Self::Hybrid => "hybrid",
            Self::PostCopy => "post-copy",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of a strategy that there is a model of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no strategy with a model: they are stop-and-copy, pre-copy, hybrid and post-copy"
)]
pub struct UnknownStrategy(pub String);

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        let named = Self::ALL.into_iter().find(|strategy| strategy.name() == text);
        named.ok_or_else(|| UnknownStrategy(text.escape_debug().to_string()))
    }
}
