//! What does a second worker thread add? Where the server has no cores of its own
//! (two in all), both must share: one core with a thread of the client and a thread of
//! a server that serves nobody else, then two such cores. The floor program does the
//! same, and shows what this machine allows.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use loadgen_benches::peers::{Load, read_loadgen};
use loadgen_benches::{CLIENT_CORE, SERVER_CORE};

use super::by_load::{FLOOR, LOADGEN, loadgen_arguments, read_floor};
use super::part::{Column, Figures, Part};
use super::repeat::{Contestant, Trial, in_turn};
use super::setting::{Client, Setting};

/// Connections of a thread.
const CONNECTIONS: u32 = 64;

/// The contestant, as it is called in tables.
pub(crate) fn name(tool: &str, threads: u32) -> String {
    format!("{tool}, {threads} thread{}", if threads == 1 { "" } else { "s" })
}

pub(crate) fn measure(setting: &Setting) -> Result<Part> {
    let mut servers = Vec::new();
    let mut contestants = Vec::new();
    for (threads, cores) in [(1, vec![CLIENT_CORE]), (2, vec![CLIENT_CORE, SERVER_CORE])] {
        let server = Server::start(setting, setting.port + threads as u16, &cores)?;
        let ids = [server.0.id()];
        let load = Load { port: setting.port + threads as u16, ..setting.load(CONNECTIONS) };
        servers.push(server);
        let cores: Vec<String> = cores.iter().map(ToString::to_string).collect();
        let pinned = |program: &std::path::Path| {
            vec!["-c".to_owned(), cores.join(","), program.display().to_string()]
        };

        let mut args = pinned(&setting.loadgen);
        let all = Load { connections: CONNECTIONS * threads, ..load.clone() };
        args.extend(loadgen_arguments(&all));
        args.extend(["--threads".to_owned(), threads.to_string()]);
        let run = move |_| {
            let client = setting.client("taskset".as_ref(), &args, &ids)?;
            let said = read_loadgen(&client.done.stdout)?;
            Ok(trial(said.calls, said.calls_per_s, &client))
        };
        contestants.push(Contestant { name: name(LOADGEN, threads), run: Box::new(run) });

        let mut args = pinned(&setting.floor);
        args.extend([
            format!("127.0.0.1:{}", load.port),
            CONNECTIONS.to_string(),
            load.seconds.to_string(),
            format!("--threads={threads}"),
        ]);
        let run = move |_| {
            let client = setting.client("taskset".as_ref(), &args, &ids)?;
            let (calls, calls_per_s) = read_floor(&client.done.stdout)?;
            Ok(trial(calls, calls_per_s, &client))
        };
        contestants.push(Contestant { name: name(FLOOR, threads), run: Box::new(run) });
    }
    Ok(Part {
        name: "scaling",
        title: format!("Closed loop, {CONNECTIONS} connections a thread: one core against two"),
        columns: vec![
            Column::new("calls_per_s", "calls/s", 0),
            Column::new("cpu_us_per_call", "client's CPU µs/call", 2),
        ],
        contestants: in_turn(setting, "scaling", setting.runs, &contestants),
        notes: vec![
            "Each core carries a thread of the client and one of a server that answers with fixed \
             bytes, and only those whose handshake came in on its core: nothing but the client \
             and the kernel is shared between the cores."
                .to_owned(),
        ],
    })
}

fn trial(calls: f64, calls_per_s: f64, client: &Client) -> Trial {
    let cpu_us = 1e6 * client.done.cpu_s() / calls;
    let figures = [("calls_per_s", calls_per_s), ("cpu_us_per_call", cpu_us)];
    let figures: Figures = figures.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    Trial { figures, disturbed: client.foreign.disturbs() }
}

/// A running `core_server`. Ends when dropped.
struct Server(Child);

impl Server {
    fn start(setting: &Setting, port: u16, cores: &[usize]) -> Result<Self> {
        let child = Command::new(&setting.core_server)
            .arg(port.to_string())
            .args(cores.iter().map(ToString::to_string))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", setting.core_server.display()))?;
        let mut server = Self(child);
        let mut line = String::new();
        let stdout = server.0.stdout.take().context("no standard output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line == "ready\n", "the server of port {port} is not ready: another --port?");
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
