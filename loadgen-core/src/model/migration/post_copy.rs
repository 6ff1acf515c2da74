//! Memory that follows a machine which runs at its target already.

use super::dirtying::Dirtying;
use super::prediction::{Pass, Prediction};
use crate::model::error::{ModelError, not_negative, positive};

/// Post-copy: the machine is stopped, the state of its devices is sent, it goes on at the target,
/// and its memory is pushed after it; a page that it touches too early is asked for (Hines &
/// Gopalan, VEE 2009; Hines, Deshpande & Gopalan, SIGOPS OSR 2009).
///
/// Each page goes over the wire once, so neither the downtime nor the total time depends on the
/// dirty rate: `T_down = S/B + T_r` with the state S and the bandwidth B of the stop, and `T =
/// T_prep + T_down + V/R`. Faults make the machine wait: `N (RTT + page/R)`, a part of the time in
/// which memory is pulled. How many there are depends on how well the pushing foresees what is
/// touched; Hines & Gopalan report that at most 21 % of the working set came by faults under large
/// loads.
///
/// ```
/// use loadgen_core::model::migration::PostCopy;
///
/// let model = PostCopy::new(512.0, 119.209, 2.0).with_prepare_s(0.05).with_resume_s(0.02);
/// let prediction = model.predict()?;
/// assert!((prediction.total_s - 4.381_754_985).abs() < 1e-9);
/// assert!((prediction.downtime_s - 0.036_777_257).abs() < 1e-9);
///
/// // 5000 faults of 0.2 ms and a page of 1/256 MiB each: 1.16384 s of the pulling.
/// let model = PostCopy::new(2048.0, 119.209_289_550_781_25, 4.0);
/// let stalled_s = model.with_faults(5000.0, 0.0002, 1.0 / 256.0).predict()?.stalled_s;
/// assert!((stalled_s - 1.16384).abs() < 1e-9);
/// # Ok::<(), loadgen_core::model::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PostCopy {
    /// Memory to send, in bytes.
    pub memory: f64,
    /// At which it is pushed, in bytes a second.
    pub push_bandwidth: f64,
    /// The state of the machine's devices, in bytes.
    pub device_state: f64,
    /// At which the state is sent, in bytes a second.
    pub stop_bandwidth: f64,
    /// Before the stop, in s.
    pub prepare_s: f64,
    /// What the target needs to resume, in s.
    pub resume_s: f64,
    /// Pages that are touched before they have come.
    pub faults: f64,
    /// What it takes to ask for one, in s.
    pub round_trip_s: f64,
    /// Bytes of a page.
    pub page: f64,
}

impl PostCopy {
    /// Without faults, with pages of 4 KiB, the same bandwidth for the state, and no time to
    /// prepare and to resume.
    #[must_use]
    pub fn new(memory: f64, push_bandwidth: f64, device_state: f64) -> Self {
        Self {
            memory,
            push_bandwidth,
            device_state,
            stop_bandwidth: push_bandwidth,
            prepare_s: 0.0,
            resume_s: 0.0,
            faults: 0.0,
            round_trip_s: 0.0,
            page: 4096.0,
        }
    }

    /// At which the state of devices is sent, in bytes a second.
    #[must_use]
    pub fn with_stop_bandwidth(mut self, stop_bandwidth: f64) -> Self {
        self.stop_bandwidth = stop_bandwidth;
        self
    }

    /// Before the stop, in s.
    #[must_use]
    pub fn with_prepare_s(mut self, prepare_s: f64) -> Self {
        self.prepare_s = prepare_s;
        self
    }

    /// What the target needs to resume, in s.
    #[must_use]
    pub fn with_resume_s(mut self, resume_s: f64) -> Self {
        self.resume_s = resume_s;
        self
    }

    /// Pages that are touched before they have come, the time to ask for one in s, and its bytes.
    #[must_use]
    pub fn with_faults(mut self, faults: f64, round_trip_s: f64, page: f64) -> Self {
        (self.faults, self.round_trip_s, self.page) = (faults, round_trip_s, page);
        self
    }

    /// What it costs.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn predict(&self) -> Result<Prediction, ModelError> {
        let memory = not_negative("the memory", self.memory)?;
        let push = positive("the bandwidth of pushing", self.push_bandwidth)?;
        let state = not_negative("the state of devices", self.device_state)?;
        let stop = positive("the bandwidth of the stop", self.stop_bandwidth)?;
        let resume_s = not_negative("the time to resume", self.resume_s)?;
        let faults = not_negative("the number of faults", self.faults)?;
        let round_trip_s = not_negative("the round trip", self.round_trip_s)?;
        let page = not_negative("the size of a page", self.page)?;
        let prediction = Prediction {
            converges: true,
            prepare_s: not_negative("the time to prepare", self.prepare_s)?,
            left: memory,
            downtime_s: state / stop + resume_s,
            pulling_s: memory / push,
            stalled_s: faults * (round_trip_s + page / push),
            sent: memory + state,
            ..Prediction::default()
        };
        Ok(prediction.summed())
    }
}

/// Hybrid: one pass of pre-copy, then post-copy of what was dirtied in it (Hines, Deshpande &
/// Gopalan, SIGOPS OSR 2009; QEMU's `postcopy-ram` after the first pass).
///
/// `t_0 = V/R`, what is left is `d(t_0)` ([`Dirtying::dirtied`]), and `T = t_0 + S/B + T_r +
/// d(t_0)/R_push`.
///
/// ```
/// use loadgen_core::model::migration::{Dirtying, Hybrid, Pattern, PostCopy};
///
/// let dirtying = Dirtying::new(20.0).within(64.0, Pattern::Random);
/// let after = PostCopy::new(512.0, 450.0, 4.0).with_stop_bandwidth(290.0).with_resume_s(0.03);
/// let prediction = Hybrid::new(32.0, dirtying, after).predict()?;
/// // 16 s of copying leave 64 (1 - e^-5) MiB, which are pulled at 450 MiB/s.
/// assert_eq!(prediction.copying_s, 16.0);
/// assert!((prediction.left - 63.569).abs() < 1e-3);
/// assert!((prediction.downtime_s - (4.0 / 290.0 + 0.03)).abs() < 1e-12);
/// assert!((prediction.total_s - 16.185).abs() < 1e-3);
/// # Ok::<(), loadgen_core::model::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Hybrid {
    /// At which memory is sent while the machine runs at its source, in bytes a second.
    pub bandwidth: f64,
    /// How the machine dirties its memory in this time.
    pub dirtying: Dirtying,
    /// What follows.
    pub post_copy: PostCopy,
}

impl Hybrid {
    /// Of all the memory of `post_copy`, sent at a bandwidth while it is dirtied.
    #[must_use]
    pub fn new(bandwidth: f64, dirtying: Dirtying, post_copy: PostCopy) -> Self {
        Self { bandwidth, dirtying, post_copy }
    }

    /// What it costs.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn predict(&self) -> Result<Prediction, ModelError> {
        let bandwidth = positive("the bandwidth", self.bandwidth)?;
        self.dirtying.check()?;
        let memory = not_negative("the memory", self.post_copy.memory)?;
        let length_s = memory / bandwidth;
        // No more can be dirty than there is.
        let left = self.dirtying.dirtied(length_s).min(memory);
        let mut prediction = PostCopy { memory: left, ..self.post_copy }.predict()?;
        prediction.copying_s = length_s;
        prediction.sent += memory;
        prediction.passes.push(Pass { length_s, sent: memory, left });
        Ok(prediction.summed())
    }
}
