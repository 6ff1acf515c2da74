//! What is told of a server that answers after 1 ms and freezes for 500 ms every
//! 5 s? Beside two truths: the analytic times of an ideal server that freezes so,
//! and those of this server, from its own record of when it read each request.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use loadgen_benches::model::FreezingServer;
use loadgen_benches::{CLIENT_CORE, SERVER_CORE, pin, quantile, spread};
use loadgen_core::clock::{MILLISECOND, Nanos};
use loadgen_core::target_server::{TargetOptions, TargetServer, TargetTruth};
use loadgen_core::{Precision, Report, Schedule};
use serde_json::{Map, Value, json};

use super::{Args, Pair, Run, httperf};

const DELAY: Duration = Duration::from_millis(1);
const FREEZE: Duration = Duration::from_millis(500);
const EVERY: Duration = Duration::from_secs(5);

/// Length of a run: two whole freezes are in it, from any of the phases.
const RUN_S: u32 = 12;

/// From the start of the server to that of the first run's load; each further run
/// meets the freezes 500 ms earlier.
const FIRST_PHASE: Duration = Duration::from_secs(1);

/// Percentiles of a response time.
const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// The figures of one run by their names, in the order of the table.
type Figures = Vec<(String, f64)>;

pub(super) fn measure(args: &Args, pair: &Pair) -> Result<Value> {
    println!(
        "\n## freeze\n\nserver on core {SERVER_CORE}: {DELAY:?} delay, frozen {FREEZE:?} every \
         {EVERY:?}; client on core {CLIENT_CORE}; one call a connection, {RUN_S} s; times in ms"
    );
    let mut found = Map::new();
    for &rate in &args.freeze_rate {
        println!("\n{rate} connections/s:\n");
        let mut all = [Vec::new(), Vec::new()];
        for run in 0..args.runs {
            for ((name, program), runs) in pair.both().into_iter().zip(&mut all) {
                runs.push(one(args, program, name == "ours", rate, run)?);
            }
        }
        let [ours, original] = &all;
        table(ours, original);
        let value = |runs: &[Figures]| -> Vec<Value> {
            runs.iter()
                .map(|run| {
                    run.iter()
                        .cloned()
                        .map(|(name, value)| (name, json!(value)))
                        .collect::<Map<_, _>>()
                        .into()
                })
                .collect()
        };
        found.insert(rate.to_string(), json!({ "ours": value(ours), "original": value(original) }));
    }
    Ok(Value::Object(found))
}

/// A row for each figure; what only one of them has stays empty with the other.
fn table(ours: &[Figures], original: &[Figures]) {
    println!("| | ours | original |");
    println!("|---|---|---|");
    for (name, _) in ours.first().into_iter().flatten() {
        let cell = |runs: &[Figures]| {
            let values: Vec<f64> =
                runs.iter().flatten().filter(|(n, _)| n == name).map(|(_, v)| *v).collect();
            let digits = if name.starts_with(char::is_uppercase) { 0 } else { 1 };
            if values.is_empty() { String::new() } else { spread(&values, digits) }
        };
        println!("| {name} | {} | {} |", cell(ours), cell(original));
    }
}

/// One run of one program against a server of its own.
fn one(args: &Args, program: &Path, is_ours: bool, rate: u32, run: u32) -> Result<Figures> {
    let folder = tempfile::tempdir()?;
    let (arrivals, json) = (folder.path().join("arrivals"), folder.path().join("report"));
    pin(SERVER_CORE)?;
    let options = TargetOptions::new()
        .with_listen(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)))
        .with_delay(DELAY)
        .with_freeze(FREEZE, EVERY)
        .with_precision(Precision::High)
        .with_arrivals(&arrivals);
    let server = TargetServer::bind(options)?;
    let server = server.spawn()?;
    pin(CLIENT_CORE)?;
    thread::sleep(FIRST_PHASE + FREEZE * (run % 4));
    let mut load = format!("--num-conns {} --rate {rate} --timeout 5", rate * RUN_S);
    if is_ours {
        load += &format!(" --json {}", json.display());
    }
    let told = httperf(program, args.port, &load)?;
    let truth = server.stop()?;
    let arrivals = numbers(&arrivals)?;
    let mut figures = from_old_report(&told)?;
    figures.extend(truths(&truth, &arrivals, rate)?);
    if is_ours {
        figures.extend(from_json(&json)?);
    }
    Ok(figures)
}

