//! A distribution of times in a report, [`Latency`], and how it comes of a histogram
//! in ns. It is not the place where times are recorded; it only reads.
//!
//! Invariant: a quantile that fewer than ten calls lie beyond is `None`. Its
//! estimate would be little more than a name for the few largest values. So p50
//! needs 20 calls, p90 100, p99 1,000, p99.9 10,000 and p99.99 100,000. Minimum,
//! mean and maximum are given for any sample that is not empty.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::record::written::{decoded, encoded};

/// A distribution of times, from an HDR histogram with 3 significant digits.
/// Quantiles that the sample is too small for (fewer than ten calls beyond them)
/// are `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Latency {
    /// Calls in it.
    pub count: u64,
    /// Shortest.
    pub min_us: Option<f64>,
    /// Arithmetic mean.
    pub mean_us: Option<f64>,
    /// Half of the calls took at most this.
    pub p50_us: Option<f64>,
    /// 90 % took at most this.
    pub p90_us: Option<f64>,
    /// 99 % took at most this.
    pub p99_us: Option<f64>,
    /// 99.9 % took at most this.
    pub p99_9_us: Option<f64>,
    /// 99.99 % took at most this.
    pub p99_99_us: Option<f64>,
    /// Longest.
    pub max_us: Option<f64>,
    /// The whole histogram in ns: HdrHistogram V2, deflated, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<String>,
}

impl Latency {
    /// How long the fraction `q` (0 to 1) of the calls took at most; `None` if fewer than ten
    /// calls took longer, since so few say little, for a `q` that is no fraction, and where
    /// there is no [histogram](Self::histogram()).
    ///
    /// ```
    /// use std::time::Duration;
    /// use loadgen_core::{Engine, Load, Plan, Schedule, Target};
    /// # use loadgen_core::target_server::{TargetOptions, TargetServer};
    /// # let server = TargetServer::bind(TargetOptions::default())?.spawn()?;
    /// # let url = server.url();
    ///
    /// let plan = Plan::new(url.parse()?, Load::established(Schedule::constant(200.0)));
    /// let report = Engine::new(plan.with_duration(Duration::from_millis(500)))?.run()?;
    /// let times = &report.response_time;
    /// assert!(times.quantile(0.75) >= times.quantile(0.5));
    /// assert_eq!(times.quantile(0.999), None); // Of 100 calls none knows.
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let histogram = self.histogram().filter(|_| (0.0..=1.0).contains(&q))?;
        let count = histogram.len();
        // A product that should be whole may lie a few bits above: 0.999 × 10,000.
        let rank = (q * count as f64 * (1.0 - 4.0 * f64::EPSILON)).ceil().max(1.0);
        if count.saturating_sub(rank as u64) < BEYOND {
            return None;
        }
        // As in `quantile`: half a call below the wanted rank is rounded up to it.
        Some(Duration::from_nanos(histogram.value_at_quantile((rank - 0.5) / count as f64)))
    }

    /// All of the times in ns; `None` if there are none, if the report of an earlier version
    /// did not keep them, or if what is kept is no histogram.
    #[must_use]
    pub fn histogram(&self) -> Option<Histogram<u64>> {
        decoded(self.histogram.as_ref()?)
    }
}

/// Calls that must lie beyond a quantile for it to be given.
const BEYOND: u64 = 10;

/// The distribution in `histogram`, whose values are ns. With `with_blob`, the
/// whole histogram goes along (`HdrHistogram` V2, deflated, base64).
pub(crate) fn latency(histogram: &Histogram<u64>, with_blob: bool) -> Latency {
    let count = histogram.len();
    if count == 0 {
        return Latency::default();
    }
    Latency {
        count,
        min_us: Some(micros(histogram.min())),
        mean_us: Some(histogram.mean() / 1e3),
        p50_us: quantile(histogram, 1, 2),
        p90_us: quantile(histogram, 9, 10),
        p99_us: quantile(histogram, 99, 100),
        p99_9_us: quantile(histogram, 999, 1_000),
        p99_99_us: quantile(histogram, 9_999, 10_000),
        max_us: Some(micros(histogram.max())),
        histogram: if with_blob { encoded(histogram) } else { None },
    }
}

