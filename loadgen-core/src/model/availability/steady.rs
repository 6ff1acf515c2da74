//! The long run of a chain.

use std::collections::BTreeSet;

use super::chain::Chain;
use super::chain_error::ChainError;
use super::distribution::Distribution;
use super::elimination::{Elimination, Gone};
use super::gauss_seidel;
use super::structure::{hangs_together, the_only_end};

/// States up to which a chain that is closely woven is held as a whole matrix: 72 MB.
const MOST_DENSE: usize = 3_000;

/// Of so many weights that there could be, one is enough to call a chain closely woven.
const WOVEN: usize = 10;

/// Weights that are kept beside each other while states are taken out: some 150 MB.
const MOST_WEIGHTS: usize = 5_000_000;

/// Additions for all states that are taken out: some seconds.
const MOST_WORK: usize = 1_000_000_000;

/// States that are taken out of a matrix together, so that what is left of it is read once for all
/// of them.
const TOGETHER: usize = 32;

impl Chain {
    /// How likely each state is in the long run, wherever the chain began.
    ///
    /// Found by elimination without a subtraction (Grassmann, Taksar & Heyman, *Operations
    /// Research* 33, 1985), so that each probability has nearly all of its digits whatever
    /// lies between the rates: states go one by one, always the one that makes the fewest new
    /// rates (Markowitz, *Management Sci.* 3, 1957), and when what is left is closely woven it
    /// is solved as a whole. This takes little where each state has few neighbours, as in models of
    /// availability: 10,000 states need seconds, and some 100 MB.
    ///
    /// Where more than 3,000 states are left that are closely woven, the method of Gauss and Seidel
    /// is taken instead, until each state is entered as often as it is left, to 12 digits. Such
    /// chains mix fast; if one does not, that is an error, and no guess.
    ///
    /// # Errors
    /// If there is no state, a state cannot be left, not every state leads to every other, or it
    /// cannot be solved.
    pub fn steady_state(&self) -> Result<Distribution, ChainError> {
        hangs_together(self)?;
        let n = self.states().len();
        Ok(Distribution::of(self.states(), long_run(n, self.numbered_rates())?))
    }
}

/// How likely each state is in the long run of a chain that may leave some states for good.
pub(super) fn where_it_ends(chain: &Chain) -> Result<Distribution, ChainError> {
    let end = the_only_end(chain)?;
    let within = |(from, to, rate): (usize, usize, f64)| {
        Some((end.binary_search(&from).ok()?, end.binary_search(&to).ok()?, rate))
    };
    let times = long_run(end.len(), chain.numbered_rates().filter_map(within))?;
    let mut all = vec![0.0; chain.states().len()];
    for (state, time) in end.iter().zip(times) {
        if let Some(slot) = all.get_mut(*state) {
            *slot = time;
        }
    }
    Ok(Distribution::of(chain.states(), all))
}

/// How much time is spent in each of `n` states, in some unit. Each state has to lead to the
/// first one.
pub(super) fn long_run(
    n: usize,
    rates: impl Iterator<Item = (usize, usize, f64)> + Clone,
) -> Result<Vec<f64>, ChainError> {
    match eliminated(n, Elimination::new(n, rates.clone()))? {
        Some(times) => Ok(times),
        None => gauss_seidel::long_run(n, rates),
    }
}

/// `None` if it would take too much.
fn eliminated(n: usize, mut left: Elimination) -> Result<Option<Vec<f64>>, ChainError> {
    let mut costs: Vec<usize> = (0..n).map(|state| left.cost(state)).collect();
    let mut waiting: BTreeSet<(usize, usize)> =
        (1..n).map(|state| (left.cost(state), state)).collect();
    let mut gone: Vec<Gone> = Vec::new();
    let mut work = 0_usize;
    while let Some((cost, state)) = waiting.first().copied() {
        let states = waiting.len() + 1;
        if states <= MOST_DENSE && left.stored() > states * states / WOVEN {
            break;
        }
        work = work.saturating_add(cost + left.out(state).len());
        if left.stored() > MOST_WEIGHTS || work > MOST_WORK {
            return Ok(None);
        }
        waiting.pop_first();
        let touched: Vec<usize> = left.out(state).iter().map(|(to, _)| *to).collect();
        let taken = left.take(state).ok_or(ChainError::Spread)?;
        // What it costs to take out its neighbours is not what it was.
        for other in touched.into_iter().chain(taken.from.iter().map(|(from, _)| *from)) {
            let now = left.cost(other);
            if let Some(before) = costs.get_mut(other).filter(|before| **before != now) {
                if waiting.remove(&(*before, other)) {
                    waiting.insert((now, other));
                }
                *before = now;
            }
        }
        gone.push(taken);
    }
    let mut states: Vec<usize> = waiting.into_iter().map(|(_, state)| state).collect();
    states.push(0);
    states.sort_unstable();
    let mut times = vec![0.0; n];
    for (state, time) in states.iter().zip(core(&left, &states)?) {
        put(&mut times, *state, time)?;
    }
    for taken in gone.iter().rev() {
        let visits = taken.from.iter();
        let time = visits.map(|(from, visits)| times.get(*from).unwrap_or(&0.0) * visits).sum();
        put(&mut times, taken.state, time)?;
    }
    Ok(Some(times))
}

