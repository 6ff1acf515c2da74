//! The reach check: does the machine's kernel answer at all?
//!
//! Small packets at a steady rate, which the kernel of the machine answers without
//! any application: SYNs to a closed port, ICMP echo, or SYNs to the service's port
//! that are reset at once. They go out from a thread of their own, off the workers'
//! hot path. Its log has two readings ([`readings`]): **dark by sending**, the time
//! in which packets that were sent did not arrive, and **silent by answering**, the
//! time in which no answer came.
//!
//! It knows nothing of calls, nor of the migration: which run of lost packets is that
//! of the migration is said by the impact.
//!
//! Invariants: every time in the log is an interval that surely holds the truth,
//! however late this thread was; a check of which it is not known whether it arrived
//! counts neither as arrived nor as lost; what answers from this very machine is not
//! checked, since our own kernel is never dark.

mod inspect;
mod log;
pub(crate) mod method;
pub(crate) mod readings;
#[cfg(test)]
mod simulated_dark;
mod socket;
mod thread;

pub use method::ReachCheck;

pub(crate) use log::{Check, Fate, ReachLog};
pub(crate) use thread::{Reach, SettledChecks};

/// Checks a second unless told otherwise: a spacing of 5 ms.
pub(super) const DEFAULT_RATE: f64 = 200.0;

/// What the rate may be. Faster, and the checks would be a load of their own and need
/// more descriptors than a process usually may have.
pub(crate) const RATES: std::ops::RangeInclusive<f64> = 1.0..=1000.0;

/// Checks a second to the service's port at most, unless it was asked for: each of
/// them enters the service's accept queue.
pub(super) const SPARSE_RATE: f64 = 50.0;
