//! Ranks with ties, and how sums of them are spread: what the exact tests stand on.

use statrs::distribution::{ContinuousCDF, Normal};

use super::confidence::Confidence;

/// Twice the rank of each value, so that mid-ranks of ties are whole numbers; and the sizes of
/// groups of equal values.
pub(super) fn doubled_ranks(values: &[f64]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let (mut ranks, mut ties) = (vec![0; values.len()], Vec::new());
    let mut begin = 0;
    while begin < order.len() {
        let equal = order[begin..].iter().take_while(|at| values[**at] == values[order[begin]]);
        let end = begin + equal.count();
        // Ranks begin + 1 to end: twice their mean is the sum of the first and the last.
        for at in &order[begin..end] {
            ranks[*at] = begin + 1 + end;
        }
        ties.push(end - begin);
        begin = end;
    }
    (ranks, ties)
}

/// How many of the ways to choose `of` of these numbers have each sum.
pub(super) fn sums_of_chosen(numbers: &[usize], of: usize) -> Vec<f64> {
    let total: usize = numbers.iter().sum();
    // By how many are chosen, then by their sum.
    let mut ways = vec![vec![0.0; total + 1]; of + 1];
    ways[0][0] = 1.0;
    let mut reached = 0;
    for (taken, number) in numbers.iter().enumerate() {
        reached += number;
        for chosen in (1..=of.min(taken + 1)).rev() {
            let (fewer, more) = ways.split_at_mut(chosen);
            let (from, to) = (&fewer[chosen - 1], &mut more[0]);
            for sum in (*number..=reached).rev() {
                to[sum] += from[sum - number];
            }
        }
    }
    ways.swap_remove(of)
}

/// How many of all ways to choose any of these numbers have each sum.
pub(super) fn sums_of_any(numbers: &[usize]) -> Vec<f64> {
    let total: usize = numbers.iter().sum();
    let mut ways = vec![0.0; total + 1];
    ways[0] = 1.0;
    let mut reached = 0;
    for number in numbers {
        reached += number;
        for sum in (*number..=reached).rev() {
            ways[sum] += ways[sum - number];
        }
    }
    ways
}

/// The shares of ways whose sum is at most, and at least, `sum`.
pub(super) fn tails(ways: &[f64], sum: usize) -> (f64, f64) {
    let all: f64 = ways.iter().sum();
    let at_most: f64 = ways.iter().take(sum + 1).sum();
    let at_least: f64 = ways.iter().skip(sum).sum();
    (at_most / all, at_least / all)
}

/// The p-value of both sides, of those of each.
pub(super) fn two_sided((less, greater): (f64, f64)) -> f64 {
    (2.0 * less.min(greater)).min(1.0)
}

/// The largest `k` such that at most half of `1 - confidence` of the ways have a sum below `k`,
/// and the coverage of the interval from the k-th least to the k-th greatest of what is summed.
/// `None`: not even the whole range has that confidence.
pub(super) fn rank_of_interval(ways: &[f64], confidence: Confidence) -> Option<(usize, f64)> {
    let all: f64 = ways.iter().sum();
    let (mut below, mut found) = (0.0, None);
    for (sum, count) in ways.iter().enumerate() {
        below += count / all;
        let coverage = 1.0 - 2.0 * below;
        // An interval has two ends.
        if coverage < confidence.share() || 2 * (sum + 1) > ways.len() {
            break;
        }
        found = Some((sum + 1, coverage));
    }
    found
}

/// The same where sums are so many that they follow the normal law.
pub(super) fn rank_by_normal(mean: f64, sd: f64, confidence: Confidence) -> Option<(usize, f64)> {
    let normal = Normal::standard();
    let rank = (mean + 0.5 - normal.inverse_cdf(confidence.upper()) * sd).floor();
    let coverage = 1.0 - 2.0 * normal.cdf((rank - 0.5 - mean) / sd);
    (rank >= 1.0).then_some((rank as usize, coverage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_ranks() {
        let (ranks, ties) = doubled_ranks(&[3.0, 1.0, 3.0, 2.0, 3.0]);
        assert_eq!((ranks, ties), (vec![8, 2, 8, 4, 8], vec![1, 1, 3]));
    }

    #[test]
    fn ways_are_all_ways() {
        // Two of 1, 2, 3, 4: sums 3, 4, 5, 5, 6, 7.
        let ways = sums_of_chosen(&[1, 2, 3, 4], 2);
        assert_eq!(ways[3..8], [1.0, 1.0, 2.0, 1.0, 1.0]);
        assert_eq!(ways.iter().sum::<f64>(), 6.0);
        assert_eq!(sums_of_any(&[1, 2, 3]), [1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0]);
        assert_eq!(tails(&[1.0, 1.0, 2.0], 1), (0.5, 0.75));
        assert_eq!(two_sided((0.9, 0.8)), 1.0);
    }
}
