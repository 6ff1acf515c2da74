//! Our httperf beside the original (Debian package `httperf`), in turn in one run,
//! the server on one core and the client on the other: what a connection costs and
//! how many a second are held, how many are held at once, and what both tell of a
//! server that freezes.
//!
//!     cargo build --release -p loadgen-cli --bin httperf
//!     cargo run --release -p loadgen-benches --bin beside_httperf
#![expect(clippy::print_stdout, reason = "the tables are the result")]

mod freeze;
mod many;
mod rate;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use loadgen_benches::machine;
use loadgen_benches::old_report::OldReport;
use loadgen_benches::process::{Finished, run};
use serde_json::{Map, Value, json};

/// Open files that a program may have when it begins, as in a login shell.
const DESCRIPTORS: u32 = 1024;

#[derive(Parser)]
struct Args {
    /// Parts to be measured [default: all]
    parts: Vec<Part>,
    /// The original
    #[arg(long, default_value = "/usr/bin/httperf")]
    original: PathBuf,
    /// Ours [default: the `httperf` beside this program]
    #[arg(long)]
    ours: Option<PathBuf>,
    /// Runs of each, in turn
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Connections a second for which CPU time is measured
    #[arg(long, default_value_t = 3000)]
    rate: u32,
    /// Connections held at once
    #[arg(long, default_value_t = 20_000)]
    connections: u32,
    /// Connections a second to the server that freezes
    #[arg(long, default_values_t = [1500, 3000])]
    freeze_rate: Vec<u32>,
    /// Port of the servers, below those that the kernel gives to clients
    #[arg(long, default_value_t = 18_080)]
    port: u16,
    /// Also write every figure of every run to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// CPU time of a connection to nginx, and most connections a second
    Rate,
    /// Connections held at once
    Many,
    /// Times of a server that freezes
    Freeze,
}

/// The two programs.
struct Pair {
    ours: PathBuf,
    original: PathBuf,
}

/// One run of one of them.
struct Run {
    report: OldReport,
    cost: Finished,
}

impl Pair {
    /// Both, ours first, with their names.
    fn both(&self) -> [(&'static str, &Path); 2] {
        [("ours", &self.ours), ("original", &self.original)]
    }
}

/// Runs one of them against a server on this machine, one call a connection.
fn httperf(program: &Path, port: u16, options: &str) -> Result<Run> {
    let line = format!("--server 127.0.0.1 --port {port} --uri / {options}");
    let args: Vec<&str> = line.split(' ').collect();
    let cost = run(program, &args, DESCRIPTORS)?;
    Ok(Run { report: OldReport::new(cost.stdout.clone()), cost })
}

fn main() -> Result<()> {
    let args = Args::parse();
    let beside = std::env::current_exe()?.with_file_name("httperf");
    let pair = Pair { ours: args.ours.clone().unwrap_or(beside), original: args.original.clone() };
    for (_, program) in pair.both() {
        ensure!(program.exists(), "there is no {}: build or install it", program.display());
    }
    ensure!(args.runs > 0, "--runs must be 1 or more");
    let machine = machine();
    println!("{machine}\n{} runs of each, in turn; median [min-max]", args.runs);
    let mut figures = Map::new();
    figures.insert("machine".to_owned(), Value::from(machine));
    let wanted = |part| args.parts.is_empty() || args.parts.contains(&part);
    if wanted(Part::Rate) {
        figures.insert("rate".to_owned(), rate::measure(&args, &pair)?);
    }
    if wanted(Part::Many) {
        figures.insert("many".to_owned(), many::measure(&args, &pair)?);
    }
    if wanted(Part::Freeze) {
        figures.insert("freeze".to_owned(), freeze::measure(&args, &pair)?);
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&json!(figures))? + "\n";
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
