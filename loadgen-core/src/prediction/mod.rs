//! Predictions: what a migration would cost, as a document, before anyone has moved anything.
//!
//! **It is** the models of [`model`](crate::model) with what goes in and what comes out: numbers
//! that a user gives, and later those of recordings, in one [`PredictionReport`] that can be kept
//! as JSON, read back, and rendered. **It is not** a measurement, and no figure of it stands in a
//! report of one.

mod availability;
mod document;
mod evacuation;
mod fitted;
mod input;
mod render;

#[cfg(test)]
mod tests;

pub use availability::{
    Ageing, AvailabilityFigure, AvailabilityReport, MovedAvailability, PredictedAvailability,
    StateShare, render_availability_text,
};
pub use document::{
    BestStrategy, BrokenLimit, CellPrediction, FitReport, PredictedLimits, PredictedPass,
    PredictedStrategy, PredictedUsers, PredictionReport, PredictionSource, PredictionThresholds,
    StrategyLead,
};
pub use evacuation::{EvacuationReport, render_evacuation_text};
pub use input::{PredictedPopulation, PredictionInput};
pub use render::{render_prediction_html, render_prediction_text};
