//! The two sides of a migration.

/// Where a machine is moved from, and where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Target,
}

impl Side {
    /// Both.
    pub(crate) const BOTH: [Self; 2] = [Self::Source, Self::Target];

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}
