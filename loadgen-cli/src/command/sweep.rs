//! `loadgen sweep`: one load at many rates, or the search for the highest rate
//! that holds the objectives.

mod options;
mod sink;

use std::time::Duration;

use loadgen_core::calls_file::CallsFile;
use loadgen_core::report::{CallsFileReport, VerdictStatus};
use loadgen_core::sweep::{
    Attempt, SearchEnding, Sweep, SweepError, SweepObserver, SweepPoint, SweepReport,
};
use loadgen_core::units::{format_duration, format_duration_us, format_rate};
use loadgen_core::{CallSink, Plan, RunError, SinkContext, Snapshot};

pub(crate) use options::Args;
use options::Way;
use sink::SweepSink;

use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::messages::{error, note, warning};
use crate::output::Delivery;
use crate::progress::Progress;

pub(crate) fn main(args: &Args) -> Result<Exit, Failure> {
    let way = args.way()?;
    let sweep = Sweep::new(args.plan()?)
        .map_err(as_failure)?
        .with_pause(args.pause)
        .with_objectives(args.objectives().to_vec());
    let sink = SweepSink::prepare(args)?;
    let mut report = match &args.resume {
        Some(path) => sweep.resume(sink::read(path)?).map_err(as_failure)?,
        None => sweep.report(),
    };
    let interrupt = &Interrupt::install("stopping: reporting what was measured so far")?;
    let calls = args.calls_log.calls_file_of_runs(args.resume.is_some())?;
    let mut watch = Watch {
        sink: &sink,
        calls: calls.as_ref(),
        run: 0,
        quiet: args.is_quiet(),
        progress: None,
        warned: false,
    };
    watch.resumed(&report);
    let flag = interrupt.flag();
    let outcome = match &way {
        Way::Steps(steps) => sweep.run(steps, &mut report, &mut watch, flag),
        Way::Search(settings) => sweep.search(*settings, &mut report, &mut watch, flag),
    };
    watch.clear();
    report.calls_file = calls.map(CallsFile::close);
    conclude(outcome, &report, &sink, interrupt)
}

/// Delivers what there is, whatever the outcome, and chooses the exit code.
fn conclude(
    outcome: Result<(), SweepError>,
    report: &SweepReport,
    sink: &SweepSink,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let interrupted = interrupt.exit();
    if report.points.is_empty() {
        return match (outcome, interrupted) {
            (Err(error), Some(_)) => Ok(interrupt.before_the_load(&error)),
            (Err(error), None) => Err(as_failure(error)),
            (Ok(()), Some(exit)) => {
                note("interrupted before the load began, nothing was measured");
                Ok(exit)
            }
            (Ok(()), None) => sink.deliver(report).map(|_| Exit::Done),
        };
    }
    let delivery = sink.deliver(report)?;
    if let (Err(error), None) = (outcome, interrupted) {
        note("the sweep ended early; what was measured before was reported");
        return Err(as_failure(error));
    }
    // A signal that came when the sweep was complete has cut nothing short.
    let interrupted = interrupted.filter(|_| report.interrupted);
    let calls = report.calls_file.as_ref();
    if let Some(lack) = calls.and_then(CallsFileReport::lack) {
        warning(&lack);
    }
    // They are as much an output as the report.
    if delivery == Delivery::Elsewhere || calls.is_some_and(|calls| calls.error.is_some()) {
        return Ok(Exit::NotWritten);
    }
    Ok(interrupted.unwrap_or_else(|| judge(report)))
}

