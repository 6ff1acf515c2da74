//! One of the two programs, with servers of its own.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use std::os::unix::process::ExitStatusExt;

use tempfile::TempDir;

use super::cases::Case;
use crate::servers::{Connection, Servers, Site};

/// A program that runs longer hangs.
const LIMIT: Duration = Duration::from_secs(15);

/// The name by which both are called.
const NAME: &str = "httperf";

pub(crate) struct Side {
    servers: Servers,
    /// `bin/httperf`, and `work` with the input files.
    dir: TempDir,
}

/// What a program did in one case.
pub(crate) struct Outcome {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) end: String,
    pub(crate) connections: Vec<(&'static str, Connection)>,
    /// Name and number of every server's port.
    pub(crate) ports: Vec<(&'static str, u16)>,
}

impl Side {
    pub(crate) fn start(program: &Path, site: &Site) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("bin")).unwrap();
        let program = program.canonicalize().unwrap();
        std::os::unix::fs::symlink(program, dir.path().join("bin").join(NAME)).unwrap();
        let work = dir.path().join("work");
        std::fs::create_dir(&work).unwrap();
        let inputs =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/httperf/differential/inputs");
        for input in std::fs::read_dir(inputs).unwrap() {
            let input = input.unwrap();
            std::fs::copy(input.path(), work.join(input.file_name())).unwrap();
        }
        Self { servers: Servers::start(site), dir }
    }

    pub(crate) fn run(&mut self, case: &Case) -> Outcome {
        let ports = self.servers.ports().to_vec();
        let mut child = self.command(case, &ports).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let stdout = match case.reader_takes {
            None => collect(stdout),
            // Dropped with the thread that reads so much of it.
            Some(bytes) => collect(stdout.take(bytes)),
        };
        let stderr = collect(child.stderr.take().unwrap());
        let end = wait(&mut child, case);
        let (mut stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        if case.reader_takes.is_some() {
            stdout.clear();
        }
        Outcome { stdout, stderr, end, connections: self.servers.take(), ports }
    }

    fn command(&self, case: &Case, ports: &[(&str, u16)]) -> Command {
        let Case { nofile, command, .. } = case;
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -c 0; ulimit -n {nofile}; exec {command}")]);
        shell.current_dir(self.dir.path().join("work"));
        let bin = self.dir.path().join("bin");
        shell.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("LC_ALL", "C");
        shell.envs(ports.iter().map(|(name, port)| (name, port.to_string())));
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell
    }
}

/// Waits for the end, after the signal that is asked for; how it ended.
fn wait(child: &mut Child, case: &Case) -> String {
    let started = Instant::now();
    let mut signal = case.signal.as_ref();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return told(status);
        }
        if let Some((name, after)) = signal
            && started.elapsed() >= *after
        {
            let pid = child.id().to_string();
            Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
            signal = None;
        }
        if started.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            return format!("did not end within {} s", LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => status.to_string(),
    }
}

/// Reads to the end beside the test, so that a full pipe stops nobody.
fn collect(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}
