//! Does a search find the capacity of a server, and how much sooner than stepping? A
//! server with so many workers of 10 ms each has a capacity that is known; the search
//! for the highest rate with `p99<20ms` has to find it within 5 %.
//!
//!     cargo run --release -p loadgen-benches --bin capacity
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use loadgen_benches::{CLIENT_CORE, SERVER_CORE, machine, pin};
use loadgen_core::sweep::{SearchEnding, SearchSettings, Steps, Sweep, SweepReport};
use loadgen_core::target_server::{RunningTarget, TargetOptions, TargetServer};
use loadgen_core::{Load, Plan, Schedule, Slo, Target};

#[derive(Parser)]
struct Args {
    /// Workers of the server: its capacity is 100 requests a second for each; may be
    /// given more than once
    #[arg(long, default_values_t = [4, 9, 22])]
    workers: Vec<u32>,
    /// Rate of the first attempt and of the first step, in calls a second
    #[arg(long, default_value_t = 100.0)]
    start: f64,
    /// Also step, to the same resolution and with steps as long as a confirmation:
    /// takes minutes
    #[arg(long)]
    stepping: bool,
}

const DELAY: Duration = Duration::from_millis(10);
const OBJECTIVE: &str = "p99<20ms";
const WITHIN: f64 = 0.05;

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    println!("{}", machine());
    println!("{OBJECTIVE}; each worker takes {} ms\n", DELAY.as_millis());
    println!(
        "| capacity | found | off | does not hold | runs | load | took | steps instead | load |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut all_hold = true;
    for &workers in &args.workers {
        all_hold &= one(&args, workers)?;
    }
    println!("\nbound: {:.0} %", WITHIN * 100.0);
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(args: &Args, workers: u32) -> Result<bool> {
    let capacity = f64::from(workers) / DELAY.as_secs_f64();
    let server = serve(workers)?;
    let settings = SearchSettings::from_rate(args.start);
    let began = Instant::now();
    let found = search(&server, settings)?;
    let took = began.elapsed().as_secs_f64();
    let (runs, load) = (found.points.len(), load(&found));
    let result = found.search.context("no search was made")?;
    let holds = result.holds_per_s.filter(|_| result.end == Some(SearchEnding::Found));
    let off = holds.map(|holds| holds / capacity - 1.0);
    let step = capacity * settings.tolerance;
    let stepping = if args.stepping {
        let stepped = stepping(&server, args.start, step, settings.confirmation_s, capacity)?;
        let held = stepped.held_up_to_per_s.unwrap_or(0.0);
        format!("{} (held {held:.0}/s) | {:.0} s", stepped.points.len(), self::load(&stepped))
    } else {
        // The steps up to the first one above the capacity.
        let steps = ((capacity - args.start) / step).floor() + 2.0;
        format!("{steps} (calculated) | {:.0} s", steps * settings.confirmation_s)
    };
    server.stop()?;
    println!(
        "| {capacity:.0}/s | {} | {} | {} | {runs} | {load:.0} s | {took:.0} s | {stepping} |",
        holds.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.1}/s")),
        off.map_or_else(|| "–".to_owned(), |off| format!("{:+.1} %", off * 100.0)),
        result.fails_per_s.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.1}/s")),
    );
    Ok(off.is_some_and(|off| off.abs() <= WITHIN))
}

fn serve(workers: u32) -> Result<RunningTarget> {
    pin(SERVER_CORE)?;
    let options = TargetOptions::new().with_delay(DELAY).with_workers(workers);
    let server = TargetServer::bind(options)?.spawn()?;
    pin(CLIENT_CORE)?;
    Ok(server)
}

/// Runs of this length, half a second apart.
fn sweep(server: &RunningTarget, seconds: f64) -> Result<Sweep> {
    let target = Target::parse(&server.url())?;
    let load = Load::established(Schedule::constant(1.0)).with_connections(4096);
    let plan = Plan::new(target, load).with_duration(Duration::from_secs_f64(seconds));
    let objective: Slo = OBJECTIVE.parse()?;
    let sweep = Sweep::new(plan)?.with_objectives(vec![objective]);
    Ok(sweep.with_pause(Duration::from_millis(500)))
}

fn search(server: &RunningTarget, settings: SearchSettings) -> Result<SweepReport> {
    let sweep = sweep(server, settings.confirmation_s)?;
    let mut report = sweep.report();
    sweep.search(settings, &mut report, &mut (), &AtomicBool::new(false))?;
    Ok(report)
}

/// Steps from `start` until one does not hold.
fn stepping(
    server: &RunningTarget,
    start: f64,
    step: f64,
    seconds: f64,
    capacity: f64,
) -> Result<SweepReport> {
    let sweep = sweep(server, seconds)?;
    let mut report = sweep.report();
    let mut rate = start;
    while rate < 2.0 * capacity {
        sweep.run(&Steps::list([rate])?, &mut report, &mut (), &AtomicBool::new(false))?;
        if report.points.last().is_some_and(|point| point.held != Some(true)) {
            break;
        }
        rate += step;
    }
    Ok(report)
}

/// Seconds of load in all runs.
fn load(report: &SweepReport) -> f64 {
    report.points.iter().map(|point| point.measured_s).sum()
}