/// The quantile `numerator / denominator` in µs: the value of the call with the
/// rank ⌈count × quantile⌉, or `None` when fewer than ten calls have a higher rank.
///
/// Whole numbers, because 0.999 × 10,000 in floating point may round up to 9,991.
pub(crate) fn quantile(
    histogram: &Histogram<u64>,
    numerator: u64,
    denominator: u64,
) -> Option<f64> {
    let count = histogram.len();
    let rank = (u128::from(count) * u128::from(numerator)).div_ceil(u128::from(denominator));
    let rank = u64::try_from(rank).unwrap_or(count);
    if count - rank.min(count) < BEYOND {
        return None;
    }
    // The histogram takes ⌈quantile × count⌉ as the rank: half a call below the
    // wanted one is rounded up to it whatever the last bits are.
    Some(micros(histogram.value_at_quantile((rank as f64 - 0.5) / count as f64)))
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        for value in values {
            histogram.record(value).unwrap();
        }
        histogram
    }

    fn near(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        assert!((value - expected).abs() <= expected * 1e-3, "{value} {expected}");
    }

    /// The quantiles that a report names are those that can be asked for, at the sizes of
    /// samples where they begin to be known, too.
    #[test]
    fn a_quantile_is_the_one_that_the_report_names() {
        for count in [1, 19, 20, 99, 100, 999, 1_000, 9_999, 10_000, 99_999, 100_000] {
            let times = latency(&histogram((1..=count).map(|n| n * 7_919)), true);
            for (q, named) in [
                (0.5, times.p50_us),
                (0.9, times.p90_us),
                (0.99, times.p99_us),
                (0.999, times.p99_9_us),
                (0.9999, times.p99_99_us),
            ] {
                let asked = times.quantile(q).map(|time| time.as_nanos() as f64 / 1e3);
                assert_eq!(asked, named, "{q} of {count}");
            }
        }
        let some = latency(&histogram(1..=100), true);
        assert_eq!(some.quantile(0.0), Some(Duration::from_nanos(1)));
        let none = [1.0, 1.1, -0.1, f64::NAN].map(|q| some.quantile(q));
        assert_eq!(none, [None; 4]);
        assert_eq!(Latency::default().quantile(0.5), None);
        let broken = Latency { count: 9, histogram: Some("AAAA".to_owned()), ..some };
        assert_eq!(broken.quantile(0.5), None);
    }

    #[test]
    fn nothing_measured_is_none_and_not_zero() {
        assert_eq!(latency(&histogram([]), true), Latency::default());
    }

    #[test]
    fn quantiles_have_the_right_rank() {
        // 1 µs … 10,000 µs, one call each.
        let latency = latency(&histogram((1..=10_000).map(|k| k * 1_000)), false);
        assert_eq!(latency.count, 10_000);
        near(latency.min_us, 1.0);
        near(latency.mean_us, 5_000.5);
        near(latency.p50_us, 5_000.0);
        near(latency.p90_us, 9_000.0);
        near(latency.p99_us, 9_900.0);
        near(latency.p99_9_us, 9_990.0);
        near(latency.max_us, 10_000.0);
        assert_eq!((latency.p99_99_us, latency.histogram), (None, None));
    }

    #[test]
    fn every_quantile_appears_with_its_tenth_call_beyond() {
        for (numerator, denominator, needed) in
            [(1, 2, 20), (9, 10, 100), (99, 100, 1_000), (999, 1_000, 10_000)]
        {
            let of = |count| quantile(&histogram(0..count), numerator, denominator);
            assert_eq!(of(needed - 1), None, "{numerator}/{denominator}");
            assert!(of(needed).is_some(), "{numerator}/{denominator}");
        }
    }

    #[test]
    fn a_quantile_is_never_between_two_calls() {
        // Half of the calls take 1 ms and half 9 ms: p50 is 1 ms, by rank 10 of 20.
        let latency =
            latency(&histogram((0..20).map(|k| 1 + k / 10 * 8).map(|v| v * 1_000_000)), false);
        near(latency.p50_us, 1_000.0);
    }

    /// There is one rule for when a quantile is told: nobody in these rooms asks the
    /// histogram himself.
    #[test]
    fn quantiles_are_taken_nowhere_else() {
        let mut rooms = ["report", "target_server", "sweep", "migration"]
            .map(|room| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room))
            .to_vec();
        let mut files = 0;
        while let Some(room) = rooms.pop() {
            for entry in std::fs::read_dir(room).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    rooms.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let asks = text.contains(concat!(".value_at_", "quantile("));
                    assert_eq!(asks, path.ends_with("report/latency.rs"), "{}", path.display());
                    files += 1;
                }
            }
        }
        assert!(files > 50, "{files}");
    }

    #[test]
    fn the_blob_gives_the_histogram_back() {
        let before = histogram([1, 5_000, 5_000, 7_000_000_000]);
        assert_eq!(latency(&before, true).histogram(), Some(before));
    }
}
