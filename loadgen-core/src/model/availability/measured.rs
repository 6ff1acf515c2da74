//! Availability where the blackout was measured.

use super::figure::Availability;
use super::planned::{PlannedError, PlannedMaintenance};
use super::rejuvenation::{Rejuvenation, RejuvenationError};
use crate::model::error::{ModelError, not_negative};
use crate::stats::{Confidence, Interval, Sample};

/// The least blackout in s that an interval begins with, so that models which need a rate have one.
const LEAST_S: f64 = 1e-9;

/// A mean blackout that was measured, in s, and where the mean lies.
///
/// Only the *mean* of the blackout enters an availability (renewal and reward; see
/// [`Rejuvenation::outcome`]), so where the availability lies is told by where the mean lies: each
/// end of the one interval becomes an end of the other, with the same coverage. The law that
/// blackouts follow does not matter, and nothing else is drawn anew.
///
/// It is the uncertainty of the blackout alone: times to age, to fail and to repair are taken as
/// they are given.
///
/// ```
/// use loadgen_core::model::availability::{MeasuredBlackout, Rejuvenation, Timer};
/// use loadgen_core::stats::Confidence;
///
/// // Four migrations: 0.3 s in the mean, and 0.3 ± 3.182446 · 0.081650 / 2 s with 95 %.
/// let measured = MeasuredBlackout::of_trials(&[0.2, 0.4, 0.3, 0.3], Confidence::P95)?;
/// assert!((measured.low_s() - 0.170_077).abs() < 1e-6);
/// assert!((measured.high_s() - 0.429_923).abs() < 1e-6);
///
/// let daily = Rejuvenation::new(720.0, 168.0, 65.0 / 60.0)
///     .with_timer(Timer::Deterministic { interval_h: 24.0 });
/// let found = measured.rejuvenation(&daily)?;
/// assert!((found.estimate.minutes_a_year() - 55.148).abs() < 1e-3);
/// // The longer blackout is the lower availability: 0.13 s more a day are 0.79 min a year.
/// assert!((found.low.minutes_a_year() - 55.937).abs() < 1e-3);
/// assert!((found.high.minutes_a_year() - 54.359).abs() < 1e-3);
/// assert!(found.low.nines() < found.high.nines());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasuredBlackout {
    mean_s: f64,
    interval: Interval,
}

/// An availability, and where it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct AvailabilityInterval {
    /// With the mean as it was measured.
    pub estimate: Availability,
    /// The lower end: the most downtime.
    pub low: Availability,
    /// The upper end: the least downtime.
    pub high: Availability,
    /// The share of such measurements whose interval holds the availability, from 0 to 1.
    pub coverage: f64,
}

/// Measurements that tell nothing of a mean.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MeasuredError {
    /// One trial says nothing of how far others may lie from it.
    #[error(
        "too few blackouts were measured ({trials}) for an interval of their mean: take 2 trials \
         at least, better 5 or more"
    )]
    TooFew {
        /// How many there are.
        trials: usize,
    },
    /// A number is out of its range.
    #[error(transparent)]
    Number(#[from] ModelError),
}

impl MeasuredBlackout {
    /// Of the blackouts (or downtimes) of trials in s, each at least 0. The interval of their mean
    /// is that of Student's t ([`Sample::mean_interval`]); below 0 there is nothing.
    ///
    /// # Errors
    /// [`MeasuredError`] for fewer than 2, or for a number that cannot be a blackout.
    pub fn of_trials(blackouts_s: &[f64], confidence: Confidence) -> Result<Self, MeasuredError> {
        for blackout_s in blackouts_s {
            not_negative("a blackout in s", *blackout_s)?;
        }
        let too_few = MeasuredError::TooFew { trials: blackouts_s.len() };
        let sample = Sample::new(blackouts_s.iter().copied()).ok_or(too_few)?;
        let interval = sample.mean_interval(confidence).ok_or(too_few)?;
        Self::of_mean(sample.mean(), interval)
    }

    /// Of a mean in s and its interval, whatever the way that it was found.
    ///
    /// # Errors
    /// [`MeasuredError::Number`] if the mean is below 0, or does not lie in its interval.
    pub fn of_mean(mean_s: f64, interval: Interval) -> Result<Self, MeasuredError> {
        not_negative("the mean blackout in s", mean_s)?;
        let within = |value: f64, fits: bool, what, range| {
            let is_fine = value.is_finite() && fits;
            is_fine.then_some(()).ok_or(ModelError { what, range, value })
        };
        let Interval { low, high, .. } = interval;
        within(low, low <= mean_s, "the lower end in s", "at most the mean")?;
        within(high, high >= mean_s, "the upper end in s", "at least the mean")?;
        let low = low.max(LEAST_S.min(mean_s));
        Ok(Self { mean_s, interval: Interval { low, ..interval } })
    }

    /// The mean, in s.
    #[must_use]
    pub fn mean_s(&self) -> f64 {
        self.mean_s
    }

    /// The lower end of its interval, in s: at least 0.
    #[must_use]
    pub fn low_s(&self) -> f64 {
        self.interval.low
    }

    /// The upper end of its interval, in s.
    #[must_use]
    pub fn high_s(&self) -> f64 {
        self.interval.high
    }

    /// What a machine that is moved by a timer comes to; its own blackout does not count.
    ///
    /// # Errors
    /// As of [`Rejuvenation::outcome`].
    pub fn rejuvenation(
        &self,
        machine: &Rejuvenation,
    ) -> Result<AvailabilityInterval, RejuvenationError> {
        self.through(|blackout_s| Ok(machine.with_blackout_s(blackout_s).outcome()?.availability))
    }

