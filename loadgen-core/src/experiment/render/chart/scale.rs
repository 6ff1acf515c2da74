//! An axis in the unit that its values are read in: from 0 up, or in powers of ten where the
//! smallest values could not be seen beside the greatest.

use crate::experiment::metric::Unit;
use crate::report::chart::ticks;

/// From this ratio of the greatest to the smallest value on the axis has powers of ten.
const WIDE: f64 = 50.0;

pub(super) struct Scale {
    /// What the axis is called.
    pub(super) unit: String,
    /// What a value of the metric is divided by.
    by: f64,
    kind: Kind,
}

/// Values in the unit of the axis.
enum Kind {
    /// From 0 to this.
    Even(f64),
    /// From one power of ten to another.
    Powers(i32, i32),
}

impl Scale {
    /// One for these values of a metric.
    pub(super) fn new(unit: Unit, values: impl Iterator<Item = f64>) -> Self {
        const MIB: f64 = 1_048_576.0;
        let (least, greatest) = values
            .fold((f64::MAX, 0.0), |(least, most): (f64, f64), v| (least.min(v), most.max(v)));
        let (unit, by) = match unit {
            Unit::Ms if greatest >= 10_000.0 => ("s", 1e3),
            Unit::Ms => ("ms", 1.0),
            Unit::Share => ("%", 0.01),
            Unit::Bytes if greatest >= MIB => ("MiB", MIB),
            Unit::Bytes => ("KiB", 1_024.0),
            Unit::BytesPerS if greatest >= MIB => ("MiB/s", MIB),
            Unit::BytesPerS => ("KiB/s", 1_024.0),
            Unit::PerS => ("per second", 1.0),
            Unit::Count => ("count", 1.0),
        };
        // Zero has no place among powers.
        if least > 0.0 && greatest > least * WIDE {
            let power = |value: f64| (value / by).log10();
            let kind = Kind::Powers(power(least).floor() as i32, power(greatest).ceil() as i32);
            return Self { unit: format!("{unit}, powers of ten"), by, kind };
        }
        let top = if greatest > 0.0 { greatest / by * 1.08 } else { 1.0 };
        Self { unit: unit.to_owned(), by, kind: Kind::Even(top) }
    }

    /// How far up the axis a value is, from 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        let value = value / self.by;
        let share = match self.kind {
            Kind::Even(top) => value / top,
            Kind::Powers(low, high) => (value.log10() - f64::from(low)) / f64::from(high - low),
        };
        share.clamp(0.0, 1.0)
    }

    /// Round values, and how they are written.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let all = match self.kind {
            Kind::Even(top) => ticks(&(0.0..top), 5),
            Kind::Powers(low, high) => (low..=high).map(|power| 10f64.powi(power)).collect(),
        };
        let written = |tick: f64| ((tick * 1e6).round() / 1e6).to_string();
        all.into_iter().map(|tick| (tick * self.by, written(tick))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_beside_great_ones_can_be_seen() {
        let scale = Scale::new(Unit::Ms, [30.0, 9_000.0].into_iter());
        assert_eq!(scale.unit, "ms, powers of ten");
        let labels: Vec<String> = scale.ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["10", "100", "1000", "10000"]);
        assert!((scale.share(100.0) - 1.0 / 3.0).abs() < 1e-9);
        assert!(scale.share(30.0) > 0.1);
        // In another unit, the same.
        let scale = Scale::new(Unit::Ms, [30.0, 20_000.0].into_iter());
        let labels: Vec<String> = scale.ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!((scale.unit.as_str(), labels[0].as_str()), ("s, powers of ten", "0.01"));
    }

    #[test]
    fn values_that_are_near_or_zero_begin_at_zero() {
        for (values, share) in [([100.0, 200.0], 100.0 / 216.0), ([0.0, 200.0], 100.0 / 216.0)] {
            let scale = Scale::new(Unit::Count, values.into_iter());
            assert_eq!(scale.unit, "count");
            assert!((scale.share(100.0) - share).abs() < 1e-9);
        }
        let nothing = Scale::new(Unit::Ms, [0.0].into_iter());
        assert!(nothing.share(0.0).abs() < 1e-9 && !nothing.ticks().is_empty());
    }
}
