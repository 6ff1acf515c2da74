//! Pre-copy by whole passes, with a working set and a limit on the downtime.

use super::pre_copy::PreCopy;
use super::prediction::{Pass, Prediction};
use crate::model::error::ModelError;

/// After so many passes it is given up that the dirtied memory will fit under the limit.
const MOST_PASSES: usize = 100;

impl PreCopy {
    /// Pre-copy that looks after each pass whether what was dirtied in it can be sent within the
    /// limit.
    ///
    /// A pass sends all that is dirty: `t_0 = V/R`, and with the memory `d(t)` that is dirtied in t
    /// ([`Dirtying::dirtied`](super::Dirtying::dirtied)) `t_{i+1} = d(t_i)/R`; the machine is
    /// stopped at the first `d(t_n)/R ≤ limit`. What is left goes over the wire at the bandwidth of
    /// the stop, which no limit of the manager's holds: `T_down = d(t_n)/B + T_load`. Passes that
    /// do not come down tend to the root of `t = d(t)/R`: W/R for pages that are written in turn.
    ///
    /// It is the simple form of [`by_slots`](Self::by_slots).
    ///
    /// ```
    /// use loadgen_core::model::migration::{Dirtying, Pattern, PreCopy};
    ///
    /// let dirtying = Dirtying::new(60.0).within(128.0, Pattern::RoundRobin);
    /// let prediction = PreCopy::new(512.0, 32.0, dirtying).with_limit_s(0.3).by_passes()?;
    /// assert!(!prediction.converges);
    /// // W/R.
    /// assert_eq!(prediction.passes.last().unwrap().length_s, 4.0);
    /// # Ok::<(), loadgen_core::model::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn by_passes(&self) -> Result<Prediction, ModelError> {
        self.check()?;
        let mut prediction = Prediction { left: self.memory, ..Prediction::default() };
        while !prediction.converges && prediction.passes.len() < MOST_PASSES {
            let sent = prediction.left * self.ratio(prediction.passes.len());
            let length_s = sent / self.bandwidth;
            // No more than all memory is dirty, however large the working set is.
            prediction.left = self.dirtying.dirtied(length_s).min(self.memory);
            prediction.copying_s += length_s;
            prediction.sent += sent;
            prediction.passes.push(Pass { length_s, sent, left: prediction.left });
            prediction.converges = prediction.left / self.bandwidth <= self.limit_s;
        }
        let wire = prediction.left * self.ratio(prediction.passes.len());
        prediction.sent += wire;
        prediction.downtime_s = wire / self.stop_bandwidth + self.load_s;
        Ok(prediction.summed())
    }
}