fn from_old_report(told: &Run) -> Result<Figures> {
    let report = &told.report;
    let figures = [
        ("Connections", report.connections()?),
        ("Replies", report.replies()?),
        ("Fd-unavail", report.without_descriptor()?),
        ("Concurrent, at most", report.concurrent()?),
        ("old report: Connection time avg", report.figure("Connection time", "avg")?),
        ("old report: Connection time max", report.figure("Connection time", "max")?),
        ("old report: Connection time connect", report.figure("Connection time", "connect")?),
        ("old report: Reply time response", report.figure("Reply time", "response")?),
    ];
    Ok(figures.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

/// The percentiles of `--json`.
fn from_json(path: &Path) -> Result<Figures> {
    let report = Report::from_json(&fs::read_to_string(path)?)?;
    let times = &report.response_time;
    let values = [
        ("mean", times.mean_us),
        ("p50", times.p50_us),
        ("p90", times.p90_us),
        ("p99", times.p99_us),
        ("p99.9", times.p99_9_us),
        ("max", times.max_us),
    ];
    let named = |(name, us): (&str, Option<f64>)| (format!("--json: {name}"), us);
    let lag = ("--json: largest lag".to_owned(), report.lag.max_us);
    values
        .map(named)
        .into_iter()
        .chain([lag])
        .map(|(name, us)| Ok((name, us.context("nothing was measured")? / 1e3)))
        .collect()
}

/// The truth about the times of all intended connections.
fn truths(truth: &TargetTruth, arrivals: &[Nanos], rate: u32) -> Result<Figures> {
    let count = (rate * RUN_S) as usize;
    let starts = || Schedule::constant(f64::from(rate)).starts(0, 0, 1).take(count);
    // No request arrives before its intended start, and the luckiest one at once:
    // that gives the start of the load to some hundredths of a ms.
    let lead = arrivals.iter().zip(starts()).map(|(arrival, start)| arrival.saturating_sub(start));
    let began = lead.min().context("nothing arrived")?;
    let server = FreezingServer {
        delay: DELAY.as_nanos() as Nanos,
        freezes: truth
            .freezes
            .iter()
            .map(|freeze| (freeze.start_monotonic_ns, freeze.end_monotonic_ns))
            .collect(),
    };
    let intended = || starts().map(|start| began + start);
    let mut figures = summary("ideal server", &server.response_times(intended(), usize::MAX));
    if arrivals.len() == count {
        // The kernel hands connections to the server in the order of their arrival.
        let mut times: Vec<Nanos> = intended()
            .zip(arrivals)
            .map(|(start, arrival)| server.reply_at(*arrival).saturating_sub(start))
            .collect();
        times.sort_unstable();
        figures.extend(summary("this server", &times));
    }
    Ok(figures)
}

fn summary(who: &str, sorted: &[Nanos]) -> Figures {
    let ms = |ns: Nanos| ns as f64 / MILLISECOND as f64;
    let mean = sorted.iter().map(|ns| ms(*ns)).sum::<f64>() / sorted.len() as f64;
    let quantiles = PERCENTILES.iter().map(|(name, q)| (*name, ms(quantile(sorted, *q))));
    [("mean", mean)].into_iter().chain(quantiles).map(|(n, v)| (format!("{who}: {n}"), v)).collect()
}

/// The arrival times that the server wrote, one a line.
fn numbers(path: &Path) -> Result<Vec<Nanos>> {
    let text = fs::read_to_string(path)?;
    Ok(text.lines().map(str::parse).collect::<Result<_, _>>()?)
}
