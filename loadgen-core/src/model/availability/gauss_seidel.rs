//! The long run of a chain by the method of Gauss and Seidel, for those that are too large and
//! too closely woven for more.

use super::chain_error::ChainError;

/// By which part of it the balance of a state may be off.
const CLOSE: f64 = 1e-12;

/// Rates that are looked at in all rounds: some ten seconds.
const MOST_LOOKS: u64 = 4_000_000_000;

/// How much time is spent in each of `n` states, in some unit: each is put to what its balance
/// with the others says, over and over, until all hold (Stewart, *Introduction to the Numerical
/// Solution of Markov Chains*, 1994, §3.2).
pub(super) fn long_run(
    n: usize,
    rates: impl Iterator<Item = (usize, usize, f64)>,
) -> Result<Vec<f64>, ChainError> {
    let mut into = vec![Vec::new(); n];
    let mut exits = vec![0.0; n];
    let mut looks = 1;
    for (from, to, rate) in rates {
        if let (Some(into), Some(exit)) = (into.get_mut(to), exits.get_mut(from)) {
            into.push((from, rate));
            *exit += rate;
        }
        looks += 1;
    }
    let most = (MOST_LOOKS / looks).max(10);
    let mut times = vec![1.0 / n as f64; n];
    let mut off = f64::INFINITY;
    for _ in 0..most {
        off = 0.0;
        for (state, (into, exit)) in into.iter().zip(&exits).enumerate() {
            let entered: f64 =
                into.iter().map(|(from, rate)| times.get(*from).unwrap_or(&0.0) * rate).sum();
            if let Some(time) = times.get_mut(state) {
                // Before it is put right: what it was off by, all others as they were by then.
                off = f64::max(off, (entered - *time * exit).abs() / entered);
                *time = entered / exit;
            }
        }
        let sum: f64 = times.iter().sum();
        if !sum.is_normal() {
            return Err(ChainError::Spread);
        }
        times.iter_mut().for_each(|time| *time /= sum);
        if off <= CLOSE {
            return Ok(times);
        }
    }
    Err(ChainError::NotConverged { sweeps: most, off })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::availability::steady;

    #[test]
    fn it_agrees_with_the_elimination() {
        let n = 300;
        let rates: Vec<(usize, usize, f64)> = (0..n)
            .flat_map(|from| {
                (1..12).map(move |k| (from, (from * 7 + k * k * 13 + 1) % n, 1.0 + k as f64))
            })
            .filter(|(from, to, _)| from != to)
            .chain((0..n).map(|from| (from, (from + 1) % n, 0.5)))
            .collect();
        let mut found = long_run(n, rates.iter().copied()).unwrap();
        let mut wanted = steady::long_run(n, rates.iter().copied()).unwrap();
        for all in [&mut found, &mut wanted] {
            let sum: f64 = all.iter().sum();
            all.iter_mut().for_each(|time| *time /= sum);
        }
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-10 * wanted, "{found} {wanted}");
        }
    }
}
