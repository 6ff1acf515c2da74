//! Predictions: what a migration would cost, as a document, before anyone has moved anything.
//!
//! **It is** the models of [`model`](crate::model) with what goes in and what comes out: numbers
//! that a user gives, those of recordings, or what a running machine says, in one [`PredictionReport`] that can be kept
//! as JSON, read back, and rendered. **It is not** a measurement, and no figure of it stands in a
//! report of one.

mod availability;
mod document;
mod evacuation;
mod fitted;
mod input;
mod limits;
mod pilot;
mod render;
mod strategy;
mod thresholds;

#[cfg(test)]
mod tests;

pub use availability::{
    Ageing, AvailabilityFigure, AvailabilityReport, MeasuredAvailability, MeasuredOutages,
    MovedAvailability, PredictedAvailability, StateShare, render_availability_text,
};
pub use document::{CellPrediction, PredictionReport, PredictionSource};
pub use evacuation::{EvacuationReport, render_evacuation_text};
pub use input::{PredictedPopulation, PredictionInput};
pub use limits::PredictedLimits;
pub use pilot::{FitReport, Pilot};
pub use render::{render_prediction_html, render_prediction_text};
pub use strategy::{
    BestStrategy, BrokenLimit, PredictedPass, PredictedStrategy, PredictedUsers, StrategyLead,
    UnjudgedLimit,
};
pub use thresholds::{PredictedEdge, PredictionThresholds};
