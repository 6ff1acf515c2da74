//! What does an idle connection cost? Resident memory of a client process that
//! holds 10,000 kept-alive connections, less that of one with 10: while they are
//! held, and at the peak (which both reach when they make the report).
//!
//!     cargo run --release -p loadgen-benches --bin memory
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use loadgen_benches::{machine, spread};
use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Engine, Plan, Schedule, Stream, Target};

#[derive(Parser)]
struct Args {
    /// Connections of the large process
    #[arg(long, default_value_t = 10_000)]
    connections: u32,
    /// Pairs of processes
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Be the client process: hold the connections to this URL
    #[arg(long, hide = true)]
    hold: Option<String>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(url) = &args.hold {
        return hold(url, args.connections);
    }
    let server = TargetServer::bind(TargetOptions::new())?.spawn()?;
    let (mut held, mut peak) = (Vec::new(), Vec::new());
    for _ in 0..args.runs {
        let many = resident_kib(&server.url(), args.connections)?;
        let few = resident_kib(&server.url(), 10)?;
        let each = |many: f64, few: f64| (many - few) * 1024.0 / f64::from(args.connections - 10);
        held.push(each(many.0, few.0));
        peak.push(each(many.1, few.1));
    }
    println!("{}", machine());
    println!("bytes a connection, {} against 10, {} pairs:", args.connections, args.runs);
    println!("resident while held  {}", spread(&held, 0));
    println!("peak resident        {}", spread(&peak, 0));
    Ok(())
}

/// Resident memory of a client process with so many connections, in KiB: while it
/// holds them, and at its peak.
fn resident_kib(url: &str, connections: u32) -> Result<(f64, f64)> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--hold", url, "--connections", &connections.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "the client: {}", String::from_utf8_lossy(&output.stderr));
    let (held, peak) = text.trim().split_once(' ').context("the client said nothing")?;
    Ok((held.parse()?, peak.parse()?))
}

fn hold(url: &str, connections: u32) -> Result<()> {
    // Every connection carries a call or two, so that each has been used.
    let rate = f64::from(connections.max(1000));
    let load = Stream::established(Schedule::constant(rate))
        .with_connections(connections)
        .with_warm_connections(connections);
    let plan = Plan::new(Target::parse(url)?, load).with_duration(Duration::from_secs(2));
    let handle = Engine::new(plan)?.start()?;
    handle.clock().context("the load did not start")?;
    std::thread::sleep(Duration::from_millis(1900));
    let held = status_kib("VmRSS:")?;
    let report = handle.join()?;
    ensure!(
        report.counts.connections_opened == 0 && report.counts.failed == 0,
        "connections were lost: {:?} {:?}",
        report.counts,
        report.verdict
    );
    println!("{held} {}", status_kib("VmHWM:")?);
    Ok(())
}

/// A line of this process's status.
fn status_kib(key: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB"));
    Ok(line.context("no such line in /proc/self/status")?.parse()?)
}
