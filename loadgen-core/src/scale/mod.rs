//! One load from several machines: what the processes that carry out a plan together (its
//! [shards](crate::Shard)) need of each other.
//!
//! There is no cluster software here. Whoever starts the shards (Slurm, MPI, Kubernetes, a loop of
//! ssh) tells each of them its number, and shard 0's place; [`sync`] is how they agree on a common
//! start, and on what their clocks are apart. What each measured is a [`ShardRecord`]; merged, they
//! are the report of the whole.

mod clock;
mod error;
mod meeting;
mod plans;
mod schema;
mod shard_record;
mod start_at;
pub mod sync;
#[cfg(test)]
mod tests;
mod together;

pub use clock::{ClockWatch, Compared};
pub use error::{MergeError, ShardError};
pub use meeting::Meeting;
pub use shard_record::ShardRecord;
pub use start_at::StartAt;
