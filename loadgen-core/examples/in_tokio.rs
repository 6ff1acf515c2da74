//! A load inside of an asynchronous program: watched as a stream, and given up when something
//! else comes first. Against the built-in server, or the URL that is given.
//!
//! ```sh
//! cargo run --release -p loadgen-core --features tokio --example in_tokio [URL]
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use std::time::Duration;

use futures_util::StreamExt;
use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::tokio::{Run, prepare, run};
use loadgen_core::{Load, Plan, Schedule};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = TargetServer::bind(TargetOptions::new())?.spawn()?;
    let url = std::env::args().nth(1).unwrap_or_else(|| server.url());
    let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(500.0)));

    let load = Run::start(prepare(plan.clone().with_duration(Duration::from_secs(1))).await?)?;
    let mut windows = load.windows();
    while let Some(window) = windows.next().await {
        println!("{:.1?}: {} answered", window.end, window.answered);
    }
    drop(windows);
    let report = load.join().await?;
    println!("{} of {} calls answered", report.counts.answered, report.counts.offered);

    // This one has no end: when the other branch is done first, it is dropped, and ends.
    tokio::select! {
        report = run(prepare(plan).await?) => println!("{} answered", report?.counts.answered),
        () = tokio::time::sleep(Duration::from_millis(300)) => println!("given up"),
    }
    Ok(())
}
