//! Open loop against a server that answers after 1 ms and freezes 500 ms every
//! 5 s: what each tool tells of response times, beside the analytic values for the
//! connections it may open, from the freezes as they really were.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use loadgen_benches::model::FreezingServer;
use loadgen_benches::peers::{Load, Said, Tool, read_loadgen};
use loadgen_benches::quantile;
use loadgen_benches::truth::{Truth, TruthServer};
use loadgen_core::Schedule;
use loadgen_core::clock::{MILLISECOND, SECOND};

use super::by_load::{can, command, loadgen_arguments};
use super::part::{Column, Figures, Part};
use super::repeat::{Contestant, Trial, in_turn};
use super::setting::Setting;

const RATE: u32 = 3000;

/// Connections of tools with a fixed pool: a divisor of the rate, since some split
/// it over them.
const POOL: u32 = 60;

/// Connections of those that open as many as they need.
const GROWING: u32 = 4096;

/// A figure holds when it is within 2 % or 0.3 ms of the analytic value.
const RELATIVE: f64 = 0.02;
const ABSOLUTE_MS: f64 = 0.3;

/// Keys of the figures, with those of their analytic values.
const FIGURES: [(&str, &str); 6] = [
    ("mean_ms", "true_mean_ms"),
    ("p50_ms", "true_p50_ms"),
    ("p90_ms", "true_p90_ms"),
    ("p99_ms", "true_p99_ms"),
    ("p99_9_ms", "true_p99_9_ms"),
    ("max_ms", "true_max_ms"),
];

/// What a tool is told.
struct Task {
    load: Load,
    /// Most connections that it opens.
    connections: u32,
    schedule: Schedule,
    seed: u64,
}

pub(crate) fn measure(setting: &Setting) -> Result<Part> {
    let mut contestants = Vec::new();
    for (name, connections, poisson) in [
        ("loadgen, 60 connections", POOL, false),
        ("loadgen, as many as needed", GROWING, false),
        ("loadgen, 60 connections, Poisson", POOL, true),
    ] {
        contestants.push(ours(setting, name, connections, poisson));
    }
    for tool in setting.tools.iter().copied() {
        if can(tool, &load(setting, 0)) {
            contestants.push(peer(setting, tool));
        }
    }
    let column = |heading, i: usize| Column {
        truth: Some(FIGURES[i].1),
        ..Column::new(FIGURES[i].0, heading, 2)
    };
    let headings = ["mean", "p50", "p90", "p99", "p99.9", "max"];
    let mut columns: Vec<Column> =
        headings.into_iter().enumerate().map(|(i, h)| column(h, i)).collect();
    columns.push(Column { truth: Some("true_calls"), ..Column::new("calls", "calls", 0) });
    Ok(Part {
        name: "freeze",
        title: format!(
            "Open loop, {RATE}/s, against a server that answers after 1 ms and freezes 500 ms \
             every 5 s: response times in ms, told/true"
        ),
        columns,
        contestants: in_turn(setting, "freeze", setting.runs.min(3), &contestants),
        notes: vec![format!(
            "True: what users feel who come by the schedule, computed call by call from the \
             freezes as they were, for at most as many connections as the tool opens. Each \
             repetition meets the freezes at another phase{}. httperf opens one a call and tells \
             times of connections.",
            if setting.quick { " (here one freeze in 6 s)" } else { "" }
        )],
    })
}

fn load(setting: &Setting, port: u16) -> Load {
    let seconds = if setting.quick { 6 } else { 10 };
    Load { port, rate: Some(RATE), seconds, ..setting.load(POOL) }
}

fn ours<'a>(setting: &'a Setting, name: &str, connections: u32, poisson: bool) -> Contestant<'a> {
    let run = move |repetition: u32| {
        let server = start(setting, repetition)?;
        let load = load(setting, server.port());
        let seed = u64::from(repetition) + 1;
        let mut args = loadgen_arguments(&load);
        let (most, seed_text) = (connections.to_string(), seed.to_string());
        let at = args.iter().position(|a| a == "--connections").context("no --connections")?;
        args[at + 1] = most;
        args.extend(["--seed".to_owned(), seed_text]);
        let mut schedule = Schedule::constant(f64::from(RATE));
        if poisson {
            args.extend(["--arrival".to_owned(), "poisson".to_owned()]);
            schedule = Schedule::poisson(f64::from(RATE));
        }
        let task = Task { load, connections, schedule, seed };
        trial(setting, server, &setting.loadgen, &args, &task, read_loadgen)
    };
    Contestant { name: name.to_owned(), run: Box::new(run) }
}

