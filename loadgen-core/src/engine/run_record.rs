//! A run that has ended, before it becomes a report: what was measured, and under which
//! circumstances.

use serde::{Deserialize, Serialize};

use super::harvest::Harvest;
use crate::abort::Aborted;
use crate::clock::as_seconds;
use crate::event::EventReport;
use crate::plan::Plan;
use crate::record::both;
use crate::report::{Environment, Verdict};

/// What was measured in a run, and all that its report says beside.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunRecord {
    pub(crate) plan: Plan,
    pub(crate) environment: Environment,
    /// When the load began: RFC 3339.
    pub(crate) started_at: String,
    /// Marks of the user.
    pub(crate) events: Vec<EventReport>,
    pub(crate) events_dropped: u64,
    /// Names of tags by their numbers.
    pub(crate) tags: Vec<String>,
    /// Somebody ended it before its time.
    pub(crate) interrupted: bool,
    /// The rule that ended it.
    pub(crate) aborted: Option<Aborted>,
    /// Whether what was measured can be trusted.
    pub(crate) verdict: Verdict,
    pub(crate) harvest: Harvest,
}

impl RunRecord {
    /// From the start of the load to the end of the drain.
    pub(crate) fn duration_s(&self) -> f64 {
        as_seconds(self.harvest.finished)
    }

    /// The part of it that the figures of a summary are of.
    pub(crate) fn measured_s(&self) -> f64 {
        as_seconds(self.harvest.measured(&self.plan))
    }

    /// Adds that of another process that carried out a part of the same plan. Its verdict is left
    /// out: it is of its own figures.
    pub(crate) fn merge(&mut self, other: Self) {
        let threads = &mut self.environment.threads;
        *threads = threads.saturating_add(other.environment.threads);
        if other.started_at < self.started_at {
            self.started_at = other.started_at;
        }
        self.events.extend(other.events);
        self.events_dropped += other.events_dropped;
        self.interrupted |= other.interrupted;
        both(&mut self.aborted, other.aborted, |one, other| {
            if other.at_s < one.at_s {
                *one = other;
            }
        });
        self.harvest.merge(other.harvest);
    }
}
