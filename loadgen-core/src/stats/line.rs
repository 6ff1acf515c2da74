//! A straight line through points.

use super::confidence::Confidence;
use super::sample::{Interval, t_quantile};

/// A straight line through points, by least squares: `y = intercept + slope · x`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Line {
    /// y where x is 0.
    pub intercept: f64,
    /// What y grows by with each x.
    pub slope: f64,
    /// Standard error of the intercept; `None` with two points.
    pub intercept_error: Option<f64>,
    /// Standard error of the slope; `None` with two points.
    pub slope_error: Option<f64>,
    /// Share of the variance of y that the line explains; `None` where all y are the same.
    pub r2: Option<f64>,
    /// How many points.
    pub n: usize,
}

impl Line {
    /// Through points `(x, y)`. `None` with fewer than two different x, or with a number that is
    /// not finite.
    ///
    /// ```
    /// use loadgen_core::stats::Line;
    ///
    /// let line = Line::through(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]).unwrap();
    /// assert_eq!((line.intercept, line.slope, line.r2), (1.0, 2.0, Some(1.0)));
    ///
    /// // Seconds of migrations on hosts of which 100, 80, 60, 40 and 20 % of the CPU were free,
    /// // over the inverse of that share: T = a + b/cpu.
    /// let trials = [(1.0, 7.9), (1.25, 8.6), (1.6667, 9.7), (2.5, 12.1), (5.0, 18.8)];
    /// let line = Line::through(&trials).unwrap();
    /// assert!((line.intercept - 5.1946).abs() < 1e-4 && (line.slope - 2.7265).abs() < 1e-4);
    /// assert!((line.slope_error.unwrap() - 0.0184).abs() < 1e-4);
    /// assert!((line.at(1.0 / 0.3) - 14.283).abs() < 1e-3);
    /// ```
    #[must_use]
    pub fn through(points: &[(f64, f64)]) -> Option<Self> {
        if points.iter().any(|(x, y)| !(x.is_finite() && y.is_finite())) {
            return None;
        }
        let n = points.len();
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n as f64;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            points.iter().map(|point| of(point.0 - x, point.1 - y)).sum()
        };
        let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
        if n < 2 || xx <= 0.0 {
            return None;
        }
        let slope = xy / xx;
        let rest = sum(&|x, y| (y - slope * x).powi(2));
        let variance = (n > 2).then(|| rest / (n - 2) as f64);
        Some(Self {
            intercept: y - slope * x,
            slope,
            intercept_error: variance.map(|v| (v * (1.0 / n as f64 + x * x / xx)).sqrt()),
            slope_error: variance.map(|v| (v / xx).sqrt()),
            r2: (yy > 0.0).then(|| 1.0 - rest / yy),
            n,
        })
    }

    /// y at some x.
    #[must_use]
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }

    /// Where the slope lies, if what is not on the line follows one normal law. `None` with two
    /// points.
    ///
    /// ```
    /// use loadgen_core::stats::{Confidence, Line};
    ///
    /// // Off by 0, 2, 0 from 1 + 2x, so that the slope has an error of √((8/3) / 2).
    /// let line = Line::through(&[(0.0, 1.0), (1.0, 5.0), (2.0, 5.0)]).unwrap();
    /// assert!((line.slope_error.unwrap() - (4.0 / 3.0_f64).sqrt()).abs() < 1e-12);
    /// // t is 12.7062 for one number beyond the two that were taken.
    /// let slope = line.slope_interval(Confidence::P95).unwrap();
    /// assert!((slope.high - (2.0 + 12.7062 * 1.154_700_5)).abs() < 1e-3);
    /// ```
    #[must_use]
    pub fn slope_interval(&self, confidence: Confidence) -> Option<Interval> {
        self.interval(self.slope, self.slope_error?, confidence)
    }

    /// The same of the intercept.
    #[must_use]
    pub fn intercept_interval(&self, confidence: Confidence) -> Option<Interval> {
        self.interval(self.intercept, self.intercept_error?, confidence)
    }

    fn interval(&self, value: f64, error: f64, confidence: Confidence) -> Option<Interval> {
        // Two numbers were taken from the points.
        let half = error * t_quantile(self.n.checked_sub(1)?, confidence)?;
        Some(Interval { low: value - half, high: value + half, coverage: confidence.share() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_line_is_none() {
        for points in [&[][..], &[(1.0, 1.0)], &[(1.0, 1.0), (1.0, 2.0)], &[(0.0, f64::NAN)]] {
            assert_eq!(Line::through(points), None);
        }
    }

    #[test]
    fn two_points_are_a_line_of_which_nothing_is_known() {
        let line = Line::through(&[(1.0, 5.0), (3.0, 9.0)]).unwrap();
        assert_eq!((line.slope, line.intercept, line.at(2.0)), (2.0, 3.0, 7.0));
        assert_eq!((line.slope_error, line.slope_interval(Confidence::P95)), (None, None));
        let flat = Line::through(&[(1.0, 5.0), (3.0, 5.0)]).unwrap();
        assert_eq!((flat.slope, flat.r2), (0.0, None));
    }
}
