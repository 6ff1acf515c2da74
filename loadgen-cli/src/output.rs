//! Delivering the result. The place is checked before a run starts; when it
//! fails afterwards all the same, the result goes elsewhere and the user is told
//! where: nothing measured is lost.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use loadgen_core::Report;
use loadgen_core::report::{is_stream, render_text, write_file};

use crate::exit::{Exit, Failure};
use crate::messages::{error, note};
use crate::options::{Format, OutputOptions};

/// Where a report goes, and in which form.
#[derive(Debug)]
pub(crate) struct Destination {
    file: Option<PathBuf>,
    format: Format,
    quiet: bool,
}

/// Whether the result is where the user wanted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    InPlace,
    Elsewhere,
}

impl Destination {
    /// Checks that the place can be written, before anything is measured.
    pub(crate) fn prepare(options: &OutputOptions) -> Result<Self, Failure> {
        let file = options.file().map(Path::to_owned);
        if let Some(path) = &file {
            check_writable(path)?;
        }
        Ok(Self { file, format: options.format()?, quiet: options.quiet })
    }

    /// Writes the report; if it cannot be written where it should be, it goes to
    /// stdout, and if that fails too, as JSON to a file of temporary files.
    pub(crate) fn deliver(&self, report: &Report) -> Result<Delivery, Failure> {
        let text = render(report, self.format)?;
        let Some(path) = &self.file else { return self.to_stdout_or_saved(&text, report) };
        match write_file(path, text.as_bytes()) {
            Ok(()) => {
                if !self.quiet {
                    note(&format!("report written to {}", path.display()));
                }
                Ok(Delivery::InPlace)
            }
            Err(reason) => {
                error(&format!("{reason}\nThe report goes to stdout instead."));
                self.to_stdout_or_saved(&text, report)?;
                Ok(Delivery::Elsewhere)
            }
        }
    }

    fn to_stdout_or_saved(&self, text: &str, report: &Report) -> Result<Delivery, Failure> {
        let written = match self.format {
            Format::Text => to_stdout(text),
            // Half of it is of no use: a reader that went away has lost it.
            Format::Json => all_to_stdout(text),
        };
        let Err(reason) = written else { return Ok(Delivery::InPlace) };
        let saved = save_somewhere(report).with_context(|| {
            format!("cannot write the report to stdout ({reason}), nor save it")
        })?;
        error(&format!(
            "cannot write the report to stdout: {reason}\nThe report was saved to {} instead.",
            saved.display()
        ));
        Ok(Delivery::Elsewhere)
    }
}

/// The report in one of the forms.
pub(crate) fn render(report: &Report, format: Format) -> anyhow::Result<String> {
    match format {
        Format::Text => Ok(render_text(report)),
        Format::Json => Ok(report.to_json_pretty()?),
    }
}

/// Refuses a place that cannot be written, without touching what is there.
pub(crate) fn check_writable(path: &Path) -> Result<(), Failure> {
    let refuse = |reason: String| {
        Failure::usage(format!("the result cannot be written to '{}': {reason}", path.display()))
    };
    if path.as_os_str().is_empty() {
        return Err(refuse("the name is empty".to_owned()));
    }
    // Its directory says nothing of a stream, which is continued.
    if is_stream(path) && path.exists() {
        return Ok(());
    }
    let path = &behind_links(path);
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            return Err(refuse("it is a directory; give the name of a file".to_owned()));
        }
        // A device or a pipe is opened only once there is something to write.
        Ok(found) if !found.is_file() => return Ok(()),
        _ => {}
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // The result is written aside and renamed, so the directory decides.
    tempfile::Builder::new().prefix(".loadgen-check-").tempfile_in(directory).map_err(|cause| {
        let directory = directory.display();
        if cause.kind() == io::ErrorKind::NotFound {
            return refuse(format!("the directory '{directory}' does not exist"));
        }
        // The error of the system, without the temporary name that tempfile adds.
        let inner = cause.get_ref().and_then(|inner| inner.source());
        let cause = inner.map_or_else(|| cause.to_string(), ToString::to_string);
        refuse(format!("{cause} (directory '{directory}')"))
    })?;
    Ok(())
}

/// The file that a path leads to, which may be yet to be made.
fn behind_links(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.read_link()) {
        (Ok(real), _) => real,
        // From the directory of the link; an absolute one stands for itself.
        (Err(_), Ok(target)) => path.parent().unwrap_or(Path::new("")).join(target),
        (Err(_), Err(_)) => path.to_owned(),
    }
}

/// Writes to stdout. A reader that went away (`| head`) is no failure.
pub(crate) fn to_stdout(text: &str) -> io::Result<()> {
    match all_to_stdout(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn all_to_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}

fn save_somewhere(report: &Report) -> anyhow::Result<PathBuf> {
    save_json_somewhere(&report.to_json_pretty()?)
}

/// Saves a result among the temporary files, and says where.
pub(crate) fn save_json_somewhere(json: &str) -> anyhow::Result<PathBuf> {
    let mut file = tempfile::Builder::new().prefix("loadgen-report-").suffix(".json").tempfile()?;
    file.write_all(json.as_bytes())?;
    file.as_file().sync_all()?;
    let (_, path) = file.keep()?;
    Ok(path)
}

/// Where a result that is no report of a run goes; `None` is stdout.
pub(crate) struct Place(pub(crate) Option<PathBuf>);

impl Place {
    /// Writes the result; where that fails, it goes to stdout, or among the temporary files.
    pub(crate) fn write(
        &self,
        text: &str,
        json: impl Fn() -> Result<String, Failure>,
    ) -> Result<Exit, Failure> {
        let mut exit = Exit::Done;
        if let Some(file) = &self.0 {
            match write_file(file, text.as_bytes()) {
                Ok(()) => return Ok(exit),
                Err(reason) => error(&format!("{reason}\nThe result goes to stdout instead.")),
            }
            exit = Exit::NotWritten;
        }
        if let Err(reason) = to_stdout(text) {
            let saved = save_json_somewhere(&json()?).with_context(|| {
                format!("cannot write to stdout ({reason}), nor save the result")
            })?;
            error(&format!(
                "cannot write to stdout: {reason}\nThe result was saved to {} instead.",
                saved.display()
            ));
            exit = Exit::NotWritten;
        }
        Ok(exit)
    }
}
