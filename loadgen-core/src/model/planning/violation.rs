//! What is wrong with a plan.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::printable::printable;
use crate::units::{format_byte_rate, format_bytes, format_duration_us};

/// What a simulation finds wrong with a plan.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Violation {
    /// A machine that has to move does not.
    NotMoved {
        /// It.
        machine: String,
    },
    /// A machine moves more than once, or though it need not, or there is none of this name.
    Unasked {
        /// It.
        machine: String,
    },
    /// A machine goes from or to a host where it is not, must not go, or that is emptied itself.
    WrongHost {
        /// It.
        machine: String,
        /// The host.
        host: String,
    },
    /// A time, a bandwidth or another number that none can be.
    Number {
        /// Of this machine.
        machine: String,
    },
    /// More goes out of a host than its link has.
    OutOf {
        /// The host.
        host: String,
        /// When, in s.
        at_s: f64,
        /// What goes over it, in bytes a second.
        #[serde(rename = "used_bytes_per_s")]
        used: f64,
        /// What it has.
        link: f64,
    },
    /// More comes into a host than its link has.
    Into {
        /// The host.
        host: String,
        /// When, in s.
        at_s: f64,
        /// What goes over it, in bytes a second.
        #[serde(rename = "used_bytes_per_s")]
        used: f64,
        /// What it has.
        link: f64,
    },
    /// All of them together need more than the network has.
    Network {
        /// When, in s.
        at_s: f64,
        /// What goes over it, in bytes a second.
        #[serde(rename = "used_bytes_per_s")]
        used: f64,
        /// What it has.
        network: f64,
    },
    /// A host has more migrations at the same time than it may.
    AtOnce {
        /// The host.
        host: String,
        /// When, in s.
        at_s: f64,
        /// Migrations.
        migrations: u32,
        /// So many it may have.
        at_most: u32,
    },
    /// Machines need more than a host's memory.
    Memory {
        /// The host.
        host: String,
        /// When, in s.
        at_s: f64,
        /// What they need, in bytes.
        #[serde(rename = "needed_bytes")]
        needed: f64,
        /// What it has, in bytes.
        #[serde(rename = "memory_bytes")]
        memory: f64,
    },
    /// A machine comes to a host where one is that it must not meet.
    Together {
        /// It.
        machine: String,
        /// The other.
        other: String,
        /// The host.
        host: String,
        /// When, in s.
        at_s: f64,
    },
    /// A machine is moved in a way that it must not be.
    WrongStrategy {
        /// It.
        machine: String,
    },
    /// At its bandwidth, pre-copy of this machine does not come to an end.
    DoesNotConverge {
        /// It.
        machine: String,
        /// In bytes a second.
        #[serde(rename = "bandwidth_bytes_per_s")]
        bandwidth: f64,
    },
    /// The hypervisor is told a higher limit on the downtime than it may be.
    DowntimeLimit {
        /// Of this machine.
        machine: String,
        /// In s.
        told_s: f64,
        /// In s.
        at_most_s: f64,
    },
    /// The outage of a machine is over its limit.
    Outage {
        /// It.
        machine: String,
        /// In s.
        outage_s: f64,
        /// In s.
        limit_s: f64,
    },
    /// A figure of the plan is not what the model says.
    Figure {
        /// Of this machine; empty: of the whole plan.
        machine: String,
        /// Its name.
        figure: String,
        /// In the plan.
        told: f64,
        /// By the model.
        is: f64,
    },
    /// More calls are lost than may be.
    LostCalls {
        /// So many.
        lost: f64,
        /// In all.
        at_most: f64,
    },
    /// It takes longer than it may.
    Total {
        /// In s.
        takes_s: f64,
        /// In s.
        limit_s: f64,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |text: &str| format!("'{}'", printable(text));
        let time = |s: &f64| format_duration_us(s * 1e6);
        let bytes = |bytes: &f64| format_bytes(*bytes as u64);
        let rate = |rate: &f64| format_byte_rate(*rate);
        match self {
            Self::NotMoved { machine } => write!(f, "machine {} does not move", name(machine)),
            Self::Unasked { machine } => {
                write!(f, "machine {} moves twice, or need not, or is unknown", name(machine))
            }
            Self::WrongHost { machine, host } => {
                let (machine, host) = (name(machine), name(host));
                write!(f, "machine {machine} is not on {host}, or must not go there")
            }
            Self::Number { machine } => {
                write!(f, "machine {}: a time or a bandwidth that none can be", name(machine))
            }
            Self::OutOf { host, at_s, used, link } => {
                let (host, at, used, link) = (name(host), time(at_s), rate(used), rate(link));
                write!(f, "{used} go out of host {host} at {at}, whose link has {link}")
            }
            Self::Into { host, at_s, used, link } => {
                let (host, at, used, link) = (name(host), time(at_s), rate(used), rate(link));
                write!(f, "{used} come into host {host} at {at}, whose link has {link}")
            }
            Self::Network { at_s, used, network } => {
                let (at, used, network) = (time(at_s), rate(used), rate(network));
                write!(f, "{used} go over the network at {at}, which has {network}")
            }
            Self::AtOnce { host, at_s, migrations, at_most } => {
                let (host, at) = (name(host), time(at_s));
                write!(f, "host {host} has {migrations} migrations at {at}, and may have {at_most}")
            }
            Self::Memory { host, at_s, needed, memory } => {
                let (host, at) = (name(host), time(at_s));
                let (needed, memory) = (bytes(needed), bytes(memory));
                write!(f, "machines on host {host} need {needed} at {at}: it has {memory}")
            }
            Self::Together { machine, other, host, at_s } => {
                let (machine, other) = (name(machine), name(other));
                write!(f, "machines {machine} and {other} meet on {} at {}", name(host), time(at_s))
            }
            Self::WrongStrategy { machine } => {
                write!(f, "machine {} must not be moved in this way", name(machine))
            }
            Self::DoesNotConverge { machine, bandwidth } => {
                let (machine, bandwidth) = (name(machine), rate(bandwidth));
                write!(f, "pre-copy of machine {machine} does not come to an end at {bandwidth}")
            }
            Self::DowntimeLimit { machine, told_s, at_most_s } => {
                let (told, at_most) = (time(told_s), time(at_most_s));
                write!(f, "machine {}: a downtime limit of {told}, over {at_most}", name(machine))
            }
            Self::Outage { machine, outage_s, limit_s } => {
                let (outage, limit) = (time(outage_s), time(limit_s));
                write!(f, "machine {} is away for {outage}, over its {limit}", name(machine))
            }
            Self::Figure { machine, figure, told, is } => {
                let machine = name(machine);
                write!(
                    f,
                    "machine {machine}: {figure} is {told} in the plan, and {is} by the model"
                )
            }
            Self::LostCalls { lost, at_most } => {
                write!(f, "{lost:.0} calls fall into an outage, over {at_most:.0}")
            }
            Self::Total { takes_s, limit_s } => {
                write!(f, "it takes {}, over its {}", time(takes_s), time(limit_s))
            }
        }
    }
}
