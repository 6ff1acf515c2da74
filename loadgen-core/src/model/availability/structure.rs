//! Whether a chain hangs together.

use super::chain::Chain;
use super::chain_error::ChainError;

/// Refuses a chain without a state, with states that cannot be left, or of which not every state
/// leads to every other: it has no long run that is the same from wherever it begins.
pub(super) fn hangs_together(chain: &Chain) -> Result<(), ChainError> {
    let n = chain.states().len();
    if n == 0 {
        return Err(ChainError::NoStates);
    }
    if n == 1 {
        return Ok(());
    }
    let exits = chain.exits();
    let absorbing = (0..).zip(&exits).filter(|(_, exit)| **exit == 0.0).map(|(at, _)| at);
    let absorbing = chain.names(absorbing);
    if !absorbing.is_empty() {
        return Err(ChainError::Absorbing { states: absorbing });
    }
    let missing = |edges: &mut dyn Iterator<Item = (usize, usize)>| {
        let reached = reached(n, edges, [0]);
        chain.names((0..).zip(reached).filter(|(_, reached)| !reached).map(|(at, _)| at))
    };
    let unreached = missing(&mut chain.numbered_rates().map(|(from, to, _)| (from, to)));
    let lost = missing(&mut chain.numbered_rates().map(|(from, to, _)| (to, from)));
    if unreached.is_empty() && lost.is_empty() {
        return Ok(());
    }
    Err(ChainError::Reducible { from: chain.name(0).to_owned(), unreached, lost })
}

/// Which of `n` places can be reached from the first ones.
pub(super) fn reached(
    n: usize,
    edges: &mut dyn Iterator<Item = (usize, usize)>,
    first: impl IntoIterator<Item = usize>,
) -> Vec<bool> {
    let mut next = vec![Vec::new(); n];
    for (from, to) in edges {
        if let Some(next) = next.get_mut(from) {
            next.push(to);
        }
    }
    let mut reached = vec![false; n];
    let mut waiting: Vec<usize> = first.into_iter().collect();
    while let Some(at) = waiting.pop() {
        if let Some(seen) = reached.get_mut(at).filter(|seen| !**seen) {
            *seen = true;
            waiting.extend(next.get(at).into_iter().flatten());
        }
    }
    reached
}
