//! The testbed in the course of an experiment: when it is brought up, brought back and taken
//! down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::design::Cell;
use super::progress::{ExperimentProgress, Observer};
use super::testbed::{Testbed, TestbedError, TrialContext, Values};
use crate::panicked::said;

/// A trial, without what the testbed says.
#[derive(Debug, Clone)]
pub(super) struct At<'a> {
    pub(super) index: u32,
    pub(super) block: u32,
    pub(super) attempt: u32,
    pub(super) cell: &'a Cell,
    pub(super) folder: PathBuf,
}

/// The testbed, and how it stands.
pub(super) struct Machine<'a> {
    testbed: Box<dyn Testbed>,
    interrupt: &'a AtomicBool,
    /// How often it was brought up.
    boots: u32,
    /// Trials since then, with the one under way.
    since: u32,
    /// The last trial that it was brought up for or back after; `None`: it is down.
    last: Option<At<'a>>,
    /// That trial succeeded.
    is_sound: bool,
    /// An experiment that was killed may have left it up.
    is_left: bool,
    values: Values,
}

impl<'a> Machine<'a> {
    pub(super) fn new(
        testbed: Box<dyn Testbed>,
        boots: u32,
        is_left: bool,
        interrupt: &'a AtomicBool,
    ) -> Self {
        let values = Values::new();
        Self { testbed, interrupt, boots, since: 0, last: None, is_sound: false, is_left, values }
    }

    /// What it said of itself.
    pub(super) fn values(&self) -> &Values {
        &self.values
    }

    /// How often it was brought up, and which trial since then comes; `None`: nobody brings it
    /// up.
    pub(super) fn boot(&self) -> Option<(u32, u32)> {
        self.testbed.boots().then_some((self.boots, self.since))
    }

    /// Makes it ready for a trial.
    pub(super) fn prepare(
        &mut self,
        at: &At<'a>,
        observer: &mut Observer<'_>,
    ) -> Result<(), TestbedError> {
        if self.testbed.boots() && !self.is_brought_back(at, observer) {
            if self.last.is_none() && self.is_left {
                self.last = Some(at.clone());
            }
            self.leave(observer);
            // Half of it may be up if this fails.
            self.last = Some(at.clone());
            self.boots += 1;
            self.since = 0;
            self.values = self.call("up", at, observer, |bed, trial| bed.up(trial))?;
        }
        self.since += 1;
        self.last = Some(at.clone());
        self.is_sound = false;
        self.call("settle", at, observer, |bed, trial| bed.settle(trial))
    }

    /// Says that the trial, for which it was [prepared](Self::prepare), succeeded.
    pub(super) fn is_sound(&mut self) {
        self.is_sound = true;
    }

    /// Whether the machine of the last trial can be that of the next one.
    fn is_brought_back(&mut self, next: &At<'a>, observer: &mut Observer<'_>) -> bool {
        let Some(last) = self.last.clone().filter(|_| self.is_sound) else { return false };
        if !self.testbed.rewinds(last.cell, next.cell) {
            return false;
        }
        match self.call("rewind", &last, observer, |bed, trial| bed.rewind(trial)) {
            Ok(values) => {
                self.values.extend(values);
                true
            }
            Err(error) => {
                observer.tell(ExperimentProgress::Trouble { error: &error });
                false
            }
        }
    }

    /// Takes it down, if it is up.
    pub(super) fn leave(&mut self, observer: &mut Observer<'_>) {
        let Some(last) = self.last.take() else { return };
        self.is_left = false;
        if !self.testbed.boots() {
            return;
        }
        if let Err(error) = self.call("down", &last, observer, |bed, trial| bed.down(trial)) {
            observer.tell(ExperimentProgress::Trouble { error: &error });
        }
        self.values.clear();
    }

    fn call<T>(
        &mut self,
        what: &'static str,
        at: &At<'a>,
        observer: &mut Observer<'_>,
        does: impl FnOnce(&mut dyn Testbed, &TrialContext<'_>) -> Result<T, TestbedError>,
    ) -> Result<T, TestbedError> {
        observer.tell(ExperimentProgress::Testbed { index: at.index, cell: at.cell, what });
        let trial = context(at, &at.folder, &self.values, self.interrupt);
        let testbed = &mut *self.testbed;
        catch_unwind(AssertUnwindSafe(|| does(testbed, &trial))).unwrap_or_else(|panic| {
            Err(TestbedError(format!("{what}: the program's testbed panicked: {}", said(&*panic))))
        })
    }
}

/// What the testbed and whoever makes the trial are told of it.
pub(super) fn context<'a>(
    at: &At<'a>,
    folder: &'a Path,
    values: &'a Values,
    interrupt: &'a AtomicBool,
) -> TrialContext<'a> {
    let At { index, block, attempt, cell, .. } = *at;
    TrialContext { index, block, cell, attempt, folder, values, interrupt }
}
