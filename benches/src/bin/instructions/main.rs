//! How many instructions does the engine itself need for a call? User instructions
//! over 64 kept-alive connections, counted by callgrind (Debian package `valgrind`),
//! for each kind of call: of the pool, of a session, over TLS, and with code of the embedding
//! program for its request, its reply, or its end. Start, end and report
//! are taken out: two runs of different lengths, and the difference of their
//! instructions by that of their calls.
//!
//! Two figures come of it. *Instructions a call* are those within the worker's handler
//! of events, which does all that is done for a call: reading, parsing, recording, and
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
mod kind;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use loadgen_benches::{median, spread};

use callgrind::Counts;
use figure::{Figures, rustc_version};
use kind::{Kind, Length};

#[derive(Parser)]
struct Args {
    /// Compare with the committed figures; status 1 when one is more than 3 % off
    #[arg(long, conflicts_with = "update")]
    check: bool,
    /// Write the figures to the file that is committed
    #[arg(long)]
    update: bool,
    /// Count only these
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Connections
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Repetitions; the median counts
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// Keep what callgrind wrote (call-short.out, call-long.out and so on, for
    /// callgrind_annotate) in this folder
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Be the counted client: make calls of this kind to this address, so many
    #[arg(long, hide = true, num_args = 3, value_names = ["KIND", "ADDRESS", "LENGTH"])]
    client: Option<Vec<String>>,
}

/// What a run says of itself.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    calls: u64,
    seconds: f64,
    counts: Counts,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    if let Some(client) = &args.client {
        load(client, args.connections)?;
        return Ok(ExitCode::SUCCESS);
    }
    let temporary = tempfile::tempdir()?;
    let folder = args.keep.as_deref().unwrap_or(temporary.path());
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut found = Figures::none(rustc_version()?, std::env::consts::ARCH);
    for kind in Kind::ALL {
        if args.only.is_empty() || args.only.contains(&kind) {
            found.set(kind, count(&args, kind, folder)?);
        }
    }
    println!("{}, {}", found.rustc, found.architecture);
    if args.update {
        found.save()?;
    }
    if args.check { found.check() } else { Ok(ExitCode::SUCCESS) }
}

/// Instructions of a call of this kind.
fn count(args: &Args, kind: Kind, folder: &Path) -> Result<f64> {
    let address = kind.server(args.connections)?;
    let files = ["short", "long"].map(|run| folder.join(format!("{}-{run}.out", kind.name())));
    let mut counted = Vec::new();
    for _ in 0..args.runs {
        let mut ends = [Run::default(); 2];
        for ((end, length), file) in ends.iter_mut().zip(kind.lengths()).zip(&files) {
            *end = run(args, kind, address, length, file)?;
        }
        let [less, more] = ends;
        ensure!(more.calls > less.calls + 1000, "too few calls: {} and {}", less.calls, more.calls);
        let calls = more.calls - less.calls;
        let within = more.counts.handler - less.counts.handler;
        let per_call = within as f64 / calls as f64;
        let beside = (more.counts.total - less.counts.total - within) as f64;
        println!(
            "{per_call:.1} instructions {}, of {calls} calls; beside: {:.2} million a second",
            kind.unit(),
            beside / 1e6 / (more.seconds - less.seconds)
        );
        counted.push(per_call);
    }
    println!("median: {} instructions {}", spread(&counted, 1), kind.unit());
    Ok(median(&counted).round())
}

/// One run under callgrind.
fn run(args: &Args, kind: Kind, address: SocketAddr, length: Length, file: &Path) -> Result<Run> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--compress-strings=no"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(["--connections", &args.connections.to_string()])
        .args(["--client", &kind.name(), &address.to_string(), &length.to_string()])
        .output()
        .context("cannot run valgrind (package valgrind)")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the client under valgrind: {}\n{errors}", output.status);
    let said = String::from_utf8(output.stdout)?;
    let (calls, seconds) = said.trim().split_once(' ').context("no number of calls")?;
    let counts = callgrind::read(&fs::read_to_string(file)?)?;
    Ok(Run { calls: calls.parse()?, seconds: seconds.parse()?, counts })
}

/// What is counted: prints the number of calls, and how long they took.
fn load(client: &[String], connections: u32) -> Result<()> {
    let [kind, address, length] = client else { anyhow::bail!("--client KIND ADDRESS LENGTH") };
    let kind = Kind::from_str(kind, false).map_err(anyhow::Error::msg)?;
    let engine = kind.engine(kind.plan(address, connections, length.parse()?)?)?;
    let start = Instant::now();
    let report = engine.run()?;
    ensure!(report.counts.failed == 0, "calls failed: {:?}", report.errors);
    println!("{} {}", report.counts.answered, start.elapsed().as_secs_f64());
    Ok(())
}
