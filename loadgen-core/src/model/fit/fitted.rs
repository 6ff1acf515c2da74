//! A number that was taken from recordings, and how well it is known.

use serde::{Deserialize, Serialize};

use crate::stats::{Confidence, Interval, Sample};

/// How sure all intervals of a fit are.
pub(super) const CONFIDENCE: Confidence = Confidence::P95;

/// A number that was taken from recordings, and how well it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fitted {
    /// The number, in the unit of its parameter: the one that describes the recordings best.
    pub value: f64,
    /// It is no less, with this confidence; `None`: no bound is known.
    pub low: Option<f64>,
    /// It is no more; `None`: no bound is known.
    pub high: Option<f64>,
    /// How sure the bounds are, from 0 to 1; of those that are there.
    pub confidence: f64,
    /// Of how many figures: trials, or passes.
    pub samples: usize,
    /// What of it is known.
    pub known: Known,
    /// What is to be said of it, in a sentence; empty: nothing.
    #[serde(default)]
    pub note: String,
}

/// What of a parameter the recordings tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Known {
    /// Where it lies.
    Interval,
    /// Its value, and not how far off that may be: there is but one figure of it.
    Value,
    /// That it is no less: any greater one says the same of the recordings.
    AtLeast,
    /// A value that says, together with that of another parameter, what was recorded; by itself
    /// it may be far off.
    Together,
}

impl Fitted {
    /// The median of figures of which each is one trial: one odd trial does not move it far. From
    /// six figures on its interval is that of order statistics, before it is Student's of the
    /// mean. `None` without any figure, or with one that is not finite. No parameter is below 0.
    ///
    /// ```
    /// use loadgen_core::model::fit::{Fitted, Known};
    ///
    /// let fitted = Fitted::of_trials(&[1.0, 2.0, 3.5]).unwrap();
    /// assert_eq!((fitted.value, fitted.samples, fitted.known), (2.0, 3, Known::Interval));
    /// assert_eq!(Fitted::of_trials(&[5.0]).unwrap().known, Known::Value);
    /// assert_eq!(Fitted::of_trials(&[]), None);
    /// ```
    #[must_use]
    pub fn of_trials(figures: &[f64]) -> Option<Self> {
        let sample = Sample::new(figures.iter().copied())?;
        let of_median = sample.median_interval(CONFIDENCE).interval();
        let interval = of_median.or_else(|| sample.mean_interval(CONFIDENCE));
        Some(Self::within(sample.median(), interval, sample.n()))
    }

    /// The same of figures of which some are only known to be no less than they say. Where all of
    /// these lie above the median, it is that of all, whatever they are; else it is known to be no
    /// less. Nothing bounds it from above, and from below order statistics alone.
    pub(super) fn of_bounded_trials(figures: &[f64], bounds: &[f64]) -> Option<Self> {
        if bounds.is_empty() {
            return Self::of_trials(figures);
        }
        let all: Vec<f64> = figures.iter().chain(bounds).copied().collect();
        let sample = Sample::new(all.iter().copied())?;
        // As if none of them had come to an end.
        let endless = figures.iter().copied().chain(bounds.iter().map(|_| f64::MAX));
        let is_median = Sample::new(endless)?.median() == sample.median();
        let known = if is_median { Known::Value } else { Known::AtLeast };
        let interval = sample.median_interval(CONFIDENCE).interval();
        let low = interval.map(|interval| interval.low.max(0.0));
        let note = format!(
            "of {} of {} trials it is only known that it was no less: their load ended too early",
            bounds.len(),
            all.len()
        );
        Some(Self { low, known, ..Self::within(sample.median(), None, sample.n()) }.saying(note))
    }

    /// A value with the interval that it has, if it has one.
    pub(super) fn within(value: f64, interval: Option<Interval>, samples: usize) -> Self {
        let known = if interval.is_some() { Known::Interval } else { Known::Value };
        Self {
            value,
            low: interval.map(|interval| interval.low.max(0.0)),
            high: interval.map(|interval| interval.high),
            confidence: CONFIDENCE.share(),
            samples,
            known,
            note: String::new(),
        }
    }

    /// No less than this, and nothing more is known.
    pub(super) fn at_least(value: f64, low: f64, samples: usize) -> Self {
        let known = Known::AtLeast;
        Self { low: Some(low), known, ..Self::within(value, None, samples) }
    }

    /// That it is known only together with another.
    pub(super) fn together(mut self) -> Self {
        self.known = Known::Together;
        self
    }

    /// With what is to be said of it.
    pub(super) fn saying(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A median is known as long as all that nobody saw the end of lies above it.
    #[test]
    fn what_was_cut_bounds_from_below() {
        let of = |figures: &[f64], bounds: &[f64]| {
            let fitted = Fitted::of_bounded_trials(figures, bounds).unwrap();
            (fitted.value, fitted.known, fitted.high.is_none())
        };
        assert_eq!(of(&[1.0], &[]), (1.0, Known::Value, true));
        assert_eq!(of(&[], &[2.0]), (2.0, Known::AtLeast, true));
        assert_eq!(of(&[1.0, 2.0], &[3.0]), (2.0, Known::Value, true));
        assert_eq!(of(&[2.0, 3.0], &[1.0]), (2.0, Known::AtLeast, true));
        // The upper one of the middle two is longer than it says.
        assert_eq!(of(&[1.0], &[3.0]), (2.0, Known::AtLeast, true));
        assert_eq!(of(&[1.0, 2.0], &[3.0, 4.0]), (2.5, Known::AtLeast, true));
        let two = Fitted::of_bounded_trials(&[1.0, 2.0], &[3.0]).unwrap();
        assert!(two.note.contains("of 1 of 3 trials"), "{}", two.note);
        // Three are too few for an order, and Student's interval would be of the bounds, too.
        assert_eq!(two.low, None);
        let many = Fitted::of_bounded_trials(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0]).unwrap();
        assert_eq!((many.value, many.low, many.known), (4.0, Some(1.0), Known::Value));
        assert_eq!(Fitted::of_bounded_trials(&[], &[]), None);
    }
}
