//! Parameters of the models, taken from what was recorded of real migrations.
//!
//! **It is** least squares and means over a handful of recordings, with intervals, and with a plain
//! statement where the recordings cannot tell something. **It is not** a reader of reports: those
//! become a [`Recording`] each somewhere else.
//!
//! Intervals are of 95 %. Units are bytes and seconds throughout.

mod along;
mod error;
mod fitted;
mod looks;
mod models;
mod of_recordings;
mod of_users;
mod parameter;
mod recording;
mod stop;
mod surface;
mod validation;

pub use along::along;
pub use error::FitError;
pub use fitted::{Fitted, Known};
pub use of_recordings::{DirtiedFit, Fit};
pub use of_users::{ExpectedFelt, FittedPopulation, FittedUsers};
pub use parameter::{FitUnit, Parameter};
pub use recording::{Progress, RecordedPopulation, RecordedUsers, Recording};
pub use validation::{Row, Summed, Validated, Validation};

#[cfg(test)]
mod tests;
