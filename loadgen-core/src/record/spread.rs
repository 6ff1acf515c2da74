//! How values spread, from sums that can be added.

use serde::{Deserialize, Serialize};

/// Smallest, mean, largest and spread of a set of values.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Moments {
    /// Values, at least 1.
    pub count: u64,
    /// Smallest.
    pub min: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Largest.
    pub max: f64,
    /// Sample standard deviation (n − 1); `None` with fewer than two values.
    pub stddev: Option<f64>,
}

/// Sums from which mean and standard deviation come.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) count: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// Sum of the squared distances from the mean.
    squares: f64,
}

impl Spread {
    /// Welford (1962): no cancellation when all values are nearly equal.
    pub(crate) fn add(&mut self, value: f64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    /// Chan, Golub & LeVeque (1979).
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let (n, m) = (self.count as f64, other.count as f64);
        let distance = other.mean - self.mean;
        self.mean += distance * m / (n + m);
        self.squares += other.squares + distance * distance * n * m / (n + m);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.count += other.count;
    }

    pub(crate) fn moments(&self) -> Option<Moments> {
        let stddev = || (self.squares / (self.count - 1) as f64).sqrt();
        (self.count > 0).then(|| Moments {
            count: self.count,
            min: self.min,
            mean: self.mean,
            max: self.max,
            stddev: (self.count > 1).then(stddev),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn moments_are_those_of_the_values(values in prop::collection::vec(0.0..1e4_f64, 2..50), at in 0_usize..50) {
            let at = at.min(values.len());
            let (mut left, mut right) = (Spread::default(), Spread::default());
            values[..at].iter().for_each(|v| left.add(*v));
            values[at..].iter().for_each(|v| right.add(*v));
            left.merge(&right);
            let moments = left.moments().unwrap();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            prop_assert!((moments.mean - mean).abs() < 1e-6);
            prop_assert!((moments.stddev.unwrap() - variance.sqrt()).abs() < 1e-6);
            prop_assert_eq!(moments.min, values.iter().copied().fold(f64::INFINITY, f64::min));
            prop_assert_eq!(moments.max, values.iter().copied().fold(0.0, f64::max));
        }
    }
}
