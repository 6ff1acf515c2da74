//! Where a sweep goes: to its file after every run, so that no finished step can
//! be lost, or to stdout at the end.

use std::path::{Path, PathBuf};

use anyhow::Context;
use loadgen_core::report::write_file;
use loadgen_core::sweep::{SweepReport, render_csv, render_html, render_text, render_tsv};

use super::options::{Args, SweepFormat};
use crate::exit::Failure;
use crate::messages::{error, note};
use crate::output::{Delivery, check_writable, save_json_somewhere, to_stdout};

pub(super) struct SweepSink {
    file: Option<PathBuf>,
    format: SweepFormat,
    quiet: bool,
}

impl SweepSink {
    /// Checks that the place can be written, before anything is measured.
    pub(super) fn prepare(args: &Args) -> Result<Self, Failure> {
        let file = args.output.clone().filter(|path| path != Path::new("-"));
        if let Some(path) = &file {
            check_writable(path)?;
        }
        Ok(Self { file, format: args.format(), quiet: args.is_quiet() })
    }

    /// Writes what there is to the file, if it goes to a regular one.
    pub(super) fn save(&self, report: &SweepReport) -> anyhow::Result<()> {
        // A stream or a device would get the report again and again.
        match self.file.as_deref().filter(|path| path.is_file() || !path.exists()) {
            Some(path) => Ok(write_file(path, render(report, self.format)?.as_bytes())?),
            None => Ok(()),
        }
    }

    /// Writes the report; if it cannot be written where it should be, it goes to
    /// stdout, and if that fails too, as JSON to a file of temporary files.
    pub(super) fn deliver(&self, report: &SweepReport) -> Result<Delivery, Failure> {
        let text = render(report, self.format)?;
        let mut delivery = Delivery::InPlace;
        if let Some(path) = &self.file {
            match write_file(path, text.as_bytes()) {
                Ok(()) => {
                    if !self.quiet {
                        note(&format!("report written to {}", path.display()));
                    }
                    return Ok(delivery);
                }
                Err(reason) => error(&format!("{reason}\nThe report goes to stdout instead.")),
            }
            delivery = Delivery::Elsewhere;
        }
        let Err(reason) = to_stdout(&text) else { return Ok(delivery) };
        let saved = save_json_somewhere(&report.to_json_pretty().map_err(anyhow::Error::from)?)
            .with_context(|| {
                format!("cannot write the report to stdout ({reason}), nor save it")
            })?;
        error(&format!(
            "cannot write the report to stdout: {reason}\nThe report was saved to {} instead.",
            saved.display()
        ));
        Ok(Delivery::Elsewhere)
    }
}

fn render(report: &SweepReport, format: SweepFormat) -> anyhow::Result<String> {
    Ok(match format {
        SweepFormat::Text => render_text(report),
        SweepFormat::Json => report.to_json_pretty()?,
        SweepFormat::Csv => render_csv(report),
        SweepFormat::Tsv => render_tsv(report),
        SweepFormat::Html => render_html(report),
    })
}

/// Reads a sweep that is to be continued.
pub(super) fn read(path: &Path) -> Result<SweepReport, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("cannot read '{}': {e}", path.display())))?;
    SweepReport::from_json(&text)
        .map_err(|e| Failure::usage(format!("'{}' cannot be continued: {e}", path.display())))
}
