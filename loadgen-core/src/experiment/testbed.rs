//! What trials are made on: brought up, quiet, brought back, taken down.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::design::Cell;

/// What a testbed says of itself, such as the socket of a machine that it brought up.
pub type Values = BTreeMap<String, String>;

/// The trial that something is done for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TrialContext<'a> {
    /// Its number in the order of time, from 1.
    pub index: u32,
    /// Its block, from 1; those of the warm-up come first.
    pub block: u32,
    /// Its combination of levels.
    pub cell: &'a Cell,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// A folder of its own, for what is to be kept beside its report.
    pub folder: &'a Path,
    /// What the testbed has said since it was brought up.
    pub values: &'a Values,
    /// Is true from the moment on when the experiment is to end. What brings a machine back or
    /// takes it down goes on all the same.
    pub interrupt: &'a AtomicBool,
}

impl TrialContext<'_> {
    /// The level of a factor as text; empty if there is no such factor.
    #[must_use]
    pub fn level(&self, factor: &str) -> &str {
        self.cell.level(factor).map_or("", |level| level.as_str())
    }
}

/// Why a testbed did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TestbedError(pub String);

impl TestbedError {
    /// One that says this.
    pub fn new(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}

/// What trials are made on. All that it does is done in the thread of the experiment.
///
/// A testbed that has nothing to bring up, such as a simulated machine, needs none of this:
/// [`Nothing`] is one.
pub trait Testbed: Send {
    /// Whether [`Self::up`] and [`Self::down`] do anything. If so, it is taken down and brought
    /// up for each trial, but for those after a [`Self::rewind`].
    fn boots(&self) -> bool {
        true
    }

    /// Brings it up for a trial.
    ///
    /// # Errors
    /// The trial failed then, and it is taken down.
    fn up(&mut self, trial: &TrialContext<'_>) -> Result<Values, TestbedError> {
        let _ = trial;
        Ok(Values::new())
    }

    /// Waits until it is quiet; called before each trial.
    ///
    /// # Errors
    /// The trial failed then.
    fn settle(&mut self, trial: &TrialContext<'_>) -> Result<(), TestbedError> {
        let _ = trial;
        Ok(())
    }

    /// Whether [`Self::rewind`] makes `next` possible, after a trial of `last`, without taking
    /// it down.
    fn rewinds(&self, last: &Cell, next: &Cell) -> bool {
        let _ = (last, next);
        false
    }

    /// Brings the machine back to where it was before a trial. What it says takes the place of
    /// what was said before.
    ///
    /// # Errors
    /// It is taken down then, and brought up for the next trial.
    fn rewind(&mut self, trial: &TrialContext<'_>) -> Result<Values, TestbedError> {
        let _ = trial;
        Ok(Values::new())
    }

    /// Takes it down: what is there of it, even if an experiment that was killed left it, or
    /// [`Self::up`] got only half way.
    ///
    /// # Errors
    /// The experiment goes on; the trial has a remark.
    fn down(&mut self, trial: &TrialContext<'_>) -> Result<(), TestbedError> {
        let _ = trial;
        Ok(())
    }
}

/// A testbed with nothing to bring up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Testbed for Nothing {
    fn boots(&self) -> bool {
        false
    }
}
