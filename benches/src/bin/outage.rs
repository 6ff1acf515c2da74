//! Is the outage that clients measure the true one? Simulated migrations with
//! different seeds for each strategy, by the `loadgen` command itself: the clients'
//! outage against the time that the simulated machine really did not run.
//!
//!     cargo build --release -p loadgen-cli
//!     cargo run --release -p loadgen-benches --bin outage

#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use loadgen_benches::{machine, spread};
use loadgen_core::Report;
use loadgen_core::migration::Strategy;

#[derive(Parser)]
struct Args {
    /// Runs for each strategy, with the seeds 1, 2, 3, …
    #[arg(long, default_value_t = 20)]
    runs: u64,
    /// Strategies [default: all]
    #[arg(long)]
    strategy: Vec<Strategy>,
    /// Calls a second of kept-alive clients, and as many of newcomers
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// The simulated machine
    #[arg(long, default_value = "memory=128MiB,bandwidth=64MiB/s")]
    machine: String,
}

/// What one population of one run saw, in ms.
struct Seen {
    truth: f64,
    gap: f64,
    bound: f64,
}

impl Seen {
    fn error(&self) -> f64 {
        self.gap - self.truth
    }

    fn holds(&self) -> bool {
        self.error().abs() <= self.bound
    }
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    println!("{}", machine());
    println!(
        "simulated:{}; {} calls/s kept alive and {} calls/s fresh; times in ms\n",
        args.machine, args.rate, args.rate
    );
    println!(
        "| strategy | population | true downtime | outage − truth | bound | within the bound |"
    );
    println!("|---|---|---|---|---|---|");
    let mut all_hold = true;
    let all = Strategy::ALL.to_vec();
    for &strategy in if args.strategy.is_empty() { &all } else { &args.strategy } {
        let reports = (1..=args.runs)
            .map(|seed| migrate(&args, strategy, seed))
            .collect::<Result<Vec<_>>>()?;
        for (name, established) in [("established", true), ("fresh", false)] {
            let seen: Vec<Seen> =
                reports.iter().map(|r| seen(r, established)).collect::<Result<_>>()?;
            let column = |pick: fn(&Seen) -> f64| seen.iter().map(pick).collect::<Vec<_>>();
            let holding = seen.iter().filter(|s| s.holds()).count();
            all_hold &= holding == seen.len();
            println!(
                "| {strategy} | {name} | {} | {} | {} | {holding} of {} |",
                spread(&column(|s| s.truth), 1),
                spread(&column(Seen::error), 1),
                spread(&column(|s| s.bound), 1),
                seen.len()
            );
        }
        let valid = reports.iter().filter(|r| r.verdict.reasons.is_empty()).count();
        println!(
            "| {strategy} | | | | | {valid} of {} runs valid without reserve |",
            reports.len()
        );
    }
    println!("\nmedian [min-max] over the runs");
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn migrate(args: &Args, strategy: Strategy, seed: u64) -> Result<Report> {
    let loadgen = std::env::current_exe()?.with_file_name("loadgen");
    let rate = args.rate.to_string();
    let output = Command::new(&loadgen)
        .args(["migrate", "--quiet", "--format", "json", "--before", "3s", "--after", "2s"])
        .args(["--rate", &rate, "--probe-rate", &rate, "--seed", &seed.to_string()])
        .args(["--trigger", &format!("simulated:strategy={strategy},{}", args.machine)])
        .output()
        .with_context(|| format!("cannot run {}: build it first", loadgen.display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        matches!(output.status.code(), Some(0 | 4)),
        "seed {seed}, {strategy}: {} {errors}",
        output.status
    );
    Ok(Report::from_json(&String::from_utf8(output.stdout)?)?)
}

fn seen(report: &Report, established: bool) -> Result<Seen> {
    let migration = report.migration.as_ref().context("no migration in the report")?;
    let truth = migration.truth.context("no ground truth in the report")?.downtime_ms;
    let outages = &migration.outage_ms;
    let outage = if established { &outages.established } else { &outages.fresh };
    let outage = outage.as_ref().context("no outage in the report")?;
    Ok(Seen {
        truth,
        gap: outage.headline().context("no gap")?,
        bound: outage.bound.context("no bound")?,
    })
}
