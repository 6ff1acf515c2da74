//! Pre-copy by whole passes, with a working set and a limit on the downtime.

use super::dirtying::Dirtying;
use super::prediction::{Pass, Prediction};
use crate::model::error::{ModelError, not_negative, positive};

/// After so many passes it is given up that the dirtied memory will fit under the limit.
const MOST_PASSES: usize = 100;

/// Pre-copy that looks after each pass whether what was dirtied in it can be sent within the limit.
///
/// A pass sends all that is dirty: `t_0 = V/R`, and with the memory `d(t)` that is dirtied in t
/// ([`Dirtying::dirtied`]) `t_{i+1} = d(t_i)/R`; the machine is stopped at the first
/// `d(t_n)/R ≤ limit`. What is left goes over the wire at the bandwidth of the stop, which no limit of
/// the manager's holds: `T_down = d(t_n)/B + T_load`. Passes that do not come down tend to the root of
/// `t = d(t)/R`: W/R for pages that are written in turn.
///
/// It is the simple form of [`SlotRule`](super::SlotRule), and tells less of the truth.
///
/// ```
/// use loadgen_core::model::migration::{Dirtying, PassRule, Pattern};
///
/// let dirtying = Dirtying::new(60.0).within(128.0, Pattern::RoundRobin);
/// let prediction = PassRule::new(512.0, 32.0, dirtying).with_limit_s(0.3).predict()?;
/// assert!(!prediction.converges);
/// // W/R.
/// assert_eq!(prediction.passes.last().unwrap().length_s, 4.0);
/// # Ok::<(), loadgen_core::model::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PassRule {
    /// Memory to send, in bytes.
    pub memory: f64,
    /// At which it is sent while the machine runs, in bytes a second.
    pub bandwidth: f64,
    /// At which the rest is sent while it stands still, in bytes a second.
    pub stop_bandwidth: f64,
    /// How the machine dirties its memory.
    pub dirtying: Dirtying,
    /// The limit on the downtime, as it is asked for, in s.
    pub limit_s: f64,
    /// What the target needs to load the state of devices and to resume, in s.
    pub load_s: f64,
}

impl PassRule {
    /// With QEMU's limit of 300 ms, the same bandwidth while the machine stands still, and a target
    /// that resumes at once.
    #[must_use]
    pub fn new(memory: f64, bandwidth: f64, dirtying: Dirtying) -> Self {
        let stop_bandwidth = bandwidth;
        Self { memory, bandwidth, stop_bandwidth, dirtying, limit_s: 0.3, load_s: 0.0 }
    }

    /// At which the rest is sent while the machine stands still, in bytes a second.
    #[must_use]
    pub fn with_stop_bandwidth(mut self, stop_bandwidth: f64) -> Self {
        self.stop_bandwidth = stop_bandwidth;
        self
    }

    /// The limit on the downtime, in s.
    #[must_use]
    pub fn with_limit_s(mut self, limit_s: f64) -> Self {
        self.limit_s = limit_s;
        self
    }

    /// What the target needs to load the state of devices and to resume, in s.
    #[must_use]
    pub fn with_load_s(mut self, load_s: f64) -> Self {
        self.load_s = load_s;
        self
    }

    /// What it costs.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn predict(&self) -> Result<Prediction, ModelError> {
        self.check()?;
        let mut prediction = Prediction { left: self.memory, ..Prediction::default() };
        while !prediction.converges && prediction.passes.len() < MOST_PASSES {
            let sent = prediction.left;
            let length_s = sent / self.bandwidth;
            prediction.left = self.dirtying.dirtied(length_s);
            prediction.copying_s += length_s;
            prediction.sent += sent;
            prediction.passes.push(Pass { length_s, sent, left: prediction.left });
            prediction.converges = prediction.left / self.bandwidth <= self.limit_s;
        }
        prediction.sent += prediction.left;
        prediction.downtime_s = prediction.left / self.stop_bandwidth + self.load_s;
        Ok(prediction.summed())
    }

    fn check(&self) -> Result<(), ModelError> {
        not_negative("the memory", self.memory)?;
        positive("the bandwidth", self.bandwidth)?;
        positive("the bandwidth of the stop", self.stop_bandwidth)?;
        positive("the limit on the downtime", self.limit_s)?;
        not_negative("the time to load", self.load_s)?;
        self.dirtying.check()
    }
}
