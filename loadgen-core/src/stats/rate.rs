//! Events that come at a rate.

use statrs::distribution::{ContinuousCDF, Gamma};

use super::confidence::Confidence;
use super::sample::Interval;

/// How many events were to be expected where `events` came: never less than the confidence, if they
/// come independently of each other (Garwood, *Biometrika* 28, 1936). Divided by the time in which
/// they came, it is the interval of their rate.
///
/// ```
/// use loadgen_core::stats::{Confidence, events_interval};
///
/// let interval = events_interval(10, Confidence::P95);
/// assert!((interval.low - 4.795).abs() < 1e-3 && (interval.high - 18.390).abs() < 1e-3);
/// // Where none came in an hour, there may be 3.7 an hour.
/// assert!((events_interval(0, Confidence::P95).high - 3.689).abs() < 1e-3);
/// ```
#[must_use]
pub fn events_interval(events: u64, confidence: Confidence) -> Interval {
    let (n, upper) = (events as f64, confidence.upper());
    let low = if events == 0 { 0.0 } else { quantile(n, 1.0 - upper) };
    Interval { low, high: quantile(n + 1.0, upper), coverage: confidence.share() }
}

/// The quantile of a gamma law with rate 1, by halving.
fn quantile(shape: f64, p: f64) -> f64 {
    let Ok(law) = Gamma::new(shape, 1.0) else { return f64::NAN };
    let (mut low, mut high) = (0.0, 2.0 * shape + 50.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if law.cdf(middle) < p { low = middle } else { high = middle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of R: `poisson.test(n)$conf.int`.
    #[test]
    fn as_r_has_it() {
        for (events, low, high) in [
            (0, 0.0, 3.688879),
            (1, 0.02531781, 5.571643),
            (3, 0.6186721, 8.767273),
            (100, 81.36398, 121.6272),
            (10_000, 9804.960, 10_197.94),
        ] {
            let found = events_interval(events, Confidence::P95);
            assert!((found.low - low).abs() < 1e-4 * low.max(1.0), "{events}: {found:?}");
            assert!((found.high - high).abs() < 1e-4 * high, "{events}: {found:?}");
        }
    }
}
