//! What does a call cost? Closed loop over 64 kept-alive connections against nginx
//! on one core, client on the other, in turn with wrk (both from Debian packages).
//!
//!     cargo run --release -p loadgen-benches --bin closed_loop
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use loadgen_benches::nginx::Nginx;
use loadgen_benches::{CLIENT_CORE, SERVER_CORE, machine, median, pin, spread};
use loadgen_core::{Engine, Plan, Schedule, Stream, Target};

#[derive(Parser)]
struct Args {
    /// Connections
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Length of a run, in seconds
    #[arg(long, default_value_t = 5)]
    duration: u64,
    /// Pairs of runs
    #[arg(long, default_value_t = 7)]
    runs: u32,
    /// Port for nginx
    #[arg(long, default_value_t = 18_080)]
    port: u16,
}

/// Calls a second, CPU µs a call (all), CPU µs a call in user mode.
struct Figures {
    rate: f64,
    cpu: f64,
    user: f64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    println!("{}", machine());
    let folder = tempfile::tempdir()?;
    let _nginx = Nginx::start(folder.path(), args.port)?;
    pin(CLIENT_CORE)?;
    let url = format!("http://127.0.0.1:{}/", args.port);
    println!(
        "nginx on core {SERVER_CORE}, client on core {CLIENT_CORE}; {} connections, one thread, \
         100-byte reply, {} pairs of {} s\n",
        args.connections, args.runs, args.duration
    );
    let (mut ours, mut wrks) = (Vec::new(), Vec::new());
    // The first pair warms up and does not count.
    for run in 0..=args.runs {
        let (a, b) = (loadgen(&args, &url)?, wrk(&args, &url)?);
        if run > 0 {
            ours.push(a);
            wrks.push(b);
        }
    }
    println!("| tool | calls/s | CPU µs/call | user µs/call |");
    println!("|---|---|---|---|");
    for (name, figures) in [("loadgen", &ours), ("wrk", &wrks)] {
        let column = |pick: fn(&Figures) -> f64| figures.iter().map(pick).collect::<Vec<_>>();
        println!(
            "| {name} | {} | {} | {} |",
            spread(&column(|f| f.rate), 0),
            spread(&column(|f| f.cpu), 2),
            spread(&column(|f| f.user), 2)
        );
    }
    let ratio = |pick: fn(&Figures) -> f64| {
        let ratios: Vec<f64> = ours.iter().zip(&wrks).map(|(a, b)| pick(a) / pick(b)).collect();
        spread(&ratios, 2)
    };
    println!(
        "| loadgen ÷ wrk, pair by pair | {} | {} | {} |",
        ratio(|f| f.rate),
        ratio(|f| f.cpu),
        ratio(|f| f.user)
    );
    ensure!(median(&ours.iter().map(|f| f.rate).collect::<Vec<_>>()) > 0.0, "nothing was answered");
    Ok(())
}

fn loadgen(args: &Args, url: &str) -> Result<Figures> {
    let load = Stream::established(Schedule::Closed)
        .with_connections(args.connections)
        .with_warm_connections(args.connections);
    let plan =
        Plan::new(Target::parse(url)?, load).with_duration(Duration::from_secs(args.duration));
    let report = Engine::new(plan)?.run()?;
    ensure!(report.counts.failed == 0, "calls failed: {:?}", report.errors);
    let calls = report.counts.answered as f64;
    Ok(Figures {
        rate: calls / report.measured_s,
        cpu: 1e6 * (report.cpu.user_s + report.cpu.system_s) / calls,
        user: 1e6 * report.cpu.user_s / calls,
    })
}

fn wrk(args: &Args, url: &str) -> Result<Figures> {
    let output = Command::new("bash")
        .args(["-c", "TIMEFORMAT='cpu %3U %3S'; time wrk \"$@\"", "wrk", "-t1"])
        .args([format!("-c{}", args.connections), format!("-d{}s", args.duration), url.to_owned()])
        .output()
        .context("cannot run bash")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let times = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "wrk failed (package wrk): {text}{times}");
    let calls: f64 = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok())
        .context("wrk did not say how many requests it made")?;
    let rate: f64 = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok())
        .context("wrk did not say its rate")?;
    let line =
        times.lines().find_map(|line| line.strip_prefix("cpu ")).context("no times of wrk")?;
    let (user, system) = line.split_once(' ').context("no times of wrk")?;
    let (user, system): (f64, f64) = (user.parse()?, system.parse()?);
    Ok(Figures { rate, cpu: 1e6 * (user + system) / calls, user: 1e6 * user / calls })
}
