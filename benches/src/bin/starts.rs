//! Are calls started when the schedule says? 3000 calls a second over kept-alive
//! connections against the ideal grid, from the inside (lag histogram) and from
//! the server's side (arrival times on the same clock), with the CPU it took.
//!
//!     cargo run --release -p loadgen-benches --bin starts
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use loadgen_benches::{CLIENT_CORE, SERVER_CORE, machine, pin, quantile};
use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Engine, Plan, Precision, Schedule, Stream, Target};

#[derive(Parser)]
struct Args {
    /// Calls a second
    #[arg(long, default_value_t = 3000.0)]
    rate: f64,
    /// Length of a run, in seconds
    #[arg(long, default_value_t = 10.0)]
    duration: f64,
    /// Runs for each precision
    #[arg(long, default_value_t = 3)]
    runs: u32,
}

fn main() -> Result<()> {
    let args = Args::parse();
    println!("{}", machine());
    println!("{} calls/s for {} s; times in µs\n", args.rate, args.duration);
    println!(
        "| precision | run | lag p50 · p99 · max | at the server: median · p99 · max | gaps < 20 µs | CPU |"
    );
    println!("|---|---|---|---|---|---|");
    for run in 1..=args.runs {
        for precision in [Precision::Low, Precision::Normal, Precision::High] {
            one(&args, precision, run)?;
        }
    }
    println!("\nlag: taken up by the worker − intended. At the server: read − intended (less the");
    println!("smallest such difference, the way through the loopback). CPU: of the worker thread.");
    Ok(())
}

fn one(args: &Args, precision: Precision, run: u32) -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    pin(SERVER_CORE)?;
    let options = TargetOptions::new().with_precision(Precision::High).with_arrivals(file.path());
    let server = TargetServer::bind(options)?.spawn()?;
    pin(CLIENT_CORE)?;
    let load = Stream::established(Schedule::constant(args.rate)).with_warm_connections(8);
    let plan = Plan::new(Target::parse(&server.url())?, load)
        .with_duration(Duration::from_secs_f64(args.duration))
        .with_precision(precision);
    let handle = Engine::new(plan)?.start()?;
    let clock = handle.clock().context("the load did not start")?;
    let report = handle.join()?;
    server.stop()?;
    let arrivals: Vec<u64> = std::fs::read_to_string(file.path())?
        .lines()
        .map(|line| line.parse().context("arrival times are whole numbers"))
        .collect::<Result<_>>()?;
    // Calls over several connections may be read out of order by a few µs.
    let mut sorted = arrivals;
    sorted.sort_unstable();
    let mut late: Vec<i64> = sorted
        .iter()
        .zip(Schedule::constant(args.rate).starts(0, 0, 1))
        .map(|(at, intended)| *at as i64 - clock.to_monotonic(intended) as i64)
        .collect();
    late.sort_unstable();
    let way = late[0];
    let micros = |ns: i64| (ns - way) as f64 / 1e3;
    let close = sorted.windows(2).filter(|w| w[1] - w[0] < 20_000).count();
    let lag = &report.lag;
    let us = |v: Option<f64>| v.unwrap_or(f64::NAN);
    println!(
        "| {precision:?} | {run} | {:.1} · {:.1} · {:.0} | {:.1} · {:.1} · {:.0} | {:.2} % | {:.1} % |",
        us(lag.p50_us),
        us(lag.p99_us),
        us(lag.max_us),
        micros(quantile(&late, 0.5)),
        micros(quantile(&late, 0.99)),
        micros(quantile(&late, 1.0)),
        100.0 * close as f64 / (sorted.len() - 1) as f64,
        100.0 * (report.cpu.user_s + report.cpu.system_s) / report.duration_s,
    );
    Ok(())
}
