//! A load from within a program: 200 calls a second for two seconds against the
//! built-in server, or against the URL that is given.
//!
//! ```sh
//! cargo run --release -p loadgen-core --example embed [URL]
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use std::time::Duration;

use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Engine, Load, Plan, Schedule, Target};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = TargetServer::bind(TargetOptions::new())?.spawn()?;
    let url = std::env::args().nth(1).unwrap_or_else(|| server.url());

    let load = Load::established(Schedule::constant(200.0)).with_connections(8);
    let plan = Plan::new(Target::parse(&url)?, load).with_duration(Duration::from_secs(2));
    let report = Engine::new(plan)?.run()?;

    println!(
        "{:?}: {} of {} calls answered",
        report.verdict.status, report.counts.answered, report.counts.offered
    );
    println!(
        "response time: p50 {:?} µs, p99 {:?} µs",
        report.response_time.p50_us, report.response_time.p99_us
    );
    Ok(())
}
