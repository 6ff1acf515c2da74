//! Moves for tests, by a seed.

use super::*;
use crate::model::migration::{Dirtying, Pattern};
use crate::random::SplitMix64;

pub(super) const MIB: f64 = 1024.0 * 1024.0;
pub(super) const GIB: f64 = 1024.0 * MIB;

/// A few machines on one or two hosts that are emptied, and one to three that take them.
pub(super) fn small(seed: u64) -> Evacuation {
    let mut random = SplitMix64::new(seed);
    let mut any = |from: u64, to: u64| from + random.draw() % (to - from + 1);
    let sources = any(1, 2);
    let targets = any(1, 3);
    let link = |power: u64| [0.5, 1.0, 1.25, 2.5][power as usize] * 1e9 / 8.0;
    let mut hosts: Vec<Host> =
        (0..sources).map(|k| Host::new(&format!("s{k}"), link(any(0, 3))).emptied()).collect();
    let all = any(2, 5);
    for k in 0..targets {
        let memory = any(6, 16) as f64 * GIB;
        hosts.push(Host::new(&format!("t{k}"), link(any(0, 3))).with_memory(memory));
    }
    let mut machines: Vec<Machine> = Vec::new();
    for k in 0..all {
        let host = format!("s{}", any(0, sources - 1));
        let memory = any(1, 8) as f64 * GIB / 4.0;
        let dirtying = match any(0, 3) {
            0 => Dirtying::new(any(0, 30) as f64 * MIB),
            1 => Dirtying::new(any(1, 60) as f64 * MIB)
                .within(any(20, 400) as f64 * MIB, Pattern::RoundRobin),
            _ => Dirtying::new(any(1, 60) as f64 * MIB)
                .within(any(20, 400) as f64 * MIB, Pattern::Random),
        };
        let mut machine = Machine::new(&format!("m{k}"), &host, memory, dirtying)
            .with_to_send(memory * any(5, 10) as f64 / 10.0)
            .with_requests(any(0, 500) as f64);
        if any(0, 3) == 0 {
            machine = machine.with_strategies(Strategies::Any);
        }
        if k > 0 && any(0, 5) == 0 {
            machine = machine.with_apart_from(&format!("m{}", any(0, k - 1)));
        }
        machines.push(machine);
    }
    let mut limits = Limits::default().with_outage_s(any(3, 30) as f64 / 10.0);
    if any(0, 2) == 0 {
        limits = limits.with_at_once(any(1, 3) as u32);
    }
    let overhead = Overhead::default().with_faulting_s(0.1);
    let evacuation = Evacuation::new(hosts, machines).with_limits(limits).with_overhead(overhead);
    if any(0, 2) == 0 { evacuation.with_network(link(any(1, 3))) } else { evacuation }
}
