//! A handful of numbers, and what is known of the law that they come from.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::confidence::Confidence;
use super::ranks::rank_by_normal;

/// Trials up to which the coverage of an interval of the median is exact; beyond, it is that of
/// the normal law.
const MOST_EXACT: usize = 1_000;

/// Numbers of which each is one trial, in order of their size.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample(Vec<f64>);

/// Where a parameter lies, with the coverage that the interval really has: of order statistics
/// and ranks it is mostly more than was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The share of samples whose interval holds the parameter, from 0 to 1.
    pub coverage: f64,
}

/// Where the median lies, by order statistics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MedianInterval {
    /// There is an interval: its ends are trials.
    Found {
        /// The interval.
        interval: Interval,
        /// Which of the trials its ends are, in order of their size, from 1.
        ranks: (usize, usize),
    },
    /// There are too few trials for the confidence that was asked for.
    TooFew {
        /// The coverage of the widest interval that there is, from the least to the greatest.
        largest_coverage: f64,
    },
}

impl MedianInterval {
    /// The interval, if there is one.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        match self {
            Self::Found { interval, .. } => Some(*interval),
            Self::TooFew { .. } => None,
        }
    }
}

impl Sample {
    /// These numbers; `None` if there are none, or one is not finite.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        if values.is_empty() || !values.iter().all(|value| value.is_finite()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        Some(Self(values))
    }

    /// The numbers, in order of their size.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// How many there are, at least 1.
    #[must_use]
    pub fn n(&self) -> usize {
        self.0.len()
    }

    /// The least.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.0[0]
    }

    /// The greatest.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.0[self.n() - 1]
    }

    /// The arithmetic mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.n() as f64
    }

    /// The median: of an even number the mean of the two in the middle.
    #[must_use]
    pub fn median(&self) -> f64 {
        median(&self.0)
    }

    /// The standard deviation (with n − 1); `None` for one trial.
    #[must_use]
    pub fn sd(&self) -> Option<f64> {
        let mean = self.mean();
        let squares: f64 = self.0.iter().map(|value| (value - mean).powi(2)).sum();
        (self.n() > 1).then(|| (squares / (self.n() - 1) as f64).sqrt())
    }

    /// The standard deviation as a share of the mean; `None` for one trial, or of mean 0.
    #[must_use]
    pub fn cv(&self) -> Option<f64> {
        let mean = self.mean();
        self.sd().filter(|_| mean != 0.0).map(|sd| sd / mean.abs())
    }

    /// Where the mean lies, by Student's t (Gosset, "Student", 1908): exact for normal values,
    /// and far too narrow where a few trials of a second mode are rare. `None` for one trial.
    #[must_use]
    pub fn mean_interval(&self, confidence: Confidence) -> Option<Interval> {
        let half = t_quantile(self.n(), confidence)? * self.sd()? / (self.n() as f64).sqrt();
        let mean = self.mean();
        Some(Interval { low: mean - half, high: mean + half, coverage: confidence.share() })
    }

    /// Where the median lies, by order statistics: right whatever the law, with the coverage
    /// that is told (Conover, *Practical Nonparametric Statistics*, 3rd ed., §3.2).
    #[must_use]
    pub fn median_interval(&self, confidence: Confidence) -> MedianInterval {
        let n = self.n();
        if n > MOST_EXACT {
            let found = rank_by_normal(n as f64 / 2.0, (n as f64).sqrt() / 2.0, confidence);
            let nothing = MedianInterval::TooFew { largest_coverage: 1.0 };
            return found.map_or(nothing, |(rank, coverage)| self.between(rank, coverage));
        }
        // How many of n fall below the median: binomial, of 1/2.
        let mut term = 0.5_f64.powi(n as i32);
        let mut below = 0.0;
        let mut found = None;
        let widest = 1.0 - 2.0 * term;
        for rank in 1..=n / 2 {
            below += term;
            let coverage = 1.0 - 2.0 * below;
            if coverage < confidence.share() {
                break;
            }
            found = Some((rank, coverage));
            term *= (n - rank + 1) as f64 / rank as f64;
        }
        match found {
            Some((rank, coverage)) => self.between(rank, coverage),
            None => MedianInterval::TooFew { largest_coverage: widest.max(0.0) },
        }
    }

    /// From the trial of this rank to that of the same rank from above.
    fn between(&self, rank: usize, coverage: f64) -> MedianInterval {
        let other = self.n() + 1 - rank;
        let interval = Interval { low: self.0[rank - 1], high: self.0[other - 1], coverage };
        MedianInterval::Found { interval, ranks: (rank, other) }
    }

    /// The trials that lie far from the others: more than three robust deviations (1.4826
    /// times the median distance from the median) from the median. They are told, never left
    /// out.
    #[must_use]
    pub fn outliers(&self) -> Vec<f64> {
        let center = self.median();
        let mut distances: Vec<f64> = self.0.iter().map(|value| (value - center).abs()).collect();
        distances.sort_by(f64::total_cmp);
        let limit = 3.0 * 1.4826 * median(&distances);
        if limit == 0.0 {
            return Vec::new();
        }
        self.0.iter().copied().filter(|value| (value - center).abs() > limit).collect()
    }

    /// Whether they fall into two groups: the widest gap between neighbours is more than 40 % of
    /// the range, and at least two trials lie on each side. A hint, no test. Between which two
    /// values the gap is.
    #[must_use]
    pub fn two_groups(&self) -> Option<(f64, f64)> {
        let range = self.max() - self.min();
        let gaps = self.0.windows(2).map(|two| (two[0], two[1])).enumerate();
        let width = |&(_, (low, high)): &(usize, (f64, f64))| high - low;
        let (at, gap) = gaps.max_by(|a, b| width(a).total_cmp(&width(b)))?;
        let both = at + 1 >= 2 && self.n() - (at + 1) >= 2;
        (both && gap.1 - gap.0 > 0.4 * range).then_some(gap)
    }
}

