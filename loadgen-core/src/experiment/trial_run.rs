//! What a trial does: nearly always a load with a migration in it.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;

use crate::migration::{MigrationProgress, MigrationRun};
use crate::panicked::said;
use crate::report::{Report, VerdictStatus};

/// Why a trial could not even begin.
pub type MakeError = Box<dyn Error + Send + Sync>;

/// What a trial does, and what is done with its report before it is kept.
///
/// A [`MigrationRun`] becomes one.
pub struct TrialRun {
    way: Way,
    finish: Option<Box<Finish>>,
}

enum Way {
    Migration(Box<MigrationRun>),
    Other(Box<Measure>),
}

type Measure = dyn FnOnce(&AtomicBool) -> Result<Report, MakeError> + Send;

type Finish = dyn FnOnce(&mut Report) + Send;

impl From<MigrationRun> for TrialRun {
    fn from(run: MigrationRun) -> Self {
        Self { way: Way::Migration(Box::new(run)), finish: None }
    }
}

impl TrialRun {
    /// A trial of another kind: whatever gives a report. The flag is true from the moment on
    /// when it is to end.
    pub fn measured_by(
        measure: impl FnOnce(&AtomicBool) -> Result<Report, MakeError> + Send + 'static,
    ) -> Self {
        Self { way: Way::Other(Box::new(measure)), finish: None }
    }

    /// Calls `finish` with the report before it is kept, such as
    /// [`CallsFile::finish`](crate::calls_file::CallsFile::finish).
    #[must_use]
    pub fn with_finish(mut self, finish: impl FnOnce(&mut Report) + Send + 'static) -> Self {
        self.finish = Some(Box::new(finish));
        self
    }

    /// Does it. A panic of the embedding program's code is an error, or makes the report invalid.
    pub(super) fn measure(
        self,
        index: u32,
        interrupt: &AtomicBool,
        observe: &mut dyn FnMut(MigrationProgress<'_>),
    ) -> Result<Report, MakeError> {
        let panicked =
            |panic: &(dyn std::any::Any + Send)| format!("the program panicked: {}", said(panic));
        let mut report = match self.way {
            Way::Migration(run) => {
                run.with_run_id(format!("trial {index}"), index).run(interrupt, observe)?
            }
            Way::Other(measure) => catch_unwind(AssertUnwindSafe(|| measure(interrupt)))
                .map_err(|panic| panicked(&*panic))??,
        };
        if let Some(finish) = self.finish {
            let finished = catch_unwind(AssertUnwindSafe(|| finish(&mut report)));
            let why = finished.err().map(|panic| panicked(&*panic));
            report.verdict.add(why.map(|why| (VerdictStatus::Invalid, why)));
        }
        Ok(report)
    }
}
