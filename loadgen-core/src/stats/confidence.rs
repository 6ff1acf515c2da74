//! How sure an interval is to be.

/// How sure an interval is to be: a share of samples above 0 and below 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Confidence(f64);

impl Confidence {
    /// 95 %.
    pub const P95: Self = Self(0.95);

    /// This share; `None` unless it is above 0 and below 1.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        (share > 0.0 && share < 1.0).then_some(Self(share))
    }

    /// The share.
    #[must_use]
    pub fn share(self) -> f64 {
        self.0
    }

    /// The quantile up to which an interval goes whose two tails are alike.
    pub(super) fn upper(self) -> f64 {
        f64::midpoint(1.0, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_confidence_is_none() {
        for share in [0.0, 1.0, -0.5, 1.5, f64::NAN, f64::INFINITY] {
            assert_eq!(Confidence::new(share), None);
        }
        assert_eq!(Confidence::new(0.95), Some(Confidence::P95));
        assert_eq!(Confidence::P95.share(), 0.95);
    }
}