/// Notes a time, and makes all smaller when they become too large to be computed with: those that
/// vanish then are too small to be told beside them.
fn put(times: &mut [f64], state: usize, time: f64) -> Result<(), ChainError> {
    if !time.is_finite() {
        return Err(ChainError::Spread);
    }
    if let Some(slot) = times.get_mut(state) {
        *slot = time;
    }
    if time > 1e100 {
        times.iter_mut().for_each(|other| *other /= time);
    }
    Ok(())
}

/// The times in the states that are left, by a matrix of all their weights; the first of them is
/// that to which each leads.
fn core(left: &Elimination, states: &[usize]) -> Result<Vec<f64>, ChainError> {
    let m = states.len();
    let mut matrix = vec![0.0; m * m];
    for (row, state) in matrix.chunks_mut(m).zip(states) {
        for (to, weight) in left.out(*state) {
            if let Ok(column) = states.binary_search(to)
                && let Some(slot) = row.get_mut(column)
            {
                *slot = *weight;
            }
        }
    }
    let mut exits = vec![1.0; m];
    let mut high = m;
    while high > 1 {
        let low = high.saturating_sub(TOGETHER).max(1);
        take_together(&mut matrix, &mut exits, low..high)?;
        high = low;
    }
    let mut times = vec![0.0; m];
    put(&mut times, 0, 1.0)?;
    for (k, exit) in exits.iter().enumerate().skip(1) {
        let rows = matrix.chunks(m).take(k).zip(&times);
        let time: f64 = rows.map(|(row, time)| row.get(k).unwrap_or(&0.0) / exit * time).sum();
        put(&mut times, k, time)?;
    }
    Ok(times)
}

/// Takes these states out of a matrix, from the last one on. Their rows become shares of what
/// leaves them, and their columns stay what led to them. The diagonal is never read.
fn take_together(
    matrix: &mut [f64],
    exits: &mut [f64],
    states: std::ops::Range<usize>,
) -> Result<(), ChainError> {
    let m = exits.len();
    let low = states.start;
    for k in states.clone().rev() {
        let (before, from_here) = matrix.split_at_mut(k * m);
        let (Some(own), Some(exit)) = (from_here.get_mut(..k), exits.get_mut(k)) else { continue };
        *exit = own.iter().sum();
        if !exit.is_normal() {
            return Err(ChainError::Spread);
        }
        own.iter_mut().for_each(|weight| *weight /= *exit);
        for (i, row) in before.chunks_mut(m).enumerate() {
            // Of rows before these states, only the columns that these states have are needed now.
            let begin = if i < low { low } else { 0 };
            let Some((row, [to_here, ..])) = row.split_at_mut_checked(k) else { continue };
            let (Some(row), Some(own)) = (row.get_mut(begin..), own.get(begin..)) else { continue };
            lead_on(row, *to_here, own);
        }
    }
    let (before, these) = matrix.split_at_mut(low * m);
    for row in before.chunks_mut(m) {
        let Some((row, to_these)) = row.split_at_mut_checked(low) else { continue };
        for (own, to_here) in these.chunks(m).zip(to_these.iter()).take(states.len()) {
            lead_on(row, *to_here, own.get(..low).unwrap_or_default());
        }
    }
    Ok(())
}

