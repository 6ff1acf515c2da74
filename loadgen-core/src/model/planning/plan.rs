//! A plan, or why there is none.

use serde::{Deserialize, Serialize};

use super::bound::LowerBound;
use super::reason::Reason;
use super::violation::Violation;
use crate::model::strategy::Strategy;

/// When which machine goes where, and what is to be expected of it.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// The migrations, in the order in which they begin.
    pub moves: Vec<Move>,
    /// When the last of them has ended, in s from the begin of the first.
    pub empty_s: f64,
    /// When each host that machines leave has sent its last one, in the order of the file.
    pub hosts: Vec<HostLeft>,
    /// All that is sent, in bytes.
    #[serde(rename = "sent_bytes")]
    pub sent: f64,
    /// Calls that fall into an outage.
    #[serde(rename = "calls_in_outages")]
    pub lost_calls: f64,
    /// Below which time no plan is.
    pub lower_bound: LowerBound,
    /// How much longer it takes than the lower bound, as a share of that: 0.1 is a tenth longer.
    /// The best plan is somewhere between.
    pub gap: f64,
}

/// A host that machines have left.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct HostLeft {
    /// Its name.
    pub host: String,
    /// Whether it is empty then: it may be that only some of its machines had to go.
    pub empty: bool,
    /// When the last migration out of it has ended, in s.
    pub at_s: f64,
}

/// A migration of a plan.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Move {
    /// The machine.
    pub machine: String,
    /// Its host.
    pub from: String,
    /// The host that it goes to.
    pub to: String,
    /// When it begins, in s.
    pub start_s: f64,
    /// When all of it has come, in s.
    pub end_s: f64,
    /// What it is given, from its begin to its end, in bytes a second: QEMU's `max-bandwidth`.
    #[serde(rename = "bandwidth_bytes_per_s")]
    pub bandwidth: f64,
    /// From which bandwidth on it comes to an end within its limits, up to a thousandth.
    #[serde(rename = "least_bandwidth_bytes_per_s")]
    pub least_bandwidth: f64,
    /// How it is moved.
    pub strategy: Strategy,
    /// The limit on the downtime that the hypervisor is told, in s: QEMU's `downtime-limit`.
    /// Post-copy has none, and this one plays no part in it.
    pub downtime_limit_s: Option<f64>,
    /// How long it stands still, in s.
    pub downtime_s: f64,
    /// That, and the time until its users reach it, in s.
    pub outage_s: f64,
    /// How long it is slower afterwards, since its memory still comes, in s: by post-copy only.
    pub pulling_s: f64,
    /// What is sent, in bytes.
    #[serde(rename = "sent_bytes")]
    pub sent: f64,
    /// Calls that fall into its outage: its requests a second times its outage. It is an upper
    /// figure: most of these come late, and do not fail
    /// ([`Users`](crate::model::users::Users) tells more).
    #[serde(rename = "calls_in_outages")]
    pub lost_calls: f64,
}

/// What came of planning.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// A plan that holds all limits, as a simulation of it says, too.
    #[non_exhaustive]
    Found {
        /// It.
        plan: Plan,
    },
    /// There is none.
    #[non_exhaustive]
    Impossible {
        /// Why: each is enough.
        reasons: Vec<Reason>,
    },
    /// None was found, and nothing says that there is none.
    #[non_exhaustive]
    NotFound {
        /// The best that was found, which breaks a limit; `None`: there was not even one that the
        /// links and the memory let be.
        best: Option<Plan>,
        /// The limits that it breaks.
        violations: Vec<Violation>,
    },
}

/// What came of planning a move.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Planned {
    /// What the move is called; may be empty.
    pub name: String,
    /// How many machines have to move.
    pub machines: usize,
    /// Below which time no plan is.
    pub lower_bound: LowerBound,
    /// Whether the plan is the best one within the bandwidths that are tried
    /// ([`solve_exactly`](super::Evacuation::solve_exactly)).
    pub is_exact: bool,
    /// A plan, or why there is none.
    pub outcome: Outcome,
}

impl Planned {
    /// The plan, if one was found that holds all limits.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        match &self.outcome {
            Outcome::Found { plan } => Some(plan),
            _ => None,
        }
    }

    /// The reasons why there is no plan; none: nothing says that there is none.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match &self.outcome {
            Outcome::Impossible { reasons } => reasons,
            _ => &[],
        }
    }
}
