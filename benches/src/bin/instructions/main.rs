//! How many instructions does the engine itself need for a call? User instructions
//! of a closed loop over 64 kept-alive connections, counted by callgrind (Debian
//! package `valgrind`). Start, end and report are taken out: two runs of different
//! lengths, and the difference of their instructions by that of their calls.
//!
//! The number hardly swings with the machine's load, so it can be held: `--check`
//! compares it with the committed figure and fails when it is more than 3 % off, in
//! either direction. What is done by time and not by calls (samples of the kernel's
//! view, and the look at calls that a stall made slow) weighs more where there are
//! fewer calls: of several runs the one with the most calls counts, and `--check` makes
//! more of them before it fails.
//!
//!     cargo run --release -p loadgen-benches --bin instructions -- --check
#![expect(clippy::print_stdout, reason = "the figure is the result")]

mod figure;

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use loadgen_benches::fixed_server;
use loadgen_core::{Engine, Plan, Schedule, Stream, Target};

use figure::{Figure, rustc_version};

#[derive(Parser)]
struct Args {
    /// Compare with the committed figure; status 1 when it is more than 3 % off
    #[arg(long, conflicts_with = "update")]
    check: bool,
    /// Write the figure to the file that is committed
    #[arg(long)]
    update: bool,
    /// Connections
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Repetitions; of each length the run with the most calls counts
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// Be the counted client: load this address for so many seconds
    #[arg(long, hide = true, num_args = 2, value_names = ["ADDRESS", "SECONDS"])]
    client: Option<Vec<String>>,
}

/// Lengths of the two runs, in seconds under callgrind.
const LENGTHS_S: [f64; 2] = [0.5, 3.0];

/// How many times as many repetitions `--check` makes before it fails.
const MORE: u32 = 4;

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    if let Some(client) = &args.client {
        load(client, args.connections)?;
        return Ok(ExitCode::SUCCESS);
    }
    let address = fixed_server::start(args.connections as usize)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("callgrind.out");
    let (rustc, architecture) = (rustc_version()?, std::env::consts::ARCH.to_owned());
    let mut found = None;
    let mut most = [(0, 0); 2];
    for run in 1..=args.runs * if args.check { MORE } else { 1 } {
        for (most, seconds) in most.iter_mut().zip(LENGTHS_S) {
            *most = count(&args, address, seconds, &file)?.max(*most);
        }
        let [(calls, instructions), (more_calls, more_instructions)] = most;
        ensure!(more_calls > calls + 1000, "too few calls: {calls} and {more_calls}");
        let per_call = (more_instructions - instructions) as f64 / (more_calls - calls) as f64;
        println!("run {run}: {per_call:.1} instructions a call, of {} calls", more_calls - calls);
        let figure = Figure {
            instructions_per_call: per_call.round(),
            rustc: rustc.clone(),
            architecture: architecture.clone(),
        };
        let is_enough = run >= args.runs && (!args.check || figure.holds()?);
        found = Some(figure);
        if is_enough {
            break;
        }
    }
    let found = found.context("--runs 0 counts nothing")?;
    println!("{}; {}, {}", found.instructions_per_call, found.rustc, found.architecture);
    if args.update {
        found.save()?;
    }
    if args.check { found.check() } else { Ok(ExitCode::SUCCESS) }
}

/// One run under callgrind: calls and instructions.
fn count(
    args: &Args,
    address: SocketAddr,
    seconds: f64,
    file: &std::path::Path,
) -> Result<(u64, u64)> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(["--connections", &args.connections.to_string(), "--client"])
        .args([address.to_string(), seconds.to_string()])
        .output()
        .context("cannot run valgrind (package valgrind)")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the client under valgrind: {}\n{errors}", output.status);
    let calls = String::from_utf8(output.stdout)?.trim().parse().context("no number of calls")?;
    let counts = fs::read_to_string(file)?;
    let total = counts.lines().find_map(|line| line.strip_prefix("totals: "));
    let instructions = total.context("callgrind told no total")?.trim().parse()?;
    Ok((calls, instructions))
}

/// What is counted: prints the number of calls.
fn load(client: &[String], connections: u32) -> Result<()> {
    let [address, seconds] = client else { anyhow::bail!("--client ADDRESS SECONDS") };
    let stream = Stream::established(Schedule::Closed)
        .with_connections(connections)
        .with_warm_connections(connections);
    let plan = Plan::new(Target::parse(&format!("http://{address}/"))?, stream)
        .with_duration(Duration::from_secs_f64(seconds.parse()?));
    let report = Engine::new(plan)?.run()?;
    ensure!(report.counts.failed == 0, "calls failed: {:?}", report.errors);
    println!("{}", report.counts.answered);
    Ok(())
}
