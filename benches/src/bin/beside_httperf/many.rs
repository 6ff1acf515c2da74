//! How many connections are held at once? A server that answers after ten seconds.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use loadgen_benches::{CLIENT_CORE, SERVER_CORE, pin, spread};
use loadgen_core::target_server::{TargetOptions, TargetServer};
use serde_json::{Map, Value, json};

use super::{Args, Pair, httperf};

/// From a request to its reply.
const DELAY: Duration = Duration::from_secs(10);

/// Arrivals a second.
const RATE: u32 = 4000;

/// Descriptors that a server or a client needs beside its connections.
const SPARE: u32 = 100;

/// What is taken from each run, and how it is called.
const FIGURES: [&str; 6] =
    ["duration s", "concurrent, at most", "replies", "errors", "fd-unavail", "peak MiB"];

pub(super) fn measure(args: &Args, pair: &Pair) -> Result<Value> {
    pin(SERVER_CORE)?;
    // Binding raises the limit of open files, if the user may also the hard one; the
    // clients inherit the latter, and begin with a soft limit of their own.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let options = TargetOptions::new().with_delay(DELAY).with_listen(address);
    let server = TargetServer::bind(options)?;
    let server = server.spawn()?;
    pin(CLIENT_CORE)?;
    let limit = descriptors()?;
    let connections = args.connections.min(limit.saturating_sub(SPARE));
    let load = format!("--num-conns {connections} --rate {RATE} --timeout 60");
    println!(
        "\n## many\n\nserver answers after {DELAY:?}; hard limit of {limit} open files; \
         httperf {load}\n"
    );
    let mut all = [const { [const { Vec::new() }; FIGURES.len()] }; 2];
    for _ in 0..args.runs {
        for ((_, program), figures) in pair.both().into_iter().zip(&mut all) {
            let run = httperf(program, args.port, &load)?;
            let report = &run.report;
            let values = [
                report.figure("Total:", "test-duration")?,
                report.concurrent()?,
                report.replies()?,
                report.errors()?,
                report.without_descriptor()?,
                run.cost.peak_kib as f64 / 1024.0,
            ];
            figures.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
    }
    server.stop()?;
    println!("| | {} |", FIGURES.join(" | "));
    println!("|---{}|", "|---".repeat(FIGURES.len()));
    let mut found = Map::new();
    for ((name, _), figures) in pair.both().into_iter().zip(&all) {
        let cells: Vec<String> = figures.iter().map(|values| spread(values, 1)).collect();
        println!("| {name} | {} |", cells.join(" | "));
        let columns: Map<String, Value> =
            FIGURES.into_iter().map(str::to_owned).zip(figures.iter().map(|v| json!(v))).collect();
        found.insert(name.to_owned(), Value::Object(columns));
    }
    Ok(Value::Object(found))
}

/// The hard limit of open files in force.
fn descriptors() -> Result<u32> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(1)).context("no limit told")?;
    Ok(hard.parse().unwrap_or(u32::MAX))
}
