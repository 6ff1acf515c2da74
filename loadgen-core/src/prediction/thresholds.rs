//! Where pre-copy would begin or end to converge, as it stands in the document.

use serde::{Deserialize, Serialize};

use crate::model::strategies::{Edge, Thresholds};

/// Where pre-copy would converge, with all else as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictionThresholds {
    /// From which bandwidth on.
    pub bandwidth_bytes_per_s: PredictedEdge,
    /// Up to which dirty rate.
    pub dirty_bytes_per_s: PredictedEdge,
    /// From which limit on the downtime on.
    pub downtime_limit_s: PredictedEdge,
}

/// Where something begins or ends to converge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictedEdge {
    /// `at`: there is such a value. `always`: it converges at every value. `never`: at none.
    pub kind: String,
    /// At which it still converges; `None` unless `at`.
    pub value: Option<f64>,
}

impl From<Edge> for PredictedEdge {
    fn from(edge: Edge) -> Self {
        let kind = match edge {
            Edge::Always => "always",
            Edge::Never => "never",
            Edge::At(_) => "at",
        };
        Self { kind: kind.to_owned(), value: edge.value() }
    }
}

impl PredictionThresholds {
    pub(super) fn of(thresholds: Thresholds) -> Self {
        Self {
            bandwidth_bytes_per_s: thresholds.bandwidth.into(),
            dirty_bytes_per_s: thresholds.dirty_rate.into(),
            downtime_limit_s: thresholds.limit_s.into(),
        }
    }
}
