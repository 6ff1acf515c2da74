//! What is known of the clock of a shard's machine, from the start of its load to its end.

use std::fs;

use super::sync::{ClockMap, Start};
use crate::clock::{Clock, as_millis};
use crate::net::sys;
use crate::report::ShardClock;

/// Looks at the clocks of this machine over a load.
#[derive(Debug, Clone, Copy)]
pub struct ClockWatch {
    begin: Clock,
}

impl ClockWatch {
    /// From now on.
    #[must_use]
    pub fn begin() -> Self {
        Self { begin: Clock::start() }
    }

    /// What is known now, of a load whose time 0 was this reading of `CLOCK_MONOTONIC`, in ns; with
    /// how its clock compares with that of shard 0.
    #[must_use]
    pub fn end(&self, began_ns: u64, compared: Option<&Compared>) -> ShardClock {
        let told = sys::wall_clock();
        let millis = |us: u64| us as f64 / 1e3;
        let began = compared.map(|compared| compared.began(began_ns));
        ShardClock {
            domain: domain(),
            began_ns,
            synchronised: told.map(|told| told.is_synchronised),
            max_error_ms: told.map(|told| millis(told.max_error_us)),
            estimated_error_ms: told.map(|told| millis(told.estimated_error_us)),
            frequency_ppm: told.map(|told| told.frequency_ppm),
            stepped_ms: self.begin.wall_ahead_at(&Clock::start()) as f64 / 1e6,
            began_after_ms: began.map(|(after_ms, _)| after_ms),
            began_bound_ms: began.map(|(_, bound_ms)| bound_ms),
            drift_ppm: compared.and_then(|compared| compared.map.as_ref()?.drift_ppm()),
        }
    }
}

/// How the clock of a shard compares with that of shard 0.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Compared {
    /// `None`: it is that of shard 0.
    pub map: Option<ClockMap>,
    /// The start that was agreed on.
    pub start: Start,
}

impl Compared {
    /// How long after shard 0 a load began, and how far off that may be, in ms.
    fn began(&self, own_ns: u64) -> (f64, f64) {
        let (host_ns, bound_ns) = self.map.as_ref().map_or((own_ns, 0), |map| {
            let at = map.to_host(own_ns);
            (at.ns, at.bound_ns)
        });
        ((host_ns as f64 - self.start.host_ns as f64) / 1e6, as_millis(bound_ns))
    }
}

/// Processes of which this is the same have one `CLOCK_MONOTONIC`: the machine since it was booted,
/// and the time namespace (time_namespaces(7)).
fn domain() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/time").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}
