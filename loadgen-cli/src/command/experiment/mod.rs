//! `loadgen experiment`: many migrations by a plan.

mod cells;
mod schedule;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use loadgen_core::experiment::{
    Experiment, ExperimentEnding, ExperimentError, ExperimentOutcome, MakeError, PlanFile,
    Programs, Summary, TrialContext, TrialRun, render_text,
};
use loadgen_core::prediction::PredictionReport;
use loadgen_core::report::write_file;

use super::read;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::messages::{note, warning};
use crate::options::{Format, OutputOptions};
use crate::output::{Place, check_writable, save_json_somewhere, to_stdout};
use schedule::Spreads;
use watch::Watch;

/// Try a plan of many migrations, and say what they show together
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The plan, in TOML: factors, trials, load, trigger, and the programs of the testbed
    ///
    /// Settings of the load are the options of 'loadgen migrate', with _ for -. {NAME} in a setting
    /// stands for the level of a factor, for what the testbed said of itself, or for trial, block,
    /// attempt and dir (the folder of the trial). Paths and programs begin in the directory of the
    /// plan.
    #[arg(value_name = "PLAN.toml", required_unless_present = "init")]
    plan: Option<PathBuf>,

    /// Keep plan, reports and results here; what is there of the same plan is gone on with
    #[arg(long, value_name = "DIR", required_unless_present_any = ["init", "dry_run"])]
    out: Option<PathBuf>,

    /// Print what would be done, how long it takes at least, and what it could show
    #[arg(long)]
    dry_run: bool,

    /// Try this plan, too, in the same blocks: what differs is a factor build with both names
    ///
    /// Two experiments made one after the other cannot tell a change from a machine that drifts.
    /// OTHER.toml is beside PLAN.toml, and has the same factors.
    #[arg(long, value_name = "OTHER.toml")]
    against: Option<PathBuf>,

    /// For --dry-run: how far trials of one cell lie apart (standard deviation over mean)
    /// [default: 10%]
    #[arg(long, value_name = "SHARE", value_parser = schedule::parse_spread, requires = "dry_run",
          conflicts_with = "pilot")]
    spread: Option<f64>,

    /// For --dry-run: take the spread, and how long a trial takes, from this experiment
    #[arg(long, value_name = "DIR", requires = "dry_run")]
    pilot: Option<PathBuf>,

    /// Keep a prediction with the experiment (JSON of 'loadgen predict'), and hold it against the trials
    ///
    /// It is kept before the first trial, and not taken after it. One that was fitted to a pilot with
    /// the same factors and levels has a prediction for each cell.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    prediction: Option<PathBuf>,

    /// Write a plan with comments to FILE, to begin with
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plan", "out", "dry_run"])]
    init: Option<PathBuf>,

    #[command(flatten)]
    output: OutputOptions,
}

const AFTER: &str = "\
DIR holds plan.toml (resolved), trials/NNNN/report.json (each whole before the next trial begins),
results.csv (a row a trial) and summary.json, renewed after each block. Started again with the same
plan and DIR, it goes on where it stood, in the same order; more trials may be asked for then.

A trial that fails, or whose figures are not valid, is kept, marked, and made again at the end of
its block. The first SIGINT, SIGTERM or SIGHUP ends the trial under way and takes the testbed down.

Exit codes: 0 all trials were made; 3 a limit of the plan was reached; 4 trials are missing although
they were repeated; others as of every command.

Examples:
  loadgen experiment --init study.toml
  loadgen experiment study.toml --dry-run
  loadgen experiment study.toml --out study
  loadgen report study
  loadgen experiment study.toml --prediction prediction.json --out study
  loadgen experiment old.toml --against new.toml --out both";

/// A plan to begin with.
const TEMPLATE: &str = include_str!("template.toml");

