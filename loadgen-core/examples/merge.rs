//! Two processes put one load on a server, and what they measure becomes one report. Each gets the whole
//! plan and its shard of it; on two machines it would be the same. Against the built-in server,
//! or the URL that is given.
//!
//! ```sh
//! cargo run --release -p loadgen-core --example merge [URL]
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use std::process::{Command, Stdio};
use std::time::Duration;

use loadgen_core::scale::ShardRecord;
use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Engine, Load, Plan, Schedule};

const SHARDS: u32 = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [url, shard] = &arguments[..] {
        // One of the processes: what it measured goes to its standard output.
        let load = Load::established(Schedule::poisson(500.0));
        let plan = Plan::new(url.parse()?, load).with_duration(Duration::from_secs(1));
        let run = Engine::new(plan.with_shard(shard.parse()?))?.start()?;
        print!("{}", ShardRecord::of(run)?.to_json()?);
        return Ok(());
    }
    let server = TargetServer::bind(TargetOptions::new())?.spawn()?;
    let url = arguments.first().cloned().unwrap_or_else(|| server.url());

    let mut processes = Vec::new();
    for index in 0..SHARDS {
        let mut process = Command::new(std::env::current_exe()?);
        process.args([&url, &format!("{index}/{SHARDS}")]).stdout(Stdio::piped());
        processes.push(process.spawn()?);
    }
    let mut parts = Vec::new();
    for process in processes {
        let output = process.wait_with_output()?;
        parts.push(ShardRecord::from_reader(output.stdout.as_slice())?);
    }
    let mut parts = parts.into_iter();
    let mut whole = parts.next().ok_or("no shard")?;
    parts.try_for_each(|part| whole.merge(part))?;
    let whole = whole.report()?;
    println!(
        "{} of {} calls answered by {SHARDS} processes; p90 {:?}",
        whole.counts.answered,
        whole.counts.offered,
        whole.response_time.quantile(0.9)
    );
    Ok(())
}
