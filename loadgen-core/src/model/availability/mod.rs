//! Availability: how much of the time a machine, or the service on it, is up in the long run.
//!
//! - [`Rejuvenation`]: a machine that ages, fails, is repaired, and is moved at an interval so
//!   that it begins anew; in closed form, with what each parameter counts for and the best
//!   interval.
//! - [`MovedEvery`]: the same of several ways to move it, side by side; [`MeasuredBlackout`]: where
//!   the availability lies when the blackout was measured.
//! - [`PlannedMaintenance`] and [`Capacity`]: what moves spare and what they cost, by plain
//!   bookkeeping.
//! - [`Chain`]: any finite Markov chain in continuous time, in the long run and after a time;
//!   [`ClockedChain`] beside it has clocks that are not exponential.
//! - [`Net`]: a stochastic Petri net, from which a chain is made.
//! - [`ModelFile`]: chains and nets as TOML. [`Chain::to_prism`] writes them for other programs.
//!
//! All of them are of means. What is rare and short is kept to its last digit: unavailability is
//! a sum of its own, and never what is left of availability.
//!
//! ```
//! use loadgen_core::model::availability::{Rejuvenation, Timer};
//!
//! // It ages in 720 h, fails 168 h after that, and takes 65 min to repair. Once a day it is
//! // moved, with a blackout of 0.3 s.
//! let machine = Rejuvenation::new(720.0, 168.0, 65.0 / 60.0)
//!     .with_timer(Timer::Deterministic { interval_h: 24.0 })
//!     .with_blackout_s(0.3);
//! let moved = machine.outcome()?.availability;
//! let left_alone = machine.with_timer(Timer::None).outcome()?.availability;
//! assert!((moved.minutes_a_year() - 55.148).abs() < 1e-3);
//! assert!((left_alone.minutes_a_year() - 640.4).abs() < 0.1);
//! # Ok::<(), loadgen_core::model::availability::RejuvenationError>(())
//! ```

mod best_interval;
mod capacity;
mod chain;
mod chain_error;
mod clocked;
mod distribution;
mod dual;
mod elimination;
mod expression;
mod figure;
mod gauss_seidel;
mod markings;
mod measured;
mod net;
mod net_error;
mod planned;
mod poisson;
mod prism;
mod rejuvenation;
mod steady;
mod strategies;
mod structure;
mod timer;
mod toml;
mod transient;
mod two_phases;

pub use best_interval::BestInterval;
pub use capacity::{Capacity, CapacityError};
pub use chain::{Chain, State};
pub use chain_error::ChainError;
pub use clocked::{ClockError, ClockLaw, ClockedChain};
pub use distribution::Distribution;
pub use expression::{Expression, ExpressionError};
pub use figure::Availability;
pub use markings::Reached;
pub use measured::{AvailabilityInterval, MeasuredBlackout, MeasuredError};
pub use net::{Net, Transition};
pub use net_error::NetError;
pub use planned::{PlannedError, PlannedMaintenance};
pub use rejuvenation::{Elasticities, Rejuvenation, RejuvenationError, RejuvenationOutcome};
pub use strategies::{ByStrategy, MovedBy, MovedEvery};
pub use timer::Timer;
pub use toml::{Model, ModelFile, ModelFileError, SolveError, Solved, TimeUnit};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod vectors;