/// The median of numbers in order; there is at least one.
pub(super) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// The quantile of Student's t that leaves out half of `1 - confidence` above it, for the mean
/// of `n` values.
pub(crate) fn t_quantile(n: usize, confidence: Confidence) -> Option<f64> {
    let freedom = n.checked_sub(1).filter(|freedom| *freedom > 0)?;
    let law = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some(law.inverse_cdf(confidence.upper()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_sample_is_none() {
        assert_eq!(Sample::new([]), None);
        assert_eq!(Sample::new([1.0, f64::NAN]), None);
        assert_eq!(Sample::new([f64::INFINITY]), None);
        let one = Sample::new([3.0]).unwrap();
        assert_eq!((one.n(), one.median(), one.sd(), one.cv()), (1, 3.0, None, None));
        assert_eq!(one.mean_interval(Confidence::P95), None);
        assert_eq!(
            one.median_interval(Confidence::P95),
            MedianInterval::TooFew { largest_coverage: 0.0 }
        );
    }

    #[test]
    fn outliers_and_groups_are_told() {
        let sample = |values: &[f64]| Sample::new(values.iter().copied()).unwrap();
        let one_far = sample(&[12.4, 13.4, 17.5, 12.9, 14.1, 13.3, 15.0, 29.8]);
        assert_eq!(one_far.outliers(), [29.8]);
        assert_eq!(one_far.two_groups(), None, "one alone is no group");
        let two = sample(&[10.0, 10.1, 10.2, 15.0, 15.1, 10.3]);
        assert_eq!(two.two_groups(), Some((10.3, 15.0)));
        assert_eq!(sample(&[3.0; 5]).outliers(), [0.0; 0]);
        assert_eq!(sample(&[3.0; 5]).two_groups(), None);
    }

    proptest! {
        /// The interval of the median is as narrow as its confidence allows, and is the same
        /// seen from the other side.
        #[test]
        fn intervals_of_the_median(values in prop::collection::vec(-1e3..1e3_f64, 1..80)) {
            let sample = Sample::new(values.iter().copied()).unwrap();
            let mirrored = Sample::new(values.iter().map(|value| -value)).unwrap();
            match (sample.median_interval(Confidence::P95), mirrored.median_interval(Confidence::P95)) {
                (MedianInterval::Found { interval, ranks }, MedianInterval::Found { interval: other, .. }) => {
                    prop_assert!(interval.coverage >= 0.95 && sample.n() >= 6);
                    prop_assert!(interval.low <= sample.median() && sample.median() <= interval.high);
                    prop_assert_eq!((interval.low, interval.high), (-other.high, -other.low));
                    prop_assert_eq!(ranks.0 + ranks.1, sample.n() + 1);
                }
                (MedianInterval::TooFew { largest_coverage }, _) => {
                    prop_assert!(sample.n() < 6 && largest_coverage < 0.95);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
