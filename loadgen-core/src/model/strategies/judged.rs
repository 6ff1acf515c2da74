//! Whether a strategy holds the limits, breaks them, or nobody knows.

use super::figure::{Figure, Limits};
use super::forecast::Forecast;

/// A limit that a strategy does not hold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Broken {
    /// Of what.
    pub figure: Figure,
    /// The limit.
    pub limit: f64,
    /// What it would be.
    pub value: f64,
}

/// A limit of which nobody knows whether a strategy holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Unjudged {
    /// Of what.
    pub figure: Figure,
    /// The limit.
    pub limit: f64,
    /// It would be no less than that; `None`: nothing is known.
    pub least: Option<f64>,
}

/// One strategy under the limits.
pub(super) struct Judged {
    pub(super) broken: Vec<Broken>,
    pub(super) unjudged: Vec<Unjudged>,
}

impl Judged {
    pub(super) fn new(forecast: &Forecast, limits: &Limits) -> Self {
        let mut judged = Self { broken: Vec::new(), unjudged: Vec::new() };
        for figure in Figure::ALL {
            let Some(limit) = figure.limit(limits) else { continue };
            match figure.expected(forecast).or_else(|| figure.of(forecast)) {
                Some(value) if value > limit => judged.broken.push(Broken { figure, limit, value }),
                Some(_) if !figure.is_least(forecast) => {}
                least => judged.unjudged.push(Unjudged { figure, limit, least }),
            }
        }
        judged
    }
}
