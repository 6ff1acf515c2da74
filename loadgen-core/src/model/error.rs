//! Numbers that no model can take.

/// A number outside of what a model is made for.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{what} must be {range}, not {value}")]
#[non_exhaustive]
pub struct ModelError {
    /// What the number is.
    pub what: &'static str,
    /// What it can be.
    pub range: &'static str,
    /// What it was.
    pub value: f64,
}

/// `value`, if it is finite and above 0.
pub(crate) fn positive(what: &'static str, value: f64) -> Result<f64, ModelError> {
    let is_fine = value.is_finite() && value > 0.0;
    is_fine.then_some(value).ok_or(ModelError { what, range: "a number above 0", value })
}

/// `value`, if it is finite and not below 0.
pub(crate) fn not_negative(what: &'static str, value: f64) -> Result<f64, ModelError> {
    let is_fine = value.is_finite() && value >= 0.0;
    is_fine.then_some(value).ok_or(ModelError { what, range: "0 or a number above", value })
}

/// `value`, if it is a share of a whole.
pub(crate) fn share(what: &'static str, value: f64) -> Result<f64, ModelError> {
    let is_fine = (0.0..=1.0).contains(&value);
    is_fine.then_some(value).ok_or(ModelError { what, range: "a share from 0 to 1", value })
}

/// `value`, if it is a share of what there was, and not nothing of it.
pub(crate) fn ratio(what: &'static str, value: f64) -> Result<f64, ModelError> {
    let is_fine = value > 0.0 && value <= 1.0;
    is_fine.then_some(value).ok_or(ModelError { what, range: "above 0 and at most 1", value })
}