pub(crate) fn main(args: Args) -> Result<Exit, Failure> {
    if let Some(file) = &args.init {
        return init(file, args.output.quiet);
    }
    let plan = args.plan.as_deref().unwrap_or(Path::new(""));
    let mut file = PlanFile::read(plan).map_err(Failure::usage)?;
    if let Some(other) = &args.against {
        let other = PlanFile::read(other).map_err(Failure::usage)?;
        file = file.against(&other).map_err(Failure::usage)?;
    }
    let pilot = args.pilot.as_deref().map(Summary::read).transpose().map_err(as_failure)?;
    let prediction = args.prediction.as_deref().map(read_prediction).transpose()?;
    let format = args.output.format()?;
    // All else begins in the directory of the plan.
    let absolute = |path: &Path| std::path::absolute(path).context("cannot find the directory");
    let out = args.out.as_deref().map(absolute).transpose()?;
    let place = args.output.file().map(absolute).transpose()?;
    if let Some(place) = &place {
        check_writable(place)?;
    }
    let programs = Programs::of(&file).map_err(Failure::usage)?;
    let directory = file.directory();
    std::env::set_current_dir(&directory)
        .with_context(|| format!("cannot go to '{}'", directory.display()))?;
    let shortest = cells::check(&file)?;
    let delivery = Place(place);
    let Some(out) = out.filter(|_| !args.dry_run) else {
        let text = match format {
            Format::Text => {
                schedule::text(&file.plan, shortest, &Spreads::of(args.spread, pilot.as_ref()))?
            }
            Format::Json => {
                return Err(Failure::usage("--dry-run is for people: it is printed as text only"));
            }
        };
        return delivery.write(&text, || Ok(text.clone()));
    };
    let interrupt = Interrupt::install("stopping: the trial under way ends, the others are kept")?;
    let mut watch = Watch::new(args.output.quiet);
    let file = Arc::new(file);
    let made = Arc::clone(&file);
    let checked = Arc::clone(&file);
    let experiment = Experiment::new(file.plan.clone(), &out, move |trial| make(&made, trial))
        .with_check(move |trial| can_be_tried(&checked, trial));
    let experiment = match prediction {
        Some(prediction) => experiment.with_prediction(prediction),
        None => experiment,
    };
    let outcome =
        experiment.with_testbed(programs).run(interrupt.flag(), &mut |now| watch.told(&now));
    watch.clear();
    let outcome = outcome.map_err(as_failure)?;
    let summary = Summary::read(&out).map_err(as_failure)?;
    let json = || Ok(summary.to_json_pretty().map_err(anyhow::Error::from)?);
    let text = match format {
        Format::Text => render_text(&summary),
        Format::Json => json()?,
    };
    let delivered = delivery.write(&text, json)?;
    let exit = exit(&outcome, &summary, &interrupt);
    Ok(if delivered == Exit::Done { exit } else { delivered })
}

fn read_prediction(path: &Path) -> Result<PredictionReport, Failure> {
    let read = PredictionReport::from_json(&read(path)?);
    read.map_err(|error| Failure::usage(format!("'{}': {error}", path.display())))
}

/// Whether the trigger of a cell can do what it will be asked for.
fn can_be_tried(file: &PlanFile, trial: &TrialContext<'_>) -> Result<(), MakeError> {
    // What the testbed says may differ from cell to cell: then the trial itself will tell.
    match cells::of_trial(file, trial) {
        Ok(args) => args.check_on_the_spot().map_err(says),
        Err(_) => Ok(()),
    }
}

fn says(failure: Failure) -> MakeError {
    match failure {
        Failure::Usage(reason) => MakeError::from(reason),
        Failure::Run(reason) => format!("{reason:#}").into(),
    }
}

/// Makes a trial out of its settings.
fn make(file: &PlanFile, trial: &TrialContext<'_>) -> Result<TrialRun, MakeError> {
    let args = cells::of_trial(file, trial).map_err(says)?;
    let (run, calls) = args.migration().map_err(says)?;
    let run = TrialRun::from(run);
    Ok(match calls {
        // The run has let go of it when it has a report.
        Some(calls) => run.with_finish(move |report| {
            if let Some(calls) = Arc::into_inner(calls) {
                calls.finish(report);
            }
        }),
        None => run,
    })
}

fn init(file: &Path, quiet: bool) -> Result<Exit, Failure> {
    if file == Path::new("-") {
        to_stdout(TEMPLATE).context("cannot write to stdout")?;
        return Ok(Exit::Done);
    }
    if file.exists() {
        let reason = format!("'{}' is there already: give the name of a new file", file.display());
        return Err(Failure::usage(reason));
    }
    check_writable(file)?;
    write_file(file, TEMPLATE.as_bytes()).map_err(anyhow::Error::from)?;
    if !quiet {
        let name = file.display();
        note(&format!(
            "written to {name}; next: loadgen experiment {name} --dry-run, then --out DIR"
        ));
    }
    Ok(Exit::Done)
}

/// How the process ends.
fn exit(outcome: &ExperimentOutcome, summary: &Summary, interrupt: &Interrupt) -> Exit {
    match &outcome.ending {
        ExperimentEnding::Interrupted => {
            note("the same command goes on where it stood");
            interrupt.exit().unwrap_or(Exit::Done)
        }
        ExperimentEnding::GivenUp { reason } => {
            warning(&format!("given up: {reason}"));
            Exit::Breached
        }
        _ => {
            let missing = summary.missing();
            if missing == 0 {
                return Exit::Done;
            }
            let are = if missing == 1 { "trial is" } else { "trials are" };
            warning(&format!("{missing} {are} missing: they failed as often as the plan allows"));
            Exit::Invalid
        }
    }
}

fn as_failure(error: ExperimentError) -> Failure {
    match error {
        ExperimentError::Design(_)
        | ExperimentError::InUse { .. }
        | ExperimentError::OtherPlan { .. }
        | ExperimentError::NotEmpty { .. }
        | ExperimentError::LatePrediction { .. }
        | ExperimentError::Impossible { .. }
        | ExperimentError::Broken { .. } => Failure::usage(error),
        ExperimentError::Unkept { ref json, .. } => {
            let saved =
                Some(json).filter(|json| !json.is_empty()).map(|json| save_json_somewhere(json));
            match saved {
                Some(Ok(file)) => Failure::Run(anyhow::anyhow!(
                    "{error}\nThe report was saved to {} instead.",
                    file.display()
                )),
                _ => Failure::Run(error.into()),
            }
        }
        error => Failure::Run(error.into()),
    }
}
