//! What is to be planned: hosts, the machines on them, and limits.

use crate::model::migration::Dirtying;
use crate::model::strategy::Strategy;

/// Hosts to be emptied, the machines on all hosts, and the limits that the move has to hold.
///
/// **Memory in bytes, bandwidths in bytes a second, times in seconds.** Links are full duplex: what
/// goes out of a host and what comes into it have a `link` each. [`plan`](Self::plan) makes the
/// plan.
///
/// ```
/// use loadgen_core::model::migration::Dirtying;
/// use loadgen_core::model::planning::{Evacuation, Host, Limits, Machine};
///
/// let gibi = 1024.0 * 1024.0 * 1024.0;
/// let hosts = vec![
///     Host::new("a", 1.25e9).emptied(),
///     Host::new("b", 1.25e9).with_memory(16.0 * gibi),
/// ];
/// let web = |name| Machine::new(name, "a", 4.0 * gibi, Dirtying::new(50e6));
/// let evacuation = Evacuation::new(hosts, vec![web("web1"), web("web2")])
///     .with_limits(Limits::default().with_outage_s(0.5));
/// let planned = evacuation.plan()?;
/// let plan = planned.plan().unwrap();
/// assert_eq!(plan.moves.len(), 2);
/// assert!(plan.moves.iter().all(|of| of.to == "b" && of.outage_s <= 0.5));
/// // All bytes over the one link, and 4 % again for what is dirtied: within 2 % of the bound.
/// assert!(plan.empty_s < 7.4 && plan.gap < 0.02);
/// # Ok::<(), loadgen_core::model::planning::PlanningError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Evacuation {
    /// What it is called; may be empty.
    pub name: String,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The machines on them, also those that stay: they take memory.
    pub machines: Vec<Machine>,
    /// What the move has to hold.
    pub limits: Limits,
    /// What each migration takes beside its bytes.
    pub overhead: Overhead,
    /// What all migrations share (the switch), in bytes a second; `None`: more than they need.
    pub network: Option<f64>,
}

/// A host.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Host {
    /// What it is called.
    pub name: String,
    /// What can go out of it, and what can come into it at the same time, in bytes a second.
    pub link: f64,
    /// Its room for machines, in bytes. A host that is not emptied needs one.
    pub memory: Option<f64>,
    /// Whether all of its machines have to go.
    pub empty: bool,
}

/// A machine.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Machine {
    /// What it is called.
    pub name: String,
    /// The host that it runs on.
    pub host: String,
    /// What it takes of a host's memory, in bytes.
    pub memory: f64,
    /// Its pages that are not empty, in bytes: what has to be sent.
    pub to_send: f64,
    /// How it dirties them.
    pub dirtying: Dirtying,
    /// Calls of its users, in 1/s.
    pub requests: f64,
    /// Its own limit on the outage, in s, in place of [`Limits::outage_s`].
    pub outage_s: Option<f64>,
    /// The host that it must go to.
    pub to: Option<String>,
    /// Machines that must not run on the host that it goes to.
    pub apart_from: Vec<String>,
    /// By which ways it may be moved.
    pub strategies: Strategies,
}

/// By which ways a machine may be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Strategies {
    /// By pre-copy only.
    #[default]
    PreCopy,
    /// By post-copy only.
    PostCopy,
    /// By pre-copy, if it comes to an end within the limits at any of the bandwidths that are
    /// tried, else by post-copy.
    Any,
}

/// What a move has to hold. Without any, as fast as can be, with QEMU's downtime limit of 300 ms.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Limits {
    /// Of each machine, in s: its downtime, and what [`Overhead`] has until its users reach it.
    pub outage_s: Option<f64>,
    /// The highest limit on the downtime that the hypervisor may be told, in s. Without one it is
    /// what the limit on the outage leaves.
    pub downtime_s: Option<f64>,
    /// Until all that has to go is gone, in s.
    pub total_s: Option<f64>,
    /// Over all machines: calls that fall into an outage.
    pub lost_calls: Option<f64>,
    /// Migrations at the same time, of one host, in and out together.
    pub at_once: Option<u32>,
}

/// What each migration takes beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Overhead {
    /// Before the first byte, in s; its bandwidth is kept free in this time already.
    pub prepare_s: f64,
    /// What the target needs to resume, in s: a part of the downtime.
    pub load_s: f64,
    /// From when a machine runs again until its users reach it, in s: a part of the outage, and
    /// not of the downtime.
    pub settle_s: f64,
    /// The same of a machine that is moved by post-copy, which waits for the first pages that it
    /// touches. `None`: nobody knows; then none can be.
    pub faulting_s: Option<f64>,
    /// The state of a machine's devices, in bytes: what post-copy sends in the downtime.
    pub device_state: f64,
}

impl Default for Overhead {
    /// Nothing but 2 MiB of device state.
    fn default() -> Self {
        let (prepare_s, load_s, settle_s) = (0.0, 0.0, 0.0);
        let device_state = 2.0 * 1024.0 * 1024.0;
        Self { prepare_s, load_s, settle_s, faulting_s: None, device_state }
    }
}

impl Evacuation {
    /// Without limits, without overhead, and with a network that is never in the way.
    #[must_use]
    pub fn new(hosts: Vec<Host>, machines: Vec<Machine>) -> Self {
        let (limits, overhead) = (Limits::default(), Overhead::default());
        Self { name: String::new(), hosts, machines, limits, overhead, network: None }
    }

