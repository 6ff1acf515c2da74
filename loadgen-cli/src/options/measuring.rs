//! What is measured beside the calls.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use loadgen_core::calls_file::{CallsFile, CallsFormat};
use loadgen_core::{Plan, RunError};

use crate::exit::Failure;

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct MeasuringOptions {
    /// Ask the kernel when it received each reply, and tell how long replies lay unread
    ///
    /// The report then has the distribution of that delay, which is this machine's and not
    /// the server's, and the service time without it. Response and service time stay as they
    /// are. Costs some CPU with each read.
    #[arg(long)]
    kernel_timestamps: bool,

    #[command(flatten)]
    calls_log: CallsLogOptions,
}

/// A file with a line for each call.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct CallsLogOptions {
    /// Write a line for each call to FILE: when it was intended, sent and done, and how it ended
    ///
    /// Columns: intended_s, started_s (for a connection that was opened: start of connecting),
    /// sent_s and done_s, in seconds from the start of the load; outcome, status, bytes, tag,
    /// population, connection (thread:place:use), request (its place in the list, from 0), reused,
    /// retried, queued; in a sweep the first column is run, its number from 1. Calls of the
    /// warm-up are in it. A thread of its own writes the file, which is emptied first; when the
    /// disk is too slow, calls are left out, counted, and the run is degraded.
    #[arg(long, value_name = "FILE")]
    calls_log: Option<PathBuf>,

    /// How lines of --calls-log are written [default: json-lines if FILE ends in .jsonl, .ndjson or
    /// .json, else csv]
    #[arg(long, value_enum, value_name = "FORMAT", requires = "calls_log")]
    calls_log_format: Option<CallsFormatArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CallsFormatArg {
    /// A head line, then comma-separated values
    Csv,
    /// A JSON object a line
    JsonLines,
}

impl MeasuringOptions {
    /// Whether a line is to be written for each call.
    pub(crate) fn has_calls_log(&self) -> bool {
        self.calls_log.is_given()
    }

    /// The plan with the settings of this group.
    pub(crate) fn apply(&self, plan: Plan) -> Plan {
        if self.kernel_timestamps { plan.with_kernel_timestamps() } else { plan }
    }

    /// The name of the file of calls, if one is wanted.
    pub(crate) fn calls_log(&mut self) -> Option<&mut PathBuf> {
        self.calls_log.calls_log.as_mut()
    }

    /// The file of calls of a run, created, if one is wanted.
    pub(crate) fn calls_file(&self) -> Result<Option<CallsFile>, Failure> {
        self.calls_log.create(CallsFile::create)
    }
}

impl CallsLogOptions {
    fn is_given(&self) -> bool {
        self.calls_log.is_some()
    }

    /// The file of calls of a sweep, created, if one is wanted. Of one that goes on, what is
    /// known of the runs before must not be lost.
    pub(crate) fn calls_file_of_runs(&self, goes_on: bool) -> Result<Option<CallsFile>, Failure> {
        let holds_lines = |path: &PathBuf| path.metadata().is_ok_and(|file| file.len() > 0);
        if let Some(path) = self.calls_log.as_ref().filter(|path| goes_on && holds_lines(path)) {
            return Err(Failure::usage(format!(
                "--calls-log '{}' holds calls already, perhaps those of the sweep that goes on: \
                 give the name of a new file",
                path.display()
            )));
        }
        self.create(CallsFile::create_for_runs)
    }

    fn create(
        &self,
        create: impl Fn(&Path, CallsFormat) -> Result<CallsFile, RunError>,
    ) -> Result<Option<CallsFile>, Failure> {
        let Some(path) = &self.calls_log else { return Ok(None) };
        let format = match self.calls_log_format {
            Some(CallsFormatArg::Csv) => CallsFormat::Csv,
            Some(CallsFormatArg::JsonLines) => CallsFormat::JsonLines,
            None => CallsFormat::of(path),
        };
        let created = create(path, format);
        created.map(Some).map_err(|error| {
            Failure::usage(format!("cannot write --calls-log '{}': {error}", path.display()))
        })
    }
}
