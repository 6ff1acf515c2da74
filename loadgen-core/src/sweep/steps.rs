//! The rates of a sweep: a range with a step, or a list.

use std::str::FromStr;

use crate::units::{UnitError, parse_rate};

/// Rates in the order in which they are run, calls a second. None is there
/// twice, all are above 0, and there are from 1 to 10,000 of them.
///
/// ```
/// use loadgen_core::sweep::Steps;
///
/// assert_eq!("100..300/100".parse::<Steps>()?.rates(), [100.0, 200.0, 300.0]);
/// assert_eq!(Steps::list([50.0, 500.0])?.rates(), [50.0, 500.0]);
/// # Ok::<(), loadgen_core::sweep::StepsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Steps(Vec<f64>);

/// Rates that make no sweep.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StepsError {
    /// A part of the text is no rate.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// The text is neither a range nor a list.
    #[error("'{0}' is no range of rates: write LOW..HIGH/STEP, such as 100..2000/100")]
    Form(String),
    /// The range leads nowhere.
    #[error("the range is empty: the lowest rate, {low}, is above the highest, {high}")]
    Empty {
        /// Calls a second.
        low: f64,
        /// Calls a second.
        high: f64,
    },
    /// A rate or a step that is not above 0.
    #[error("{what} must be above 0 and at most 10,000,000 per second, not {value}")]
    Value {
        /// Which.
        what: &'static str,
        /// Calls a second.
        value: f64,
    },
    /// A rate is there twice.
    #[error("the rate {0} is there twice")]
    Twice(f64),
    /// More than anyone waits for.
    #[error("a sweep has at most 10,000 steps, not {0}: take a larger step")]
    Many(u64),
}

impl Steps {
    /// Most steps of a sweep.
    pub const MOST: u64 = 10_000;

    /// From `low` up to and including `high`, `step` apart (calls a second).
    ///
    /// # Errors
    /// [`StepsError`] if that is no rate at all, or more than [`Self::MOST`].
    pub fn range(low: f64, high: f64, step: f64) -> Result<Self, StepsError> {
        check("the lowest rate", low)?;
        check("the highest rate", high)?;
        check("the step", step)?;
        if low > high {
            return Err(StepsError::Empty { low, high });
        }
        // A step that falls on `high` but for rounding belongs to the range.
        let last = ((high - low) / step + 1e-9).floor();
        if last >= Self::MOST as f64 {
            return Err(StepsError::Many((last + 1.0) as u64));
        }
        Ok(Self((0..=last as u64).map(|k| low + k as f64 * step).collect()))
    }

    /// These rates, in this order (calls a second).
    ///
    /// # Errors
    /// [`StepsError`] for no rate at all, one that is none, or one twice.
    pub fn list(rates: impl IntoIterator<Item = f64>) -> Result<Self, StepsError> {
        let mut list: Vec<f64> = Vec::new();
        for rate in rates {
            check("a rate", rate)?;
            if list.contains(&rate) {
                return Err(StepsError::Twice(rate));
            }
            if list.len() as u64 == Self::MOST {
                return Err(StepsError::Many(Self::MOST + 1));
            }
            list.push(rate);
        }
        if list.is_empty() { Err(StepsError::Form(String::new())) } else { Ok(Self(list)) }
    }

    /// The rates, calls a second.
    #[must_use]
    pub fn rates(&self) -> &[f64] {
        &self.0
    }
}

impl FromStr for Steps {
    type Err = StepsError;

    /// `100..2000/100` or `100,200,400`; each rate as [`parse_rate`] reads it.
    fn from_str(text: &str) -> Result<Self, StepsError> {
        let Some((low, rest)) = text.split_once("..") else {
            let rates: Result<Vec<f64>, UnitError> = text.split(',').map(parse_rate).collect();
            return Self::list(rates?);
        };
        // A rate may hold a slash of its own (60/m): the one that separates is the
        // one with a rate on both sides, of which there is at most one.
        let low = parse_rate(low)?;
        let (high, step) = rest
            .match_indices('/')
            .find_map(|(at, _)| {
                let (high, step) = (rest.get(..at)?, rest.get(at + 1..)?);
                Some((parse_rate(high).ok()?, parse_rate(step).ok()?))
            })
            .ok_or_else(|| StepsError::Form(text.escape_debug().to_string()))?;
        Self::range(low, high, step)
    }
}

