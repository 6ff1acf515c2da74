//! A figure of a strategy, as people read it.

use crate::model::strategies::Figure;
use crate::report::sections::cell;

/// A figure with its unit.
pub(super) fn value(figure: Figure, value: f64) -> String {
    match figure {
        Figure::LostCalls | Figure::LateCalls => cell::count(value as u64),
        Figure::Outage | Figure::Downtime | Figure::Total => cell::millis(value * 1e3),
        Figure::Sent => cell::bytes(value as u64),
    }
}
