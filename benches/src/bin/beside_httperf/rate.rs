//! What does a connection cost, and how many a second are held? Against nginx, one
//! call a connection.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use loadgen_benches::nginx::Nginx;
use loadgen_benches::{CLIENT_CORE, SERVER_CORE, median, pin, spread};
use serde_json::{Value, json};

use super::{Args, Pair, httperf};

/// Length of a run in which CPU time is measured, in seconds.
const RUN_S: u32 = 5;

/// Length of a probe for the largest rate, in seconds.
const PROBE_S: f64 = 3.0;

/// A local port is free again this long after its connection (Linux on the loopback
/// device, `net.ipv4.tcp_tw_reuse = 2`: 1 s).
const PORTS_REST: Duration = Duration::from_millis(1300);

/// The first rate that is probed, and the ratio of rates at which the search ends.
const FIRST: f64 = 6000.0;
const EXACT: f64 = 1.03;

/// What one of the programs showed, run by run.
#[derive(Default)]
struct Figures {
    cpu: Vec<f64>,
    user: Vec<f64>,
    largest: Vec<f64>,
}

pub(super) fn measure(args: &Args, pair: &Pair) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let _nginx = Nginx::start(folder.path(), args.port)?;
    pin(CLIENT_CORE)?;
    println!(
        "\n## rate\n\nnginx on core {SERVER_CORE}, client on core {CLIENT_CORE}; one call a \
         connection; CPU time at {} connections/s for {RUN_S} s; largest rate: {PROBE_S} s \
         without an error and at 99 % of what was asked for\n",
        args.rate
    );
    let mut all = [Figures::default(), Figures::default()];
    for _ in 0..args.runs {
        for ((_, program), figures) in pair.both().into_iter().zip(&mut all) {
            let connections = args.rate * RUN_S;
            let load = format!("--num-conns {connections} --rate {} --timeout 5", args.rate);
            let run = httperf(program, args.port, &load)?;
            let each = 1e6 / run.report.replies()?;
            figures.cpu.push(each * run.cost.cpu_s());
            figures.user.push(each * run.cost.user_s);
            thread::sleep(PORTS_REST);
        }
    }
    for _ in 0..args.runs {
        for ((_, program), figures) in pair.both().into_iter().zip(&mut all) {
            let first = if figures.largest.is_empty() { FIRST } else { median(&figures.largest) };
            figures.largest.push(largest(program, args.port, first)?);
        }
    }
    let [ours, original] = &all;
    println!("| | CPU µs/connection | user µs/connection | largest rate, connections/s |");
    println!("|---|---|---|---|");
    for ((name, _), figures) in pair.both().into_iter().zip(&all) {
        row(name, [(&figures.cpu, 1), (&figures.user, 1), (&figures.largest, 0)]);
    }
    let ratio = |pick: fn(&Figures) -> &Vec<f64>| -> Vec<f64> {
        pick(ours).iter().zip(pick(original)).map(|(a, b)| a / b).collect()
    };
    let (cpu, user) = (ratio(|f| &f.cpu), ratio(|f| &f.user));
    let largest = ratio(|f| &f.largest);
    row("ours ÷ original, pair by pair", [(&cpu, 3), (&user, 3), (&largest, 2)]);
    let value = |figures: &Figures| {
        json!({
            "cpu_us_per_connection": figures.cpu,
            "user_us_per_connection": figures.user,
            "largest_rate": figures.largest,
        })
    };
    Ok(json!({ "rate": args.rate, "ours": value(ours), "original": value(original) }))
}

fn row(name: &str, cells: [(&Vec<f64>, usize); 3]) {
    let [cpu, user, largest] = cells.map(|(values, digits)| spread(values, digits));
    println!("| {name} | {cpu} | {user} | {largest} |");
}

/// The largest rate that is held, to 3 %: steps, then halving between a rate that
/// was held and one that was not.
fn largest(program: &Path, port: u16, first: f64) -> Result<f64> {
    let step = 1.3;
    let (mut held, mut lost) = (0.0, f64::INFINITY);
    let mut rate = first;
    while lost / held > EXACT && rate >= 1.0 {
        if holds(program, port, rate)? {
            held = rate;
        } else {
            lost = rate;
        }
        rate = match (held > 0.0, lost.is_finite()) {
            (true, true) => (held * lost).sqrt(),
            (true, false) => held * step,
            _ => lost / step,
        };
    }
    Ok(held)
}

/// Whether a rate is held; a second probe excuses a chance disturbance.
fn holds(program: &Path, port: u16, rate: f64) -> Result<bool> {
    for _ in 0..2 {
        let connections = (rate * PROBE_S).round();
        let load = format!("--num-conns {connections} --rate {rate:.1} --timeout 2");
        let report = httperf(program, port, &load)?.report;
        thread::sleep(PORTS_REST);
        if report.errors()? == 0.0
            && report.replies()? == connections
            && report.rate()? >= 0.99 * rate
        {
            return Ok(true);
        }
    }
    Ok(false)
}
