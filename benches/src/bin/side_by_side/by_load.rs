//! Parts in which every tool gets the same load on nginx: calls a second and CPU
//! time a call, by the accounts of the client's process.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use loadgen_benches::nginx::{LARGE_BYTES, Nginx};
use loadgen_benches::peers::{Load, Said, Tool, read_loadgen};

use super::part::{Column, Figures, Part};
use super::repeat::{Contestant, Trial, in_turn};
use super::setting::{Client, Setting};

/// Ours, as it is called in tables.
pub(crate) const LOADGEN: &str = "loadgen";

/// Our httperf, to be told from the original.
pub(crate) const OUR_HTTPERF: &str = "our httperf";

/// The program that only asks the kernel.
pub(crate) const FLOOR: &str = "floor";

const CALLS: [Column; 3] = [
    Column::new("calls_per_s", "calls/s", 0),
    Column::new("cpu_us_per_call", "CPU µs/call", 2),
    Column::new("user_us_per_call", "of it user", 2),
];

pub(crate) fn closed(setting: &Setting) -> Result<Part> {
    let nginx = Nginx::start(setting.folder(), setting.port)?;
    let load = setting.load(64);
    let mut contestants = every_tool(setting, &load, nginx.ids());
    contestants.insert(1, floor(setting, &load, &[], nginx.ids()));
    Ok(Part {
        name: "closed",
        title: "Closed loop, 64 kept-alive connections, reply of 100 bytes".to_owned(),
        columns: CALLS.to_vec(),
        contestants: in_turn(setting, "closed", setting.runs, &contestants),
        notes: vec![
            "floor: epoll, fixed bytes, no parser, no record: what the kernel itself costs."
                .to_owned(),
        ],
    })
}

pub(crate) fn churn(setting: &Setting) -> Result<Part> {
    let nginx = Nginx::start(setting.folder(), setting.port)?;
    let load = Load { keep_alive: false, ..setting.load(64) };
    let mut contestants = every_tool(setting, &load, nginx.ids());
    for (i, (name, extra)) in WAYS_TO_CLOSE.into_iter().enumerate() {
        let way = loadgen(setting, format!("{LOADGEN}, {name}"), &load, extra, nginx.ids());
        contestants.insert(1 + i, way);
    }
    Ok(Part {
        name: "churn",
        title: "One call a connection, 64 at once".to_owned(),
        columns: CALLS.to_vec(),
        contestants: in_turn(setting, "churn", setting.runs, &contestants),
        notes: vec!["httperf: 8000 connections/s in open loop, of whatever number.".to_owned()],
    })
}

/// Ways of `loadgen run` to end connections, other than leaving it to the server.
const WAYS_TO_CLOSE: [(&str, &[&str]); 2] = [
    (WE_CLOSE, &["--close", "client", "--source-address", SOURCES]),
    (RESET, &["--close", "reset"]),
];

/// The way after which a port waits on our side. One address has 28,000 ports, which
/// may be taken again after a second; so several.
const WE_CLOSE: &str = "we close, 4 source addresses";
const SOURCES: &str = "127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5";

/// The way that leaves no port waiting.
pub(crate) const RESET: &str = "RST close";

pub(crate) fn large(setting: &Setting) -> Result<Part> {
    let nginx = Nginx::start(setting.folder(), setting.port)?;
    let load = Load { path: "/large", ..setting.load(1) };
    let mut contestants = every_tool(setting, &load, nginx.ids());
    contestants.insert(1, floor(setting, &load, &["--drop"], nginx.ids()));
    Ok(Part {
        name: "large",
        title: "Replies of 1 MiB, one connection".to_owned(),
        columns: vec![
            Column::new("gb_per_s", "GB/s", 2),
            Column::new("cpu_ns_per_byte", "CPU ns/byte", 3),
        ],
        contestants: in_turn(setting, "large", setting.runs, &contestants),
        notes: vec![
            "floor: the kernel drops every byte (MSG_TRUNC), the head too, and nothing is copied."
                .to_owned(),
        ],
    })
}

/// Ours, then every tool that is installed and can do the load.
pub(crate) fn every_tool<'a>(
    setting: &'a Setting,
    load: &Load,
    servers: Vec<u32>,
) -> Vec<Contestant<'a>> {
    let mut all = vec![loadgen(setting, LOADGEN.to_owned(), load, &[], servers.clone())];
    for tool in setting.tools.iter().copied() {
        if can(tool, load) {
            all.push(peer(setting, tool, load, servers.clone()));
        }
    }
    all
}

/// Whether the tool can do it; if that cannot be found out, running it will tell.
pub(crate) fn can(tool: Tool, load: &Load) -> bool {
    !matches!(tool.arguments(load), Ok(None))
}

