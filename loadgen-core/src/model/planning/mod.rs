//! Planning a move: several machines, their hosts and limits; and an order, targets and bandwidths
//! that hold these, or the proof that there are none.
//!
//! **It is** a search over the model of one migration
//! ([`PreCopy::by_slots`](super::migration::PreCopy::by_slots)), with a lower bound on the time, and
//! a simulation that judges what was found. **It is not** a scheduler: it moves nothing, and knows
//! of hosts, machines and their dirty rates what it is told.
//!
//! | | |
//! |---|---|
//! | [`Evacuation`] | hosts, machines, limits: in code, or as TOML ([`Evacuation::read`]) |
//! | [`Evacuation::plan`] | a plan, and how far from the best it is at the most |
//! | [`Evacuation::solve_exactly`] | the best plan of few machines |
//! | [`Evacuation::simulate`] | whether a plan holds the limits |
//! | [`Evacuation::lower_bound`] | below which time no plan is |

mod bound;
mod course;
mod error;
mod evacuation;
mod exact;
mod plan;
mod planner;
mod problem;
mod proofs;
mod reason;
mod schedule;
mod search;
mod simulation;
mod targets;
mod toml;
mod violation;
mod ways;

pub use bound::{BoundBy, LowerBound};
pub use error::{Place, PlanningError};
pub use evacuation::{Evacuation, Host, Limits, Machine, Overhead, Strategies};
pub use plan::{HostLeft, Move, Outcome, Plan, Planned};
pub use reason::Reason;
pub use simulation::Simulation;
pub use toml::EvacuationFileError;
pub use violation::Violation;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod some;
#[cfg(test)]
mod tests;
