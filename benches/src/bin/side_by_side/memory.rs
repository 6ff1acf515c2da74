//! What does a connection cost the client? Peak resident memory of a process with
//! many connections, less that of one with few.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use loadgen_benches::nginx::Nginx;
use loadgen_benches::peers::Load;

use super::by_load::{LOADGEN, can, command, loadgen_arguments};
use super::many::established;
use super::part::{Column, Figures, Part};
use super::repeat::{Contestant, Trial, in_turn};
use super::setting::{Setting, descriptors};

/// Ours with connections that are idle most of the time, which is what open loop
/// means.
pub(crate) const IDLE: &str = "loadgen, open loop";

pub(crate) const FEW: u32 = 1000;

/// How often connections are counted.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) fn measure(setting: &Setting) -> Result<Part> {
    let nginx = Nginx::start(setting.folder(), setting.port)?;
    let most = if setting.quick { 4000 } else { 10_000 };
    let many = most.min(descriptors().saturating_sub(100));
    ensure!(many > 2 * FEW, "the limit of open files is too low: {}", descriptors());
    let load = |connections| Load { seconds: 2, ..setting.load(connections) };
    let mut contestants = Vec::new();
    for (name, rate) in [(LOADGEN, None), (IDLE, Some(2000))] {
        let servers = nginx.ids();
        let run = move |_| {
            pair(setting, &servers, many, |connections| {
                let args = loadgen_arguments(&Load { rate, ..load(connections) });
                Ok((setting.loadgen.clone(), args))
            })
        };
        contestants.push(Contestant { name: name.to_owned(), run: Box::new(run) });
    }
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
        name: "memory",
        title: format!(
            "Memory of a connection: {many} against {FEW}, peak of the client's process"
        ),
        columns: vec![
            Column::new("kib_per_connection", "KiB a connection", 2),
            Column::new("peak_mib", "peak MiB", 1),
            Column::new("held", "held at once", 0),
        ],
        contestants: in_turn(setting, "memory", setting.runs.min(3), &contestants),
        notes: vec!["Closed loop unless it says otherwise.".to_owned()],
    })
}

/// Many connections against few. What is held is counted by the kernel's list: a tool
/// that has not opened all of them has not the memory for them either.
pub(crate) fn pair(
    setting: &Setting,
    servers: &[u32],
    many: u32,
    command: impl Fn(u32) -> Result<(PathBuf, Vec<String>)>,
) -> Result<Trial> {
    let mut ends = [(0.0, 0.0); 2];
    for ((peak, held), connections) in ends.iter_mut().zip([FEW, many]) {
        let (program, args) = command(connections)?;
        let (client, most) = most_held(setting.port, || setting.client(&program, &args, servers))?;
        (*peak, *held) = (client.done.peak_kib as f64, most as f64);
        ensure!(*peak > 0.0, "its memory was not seen");
    }
    let [(few_kib, few), (many_kib, held)] = ends;
    ensure!(held > few, "{held} connections were held of {many}, and {few} of {FEW}");
    let each = (many_kib - few_kib) / (held - few);
    let figures = [("kib_per_connection", each), ("peak_mib", many_kib / 1024.0), ("held", held)];
    let figures: Figures = figures.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    // Memory does not mind what else runs.
    Ok(Trial { figures, disturbed: false })
}

/// Does something, and counts the connections that a server holds meanwhile.
fn most_held<T>(port: u16, work: impl FnOnce() -> Result<T>) -> Result<(T, usize)> {
    let (done, is_done) = channel::<()>();
    let looking = thread::spawn(move || {
        let mut most = 0;
        while is_done.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            let text = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
            most = most.max(established(&text, port));
        }
        most
    });
    let result = work();
    drop(done);
    let most = looking.join().map_err(|_| anyhow::anyhow!("the counting thread panicked"))?;
    Ok((result?, most))
}