/// Adds to weights what led to a state that has these shares.
fn lead_on(row: &mut [f64], weight: f64, shares: &[f64]) {
    if weight != 0.0 {
        row.iter_mut().zip(shares).for_each(|(slot, share)| *slot += weight * share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(n: usize, rates: impl IntoIterator<Item = (usize, usize, f64)>) -> Chain {
        let mut chain = Chain::new();
        for at in 0..n {
            chain.add_state(format!("s{at}"), at == 0).unwrap();
        }
        for (from, to, rate) in rates {
            chain.add_rate(from, to, rate).unwrap();
        }
        chain
    }

    #[test]
    fn chains_without_a_long_run() {
        assert_eq!(Chain::new().steady_state(), Err(ChainError::NoStates));
        assert_eq!(chain(1, []).steady_state().unwrap().probabilities(), [1.0]);
        let told = |n, rates: &[(usize, usize, f64)]| {
            chain(n, rates.iter().copied()).steady_state().unwrap_err().to_string()
        };
        assert_eq!(
            told(3, &[(0, 1, 1.0), (0, 2, 1.0)]),
            "'s1' and 's2' cannot be left: give a way out, such as a repair"
        );
        let apart = told(4, &[(0, 1, 1.0), (1, 0, 1.0), (2, 0, 1.0), (0, 3, 1.0), (3, 1, 1.0)]);
        assert!(apart.starts_with("the chain does not come back to 's2': "), "{apart}");
        let apart = told(4, &[(0, 1, 1.0), (1, 0, 1.0), (0, 2, 1.0), (2, 3, 1.0), (3, 2, 1.0)]);
        assert!(apart.starts_with("the chain does not come back to 's0' and 's1': "), "{apart}");
        let apart = told(4, &[(0, 1, 1.0), (1, 0, 1.0), (2, 3, 1.0), (3, 2, 1.0)]);
        assert!(
            apart.starts_with("the chain falls apart: it never leaves 's2' and 's3'"),
            "{apart}"
        );
    }

    /// Where each state leads to its neighbours alone, the times are products of ratios.
    #[test]
    fn a_long_line_with_ratios_of_all_sizes() {
        for ratio in [1e-12, 0.5, 1.0, 3.0, 1e12] {
            let n = 40;
            let steps = (1..n).flat_map(|at| [(at - 1, at, ratio), (at, at - 1, 1.0)]);
            let found = chain(n, steps).steady_state().unwrap();
            let wanted: Vec<f64> = (0..n)
                .map(|at| {
                    if ratio > 1.0 {
                        ratio.powi(at as i32 + 1 - n as i32)
                    } else {
                        ratio.powi(at as i32)
                    }
                })
                .collect();
            let sum: f64 = wanted.iter().sum();
            for (wanted, got) in wanted.iter().zip(found.probabilities()) {
                let wanted = wanted / sum;
                // Below the least normal number there are fewer digits.
                let off = (wanted - got).abs();
                assert!(off <= 1e-13 * wanted + 1e-300, "{ratio}: {wanted} {got}");
            }
        }
    }

    /// Two independent lines of 100 states are a chain of 10,000, whose long run is the product.
    #[test]
    fn ten_thousand_states() {
        let side = 100;
        let ratio = |at: usize| 0.9 + at as f64 * 1e-3;
        let mut rates = Vec::new();
        for x in 0..side {
            for y in 0..side {
                let here = x * side + y;
                if x + 1 < side {
                    rates.extend([(here, here + side, ratio(x)), (here + side, here, 1.0)]);
                }
                if y + 1 < side {
                    rates.extend([(here, here + 1, 1e6 * ratio(y)), (here + 1, here, 1e6)]);
                }
            }
        }
        let found = chain(side * side, rates).steady_state().unwrap();
        let mut line = vec![1.0];
        for at in 0..side - 1 {
            line.push(line[at] * ratio(at));
        }
        let sum: f64 = line.iter().sum();
        for (at, got) in found.probabilities().iter().enumerate() {
            let wanted = line[at / side] * line[at % side] / (sum * sum);
            assert!((wanted - got).abs() < 1e-11 * wanted, "{at}: {wanted} {got}");
        }
    }

    #[test]
    fn a_closely_woven_chain_is_solved_as_a_whole() {
        let n = 80;
        let rates = (0..n).flat_map(|from| {
            (0..n).filter(move |to| *to != from).map(move |to| (from, to, (1 + to) as f64))
        });
        let found = chain(n, rates).steady_state().unwrap();
        let sum = (n * (n + 1) / 2) as f64;
        for (at, got) in found.probabilities().iter().enumerate() {
            let wanted = (1 + at) as f64 / sum;
            assert!((wanted - got).abs() < 1e-13, "{at}: {wanted} {got}");
        }
    }
}
