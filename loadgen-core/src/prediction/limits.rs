//! What a strategy may cost at most, as it stands in the document.

use serde::{Deserialize, Serialize};

use crate::model::strategies::{Figure, Limits};

/// Limits, with their units. `None`: there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictedLimits {
    /// How long the machine may stand still.
    pub downtime_s: Option<f64>,
    /// How long its service may not answer.
    pub outage_s: Option<f64>,
    /// How long all of it may take.
    pub total_s: Option<f64>,
    /// What may be sent.
    pub sent_bytes: Option<f64>,
    /// Calls of all users that may be lost.
    pub lost_calls: Option<f64>,
    /// Calls of all users that may be late.
    pub late_calls: Option<f64>,
}

impl PredictedLimits {
    pub(super) fn of(limits: &Limits) -> Self {
        Self {
            downtime_s: limits.downtime_s,
            outage_s: limits.outage_s,
            total_s: limits.total_s,
            sent_bytes: limits.sent,
            lost_calls: limits.lost_calls,
            late_calls: limits.late_calls,
        }
    }

    /// As the models take them.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            downtime_s: self.downtime_s,
            outage_s: self.outage_s,
            total_s: self.total_s,
            sent: self.sent_bytes,
            lost_calls: self.lost_calls,
            late_calls: self.late_calls,
        }
    }
}

/// The key of a figure among the limits.
pub(super) fn key(figure: Figure) -> String {
    match figure {
        Figure::LostCalls => "lost_calls",
        Figure::LateCalls => "late_calls",
        Figure::Outage => "outage_s",
        Figure::Downtime => "downtime_s",
        Figure::Total => "total_s",
        Figure::Sent => "sent_bytes",
    }
    .to_owned()
}
