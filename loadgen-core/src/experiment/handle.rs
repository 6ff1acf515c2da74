//! An experiment on a thread of its own: watched, stopped, awaited.

use super::error::ExperimentError;
use super::progress::ExperimentProgress;
use super::runner::{Experiment, ExperimentOutcome};
use crate::background::Background;

/// An experiment under way. When it is dropped, the trial under way is given up, and the
/// testbed is taken down; what was measured is in the directory, and it can be gone on with.
#[derive(Debug)]
pub struct ExperimentHandle(
    Background<ExperimentSnapshot, Result<ExperimentOutcome, ExperimentError>>,
);

/// Where an experiment stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExperimentSnapshot {
    /// Trials that were made, with those of earlier runs.
    pub made: u64,
    /// Trials that are still to be made if all of them succeed.
    pub left: u64,
}

impl Experiment {
    /// Starts it on a thread of its own and returns; as [`Self::run`].
    ///
    /// # Errors
    /// [`ExperimentError::Thread`] if the kernel refuses a thread.
    pub fn start(self) -> Result<ExperimentHandle, ExperimentError> {
        let begin = ExperimentSnapshot::default();
        let work = Background::start("loadgen-experiment", begin, move |shared| {
            self.run(shared.flag(), &mut |now| match now {
                ExperimentProgress::Begun { trials, left }
                | ExperimentProgress::Made { trials, left } => {
                    let made = trials.len() as u64;
                    *shared.progress() = ExperimentSnapshot { made, left };
                }
                _ => {}
            })
        });
        work.map(ExperimentHandle).map_err(ExperimentError::Thread)
    }
}

impl ExperimentHandle {
    /// Where it stands.
    #[must_use]
    pub fn snapshot(&self) -> ExperimentSnapshot {
        *self.0.progress()
    }

    /// Ends the trial under way, takes the testbed down, and ends. Returns at once.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Whether it has come to its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits for the end and gives the result.
    ///
    /// # Errors
    /// As [`Experiment::run`].
    pub fn join(self) -> Result<ExperimentOutcome, ExperimentError> {
        self.0.join()
    }
}
