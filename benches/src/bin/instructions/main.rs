//! How many instructions does the engine itself need for a call? User instructions
//! of a closed loop over 64 kept-alive connections, counted by callgrind (Debian
//! package `valgrind`). Start, end and report are taken out: two runs of different
//! lengths, and the difference of their instructions by that of their calls.
//!
//! Two figures come of it. *Instructions a call* are those within the handler of
//! events, which does all that is done for a call: reading, parsing, recording, and
//! sending the next one. What is done *beside*, in the loop around it and ten times a
//! second, goes by the time, not by the call; it is told by the second.
//!
//! The first number does not swing with the machine's load, so it can be held: `--check`
//! compares it with the committed figure and fails when it is more than 3 % off, in
//! either direction.
//!
//!     cargo run --release -p loadgen-benches --bin instructions -- --check
#![expect(clippy::print_stdout, reason = "the figure is the result")]

mod callgrind;
mod figure;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use loadgen_benches::{fixed_server, median};
use loadgen_core::{Engine, Plan, Schedule, Stream, Target};

use callgrind::Counts;
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
    /// Repetitions; the median counts
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// Keep what callgrind wrote (short.out, long.out, for callgrind_annotate) in this folder
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Be the counted client: load this address for so many seconds
    #[arg(long, hide = true, num_args = 2, value_names = ["ADDRESS", "SECONDS"])]
    client: Option<Vec<String>>,
}

/// Lengths of the two runs, in seconds under callgrind.
const LENGTHS_S: [f64; 2] = [0.5, 3.0];

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    if let Some(client) = &args.client {
        load(client, args.connections)?;
        return Ok(ExitCode::SUCCESS);
    }
    let address = fixed_server::start(args.connections as usize)?;
    let temporary = tempfile::tempdir()?;
    let folder = args.keep.as_deref().unwrap_or(temporary.path());
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let files = ["short.out", "long.out"].map(|name| folder.join(name));
    let mut counted = Vec::new();
    for _ in 0..args.runs {
        let mut ends = [(0, Counts::default()); 2];
        for ((end, seconds), file) in ends.iter_mut().zip(LENGTHS_S).zip(&files) {
            *end = count(&args, address, seconds, file)?;
        }
        let [(calls, counts), (more_calls, more)] = ends;
        ensure!(more_calls > calls + 1000, "too few calls: {calls} and {more_calls}");
        let within = more.handler - counts.handler;
        let per_call = within as f64 / (more_calls - calls) as f64;
        let beside = (more.total - counts.total - within) as f64 / (LENGTHS_S[1] - LENGTHS_S[0]);
        println!(
            "{per_call:.1} instructions a call, of {} calls; beside: {:.2} million a second",
            more_calls - calls,
            beside / 1e6
        );
        counted.push(per_call);
    }
    let found = Figure {
        instructions_per_call: median(&counted).round(),
        rustc: rustc_version()?,
        architecture: std::env::consts::ARCH.to_owned(),
    };
    println!("median {}; {}, {}", found.instructions_per_call, found.rustc, found.architecture);
    if args.update {
        found.save()?;
    }
    if args.check { found.check() } else { Ok(ExitCode::SUCCESS) }
}

/// One run under callgrind: calls and instructions.
fn count(args: &Args, address: SocketAddr, seconds: f64, file: &Path) -> Result<(u64, Counts)> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--compress-strings=no"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(["--connections", &args.connections.to_string(), "--client"])
        .args([address.to_string(), seconds.to_string()])
        .output()
        .context("cannot run valgrind (package valgrind)")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the client under valgrind: {}\n{errors}", output.status);
    let calls = String::from_utf8(output.stdout)?.trim().parse().context("no number of calls")?;
    Ok((calls, callgrind::read(&fs::read_to_string(file)?)?))
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
