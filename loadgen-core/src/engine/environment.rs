//! The machine that measures, for the report.

use std::fs;
use std::thread;

use crate::net::endpoint::Endpoint;
use crate::report::Environment;

/// Reads what the kernel says of this machine; what it does not say stays empty.
pub(crate) fn read(threads: u32, address: &Endpoint, descriptor_limit: u64) -> Environment {
    let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let cpu = line("/proc/cpuinfo")
        .lines()
        .find_map(|l| l.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()))
        .unwrap_or_default()
        .to_owned();
    Environment {
        kernel: line("/proc/sys/kernel/osrelease"),
        cpu,
        cpus: thread::available_parallelism().map_or(1, |n| n.get() as u32),
        threads,
        address: address.to_string(),
        descriptor_limit,
        load_average: line("/proc/loadavg").split(' ').next().and_then(|l| l.parse().ok()),
    }
}
