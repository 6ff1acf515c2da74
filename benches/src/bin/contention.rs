//! Does a busy neighbour on the client's core show as ours, or silently as the
//! server's?
//!
//! The server is alone on its core and answers after 1 ms; how late it sent each
//! reply is its own account. The client shares its core with nobody, then with a
//! program that never sleeps. The server's column must not move; lag, receive delay
//! and run delay must, and the verdict must say so.
#![allow(clippy::print_stdout, reason = "the table is the result")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use loadgen_benches::{CLIENT_CORE, SERVER_CORE, machine, pin};
use loadgen_core::report::{Latency, Report};
use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Engine, Load, Plan, Precision, Schedule, Target};

/// What the server takes for a reply.
const DELAY: Duration = Duration::from_millis(1);

#[derive(Parser)]
struct Args {
    /// Calls a second, several of them for several rows
    #[arg(long, default_values_t = [100.0, 3000.0])]
    rate: Vec<f64>,
    /// Length of a run, in seconds
    #[arg(long, default_value_t = 8.0)]
    duration: f64,
    /// Runs of each kind
    #[arg(long, default_value_t = 2)]
    runs: u32,
}

/// A program that never sleeps, on the client's core; it ends with this.
struct Neighbour(Child);

impl Neighbour {
    fn start() -> Result<Self> {
        let mut command = Command::new("taskset");
        command.args(["-c", &CLIENT_CORE.to_string(), "sh", "-c", "while :; do :; done"]);
        let child = command.stdin(Stdio::null()).spawn();
        child.map(Self).context("cannot run taskset (package util-linux)")
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    println!("{}", machine());
    println!(
        "server: 1 ms by its own account; {} s a run; times in µs, p50 · p99 · max\n",
        args.duration
    );
    println!(
        "| calls/s | precision | neighbour | run | server (think time) | service time | lag | \
         receive delay | service time to receipt | run delay | verdict |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let mut reasons = Vec::new();
    for &rate in &args.rate {
        for precision in [Precision::Low, Precision::Normal] {
            for run in 1..=args.runs {
                for busy in [false, true] {
                    let found = one(&args, rate, precision, busy, run)?;
                    let kind = format!("{rate}/s, {precision:?}, busy neighbour: {busy}");
                    reasons.extend(found.into_iter().map(|reason| format!("{kind}: {reason}")));
                }
            }
        }
    }
    println!("\nReasons of the verdicts:\n");
    for reason in reasons {
        println!("- {reason}");
    }
    Ok(())
}

fn one(args: &Args, rate: f64, precision: Precision, busy: bool, run: u32) -> Result<Vec<String>> {
    pin(SERVER_CORE)?;
    let options = TargetOptions::new().with_precision(Precision::High).with_delay(DELAY);
    let server = TargetServer::bind(options)?.spawn()?;
    pin(CLIENT_CORE)?;
    let neighbour = busy.then(Neighbour::start).transpose()?;
    let load = Load::established(Schedule::constant(rate)).with_warm_connections(16);
    let plan = Plan::new(Target::parse(&server.url())?, load)
        .with_duration(Duration::from_secs_f64(args.duration))
        .with_warmup(Duration::from_millis(500))
        .with_precision(precision)
        .with_kernel_timestamps();
    let report = Engine::new(plan)?.run()?;
    drop(neighbour);
    let truth = server.stop()?.send_lateness;
    let delay_us = DELAY.as_secs_f64() * 1e6;
    let server = [truth.p50_us, truth.p99_us, truth.max_us].map(|us| us.map(|us| us + delay_us));
    let stamps = report.kernel_timestamps.as_ref().context("no timestamps")?;
    println!(
        "| {rate} | {precision:?} | {} | {run} | {} | {} | {} | {} | {} | {} | {:?} |",
        if busy { "busy" } else { "none" },
        cell(server),
        times(&report.service_time),
        times(&report.lag),
        times(&stamps.receive_delay),
        times(&stamps.service_time_to_receipt),
        run_delay(&report),
        report.verdict.status,
    );
    Ok(report.verdict.reasons)
}

fn times(latency: &Latency) -> String {
    cell([latency.p50_us, latency.p99_us, latency.max_us])
}

fn cell(times: [Option<f64>; 3]) -> String {
    let words = times.map(|us| us.map_or_else(|| "–".to_owned(), |us| format!("{us:.0}")));
    words.join(" · ")
}

fn run_delay(report: &Report) -> String {
    report.cpu.run_delay_s.map_or_else(
        || "–".to_owned(),
        |s| format!("{:.3} s ({:.1} %)", s, 100.0 * s / report.duration_s),
    )
}
