//! A share of successes.

use statrs::distribution::{Beta, ContinuousCDF};

use super::sample::Interval;

/// Where a probability lies after `successes` of `of` attempts: never less than the confidence
/// (Clopper and Pearson, *Biometrika* 26, 1934). `None` for no attempt, or more successes than
/// attempts.
#[must_use]
pub fn proportion_interval(successes: u64, of: u64, confidence: f64) -> Option<Interval> {
    if of == 0 || successes > of {
        return None;
    }
    let tail = (1.0 - confidence) / 2.0;
    let (k, n) = (successes as f64, of as f64);
    let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).ok().map(|law| law.inverse_cdf(p));
    let low = if successes == 0 { 0.0 } else { quantile(k, n - k + 1.0, tail)? };
    let high = if successes == of { 1.0 } else { quantile(k + 1.0, n - k, 1.0 - tail)? };
    Some(Interval { low, high, coverage: confidence })
}
