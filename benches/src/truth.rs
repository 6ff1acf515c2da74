//! The truth server: `loadgen target` as a process of its own on the server's core,
//! with what it knows after its end.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use loadgen_core::target_server::TargetTruth;
use rustix::process::{Pid, Signal, kill_process};

use crate::SERVER_CORE;

/// A running truth server. Ends when dropped.
#[derive(Debug)]
pub struct TruthServer {
    child: Child,
    stdout: BufReader<ChildStdout>,
    calls: PathBuf,
    port: u16,
}

/// What the server knows when it has ended.
#[derive(Debug)]
pub struct Truth {
    /// By its own account.
    pub account: TargetTruth,
    /// When the kernel of the server had each request, and each reply: readings of
    /// `CLOCK_MONOTONIC` in ns, in the order of the requests.
    pub calls_ns: Vec<[u64; 2]>,
}

impl TruthServer {
    /// Starts it with these options of `loadgen target`; the times of calls go to a
    /// file in `folder`.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(loadgen: &Path, folder: &Path, options: &[&str]) -> Result<Self> {
        let calls = folder.join("calls");
        let mut child = Command::new("taskset")
            .args(["-c", &SERVER_CORE.to_string()])
            .arg(loadgen)
            .args(["target", "--quiet", "--precision", "high", "--calls"])
            .arg(&calls)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // It says that it ends when it is told to.
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run taskset (package util-linux)")?;
        let mut stdout = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let port =
            line.trim().trim_end_matches('/').rsplit(':').next().and_then(|p| p.parse().ok());
        let Some(port) = port else {
            let _ = child.kill();
            let _ = child.wait();
            anyhow::bail!("{} target printed no URL, but {line:?}", loadgen.display());
        };
        Ok(Self { child, stdout, calls, port })
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it and takes what it knows.
    ///
    /// # Errors
    /// If it does not end well.
    pub fn finish(mut self) -> Result<Truth> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let mut text = String::new();
        self.stdout.read_to_string(&mut text)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the truth server: {status}");
        let account = serde_json::from_str(&text).context("the truth server told no truth")?;
        let text = fs::read_to_string(&self.calls)?;
        let row = |line: &str| {
            let (request, reply) = line.split_once(' ').context("not two times a line")?;
            anyhow::Ok([request.parse()?, reply.parse()?])
        };
        let mut calls_ns = text.lines().map(row).collect::<Result<Vec<_>>>()?;
        calls_ns.sort_unstable();
        Ok(Truth { account, calls_ns })
    }
}

impl Drop for TruthServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
