//! A freeze of the target, as it is told.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::report::ConnectionsLost;

/// What froze, as far as it shows from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FreezeKind {
    /// The machine's kernel answered all the time, and the service did not.
    Service,
    /// The machine's kernel did not answer either; what it was asked at last was answered late, or
    /// the neighbour answered all the time.
    Machine,
    /// The neighbour did not answer either.
    Network,
    /// The machine's kernel did not answer, and what it was asked was lost: the machine was moved or
    /// stood still, or the network to it was cut. A neighbour would tell them apart.
    MachineOrNetwork,
    /// There was no reach check, or it had too few checks, or too far apart, for such a freeze.
    Unknown,
}

impl FreezeKind {
    /// All, in the order of reports.
    pub const ALL: [Self; 5] =
        [Self::Service, Self::Machine, Self::Network, Self::MachineOrNetwork, Self::Unknown];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Machine => "machine",
            Self::Network => "network",
            Self::MachineOrNetwork => "machine-or-network",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for FreezeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A length of which it is known between what it lies, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LengthMs {
    /// It was no shorter.
    pub at_least: f64,
    /// It was no longer; `None`: its end was not seen.
    pub at_most: Option<f64>,
}

/// What the clients of one population saw of a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FrozenPopulation {
    /// From the last good reply before (or the begin of the watch, if there was none) to the first
    /// good one after, in ms; where that did not come, as much as was seen.
    pub gap_ms: f64,
    /// Begin of the gap, in seconds from the start of the load.
    pub from_s: f64,
    /// Its end; `None`: it was not seen.
    pub until_s: Option<f64>,
    /// How long the service did not answer, by the calls of this population.
    pub interruption_ms: LengthMs,
}

/// What the reach check saw of a freeze. All `None` without one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KernelSeen {
    /// The longest time without any answer of the machine's kernel: no shorter, in ms.
    pub silent_at_least_ms: Option<f64>,
    /// No longer; `None` also where its end was not seen.
    pub silent_at_most_ms: Option<f64>,
    /// Checks that were sent in the freeze.
    pub checks: Option<u64>,
    /// Those of them that were never answered.
    pub lost: Option<u64>,
}

/// One freeze of the target: no call of at least one population was answered well, for longer than
/// is normal, and calls prove that the generator is not to blame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Freeze {
    /// Its number, from 1, in the order in which they were told.
    pub number: u64,
    /// The last good reply before it, or the begin of the watch if there was none, as RFC 3339 by this
    /// host's clock.
    pub from: String,
    /// The first good reply after it of the population that had to wait longest; `None`: it was
    /// not seen.
    pub until: Option<String>,
    /// `from` in seconds from the start of the load.
    pub from_s: f64,
    /// `until` in seconds from the start of the load.
    pub until_s: Option<f64>,
    /// How long the service did not answer, by the calls of all populations that felt it.
    pub length_ms: LengthMs,
    /// What froze.
    pub kind: FreezeKind,
    /// What that is concluded from.
    pub kind_because: String,
    /// What kept-alive clients saw; `None`: nothing out of the ordinary.
    pub established: Option<FrozenPopulation>,
    /// What newcomers saw; `None`: nothing out of the ordinary.
    pub fresh: Option<FrozenPopulation>,
    /// What the reach check saw.
    pub kernel: KernelSeen,
    /// Connections that had been found lost in it by the time it was told; `of` is not known.
    pub connections_lost: ConnectionsLost,
    /// Calls that were to start in the freeze and had brought no good reply by the time it was told.
    pub calls_failed: u64,
    /// Of a long freeze with many calls not each is known: `calls_failed` is a lower bound then.
    pub are_all_calls_known: bool,
    /// Time in which the generator itself did not run, of that from `from` to `until`.
    pub own_ms: f64,
}

impl Freeze {
    /// Connections that were lost in it, of both populations.
    #[must_use]
    pub fn connections_lost(&self) -> u64 {
        let ConnectionsLost { established, fresh } = &self.connections_lost;
        [established, fresh].into_iter().flatten().map(|lost| lost.count).sum()
    }
}