/// Validity first: figures that are not valid are not judged.
fn judge(report: &SweepReport) -> Exit {
    if let Some(given_up) = report.points.iter().find(|point| point.interrupted) {
        let reasons = given_up.verdict.reasons.iter().map(|reason| format!("\n  {reason}"));
        let rate = format_rate(given_up.demanded_per_s);
        warning(&format!("the sweep ended at {rate}:{}", reasons.collect::<String>()));
        return Exit::Breached;
    }
    if let Some(search) = &report.search {
        return match &search.end {
            Some(SearchEnding::Found | SearchEnding::HoldsAtHighest) => Exit::Done,
            Some(SearchEnding::NotValid(_)) => {
                warning("the search has no result: the generator came to its limit");
                Exit::Invalid
            }
            Some(SearchEnding::NothingHolds) => {
                warning("the objectives are not held at the lowest rate");
                Exit::Breached
            }
            _ => {
                warning("the search has no result: its runs were used up");
                Exit::Breached
            }
        };
    }
    let faulty = report.points.iter().filter(|point| point.is_generators_fault());
    let invalid = faulty.clone().filter(|p| p.verdict.status == VerdictStatus::Invalid).count();
    let late = faulty.count() - invalid;
    if late > 0 {
        warning(&format!(
            "the generator itself was late in {}: what was left undone there says nothing of the \
             server",
            steps(late)
        ));
    }
    if invalid > 0 {
        let are = if invalid == 1 { "is" } else { "are" };
        warning(&format!("{} {are} not valid: see the verdicts and their reasons", steps(invalid)));
        Exit::Invalid
    } else if !report.objectives.is_empty() && report.held_up_to_per_s.is_none() {
        let judged = report.curve().first().is_some_and(|point| point.held.is_some());
        let word = if judged { "are not held" } else { "could not be judged" };
        warning(&format!("the objectives {word} at the lowest rate"));
        Exit::Breached
    } else {
        Exit::Done
    }
}

/// What cannot be carried out as written is a matter of usage.
fn as_failure(error: SweepError) -> Failure {
    match error {
        SweepError::Plan(error) => error.into(),
        SweepError::Run { cause: RunError::Workload(error), .. } => error.into(),
        SweepError::Run { .. } => Failure::Run(error.into()),
        other => Failure::usage(other),
    }
}

/// Shows how the sweep goes on, and saves it after every step.
struct Watch<'a> {
    sink: &'a SweepSink,
    calls: Option<&'a CallsFile>,
    /// The number of the run under way, from 1.
    run: u32,
    quiet: bool,
    progress: Option<Running>,
    /// Saving failed, and the user knows.
    warned: bool,
}

/// The step under way.
struct Running {
    progress: Progress,
    phase: String,
    length: Duration,
}

impl Watch<'_> {
    fn resumed(&self, report: &SweepReport) {
        let known = report.points.len();
        if known > 0 && !self.quiet {
            note(&format!("{known} runs are there already and are not made again"));
        }
    }

    fn clear(&mut self) {
        if let Some(running) = self.progress.take() {
            running.progress.finish();
        }
    }
}

impl SweepObserver for Watch<'_> {
    fn begins(&mut self, run: &Attempt, index: usize, of: Option<usize>) {
        let rate = format_rate(run.rate_per_s);
        self.run = index as u32 + 1;
        if !self.quiet {
            let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
            let length = format_duration(run.duration);
            note(&format!("run {}{of}: {} at {rate} for {length}", index + 1, run.kind));
        }
        self.progress = Some(Running {
            progress: Progress::new(self.quiet, Some(run.duration)),
            phase: rate,
            length: run.duration,
        });
    }

    fn sink(&mut self, of: &SinkContext<'_>) -> Option<Box<dyn CallSink>> {
        self.calls.map(|calls| calls.sink_of_run(self.run, of))
    }

    fn goes_on(&mut self, now: &Snapshot) {
        if let Some(running) = &mut self.progress {
            let phase = if now.elapsed >= running.length { "drain" } else { &running.phase };
            running.progress.update(now, phase);
        }
    }

    fn ended(&mut self, point: &SweepPoint, so_far: &SweepReport) {
        self.clear();
        if !self.quiet {
            note(&told(point));
        }
        if let Err(reason) = self.sink.save(so_far)
            && !std::mem::replace(&mut self.warned, true)
        {
            error(&format!("{reason}\nThe sweep goes on; its report is tried again at the end."));
        }
    }
}

/// So many steps, in words.
fn steps(n: usize) -> String {
    if n == 1 { "1 step".to_owned() } else { format!("{n} steps") }
}

/// The figures of a step, in a line.
fn told(point: &SweepPoint) -> String {
    let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), format_rate);
    let time = |us: Option<f64>| us.map_or_else(|| "-".to_owned(), format_duration_us);
    let held = match point.held {
        Some(true) => ": held",
        Some(false) => ": not held",
        None => "",
    };
    format!(
        "{}: answered {}, p50 {}, p99 {}, lost {}{held}",
        format_rate(point.demanded_per_s),
        rate(point.rates.answered_per_s),
        time(point.response_time.p50_us),
        time(point.response_time.p99_us),
        point.lost()
    )
}

impl Args {
    fn plan(&self) -> Result<Plan, Failure> {
        let plan = self.base_plan()?;
        plan.validate()?;
        Ok(plan)
    }
}
