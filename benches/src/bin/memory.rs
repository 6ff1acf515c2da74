//! What does an idle connection cost? Peak resident memory of a client process
//! that holds 10,000 kept-alive connections, less that of one with 10.
//!
//!     cargo run --release -p loadgen-benches --bin memory

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
    let mut each = Vec::new();
    for _ in 0..args.runs {
        let many = peak_kib(&server.url(), args.connections)?;
        let few = peak_kib(&server.url(), 10)?;
        each.push((many - few) * 1024.0 / f64::from(args.connections - 10));
    }
    println!("{}", machine());
    println!(
        "bytes of peak resident memory a connection ({} against 10, {} pairs): {}",
        args.connections,
        args.runs,
        spread(&each, 0)
    );
    Ok(())
}

/// Peak resident memory of a client process with so many connections, in KiB.
fn peak_kib(url: &str, connections: u32) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--hold", url, "--connections", &connections.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "the client failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.trim().parse().with_context(|| format!("not a number: {text}"))
}

fn hold(url: &str, connections: u32) -> Result<()> {
    // Every connection carries two calls, so that each has been used.
    let rate = f64::from(connections.max(1000));
    let load = Stream::established(Schedule::constant(rate))
        .with_connections(connections)
        .with_warm_connections(connections);
    let plan = Plan::new(Target::parse(url)?, load).with_duration(Duration::from_secs(2));
    let report = Engine::new(plan)?.run()?;
    ensure!(
        report.counts.connections_opened == 0 && report.counts.failed == 0,
        "connections were lost: {:?} {:?}",
        report.counts,
        report.verdict
    );
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))
        .context("no VmHWM in /proc/self/status")?;
    #[expect(clippy::print_stdout, reason = "the answer to the parent process")]
    {
        println!("{peak}");
    }
    Ok(())
}
