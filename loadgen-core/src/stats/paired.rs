//! Differences within pairs, or blocks: Wilcoxon's signed-rank test with ties and zeros, and the
//! pseudo-median.

use statrs::distribution::{ContinuousCDF, Normal};

use super::confidence::Confidence;
use super::ranks::{
    doubled_ranks, rank_by_normal, rank_of_interval, sums_of_any, tails, two_sided,
};
use super::sample::{Interval, Sample, median};

/// Pairs up to which the test is exact.
const MOST_EXACT: usize = 200;

/// What differences within pairs say.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Paired {
    /// The sum of the ranks of positive differences; zeros have no rank.
    pub w_plus: f64,
    /// Differences that are not zero.
    pub n_nonzero: usize,
    /// The two-sided p-value of the null hypothesis that differences are as often, and as far,
    /// above zero as below it. Exact up to 200 pairs, with ties too; by the normal law beyond.
    pub p: f64,
    /// The median of the means of all pairs of differences (Hodges and Lehmann).
    pub pseudo_median: f64,
    /// Where that lies; `None`: there are too few pairs for that confidence.
    pub interval: Option<Interval>,
}

/// Judges differences within pairs.
///
/// The test is Wilcoxon's, *Biometrics Bull.* 1 (1945), which leaves out zeros, over all ways to
/// give signs to the mid-ranks; pseudo-median and interval are Hodges and Lehmann's, *Ann. Math.
/// Statist.* 34 (1963), with the zeros. For n pairs it takes 4 n² bytes: 4 MB for a thousand.
#[must_use]
pub fn paired(differences: &Sample, confidence: Confidence) -> Paired {
    let nonzero: Vec<f64> =
        differences.values().iter().copied().filter(|value| *value != 0.0).collect();
    let sizes: Vec<f64> = nonzero.iter().map(|value| value.abs()).collect();
    let (ranks, ties) = doubled_ranks(&sizes);
    let of_positive = nonzero.iter().zip(&ranks).filter(|(value, _)| **value > 0.0);
    let doubled: usize = of_positive.map(|(_, rank)| rank).sum();
    let p = if nonzero.len() <= MOST_EXACT {
        two_sided(tails(&sums_of_any(&ranks), doubled))
    } else {
        by_normal(doubled as f64 / 2.0, nonzero.len(), &ties)
    };
    let values = differences.values();
    let mut means: Vec<f64> = (0..values.len())
        .flat_map(|i| (i..values.len()).map(move |j| f64::midpoint(values[i], values[j])))
        .collect();
    means.sort_by(f64::total_cmp);
    Paired {
        w_plus: doubled as f64 / 2.0,
        n_nonzero: nonzero.len(),
        p,
        pseudo_median: median(&means),
        interval: interval(&means, values.len(), confidence),
    }
}

/// The ends are means whose ranks have that confidence where there are no ties.
fn interval(means: &[f64], n: usize, confidence: Confidence) -> Option<Interval> {
    let (rank, coverage) = if n <= MOST_EXACT {
        let plain: Vec<usize> = (1..=n).collect();
        rank_of_interval(&sums_of_any(&plain), confidence)?
    } else {
        let (mean, sd) = moments(n, &[]);
        rank_by_normal(mean, sd, confidence)?
    };
    Some(Interval { low: means[rank - 1], high: means[means.len() - rank], coverage })
}

fn moments(n: usize, ties: &[usize]) -> (f64, f64) {
    let n = n as f64;
    let tied: f64 = ties.iter().map(|tie| (tie.pow(3) - tie) as f64).sum();
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - tied / 48.0;
    (n * (n + 1.0) / 4.0, variance.max(0.0).sqrt())
}

fn by_normal(w: f64, n: usize, ties: &[usize]) -> f64 {
    let (mean, sd) = moments(n, ties);
    let z = ((w - mean).abs() - 0.5).max(0.0) / sd;
    (2.0 * Normal::standard().cdf(-z)).min(1.0)
}
