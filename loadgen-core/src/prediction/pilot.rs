//! What recordings tell of a machine, before anything is predicted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::fit::{Fit, Parameter, Summed, Validation};

/// What a pilot tells of one machine.
#[derive(Debug)]
pub struct Pilot<'a> {
    /// The level of each factor, of a cell of an experiment; else empty.
    pub cell: BTreeMap<String, String>,
    /// What its recordings tell.
    pub fit: &'a Fit,
    /// How near predictions from them are.
    pub validation: &'a Validation,
    /// Trials that are no recordings, and why not.
    pub left_out: &'a [(String, String)],
    /// What is to be taken instead of what was recorded: what if?
    pub said: BTreeMap<Parameter, f64>,
}

/// What was taken from recordings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FitReport {
    /// All that they tell.
    pub found: Fit,
    /// What was said otherwise for this prediction, by the name of the parameter, in its unit.
    pub said: BTreeMap<Parameter, f64>,
    /// Each recording, predicted by a fit to the others.
    pub validation: Validation,
    /// The same, figure by figure.
    pub summed: Vec<Summed>,
    /// Trials that are no recordings, and why not.
    pub left_out: Vec<(String, String)>,
}

impl FitReport {
    pub(super) fn new(pilot: &Pilot<'_>) -> Self {
        let summed = pilot.validation.summed();
        let (found, validation) = (pilot.fit.clone(), pilot.validation.clone());
        let left_out = pilot.left_out.to_vec();
        Self { found, said: pilot.said.clone(), validation, summed, left_out }
    }
}
