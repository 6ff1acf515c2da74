//! Pre-copy as QEMU does it.

use super::dirtying::Dirtying;
use super::pre_copy::PreCopy;
use super::prediction::{Pass, Prediction};
use crate::model::error::ModelError;

/// In which QEMU sends and looks (`BUFFER_DELAY` in `migration/migration.c`), in s.
pub(in crate::model) const SLOT_S: f64 = 0.1;

/// After so many passes it is given up that what is left will fit under the threshold.
const MOST_PASSES: usize = 1000;

/// What is waiting to be sent.
struct Waiting {
    /// Never sent.
    cold: f64,
    /// Of the working set, dirtied.
    hot: f64,
    /// Of the base set, dirtied.
    base: f64,
}

impl Waiting {
    fn all(&self) -> f64 {
        self.cold + self.hot + self.base
    }

    fn send(&mut self, mut sent: f64) {
        for part in [&mut self.cold, &mut self.hot, &mut self.base] {
            let of_it = sent.min(*part);
            *part -= of_it;
            sent -= of_it;
        }
    }

    /// `scattered` makes of what a pass is expected to dirty what it does. No more than all memory
    /// is dirty, however large the sets are.
    fn dirty(
        &mut self,
        dirtying: &Dirtying,
        t: f64,
        memory: f64,
        scattered: &mut impl FnMut(f64) -> f64,
    ) {
        // What was never sent is dirty already.
        let mut room = (memory - self.cold).max(0.0);
        let mut part = |waiting: f64, dirtied: f64, of: f64| {
            let anew = if of > 0.0 { dirtied * (1.0 - waiting / of) } else { 0.0 };
            let dirty = (waiting + scattered(anew)).min(of).min(room);
            room -= dirty;
            dirty
        };
        self.hot = part(self.hot, dirtying.of_working_set(t), dirtying.working_set);
        self.base = part(self.base, dirtying.of_base(t), dirtying.base);
    }
}

impl PreCopy {
    /// Pre-copy as QEMU does it (read in `migration/migration.c` and `ram.c` of 7.2 to 10.x).
    ///
    /// The stream is sent in slots of 100 ms. After each slot in which less than the threshold is
    /// left (the bandwidth times the limit on the downtime), the bitmap of dirtied pages is read
    /// again: a pass is over. If even with those less than the threshold is left, the machine is
    /// stopped. So a pass ends with just under the threshold left, not with nothing; passes are
    /// whole slots; and what is left at the stop is about two thirds of the threshold to all of it,
    /// however slowly memory is dirtied.
    ///
    /// Pages that were never sent go first. Of what was dirtied since the last look, the part that
    /// is still waiting to be sent is not dirtied anew: with h bytes of the working set W waiting,
    /// `d(t) (1 − h/W)` come to them.
    ///
    /// It converges if the dirty rate is below the bandwidth and less than the threshold is dirtied
    /// in a slot, or if the working set fits under the threshold.
    ///
    /// ```
    /// use loadgen_core::model::migration::{Dirtying, Pattern, PreCopy};
    ///
    /// let dirtying = Dirtying::new(10.77).within(64.0, Pattern::RoundRobin);
    /// let model = PreCopy::new(162.5, 32.0, dirtying).with_stop_bandwidth(290.0).with_load_s(0.011);
    /// let prediction = model.by_slots()?;
    /// // 71 slots.
    /// assert!((prediction.copying_s - 7.1).abs() < 1e-9);
    /// assert!(prediction.left < 0.3 * 32.0);
    /// # Ok::<(), loadgen_core::model::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn by_slots(&self) -> Result<Prediction, ModelError> {
        self.by_slots_scattered(|dirtied| dirtied)
    }

    /// The same, where passes dirty more or less than what is expected of them.
    pub(in crate::model) fn by_slots_scattered(
        &self,
        mut scattered: impl FnMut(f64) -> f64,
    ) -> Result<Prediction, ModelError> {
        self.check()?;
        let threshold = self.threshold();
        let mut waiting = Waiting { cold: self.memory, hot: 0.0, base: 0.0 };
        let mut prediction = Prediction { left: self.memory, ..Prediction::default() };
        prediction.converges = self.memory < threshold;
        let mut slots = 0.0;
        while !prediction.converges && prediction.passes.len() < MOST_PASSES {
            let ratio = self.ratio(prediction.passes.len());
            // Of memory, that is.
            let slot = self.bandwidth * SLOT_S / ratio;
            // So many until less than the threshold is left.
            let of_pass = ((waiting.all() - threshold) / slot).floor() + 1.0;
            let sent = (of_pass * slot).min(waiting.all());
            waiting.send(sent);
            let length_s = of_pass * SLOT_S;
            waiting.dirty(&self.dirtying, length_s, self.memory, &mut scattered);
            slots += of_pass;
            prediction.sent += sent * ratio;
            prediction.left = waiting.all();
            prediction.passes.push(Pass { length_s, sent: sent * ratio, left: prediction.left });
            prediction.converges = prediction.left < threshold;
        }
        // One product, in place of a sum of rounded ones.
        prediction.copying_s = slots * SLOT_S;
        let wire = prediction.left * self.ratio(prediction.passes.len());
        prediction.sent += wire;
        prediction.downtime_s = wire / self.stop_bandwidth + self.load_s;
        Ok(prediction.summed())
    }
}
