//! Models: what is to be expected of migrations and of the machines that are moved, before it is
//! measured, or between measurements.
//!
//! **It is** formulas and small solvers, each with its source, pure and without a clock. **It is
//! not** a measurement: what a model says is as good as the numbers that it is given.

pub mod availability;
mod error;
pub mod fit;
pub mod migration;
pub mod planning;
pub mod strategies;
mod strategy;
pub mod users;

pub use error::ModelError;
pub use strategy::{Strategy, UnknownStrategy};