    /// What it is called.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// What the move has to hold.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What each migration takes beside its bytes.
    #[must_use]
    pub fn with_overhead(mut self, overhead: Overhead) -> Self {
        self.overhead = overhead;
        self
    }

    /// What all migrations share, in bytes a second.
    #[must_use]
    pub fn with_network(mut self, network: f64) -> Self {
        self.network = Some(network);
        self
    }
}

impl Host {
    /// A host that stays, and whose `memory` is still to be told.
    #[must_use]
    pub fn new(name: &str, link: f64) -> Self {
        Self { name: name.to_owned(), link, memory: None, empty: false }
    }

    /// Its room for machines, in bytes.
    #[must_use]
    pub fn with_memory(mut self, memory: f64) -> Self {
        self.memory = Some(memory);
        self
    }

    /// All of its machines have to go.
    #[must_use]
    pub fn emptied(mut self) -> Self {
        self.empty = true;
        self
    }
}

impl Machine {
    /// A machine that nobody calls, all of whose memory has to be sent, by pre-copy. It never
    /// dirties more than its memory.
    #[must_use]
    pub fn new(name: &str, host: &str, memory: f64, dirtying: Dirtying) -> Self {
        let dirtying = Dirtying { working_set: dirtying.working_set.min(memory), ..dirtying };
        Self {
            name: name.to_owned(),
            host: host.to_owned(),
            memory,
            to_send: memory,
            dirtying,
            requests: 0.0,
            outage_s: None,
            to: None,
            apart_from: Vec::new(),
            strategies: Strategies::PreCopy,
        }
    }

    /// Its pages that are not empty, in bytes.
    #[must_use]
    pub fn with_to_send(mut self, to_send: f64) -> Self {
        self.to_send = to_send;
        self
    }

    /// Calls of its users, in 1/s.
    #[must_use]
    pub fn with_requests(mut self, requests: f64) -> Self {
        self.requests = requests;
        self
    }

    /// Its own limit on the outage, in s.
    #[must_use]
    pub fn with_outage_s(mut self, outage_s: f64) -> Self {
        self.outage_s = Some(outage_s);
        self
    }

    /// The host that it must go to, also if its own is not emptied.
    #[must_use]
    pub fn with_target(mut self, host: &str) -> Self {
        self.to = Some(host.to_owned());
        self
    }

    /// A machine that must not run on the host that it goes to (and the other way round).
    #[must_use]
    pub fn with_apart_from(mut self, machine: &str) -> Self {
        self.apart_from.push(machine.to_owned());
        self
    }

    /// By which ways it may be moved.
    #[must_use]
    pub fn with_strategies(mut self, strategies: Strategies) -> Self {
        self.strategies = strategies;
        self
    }
}

impl Limits {
    /// Of each machine, in s: its downtime, and what it needs to settle.
    #[must_use]
    pub fn with_outage_s(mut self, outage_s: f64) -> Self {
        self.outage_s = Some(outage_s);
        self
    }

    /// The highest limit on the downtime that the hypervisor may be told, in s.
    #[must_use]
    pub fn with_downtime_s(mut self, downtime_s: f64) -> Self {
        self.downtime_s = Some(downtime_s);
        self
    }

    /// Until all that has to go is gone, in s.
    #[must_use]
    pub fn with_total_s(mut self, total_s: f64) -> Self {
        self.total_s = Some(total_s);
        self
    }

    /// Over all machines: calls that fall into an outage.
    #[must_use]
    pub fn with_lost_calls(mut self, lost_calls: f64) -> Self {
        self.lost_calls = Some(lost_calls);
        self
    }

    /// Migrations at the same time, of one host, in and out together.
    #[must_use]
    pub fn with_at_once(mut self, at_once: u32) -> Self {
        self.at_once = Some(at_once);
        self
    }
}

impl Overhead {
    /// Before the first byte, in s.
    #[must_use]
    pub fn with_prepare_s(mut self, prepare_s: f64) -> Self {
        self.prepare_s = prepare_s;
        self
    }

    /// What the target needs to resume, in s.
    #[must_use]
    pub fn with_load_s(mut self, load_s: f64) -> Self {
        self.load_s = load_s;
        self
    }

    /// From when a machine runs again until its users reach it, in s.
    #[must_use]
    pub fn with_settle_s(mut self, settle_s: f64) -> Self {
        self.settle_s = settle_s;
        self
    }

    /// The same of a machine that is moved by post-copy, in s.
    #[must_use]
    pub fn with_faulting_s(mut self, faulting_s: f64) -> Self {
        self.faulting_s = Some(faulting_s);
        self
    }

    /// From the stop until users reach a machine again that stood still for so long, in s; `None`:
    /// nobody knows of this strategy.
    pub(super) fn outage_s(&self, strategy: Strategy, downtime_s: f64) -> Option<f64> {
        let then_s = if strategy.follows() { self.faulting_s? } else { self.settle_s };
        Some(downtime_s + then_s)
    }

    /// The state of a machine's devices, in bytes.
    #[must_use]
    pub fn with_device_state(mut self, device_state: f64) -> Self {
        self.device_state = device_state;
        self
    }
}
