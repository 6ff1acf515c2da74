//! The same over https: nginx with TLS 1.3, one cipher suite for all, no session
//! resumed, no certificate checked. Calls over kept-alive connections, handshakes, and
//! the memory of a connection.

use anyhow::{Result, ensure};
use loadgen_benches::nginx::{Nginx, SUITE, Setup};
use loadgen_benches::peers::Load;

use super::by_load::{
    LOADGEN, OUR_HTTPERF, can, command, every_tool, loadgen_arguments, our_httperf,
};
use super::memory::{FEW, IDLE, pair};
use super::part::{Column, Part};
use super::repeat::{Contestant, in_turn};
use super::setting::{Setting, descriptors};

/// Kept-alive connections, and those that are opened at once.
const CONNECTIONS: u32 = 16;

/// Connections to be held at once.
pub(crate) const HELD: u32 = 10_000;

/// How many a second our httperf opens.
const OPENED_PER_S: u32 = 1500;

/// How long they are held, in seconds. All are open long before that: those that are
/// opened at that rate, and those that are opened all at once.
const HOLD_S: u32 = 20;

const CALLS: [Column; 4] = [
    Column::new("calls_per_s", "calls/s", 0),
    Column::new("cpu_us_per_call", "CPU µs/call", 2),
    Column::new("user_us_per_call", "of it user", 2),
    Column::new("system_us_per_call", "of it system", 2),
];

fn nginx(setting: &Setting) -> Result<Nginx> {
    Nginx::start_as(setting.folder(), &Setup { tls: true, ..Setup::new(setting.port) })
}

pub(crate) fn calls(setting: &Setting) -> Result<Part> {
    let nginx = nginx(setting)?;
    let load = Load { tls: true, ..setting.load(CONNECTIONS) };
    let mut contestants = every_tool(setting, &load, nginx.ids());
    contestants.insert(1, our_httperf(setting, &load, nginx.ids()));
    Ok(Part {
        name: "tls",
        title: format!(
            "https, closed loop, {CONNECTIONS} kept-alive connections, reply of 100 bytes, TLS 1.3 \
             with {SUITE}"
        ),
        columns: CALLS.to_vec(),
        contestants: in_turn(setting, "tls", setting.runs, &contestants),
        notes: Vec::new(),
    })
}

pub(crate) fn handshakes(setting: &Setting) -> Result<Part> {
    let nginx = nginx(setting)?;
    let load = Load { tls: true, keep_alive: false, ..setting.load(CONNECTIONS) };
    let mut contestants = every_tool(setting, &load, nginx.ids());
    contestants.insert(1, our_httperf(setting, &load, nginx.ids()));
    Ok(Part {
        name: "handshakes",
        title: format!(
            "https, one call a connection, {CONNECTIONS} at once, full handshakes (ECDSA P-256)"
        ),
        columns: CALLS.to_vec(),
        contestants: in_turn(setting, "handshakes", setting.runs, &contestants),
        notes: vec![
            "Both httperfs: in open loop at a fixed rate, of whatever number; only their CPU time \
             compares."
                .to_owned(),
        ],
    })
}

pub(crate) fn memory(setting: &Setting) -> Result<Part> {
    let nginx = nginx(setting)?;
    let most = if setting.quick { 4000 } else { HELD };
    let many = most.min(descriptors().saturating_sub(100));
    ensure!(many > 2 * FEW, "the limit of open files is too low: {}", descriptors());
    let seconds = if setting.quick { 8 } else { HOLD_S };
    let load = |connections| Load { tls: true, seconds, ..setting.load(connections) };
    let mut contestants = Vec::new();
    for (name, rate) in [(LOADGEN, None), (IDLE, Some(2000))] {
        let servers = nginx.ids();
        let run = move |_| {
            pair(setting, &servers, many, |connections| {
                let mut args = loadgen_arguments(&Load { rate, ..load(connections) });
                // Thousands of handshakes at once take their time.
                args.extend(["--timeout".to_owned(), "60s".to_owned()]);
                Ok((setting.loadgen.clone(), args))
            })
        };
        contestants.push(Contestant { name: name.to_owned(), run: Box::new(run) });
    }
    let servers = nginx.ids();
    let run = move |_| {
        pair(setting, &servers, many, |connections| {
            Ok((setting.httperf(), httperf_arguments(setting, connections, seconds)))
        })
    };
    contestants.push(Contestant { name: OUR_HTTPERF.to_owned(), run: Box::new(run) });
    for tool in setting.tools.iter().copied() {
        if can(tool, &load(many)) {
            let servers = nginx.ids();
            let run = move |_| {
                pair(setting, &servers, many, |connections| command(tool, &load(connections)))
            };
            contestants.push(Contestant { name: tool.name().to_owned(), run: Box::new(run) });
        }
    }
    Ok(Part {
        name: "tls-memory",
        title: format!(
            "Memory of an https connection: {many} against {FEW}, peak of the client's process"
        ),
        columns: vec![
            Column::new("kib_per_connection", "KiB a connection", 2),
            Column::new("peak_mib", "peak MiB", 1),
            Column::new("held", "held at once", 0),
        ],
        contestants: in_turn(setting, "tls-memory", setting.runs.min(3), &contestants),
        notes: vec![
            "Closed loop unless it says otherwise; our httperf: sessions of two calls with a \
             think time between. Divided by the connections that were really held."
                .to_owned(),
        ],
    })
}

/// Sessions that do nothing but hold a connection, after one call and before another.
fn httperf_arguments(setting: &Setting, connections: u32, seconds: u32) -> Vec<String> {
    format!(
        "--ssl --server 127.0.0.1 --port {} --uri / --rate {OPENED_PER_S} --timeout 60 \
         --wsess {connections},2,{seconds}",
        setting.port
    )
    .split_whitespace()
    .map(str::to_owned)
    .collect()
}
