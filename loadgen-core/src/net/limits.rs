//! Descriptors and ports: what the machine gives, checked before a run starts.

use std::fs;
use std::os::fd::AsFd;

use super::sys;

/// Descriptors that a run needs beside its connections (files, epoll, trigger).
pub(crate) const SPARE_DESCRIPTORS: u64 = 64;

/// Descriptors that room is made for at most: half a MiB of the kernel's memory.
const ROOM: u64 = 65_536;

/// Raises `RLIMIT_NOFILE` so that `wanted` descriptors fit, and makes room for them;
/// returns the limit in force afterwards, which may be lower.
pub(crate) fn raise_descriptor_limit(wanted: u64) -> u64 {
    let limit = raise_limit(wanted);
    make_room(wanted.min(limit));
    limit
}

fn raise_limit(wanted: u64) -> u64 {
    let Ok((soft, hard)) = sys::descriptor_limit() else { return 0 };
    if soft >= wanted {
        return soft;
    }
    // Only a privileged process may raise the hard limit; else go up to it.
    if wanted > hard && sys::set_descriptor_limit(wanted, wanted).is_ok() {
        return wanted;
    }
    let reachable = wanted.min(hard);
    if sys::set_descriptor_limit(reachable, hard).is_ok() { reachable } else { soft }
}

/// Raises `RLIMIT_NOFILE` to the hard limit, and makes room for as many descriptors;
/// returns the limit in force afterwards.
pub(crate) fn raise_to_hard_limit() -> u64 {
    let Ok((soft, hard)) = sys::descriptor_limit() else { return 0 };
    let limit = if sys::set_descriptor_limit(hard, hard).is_ok() { hard } else { soft };
    make_room(limit);
    limit
}

/// Lets the kernel enlarge this process's table of descriptors now. It doubles it
/// whenever it is full, and if the process has several threads, the one that needed
/// room then sleeps until all cores have seen the new table (`expand_fdtable` in
/// Linux's `fs/file.c`): 5 to 12 ms were measured, each time, in which a worker would
/// start and read nothing.
fn make_room(descriptors: u64) {
    let last = i32::try_from(descriptors.clamp(1, ROOM) - 1).unwrap_or(i32::MAX);
    if let Ok(file) = fs::File::open("/dev/null") {
        let _ = sys::duplicate_from(file.as_fd(), last);
    }
}

/// How many local ports the kernel chooses from, for one source address and one
/// destination (`net.ipv4.ip_local_port_range`, used for IPv6 too).
pub(crate) fn ephemeral_ports() -> u64 {
    let (low, high) = ephemeral_range();
    u64::from(high.saturating_sub(low)) + 1
}

/// The first and the last of them.
pub(crate) fn ephemeral_range() -> (u16, u16) {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| {
            let mut ends = range.split_whitespace().map(str::parse::<u16>);
            Some((ends.next()?.ok()?, ends.next()?.ok()?))
        })
        .unwrap_or((32_768, 60_999))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_all_descriptors_from_the_start() {
        let limit = raise_descriptor_limit(5000);
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
        let size: u64 = size.trim().parse().unwrap();
        assert!(size >= limit.min(5000), "{size} {limit}");
    }
}
