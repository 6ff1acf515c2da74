//! A run that is watched and stopped: a load that would go on for ever, a line each tenth of
//! a second, and an end as soon as 500 calls were answered. Then its calls, the slowest first.
//! Against the built-in server, or the URL that is given.
//!
//! ```sh
//! cargo run --release -p loadgen-core --example watched [URL]
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use std::cmp::Reverse;

use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Engine, Load, Plan, Schedule};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = TargetServer::bind(TargetOptions::new())?.spawn()?;
    let url = std::env::args().nth(1).unwrap_or_else(|| server.url());
    let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(1000.0)));
    let run = Engine::new(plan.with_call_log(10_000))?.start()?.stop_on_drop();

    let mut answered = 0;
    for window in run.windows() {
        println!("{:?}: {} answered, {} under way", window.end, window.answered, window.in_flight);
        answered += window.answered;
        if answered >= 500 {
            run.stop();
        }
    }
    let (report, calls) = run.join_with_calls()?;
    println!("{} answered in {} s", report.counts.answered, report.measured_s);
    let mut calls: Vec<_> = calls.iter().collect();
    calls.sort_by_key(|call| Reverse(call.done - call.intended));
    for call in calls.iter().take(3) {
        println!("{} µs: {:?}", (call.done - call.intended) / 1000, call.outcome);
    }
    Ok(())
}
