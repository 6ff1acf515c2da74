//! In which order the requests of a list are made.

use serde::{Deserialize, Serialize};

use crate::random::{number, unit};

/// In which order the requests of a list are made: the request of call *k* is a pure function
/// of the list, the plan's seed and *k*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RequestOrder {
    /// As in the list, from its beginning again after the last.
    #[default]
    Sequential,
    /// All of them in a random order, then all in another one, and so on.
    Shuffled,
    /// Each call draws one by its weight.
    Weighted,
}

/// The order of a list of so many requests, worked out.
#[derive(Debug)]
pub(crate) enum Turns {
    Sequential { n: u64 },
    Shuffled { n: u64 },
    Weighted(Alias),
}

impl Turns {
    /// `weights` are those of the list; they have a say in a weighted order alone.
    pub(crate) fn new(order: RequestOrder, n: u64, weights: &[f32]) -> Self {
        match order {
            RequestOrder::Sequential => Self::Sequential { n },
            RequestOrder::Shuffled => Self::Shuffled { n },
            RequestOrder::Weighted => Self::Weighted(Alias::new(weights)),
        }
    }

    /// The request of call `k` of the run.
    #[inline]
    pub(crate) fn of(&self, k: u64, seed: u64) -> u32 {
        match self {
            Self::Sequential { n } => (k % n) as u32,
            Self::Shuffled { n } => permuted(k % n, *n, number(seed, k / n)) as u32,
            Self::Weighted(alias) => alias.of(unit(seed, k)),
        }
    }
}

/// Where `i` of `0..n` goes in the permutation of this key: a Feistel network over the next
/// power of four, walked until it comes out within (Black & Rogaway, "Ciphers with arbitrary
/// finite domains", CT-RSA 2002). No memory, and any element can be had alone.
fn permuted(i: u64, n: u64, key: u64) -> u64 {
    // Half of the bits that n - 1 needs, at least one: at most four times as many as n.
    let half = (u64::BITS - n.saturating_sub(1).leading_zeros()).div_ceil(2).max(1);
    let mask = (1_u64 << half) - 1;
    let mut at = i;
    loop {
        let (mut left, mut right) = (at >> half, at & mask);
        for round in 0..6 {
            (left, right) = (right, left ^ (number(key ^ right, round) & mask));
        }
        at = left << half | right;
        if at < n {
            return at;
        }
    }
}

/// Draws by weight with one look-up (Vose, "A linear algorithm for generating random numbers
/// with a given distribution", IEEE Trans. Softw. Eng. 17(9), 1991).
#[derive(Debug)]
pub(crate) struct Alias(Box<[(f32, u32)]>);

impl Alias {
    fn new(weights: &[f32]) -> Self {
        let n = weights.len();
        let sum: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let mut shares: Vec<f64> = weights
            .iter()
            .map(|weight| if sum > 0.0 { f64::from(*weight) * n as f64 / sum } else { 1.0 })
            .collect();
        let mut table: Vec<(f32, u32)> = (0..n as u32).map(|i| (1.0, i)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..n).partition(|i| shares[*i] < 1.0);
        while let (Some(low), Some(high)) = (small.pop(), large.last().copied()) {
            table[low] = (shares[low] as f32, high as u32);
            shares[high] -= 1.0 - shares[low];
            if shares[high] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        // What rounding left over has its own place whole, but for those of next to no weight.
        let heaviest = (0..n).max_by(|a, b| weights[*a].total_cmp(&weights[*b])).unwrap_or(0);
        for index in small.into_iter().filter(|index| shares[*index] < 0.5) {
            table[index] = (0.0, heaviest as u32);
        }
        Self(table.into())
    }

    fn of(&self, unit: f64) -> u32 {
        let at = unit * self.0.len() as f64;
        let index = (at as usize).min(self.0.len().saturating_sub(1));
        let (share, other) = self.0[index];
        if at.fract() < f64::from(share) { index as u32 } else { other }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_permutation_is_one(n in 1_u64..3000, key: u64) {
            let mut seen: Vec<u64> = (0..n).map(|i| permuted(i, n, key)).collect();
            seen.sort_unstable();
            prop_assert!(seen.into_iter().eq(0..n));
        }

        #[test]
        fn weights_are_held(weights in prop::collection::vec(0_u8..9, 1..40), seed: u64) {
            prop_assume!(weights.iter().any(|w| *w > 0));
            let list: Vec<f32> = weights.iter().map(|w| f32::from(*w)).collect();
            let turns = Turns::new(RequestOrder::Weighted, list.len() as u64, &list);
            let draws = 20_000_u64;
            let mut counts = vec![0_u64; list.len()];
            (0..draws).for_each(|k| counts[turns.of(k, seed) as usize] += 1);
            let sum: f64 = weights.iter().map(|w| f64::from(*w)).sum();
            for (count, weight) in counts.iter().zip(&weights) {
                let p = f64::from(*weight) / sum;
                let (mean, deviation) = (p * draws as f64, (p * (1.0 - p) * draws as f64).sqrt());
                // Six deviations: one in a billion, and there are 10,000 of them.
                prop_assert!((*count as f64 - mean).abs() <= 6.0 * deviation + 1.0);
            }
        }
    }

    #[test]
    fn passes_of_a_shuffle_differ_and_repeat_with_the_seed() {
        let turns = Turns::new(RequestOrder::Shuffled, 100, &[]);
        let pass = |p: u64, seed| (p * 100..(p + 1) * 100).map(|k| turns.of(k, seed)).collect();
        let [first, second, other]: [Vec<u32>; 3] = [pass(0, 1), pass(1, 1), pass(0, 2)];
        assert!(first != second && first != other);
        assert_eq!(first, pass(0, 1));
        assert!(!first.is_sorted());
        let plain = Turns::new(RequestOrder::Sequential, 3, &[]);
        assert!((0..7).map(|k| plain.of(k, 9)).eq([0, 1, 2, 0, 1, 2, 0]));
    }
}