fn peer(setting: &Setting, tool: Tool) -> Contestant<'_> {
    let run = move |repetition: u32| {
        let server = start(setting, repetition)?;
        let load = load(setting, server.port());
        let (program, args): (PathBuf, _) = command(tool, &load)?;
        let connections = match tool {
            Tool::Httperf => u32::MAX,
            Tool::Vegeta | Tool::K6 => GROWING,
            _ => load.connections,
        };
        let schedule = Schedule::constant(f64::from(RATE));
        let task = Task { load, connections, schedule, seed: 0 };
        trial(setting, server, &program, &args, &task, |text| tool.said(&task.load, text))
    };
    Contestant { name: tool.name().to_owned(), run: Box::new(run) }
}

/// Starts the server, and waits so that each repetition meets another phase.
fn start(setting: &Setting, repetition: u32) -> Result<TruthServer> {
    let options = ["--delay", "1ms", "--freeze", "500ms/5s"];
    let server = TruthServer::start(&setting.loadgen, setting.folder(), &options)?;
    thread::sleep(Duration::from_millis(700) * (repetition % 6));
    Ok(server)
}

fn trial(
    setting: &Setting,
    server: TruthServer,
    program: &std::path::Path,
    args: &[String],
    task: &Task,
    read: impl Fn(&str) -> Result<Said>,
) -> Result<Trial> {
    let client = setting.client(program, args, &[server.id()])?;
    let truth = server.finish()?;
    let said = read(&client.done.stdout)?;
    let analytic = analytic(task, &truth)?;
    let mut figures = Figures::new();
    let ms = |ns: u64| ns as f64 / MILLISECOND as f64;
    let mean = analytic.iter().map(|ns| ms(*ns)).sum::<f64>() / analytic.len() as f64;
    let at = |q| ms(quantile(&analytic, q));
    let truths = [mean, at(0.5), at(0.9), at(0.99), at(0.999), at(1.0)];
    let mut within = said.calls == analytic.len() as f64;
    for (i, ((key, true_key), value)) in FIGURES.into_iter().zip(truths).enumerate() {
        figures.insert(true_key.to_owned(), value);
        let Some(told) = said.latency_ms[i] else { continue };
        figures.insert(key.to_owned(), told);
        let off = (told - value).abs();
        within &= off <= ABSOLUTE_MS || off <= RELATIVE * value;
    }
    figures.insert("calls".to_owned(), said.calls);
    figures.insert("true_calls".to_owned(), analytic.len() as f64);
    figures.insert("within".to_owned(), f64::from(u8::from(within)));
    figures.insert("cpu_percent".to_owned(), 100.0 * client.done.cpu_s() / client.wall_s);
    Ok(Trial { figures, disturbed: client.foreign.disturbs() })
}

/// The true response times, sorted. The schedule began when its first call came in.
fn analytic(task: &Task, truth: &Truth) -> Result<Vec<u64>> {
    let length = u64::from(task.load.seconds) * SECOND;
    let starts = || task.schedule.starts(task.seed, 0, 1).take_while(|at| *at < length);
    let first = starts().next().context("a schedule without calls")?;
    let origin = truth.arrivals_ns.first().context("no call came in")?.saturating_sub(first);
    let server = FreezingServer {
        delay: MILLISECOND,
        freezes: truth
            .account
            .freezes
            .iter()
            .map(|f| (f.start_monotonic_ns, f.end_monotonic_ns))
            .filter(|(_, end)| *end > origin)
            .map(|(start, end)| (start.saturating_sub(origin), end - origin))
            .collect(),
    };
    Ok(server.response_times(starts(), task.connections as usize))
}
