//! How the program ends: the exit codes are a contract (see `loadgen --help`).

use std::process::ExitCode;

use loadgen_core::{PlanError, RunError, Setting, WorkloadFileError};

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
        Self::Usage(told(&error))
    }
}

impl From<WorkloadFileError> for Failure {
    fn from(error: WorkloadFileError) -> Self {
        match error {
            WorkloadFileError::NothingToReplay { methods: true, .. } => {
                Self::Usage(format!("{error} (--replay-unsafe)"))
            }
            error => Self::usage(error),
        }
    }
}

/// What is wrong with a plan, with the options that say it.
pub(crate) fn told(error: &PlanError) -> String {
    let told = error.told(option);
    match error {
        PlanError::Secrets { headers } => {
            let name = headers.first().map_or("NAME", String::as_str);
            format!(
                "{told}, as in -H '{name}: env:NAME' (from the environment) or -H @FILE (from a \
                 file of header lines)"
            )
        }
        _ => told,
    }
}

/// The option of a setting.
fn option(setting: Setting) -> String {
    match setting {
        Setting::Addresses => "--addresses all",
        Setting::Calls => "--calls",
        Setting::CallsPerConnection => "--calls-per-connection",
        Setting::Close => "--close",
        Setting::ConnectRate => "--connect-rate",
        Setting::ConnectTo => "--connect-to",
        Setting::Connections => "--connections",
        Setting::Expect => "--expect",
        Setting::KernelTimestamps => "--kernel-timestamps",
        Setting::MaxConnecting => "--max-connecting",
        // Of sessions, these are the connections.
        Setting::OpenConnections => "--connections",
        Setting::Pipeline => "--pipeline",
        Setting::Probe => "--probe-rate",
        Setting::Proxy => "--proxy",
        Setting::ReadRate => "--read-rate",
        Setting::Requests => "--requests FILE",
        Setting::ResolveAgain => "--resolve-again",
        Setting::SourceAddresses => "--source-address",
        Setting::Speed => "--speed",
        Setting::Threads => "--threads",
        other => return other.to_string(),
    }
    .to_owned()
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Plan(error) => error.into(),
            RunError::Workload(error) => error.into(),
            error => Self::Run(anyhow::Error::msg(error.told(option))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_the_names_of_options() {
        for setting in Setting::ALL {
            assert!(option(setting).starts_with("--"), "{setting:?}");
        }
        let error = RunError::Descriptors { wanted: 9, limit: 8 };
        let Failure::Run(reason) = Failure::from(error) else { panic!("the machine's limit") };
        let story = whole_story(&reason);
        assert!(story.ends_with("raise the limit (ulimit -n) or lower --connections"), "{story}");
        let error = PlanError::Secrets { headers: vec!["X".to_owned()] };
        assert!(told(&error).contains("give it again, as in -H 'X: env:NAME'"));
    }

    #[test]
    fn a_cause_is_told_once() {
        let cause = || anyhow::anyhow!("connection refused");
        let tells = cause().context("cannot connect: connection refused; is it running?");
        assert_eq!(whole_story(&tells), "cannot connect: connection refused; is it running?");
        let silent = cause().context("cannot connect");
        assert_eq!(whole_story(&silent), "cannot connect: connection refused");
    }
}
