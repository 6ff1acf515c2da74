//! Foreign load: CPU time that other processes, or other guests of the same host,
//! took while something was measured.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Ticks of `/proc` a second: fixed by Linux's interface.
const TICKS_PER_S: f64 = 100.0;

/// Foreign time, of one core, that a measurement bears.
const TOLERATED: f64 = 0.05;

/// And what short runs bear beside it: times are told in ticks.
const TOLERATED_S: f64 = 0.08;

/// How long a quiet moment is waited for, at most.
const PATIENCE: Duration = Duration::from_secs(4);

/// A look at all processors.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// User and system time of all processes, in s; interrupts are not in it.
    processes_s: f64,
    /// Taken by the host for others, in s.
    stolen_s: f64,
}

/// Watches a measurement, from [`Watch::start`] to [`Watch::finish`].
#[derive(Debug)]
pub struct Watch {
    began: Instant,
    look: Look,
    own: Vec<(u32, f64)>,
}

/// What a watch saw.
#[derive(Debug, Clone, Copy)]
pub struct Foreign {
    /// CPU time that was not ours, in s.
    pub foreign_s: f64,
    /// Length of the watch, in s.
    pub elapsed_s: f64,
}

impl Foreign {
    /// Whether it was too much for figures to be trusted.
    #[must_use]
    pub fn disturbs(&self) -> bool {
        self.foreign_s > TOLERATED * self.elapsed_s + TOLERATED_S
    }
}

impl Watch {
    /// Begins; `servers` are processes of ours that live on.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub fn start(servers: &[u32]) -> Result<Self> {
        let mut own = Vec::new();
        for id in servers.iter().copied().chain([std::process::id()]) {
            own.push((id, process_s(id)?));
        }
        Ok(Self { began: Instant::now(), look: look()?, own })
    }

    /// Ends; `client_s` is the CPU time of what ran meanwhile and has ended.
    ///
    /// # Errors
    /// If `/proc` cannot be read, such as when a server has ended.
    pub fn finish(self, client_s: f64) -> Result<Foreign> {
        let now = look()?;
        let mut ours = client_s;
        for (id, before) in &self.own {
            ours += process_s(*id)? - before;
        }
        let busy = now.processes_s - self.look.processes_s - ours;
        let stolen = now.stolen_s - self.look.stolen_s;
        Ok(Foreign {
            foreign_s: busy.max(0.0) + stolen.max(0.0),
            elapsed_s: self.began.elapsed().as_secs_f64(),
        })
    }
}

/// Waits for a quiet moment, for some seconds at most: whether there was one.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn wait_for_quiet(servers: &[u32]) -> Result<bool> {
    let patience = Instant::now() + PATIENCE;
    loop {
        let watch = Watch::start(servers)?;
        thread::sleep(Duration::from_millis(200));
        let seen = watch.finish(0.0)?;
        // Two ticks may be anybody's.
        if seen.foreign_s <= 0.02 {
            return Ok(true);
        }
        if Instant::now() > patience {
            return Ok(false);
        }
    }
}

fn look() -> Result<Look> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    parse_look(&text).context("no line of all processors in /proc/stat")
}

fn parse_look(text: &str) -> Option<Look> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<f64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, _irq, _softirq, stolen] = ticks.get(..8)? else {
        return None;
    };
    Some(Look { processes_s: (user + nice + system) / TICKS_PER_S, stolen_s: stolen / TICKS_PER_S })
}

/// CPU time of a process so far, in s.
fn process_s(id: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{id}/stat"))
        .with_context(|| format!("process {id} has ended"))?;
    parse_process(&text).with_context(|| format!("no times in /proc/{id}/stat"))
}

fn parse_process(text: &str) -> Option<f64> {
    // The name stands in parentheses and may hold spaces.
    let mut words = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = words.next()?.parse().ok()?;
    let system: f64 = words.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read() {
        let look = parse_look("cpu  100 20 30 4000 5 6 7 80 0 0\ncpu0 1 2 3\n").unwrap();
        assert_eq!((look.processes_s, look.stolen_s), (1.5, 0.8));
        let text = "42 (a (b) c) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 99 1 2";
        assert_eq!(parse_process(text), Some(2.0));
        assert!(parse_look("intr 1 2").is_none());
    }

    #[test]
    fn little_is_borne_and_much_is_not() {
        let seen = |foreign_s| Foreign { foreign_s, elapsed_s: 2.0 };
        assert!(!seen(0.1).disturbs());
        assert!(seen(0.5).disturbs());
    }

    #[test]
    fn this_process_is_not_foreign_to_itself() {
        let watch = Watch::start(&[]).unwrap();
        let mut sum = 0_u64;
        let end = Instant::now() + Duration::from_millis(50);
        while Instant::now() < end {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        assert!(sum > 0);
        let seen = watch.finish(0.0).unwrap();
        assert!(seen.elapsed_s >= 0.05 && seen.foreign_s >= 0.0);
    }
}
