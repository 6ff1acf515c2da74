//! What does a second worker thread add? Where the server has no cores of its own
//! (two in all), both must share: one core with a worker thread and an nginx
//! process, then two such cores. What the second one adds is what the second
//! thread adds to a client that is not held up by its server.

use anyhow::Result;
use loadgen_benches::nginx::{Nginx, Setup};
use loadgen_benches::peers::{Load, read_loadgen};
use loadgen_benches::{CLIENT_CORE, SERVER_CORE};

use super::by_load::loadgen_arguments;
use super::part::{Column, Figures, Part};
use super::repeat::{Contestant, Trial, in_turn};
use super::setting::Setting;

pub(crate) const ONE: &str = "1 thread, 1 nginx, on one core";
pub(crate) const TWO: &str = "2 threads, 2 nginx workers, on two cores";

/// Connections of a thread.
const CONNECTIONS: u32 = 64;

pub(crate) fn measure(setting: &Setting) -> Result<Part> {
    let cores = [CLIENT_CORE.to_string(), format!("{SERVER_CORE},{CLIENT_CORE}")];
    let mut servers = Vec::new();
    let mut contestants = Vec::new();
    for (threads, (name, cores)) in (1_u32..).zip([ONE, TWO].into_iter().zip(cores)) {
        let port = setting.port + u16::try_from(threads)?;
        let folder = setting.folder().join(format!("scaling-{threads}"));
        std::fs::create_dir_all(&folder)?;
        let setup =
            Setup { port, workers: threads as usize, cores: cores.clone(), ..Setup::new(port) };
        let nginx = Nginx::start_as(&folder, &setup)?;
        let load = Load { port, ..setting.load(CONNECTIONS * threads) };
        let ids = nginx.ids();
        servers.push(nginx);
        let mut args = vec!["-c".to_owned(), cores, setting.loadgen.display().to_string()];
        args.extend(loadgen_arguments(&load));
        args.extend(["--threads".to_owned(), threads.to_string()]);
        let run = move |_| {
            let client = setting.client("taskset".as_ref(), &args, &ids)?;
            let said = read_loadgen(&client.done.stdout)?;
            let figures = [
                ("calls_per_s", said.calls_per_s),
                ("cpu_us_per_call", 1e6 * client.done.cpu_s() / said.calls),
            ];
            let figures: Figures = figures.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            Ok(Trial { figures, disturbed: client.foreign.disturbs() })
        };
        contestants.push(Contestant { name: name.to_owned(), run: Box::new(run) });
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
            "Each core carries a thread of ours and a process of nginx. So the ratio is that of \
             both together: where nginx itself gains less from its second process, ours is better \
             than it says. It does not show threads that share a core's caches with nothing else."
                .to_owned(),
        ],
    })
}
