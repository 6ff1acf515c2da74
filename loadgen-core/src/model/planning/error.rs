//! What cannot be planned at all.

use std::fmt;

use crate::printable::printable;

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In the limits, the overhead, the network, or in nothing alone.
    Whole,
    /// In a host, by its position.
    #[non_exhaustive]
    Host {
        /// From 0.
        index: usize,
        /// What it is called.
        name: String,
    },
    /// In a machine, by its position.
    #[non_exhaustive]
    Machine {
        /// From 0.
        index: usize,
        /// What it is called.
        name: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => write!(f, "the move"),
            Self::Host { name, .. } => write!(f, "host '{}'", printable(name)),
            Self::Machine { name, .. } => write!(f, "machine '{}'", printable(name)),
        }
    }
}

/// What cannot be planned at all. (A move for which no plan holds the limits is no error, but an
/// [`Outcome`](super::Outcome).)
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanningError {
    /// It contradicts itself, or a number is out of its range.
    #[error("{place}: {reason}")]
    Content {
        /// Where.
        place: Place,
        /// What is wrong, and how it would be right.
        reason: String,
    },
    /// Too many machines for an exact solution.
    #[error(
        "{machines} machines have to move: only up to {at_most} are solved exactly; plan the move \
         without it, and look at its lower bound"
    )]
    TooLarge {
        /// Machines that have to move.
        machines: usize,
        /// So many are solved.
        at_most: usize,
    },
    /// The exact search gave up.
    #[error(
        "the exact search gave up after {steps} steps: there are too many hosts or bandwidths to \
         try; plan the move without it, and look at its lower bound"
    )]
    TooManySteps {
        /// So many were made.
        steps: u64,
    },
}

impl PlanningError {
    pub(super) fn new(place: Place, reason: impl Into<String>) -> Self {
        Self::Content { place, reason: reason.into() }
    }
}
