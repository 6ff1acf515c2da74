//! Are calls started when the schedule says? 3000 a second, by the times at which the
//! server's kernel had them against the ideal grid.

use std::path::Path;

use anyhow::{Result, ensure};
use loadgen_benches::peers::Load;
use loadgen_benches::quantile;
use loadgen_benches::truth::TruthServer;

use super::by_load::{can, command, loadgen_arguments};
use super::part::{Column, Figures, Part};
use super::repeat::{Contestant, Trial, in_turn};
use super::setting::Setting;

const RATE: u32 = 3000;

/// The program that only asks the kernel, by how it waits for a start.
const FLOOR_SLEEPS: &str = "floor, sleeping";
pub(crate) const FLOOR_NORMAL: &str = "floor, polling 50 µs before";
pub(crate) const FLOOR_HIGH: &str = "floor, polling always";

/// Arrivals closer together than this were sent in one go.
const BURST_NS: u64 = 20_000;

pub(crate) fn measure(setting: &Setting) -> Result<Part> {
    let mut contestants = Vec::new();
    for precision in ["low", "normal", "high"] {
        let run = move |_| {
            let server = start(setting)?;
            let load = load(setting, server.port());
            let mut args = loadgen_arguments(&load);
            args.extend(["--precision".to_owned(), precision.to_owned()]);
            trial(setting, server, &setting.loadgen, &args, 0)
        };
        contestants.push(Contestant { name: ours(precision), run: Box::new(run) });
    }
    for (name, before_us) in [(FLOOR_SLEEPS, 0), (FLOOR_NORMAL, 50), (FLOOR_HIGH, 1_000_000)] {
        let run = move |_| {
            let server = start(setting)?;
            let load = load(setting, server.port());
            let args = [
                format!("127.0.0.1:{}", load.port),
                load.connections.to_string(),
                load.seconds.to_string(),
                format!("--rate={RATE}"),
                format!("--before={before_us}"),
            ];
            // Its first request only asks how long a reply is.
            trial(setting, server, &setting.floor, &args, 1)
        };
        contestants.push(Contestant { name: name.to_owned(), run: Box::new(run) });
    }
    for tool in setting.tools.iter().copied() {
        if can(tool, &load(setting, 0)) {
            let run = move |_| {
                let server = start(setting)?;
                let (program, args) = command(tool, &load(setting, server.port()))?;
                trial(setting, server, &program, &args, 0)
            };
            contestants.push(Contestant { name: tool.name().to_owned(), run: Box::new(run) });
        }
    }
    Ok(Part {
        name: "grid",
        title: format!("Open loop, {RATE}/s: arrivals at the server's kernel against the ideal grid, in µs"),
        columns: vec![
            Column::new("mean_us", "mean", 1),
            Column::new("p50_us", "p50", 1),
            Column::new("p99_us", "p99", 1),
            Column::new("max_us", "max", 0),
            Column::new("bursts_percent", "gaps < 20 µs, %", 2),
            Column::new("cpu_percent", "CPU, % of a core", 1),
        ],
        contestants: in_turn(setting, "grid", setting.runs, &contestants),
        notes: vec![
            "The k-th arrival, by the kernel's time stamp, against k/3000 s, less the smallest such \
             difference (the way through the loopback). CPU: of the whole process, its start and report included."
                .to_owned(),
            "floor: nothing but timers and the sending and reading of fixed bytes, so what this \
             machine allows; sleeping to the start, to 50 µs before, or not at all."
                .to_owned(),
        ],
    })
}

/// Ours by its precision, as it is called in tables.
pub(crate) fn ours(precision: &str) -> String {
    format!("loadgen --precision {precision}")
}

fn load(setting: &Setting, port: u16) -> Load {
    let seconds = if setting.quick { 2 } else { setting.seconds.max(5) };
    Load { port, rate: Some(RATE), seconds, ..setting.load(60) }
}

fn start(setting: &Setting) -> Result<TruthServer> {
    TruthServer::start(&setting.loadgen, setting.folder(), &["--delay", "200us"])
}

/// The first `asked` requests are not of the load.
fn trial(
    setting: &Setting,
    server: TruthServer,
    program: &Path,
    args: &[String],
    asked: usize,
) -> Result<Trial> {
    let client = setting.client(program, args, &[server.id()])?;
    let calls = server.finish()?.calls_ns;
    let mut arrivals: Vec<u64> = calls.into_iter().map(|[came, _]| came).collect();
    ensure!(arrivals.len() > asked + 1, "no call came in");
    arrivals.drain(..asked);
    let ideal = |k: usize| k as f64 * 1e9 / f64::from(RATE);
    let offset = |(k, at): (usize, &u64)| (at - arrivals[0]) as f64 - ideal(k);
    let mut late: Vec<f64> = arrivals.iter().enumerate().map(offset).collect();
    late.sort_unstable_by(f64::total_cmp);
    let way = late[0];
    let micros = |ns: f64| (ns - way) / 1e3;
    let close = arrivals.windows(2).filter(|w| w[1] - w[0] < BURST_NS).count();
    let figures = [
        ("mean_us", micros(late.iter().sum::<f64>() / late.len() as f64)),
        ("p50_us", micros(quantile(&late, 0.5))),
        ("p99_us", micros(quantile(&late, 0.99))),
        ("max_us", micros(quantile(&late, 1.0))),
        ("bursts_percent", 100.0 * close as f64 / (arrivals.len() - 1) as f64),
        ("cpu_percent", 100.0 * client.done.cpu_s() / client.wall_s),
        ("arrivals", arrivals.len() as f64),
    ];
    let figures: Figures = figures.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    Ok(Trial { figures, disturbed: client.foreign.disturbs() })
}
