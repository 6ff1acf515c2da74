//! Descriptors and ports: what the machine gives, checked before a run starts.

use std::fs;

use super::sys;

/// Descriptors that a run needs beside its connections (files, epoll, trigger).
pub(crate) const SPARE_DESCRIPTORS: u64 = 64;

/// Raises `RLIMIT_NOFILE` so that `wanted` descriptors fit; returns the limit in
/// force afterwards, which may be lower.
pub(crate) fn raise_descriptor_limit(wanted: u64) -> u64 {
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

/// Raises `RLIMIT_NOFILE` to the hard limit; returns the limit in force afterwards.
pub(crate) fn raise_to_hard_limit() -> u64 {
    let Ok((soft, hard)) = sys::descriptor_limit() else { return 0 };
    if sys::set_descriptor_limit(hard, hard).is_ok() { hard } else { soft }
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
