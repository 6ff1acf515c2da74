//! Several comparisons at once, and several samples: Holm's correction, and the rank tests of
//! Kruskal and Wallis and of Friedman.

use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::ranks::doubled_ranks;
use super::sample::Sample;

/// p-values as they are when so many hypotheses are tested together (Holm, *Scand. J. Statist.*
/// 6, 1979), in the given order. Whoever rejects those below a level is wrong about any of them
/// with that probability at the most, however they depend on each other.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut most = 0.0_f64;
    for (rank, at) in order.into_iter().enumerate() {
        most = most.max((p.len() - rank) as f64 * p[at]).min(1.0);
        adjusted[at] = most;
    }
    adjusted
}

/// What a rank test of several samples says.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Ranked {
    /// The test statistic, corrected for ties.
    pub statistic: f64,
    /// Its p-value by the chi-squared law, which is rough for samples of fewer than five.
    pub p: f64,
}

/// Whether groups have the same law (Kruskal and Wallis, *J. Amer. Statist. Assoc.* 47, 1952).
/// `None` for fewer than two groups, and when all values are the same.
#[must_use]
pub fn kruskal_wallis(groups: &[Sample]) -> Option<Ranked> {
    let pooled: Vec<f64> = groups.iter().flat_map(|group| group.values()).copied().collect();
    let n = pooled.len() as f64;
    let (ranks, ties) = doubled_ranks(&pooled);
    let mut begin = 0;
    let mut squares = 0.0;
    for group in groups {
        let sum: usize = ranks[begin..begin + group.n()].iter().sum();
        squares += (sum as f64 / 2.0).powi(2) / group.n() as f64;
        begin += group.n();
    }
    let tied: f64 = ties.iter().map(|tie| (tie.pow(3) - tie) as f64).sum();
    let correction = 1.0 - tied / (n.powi(3) - n);
    let statistic = (12.0 / (n * (n + 1.0)) * squares - 3.0 * (n + 1.0)) / correction;
    ranked(statistic, groups.len())
}

/// Whether treatments differ, each of which was given once in every block (Friedman, *J. Amer.
/// Statist. Assoc.* 32, 1937). `None` for fewer than two treatments, for blocks of different
/// lengths, and when the treatments of each block are the same.
#[must_use]
pub fn friedman(blocks: &[Vec<f64>]) -> Option<Ranked> {
    let treatments = blocks.first()?.len();
    if blocks.iter().any(|block| block.len() != treatments) {
        return None;
    }
    let (n, k) = (blocks.len() as f64, treatments as f64);
    let mut sums = vec![0.0; treatments];
    let mut tied = 0.0;
    for block in blocks {
        let (ranks, ties) = doubled_ranks(block);
        sums.iter_mut().zip(ranks).for_each(|(sum, rank)| *sum += rank as f64 / 2.0);
        tied += ties.iter().map(|tie| (tie.pow(3) - tie) as f64).sum::<f64>();
    }
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    let correction = 1.0 - tied / (n * k * (k * k - 1.0));
    let statistic = (12.0 / (n * k * (k + 1.0)) * squares - 3.0 * n * (k + 1.0)) / correction;
    ranked(statistic, treatments)
}

fn ranked(statistic: f64, groups: usize) -> Option<Ranked> {
    let freedom = groups.checked_sub(1).filter(|freedom| *freedom > 0)?;
    let law = ChiSquared::new(freedom as f64).ok()?;
    statistic.is_finite().then(|| Ranked { statistic, p: law.sf(statistic.max(0.0)) })
}
