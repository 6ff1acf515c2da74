//! Which of the addresses of a name connections go to: `--addresses`.

use serde::{Deserialize, Serialize};

/// Which of the addresses of a name connections go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Addresses {
    /// All to one: the first that answered before the load began. With
    /// [`resolve_again`](crate::Target::with_resolve_again), the first of each answer.
    #[default]
    First,
    /// One connection to each in turn, whether it answers or not.
    All,
}

impl Addresses {
    pub(super) fn is_first(&self) -> bool {
        *self == Self::First
    }
}
