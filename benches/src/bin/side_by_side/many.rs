//! How many connections can be held on one machine, and what do they cost? A
//! process may have few open files, and an address few ports: so several clients,
//! each from an address of its own, and an nginx with several workers.

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
            "Held: connections that both sides have, by the kernel's count. Resident memory of \
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
    let before = sockets()?;
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
        thread::sleep(Duration::from_millis(500));
        let now = sockets()?;
        // Each connection has two ends here.
        let held = now.established.saturating_sub(before.established) / 2;
        if held as f64 > most.get("held").copied().unwrap_or(0.0) {
            let ids: Vec<u32> = running.iter().map(|client| client.child.id()).collect();
            let each = |kib: u64| kib as f64 / held as f64;
            most = Figures::from([
                ("held".to_owned(), held as f64),
                ("client_kib".to_owned(), each(resident_kib(&ids))),
                ("server_kib".to_owned(), each(resident_kib(&nginx.ids()))),
                ("kernel_kib".to_owned(), each(now.buffers_kib.saturating_sub(before.buffers_kib))),
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

/// TCP sockets of this machine.
struct Sockets {
    established: u64,
    buffers_kib: u64,
}

fn sockets() -> Result<Sockets> {
    let text = fs::read_to_string("/proc/net/sockstat").context("cannot read sockstat")?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: ")).context("no TCP")?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let value = |key| {
        let at = words.iter().position(|word| *word == key)?;
        words.get(at + 1)?.parse::<u64>().ok()
    };
    // Pages of 4 KiB.
    let buffers_kib = value("mem").context("no memory of TCP")? * 4;
    let established = snmp_established(&fs::read_to_string("/proc/net/snmp")?)?;
    Ok(Sockets { established, buffers_kib })
}

/// `CurrEstab` of `/proc/net/snmp`.
fn snmp_established(text: &str) -> Result<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = lines.next().zip(lines.next()).context("no TCP in snmp")?;
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let (_, value) = pairs.find(|(name, _)| *name == "CurrEstab").context("no CurrEstab")?;
    Ok(value.parse()?)
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
        let text = "Ip: a\nIp: 1\nTcp: RtoMin MaxConn CurrEstab InSegs\nTcp: 200 -1 42 7\n";
        assert_eq!(snmp_established(text).unwrap(), 42);
        assert!(snmp_established("Tcp: A\n").is_err());
    }
}
