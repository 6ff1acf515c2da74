//! Are response times true when the server stalls? A server that answers after
//! 1 ms and freezes 500 ms every 5 s, at 3000 calls a second: each percentile
//! against the analytic value for the pool in force.
//!
//!     cargo run --release -p loadgen-benches --bin freeze
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use loadgen_benches::model::FreezingServer;
use loadgen_benches::{CLIENT_CORE, SERVER_CORE, machine, pin, quantile};
use loadgen_core::clock::{Clock, MILLISECOND, SECOND};
use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Engine, Plan, Precision, Report, Schedule, Stream, Target};

#[derive(Parser)]
struct Args {
    /// Calls a second
    #[arg(long, default_value_t = 3000.0)]
    rate: f64,
    /// Length of a run, in seconds
    #[arg(long, default_value_t = 12.0)]
    duration: f64,
    /// Most connections; may be given more than once
    #[arg(long, default_values_t = [64, 4096])]
    connections: Vec<u32>,
    /// Runs for each, at different phases of the freezes
    #[arg(long, default_value_t = 3)]
    runs: u32,
}

/// A figure holds when it is within 2 % or 0.3 ms of the analytic value.
const RELATIVE: f64 = 0.02;
const ABSOLUTE_MS: f64 = 0.3;

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    println!("{}", machine());
    println!(
        "{} calls/s for {} s; server: 1 ms delay, 500 ms freeze every 5 s; times in ms, \
         measured/analytic\n",
        args.rate, args.duration
    );
    println!(
        "| connections | run | p50 | p90 | p99 | p99.9 | max | mean | verdict | within bound |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut all_hold = true;
    for &connections in &args.connections {
        for run in 1..=args.runs {
            all_hold &= one(&args, connections, run)?;
        }
    }
    println!("\nbound: {:.0} % or {ABSOLUTE_MS} ms", RELATIVE * 100.0);
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(args: &Args, connections: u32, run: u32) -> Result<bool> {
    pin(SERVER_CORE)?;
    let options = TargetOptions::new()
        .with_delay(Duration::from_millis(1))
        .with_precision(Precision::High)
        .with_freeze(Duration::from_millis(500), Duration::from_secs(5));
    let server = TargetServer::bind(options)?.spawn()?;
    pin(CLIENT_CORE)?;
    // Other runs meet the freezes at another phase.
    std::thread::sleep(Duration::from_millis(700) * (run - 1));
    let schedule = Schedule::constant(args.rate);
    let load = Stream::established(schedule)
        .with_connections(connections)
        .with_warm_connections(connections.min(64));
    let plan = Plan::new(Target::parse(&server.url())?, load)
        .with_duration(Duration::from_secs_f64(args.duration))
        .with_seed(u64::from(run));
    let handle = Engine::new(plan)?.start()?;
    let clock = handle.clock().ok_or_else(|| anyhow::anyhow!("the load did not start"))?;
    let report = handle.join()?;
    let truth = server.stop()?;
    let server = FreezingServer {
        delay: MILLISECOND,
        freezes: truth
            .freezes
            .iter()
            .map(|f| on(&clock, f.start_monotonic_ns, f.end_monotonic_ns))
            .collect(),
    };
    let calls = (args.rate * args.duration).ceil() as usize;
    let starts = schedule
        .starts(0, 0, 1)
        .take(calls)
        .filter(|at| *at < (args.duration * SECOND as f64) as u64);
    let analytic = server.response_times(starts, connections as usize);
    Ok(print_row(connections, run, &report, &analytic))
}

fn on(clock: &Clock, start: u64, end: u64) -> (u64, u64) {
    (clock.from_monotonic(start), clock.from_monotonic(end))
}

fn print_row(connections: u32, run: u32, report: &Report, analytic: &[u64]) -> bool {
    let ms = |ns: u64| ns as f64 / MILLISECOND as f64;
    let mean = analytic.iter().map(|ns| ms(*ns)).sum::<f64>() / analytic.len() as f64;
    let times = &report.response_time;
    let mut holds = report.counts.answered == analytic.len() as u64;
    let cell = |measured_us: Option<f64>, truth_ms: f64, counts: bool, holds: &mut bool| {
        let measured = measured_us.map_or(f64::NAN, |us| us / 1e3);
        let off = (measured - truth_ms).abs();
        let good = off <= ABSOLUTE_MS || off <= RELATIVE * truth_ms;
        *holds &= good || !counts;
        format!("{measured:.2}/{truth_ms:.2}{}", if good { "" } else { " !" })
    };
    let row = [
        cell(times.p50_us, ms(quantile(analytic, 0.5)), true, &mut holds),
        cell(times.p90_us, ms(quantile(analytic, 0.9)), true, &mut holds),
        cell(times.p99_us, ms(quantile(analytic, 0.99)), true, &mut holds),
        cell(times.p99_9_us, ms(quantile(analytic, 0.999)), true, &mut holds),
        cell(times.max_us, ms(quantile(analytic, 1.0)), true, &mut holds),
        cell(times.mean_us, mean, false, &mut holds),
    ];
    println!(
        "| {connections} | {run} | {} | {:?} | {} |",
        row.join(" | "),
        report.verdict.status,
        if holds { "yes" } else { "NO" }
    );
    holds
}
