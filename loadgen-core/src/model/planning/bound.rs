//! Below which time no plan is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::evacuation::{Evacuation, Strategies};
use super::problem::{Kind, Problem};
use crate::printable::printable;
use crate::units::format_duration_us;

/// A time below which no plan is, whatever its order and its bandwidths.
///
/// It is the largest of these, none of which depends on the bandwidths that are tried: the longest
/// machine by itself; what all machines of a host send, over its link; what comes into the hosts
/// that take it, over their links; all of it over the network; and, with a limit on migrations at
/// once, the times of all machines of a host. A machine sends at the least what it does with the
/// whole of the fastest way that it has. (Graham 1969 and Turek, Wolf & Yu 1992 bound lists of
/// tasks by the same two: the longest task, and the area; from memory.)
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct LowerBound {
    /// In s.
    pub s: f64,
    /// What it is that takes so long.
    pub by: BoundBy,
}

/// What takes the longest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BoundBy {
    /// There is nothing to move.
    Nothing,
    /// One machine, with the fastest way that it has.
    Machine {
        /// Its name.
        machine: String,
    },
    /// All that goes out of a host.
    OutOf {
        /// Its name.
        host: String,
    },
    /// All that can go to this host only.
    Into {
        /// Its name.
        host: String,
    },
    /// All of it, into all hosts that take it.
    IntoTargets,
    /// All of it, over the network.
    Network,
    /// All migrations out of a host, with so many at once.
    AtOnce {
        /// Its name.
        host: String,
    },
}

impl fmt::Display for BoundBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "nothing has to move"),
            Self::Machine { machine } => {
                write!(f, "machine '{}' alone takes that long", printable(machine))
            }
            Self::OutOf { host } => write!(f, "the link out of host '{}'", printable(host)),
            Self::Into { host } => write!(f, "the link into host '{}'", printable(host)),
            Self::IntoTargets => write!(f, "the links into the hosts that take the machines"),
            Self::Network => write!(f, "the network"),
            Self::AtOnce { host } => {
                write!(f, "the migrations at once that host '{}' may have", printable(host))
            }
        }
    }
}

impl fmt::Display for LowerBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", format_duration_us(self.s * 1e6), self.by)
    }
}

impl LowerBound {
    pub(super) fn of(problem: &Problem, evacuation: &Evacuation) -> Self {
        let Problem { hosts, tasks, kinds, .. } = problem;
        // Of kinds without a target it is infinite, which no plan can be below.
        let least = |of: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
            let each = (0..kinds.len()).map(|kind| of(kind, problem.fastest(&kinds[kind])));
            each.collect()
        };
        let bytes = least(&|kind, fastest| kinds[kind].traits.least_sent(fastest));
        let seconds = least(&|kind, fastest| kinds[kind].traits.least_s(fastest));
        let overhead = &evacuation.overhead;
        // In which nothing is sent, before the first byte and after the last; by post-copy memory
        // follows after the load.
        let by_pre_copy = |kind: &Kind| kind.traits.strategies == Strategies::PreCopy;
        let load_s = if kinds.iter().all(by_pre_copy) { overhead.load_s } else { 0.0 };
        let around_s = overhead.prepare_s + load_s;
        let sum = |of: &[f64], taken: &dyn Fn(usize) -> bool| {
            let kinds = tasks.iter().map(|task| task.kind);
            kinds
                .filter(|kind| taken(*kind))
                .fold(None, |sum: Option<f64>, kind| Some(sum.unwrap_or(0.0) + of[kind]))
        };
        let over = |taken: &dyn Fn(usize) -> bool, link: f64| {
            sum(&bytes, taken).map_or(0.0, |bytes| bytes / link + around_s)
        };
        let mut bound = Self { s: 0.0, by: BoundBy::Nothing };
        for task in tasks {
            let machine = || evacuation.machines[task.machine].name.clone();
            bound.raise(seconds[task.kind], || BoundBy::Machine { machine: machine() });
        }
        for (index, room) in hosts.iter().enumerate() {
            let host = || evacuation.hosts[index].name.clone();
            let leaves = |kind: usize| kinds[kind].from == index;
            let comes = |kind: usize| kinds[kind].targets == [index];
            bound.raise(over(&leaves, room.link), || BoundBy::OutOf { host: host() });
            bound.raise(over(&comes, room.link), || BoundBy::Into { host: host() });
            let turns = sum(&seconds, &leaves).unwrap_or(0.0) / problem.at_once;
            bound.raise(turns, || BoundBy::AtOnce { host: host() });
        }
        bound.raise(over(&|_| true, problem.network), || BoundBy::Network);
        let taking =
            (0..hosts.len()).filter(|host| kinds.iter().any(|kind| kind.targets.contains(host)));
        let links: f64 = taking.map(|host| hosts[host].link).sum();
        bound.raise(over(&|_| true, links), || BoundBy::IntoTargets);
        bound
    }

    fn raise(&mut self, s: f64, by: impl FnOnce() -> BoundBy) {
        // A kind without a target makes no bound: it is a reason by itself.
        if s > self.s && s.is_finite() {
            *self = Self { s, by: by() };
        }
    }
}
