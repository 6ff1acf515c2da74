//! Numbers that know how they change with the parameters of a model.

use std::ops::{Add, Div, Mul};

/// Parameters that are followed.
const PARAMETERS: usize = 5;

/// A number, and how much it grows when the logarithm of a parameter does: derivatives that
/// are exact to rounding, by the rules of sums, products and quotients (Wengert, *CACM* 7, 1964).
#[derive(Debug, Clone, Copy)]
pub(super) struct Dual {
    pub(super) value: f64,
    pub(super) slopes: [f64; PARAMETERS],
}

impl Dual {
    pub(super) fn constant(value: f64) -> Self {
        Self { value, slopes: [0.0; PARAMETERS] }
    }

    /// The parameter of this number itself.
    pub(super) fn parameter(value: f64, number: usize) -> Self {
        Self::constant(value).with_slope(number, value)
    }

    pub(super) fn with_slope(mut self, number: usize, slope: f64) -> Self {
        if let Some(slot) = self.slopes.get_mut(number) {
            *slot = slope;
        }
        self
    }

    /// Its slope for a parameter.
    pub(super) fn slope(&self, number: usize) -> f64 {
        self.slopes.get(number).copied().unwrap_or(0.0)
    }

    fn joined(self, other: Self, value: f64, slope: impl Fn(f64, f64) -> f64) -> Self {
        let mut slopes = self.slopes;
        slopes.iter_mut().zip(other.slopes).for_each(|(own, other)| *own = slope(*own, other));
        Self { value, slopes }
    }
}

impl Add for Dual {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.joined(other, self.value + other.value, |own, other| own + other)
    }
}

impl Mul for Dual {
    type Output = Self;

    #[expect(clippy::suspicious_arithmetic_impl, reason = "the slope of a product is a sum")]
    fn mul(self, by: Self) -> Self {
        let value = self.value * by.value;
        self.joined(by, value, |own, other| own * by.value + other * self.value)
    }
}

impl Div for Dual {
    type Output = Self;

    #[expect(clippy::suspicious_arithmetic_impl, reason = "the slope of a quotient is more")]
    fn div(self, by: Self) -> Self {
        let value = self.value / by.value;
        self.joined(by, value, |own, other| (own - other * value) / by.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_follow_the_rules() {
        let (x, y) = (Dual::parameter(3.0, 0), Dual::parameter(7.0, 1));
        let product = x * y * y;
        assert_eq!((product.value, product.slope(0), product.slope(1)), (147.0, 147.0, 294.0));
        let inverse = Dual::constant(1.0) / x;
        assert!((inverse.slope(0) + 1.0 / 3.0).abs() < 1e-15);
        let sum = x + Dual::constant(1.0) / y;
        assert_eq!((sum.slope(0), sum.slope(1), sum.slope(9)), (3.0, -1.0 / 7.0, 0.0));
    }
}
