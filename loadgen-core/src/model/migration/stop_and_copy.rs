//! Memory is sent while the machine stands still.

use super::prediction::Prediction;
use crate::model::error::{ModelError, not_negative, positive};

/// Stop-and-copy: the machine is stopped, all of its memory is sent, and it goes on at the target.
///
/// `T = T_down = V/R + T_r` with the memory V, the bandwidth R and the time T_r that the target
/// needs to resume. Zhao & Figueiredo (VTDC 2007) have the same in three parts (suspend, copy,
/// resume), each linear in the memory; their coefficients could not be checked (abstract only).
///
/// ```
/// use loadgen_core::model::migration::StopAndCopy;
///
/// let prediction = StopAndCopy::new(1024.0, 32.0).with_resume_s(0.02).predict()?;
/// assert_eq!(prediction.downtime_s, 32.02);
/// assert_eq!(prediction.total_s, 32.02);
/// # Ok::<(), loadgen_core::model::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StopAndCopy {
    /// Memory to send, in bytes.
    pub memory: f64,
    /// At which it is sent, in bytes a second.
    pub bandwidth: f64,
    /// What the target needs to resume, in s.
    pub resume_s: f64,
}

impl StopAndCopy {
    /// With a target that resumes at once.
    #[must_use]
    pub fn new(memory: f64, bandwidth: f64) -> Self {
        Self { memory, bandwidth, resume_s: 0.0 }
    }

    /// What the target needs to resume, in s.
    #[must_use]
    pub fn with_resume_s(mut self, resume_s: f64) -> Self {
        self.resume_s = resume_s;
        self
    }

    /// What it costs.
    ///
    /// # Errors
    /// [`ModelError`] for a number that is out of its range.
    pub fn predict(&self) -> Result<Prediction, ModelError> {
        let memory = not_negative("the memory", self.memory)?;
        let bandwidth = positive("the bandwidth", self.bandwidth)?;
        let resume_s = not_negative("the time to resume", self.resume_s)?;
        let prediction = Prediction {
            converges: true,
            left: memory,
            downtime_s: memory / bandwidth + resume_s,
            sent: memory,
            ..Prediction::default()
        };
        Ok(prediction.summed())
    }
}
