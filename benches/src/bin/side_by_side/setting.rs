//! What all parts share: programs, lengths, ports, and the budget of repetitions.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use loadgen_benches::foreign::{Foreign, Watch, wait_for_quiet};
use loadgen_benches::machine;
use loadgen_benches::peers::{Load, Tool};
use loadgen_benches::process::{Finished, run_to_any_end};
use tempfile::TempDir;

use super::Args;

pub(crate) struct Setting {
    pub(crate) loadgen: PathBuf,
    pub(crate) floor: PathBuf,
    pub(crate) core_server: PathBuf,
    pub(crate) tools: Vec<Tool>,
    pub(crate) port: u16,
    pub(crate) runs: u32,
    pub(crate) seconds: u32,
    pub(crate) quick: bool,
    pub(crate) folder: TempDir,
    /// The machine as it was before we loaded it.
    pub(crate) machine: String,
    pub(crate) began: SystemTime,
    /// Runs that may still be repeated.
    pub(crate) retries: Cell<u32>,
}

/// A client that has run to its end.
pub(crate) struct Client {
    pub(crate) done: Finished,
    pub(crate) wall_s: f64,
    pub(crate) foreign: Foreign,
}

impl Setting {
    pub(crate) fn new(args: &Args) -> Result<Self> {
        let beside = std::env::current_exe()?;
        let loadgen = args.loadgen.clone().unwrap_or_else(|| beside.with_file_name("loadgen"));
        let floor = beside.with_file_name("floor");
        let core_server = beside.with_file_name("core_server");
        for program in [&loadgen, &floor, &core_server] {
            ensure!(
                program.exists(),
                "there is no {}; build it first:\n    \
                 cargo build --release -p loadgen-cli -p loadgen-benches --bins",
                program.display()
            );
        }
        Ok(Self {
            loadgen,
            floor,
            core_server,
            tools: Tool::ALL.into_iter().filter(|tool| tool.program().is_some()).collect(),
            port: args.port,
            runs: if args.quick { 1 } else { args.runs.max(1) },
            seconds: if args.quick { 1 } else { args.duration.max(1) },
            quick: args.quick,
            folder: tempfile::tempdir().context("cannot make a folder")?,
            machine: machine(),
            began: SystemTime::now(),
            retries: Cell::new(args.retries),
        })
    }

    /// Our httperf: it stands beside `loadgen`.
    pub(crate) fn httperf(&self) -> PathBuf {
        self.loadgen.with_file_name("httperf")
    }

    /// The folder for what servers and tools write.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A load on our nginx, or on another port.
    pub(crate) fn load(&self, connections: u32) -> Load {
        Load {
            port: self.port,
            tls: false,
            path: "/",
            connections,
            keep_alive: true,
            rate: None,
            seconds: self.seconds,
            folder: self.folder().to_owned(),
        }
    }

    /// Runs a client to its end, with foreign load watched. `loadgen` tells by
    /// status 4 that it does not trust its figures: that is a result, too.
    pub(crate) fn client(
        &self,
        program: &Path,
        args: &[String],
        servers: &[u32],
    ) -> Result<Client> {
        let quiet = wait_for_quiet(servers)?;
        let watch = Watch::start(servers)?;
        let began = Instant::now();
        let done = run_to_any_end(program, args, descriptors())?;
        let wall_s = began.elapsed().as_secs_f64();
        let mut foreign = watch.finish(done.cpu_s())?;
        if !quiet {
            // What was busy before will have gone on.
            foreign.foreign_s += foreign.elapsed_s;
        }
        let judged = program == self.loadgen && done.status.code() == Some(4);
        ensure!(
            done.status.success() || judged,
            "{} {}: {}\n{}{}",
            program.display(),
            args.join(" "),
            done.status,
            done.stdout,
            done.stderr
        );
        Ok(Client { done, wall_s, foreign })
    }
}

/// The hard limit of open files, or what is enough.
pub(crate) fn descriptors() -> u32 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    hard.unwrap_or(65_536).min(65_536)
}
