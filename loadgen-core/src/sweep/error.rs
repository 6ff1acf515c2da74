//! What a sweep can fail with.

use crate::error::{PlanError, RunError};

/// A sweep that could not begin, go on, or be taken up again. The steps that were
/// finished stay in the report that the caller holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The plan cannot be carried out at this rate.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A step failed.
    #[error("at {}: {cause}", crate::units::format_rate(*rate_per_s))]
    Run {
        /// Calls a second.
        rate_per_s: f64,
        /// Why.
        cause: RunError,
    },
    /// The plan has no end, so that no step would.
    #[error("a sweep needs a duration: how long each step lasts")]
    Endless,
    /// The plan is that of one shard.
    #[error(
        "a shard makes a part of each rate, and could not tell whether the server keeps up with \
         the whole: sweep with one process, or run each rate by shards and merge their reports"
    )]
    Shard,
    /// What was measured so far was measured by another version.
    #[error(
        "loadgen {} measured the sweep that is to be continued, and this is {}, which may not measure \
         alike: continue it with that version, or begin anew",
        crate::printable::printable(earlier),
        env!("CARGO_PKG_VERSION")
    )]
    Version {
        /// That of the earlier part.
        earlier: String,
    },
    /// A search without anything to hold.
    #[error("a search needs an objective to hold, such as p99<20ms")]
    NoObjective,
    /// Settings of the search outside of their range.
    #[error("{what} must be {range}, not {value}")]
    Search {
        /// Which setting.
        what: &'static str,
        /// What it may be.
        range: &'static str,
        /// What it is.
        value: f64,
    },
    /// The steps that are there were measured otherwise.
    #[error(
        "the sweep cannot be continued: it was made with another {0}; give the same as before, or \
         begin a new sweep in another file"
    )]
    Other(&'static str),
}
