//! What a fit cannot say.

use super::parameter::Parameter;
use crate::model::ModelError;

/// Why a fit makes no prediction.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// A parameter is not known.
    #[error("the {parameter} is not known: {reason}")]
    Unknown {
        /// Which.
        parameter: Parameter,
        /// Why not, and what would help.
        reason: String,
    },
    /// The recordings have no users.
    #[error(
        "nothing is known of the users of a machine that is moved by {moved}: the recordings of \
         such have none; record a migration under load"
    )]
    NoUsers {
        /// How the machine is to be moved.
        moved: &'static str,
    },
    /// What was found is outside of what a model is made for.
    #[error(transparent)]
    Model(#[from] ModelError),
}