/// Our own arguments for a load.
pub(crate) fn loadgen_arguments(load: &Load) -> Vec<String> {
    let connections = load.connections.to_string();
    let seconds = format!("{}s", load.seconds);
    let (rate, url) = (load.rate.map(|rate| rate.to_string()), load.url());
    let mut args = vec!["run", &url, "--quiet", "--format", "json", "--duration", &seconds];
    args.extend(["--connections", &connections]);
    match &rate {
        Some(rate) => args.extend(["--rate", rate]),
        None => args.push("--closed"),
    }
    if load.keep_alive {
        args.extend(["--warm-connections", &connections]);
    } else {
        args.extend(["--calls-per-connection", "1"]);
    }
    if load.tls {
        args.push("--insecure");
    }
    args.into_iter().map(str::to_owned).collect()
}

pub(crate) fn loadgen<'a>(
    setting: &'a Setting,
    name: String,
    load: &Load,
    extra: &[&str],
    servers: Vec<u32>,
) -> Contestant<'a> {
    let mut args = loadgen_arguments(load);
    args.extend(extra.iter().map(|s| (*s).to_owned()));
    let run = move |_| {
        let client = setting.client(&setting.loadgen, &args, &servers)?;
        trial(&client, &read_loadgen(&client.done.stdout)?)
    };
    Contestant { name, run: Box::new(run) }
}

/// Our own drop-in for httperf.
pub(crate) fn our_httperf<'a>(
    setting: &'a Setting,
    load: &Load,
    servers: Vec<u32>,
) -> Contestant<'a> {
    let load = load.clone();
    let run = move |_| {
        let args = Tool::Httperf.arguments(&load)?.context("it cannot do this load")?;
        let client = setting.client(&setting.httperf(), &args, &servers)?;
        trial(&client, &Tool::Httperf.said(&load, &client.done.stdout)?)
    };
    Contestant { name: OUR_HTTPERF.to_owned(), run: Box::new(run) }
}

fn peer<'a>(setting: &'a Setting, tool: Tool, load: &Load, servers: Vec<u32>) -> Contestant<'a> {
    let load = load.clone();
    let run = move |_| {
        let (program, args) = command(tool, &load)?;
        let client = setting.client(&program, &args, &servers)?;
        trial(&client, &tool.said(&load, &client.done.stdout)?)
    };
    Contestant { name: tool.name().to_owned(), run: Box::new(run) }
}

/// Program and arguments of a tool that can do the load.
pub(crate) fn command(tool: Tool, load: &Load) -> Result<(PathBuf, Vec<String>)> {
    let program = tool.program().context("it is not installed any more")?;
    Ok((program, tool.arguments(load)?.context("it cannot do this load")?))
}

fn floor<'a>(
    setting: &'a Setting,
    load: &Load,
    extra: &[&str],
    servers: Vec<u32>,
) -> Contestant<'a> {
    let mut args = vec![
        format!("127.0.0.1:{}", load.port),
        load.connections.to_string(),
        load.seconds.to_string(),
        format!("--path={}", load.path),
    ];
    args.extend(extra.iter().map(|s| (*s).to_owned()));
    let run = move |_| {
        let client = setting.client(&setting.floor, &args, &servers)?;
        let (calls, calls_per_s) = read_floor(&client.done.stdout)?;
        trial(&client, &Said { calls, calls_per_s, ..Said::default() })
    };
    Contestant { name: FLOOR.to_owned(), run: Box::new(run) }
}

/// Calls, and calls a second, that the floor program tells.
pub(crate) fn read_floor(said: &str) -> Result<(f64, f64)> {
    let (calls, seconds) = said.trim().split_once(' ').context("the floor said nothing")?;
    let calls: f64 = calls.parse()?;
    Ok((calls, calls / seconds.parse::<f64>()?))
}

fn trial(client: &Client, said: &Said) -> Result<Trial> {
    ensure!(said.calls > 0.0, "no call was answered");
    let bytes = said.calls * LARGE_BYTES as f64;
    let done = &client.done;
    let figures = [
        ("calls", said.calls),
        ("calls_per_s", said.calls_per_s),
        ("cpu_us_per_call", 1e6 * done.cpu_s() / said.calls),
        ("user_us_per_call", 1e6 * done.user_s / said.calls),
        ("system_us_per_call", 1e6 * done.system_s / said.calls),
        ("gb_per_s", said.calls_per_s * LARGE_BYTES as f64 / 1e9),
        ("cpu_ns_per_byte", 1e9 * done.cpu_s() / bytes),
        ("peak_kib", done.peak_kib as f64),
        ("wall_s", client.wall_s),
        ("foreign_s", client.foreign.foreign_s),
    ];
    let figures: Figures = figures.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    Ok(Trial { figures, disturbed: client.foreign.disturbs() })
}
