//! One trial: where it stands in the design, how it ended, and its figures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::agenda::{Agenda, Fate, Slot};
use super::design::Cell;
use super::metric::Figures;
use crate::report::{Report, VerdictStatus};
use crate::vm::Ending;

/// One trial that was made: a line of the experiment's journal. Its report is beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trial {
    /// Its number in the order of time, from 1.
    pub index: u32,
    /// Its block, from 1; those of the warm-up come first.
    pub block: u32,
    /// Its place in the block, from 1, in the order of time.
    pub position: u32,
    /// Its cell: the level of each factor.
    pub cell: BTreeMap<String, String>,
    /// How often its cell had been tried in this block before.
    pub repeats: u32,
    /// It belongs to a block of the warm-up, and counts for nothing.
    pub warm_up: bool,
    /// How it ended.
    pub status: TrialStatus,
    /// Why it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its figures hold with reservations, which are in the verdict of its report. It counts.
    #[serde(default)]
    pub degraded: bool,
    /// How often the testbed had been brought up when it began; `None`: nobody brings it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<u32>,
    /// Which trial it is since then, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_boot: Option<u32>,
    /// When it began, with what was to be brought up for it: RFC 3339 with milliseconds, UTC.
    pub started_at: String,
    /// How long all of it took, with what was taken down before it and brought up for it.
    pub took_s: f64,
    /// Load average of this machine (1 minute) when the load began.
    #[serde(default)]
    pub load_average: Option<f64>,
    /// What the testbed said of itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// Its report, from the directory of the experiment; `None`: no load ran.
    pub report: Option<String>,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TrialStatus {
    /// The migration completed, and the figures can be trusted, with the reservations of its
    /// verdict.
    Completed,
    /// The migration did not complete, or could not even be tried.
    Failed,
    /// The figures do not say what they seem to say.
    Invalid,
    /// Whoever ran the experiment ended it.
    Interrupted,
}

impl TrialStatus {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
            Self::Interrupted => "interrupted",
        }
    }

    pub(super) fn fate(self) -> Fate {
        match self {
            Self::Completed => Fate::Good,
            Self::Failed | Self::Invalid => Fate::Bad,
            Self::Interrupted => Fate::Interrupted,
        }
    }

    /// What the report of a trial says of it, and why it did not succeed.
    pub(super) fn of(report: &Report) -> (Self, Option<String>) {
        let first = || report.verdict.reasons.first().cloned();
        if let Some(aborted) = &report.aborted {
            return (Self::Failed, Some(aborted.to_string()));
        }
        if report.interrupted {
            return (Self::Interrupted, first());
        }
        if let Some(migration) = &report.migration {
            let why = |what: &str| {
                let reason = migration.reason.clone().or_else(first);
                Some(reason.unwrap_or_else(|| format!("the migration {what}")))
            };
            match migration.ending {
                Some(Ending::Failed) => return (Self::Failed, why("failed")),
                Some(Ending::Cancelled) => return (Self::Failed, why("was cancelled")),
                Some(Ending::Completed) | None => {}
            }
        }
        match report.verdict.status {
            VerdictStatus::Invalid => (Self::Invalid, first()),
            _ => (Self::Completed, None),
        }
    }
}

/// Whether the figures of a report hold with reservations.
pub(super) fn is_degraded(report: &Report) -> bool {
    report.verdict.status == VerdictStatus::Degraded
}

impl Trial {
    /// Whether it is one of those that the statistics are made of.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.status == TrialStatus::Completed && !self.warm_up
    }

    /// Whether it is the trial that this slot asks for.
    fn fills(&self, slot: Slot, cell: &Cell) -> bool {
        self.block == slot.block + 1
            && self.repeats + 1 == slot.attempt
            && self.cell == cell.to_levels()
    }
}

/// What is still to be made after these trials; the number of the first that the agenda does not
/// ask for at its place.
pub(super) fn agenda_after(
    mut agenda: Agenda,
    cells: &[Cell],
    trials: &[Trial],
) -> Result<Agenda, u32> {
    for trial in trials {
        if !agenda.next().is_some_and(|slot| trial.fills(slot, &cells[slot.cell])) {
            return Err(trial.index);
        }
        agenda.made(trial.status.fate());
    }
    Ok(agenda)
}
