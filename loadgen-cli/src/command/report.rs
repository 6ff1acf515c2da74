//! `loadgen report`: render a report that was kept as JSON.

use std::path::{Path, PathBuf};

use loadgen_core::Report;
use loadgen_core::experiment::{self, Summary, is_experiment};
use loadgen_core::migration::MigrationsReport;
use loadgen_core::prediction::{
    AvailabilityReport, EvacuationReport, PredictionReport, render_availability_text,
    render_evacuation_text, render_prediction_html, render_prediction_text,
};
use loadgen_core::printable::printable;
use loadgen_core::report::{ReportError, render_csv, render_html, reports_in, write_file};

use super::{parsed, read};
use crate::exit::{Exit, Failure};
use crate::messages::note;
use crate::options::{Format, OutputOptions};
use crate::output::{check_writable, render, to_stdout};

/// Render a report: as text, one HTML file, or a table
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// JSON report, '-' for stdin, or a directory: of an experiment, or with reports
    ///
    /// Of an experiment (DIR/plan.toml and DIR/trials) it is told what the trials show together,
    /// and CSV has a row a trial. Else DIR/report.json, or else every DIR/*.json and DIR/*/report.json, of
    /// which only text can be made together.
    #[arg(value_name = "FILE|DIR")]
    input: PathBuf,

    /// Write one self-contained HTML file ('-': stdout)
    #[arg(long, value_name = "OUT", help_heading = "Output")]
    html: Option<PathBuf>,

    /// Write the timeline's windows, or the trials of an experiment, as CSV ('-': stdout)
    #[arg(long, value_name = "OUT", help_heading = "Output")]
    csv: Option<PathBuf>,

    /// Of an experiment: write it as Markdown ('-': stdout)
    #[arg(long, value_name = "OUT", help_heading = "Output")]
    markdown: Option<PathBuf>,

    /// Of an experiment: write a script for gnuplot, with its data, that draws the bars ('-': stdout)
    #[arg(long, value_name = "OUT", help_heading = "Output")]
    gnuplot: Option<PathBuf>,

    /// Of several machines (`migrate` with more than one --trigger): the report of this one alone
    #[arg(long, value_name = "N", help_heading = "Output")]
    machine: Option<usize>,

    #[command(flatten)]
    output: OutputOptions,
}

const AFTER: &str = "\
Examples:
  loadgen report report.json                       as text
  loadgen report report.json --html report.html
  loadgen report report.json --csv - | head
  loadgen report study                             an experiment: loadgen experiment --out study
  loadgen migrate --format json | tee report.json | loadgen report -";

