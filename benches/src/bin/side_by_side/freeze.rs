//! Open loop against a server that answers after 1 ms and freezes 500 ms every
//! 5 s: what each tool tells of response times, beside two truths.
//!
//! - As *served*: from the schedule to when the server had sent the reply. The requests
//!   came to its kernel in the order of the schedule, which goes on in a freeze.
//!   What the server and the loopback took to work off the calls of a freeze is in it,
//!   and so is what the tool was late with; but nothing that a tool says of itself.
//! - *Ideal*: the analytic values for the connections that the tool may open, from the
//!   freezes as they really were. Nothing but freezes and the delay takes time in it.

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

/// A figure holds when it is within 2 % or 0.3 ms of the true one.
const RELATIVE: f64 = 0.02;
const ABSOLUTE_MS: f64 = 0.3;

/// How much earlier than the schedule a call may come, since the schedule is counted
/// from the first call, which may have been late.
const EARLY_NS: u64 = MILLISECOND;

/// Whether all figures of a run hold.
pub(crate) const WITHIN_IDEAL: &str = "within_ideal";
pub(crate) const WITHIN_SERVED: &str = "within_served";

/// Keys of the figures, each with those as served and of an ideal server.
const FIGURES: [(&str, [&str; 2]); 6] = [
    ("mean_ms", ["served_mean_ms", "ideal_mean_ms"]),
    ("p50_ms", ["served_p50_ms", "ideal_p50_ms"]),
    ("p90_ms", ["served_p90_ms", "ideal_p90_ms"]),
    ("p99_ms", ["served_p99_ms", "ideal_p99_ms"]),
    ("p99_9_ms", ["served_p99_9_ms", "ideal_p99_9_ms"]),
    ("max_ms", ["served_max_ms", "ideal_max_ms"]),
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
        truths: &FIGURES[i].1,
        ..Column::new(FIGURES[i].0, heading, 2)
    };
    let headings = ["mean", "p50", "p90", "p99", "p99.9", "max"];
    let mut columns: Vec<Column> =
        headings.into_iter().enumerate().map(|(i, h)| column(h, i)).collect();
    columns.push(Column { truths: &["true_calls"], ..Column::new("calls", "calls", 0) });
    Ok(Part {
        name: "freeze",
        title: format!(
            "Open loop, {RATE}/s, against a server that answers after 1 ms and freezes 500 ms \
             every 5 s: response times in ms, told/as served/ideal"
        ),
        columns,
        contestants: in_turn(setting, "freeze", setting.runs.min(3), &contestants),
        notes: vec![format!(
            "As served: from the schedule, which begins with the first call, to when the server \
             had sent the reply, by its own log, in the order in which its kernel had the \
             requests; only where no call was lost, nor sent before its time. Ideal: computed \
             call by call from the freezes as they were, for at most as many connections as the \
             tool opens, with a server and a loopback that need no time to work off what has \
             piled up. Calls: told/scheduled. Each repetition meets the freezes at another \
             phase{}. httperf opens one connection a call and tells times of connections.",
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
    let (starts, origin) = intended(task, &truth)?;
    let mut figures = Figures::new();
    for (key, told) in FIGURES.map(|(key, _)| key).into_iter().zip(said.latency_ms) {
        figures.extend(told.map(|told| (key.to_owned(), told)));
    }
    let all_told = said.calls == starts.len() as f64;
    let truths = [
        (WITHIN_SERVED, served(&starts, origin, &truth)),
        (WITHIN_IDEAL, Some(ideal(&starts, origin, &truth, task.connections as usize))),
    ];
    for (i, (key, times)) in truths.into_iter().enumerate() {
        let Some(times) = times else { continue };
        let mut within = all_told;
        for ((_, keys), (told, value)) in
            FIGURES.into_iter().zip(said.latency_ms.into_iter().zip(summary(&times)))
        {
            figures.insert(keys[i].to_owned(), value);
            let off = told.map(|told| (told - value).abs());
            within &= off.is_none_or(|off| off <= ABSOLUTE_MS || off <= RELATIVE * value);
        }
        figures.insert(key.to_owned(), f64::from(u8::from(within)));
    }
    figures.insert("calls".to_owned(), said.calls);
    figures.insert("true_calls".to_owned(), starts.len() as f64);
    figures.insert("cpu_percent".to_owned(), 100.0 * client.done.cpu_s() / client.wall_s);
    Ok(Trial { figures, disturbed: client.foreign.disturbs() })
}

/// Mean, p50, p90, p99, p99.9 and maximum of sorted times, in ms.
fn summary(times: &[u64]) -> [f64; 6] {
    let ms = |ns: u64| ns as f64 / MILLISECOND as f64;
    let mean = times.iter().map(|ns| ms(*ns)).sum::<f64>() / times.len() as f64;
    let at = |q| ms(quantile(times, q));
    [mean, at(0.5), at(0.9), at(0.99), at(0.999), at(1.0)]
}

/// The intended starts, and the reading of the clock at which the schedule began:
/// when its first call came in.
fn intended(task: &Task, truth: &Truth) -> Result<(Vec<u64>, u64)> {
    let length = u64::from(task.load.seconds) * SECOND;
    let starts = task.schedule.starts(task.seed, 0, 1).take_while(|at| *at < length);
    let starts: Vec<u64> = starts.collect();
    let first = starts.first().context("a schedule without calls")?;
    let [came, _] = truth.calls_ns.first().context("no call was answered")?;
    let origin = came.saturating_sub(*first);
    Ok((starts, origin))
}

/// The response times as the server made them, sorted; `None` if it did not get the
/// calls of the schedule, all of them, no others, and none before its time.
fn served(starts: &[u64], origin: u64, truth: &Truth) -> Option<Vec<u64>> {
    if truth.calls_ns.len() != starts.len() {
        return None;
    }
    let pairs = starts.iter().map(|start| origin + start).zip(&truth.calls_ns);
    if pairs.clone().any(|(start, [came, _])| *came + EARLY_NS < start) {
        return None;
    }
    let mut times: Vec<u64> =
        pairs.map(|(start, [_, reply])| reply.saturating_sub(start)).collect();
    times.sort_unstable();
    Some(times)
}

/// The response times of an ideal server, sorted.
fn ideal(starts: &[u64], origin: u64, truth: &Truth, connections: usize) -> Vec<u64> {
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
    server.response_times(starts.iter().copied(), connections)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(calls_ns: Vec<[u64; 2]>) -> Truth {
        Truth { account: Default::default(), calls_ns }
    }

    #[test]
    fn served_counts_from_the_schedule_however_late_a_call_came() {
        assert_eq!(
            served(&[0, 10], 1000, &truth(vec![[1000, 1100], [1020, 1025]])),
            Some(vec![15, 100])
        );
    }

    #[test]
    fn without_all_calls_nothing_is_said_of_those_as_served() {
        assert_eq!(served(&[0, 10], 1000, &truth(vec![[1000, 1005]])), None);
        assert_eq!(served(&[0, 10], 1000, &truth(vec![[1000, 1005]; 3])), None);
        let start = 2 * EARLY_NS;
        assert_eq!(served(&[0, start], 1000, &truth(vec![[1000, 1005]; 2])), None);
    }
}
