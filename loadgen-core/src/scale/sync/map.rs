//! From one shard's clock to that of shard 0, over a whole run.

use serde::{Deserialize, Serialize};

use super::offset::Offset;

/// What is known of a shard's clock: how far shard 0's is ahead of it, measured once or twice.
///
/// ```
/// use loadgen_core::scale::sync::{ClockMap, Offset};
///
/// // Shard 0 needs no measurement.
/// let map = ClockMap::new(Offset::none(0), None);
/// assert_eq!((map.to_host(1_000).ns, map.to_host(1_000).bound_ns), (1_000, 0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClockMap {
    /// Measured before the start.
    pub begin: Offset,
    /// Measured at the end, if it could be.
    pub end: Option<Offset>,
}

/// A moment of shard 0's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HostTime {
    /// In ns of shard 0's `CLOCK_MONOTONIC`.
    pub ns: u64,
    /// What it is wrong by at most, in ns.
    pub bound_ns: u64,
}

impl ClockMap {
    /// From what was measured. A second measurement that is not after the first is left out.
    #[must_use]
    pub fn new(begin: Offset, end: Option<Offset>) -> Self {
        Self { begin, end: end.filter(|end| end.at_ns > begin.at_ns) }
    }

    /// Maps a moment of this shard's `CLOCK_MONOTONIC` (ns) to that of shard 0.
    ///
    /// Between the two measurements the clocks are taken to run apart evenly: the offset is a
    /// straight line, and the bound is the larger one of the two, and 1 ns for what is rounded.
    /// Before the first, after the second, and where there is no second, the nearest counts, and
    /// its bound grows by 100 ppm of the time between ([`Offset::bound_at`]).
    #[must_use]
    pub fn to_host(self, own_ns: u64) -> HostTime {
        let (offset_ns, bound_ns) = self.offset(own_ns);
        HostTime { ns: own_ns.saturating_add_signed(offset_ns), bound_ns }
    }

    /// How much faster shard 0's clock runs than this shard's, in millionths; `None` without a
    /// second measurement. More than 100 either way is more than crystals differ: a daemon
    /// turned one of the clocks, and it is not to be believed that it did so evenly.
    #[must_use]
    pub fn drift_ppm(&self) -> Option<f64> {
        let end = self.end.filter(|end| end.at_ns > self.begin.at_ns)?;
        let change_ns = i128::from(end.ns) - i128::from(self.begin.ns);
        Some(change_ns as f64 / (end.at_ns - self.begin.at_ns) as f64 * 1e6)
    }

    fn offset(&self, own_ns: u64) -> (i64, u64) {
        let begin = self.begin;
        let alone = |offset: Offset| (offset.ns, offset.bound_at(own_ns));
        // One that was read from a file may be in any order.
        let Some(end) = self.end.filter(|end| end.at_ns > begin.at_ns) else {
            return alone(begin);
        };
        if own_ns <= begin.at_ns {
            return alone(begin);
        }
        if own_ns >= end.at_ns {
            return alone(end);
        }
        let change_ns = i128::from(end.ns) - i128::from(begin.ns);
        let gone_ns = i128::from(own_ns - begin.at_ns);
        let whole_ns = i128::from(end.at_ns - begin.at_ns);
        let turned_ns = change_ns.saturating_mul(gone_ns).div_euclid(whole_ns);
        let ns = i64::try_from(i128::from(begin.ns) + turned_ns).unwrap_or(end.ns);
        (ns, begin.bound_ns.max(end.bound_ns).saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scale::sync::offset::best;
    use crate::scale::sync::offset::invented::{Clocks, ORIGIN_NS, clocks, stamps, ways};

    fn offset(ns: i64, bound_ns: u64, at_ns: u64) -> Offset {
        Offset { ns, bound_ns, at_ns, exchanges: 32 }
    }

    #[test]
    fn between_two_measurements_it_is_a_line() {
        let map = ClockMap::new(offset(1_000, 10, 1_000_000), Some(offset(1_050, 30, 2_000_000)));
        assert_eq!(map.to_host(1_500_000), HostTime { ns: 1_501_025, bound_ns: 31 });
        // Outside, the nearest counts, and the bound grows.
        assert_eq!(map.to_host(900_000), HostTime { ns: 901_000, bound_ns: 10 + 10 });
        assert_eq!(map.to_host(2_500_000), HostTime { ns: 2_501_050, bound_ns: 30 + 50 });
        assert!((map.drift_ppm().unwrap() - 50.0).abs() < 1e-9);
    }

    #[test]
    fn a_second_measurement_must_be_after_the_first() {
        let (begin, end) = (offset(5, 1, 1_000), offset(9, 1, 1_000));
        let map = ClockMap::new(begin, Some(end));
        assert_eq!((map.end, map.drift_ppm()), (None, None));
        // Also one that comes from a file.
        let read = ClockMap { begin, end: Some(end) };
        assert_eq!(read.to_host(1_000).ns, 1_005);
        assert_eq!(read.drift_ppm(), None);
    }

    #[test]
    fn it_comes_back_from_json() {
        for end in [None, Some(offset(-7, 2, 99))] {
            let map = ClockMap::new(offset(i64::MIN, u64::MAX, 3), end);
            let json = serde_json::to_string(&map).unwrap();
            assert_eq!(serde_json::from_str::<ClockMap>(&json).unwrap(), map);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_true_time_lies_within_the_bound(
            clocks in clocks(),
            first in ways(),
            second in ways(),
            run_ns in 2_000_000_000_u64..4_000_000_000_000,
            part in -0.5_f64..1.5,
            twice: bool,
        ) {
            let begin = best(stamps(clocks, ORIGIN_NS, &first)).unwrap();
            let end = best(stamps(clocks, ORIGIN_NS + run_ns, &second)).unwrap();
            let map = ClockMap::new(begin, twice.then_some(end));
            let own_ns = ORIGIN_NS.saturating_add_signed((part * run_ns as f64) as i64);
            let HostTime { ns, bound_ns } = map.to_host(own_ns);
            let off = ns.abs_diff(clocks.host(own_ns));
            prop_assert!(off <= bound_ns, "{off} {map:?}");
        }

        #[test]
        fn the_drift_is_found(ppm in -100_i64..=100, first in ways(), second in ways()) {
            let clocks = Clocks { offset_ns: 7, ppm };
            let (begin, end) = (
                best(stamps(clocks, ORIGIN_NS, &first)).unwrap(),
                best(stamps(clocks, ORIGIN_NS + 1_000_000_000_000, &second)).unwrap(),
            );
            let map = ClockMap::new(begin, Some(end));
            // What both bounds are in the time between, which is 1,000 s but for the exchanges.
            let off = (begin.bound_ns + end.bound_ns + 2) as f64 / 0.99e12 * 1e6;
            prop_assert!((map.drift_ppm().unwrap() - ppm as f64).abs() <= off, "{map:?}");
        }

        #[test]
        fn no_file_is_too_odd(a: (i64, u64, u64), b: Option<(i64, u64, u64)>, own_ns: u64) {
            let begin = offset(a.0, a.1, a.2);
            let map = ClockMap { begin, end: b.map(|b| offset(b.0, b.1, b.2)) };
            let _ = (map.to_host(own_ns), map.drift_ppm());
        }
    }
}
