//! Why there is no watch, or none any more.

use crate::error::RunError;
use crate::migration::TriggerError;

/// A watch that cannot begin, or broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The load cannot run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The neighbour does not answer, so that nothing could be told by it.
    #[error("the neighbour cannot be asked: {reason}")]
    Neighbour {
        /// Why.
        reason: String,
    },
    /// What the program does with the news panicked.
    #[error("the program's observer panicked: {said}")]
    Observer {
        /// What it said.
        said: String,
    },
    /// Notices cannot be read.
    #[error("notices cannot be read: {0}")]
    Notices(TriggerError),
}
