//! What an experiment could show, before it is made.

use statrs::distribution::{ContinuousCDF, Normal};

use super::confidence::Confidence;
use super::ranks::{doubled_ranks, rank_by_normal, rank_of_interval, sums_of_any};
use crate::random::SplitMix64;

/// The chance of an error that all questions together may have.
const ALPHA: f64 = 0.05;
/// Pairs up to which the law of the test is exact.
const MOST_EXACT: usize = 200;
/// Experiments that are invented for a power.
const EXPERIMENTS: usize = 2_000;
/// Nobody asks for more.
const LARGEST_LOG: f64 = 5.0;

/// The least ratio above 1 of two cells that a signed-rank test of `pairs` blocks at 5 % shows
/// with this power, where the logarithms of the ratios within blocks follow a normal law with
/// this standard deviation, and so many `questions` are asked together (Bonferroni's correction,
/// of which Holm's is never more strict). From 2,000 invented experiments, always the same ones.
///
/// `None`: so few pairs show nothing, however large it is, or nothing below a factor of 148.
#[must_use]
pub fn detectable_ratio(log_sd: f64, pairs: usize, questions: usize, power: f64) -> Option<f64> {
    let test = SignedRank::new(pairs, questions)?;
    let normal = Normal::standard();
    let mut random = SplitMix64::new(pairs as u64);
    let mut spread = || -> Vec<f64> {
        // Not 0, of which there is no quantile.
        let unit = |random: &mut SplitMix64| (random.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        let one = |random: &mut SplitMix64| normal.inverse_cdf(unit(random).max(1e-12)) * log_sd;
        (0..pairs).map(|_| one(&mut random)).collect()
    };
    let experiments: Vec<Vec<f64>> = (0..EXPERIMENTS).map(|_| spread()).collect();
    let shows = |shift: f64| {
        let shown = experiments.iter().filter(|spread| test.rejects(spread, shift)).count();
        shown as f64 >= power * EXPERIMENTS as f64
    };
    let (mut low, mut high) = (0.0, LARGEST_LOG);
    if !shows(high) {
        return None;
    }
    while high - low > 1e-3 {
        let middle = f64::midpoint(low, high);
        if shows(middle) { high = middle } else { low = middle }
    }
    Some(high.exp())
}

/// Blocks with which a signed-rank test can show anything at 5 %, where so many questions are
/// asked together: the least n with `questions` · 2^(1 − n) ≤ 0.05.
#[must_use]
pub fn blocks_for_any(questions: usize) -> usize {
    let smallest = |n: usize| questions.max(1) as f64 * 0.5_f64.powi(n as i32 - 1);
    (1..=64).find(|n| smallest(*n) <= ALPHA).unwrap_or(64)
}

/// About how many blocks a signed-rank test at 5 % takes to show a ratio with this power, where so
/// many `questions` are asked together: ((z(1 − α/2) + z(power)) · sd / ln ratio)² · π/3 (Noether,
/// *J. Amer. Statist. Assoc.* 82, 1987; π/3: Lehmann, *Nonparametrics*, §4.3), and at least
/// [`blocks_for_any`]. `None` of a ratio of 1, and if it is no number.
#[must_use]
pub fn blocks_for_ratio(log_sd: f64, ratio: f64, questions: usize, power: f64) -> Option<u64> {
    let normal = Normal::standard();
    let alpha = ALPHA / questions.max(1) as f64;
    let z = normal.inverse_cdf(1.0 - alpha / 2.0) + normal.inverse_cdf(power);
    let blocks = (z * log_sd / ratio.ln()).powi(2) * std::f64::consts::PI / 3.0;
    let any = blocks_for_any(questions) as f64;
    blocks.is_finite().then(|| blocks.ceil().max(any) as u64)
}

/// Wilcoxon's test of so many pairs without ties.
struct SignedRank {
    /// Sums of ranks below it reject, and those so near to the greatest.
    critical: f64,
    greatest: f64,
}

impl SignedRank {
    fn new(pairs: usize, questions: usize) -> Option<Self> {
        let confidence = Confidence::new(1.0 - ALPHA / questions.max(1) as f64)?;
        let n = pairs as f64;
        let greatest = n * (n + 1.0) / 2.0;
        let (critical, _) = if pairs <= MOST_EXACT {
            let ranks: Vec<usize> = (1..=pairs).collect();
            rank_of_interval(&sums_of_any(&ranks), confidence)?
        } else {
            let sd = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
            rank_by_normal(greatest / 2.0, sd, confidence)?
        };
        Some(Self { critical: critical as f64, greatest })
    }

    fn rejects(&self, spread: &[f64], shift: f64) -> bool {
        let differences: Vec<f64> = spread.iter().map(|value| value + shift).collect();
        let sizes: Vec<f64> = differences.iter().map(|value| value.abs()).collect();
        let (ranks, _) = doubled_ranks(&sizes);
        let of_positive = differences.iter().zip(&ranks).filter(|(value, _)| **value > 0.0);
        let sum = of_positive.map(|(_, rank)| *rank as f64).sum::<f64>() / 2.0;
        sum.min(self.greatest - sum) < self.critical
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Sample, paired};

    /// As the notes of this field have it: 6, 7, 9, 10 blocks for 1, 3, 9, 18 comparisons.
    #[test]
    fn few_blocks_show_nothing() {
        let needed = [1, 3, 9, 18].map(blocks_for_any);
        assert_eq!(needed, [6, 7, 10 - 1, 10]);
        for (questions, blocks) in [1, 3, 9, 18].into_iter().zip(needed) {
            assert_eq!(detectable_ratio(0.1, blocks - 1, questions, 0.8), None);
            assert!(detectable_ratio(0.1, blocks, questions, 0.8).is_some());
        }
    }

    #[test]
    fn the_test_is_the_one_that_is_made() {
        for (pairs, questions) in [(7, 1), (10, 3), (20, 1)] {
            let test = SignedRank::new(pairs, questions).unwrap();
            let mut random = SplitMix64::new(3);
            for _ in 0..300 {
                let spread: Vec<f64> = (0..pairs).map(|_| random.unit() - 0.4).collect();
                let p = paired(&Sample::new(spread.clone()).unwrap(), Confidence::P95).p;
                assert_eq!(test.rejects(&spread, 0.0), p * questions as f64 <= ALPHA, "{p}");
            }
        }
    }

    /// In the notes of this field, ten blocks with trials that spread by 8 % show 20 % in 99 of
    /// 100, seven in 91; so 80 % show less.
    #[test]
    fn more_blocks_show_less() {
        let log_sd = 0.08 * std::f64::consts::SQRT_2;
        let least = |pairs| detectable_ratio(log_sd, pairs, 1, 0.8).unwrap();
        let shown = [7, 10, 20, 60, 300].map(least);
        assert!(shown.windows(2).all(|two| two[1] < two[0]), "{shown:?}");
        assert!((1.12..1.20).contains(&shown[0]), "{shown:?}");
        // The test's efficiency against a t-test is 3/π: z = 1.96 + 0.84.
        let by_normal = (2.80 * log_sd / (300.0 * 0.955_f64).sqrt()).exp();
        for (pairs, ratio) in [7, 10, 20, 60, 300].into_iter().zip(shown) {
            let blocks = blocks_for_ratio(log_sd, ratio, 1, 0.8).unwrap() as f64;
            assert!((blocks / f64::from(pairs) - 1.0).abs() < 0.25, "{pairs} {blocks}");
        }
        assert_eq!(blocks_for_ratio(log_sd, 1.0, 1, 0.8), None);
        assert_eq!(blocks_for_ratio(log_sd, 0.01, 3, 0.8), Some(7));
        assert!((shown[4] - by_normal).abs() < 0.003, "{shown:?} {by_normal}");
    }
}
