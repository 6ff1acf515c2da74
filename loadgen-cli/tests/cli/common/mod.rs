//! What the tests of the real program share: starting it, ending it by its pid,
//! reading its reports.

pub(crate) mod server;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// No test waits for a process longer than this.
const LIMIT: Duration = Duration::from_secs(60);

/// What is said of runs that are not valid (exit code 4) since this machine stood
/// still for a moment: by a run, a migration, a sweep, a search.
const LATE: [&str; 5] = [
    "the generator itself started half of the calls at least",
    " calls were answered well (",
    " calls was not over when the load ended",
    "not valid: see the verdicts",
    "the generator came to its limit",
];

/// The program with these arguments, stdin closed, outputs piped.
pub(crate) fn loadgen<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env("COLUMNS", "100");
    command
}

/// Runs the program to its end.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Outcome {
    finish(loadgen(args).spawn().unwrap())
}

/// Runs something anew while it is not valid for this machine's sake, which its exit
/// code then says and nothing else.
pub(crate) fn in_time(run: impl Fn() -> Outcome) -> Outcome {
    let outcomes = (0..20).map(|_| run());
    let mut last = None;
    for outcome in outcomes {
        let is_late = outcome.is_late();
        last = Some(outcome);
        if !is_late {
            break;
        }
    }
    last.unwrap()
}

/// What a process said and how it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Asserts the exit code; shows all that was said otherwise.
    #[track_caller]
    pub(crate) fn exits_with(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self:#?}");
        self
    }

    /// Asserts that the run was made: exit code 0. A machine that stands still for a
    /// moment makes a short run "not valid", and rightly; what was counted in it holds
    /// all the same.
    #[track_caller]
    pub(crate) fn ran(self) -> Self {
        if self.is_late() { self } else { self.exits_with(0) }
    }

    /// Whether the run is not valid for this machine's sake.
    fn is_late(&self) -> bool {
        let said = |word: &str| self.stderr.contains(word) || self.stdout.contains(word);
        self.code() == Some(4) && LATE.into_iter().any(said)
    }

    /// Asserts that stderr has all of these words.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "'{word}' is not in: {}", self.stderr);
        }
        self
    }

    /// The JSON on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
}

/// Waits for a process; ends it, and the test, when it takes too long.
#[track_caller]
pub(crate) fn finish(child: Child) -> Outcome {
    let pid = child.id();
    let (done, wait) = mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let late = wait.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout);
        if late {
            signal(pid, "KILL");
        }
        late
    });
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let _ = done.send(());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let outcome = Outcome { status, stdout: text(stdout), stderr: text(stderr) };
    assert!(!watchdog.join().unwrap(), "did not end within {LIMIT:?}: {outcome:#?}");
    outcome
}

/// Sends a signal to one process, by its pid.
pub(crate) fn signal(pid: u32, name: &str) {
    signals(pid, &[name]);
}

/// Sends signals one after the other.
pub(crate) fn signals(pid: u32, names: &[&str]) {
    let script: String = names.iter().map(|name| format!("kill -{name} {pid}\n")).collect();
    Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status().unwrap();
}

/// Stops a process, and waits until the kernel has.
pub(crate) fn stop(pid: u32) {
    signal(pid, "STOP");
    wait_until("the process stands still", || {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| stat.rsplit(')').next().unwrap_or("").starts_with(" T"))
    });
}

/// Whether a process exists and is not a zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").starts_with(" Z"))
}

/// Whether this process may have mounts that nobody else sees; fails where it has to.
pub(crate) fn has_mounts_of_its_own() -> bool {
    let unshare = ["--map-root-user", "--mount", "true"];
    let allowed = Command::new("unshare").args(unshare).stderr(Stdio::null()).status();
    let allowed = allowed.is_ok_and(|status| status.success());
    let what = "a mount namespace (unshare, as root or with unprivileged user namespaces)";
    crate::require::require(allowed, what, "util-linux")
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LIMIT, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A report that was saved.
#[track_caller]
pub(crate) fn saved(path: &Path) -> Value {
    document(path, "loadgen-report/1")
}

/// A document of this schema that was saved.
#[track_caller]
pub(crate) fn document(path: &Path, schema: &str) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema"], schema);
    document
}

/// A line of progress: its second, and what stands behind it.
pub(crate) fn progress(line: &str) -> Option<(f64, &str)> {
    let (seconds, rest) = line.strip_prefix("loadgen:")?.split_once(" s  ")?;
    Some((seconds.trim().parse().ok()?, rest))
}

/// The number behind a word of a line of progress.
pub(crate) fn number_after(line: &str, word: &str) -> Option<u64> {
    let rest = progress(line)?.1.split_once(word)?.1.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// A process whose stderr is read line by line.
pub(crate) struct Watched {
    pub(crate) child: Child,
    lines: mpsc::Receiver<String>,
    seen: String,
}

impl Watched {
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        Self { child, lines, seen: String::new() }
    }

    /// Reads stderr up to the first line with this word.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, word: &str) {
        self.wait_for_line(&format!("'{word}'"), |line| line.contains(word));
    }

    /// Reads stderr up to the first line of progress from this second on.
    #[track_caller]
    pub(crate) fn wait_for_second(&mut self, second: f64) -> f64 {
        let mut at = 0.0;
        self.wait_for_line(&format!("progress at {second} s"), |line| {
            at = progress(line).map_or(0.0, |(seconds, _)| seconds);
            progress(line).is_some() && at >= second
        });
        at
    }

    /// Reads stderr up to the first line of this kind.
    #[track_caller]
    pub(crate) fn wait_for_line(&mut self, what: &str, is_it: impl FnMut(&str) -> bool) {
        if !self.has_line(is_it) {
            signal(self.child.id(), "KILL");
            panic!("no {what} on stderr: {}", self.seen)
        }
    }

    /// The same; `false` if the process ended without such a line.
    pub(crate) fn has_line(&mut self, mut is_it: impl FnMut(&str) -> bool) -> bool {
        while let Ok(line) = self.lines.recv_timeout(LIMIT) {
            self.seen.push_str(&line);
            self.seen.push('\n');
            if is_it(&line) {
                return true;
            }
        }
        false
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn finish(self) -> Outcome {
        let mut outcome = finish(self.child);
        outcome.stderr = self.seen;
        for line in self.lines {
            outcome.stderr.push_str(&line);
            outcome.stderr.push('\n');
        }
        outcome
    }
}

/// `loadgen target` in a process of its own; killed when dropped.
pub(crate) struct Target {
    child: Child,
    pub(crate) url: String,
}

impl Target {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = loadgen(["target"].iter().chain(args)).spawn().unwrap();
        let mut url = String::new();
        // Byte by byte: nothing behind the line may get lost in a buffer.
        let mut stdout = BufReader::with_capacity(1, child.stdout.take().unwrap());
        stdout.read_line(&mut url).unwrap();
        child.stdout = Some(stdout.into_inner());
        if url.is_empty() {
            let mut reason = String::new();
            child.stderr.take().unwrap().read_to_string(&mut reason).unwrap();
            panic!("the target did not start: {reason}");
        }
        Self { child, url: url.trim_end().to_owned() }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://").trim_end_matches('/')
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as a user does.
    pub(crate) fn end(mut self) -> Outcome {
        signal(self.child.id(), "INT");
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Outcome { status: self.child.wait().unwrap(), stdout, stderr }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
