//! What the measurements of loadgen itself share: cores, quantiles, tables.
//!
//! Each binary measures one thing and prints a table; none of them judges by
//! timing in a test. Run them on an otherwise idle machine with two cores or
//! more: the server is put on the first, the client on the second.

pub mod fixed_server;
pub mod foreign;
pub mod model;
pub mod nginx;
pub mod old_report;
pub mod peers;
pub mod process;
pub mod truth;

use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};

/// The core for servers.
pub const SERVER_CORE: usize = 0;

/// The core for clients.
pub const CLIENT_CORE: usize = 1;

/// Binds the calling process's main thread, and with it every thread that it
/// starts from now on, to a core (`taskset` of util-linux).
///
/// # Errors
/// If there is no such core, or no `taskset`.
pub fn pin(core: usize) -> Result<()> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    ensure!(core < 2 || cores > core, "there is no core {core}: {cores} in all");
    let status = Command::new("taskset")
        .args(["-pc", &core.to_string(), &std::process::id().to_string()])
        .stdout(Stdio::null())
        .status()
        .context("cannot run taskset (package util-linux)")?;
    ensure!(status.success(), "taskset cannot bind this process to core {core}");
    Ok(())
}

/// The nearest-rank quantile of sorted values.
///
/// # Panics
/// If there are no values.
#[must_use]
pub fn quantile<T: Copy>(sorted: &[T], q: f64) -> T {
    let rank = (sorted.len() as f64 * q).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// The median of some values, which need not be sorted.
///
/// # Panics
/// If there are no values.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// `median [min-max]`, with `digits` after the point.
#[must_use]
pub fn spread(values: &[f64], digits: usize) -> String {
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:.digits$} [{min:.digits$}-{max:.digits$}]", median(values))
}

/// The machine, for the head of a table.
#[must_use]
pub fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let cpu = cpuinfo.lines().find_map(|l| l.strip_prefix("model name")?.split(": ").nth(1));
    format!(
        "{} cores, {}, Linux {}, load average {}",
        thread::available_parallelism().map_or(1, usize::from),
        cpu.unwrap_or("unknown CPU"),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').next().unwrap_or("unknown"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let values: Vec<u32> = (1..=100).collect();
        assert_eq!(quantile(&values, 0.5), 50);
        assert_eq!(quantile(&values, 0.99), 99);
        assert_eq!(quantile(&values, 1.0), 100);
        assert_eq!(quantile(&values[..1], 0.5), 1);
    }

    #[test]
    fn medians_and_spreads() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(spread(&[3.0, 1.0, 2.0, 4.0], 1), "2.5 [1.0-4.0]");
    }
}
