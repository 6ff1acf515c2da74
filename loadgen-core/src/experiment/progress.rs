//! What is told of an experiment while it runs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::design::Cell;
use super::testbed::TestbedError;
use super::trial::Trial;
use crate::migration::MigrationProgress;

/// What is told of an experiment while it runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExperimentProgress<'a> {
    /// It begins, or goes on.
    Begun {
        /// Trials that were made before.
        trials: &'a [Trial],
        /// How many are still to be made if all of them succeed.
        left: u64,
    },
    /// Something is done with the testbed.
    Testbed {
        /// The trial that it is done for.
        index: u32,
        /// Its cell.
        cell: &'a Cell,
        /// What, such as `up`.
        what: &'static str,
    },
    /// The testbed could not be brought back or taken down; the experiment goes on.
    Trouble {
        /// Why.
        error: &'a TestbedError,
    },
    /// The load runs.
    Load {
        /// The trial.
        index: u32,
        /// Its cell.
        cell: &'a Cell,
        /// Where it stands.
        now: MigrationProgress<'a>,
    },
    /// A trial was made, and is kept.
    Made {
        /// All of them, this one last.
        trials: &'a [Trial],
        /// How many are still to be made if all of them succeed.
        left: u64,
    },
}

/// Who is told. A panic of theirs waits until the testbed is taken down.
pub(super) struct Observer<'a> {
    observe: &'a mut dyn FnMut(ExperimentProgress<'_>),
    panic: Option<Box<dyn Any + Send>>,
}

impl<'a> Observer<'a> {
    pub(super) fn new(observe: &'a mut dyn FnMut(ExperimentProgress<'_>)) -> Self {
        Self { observe, panic: None }
    }

    pub(super) fn tell(&mut self, progress: ExperimentProgress<'_>) {
        if self.panic.is_none() {
            self.panic = catch_unwind(AssertUnwindSafe(|| (self.observe)(progress))).err();
        }
    }

    /// Whether there is nobody any more to be told.
    pub(super) fn is_gone(&self) -> bool {
        self.panic.is_some()
    }

    pub(super) fn into_panic(self) -> Option<Box<dyn Any + Send>> {
        self.panic
    }
}