pub(crate) fn main(args: &Args) -> Result<Exit, Failure> {
    let format = args.output.format()?;
    let files = [&args.html, &args.csv, &args.markdown, &args.gnuplot].map(Option::as_deref);
    let files = files.into_iter().chain([args.output.file()]);
    for file in files.flatten().filter(|file| !is_stdout(file)) {
        check_writable(file)?;
    }
    if is_experiment(&args.input) {
        if args.machine.is_some() {
            return Err(not_of_several(args));
        }
        return experiment(args, format);
    }
    if args.markdown.is_some() || args.gnuplot.is_some() {
        return Err(Failure::usage(format!(
            "--markdown and --gnuplot are of experiments, and '{}' is none",
            args.input.display()
        )));
    }
    let paths = inputs(&args.input)?;
    let alone = paths.len() == 1;
    let mut reports = Vec::new();
    let mut is_picked = false;
    for path in paths {
        let text = read(&path)?;
        if let Some(family) = FORESEEN.iter().find(|family| is_of_family(&text, family.name)) {
            if alone {
                return foreseen(args, family, &text, format);
            }
            let (path, what) = (path.display(), family.what);
            return Err(Failure::usage(format!("'{path}' is {what}: give it alone")));
        }
        if !is_of_several(&text) {
            reports.push((path.clone(), parsed(&path, &text)?));
            continue;
        }
        let several = MigrationsReport::from_json(&text)
            .map_err(|error| Failure::usage(format!("'{}': {error}", path.display())))?;
        match args.machine {
            Some(number) => reports.push((path.clone(), of_machine(several, number, &path)?)),
            None if alone => return whole(args, &several, format),
            None => {
                return Err(Failure::usage(format!(
                    "'{}' holds the migrations of {} machines: give it alone, or say of which with \
                     --machine N",
                    path.display(),
                    several.machines.len()
                )));
            }
        }
        is_picked = true;
    }
    if args.machine.is_some() && !is_picked {
        return Err(not_of_several(args));
    }
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

/// Documents of what was not measured, each with its renderings.
struct Foreseen {
    name: &'static str,
    what: &'static str,
    render: fn(&str) -> Result<Rendered, ReportError>,
}

/// A document as text, as JSON, and as a page, if it has one.
struct Rendered {
    text: String,
    json: String,
    html: Option<String>,
}

const FORESEEN: [Foreseen; 3] = [
    Foreseen {
        name: "loadgen-prediction/",
        what: "a prediction",
        render: |text| {
            let report = PredictionReport::from_json(text)?;
            Ok(Rendered {
                text: render_prediction_text(&report),
                json: report.to_json_pretty()?,
                html: Some(render_prediction_html(&report)),
            })
        },
    },
    Foreseen {
        name: "loadgen-evacuation/",
        what: "a plan of a move",
        render: |text| {
            let report = EvacuationReport::from_json(text)?;
            let (text, json) = (render_evacuation_text(&report), report.to_json_pretty()?);
            Ok(Rendered { text, json, html: None })
        },
    },
    Foreseen {
        name: "loadgen-availability/",
        what: "an availability",
        render: |text| {
            let report = AvailabilityReport::from_json(text)?;
            let (text, json) = (render_availability_text(&report), report.to_json_pretty()?);
            Ok(Rendered { text, json, html: None })
        },
    },
];

fn foreseen(args: &Args, of: &Foreseen, text: &str, format: Format) -> Result<Exit, Failure> {
    let (name, what) = (args.input.display(), of.what);
    let has_no =
        |option: &str| Failure::usage(format!("'{name}' is {what}, of which there is no {option}"));
    for (option, is_given) in [("--csv", args.csv.is_some()), ("--machine", args.machine.is_some())]
    {
        if is_given {
            return Err(has_no(option));
        }
    }
    let rendered =
        (of.render)(text).map_err(|error| Failure::usage(format!("'{name}': {error}")))?;
    if let Some(out) = &args.html {
        let html = rendered.html.ok_or_else(|| has_no("--html"))?;
        write(out, &html, args.output.quiet)?;
    }
    if args.html.is_none() || args.output.is_asked_for() {
        let text = match format {
            Format::Text => rendered.text,
            Format::Json => rendered.json,
        };
        write(args.output.file().unwrap_or(Path::new("-")), &text, args.output.quiet)?;
    }
    Ok(Exit::Done)
}

fn not_of_several(args: &Args) -> Failure {
    Failure::usage(format!(
        "--machine is of several migrations, and '{}' holds none",
        args.input.display()
    ))
}

/// Whether a document is that of several migrations.
fn is_of_several(text: &str) -> bool {
    is_of_family(text, "loadgen-migrations/")
}

/// Whether the schema of a document begins like this.
fn is_of_family(text: &str, family: &str) -> bool {
    let document = serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    let schema = document.get("schema").and_then(|schema| schema.as_str());
    schema.is_some_and(|schema| schema.starts_with(family))
}

/// The report of one of several machines.
fn of_machine(several: MigrationsReport, number: usize, path: &Path) -> Result<Report, Failure> {
    let machines = several.machines.len();
    let machine = number.checked_sub(1).and_then(|place| several.machines.into_iter().nth(place));
    let machine = machine.ok_or_else(|| {
        Failure::usage(format!("'{}' has machines 1 to {machines}", path.display()))
    })?;
    machine.report.ok_or_else(|| {
        let why = machine.error.unwrap_or_default();
        Failure::usage(format!("machine {number} has no report: its run broke: {why}"))
    })
}

/// Several migrations as one.
fn whole(args: &Args, several: &MigrationsReport, format: Format) -> Result<Exit, Failure> {
    if args.html.is_some() || args.csv.is_some() {
        return Err(Failure::usage(format!(
            "'{}' holds the migrations of {} machines: say of which with --machine N",
            args.input.display(),
            several.machines.len()
        )));
    }
    let text = match format {
        Format::Text => super::migrate::text_of_several(several),
        Format::Json => several.to_json_pretty().map_err(anyhow::Error::from)?,
    };
    write(args.output.file().unwrap_or(Path::new("-")), &text, args.output.quiet)?;
    Ok(Exit::Done)
}

/// What the trials of an experiment say together, finished or not.
fn experiment(args: &Args, format: Format) -> Result<Exit, Failure> {
    let summary = Summary::read(&args.input).map_err(Failure::usage)?;
    let quiet = args.output.quiet;
    let mut elsewhere = false;
    let mut written = |out: &Option<PathBuf>, render: &dyn Fn() -> String| match out {
        Some(out) => {
            elsewhere = true;
            write(out, &render(), quiet)
        }
        None => Ok(()),
    };
    written(&args.html, &|| experiment::render_html(&summary, Some(&args.input)))?;
    written(&args.csv, &|| experiment::render_csv(&summary))?;
    written(&args.markdown, &|| experiment::render_markdown(&summary))?;
    written(&args.gnuplot, &|| experiment::render_gnuplot(&summary))?;
    if !elsewhere || args.output.is_asked_for() {
        let text = match format {
            Format::Json => summary.to_json_pretty().map_err(anyhow::Error::from)?,
            Format::Text => experiment::render_text(&summary),
        };
        write(args.output.file().unwrap_or(Path::new("-")), &text, quiet)?;
    }
    Ok(Exit::Done)
}

/// The reports behind a name.
fn inputs(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |e| Failure::usage(format!("cannot read '{}': {e}", path.display()));
    let found = reports_in(path).map_err(unreadable)?;
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
