//! `loadgen report`: render a report that was kept as JSON.

use std::path::{Path, PathBuf};

use loadgen_core::Report;
use loadgen_core::printable::printable;
use loadgen_core::report::{render_csv, render_html, write_file};

use super::read_report;
use crate::exit::{Exit, Failure};
use crate::messages::note;
use crate::options::{Format, OutputOptions};
use crate::output::{check_writable, render, to_stdout};

/// Render a report: as text, one HTML file, or a table
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// JSON report, '-' for stdin, or a directory with reports
    ///
    /// In a directory: DIR/report.json, or else every DIR/*.json and DIR/*/report.json, of
    /// which only text can be made together.
    #[arg(value_name = "FILE|DIR")]
    input: PathBuf,

    /// Write one self-contained HTML file with the timeline ('-': stdout)
    #[arg(long, value_name = "OUT", help_heading = "Output")]
    html: Option<PathBuf>,

    /// Write the timeline's windows as CSV ('-': stdout)
    #[arg(long, value_name = "OUT", help_heading = "Output")]
    csv: Option<PathBuf>,

    #[command(flatten)]
    output: OutputOptions,
}

const AFTER: &str = "\
Examples:
  loadgen report report.json                       as text
  loadgen report report.json --html report.html
  loadgen report report.json --csv - | head
  loadgen migrate --format json | tee report.json | loadgen report -";

pub(crate) fn main(args: &Args) -> Result<Exit, Failure> {
    let format = args.output.format()?;
    let files = [args.html.as_deref(), args.csv.as_deref(), args.output.file()];
    for file in files.into_iter().flatten().filter(|file| !is_stdout(file)) {
        check_writable(file)?;
    }
    let reports = inputs(&args.input)?
        .iter()
        .map(|path| Ok((path.clone(), read_report(path)?)))
        .collect::<Result<Vec<(PathBuf, Report)>, Failure>>()?;
    let only = || match reports.as_slice() {
        [(_, report)] => Ok(report),
        several => Err(Failure::usage(format!(
            "'{}' holds {} reports ({}): give one of them, or take them as text",
            args.input.display(),
            several.len(),
            several.iter().map(|(p, _)| p.display().to_string()).collect::<Vec<_>>().join(", ")
        ))),
    };
    if let Some(out) = &args.html {
        write(out, &render_html(only()?), args.output.quiet)?;
    }
    if let Some(out) = &args.csv {
        write(out, &render_csv(only()?), args.output.quiet)?;
    }
    let elsewhere = args.html.is_some() || args.csv.is_some();
    if !elsewhere || args.output.is_asked_for() {
        let text = match format {
            Format::Json => render(only()?, format)?,
            Format::Text => text_of_all(&reports)?,
        };
        write(args.output.file().unwrap_or(Path::new("-")), &text, args.output.quiet)?;
    }
    Ok(Exit::Done)
}

/// The reports behind a name, in the order of their names.
fn inputs(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let own = path.join("report.json");
    if own.is_file() {
        return Ok(vec![own]);
    }
    let unreadable = |e| Failure::usage(format!("cannot read '{}': {e}", path.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        if entry.is_dir() {
            found.extend(Some(entry.join("report.json")).filter(|inner| inner.is_file()));
        } else if entry.extension().is_some_and(|extension| extension == "json") {
            found.push(entry);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(Failure::usage(format!("'{}' holds no report (*.json)", path.display())));
    }
    Ok(found)
}

fn text_of_all(reports: &[(PathBuf, Report)]) -> Result<String, Failure> {
    let mut all = String::new();
    for (path, report) in reports {
        if reports.len() > 1 {
            let gap = if all.is_empty() { "" } else { "\n" };
            all.push_str(&format!("{gap}==> {} <==\n", printable(&path.display().to_string())));
        }
        all.push_str(&render(report, Format::Text)?);
    }
    Ok(all)
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn write(out: &Path, text: &str, quiet: bool) -> Result<(), Failure> {
    if is_stdout(out) {
        return to_stdout(text).map_err(|e| anyhow::anyhow!("cannot write to stdout: {e}").into());
    }
    write_file(out, text.as_bytes()).map_err(anyhow::Error::from)?;
    if !quiet {
        note(&format!("written to {}", out.display()));
    }
    Ok(())
}
