//! How many trials are needed.

use super::confidence::Confidence;
use super::sample::t_quantile;

/// Nobody makes more.
const MOST: usize = 100_000;

/// Trials until the interval of the mean is as narrow as ± `relative` of it, where trials
/// spread by `cv` (standard deviation over mean): the least n with t(n − 1) · cv / √n ≤ relative.
/// `None` if that is more than 100,000, or no number.
#[must_use]
pub fn trials_for_mean(cv: f64, relative: f64, confidence: Confidence) -> Option<usize> {
    if !(cv >= 0.0 && relative > 0.0) {
        return None;
    }
    let enough = |n: usize| {
        let half = t_quantile(n, confidence).map(|t| t * cv / (n as f64).sqrt());
        half.is_some_and(|half| half <= relative)
    };
    if !enough(MOST) {
        return None;
    }
    // The half-width falls with n.
    let (mut few, mut many) = (1, MOST);
    while many - few > 1 {
        let middle = few.midpoint(many);
        if enough(middle) { many = middle } else { few = middle }
    }
    Some(many)
}

/// Blocks until the ratio of two cells is known to ± `relative`, where the logarithms of the
/// ratios within blocks spread by `log_sd`. As [`trials_for_mean`], of a logarithm.
#[must_use]
pub fn trials_for_ratio(log_sd: f64, relative: f64, confidence: Confidence) -> Option<usize> {
    trials_for_mean(log_sd, (1.0 + relative).ln(), confidence)
}
