//! Two phases that follow each other, each of exponential length: how far they are after a time.
//!
//! No function here subtracts numbers that are alike, so each result has nearly all of its
//! digits, for phases of equal length and for times near 0 too.

/// The mean of e^-zs over s from 0 to 1.
pub(super) fn mean_left(z: f64) -> f64 {
    if z == 0.0 { 1.0 } else { -(-z).exp_m1() / z }
}

/// The mean of s e^-zs over s from 0 to 1, for z of at least 0.
pub(super) fn mean_late(z: f64) -> f64 {
    if z < 1.0 {
        return series(z, |n| 1.0 / (n + 2.0));
    }
    (1.0 - (1.0 + z) * (-z).exp()) / (z * z)
}

/// The mean of (1 - s) e^-zs over s from 0 to 1, for z of at least 0.
fn mean_early(z: f64) -> f64 {
    if z < 1.0 {
        return series(z, |n| 1.0 / ((n + 1.0) * (n + 2.0)));
    }
    (z + (-z).exp_m1()) / (z * z)
}

/// The sum of (-z)^n / n! times the moment of n, for z from 0 to 1.
fn series(z: f64, moment: impl Fn(f64) -> f64) -> f64 {
    let (mut sum, mut power) = (0.0, 1.0);
    for n in 0..24 {
        let n = f64::from(n);
        sum += power * moment(n);
        power *= -z / (n + 1.0);
    }
    sum
}

/// Two phases after a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct TwoPhases {
    /// How often the first would have ended by then: the time by its mean.
    first: f64,
    /// The same of the second.
    second: f64,
}

impl TwoPhases {
    pub(super) fn new(first: f64, second: f64) -> Self {
        Self { first, second }
    }

    /// The mean of e^-(first s + second (1 - s)) over s from 0 to 1.
    fn within(&self) -> f64 {
        (-self.first.min(self.second)).exp() * mean_left((self.first - self.second).abs())
    }

    /// How likely it is that both have not ended.
    pub(super) fn unended(&self) -> f64 {
        (-self.first).exp() + self.first * self.within()
    }

    /// How likely it is that both have ended.
    pub(super) fn ended(&self) -> f64 {
        let (x, y) = (self.first, self.second);
        let (most, apart) = (x.max(y), (x - y).abs());
        if most < 1.0 {
            // The divided difference of the mean above, by complete homogeneous polynomials.
            let (mut sum, mut polynomial, mut power, mut sign_by_factorial) = (0.0, 0.0, 1.0, 0.5);
            for n in 1..24 {
                polynomial = polynomial * x + power;
                power *= y;
                sum += sign_by_factorial * polynomial;
                sign_by_factorial /= -f64::from(n + 2);
            }
            return x * y * sum;
        }
        if apart > most / 2.0 {
            return x * y * (mean_left(x) - mean_left(y)) / (y - x);
        }
        // Neither is far from its end, so this is no small number.
        1.0 - self.unended()
    }

    /// How much [`ended`](Self::ended) grows with the logarithm of the time.
    pub(super) fn by_time(&self) -> f64 {
        self.first * self.second * self.within()
    }

    /// How much it grows with the logarithm of the rate of the first phase.
    pub(super) fn by_first(&self) -> f64 {
        let (x, y) = (self.first, self.second);
        let mean =
            if x >= y { (-y).exp() * mean_late(x - y) } else { (-x).exp() * mean_early(y - x) };
        x * y * mean
    }

    /// How much it grows with the logarithm of the rate of the second phase.
    pub(super) fn by_second(&self) -> f64 {
        Self { first: self.second, second: self.first }.by_first()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simpson's rule with many steps.
    fn mean(of: impl Fn(f64) -> f64) -> f64 {
        let steps = 10_000;
        let at = |i: i32| of(f64::from(i) / f64::from(steps));
        let inner: f64 = (1..steps).map(|i| at(i) * if i % 2 == 0 { 2.0 } else { 4.0 }).sum();
        (at(0) + inner + at(steps)) / 3.0 / f64::from(steps)
    }

    #[test]
    fn as_by_quadrature() {
        let sizes = [1e-9, 1e-4, 0.03, 0.9, 0.999_999, 1.0, 1.5, 4.0, 12.0];
        for x in sizes {
            for y in sizes {
                let two = TwoPhases::new(x, y);
                let close = |name: &str, wanted: f64, got: f64| {
                    assert!(
                        (wanted - got).abs() < 1e-10 * wanted,
                        "{name} {x} {y}: {wanted} {got}"
                    );
                };
                // The first ends at s of the time, the second before the rest is over.
                let ended = mean(|s| x * (-x * s).exp() * -(-y * (1.0 - s)).exp_m1());
                close("ended", ended, two.ended());
                if ended < 0.9 {
                    close("unended", 1.0 - ended, two.unended());
                }
                let both = |s: f64| x * y * (-x * s - y * (1.0 - s)).exp();
                close("time", mean(both), two.by_time());
                close("first", mean(|s| s * both(s)), two.by_first());
                close("second", mean(|s| (1.0 - s) * both(s)), two.by_second());
            }
        }
    }

    #[test]
    fn far_ends_are_no_trouble() {
        for (x, y) in [(0.0, 0.0), (1e4, 1e4), (1e4, 1e-3), (0.0, 1e4), (1e-300, 1e-300)] {
            let two = TwoPhases::new(x, y);
            assert!((two.ended() + two.unended() - 1.0).abs() < 1e-12, "{x} {y}: {two:?}");
            for slope in [two.by_time(), two.by_first(), two.by_second()] {
                assert!(slope >= 0.0 && slope.is_finite(), "{x} {y}: {slope}");
            }
        }
    }
}
