//! One load from several machines: what the processes that carry out a plan together (its
//! [shards](crate::Shard)) need of each other.
//!
//! There is no cluster software here. Whoever starts the shards (Slurm, MPI, Kubernetes, a loop of
//! ssh) tells each of them its number, and shard 0's place; [`sync`] is how they agree on a common
//! start, and on what their clocks are apart.

pub mod sync;
