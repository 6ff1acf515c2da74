//! Where the result goes, and in which form.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::exit::Failure;

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Form of the result [default: json if FILE ends in .json, else text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// Write the result to FILE instead of stdout
    ///
    /// FILE is written aside and renamed when complete. If it cannot be written after the
    /// run, the result goes to stdout, so that nothing measured is lost, and the exit code is 1.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// No progress and no notes on stderr, only warnings and errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs: all of it
    Json,
}

impl OutputOptions {
    /// The form, chosen or by the name of the file.
    pub(crate) fn format(&self) -> Result<Format, Failure> {
        let Some(path) = &self.output else { return Ok(self.format.unwrap_or(Format::Text)) };
        let extension = path.extension().and_then(|extension| extension.to_str());
        match (self.format, extension) {
            (Some(format), _) => Ok(format),
            (None, Some("json")) => Ok(Format::Json),
            (None, Some(other @ ("html" | "csv"))) => Err(Failure::usage(format!(
                "-o writes text or json, not {other}: keep the report as JSON (-o report.json), \
                 then: loadgen report report.json --{other} {}",
                path.display()
            ))),
            (None, _) => Ok(Format::Text),
        }
    }

    /// The form that was chosen, whatever the name of the file.
    pub(crate) fn chosen_format(&self) -> Option<Format> {
        self.format
    }

    /// The file to write; `None` is stdout.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != Path::new("-"))
    }

    /// Whether the form or the place was chosen on the command line.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.format.is_some() || self.output.is_some()
    }
}
