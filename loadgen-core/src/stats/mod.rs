//! Statistics over trials: intervals, tests, effect sizes.
//!
//! **It is** for handfuls of numbers of which each is one trial: exact where that can be, and
//! with the coverage that an interval really has. **It is not** for calls: thousands of them in
//! one trial are one observation of it.
//!
//! All functions are pure. Nothing is assumed of the law that values follow, unless a function
//! says so.

mod bootstrap;
mod confidence;
mod line;
mod many;
mod paired;
mod planning;
mod power;
mod proportion;
mod ranks;
mod rate;
mod sample;
mod two_samples;

pub use bootstrap::{Bootstrap, Statistic, bootstrap};
pub use confidence::Confidence;
pub use line::Line;
pub use many::{Ranked, friedman, holm, kruskal_wallis};
pub use paired::{Paired, paired};
pub use planning::{trials_for_mean, trials_for_ratio};
pub use power::{blocks_for_any, blocks_for_ratio, detectable_ratio};
pub use proportion::proportion_interval;
pub use rate::events_interval;
#[cfg(feature = "model")]
pub(crate) use sample::t_quantile;
pub use sample::{Interval, MedianInterval, Sample};
pub use two_samples::{TwoSamples, two_samples};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;
