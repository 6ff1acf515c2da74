//! Who runs one test: takes httperf's arguments, writes httperf's report.

mod engine;
mod process;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use loadgen_core::Report;
use loadgen_core::migration::{Trigger, TriggerError};
use loadgen_core::shell_words::Unclosed;
use thiserror::Error;

pub use self::engine::EngineTester;
pub use self::process::ProcessTester;
use crate::reason::reason;

/// Why a test could not be run, or not to its end.
#[derive(Debug, Error)]
pub enum TestError {
    /// The program, or the thread that stands for it, cannot be started.
    #[error("cannot run {program}: {}", reason(.source))]
    Start {
        /// The program.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// The command line cannot be cut into arguments.
    #[error("{0}")]
    Line(#[from] Unclosed),
    /// The report could not be passed on.
    #[error("cannot write the report of httperf: {}", reason(.0))]
    Output(io::Error),
    /// The run was asked to stop.
    #[error("the test was stopped")]
    Stopped,
    /// The engine panicked.
    #[error("the load generator panicked; this is a defect of it: please report it")]
    Panicked,
    /// The migration could not be prepared, so nothing was tested.
    #[error("cannot prepare the migration: {0}")]
    Unprepared(TriggerError),
    /// Another program ran the test.
    #[error("only the engine of loadgen can migrate in a test")]
    NoMigration,
}

/// A test that ran, whatever failed in it.
#[derive(Debug, Default)]
pub struct TestRun {
    /// Exit status of httperf; -1 if a signal ended it.
    pub status: i32,
    /// All that was measured, where loadgen's engine ran the test.
    pub report: Option<Box<Report>>,
}

/// A migration in the middle of a test.
pub struct Migration {
    /// Starts it.
    pub trigger: Box<dyn Trigger>,
    /// After how long it is given up.
    pub limit: Duration,
    /// Names the sweep to the trigger.
    pub run_id: String,
    /// Which step of the sweep this is, from 1.
    pub trial: u32,
}

/// Runs tests.
pub trait Tester: Send + Sync {
    /// Runs httperf with these arguments (without the program's name) and writes its
    /// stdout. Its stderr is ours. Gives up soon after `stop` is set.
    ///
    /// # Errors
    ///
    /// [`TestError`]; a test that ran and failed is none.
    fn test(
        &self,
        arguments: &[String],
        stdout: &mut dyn Write,
        stop: &AtomicBool,
    ) -> Result<TestRun, TestError>;

    /// As [`Self::test`], with a migration fired when half of the connections were to
    /// be started. Ends when both the test and the migration have.
    ///
    /// # Errors
    ///
    /// [`TestError`]; a migration that failed is none.
    fn test_migrating(
        &self,
        arguments: &[String],
        stdout: &mut dyn Write,
        stop: &AtomicBool,
        migration: Migration,
    ) -> Result<TestRun, TestError> {
        let _ = (arguments, stdout, stop, migration);
        Err(TestError::NoMigration)
    }
}

/// loadgen's engine, unless a program is named; `None` if there is no such program.
#[must_use]
pub fn named(program: Option<&str>) -> Option<Box<dyn Tester>> {
    match program {
        None => Some(Box::new(EngineTester)),
        Some(program) => Some(Box::new(ProcessTester::find(program)?)),
    }
}

/// How often a running test looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(50);

/// Pieces of a report that wait for a slow reader; then httperf waits.
const PIECES: usize = 16;

/// Passes the report on until it ends, the reader fails or the test is to stop.
fn pass_on(
    pieces: &Receiver<Vec<u8>>,
    stdout: &mut dyn Write,
    stop: &AtomicBool,
) -> Result<(), TestError> {
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(TestError::Stopped);
        }
        match pieces.recv_timeout(LOOK) {
            Ok(piece) => stdout.write_all(&piece).map_err(TestError::Output)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}
