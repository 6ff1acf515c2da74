//! Where does the server stop keeping up? A sweep of rates, watched from another thread, and
//! what it found. Against the built-in server, or the URL that is given.
//!
//! ```sh
//! cargo run --release -p loadgen-core --example sweep [URL]
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use std::thread::sleep;
use std::time::Duration;

use loadgen_core::sweep::{Sweep, render_text};
use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Load, Plan, Schedule};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = TargetServer::bind(TargetOptions::new())?.spawn()?;
    let url = std::env::args().nth(1).unwrap_or_else(|| server.url());

    // The rate of the plan does not matter: each step has its own.
    let load = Load::established(Schedule::constant(1.0)).with_connections(32);
    let plan = Plan::new(url.parse()?, load).with_duration(Duration::from_millis(500));
    let sweep = Sweep::new(plan)?.with_objectives(vec!["p90<50ms".parse()?]);
    let handle = sweep.start("200..800/200".parse()?)?;
    while !handle.is_finished() {
        let now = handle.snapshot();
        if let Some(run) = now.run {
            let rate = run.rate_per_s;
            println!("step {} at {rate}/s: {} answered", now.index + 1, now.load.answered);
        }
        sleep(Duration::from_millis(200));
    }
    let report = handle.join()?;
    println!("{}", render_text(&report));
    for point in &report.points {
        println!("{}/s: p90 {:?} µs", point.demanded_per_s, point.response_time.p90_us);
    }
    Ok(())
}
