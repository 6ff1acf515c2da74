//! `loadgen predict`: what a migration would cost, before anyone is moved.

mod options;

use std::path::{Path, PathBuf};

use loadgen_core::model::strategies::{Scenario, Strategy};
use loadgen_core::prediction::{
    CellPrediction, PredictionReport, PredictionSource, render_prediction_html,
    render_prediction_text,
};

use self::options::{LimitOptions, LinkOptions, MachineOptions, TimeOptions, UserOptions};
use crate::exit::{Exit, Failure};
use crate::messages::{note, warning};
use crate::options::{Format, OutputOptions};
use crate::output::{Place, check_writable};

/// Predict what moving a machine would cost, by models; nothing is moved
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    #[command(flatten)]
    machine: MachineOptions,
    #[command(flatten)]
    link: LinkOptions,
    #[command(flatten)]
    times: TimeOptions,
    #[command(flatten)]
    users: UserOptions,

    /// Predict this strategy only: stop-and-copy, pre-copy, hybrid or post-copy (repeatable)
    /// [default: all]
    #[arg(long, value_name = "STRATEGY", help_heading = "Limits")]
    strategy: Vec<Strategy>,

    #[command(flatten)]
    limits: LimitOptions,

    /// Write one self-contained HTML file with charts: passes over time, outage against bandwidth, and
    /// a map of the best strategy by dirty rate and bandwidth
    #[arg(long, value_name = "OUT", help_heading = "Output")]
    html: Option<PathBuf>,

    #[command(flatten)]
    output: OutputOptions,
}

const AFTER: &str = "\
A prediction is as good as its numbers. Pre-copy is modelled as QEMU does it, in slots of 100 ms;
formulas, sources and what they were held against are in docs/models.md.

Exit codes: 3 if no strategy holds the limits; others as of every command.

Examples:
  loadgen predict --memory 2GiB --dirty 40MiB/s --working-set 200MiB --bandwidth 1Gbit/s
  loadgen predict --memory 8GiB --dirty 90MiB/s --bandwidth 1Gbit/s --max-downtime 500ms
  loadgen predict --memory 2GiB --dirty 40MiB/s --bandwidth 1Gbit/s \\
      --rate 500 --connections 50 --probe-rate 50 --timeout 5s --max-lost 0 --html prediction.html";

pub(crate) fn main(args: &Args) -> Result<Exit, Failure> {
    let format = args.output.format()?;
    let place = args.output.file().map(Path::to_owned);
    for file in place.iter().chain(&args.html) {
        check_writable(file)?;
    }
    let scenario = args.of_numbers()?;
    let report = args.predict(PredictionSource::numbers(), [scenario])?;
    if let Some(out) = &args.html {
        let html = render_prediction_html(&report);
        loadgen_core::report::write_file(out, html.as_bytes()).map_err(anyhow::Error::from)?;
        if !args.output.quiet {
            note(&format!("written to {}", out.display()));
        }
    }
    let json = || Ok(report.to_json_pretty().map_err(anyhow::Error::from)?);
    let text = match format {
        Format::Text => render_prediction_text(&report),
        Format::Json => json()?,
    };
    let delivered = Place(place).write(&text, json)?;
    let held = report.predictions.iter().all(|prediction| prediction.best.is_some());
    if !held {
        warning("no strategy holds the limits");
    }
    Ok(match (delivered, held) {
        (Exit::Done, false) => Exit::Breached,
        (delivered, _) => delivered,
    })
}

impl Args {
    /// The machine that the options describe.
    fn of_numbers(&self) -> Result<Scenario, Failure> {
        let scenario = self.machine.scenario(&self.link)?;
        let scenario = self.link.apply(scenario);
        let scenario = self.times.apply(scenario);
        self.users.apply(scenario)
    }

    fn predict(
        &self,
        source: PredictionSource,
        scenarios: impl IntoIterator<Item = Scenario>,
    ) -> Result<PredictionReport, Failure> {
        let limits = self.limits.limits();
        let strategies = if self.strategy.is_empty() { &Strategy::ALL[..] } else { &self.strategy };
        let mut report = PredictionReport::new(source, &limits);
        for scenario in scenarios {
            let prediction = CellPrediction::of(&scenario, strategies, &limits);
            report = report.with(prediction.map_err(Failure::usage)?);
        }
        Ok(report)
    }
}
