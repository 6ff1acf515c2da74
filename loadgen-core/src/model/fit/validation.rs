//! Predictions held against what was measured: of migrations that the fit does not know.

use serde::{Deserialize, Serialize};

use super::of_recordings::Fit;
use super::of_users::ExpectedFelt;
use super::recording::Recording;
use crate::model::strategy::Strategy;
use crate::stats::Sample;

/// A figure that is predicted and was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Validated {
    /// The whole migration, in s. Aim: within 10 %.
    TotalS,
    /// In which the machine stood still, in s. Aim: within 25 %, or 20 ms.
    DowntimeS,
    /// All that was sent, in bytes. Aim: within 10 %.
    #[serde(rename = "sent_bytes")]
    Sent,
    /// Calls that were late. Aim: within 25 %, or 1 call.
    #[serde(rename = "late_calls")]
    Late,
    /// Calls that were lost. Aim: within 25 %, or 1 call.
    #[serde(rename = "lost_calls")]
    Lost,
}

impl Validated {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::TotalS, Self::DowntimeS, Self::Sent, Self::Late, Self::Lost];

    /// The name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TotalS => "total_s",
            Self::DowntimeS => "downtime_s",
            Self::Sent => "sent_bytes",
            Self::Late => "late_calls",
            Self::Lost => "lost_calls",
        }
    }

    /// How far a prediction may be off: a share of what was measured, or so much.
    fn aim(self) -> (f64, f64) {
        match self {
            Self::TotalS | Self::Sent => (0.1, 0.0),
            Self::DowntimeS => (0.25, 0.02),
            Self::Late | Self::Lost => (0.25, 1.0),
        }
    }
}

/// One figure of one migration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// Which recording.
    pub recording: String,
    /// How the machine was moved.
    pub moved: Strategy,
    /// Which figure.
    pub figure: Validated,
    /// What was predicted.
    pub predicted: f64,
    /// What was measured.
    pub measured: f64,
    /// Whether it is within the aim.
    pub is_within: bool,
}

impl Row {
    /// By which share of what was measured the prediction is off, above it if positive; `None` if
    /// nothing was measured.
    #[must_use]
    pub fn error(&self) -> Option<f64> {
        (self.measured != 0.0).then(|| (self.predicted - self.measured) / self.measured)
    }
}

/// One figure of all migrations that were moved in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summed {
    /// How the machines were moved.
    pub moved: Strategy,
    /// Which figure.
    pub figure: Validated,
    /// How many there are.
    pub n: usize,
    /// How many of them are within the aim.
    pub within: usize,
    /// The median of the shares by which they are off, without their signs; `None`: nothing was
    /// measured of any.
    pub median_error: Option<f64>,
    /// The greatest of them.
    pub worst_error: Option<f64>,
    /// By how much the worst is off, in the unit of the figure.
    pub worst_off: f64,
}

/// Predictions held against what was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Validation {
    /// Each figure of each migration.
    pub rows: Vec<Row>,
    /// Migrations that nothing could be predicted of, and why.
    pub left_out: Vec<(String, String)>,
}

impl Validation {
    /// Each recording predicted by a fit to all the others. They are to be trials of the same.
    #[must_use]
    pub fn leave_one_out(recordings: &[Recording]) -> Self {
        let mut validation = Self::default();
        for (at, one) in recordings.iter().enumerate() {
            let mut others = recordings.to_vec();
            others.remove(at);
            validation.hold(&Fit::of(&others), one);
        }
        validation
    }

    /// All recordings after the first `pilot` ones, predicted by a fit to those.
    #[must_use]
    pub fn after_pilot(recordings: &[Recording], pilot: usize) -> Self {
        let mut validation = Self::default();
        let (first, rest) = recordings.split_at(pilot.min(recordings.len()));
        let fit = Fit::of(first);
        for one in rest {
            validation.hold(&fit, one);
        }
        validation
    }

    /// Holds what a fit predicts against a recording that it is not made from.
    pub fn hold(&mut self, fit: &Fit, recording: &Recording) {
        let prediction = match fit.predict(recording.moved) {
            Ok(prediction) => prediction,
            Err(error) => {
                self.left_out.push((recording.name.clone(), error.to_string()));
                return;
            }
        };
        let felt = fit.feel(recording.moved, &prediction).unwrap_or_default();
        // What is only known to be no less, predicted or measured, is held against nothing.
        let felt = if felt.is_least { ExpectedFelt::default() } else { felt };
        let measured = recording.felt.as_ref().filter(|felt| !felt.is_cut());
        for (figure, predicted, measured) in [
            (Validated::TotalS, Some(prediction.total_s), recording.end_s),
            (Validated::DowntimeS, Some(prediction.downtime_s), recording.downtime_s()),
            (Validated::Sent, Some(prediction.sent), recording.sent),
            (Validated::Late, felt.late, measured.and_then(|felt| felt.late)),
            (Validated::Lost, felt.lost, measured.and_then(|felt| felt.lost)),
        ] {
            let Some((predicted, measured)) = predicted.zip(measured) else { continue };
            let (share, so_much) = figure.aim();
            let is_within = (predicted - measured).abs() <= (share * measured.abs()).max(so_much);
            let (recording, moved) = (recording.name.clone(), recording.moved);
            self.rows.push(Row { recording, moved, figure, predicted, measured, is_within });
        }
    }

    /// With all of another one.
    pub fn join(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.left_out.extend(other.left_out);
    }

    /// Each figure of all migrations that were moved in one way, where there is any.
    #[must_use]
    pub fn summed(&self) -> Vec<Summed> {
        let pairs = Strategy::ALL.iter().flat_map(|m| Validated::ALL.iter().map(move |f| (*m, *f)));
        pairs.filter_map(|(moved, figure)| self.sum(moved, figure)).collect()
    }

    fn sum(&self, moved: Strategy, figure: Validated) -> Option<Summed> {
        let rows = || self.rows.iter().filter(|row| row.moved == moved && row.figure == figure);
        let errors = Sample::new(rows().filter_map(|row| Some(row.error()?.abs())));
        let worst_off = rows().map(|row| (row.predicted - row.measured).abs()).fold(0.0, f64::max);
        (rows().count() > 0).then(|| Summed {
            moved,
            figure,
            n: rows().count(),
            within: rows().filter(|row| row.is_within).count(),
            median_error: errors.as_ref().map(Sample::median),
            worst_error: errors.as_ref().map(Sample::max),
            worst_off,
        })
    }
}