/// Parses the bounds of a search: `50..5000`, or `50..` without an upper one.
///
/// # Errors
/// [`StepsError`] if they are none.
pub fn parse_bounds(text: &str) -> Result<(f64, Option<f64>), StepsError> {
    let (low, high) = text.split_once("..").ok_or_else(|| {
        StepsError::Form(format!("{} (bounds are LOW..HIGH or LOW..)", text.escape_debug()))
    })?;
    let low = parse_rate(low)?;
    check("the lowest rate", low)?;
    if high.trim().is_empty() {
        return Ok((low, None));
    }
    let high = parse_rate(high)?;
    check("the highest rate", high)?;
    if low > high { Err(StepsError::Empty { low, high }) } else { Ok((low, Some(high))) }
}

fn check(what: &'static str, value: f64) -> Result<(), StepsError> {
    let is_rate = value.is_finite() && value > 0.0 && value <= 1e7;
    if is_rate { Ok(()) } else { Err(StepsError::Value { what, value }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rates(text: &str) -> Vec<f64> {
        text.parse::<Steps>().unwrap().0
    }

    #[test]
    fn ranges_and_lists() {
        assert_eq!(rates("100..500/200"), [100.0, 300.0, 500.0]);
        assert_eq!(rates("100..499/200"), [100.0, 300.0]);
        assert_eq!(rates("5..5/1"), [5.0]);
        assert_eq!(rates("0.1..0.3/0.1").len(), 3);
        assert_eq!(rates("1k..2k/500"), [1000.0, 1500.0, 2000.0]);
        assert_eq!(rates("1/s..3/s/1/s"), [1.0, 2.0, 3.0]);
        assert_eq!(rates("60/m..2/60/m"), [1.0, 2.0]);
        assert_eq!(rates("400, 100,60/m"), [400.0, 100.0, 1.0]);
        assert_eq!(rates("7"), [7.0]);
    }

    #[test]
    fn what_is_no_sweep_is_refused() {
        for (text, word) in [
            ("", "not a rate"),
            ("100..200", "LOW..HIGH/STEP"),
            ("100..200/", "LOW..HIGH/STEP"),
            ("200..100/10", "empty"),
            ("0..100/10", "above 0"),
            ("10..100/0", "the step must be above 0"),
            ("1..10000000/1", "larger step"),
            ("1..1e9/1", "LOW..HIGH/STEP"),
            ("100,,200", "not a rate"),
            ("100,100", "twice"),
            ("0", "above 0"),
            ("-5", "not a rate"),
        ] {
            let error = text.parse::<Steps>().unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        assert!(Steps::list([]).is_err());
        assert!(Steps::range(1.0, f64::INFINITY, 1.0).is_err());
        assert!(Steps::range(f64::NAN, 2.0, 1.0).is_err());
    }

    #[test]
    fn bounds() {
        assert_eq!(parse_bounds("50..5k").unwrap(), (50.0, Some(5000.0)));
        assert_eq!(parse_bounds("50..").unwrap(), (50.0, None));
        for bad in ["50", "..", "0..5", "6..5", "5..x"] {
            assert!(parse_bounds(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9./,kMsm ]{0,20}") {
            if let Ok(steps) = text.parse::<Steps>() {
                prop_assert!(steps.rates().iter().all(|rate| *rate > 0.0 && *rate <= 1e7 + 1.0));
                prop_assert!(!steps.rates().is_empty());
            }
            let _ = parse_bounds(&text);
        }
    }
}
