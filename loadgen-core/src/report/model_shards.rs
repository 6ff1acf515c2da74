//! What a merged report says of each of its shards.

use serde::{Deserialize, Serialize};

use super::{CallsFileReport, Environment, Verdict};

/// One of the shards that a report was [merged](crate::scale::ShardRecord) from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShardReport {
    /// Its number, from 0.
    pub index: u32,
    /// The start that it was told, or that was agreed on: all shards of one run have the same.
    /// `None`: it began by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_start: Option<String>,
    /// Start of its load, RFC 3339 with milliseconds, UTC.
    pub started_at: String,
    /// From there to the end of its drain.
    pub duration_s: f64,
    /// The part of it that its summary figures cover.
    pub measured_s: f64,
    /// Where it ran.
    pub environment: Environment,
    /// Whether its figures can be trusted.
    pub verdict: Verdict,
    /// It did not come to its end: this is what it had written before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
    /// What is known of its clock; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ShardClock>,
    /// The file with a line for each of its calls, if one was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_file: Option<CallsFileReport>,
}

/// What is known of the clock of a shard's machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShardClock {
    /// Shards of which this is the same have one `CLOCK_MONOTONIC`: the boot of their machine, and
    /// its time namespace; `None`: they are not told.
    pub domain: Option<String>,
    /// `CLOCK_MONOTONIC` at the start of its load, in ns.
    pub began_ns: u64,
    /// Whether somebody keeps the wall clock, as the kernel was told (adjtimex(2)); `None`: it did
    /// not say.
    pub synchronised: Option<bool>,
    /// How far off it is at the most; of one that nobody keeps it means nothing.
    pub max_error_ms: Option<f64>,
    /// About how far off it is.
    pub estimated_error_ms: Option<f64>,
    /// By how much it is made to go faster, in millionths.
    pub frequency_ppm: Option<f64>,
    /// By how much the wall clock was set from the start of the load to its end, against
    /// `CLOCK_MONOTONIC`, by which all is measured. Where a daemon makes it go faster or slower, that
    /// one goes with it, and nothing is seen here.
    pub stepped_ms: f64,
    /// How long after that of shard 0 its load began, as their clocks were compared; `None`: they
    /// were not.
    pub began_after_ms: Option<f64>,
    /// How far off that may be, either way.
    pub began_bound_ms: Option<f64>,
    /// How fast its clock goes against that of shard 0, in millionths; `None`: it was not compared
    /// twice.
    pub drift_ppm: Option<f64>,
}
