//! `loadgen predict`: what a migration would cost, before anyone is moved.

mod files;
mod options;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use loadgen_core::migration::look::LookSpec;
use loadgen_core::model::Strategy;
use loadgen_core::model::fit::{Fit, Parameter};
use loadgen_core::prediction::{
    CellPrediction, Pilot, PredictionReport, PredictionSource, render_prediction_html,
    render_prediction_text,
};

use self::options::{
    AvailabilityOptions, LimitOptions, LinkOptions, MachineOptions, TimeOptions, UserOptions,
};
use crate::exit::{Exit, Failure};
use crate::messages::{note, warning};
use crate::options::{Format, Given, OutputOptions};
use crate::output::{Place, check_writable};

/// Predict what moving a machine would cost, by models; nothing is moved
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// Take what was recorded in DIR: an experiment's directory, a directory with reports, or a report
    ///
    /// Of an experiment each combination of the levels of all factors but 'strategy' is a machine of
    /// its own. Each trial is also predicted from the others, and held against what was measured.
    /// --memory, --dirty, --working-set, --base-set and the bandwidths then say: what if?
    #[arg(long, value_name = "DIR", help_heading = "Source")]
    fit: Option<PathBuf>,

    /// Ask a running machine, and change nothing: qmp:SOCKET or libvirt:DOMAIN[,uri=URI]
    ///
    /// It is asked for its memory, its limits, and what is written to within 1 s and within 4 s
    /// (over=TIME, repeatable; repeat=N). What is given beside it goes before what it says.
    #[arg(long, value_name = "SPEC", help_heading = "Source", conflicts_with = "fit")]
    live: Option<LookSpec>,

    /// Plan the move of several machines by FILE, in TOML: order, targets and bandwidths that hold
    /// the limits
    ///
    /// examples/evacuation/evacuate.toml is one; docs/models.md has all keys.
    #[arg(long, value_name = "FILE", help_heading = "Source", conflicts_with_all = ["fit", "live"])]
    plan: Option<PathBuf>,

    /// Compute the availability of the chain or net in FILE, in TOML
    #[arg(long, value_name = "FILE", help_heading = "Source",
          conflicts_with_all = ["fit", "live", "plan"])]
    availability: Option<PathBuf>,

    /// Of --availability: write the chain for another program: prism (PRISM and Storm read it)
    #[arg(long, value_name = "FORM", value_parser = ["prism"], requires = "availability",
          help_heading = "Output")]
    export: Option<String>,

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
    #[command(flatten)]
    moved: AvailabilityOptions,

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

Exit codes: 3 if no strategy is known to hold the limits; others as of every command.

Examples:
  loadgen predict --memory 2GiB --dirty 40MiB/s --working-set 200MiB --bandwidth 1Gbit/s
  loadgen predict --memory 8GiB --dirty 90MiB/s --bandwidth 1Gbit/s --max-downtime 500ms
  loadgen predict --memory 2GiB --dirty 40MiB/s --bandwidth 1Gbit/s \\
      --rate 500 --connections 50 --probe-rate 50 --timeout 5s --max-lost 0 --html prediction.html
  loadgen predict --fit pilot -o prediction.json
  loadgen predict --live qmp:/run/vm.sock --rate 100
  loadgen predict --plan evacuate.toml
  loadgen predict --availability machine.toml --export prism -o machine.prism";

/// What each source takes beside it; the rest is said by the source itself, or has no meaning.
const EVERYWHERE: [&str; 4] = ["format", "output", "quiet", "html"];
const LIMITS: [&str; 7] =
    ["strategy", "max-downtime", "max-outage", "max-total", "max-sent", "max-lost", "max-late"];
const AGEING: [&str; 4] = ["every", "ages", "fails", "repair"];
const WHAT_IF: [&str; 7] =
    ["memory", "dirty", "working-set", "base-set", "bandwidth", "stop-bandwidth", "push-bandwidth"];

pub(crate) fn main(args: &Args, given: &Given) -> Result<Exit, Failure> {
    args.check(given)?;
    let format = args.output.format()?;
    let place = args.output.file().map(Path::to_owned);
    for file in place.iter().chain(&args.html) {
        check_writable(file)?;
    }
    if let Some(file) = &args.plan {
        return files::plan(file, format, &Place(place));
    }
    if let Some(file) = &args.availability {
        return files::availability(file, args.export.is_some(), format, &Place(place));
    }
    let report = args.predict()?;
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
        let lacking = report.predictions.iter().filter(|of| of.best.is_none());
        let whys: BTreeSet<&str> = lacking.map(CellPrediction::why_none_is_best).collect();
        whys.into_iter().for_each(warning);
    }
    Ok(match (delivered, held) {
        (Exit::Done, false) => Exit::Breached,
        (delivered, _) => delivered,
    })
}

