//! The options of `loadgen sweep`.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use loadgen_core::sweep::{SearchSettings, Steps, StepsError, parse_bounds};
use loadgen_core::units::parse_duration;
use loadgen_core::{Plan, Slo};

use crate::exit::Failure;
use crate::options::{CallsLogOptions, Workload};

/// Put a load on a URL at many rates: response time over rate, knee, capacity
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
#[command(group = clap::ArgGroup::new("way").required(true).args(["rates", "search"]))]
pub(crate) struct Args {
    /// http://, https:// or unix: URL to load
    url: String,

    /// Rates to run, calls (with --session: sessions) a second: LOW..HIGH/STEP, or a list
    #[arg(long, short, value_name = "RATES", help_heading = "Sweep")]
    rates: Option<Steps>,

    /// Search the highest rate that holds all --slo, by bracketing and bisection
    ///
    /// From the lowest of the bounds the rate is doubled until the objectives break, then the
    /// interval is halved until it is no wider than --tolerance. The result is confirmed by a run
    /// of --duration, and the rate above it must break twice. A rate also counts as not held when
    /// the server falls behind it: a longer run would break the objectives.
    #[arg(long, requires = "slo", help_heading = "Sweep")]
    search: bool,

    /// Rates that the search keeps to: LOW..HIGH, or LOW.. [default: from 100, unbounded]
    #[arg(long, value_name = "LOW..HIGH", value_parser = bounds, requires = "search",
          help_heading = "Sweep")]
    bounds: Option<Bounds>,

    /// How far apart the rate that holds and the one that does not may be in the end
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = percent,
          help_heading = "Sweep")]
    tolerance: f64,

    /// How long each step lasts, and in a search each confirmation
    #[arg(long, short, value_name = "TIME", default_value = "10s", value_parser = parse_duration,
          help_heading = "Sweep")]
    duration: Duration,

    /// How long an attempt of a search lasts [default: a fifth of --duration]
    ///
    /// Longer where the rate is so low that the objectives could not be judged.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "search",
          help_heading = "Sweep")]
    attempt: Option<Duration>,

    /// Wait this long between two runs
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration,
          help_heading = "Sweep")]
    pub(super) pause: Duration,

    /// Go on with an unfinished sweep: its JSON report; the runs in it are not made again
    ///
    /// It must have been made with the same plan and objectives. It may be the file of -o.
    #[arg(long, value_name = "FILE", help_heading = "Sweep")]
    pub(super) resume: Option<PathBuf>,

    #[command(flatten)]
    workload: Workload,

    #[command(flatten)]
    pub(super) calls_log: CallsLogOptions,

    /// Form of the result [default: by the name of FILE, else text]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    format: Option<SweepFormat>,

    /// Write the result to FILE instead of stdout, anew after every run
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    pub(super) output: Option<PathBuf>,

    /// No progress and no notes on stderr, only warnings and errors
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

const AFTER: &str = "\
The knee is the step with the greatest answered rate by mean response time. The saturation is the
interval between the last rate that the server keeps up with and the next.

With --slo, the exit code is 3 if the objectives are not held at the lowest rate; 4 if a step (in a
search: the decisive attempt, twice) is not valid, so that the limit was that of the generator.

Examples:
  loadgen sweep http://127.0.0.1:8080/ --rates 100..2000/100 -o sweep.html
  loadgen sweep http://10.0.0.5/ --rates 100,200,400,800 --duration 30s --slo 'p99<20ms'
  loadgen sweep http://10.0.0.5/ --search --slo 'p99<20ms' --slo 'error-rate<0.1%'
  loadgen sweep http://10.0.0.5/ --search --slo 'p99<20ms' --bounds 50..5000 --tolerance 2%
  loadgen sweep http://10.0.0.5/ --rates 1k..9k/1k -o sweep.json --resume sweep.json";

/// The form of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SweepFormat {
    /// For people
    Text,
    /// For programs: everything, schema loadgen-sweep/1
    Json,
    /// One row a run
    Csv,
    /// The same, with tabs
    Tsv,
    /// One self-contained page with curves
    Html,
}

/// The rates that a search keeps to.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    low: f64,
    high: Option<f64>,
}

fn bounds(text: &str) -> Result<Bounds, StepsError> {
    parse_bounds(text).map(|(low, high)| Bounds { low, high })
}

/// `5%` or `0.05`, as a part.
fn percent(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.trim().strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (text.trim(), 1.0),
    };
    let value = number.parse::<f64>().ok().map(|value| value / scale);
    value.filter(|part| (0.001..=1.0).contains(part)).ok_or_else(|| {
        format!("'{}' is no tolerance: write 0.1% to 100%, such as 5%", text.escape_debug())
    })
}

/// How the rates are chosen.
pub(super) enum Way {
    Steps(Steps),
    Search(SearchSettings),
}

impl Args {
    /// How the rates are chosen.
    pub(super) fn way(&self) -> Result<Way, Failure> {
        if let Some(steps) = &self.rates {
            return Ok(Way::Steps(steps.clone()));
        }
        let bounded = match self.bounds {
            Some(Bounds { low, high: Some(high) }) => SearchSettings::within(low, high),
            Some(Bounds { low, high: None }) => SearchSettings::within(low, 1e7),
            None => SearchSettings::from_rate(100.0),
        };
        let attempt = self.attempt.unwrap_or(self.duration / 5);
        let settings = bounded.with_tolerance(self.tolerance).with_lengths(attempt, self.duration);
        settings.validate().map_err(Failure::usage)?;
        Ok(Way::Search(settings))
    }

    /// The plan of a step, at any rate.
    pub(super) fn base_plan(&self) -> Result<Plan, Failure> {
        if self.workload.load.stages.is_some() {
            return Err(Failure::usage(
                "a sweep sets the rate of each of its steps itself (--rates): leave out --stages, \
                 or use 'loadgen run'",
            ));
        }
        let loads = self.workload.connections.loads(self.workload.load.schedule(1.0), None);
        Ok(self.workload.plan(&self.url, loads, Duration::ZERO)?.with_duration(self.duration))
    }

    pub(super) fn objectives(&self) -> &[Slo] {
        &self.workload.load.slo
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The form, chosen or by the name of the file.
    pub(super) fn format(&self) -> SweepFormat {
        let extension = self.output.as_ref().and_then(|path| path.extension()?.to_str());
        self.format.unwrap_or(match extension {
            Some("json") => SweepFormat::Json,
            Some("csv") => SweepFormat::Csv,
            Some("tsv") => SweepFormat::Tsv,
            Some("html" | "htm") => SweepFormat::Html,
            _ => SweepFormat::Text,
        })
    }
}
