//! Why there is no plan.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::bound::LowerBound;
use crate::printable::printable;
use crate::units::{format_byte_rate, format_bytes, format_duration_us};

/// Why there is no plan. Each is enough by itself.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// A machine that does not come to an end within its limit on the outage, not even with the
    /// whole of the fastest way that it has.
    #[non_exhaustive]
    Outage {
        /// It.
        machine: String,
        /// Of the fastest way, in bytes a second.
        #[serde(rename = "bandwidth_bytes_per_s")]
        bandwidth: f64,
        /// Its limit, in s; `None`: there is none, and it never converges.
        limit_s: Option<f64>,
        /// At which bandwidth it would; `None`: at none up to a million times that.
        needs: Option<f64>,
        /// Whether post-copy was tried, too.
        by_post_copy: bool,
    },
    /// A machine that no host can take: it needs more memory than any has at last, or must not meet
    /// those that stay there.
    #[non_exhaustive]
    NoTarget {
        /// It.
        machine: String,
        /// Its memory, in bytes.
        #[serde(rename = "memory_bytes")]
        memory: f64,
        /// The most that a host has for it, in bytes.
        #[serde(rename = "at_most_bytes")]
        at_most: f64,
    },
    /// All machines together need more memory than the hosts have that take them.
    #[non_exhaustive]
    Memory {
        /// What they need, in bytes.
        #[serde(rename = "needed_bytes")]
        needed: f64,
        /// What the hosts have, in bytes.
        #[serde(rename = "room_bytes")]
        room: f64,
    },
    /// So many large machines do not fit, however they are laid out: a host takes whole ones.
    #[non_exhaustive]
    Large {
        /// Machines of at least this memory, in bytes.
        #[serde(rename = "memory_bytes")]
        memory: f64,
        /// So many have to go.
        machines: u64,
        /// So many the hosts can take.
        at_most: u64,
    },
    /// Machines of which none must meet another: there are more of them than hosts.
    #[non_exhaustive]
    Apart {
        /// They.
        machines: Vec<String>,
        /// So many hosts can take one.
        hosts: u64,
    },
    /// The limit on the total time is below the lower bound.
    #[non_exhaustive]
    Total {
        /// The limit, in s.
        limit_s: f64,
        /// The lower bound.
        lower_bound: LowerBound,
    },
    /// More calls are lost than may be, even if all machines only load and settle.
    #[non_exhaustive]
    LostCalls {
        /// So many are lost at the least.
        at_least: f64,
        /// So many may be.
        at_most: f64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |s: &f64| format_duration_us(s * 1e6);
        let bytes = |bytes: &f64| format_bytes(bytes.max(0.0) as u64);
        match self {
            Self::Outage { machine, bandwidth, limit_s, needs, by_post_copy } => {
                let within = limit_s
                    .map_or(String::new(), |s| format!(" within its outage of {}", time(&s)));
                write!(
                    f,
                    "machine '{}' does not come to an end{within} even with the whole {} that it \
                     can have; ",
                    printable(machine),
                    format_byte_rate(*bandwidth),
                )?;
                match needs {
                    Some(needs) => write!(f, "it needs {}", format_byte_rate(*needs))?,
                    None => write!(f, "no bandwidth is enough")?,
                }
                let post_copy = if *by_post_copy { "" } else { ", or allow post-copy" };
                write!(f, ": allow a longer outage{post_copy}")
            }
            Self::NoTarget { machine, memory, at_most } => {
                let machine = printable(machine);
                let (memory, at_most) = (bytes(memory), bytes(at_most));
                write!(
                    f,
                    "no host can take machine '{machine}': it needs {memory}, they have up to \
                     {at_most} for it, and it must not meet those that it is apart from"
                )
            }
            Self::Memory { needed, room } => {
                let (needed, room) = (bytes(needed), bytes(room));
                write!(f, "the machines need {needed}, and the hosts that take them have {room}")
            }
            Self::Large { memory, machines, at_most } => write!(
                f,
                "{machines} machines need {} or more, and the hosts can take {at_most} of these",
                bytes(memory)
            ),
            Self::Apart { machines, hosts } => {
                let names: Vec<_> = machines.iter().map(|name| printable(name)).collect();
                let names = names.join(", ");
                write!(f, "none of these must meet another, and {hosts} hosts take them: {names}")
            }
            Self::Total { limit_s, lower_bound } => {
                write!(f, "it may take {}, and takes at least {lower_bound}", time(limit_s))
            }
            Self::LostCalls { at_least, at_most } => write!(
                f,
                "at least {at_least:.0} calls fall into the time to load and to settle, and \
                 {at_most:.0} may"
            ),
        }
    }
}