impl Args {
    /// Refuses what would be ignored.
    fn check(&self, given: &Given) -> Result<(), Failure> {
        let (source, why, allowed) = if self.plan.is_some() {
            ("plan", "the file has machines, links and limits", [&[][..]; 3])
        } else if self.availability.is_some() {
            ("availability", "the file has all", [&["export"][..], &[], &[]])
        } else if self.fit.is_some() {
            ("fit", "the recordings tell it", [&LIMITS[..], &AGEING, &WHAT_IF])
        } else {
            return self.users.check(&self.limits);
        };
        let mut allowed = allowed.concat();
        allowed.extend(EVERYWHERE);
        allowed.push(source);
        let ignored = given.other_than(&allowed);
        let is_html = args_html(source, given);
        match ignored.first().map(String::as_str).or(is_html) {
            Some(first) => {
                Err(Failure::usage(format!("{first} has no meaning with --{source}: {why}")))
            }
            None => Ok(()),
        }
    }

    fn predict(&self) -> Result<PredictionReport, Failure> {
        let limits = self.limits.limits();
        let is_asked = |one: &Strategy| self.strategy.is_empty() || self.strategy.contains(one);
        let strategies: Vec<Strategy> = Strategy::ALL.into_iter().filter(is_asked).collect();
        let strategies = &strategies;
        if let Some(path) = &self.fit {
            let source = PredictionSource::recordings(path.display().to_string());
            let mut report = PredictionReport::new(source, &limits);
            let machines = sources::recorded(path)?;
            let trials: usize = machines.iter().map(|machine| machine.recordings.len()).sum();
            if !self.output.quiet {
                note(&format!("fitting {trials} recordings, each by itself and by the others"));
            }
            let said = self.machine.said().into_iter().chain(self.link.said());
            let said: BTreeMap<Parameter, f64> = said.collect();
            for recorded in machines {
                let (fit, validation) = recorded.fit();
                let pilot = Pilot {
                    fit: &fit,
                    validation: &validation,
                    left_out: &recorded.left_out,
                    said: known(&fit, &said),
                    cell: recorded.cell.clone(),
                };
                let of = CellPrediction::of_fit(&pilot, strategies, &limits);
                let of = of.map_err(Failure::usage)?;
                self.limits.check_users(&of)?;
                report = report.with(self.moved.apply(of, &recorded.outages())?);
            }
            if report.predictions.iter().all(|of| of.strategies.is_empty()) {
                let why =
                    reasons(&report.predictions).unwrap_or("it holds no recording".to_owned());
                let path = path.display();
                return Err(Failure::usage(format!(
                    "'{path}' is not enough to predict from: {why}"
                )));
            }
            return Ok(report);
        }
        let live = self.live.as_ref().map(|spec| sources::live(spec, self.output.quiet));
        let live = live.transpose()?;
        let scenario = self.machine.scenario(&self.link, live.as_ref())?;
        let scenario = self.link.apply(scenario, live.as_ref());
        let scenario = self.users.apply(self.times.apply(scenario))?;
        let source = match live {
            Some(live) => PredictionSource::machine(live.name, live.said),
            None => PredictionSource::numbers(),
        };
        let of = CellPrediction::of(&scenario, strategies, &limits).map_err(Failure::usage)?;
        if let (true, Some(why)) = (of.strategies.is_empty(), reasons(std::slice::from_ref(&of))) {
            return Err(Failure::usage(format!("nothing can be predicted: {why}")));
        }
        Ok(PredictionReport::new(source, &limits).with(self.moved.apply(of, &[])?))
    }
}

/// Why strategies were left out, each reason once.
fn reasons(predictions: &[CellPrediction]) -> Option<String> {
    let all: BTreeSet<&str> =
        predictions.iter().flat_map(|of| of.left_out.values().map(String::as_str)).collect();
    let all: Vec<&str> = all.into_iter().collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// A page is of predictions alone.
fn args_html(source: &str, given: &Given) -> Option<&'static str> {
    (["plan", "availability"].contains(&source) && given.has("html")).then_some("--html")
}

/// Of what is said that which is a parameter of this machine: what a strategy sent, or how fast,
/// only where it was recorded.
fn known(fit: &Fit, said: &BTreeMap<Parameter, f64>) -> BTreeMap<Parameter, f64> {
    let of_one = [
        Parameter::PushedMemory,
        Parameter::HybridPushBandwidth,
        Parameter::CopiedMemory,
        Parameter::CopyBandwidth,
    ];
    let is_known =
        |parameter: &Parameter| !of_one.contains(parameter) || fit.known.contains_key(parameter);
    let said = said.iter().filter(|(parameter, _)| is_known(parameter));
    said.map(|(parameter, value)| (*parameter, *value)).collect()
}
