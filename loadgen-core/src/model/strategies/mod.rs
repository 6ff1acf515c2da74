//! What each strategy would cost the same machine, and which is best under limits.
//!
//! A [`Scenario`] is what is known of a machine, of the link, and of its users; it has the
//! [forecast](Scenario::forecast) of every [`Strategy`](super::Strategy), by the models of
//! [`migration`](super::migration) and [`users`](super::users). [`choose`] holds them against
//! [`Limits`].

mod choice;
mod figure;
mod forecast;
mod judged;
mod scenario;
mod thresholds;

pub use choice::{Choice, Lead, choose};
pub use figure::{Figure, Limits};
pub use forecast::{FeltBy, Forecast};
pub use judged::{Broken, Unjudged};
pub use scenario::{Population, Scenario};
pub use thresholds::{Edge, Thresholds};
