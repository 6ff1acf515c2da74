//! How many connections can be held on one machine, and what do they cost? A
//! process may have few open files, and an address few ports: so several clients,
//! each from an address of its own, and an nginx with several workers.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use loadgen_benches::nginx::{Nginx, Setup};
use loadgen_core::Report;

use super::by_load::LOADGEN;
use super::part::{Column, Figures, Part};
use super::repeat::{Contestant, Trial, in_turn};
use super::setting::{Setting, descriptors};

/// Connections that are to be held.
pub(crate) const CONNECTIONS: u32 = 100_000;

/// Ports of one source address that are surely free.
const PORTS: u32 = 20_000;

/// Descriptors of a process that are not connections.
const SPARE: u32 = 500;

/// How often connections are counted: reading 200,000 of them takes its time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the clients hold them, in seconds: long enough for all to have begun.
const HOLD_S: u64 = 15;

pub(crate) fn measure(setting: &Setting) -> Result<Part> {
    let total = if setting.quick { CONNECTIONS / 10 } else { CONNECTIONS };
    let limit = descriptors().saturating_sub(SPARE);
    let clients = total.div_ceil(limit.min(PORTS));
    // The kernel spreads connections by a hash: not quite evenly.
    let workers = total.div_ceil(limit * 3 / 4).max(2);
    let setup = Setup {
        port: setting.port,
        workers: workers as usize,
        cores: "0-1".to_owned(),
        connections: limit,
        tls: false,
    };
    let nginx = Nginx::start_as(setting.folder(), &setup)?;
    let run = |_| held(setting, &nginx, total, clients);
    let contestants = [Contestant { name: LOADGEN.to_owned(), run: Box::new(run) }];
    Ok(Part {
        name: "many",
        title: format!(
            "{total} connections held, {clients} client processes, nginx with {workers} workers"
        ),
        columns: vec![
            Column::new("held", "held at once", 0),
            Column::new("client_kib", "clients, KiB a connection", 2),
            Column::new("server_kib", "nginx, KiB a connection", 2),
            Column::new("kernel_kib", "socket buffers, KiB a connection", 2),
            Column::new("failed", "failed", 0),
        ],
        contestants: in_turn(setting, "many", 1, &contestants),
        notes: vec![
            "Held: established at the server, by the kernel's list. Resident memory of \
             all processes, everything included, divided by it."
                .to_owned(),
        ],
    })
}

/// A client process and where its report goes.
struct Client {
    child: Child,
    report: PathBuf,
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn held(setting: &Setting, nginx: &Nginx, total: u32, clients: u32) -> Result<Trial> {
    let buffers_before_kib = buffers_kib()?;
    let mut running = Vec::new();
    for i in 0..clients {
        let connections = total / clients + u32::from(i < total % clients);
        running.push(start(setting, i, connections)?);
    }
    let mut most = Figures::new();
    let patience = Instant::now() + Duration::from_secs(120);
    let mut ended = false;
    while !ended {
        ensure!(Instant::now() < patience, "the clients do not end");
        thread::sleep(LOOK_EVERY);
        let held = established(&fs::read_to_string("/proc/net/tcp")?, setting.port);
        let buffers_kib = buffers_kib()?.saturating_sub(buffers_before_kib);
        if held as f64 > most.get("held").copied().unwrap_or(0.0) {
            let ids: Vec<u32> = running.iter().map(|client| client.child.id()).collect();
            let each = |kib: u64| kib as f64 / held as f64;
            most = Figures::from([
                ("held".to_owned(), held as f64),
                ("client_kib".to_owned(), each(resident_kib(&ids))),
                ("server_kib".to_owned(), each(resident_kib(&nginx.ids()))),
                ("kernel_kib".to_owned(), each(buffers_kib)),
            ]);
        }
        ended = true;
        for client in &mut running {
            ended &= client.child.try_wait()?.is_some();
        }
    }
    let mut failed = 0;
    for client in &running {
        let text = fs::read_to_string(&client.report).context("a client left no report")?;
        let counts = Report::from_json(&text)?.counts;
        // What was to be warm and was not is opened later, for a call.
        failed += counts.failed + counts.connections_opened;
    }
    most.insert("failed".to_owned(), failed as f64);
    Ok(Trial { figures: most, disturbed: false })
}

fn start(setting: &Setting, i: u32, connections: u32) -> Result<Client> {
    let report = setting.folder().join(format!("held-{i}.json"));
    let (many, hold) = (connections.to_string(), format!("{HOLD_S}s"));
    let child = Command::new("taskset")
        .args(["-c", "0-1"])
        .arg(&setting.loadgen)
        .args(["run", &setting.load(1).url(), "--quiet", "--format", "json", "--duration", &hold])
        .args(["--rate", "100", "--precision", "low", "--timeout", "60s"])
        .args(["--connections", &many, "--warm-connections", &many])
        .args(["--source-address", &format!("127.0.0.{}", i + 2), "-o"])
        .arg(&report)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run taskset (package util-linux)")?;
    Ok(Client { child, report })
}

/// Memory of all TCP sockets of this machine, in KiB.
fn buffers_kib() -> Result<u64> {
    let text = fs::read_to_string("/proc/net/sockstat").context("cannot read sockstat")?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: ")).context("no TCP")?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "mem").skip(1);
    let pages: u64 = words.next().context("no memory of TCP")?.parse()?;
    // Pages of 4 KiB.
    Ok(pages * 4)
}

/// Established connections of a server by `/proc/net/tcp`: their ends at the server.
/// The list changes while it is read and may name one twice, so each counts once, by
/// the address of its client.
pub(crate) fn established(text: &str, port: u16) -> usize {
    let ours = format!(":{port:04X}");
    let client = |line| -> Option<&str> {
        let mut words = str::split_whitespace(line).skip(1);
        let (local, client, state) = (words.next()?, words.next()?, words.next()?);
        (local.ends_with(&ours) && state == "01").then_some(client)
    };
    text.lines().filter_map(client).collect::<HashSet<_>>().len()
}

/// Resident memory of processes, in KiB.
fn resident_kib(ids: &[u32]) -> u64 {
    let one = |id: &u32| {
        let status = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status"));
        let status = status.ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    ids.iter().filter_map(one).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn established_connections_are_counted() {
        let text = "  sl  local_address rem_address   st\n   \
                    0: 0100007F:46A0 00000000:0000 0A\n   \
                    1: 0100007F:46A0 0200007F:9C41 01\n   \
                    1: 0100007F:46A0 0200007F:9C41 01\n   \
                    2: 0200007F:9C41 0100007F:46A0 01\n";
        assert_eq!(established(text, 18_080), 1);
        assert_eq!(established(text, 40_001), 1);
        assert_eq!(established(text, 1), 0);
    }
}