    /// What planned maintenance comes to with migration; its own blackout does not count.
    ///
    /// ```
    /// use loadgen_core::model::availability::{MeasuredBlackout, PlannedMaintenance};
    /// use loadgen_core::stats::Confidence;
    ///
    /// let measured = MeasuredBlackout::of_trials(&[0.2, 0.4, 0.3, 0.3], Confidence::P95)?;
    /// // 24 moves a year: 7.2 s, and up to 10.32 s.
    /// let found = measured.maintenance(&PlannedMaintenance::new(12.0, 1.0))?;
    /// assert!((found.estimate.minutes_a_year() * 60.0 - 7.2).abs() < 1e-9);
    /// assert!((found.low.minutes_a_year() * 60.0 - 24.0 * measured.high_s()).abs() < 1e-9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As of [`PlannedMaintenance::with_migration`].
    pub fn maintenance(
        &self,
        plan: &PlannedMaintenance,
    ) -> Result<AvailabilityInterval, PlannedError> {
        self.through(|blackout_s| plan.with_blackout_s(blackout_s).with_migration())
    }

    /// What any model comes to that makes an availability of a mean blackout in s, and less of
    /// it with each longer one (or more with each): a chain of a file, say, that takes it in
    /// place of `from_trials`.
    ///
    /// ```
    /// use loadgen_core::model::availability::{MeasuredBlackout, ModelFile};
    /// use loadgen_core::stats::{Confidence, Interval};
    ///
    /// let text = r#"
    ///     [chain]
    ///     up = ["up"]
    ///     [[chain.move]]
    ///     from = "up"
    ///     to = "moved"
    ///     mean = "999s"
    ///     [[chain.move]]
    ///     from = "moved"
    ///     to = "up"
    ///     from_trials = "results"
    /// "#;
    /// let interval = Interval { low: 0.5, high: 1.5, coverage: 0.95 };
    /// let measured = MeasuredBlackout::of_mean(1.0, interval)?;
    /// let found = measured.through(|blackout_s| {
    ///     let file = ModelFile::parse_with_trials(text, "vm.toml".as_ref(), &|_| Ok(blackout_s))?;
    ///     Ok::<_, Box<dyn std::error::Error>>(file.solve()?.distribution.availability())
    /// })?;
    /// assert!((found.estimate.up() - 0.999).abs() < 1e-15);
    /// assert!((found.low.up() - 999.0 / 1000.5).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of the model.
    pub fn through<E>(
        &self,
        model: impl Fn(f64) -> Result<Availability, E>,
    ) -> Result<AvailabilityInterval, E> {
        let estimate = model(self.mean_s)?;
        let (one, other) = (model(self.interval.low)?, model(self.interval.high)?);
        let (low, high) = if one.down() < other.down() { (other, one) } else { (one, other) };
        Ok(AvailabilityInterval { estimate, low, high, coverage: self.interval.coverage })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::timer::Timer;
    use super::*;

    #[test]
    fn what_tells_nothing_is_refused() {
        let told = |trials: &[f64]| {
            MeasuredBlackout::of_trials(trials, Confidence::P95).unwrap_err().to_string()
        };
        assert!(told(&[]).starts_with("too few blackouts were measured (0)"));
        assert!(told(&[0.3]).starts_with("too few blackouts were measured (1)"));
        for wrong in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(told(&[0.3, wrong]).starts_with("a blackout in s must be 0 or a number above"));
        }
        let mean = |mean_s, low, high| {
            let interval = Interval { low, high, coverage: 0.9 };
            MeasuredBlackout::of_mean(mean_s, interval).map(|found| found.low_s())
        };
        assert_eq!(mean(1.0, -3.0, 5.0), Ok(LEAST_S), "the mean of what is above 0 is, too");
        assert_eq!(mean(0.0, -3.0, 5.0), Ok(0.0));
        for (mean_s, low, high) in
            [(-1.0, -2.0, 0.0), (1.0, 1.5, 2.0), (1.0, 0.0, 0.5), (1.0, f64::NAN, 2.0)]
        {
            let error = mean(mean_s, low, high);
            assert!(matches!(error, Err(MeasuredError::Number(_))), "{mean_s} {low} {high}");
        }
        let machine = Rejuvenation::new(-1.0, 1.0, 1.0);
        let measured = MeasuredBlackout::of_trials(&[0.3, 0.3], Confidence::P95).unwrap();
        assert!(measured.rejuvenation(&machine).is_err());
        assert!(measured.maintenance(&PlannedMaintenance::new(-1.0, 1.0)).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The interval holds its estimate, and any mean within gives an availability within.
        #[test]
        fn what_is_within_stays_within(
            trials in prop::collection::vec(0.0..5.0_f64, 2..12),
            (aging_h, interval_h) in (1.0..1e4_f64, 0.1..1e3_f64),
            at in 0.0..=1.0_f64,
        ) {
            let measured = MeasuredBlackout::of_trials(&trials, Confidence::P95).unwrap();
            let timer = Timer::Deterministic { interval_h };
            let machine = Rejuvenation::new(aging_h, 168.0, 1.0).with_timer(timer);
            let found = measured.rejuvenation(&machine).unwrap();
            let between = measured.low_s() + at * (measured.high_s() - measured.low_s());
            let between = machine.with_blackout_s(between).outcome().unwrap().availability;
            for inner in [found.estimate, between] {
                let slack = 1e-14 * inner.down();
                prop_assert!(found.high.down() <= inner.down() + slack, "{:?}", found);
                prop_assert!(inner.down() <= found.low.down() + slack, "{:?}", found);
            }
            prop_assert_eq!(found.coverage, 0.95);
        }
    }
}
