//! What was recorded of one migration.

use serde::{Deserialize, Serialize};

use crate::model::strategy::Strategy;

/// What was recorded of one migration. Times are in s from the acceptance of the migration, sizes in
/// bytes. What is not known is `None`, or an empty list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Recording {
    /// Where it is from: a file, or the number of a trial.
    pub name: String,
    /// How the machine was moved.
    pub moved: Strategy,
    /// Memory that the machine has.
    #[serde(default)]
    pub machine_memory: Option<f64>,
    /// The limit on the downtime that was asked for.
    #[serde(default)]
    pub limit_s: Option<f64>,
    /// When passes over the memory began, the first one first.
    #[serde(default)]
    pub passes_s: Vec<f64>,
    /// What the hypervisor told on the way.
    #[serde(default)]
    pub progress: Vec<Progress>,
    /// When the machine stopped.
    #[serde(default)]
    pub stop_s: Option<f64>,
    /// When the source had sent all that the target needs to go on.
    #[serde(default)]
    pub sent_all_s: Option<f64>,
    /// When it ran again.
    #[serde(default)]
    pub resume_s: Option<f64>,
    /// When the migration was over: the later of its completion and the resume.
    #[serde(default)]
    pub end_s: Option<f64>,
    /// All that was sent.
    #[serde(default)]
    pub sent: Option<f64>,
    /// What of it was sent while the machine stood still, in pre-copy.
    #[serde(default)]
    pub sent_in_stop: Option<f64>,
    /// What of it was sent after the switch-over, in post-copy.
    #[serde(default)]
    pub sent_after: Option<f64>,
    /// What the users felt.
    #[serde(default)]
    pub felt: Option<RecordedUsers>,
}

/// What a hypervisor told on the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Progress {
    /// When.
    pub at_s: f64,
    /// Sent so far, in bytes on the wire.
    pub sent: f64,
    /// Left to be sent, in bytes of memory.
    pub left: f64,
    /// Which pass it was, from 1.
    pub pass: u32,
    /// What the last looks at the bitmap found dirty, in bytes a second, over the time between
    /// looks that are more than 1 s apart (QEMU's `dirty-pages-rate`).
    #[serde(default)]
    pub dirty_rate: Option<f64>,
}

impl Progress {
    /// At some time, with what was sent and left, and the number of the pass.
    #[must_use]
    pub fn new(at_s: f64, sent: f64, left: f64, pass: u32) -> Self {
        Self { at_s, sent, left, pass, dirty_rate: None }
    }
}

/// What all users of a machine felt of its migration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RecordedUsers {
    /// Those with one way of connecting.
    pub populations: Vec<RecordedPopulation>,
    /// After which a call is given up, in s.
    pub timeout_s: f64,
    /// Calls that were late.
    pub late: Option<f64>,
    /// Calls that were not answered.
    pub lost: Option<f64>,
    /// Over which time both were counted, in s from the acceptance.
    pub counted_s: Option<f64>,
    /// From the resume until response times were as before, in s.
    pub recovery_s: Option<f64>,
}

/// The users with one way of connecting.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RecordedPopulation {
    /// What they are called.
    pub name: String,
    /// Their connections that are kept open; `None`: a new one for each call.
    pub connections: Option<u32>,
    /// Their calls in a second.
    pub rate_per_s: f64,
    /// What a call takes where nothing is wrong, in s.
    pub usual_s: f64,
    /// A call that takes longer is late, in s.
    pub late_beyond_s: f64,
    /// How long none of them was answered around the stop, in s.
    pub outage_s: Option<f64>,
    /// Whether it was longer than that, and nobody knows by how much: the load ended before.
    #[serde(default)]
    pub outage_is_least: bool,
}

impl RecordedUsers {
    /// Whether the load ended before all of them were answered again, or before response times were
    /// as before.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.recovery_s.is_none() || self.populations.iter().any(|of| of.outage_is_least)
    }
}

impl Recording {
    /// Of a migration of which nothing is known but how the machine was moved.
    #[must_use]
    pub fn new(name: &str, moved: Strategy) -> Self {
        Self { name: name.to_owned(), moved, ..Self::default() }
    }

    /// How often the bitmap was looked at before the machine was stopped: once at the begin, and
    /// after each whole pass.
    #[must_use]
    pub fn looks_before_the_stop(&self) -> usize {
        self.whole_passes().len() + 1
    }

    /// How long the machine stood still, in s.
    #[must_use]
    pub fn downtime_s(&self) -> Option<f64> {
        sensible(self.resume_s? - self.stop_s?)
    }

    /// The passes that ended by another look at the bitmap, each with its begin and its length, in
    /// s; of times that do not rise, those before.
    pub(super) fn whole_passes(&self) -> Vec<(f64, f64)> {
        let stop_s = self.stop_s.unwrap_or(f64::INFINITY);
        // At the stop it is looked again: this is none more.
        let begins = self.passes_s.iter().copied().take_while(|at| *at <= stop_s);
        let begins: Vec<f64> = begins.collect();
        let pairs = begins.windows(2).map(|two| (two[0], two[1] - two[0]));
        pairs.take_while(|(at, length)| *at >= 0.0 && *length > SHORTEST_S).collect()
    }

    /// What was told while the machine ran at its source, in order; nothing that no migration can
    /// say.
    pub(super) fn running(&self) -> Vec<Progress> {
        let stop_s = self.stop_s.unwrap_or(f64::INFINITY);
        let is_fine = |p: &Progress| {
            let numbers = [p.at_s, p.sent, p.left, p.dirty_rate.unwrap_or(0.0)];
            numbers.iter().all(|number| sensible(*number).is_some()) && p.at_s <= stop_s
        };
        let mut told: Vec<Progress> = self.progress.iter().copied().filter(is_fine).collect();
        told.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        told.dedup_by(|later, earlier| later.sent < earlier.sent);
        told
    }
}

/// A pass is longer, in s.
const SHORTEST_S: f64 = 1e-6;
/// No time and no size is greater.
const GREATEST: f64 = 1e18;

/// A time or a size, if it can be one.
pub(super) fn sensible(value: f64) -> Option<f64> {
    (0.0..=GREATEST).contains(&value).then_some(value)
}

/// The same, and not nothing.
pub(super) fn more_than_none(value: f64) -> Option<f64> {
    sensible(value).filter(|value| *value > 0.0)
}
