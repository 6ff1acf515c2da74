//! `loadgen merge`: the records of the parts of a load become the report of the whole.

use std::fs::File;
use std::path::{Path, PathBuf};

use loadgen_core::Slo;
use loadgen_core::printable::printable;
use loadgen_core::report::{render_html, write_file};
use loadgen_core::scale::ShardRecord;

use super::conclude::conclude;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::messages::note;
use crate::options::OutputOptions;
use crate::output::{Destination, check_writable};

/// Merge the records of the parts of a load (run --shard) into the report of the whole
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The files that the parts wrote, in any order
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Report on the parts that are there, if some are missing or did not come to their ends
    ///
    /// The report says which are missing, and is degraded: less load was put on than the plan says.
    /// One that died has left FILE.partial, with what it had measured by then: up to 10 s less than it
    /// had done.
    #[arg(long)]
    allow_missing: bool,

    /// Write a record again, of all parts that are there: to be merged with others
    #[arg(long, conflicts_with_all = ["allow_missing", "slo", "html", "format"])]
    as_record: bool,

    /// Objective to judge, such as 'p99<20ms' or 'error-rate<0.1%'; repeatable
    #[arg(long, value_name = "OBJECTIVE", help_heading = "Objectives")]
    slo: Vec<Slo>,

    /// Write one self-contained HTML file
    #[arg(long, value_name = "OUT", help_heading = "Output")]
    html: Option<PathBuf>,

    #[command(flatten)]
    output: OutputOptions,
}

const AFTER: &str = "\
Counts, histograms, windows and bytes are those that one process would have counted. The verdict is the
worst of the parts, and says if they did not begin together.

Examples:
  loadgen merge out/shard-*.json -o report.json --html report.html --slo 'p99<20ms'
  loadgen merge out/shard-*.json --allow-missing
  loadgen merge rack-1/*.json --as-record -o rack-1.json";

pub(crate) fn main(args: &Args) -> Result<Exit, Failure> {
    let interrupt = Interrupt::install("stopping")?;
    let destination = match args.as_record {
        true => None,
        false => Some(Destination::prepare(&args.output)?),
    };
    if let Some(html) = &args.html {
        check_writable(html)?;
    }
    let mut whole: Option<ShardRecord> = None;
    for path in &args.files {
        let record = read(path)?;
        match &mut whole {
            None => whole = Some(record),
            Some(whole) => whole.merge(record).map_err(|error| of_file(path, &error))?,
        }
        if let Some(exit) = interrupt.exit() {
            return Ok(exit);
        }
    }
    let Some(whole) = whole else { return Err(Failure::usage("no file was given")) };
    let Some(destination) = destination else { return args.write_record(&whole) };
    let report = match args.allow_missing {
        true => whole.report_of_those_there(),
        false => whole.report().map_err(|error| {
            let hint = "with --allow-missing those that are there are reported on";
            Failure::Run(anyhow::anyhow!("{error}; {hint}"))
        })?,
    };
    if let Some(html) = &args.html {
        write_file(html, render_html(&report).as_bytes()).map_err(|e| Failure::Run(e.into()))?;
        if !args.output.quiet {
            note(&format!("written to {}", html.display()));
        }
    }
    conclude(&report, &args.slo, &destination, &interrupt, args.output.quiet)
}

impl Args {
    fn write_record(&self, record: &ShardRecord) -> Result<Exit, Failure> {
        let Some(path) = self.output.file() else {
            return Err(Failure::usage("--as-record needs -o FILE"));
        };
        let json = record.to_json().map_err(|error| Failure::Run(error.into()))? + "\n";
        write_file(path, json.as_bytes()).map_err(|error| Failure::Run(error.into()))?;
        if !self.output.quiet {
            note(&format!("the record was written to {}", path.display()));
        }
        Ok(Exit::Done)
    }
}

fn read(path: &Path) -> Result<ShardRecord, Failure> {
    let file = File::open(path).map_err(|error| of_file(path, &error))?;
    ShardRecord::from_reader(file).map_err(|error| of_file(path, &error))
}

fn of_file(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("'{}': {error}", printable(&path.to_string_lossy())))
}
