//! How many connections are held at once? A server that answers after ten seconds.

use std::time::Duration;

use anyhow::Result;
use loadgen_benches::{CLIENT_CORE, SERVER_CORE, pin, spread};
use loadgen_core::target_server::{TargetOptions, TargetServer};
use serde_json::{Map, Value, json};

use super::{Args, Pair, httperf};

/// From a request to its reply.
const DELAY: Duration = Duration::from_secs(10);

/// Arrivals a second.
const RATE: u32 = 4000;

/// What is taken from each run, and how it is called.
const FIGURES: [&str; 5] = ["concurrent, at most", "replies", "errors", "fd-unavail", "peak MiB"];

pub(super) fn measure(args: &Args, pair: &Pair) -> Result<Value> {
    pin(SERVER_CORE)?;
    // Binding raises the hard limit of open files too, if the user may; the clients
    // inherit it, and a soft limit of their own.
    let server = TargetServer::bind(TargetOptions::new().with_delay(DELAY))?;
    let port = server.local_addr().port();
    let server = server.spawn()?;
    pin(CLIENT_CORE)?;
    let load = format!("--num-conns {} --rate {RATE} --timeout 60", args.connections);
    println!("\n## many\n\nserver answers after {DELAY:?}; httperf {load}\n");
    let mut all = [const { [const { Vec::new() }; FIGURES.len()] }; 2];
    for _ in 0..args.runs {
        for ((_, program), figures) in pair.both().into_iter().zip(&mut all) {
            let run = httperf(program, port, &load)?;
            let report = &run.report;
            let values = [
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
        let cells: Vec<String> = figures.iter().map(|values| spread(values, 0)).collect();
        println!("| {name} | {} |", cells.join(" | "));
        let columns: Map<String, Value> =
            FIGURES.into_iter().map(str::to_owned).zip(figures.iter().map(|v| json!(v))).collect();
        found.insert(name.to_owned(), Value::Object(columns));
    }
    Ok(Value::Object(found))
}
