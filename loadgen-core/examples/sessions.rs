//! Sessions from within a program: users who come five times a second, ask for
//! five pages each, in bursts of two with half a second of thought between them,
//! over connections of their own. Against the built-in server, or against the URL
//! that is given.
//!
//! ```sh
//! cargo run --release -p loadgen-core --example sessions [URL]
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use loadgen_core::session::{Script, Sessions};
use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Engine, Load, Plan, Schedule, Target};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = TargetServer::bind(TargetOptions::new())?.spawn()?;
    let url = std::env::args().nth(1).unwrap_or_else(|| server.url());
    let target = Target::parse(&url)?;

    let mut sessions = Sessions::scripted(Script::Bursts { calls: 5, burst: 2, think_s: 0.5 });
    sessions.count = Some(10);
    sessions.limits.timeout_s = 5.0;

    let load = Load::established(Schedule::constant(5.0)).with_connections(1000);
    let report = Engine::new(Plan::new(target, load).with_sessions(sessions))?.run()?;

    let figures = report.sessions.as_ref().ok_or("the plan had sessions")?;
    let outcomes = figures.outcomes.as_ref().ok_or("they had a script")?;
    println!(
        "{:?}: {} sessions succeeded, {} failed; {} replies over {} connections",
        report.verdict.status,
        outcomes.succeeded,
        outcomes.failed,
        figures.replies.completed,
        figures.connections.attempted
    );
    println!("mean age of a session: {:?} s", outcomes.lifetime_mean_s);
    println!(
        "response time of a call: p50 {:?} µs, max {:?} µs",
        report.response_time.p50_us, report.response_time.max_us
    );
    Ok(())
}
