//! An axis in powers of ten, with its values as people read them.

/// From one power of ten to another, or to some part of it.
pub(super) struct Powers {
    low: f64,
    high: f64,
    from: i32,
    to: i32,
}

impl Powers {
    /// One on which values from `low` to `high` lie; `None` unless both are numbers above 0.
    pub(super) fn new(low: f64, high: f64, from: i32, to: i32) -> Option<Self> {
        let is_fine = |value: f64| (1e-300..1e300).contains(&value);
        if !(is_fine(low) && is_fine(high)) {
            return None;
        }
        let (low, high) = (low.log10(), high.log10());
        let high = if high - low > 1e-6 { high } else { low + 1e-6 };
        Some(Self { low, high, from, to })
    }

    /// Where a value above 0 lies.
    pub(super) fn at(&self, value: f64) -> i32 {
        let share = ((value.log10() - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + (share * f64::from(self.to - self.from)).round() as i32
    }

    /// A value at a share of the axis.
    pub(super) fn value(&self, share: f64) -> f64 {
        10f64.powf(self.low + share * (self.high - self.low))
    }

    /// Round values: whole powers of a base that lie on it, and some of their multiples.
    pub(super) fn ticks(&self, base: f64, multiples: &[f64]) -> Vec<f64> {
        let (low, high) = (10f64.powf(self.low), 10f64.powf(self.high));
        let mut ticks = Vec::new();
        // A document from elsewhere may have numbers that no axis has.
        if !(low > 0.0 && high.is_finite()) {
            return ticks;
        }
        let mut power = base.powf((low.ln() / base.ln()).floor());
        while power <= high {
            ticks.extend(multiples.iter().map(|multiple| multiple * power));
            power *= base;
        }
        ticks.retain(|tick| (low..=high * 1.000_001).contains(tick));
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_values_lie_where_they_belong() {
        let axis = Powers::new(1.0, 1000.0, 100, 400).unwrap();
        assert_eq!(axis.ticks(10.0, &[1.0]), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!((axis.at(1.0), axis.at(10.0), axis.at(1e9)), (100, 200, 400));
        assert!((axis.value(0.5) - 31.622_776).abs() < 1e-5);
        // Nothing between does no harm.
        assert_eq!(Powers::new(5.0, 5.0, 0, 10).unwrap().at(5.0), 0);
        // Numbers that cannot be have no axis.
        for (low, high) in
            [(0.0, 0.0), (0.0, 1.0), (1.0, f64::INFINITY), (f64::NAN, 1.0), (1.0, 1e305)]
        {
            assert!(Powers::new(low, high, 0, 10).is_none());
        }
    }
}
