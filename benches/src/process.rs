//! Running another program and seeing what it cost.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How often a program's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a program may run before it is taken for hung and ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a program said and what it cost.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed on standard output.
    pub stdout: String,
    /// And on standard error.
    pub stderr: String,
    /// CPU time in user mode, in seconds.
    pub user_s: f64,
    /// CPU time in the kernel, in seconds.
    pub system_s: f64,
    /// Most resident memory, in KiB; 0 if it ended before it was looked at.
    pub peak_kib: u64,
}

impl Finished {
    /// All of its CPU time, in seconds.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

/// Runs a program to its end on this process's core. It begins with a limit of
/// `descriptors` open files, as a login shell gives it, and may raise it.
///
/// `bash` runs it, because it can tell the CPU time of a program to the ms.
///
/// # Errors
/// If it cannot be run, does not end within three minutes, or its exit status is
/// not 0.
pub fn run<S: AsRef<OsStr>>(program: &Path, args: &[S], descriptors: u32) -> Result<Finished> {
    let done = run_to_any_end(program, args, descriptors)?;
    let (out, err) = (&done.stdout, &done.stderr);
    ensure!(done.status.success(), "{}: {}\n{out}{err}", program.display(), done.status);
    Ok(done)
}

/// The same, for programs that tell something by their exit status.
///
/// # Errors
/// If it cannot be run or does not end within three minutes.
pub fn run_to_any_end<S: AsRef<OsStr>>(
    program: &Path,
    args: &[S],
    descriptors: u32,
) -> Result<Finished> {
    let script =
        format!("ulimit -Sn {descriptors}; TIMEFORMAT=$'\\ncpu %3U %3S'; time \"$0\" \"$@\"");
    let mut bash = Command::new("bash")
        .args(["-c", &script])
        .arg(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run bash")?;
    let stdout = bash.stdout.take().context("no standard output")?;
    let reader = thread::spawn(move || read(stdout));
    let stderr = bash.stderr.take().context("no standard error")?;
    let errors = thread::spawn(move || read(stderr));
    let (status, peak_kib) = watch(&mut bash)?;
    let joined = |_| anyhow::anyhow!("a reading thread panicked");
    let stdout = reader.join().map_err(joined)??;
    let stderr = errors.join().map_err(joined)??;
    let (user_s, system_s) = times(&stderr).context("bash told no times")?;
    Ok(Finished { status, stdout, stderr, user_s, system_s, peak_kib })
}

fn read(mut pipe: impl Read) -> io::Result<String> {
    let mut text = Vec::new();
    pipe.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Waits for the end of what bash runs, and looks at its memory meanwhile.
fn watch(bash: &mut Child) -> Result<(ExitStatus, u64)> {
    let patience = Instant::now() + PATIENCE;
    let mut peak = 0;
    loop {
        if let Some(status) = bash.try_wait()? {
            return Ok((status, peak));
        }
        let child = children(bash.id()).into_iter().next();
        if Instant::now() > patience {
            if let Some(id) = child.and_then(|id| Pid::from_raw(id.try_into().ok()?)) {
                kill_process(id, Signal::KILL)?;
            }
            bash.wait()?;
            bail!("the program was ended: it still ran after {PATIENCE:?}");
        }
        peak = peak.max(child.and_then(|id| memory_kib(id, "VmHWM")).unwrap_or(0));
        thread::sleep(LOOK_EVERY);
    }
}

/// Memory of a process in KiB by its name in `/proc/ID/status`: `VmRSS` is resident now, `VmHWM`
/// was so at most. `None`: the process has ended.
#[must_use]
pub fn memory_kib(id: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Processes that a process has started, if any.
#[must_use]
pub fn children(id: u32) -> Vec<u32> {
    let ids = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    ids.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

fn times(stderr: &str) -> Option<(f64, f64)> {
    let line = stderr.lines().rev().find_map(|line| line.strip_prefix("cpu "))?;
    let (user, system) = line.split_once(' ')?;
    Some((user.parse().ok()?, system.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_run_and_its_cost_seen() {
        let script = "ulimit -Sn; echo oops >&2; sleep 0.2";
        let began = Instant::now();
        let done = run(Path::new("bash"), &["-c", script], 256).unwrap();
        let elapsed_s = began.elapsed().as_secs_f64();
        assert_eq!(done.stdout, "256\n");
        assert!(done.stderr.starts_with("oops\n"), "{:?}", done.stderr);
        // The sleep costs no CPU time.
        assert!(done.cpu_s() < elapsed_s - 0.19, "{} of {elapsed_s}", done.cpu_s());
        // Nobody may have come to look while it ran.
        let is_seen = |_| run(Path::new("bash"), &["-c", script], 256).unwrap().peak_kib > 100;
        assert!(done.peak_kib > 100 || (0..20).any(is_seen));
        assert!(run(Path::new("false"), &[""; 0], 256).is_err());
    }
}
