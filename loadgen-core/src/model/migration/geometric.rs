//! Pre-copy in rounds, each of which sends what was dirtied in the one before.

use super::prediction::{Pass, Prediction};
use crate::model::error::{ModelError, not_negative, positive, ratio};

/// Pre-copy with a dirty rate that is the same all the time and knows no working set (Clark et al.,
/// NSDI 2005; Liu et al., HPDC 2011).
///
/// With the memory V, the bandwidth R, the dirty rate D, λ = D/R and the threshold θ:
/// `V_0 = V, T_i = V_i/R, V_{i+1} = D T_i = V λ^{i+1}`; the machine is stopped at the first n with
/// `V_n ≤ θ`; `V_mig = Σ V_i = V (1 − λ^{n+1})/(1 − λ)`, `T_mig = V_mig/R + T_r`, and
/// `T_down = V_n/R + T_r`.
///
/// **Compression** (Svärd et al., VEE 2011: deltas of pages that were sent before; Zhang et al.,
/// CLUSTER 2010: deduplication) is a factor on what goes over the wire, of the first pass and of
/// the later ones: `T_i = ρ_i V_i/R`. The threshold is compared with bytes of memory, as QEMU does,
/// not with those on the wire. Deltas (XBZRLE) can only be made of pages that were sent before:
/// with them the first factor is 1.
///
/// QEMU does not iterate like this: [`PreCopy::by_slots`](super::PreCopy::by_slots) does as it
/// does.
///
/// ```
/// use loadgen_core::model::migration::Geometric;
///
/// let model = Geometric::new(512.0, 32.0, 8.0).with_threshold(1.0).with_resume_s(0.02);
/// let prediction = model.predict()?;
/// // 512 + 128 + 32 + 8 + 2, and 0.5 while it stands still.
/// assert_eq!((prediction.passes.len(), prediction.sent), (5, 682.5));
/// assert_eq!(prediction.downtime_s, 0.5 / 32.0 + 0.02);
///
/// // Deltas of half the size: 1024 whole, then 0.5 (128 + 16 + 2 + 0.25) of 1024 MiB.
/// let model = Geometric::new(1024.0, 32.0, 8.0).with_threshold(1.0).with_resume_s(0.02);
/// let deltas = model.with_ratios(1.0, 0.5).predict()?;
/// assert!((deltas.sent - 1170.25).abs() < 1e-9);
/// assert!((deltas.total_s - 36.590_312_5).abs() < 1e-9);
/// # Ok::<(), loadgen_core::model::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Geometric {
    /// Memory to send, in bytes.
    pub memory: f64,
    /// At which it is sent, in bytes a second.
    pub bandwidth: f64,
    /// At which it is dirtied, in bytes a second.
    pub dirty_rate: f64,
    /// When so much is left, in bytes, the machine is stopped.
    pub threshold: f64,
    /// What the target needs to resume, in s.
    pub resume_s: f64,
    /// After so many rounds the machine is stopped whatever is left (29 in Xen).
    pub most_rounds: u32,
    /// Bytes on the wire for a byte of memory: in the first round, and later.
    pub ratios: (f64, f64),
}

impl Geometric {
    /// Without compression, a target that resumes at once, a threshold of 50 pages of 4 KiB, as in
    /// Xen, and 30 rounds at the most.
    #[must_use]
    pub fn new(memory: f64, bandwidth: f64, dirty_rate: f64) -> Self {
        Self {
            memory,
            bandwidth,
            dirty_rate,
            threshold: 50.0 * 4096.0,
            resume_s: 0.0,
            most_rounds: 30,
            ratios: (1.0, 1.0),
        }
    }

    /// When so much is left, in bytes, the machine is stopped.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// What the target needs to resume, in s.
    #[must_use]
    pub fn with_resume_s(mut self, resume_s: f64) -> Self {
        self.resume_s = resume_s;
        self
    }

    /// After so many rounds the machine is stopped whatever is left.
    #[must_use]
    pub fn with_most_rounds(mut self, most_rounds: u32) -> Self {
        self.most_rounds = most_rounds;
        self
    }

    /// Bytes on the wire for a byte of memory: in the first round, and later.
    #[must_use]
    pub fn with_ratios(mut self, first: f64, later: f64) -> Self {
        self.ratios = (first, later);
        self
    }

    /// λ: what is dirtied while a byte is sent. From 1 on nothing converges.
    #[must_use]
    pub fn lambda(&self) -> f64 {
        self.ratios.1 * self.dirty_rate / self.bandwidth
    }

    /// The largest dirty rate at which the threshold is met within the rounds:
    /// `D* = R (θ/V)^{1/N}`, of later rounds by their factor. `None` where the memory is below the
    /// threshold: then any rate will do.
    ///
    /// ```
    /// use loadgen_core::model::migration::Geometric;
    ///
    /// let model = Geometric::new(512.0, 32.0, 8.0).with_threshold(1.0).with_most_rounds(9);
    /// // 512 is 2^9, so each of 9 rounds has to be half of the one before.
    /// assert!((model.largest_dirty_rate().unwrap() - 16.0).abs() < 1e-12);
    /// assert!((model.smallest_bandwidth().unwrap() - 16.0).abs() < 1e-12);
    /// assert_eq!(model.lambda(), 0.25);
    /// ```
    #[must_use]
    pub fn largest_dirty_rate(&self) -> Option<f64> {
        self.shrinking().map(|shrinking| self.bandwidth / shrinking)
    }

    /// The smallest bandwidth at which the threshold is met within the rounds:
    /// `R* = D (V/θ)^{1/N}`. `None` as of [`Self::largest_dirty_rate`].
    #[must_use]
    pub fn smallest_bandwidth(&self) -> Option<f64> {
        self.shrinking().map(|shrinking| self.dirty_rate * shrinking)
    }

    /// How much smaller each round must be for each byte that it sends.
    fn shrinking(&self) -> Option<f64> {
        let (first, later) = self.ratios;
        let rounds = f64::from(self.most_rounds);
        let all = self.memory / self.threshold * first * later.powf(rounds - 1.0);
        (self.memory > self.threshold).then(|| all.powf(1.0 / rounds))
    }

    /// What it costs.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn predict(&self) -> Result<Prediction, ModelError> {
        let memory = not_negative("the memory", self.memory)?;
        let bandwidth = positive("the bandwidth", self.bandwidth)?;
        let dirty_rate = not_negative("the dirty rate", self.dirty_rate)?;
        // Within the digits that a product of factors keeps.
        let threshold = positive("the threshold", self.threshold)? * (1.0 + 1e-12);
        let resume_s = not_negative("the time to resume", self.resume_s)?;
        let first = ratio("the factor of the first round", self.ratios.0)?;
        let later = ratio("the factor of later rounds", self.ratios.1)?;
        let factor = |round: usize| if round == 0 { first } else { later };
        let mut prediction = Prediction { left: memory, ..Prediction::default() };
        while prediction.left > threshold && prediction.passes.len() < self.most_rounds as usize {
            let wire = factor(prediction.passes.len()) * prediction.left;
            let length_s = wire / bandwidth;
            prediction.left = dirty_rate * length_s;
            prediction.copying_s += length_s;
            prediction.sent += wire;
            prediction.passes.push(Pass { length_s, sent: wire, left: prediction.left });
        }
        prediction.converges = prediction.left <= threshold;
        let wire = factor(prediction.passes.len()) * prediction.left;
        prediction.sent += wire;
        prediction.downtime_s = wire / bandwidth + resume_s;
        Ok(prediction.summed())
    }
}
