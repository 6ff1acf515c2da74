//! A parameter of machines that were never recorded, from those of others.

use super::fitted::{CONFIDENCE, Fitted};
use super::of_recordings::Fit;
use super::parameter::Parameter;
use crate::stats::Line;

/// A parameter at some level of a factor (memory of the machine, rate of a load, …), by a straight
/// line through those of fits at other levels. `None` with fewer than two different levels at which
/// it is known.
///
/// ```
/// use loadgen_core::model::fit::{Fit, Parameter, along};
///
/// let fit = |memory| Fit::default().with_value(Parameter::Memory, memory);
/// let fits = [(512.0, fit(290e6)), (1024.0, fit(430e6))];
/// let of_768 = along(Parameter::Memory, 768.0, &fits).unwrap();
/// assert!((of_768.value - 360e6).abs() < 1.0);
/// ```
#[must_use]
pub fn along(parameter: Parameter, level: f64, fits: &[(f64, Fit)]) -> Option<Fitted> {
    let point = |(at, fit): &(f64, Fit)| Some((*at, fit.known.get(&parameter)?.value));
    let points: Vec<(f64, f64)> = fits.iter().filter_map(point).collect();
    // Through the level that is asked for: there the intercept is the value.
    let moved: Vec<(f64, f64)> = points.iter().map(|(at, value)| (at - level, *value)).collect();
    let line = Line::through(&moved)?;
    let interval = line.intercept_interval(CONFIDENCE);
    Some(Fitted::within(line.intercept.max(0.0), interval, line.n))
}
