//! How the program ends: the exit codes are a contract (see `loadgen --help`).

use std::process::ExitCode;

use loadgen_core::{PlanError, RunError};

use crate::messages::error;

/// An end that has a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Measured, but the report is not where it should be.
    NotWritten,
    /// An objective was breached or could not be judged, or the run was given up.
    Breached,
    /// The run is not valid.
    Invalid,
    /// Ended by this signal, with a partial report.
    Interrupted(i32),
}

impl Exit {
    /// The code of the process.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NotWritten => 1,
            Self::Breached => 3,
            Self::Invalid => 4,
            // The shells' convention; signal numbers are below 65.
            Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(1),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An end without a result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line cannot be carried out as written: exit code 2.
    Usage(String),
    /// Something went wrong on the way: exit code 1.
    Run(anyhow::Error),
}

impl Failure {
    /// Says on stderr what went wrong and gives the exit code.
    pub(crate) fn explain(&self) -> ExitCode {
        match self {
            Self::Usage(reason) => {
                error(&format!("{reason}\n\nFor more information, try '--help'."));
                ExitCode::from(2)
            }
            Self::Run(reason) => {
                error(&whole_story(reason));
                ExitCode::from(1)
            }
        }
    }

    /// A usage error from anything that explains itself.
    pub(crate) fn usage(reason: impl ToString) -> Self {
        Self::Usage(reason.to_string())
    }
}

/// An error with its causes. The errors of the library name theirs already; a
/// cause that has been said is not said again.
fn whole_story(reason: &anyhow::Error) -> String {
    let mut story = reason.to_string();
    for cause in reason.chain().skip(1).map(ToString::to_string) {
        if !story.contains(&cause) {
            story = format!("{story}: {cause}");
        }
    }
    story
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Run(error)
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Plan(error) => error.into(),
            RunError::Workload(error) => Self::usage(error),
            error => Self::Run(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = || anyhow::anyhow!("connection refused");
        let tells = cause().context("cannot connect: connection refused; is it running?");
        assert_eq!(whole_story(&tells), "cannot connect: connection refused; is it running?");
        let silent = cause().context("cannot connect");
        assert_eq!(whole_story(&silent), "cannot connect: connection refused");
    }
}
