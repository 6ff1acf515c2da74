//! Why a running machine could not be asked: [`LookError`].

use crate::migration::trigger::TriggerError;

/// Why a running machine told nothing that could be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookError {
    /// What was to be asked makes no sense.
    #[error("whom to ask: {0}")]
    Spec(String),
    /// It could not be reached, did not answer in time, or refused to.
    #[error(transparent)]
    Asking(TriggerError),
    /// The machine stands still, so that a dirty rate of 0 would say nothing.
    #[error(
        "{place}: the machine does not run (it is {state}); let it run under its load, then ask"
    )]
    NotRunning {
        /// Who was asked.
        place: String,
        /// What the machine is.
        state: String,
    },
    /// A migration or another job of the machine is under way, and would be disturbed.
    #[error("{place}: {job} is under way; ask once it is over")]
    Busy {
        /// Who was asked.
        place: String,
        /// What is under way.
        job: String,
    },
    /// This version does not have what is needed.
    #[error("{place} does not know {what}: that came with {since}")]
    TooOld {
        /// Who was asked.
        place: String,
        /// What it does not know.
        what: &'static str,
        /// The version that it came with.
        since: &'static str,
    },
    /// The machine is emulated: asked to track its pages, it would crash, or tell 0.
    #[error(
        "{place}: dirty-bitmap is for machines that run by KVM; an emulated one crashes (QEMU 7.2) \
         or tells 0 (QEMU 10.0): use page-sampling"
    )]
    NeedsKvm {
        /// Who was asked.
        place: String,
    },
    /// The measurement does not come to an end.
    #[error(
        "{place}: the dirty rate is still being measured {waited_s} s after it was asked for; \
         another one may be under way there: try again later"
    )]
    StillMeasuring {
        /// Who was asked.
        place: String,
        /// How long it was waited for, in s.
        waited_s: u32,
    },
    /// It said something that makes no sense.
    #[error("{place}: {what}")]
    Nonsense {
        /// Who was asked.
        place: String,
        /// What is wrong with it.
        what: String,
    },
}

impl From<TriggerError> for LookError {
    fn from(error: TriggerError) -> Self {
        match error {
            TriggerError::Spec(why) => Self::Spec(why),
            other => Self::Asking(other),
        }
    }
}
