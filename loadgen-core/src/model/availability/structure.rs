//! Whether a chain hangs together.

use super::chain::Chain;
use super::chain_error::ChainError;

/// Refuses a chain without a state, with states that cannot be left, or of which not every state
/// leads to every other: it has no long run that is the same from wherever it begins.
pub(super) fn hangs_together(chain: &Chain) -> Result<(), ChainError> {
    let n = chain.states().len();
    let end = the_only_end(chain)?;
    if end.len() == n {
        return Ok(());
    }
    let left = chain.names((0..n).filter(|state| end.binary_search(state).is_err()));
    Err(ChainError::Transient { left })
}

/// The states between which a chain goes on for ever, wherever it began; the others it leaves for
/// good. Refuses a chain without a state, with a state that cannot be left, and with more such
/// ends than one.
pub(super) fn the_only_end(chain: &Chain) -> Result<Vec<usize>, ChainError> {
    let n = chain.states().len();
    if n == 0 {
        return Err(ChainError::NoStates);
    }
    if n == 1 {
        return Ok(vec![0]);
    }
    let exits = chain.exits();
    let absorbing = (0..).zip(&exits).filter(|(_, exit)| **exit == 0.0).map(|(at, _)| at);
    let absorbing = chain.names(absorbing);
    if !absorbing.is_empty() {
        return Err(ChainError::Absorbing { states: absorbing });
    }
    let edges = || chain.numbered_rates().map(|(from, to, _)| (from, to));
    let back = Graph::of(n, edges().map(|(from, to)| (to, from)));
    // Gone through backwards, one new beginning after the other: what leads to an earlier one was
    // seen with it, so nothing that the last one leads to is without a way back to it.
    let mut seen = vec![false; n];
    let mut last = 0;
    for state in 0..n {
        if seen.get(state) == Some(&false) {
            last = state;
            back.mark(state, &mut seen);
        }
    }
    let mut leads_there = vec![false; n];
    back.mark(last, &mut leads_there);
    let forward = Graph::of(n, edges());
    let mut end = vec![false; n];
    forward.mark(last, &mut end);
    let marked = |marks: &[bool], wanted: bool| -> Vec<usize> {
        (0..).zip(marks).filter(|(_, mark)| **mark == wanted).map(|(at, _)| at).collect()
    };
    let lost = marked(&leads_there, false);
    if lost.is_empty() {
        return Ok(marked(&end, true));
    }
    let end = chain.names(marked(&end, true));
    Err(ChainError::Reducible { end, lost: chain.names(lost) })
}

/// Which of `n` places can be reached from the first ones.
pub(super) fn reached(
    n: usize,
    edges: &mut dyn Iterator<Item = (usize, usize)>,
    first: impl IntoIterator<Item = usize>,
) -> Vec<bool> {
    let graph = Graph::of(n, edges);
    let mut reached = vec![false; n];
    first.into_iter().for_each(|at| graph.mark(at, &mut reached));
    reached
}

/// Where each place leads.
struct Graph {
    next: Vec<Vec<usize>>,
}

impl Graph {
    fn of(n: usize, edges: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut next = vec![Vec::new(); n];
        for (from, to) in edges {
            if let Some(next) = next.get_mut(from) {
                next.push(to);
            }
        }
        Self { next }
    }

    /// Marks a place, and all that can be reached from it, unless they are marked already.
    fn mark(&self, first: usize, marks: &mut [bool]) {
        let mut waiting = vec![first];
        while let Some(at) = waiting.pop() {
            if let Some(mark) = marks.get_mut(at).filter(|mark| !**mark) {
                *mark = true;
                waiting.extend(self.next.get(at).into_iter().flatten());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chain(n: usize, edges: &[(usize, usize)]) -> Chain {
        let mut chain = Chain::new();
        for at in 0..n {
            chain.add_state(format!("s{at}"), true).unwrap();
        }
        for (from, to) in edges.iter().filter(|(from, to)| from != to) {
            chain.add_rate(*from, *to, 1.0).unwrap();
        }
        chain
    }

    #[test]
    fn ends_are_found_wherever_they_are() {
        let begins = chain(4, &[(0, 1), (1, 2), (2, 3), (3, 2)]);
        assert_eq!(the_only_end(&begins), Ok(vec![2, 3]));
        let told = hangs_together(&begins).unwrap_err().to_string();
        assert_eq!(
            told,
            "the chain does not come back to 's0' and 's1': leave that out, or give a way back"
        );
        let two = chain(5, &[(0, 1), (1, 0), (2, 1), (2, 3), (3, 4), (4, 3)]);
        let told = the_only_end(&two).unwrap_err().to_string();
        assert_eq!(
            told,
            "the chain falls apart: it never leaves 's3' and 's4', and never comes there from 's0' \
             and 's1': give a way from one to the other"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// The end is the set of states that every state leads to.
        #[test]
        fn as_by_trying_all(edges in prop::collection::vec((0_usize..6, 0_usize..6), 0..16)) {
            let chain = chain(6, &edges);
            let from = |first: usize| {
                reached(6, &mut chain.numbered_rates().map(|(from, to, _)| (from, to)), [first])
            };
            let all: Vec<Vec<bool>> = (0..6).map(from).collect();
            let wanted: Vec<usize> =
                (0..6).filter(|state| all.iter().all(|reached| reached[*state])).collect();
            match the_only_end(&chain) {
                Ok(end) => prop_assert_eq!(end, wanted),
                Err(ChainError::Absorbing { .. }) => {
                    prop_assert!(chain.exits().contains(&0.0));
                }
                Err(_) => prop_assert_eq!(wanted, Vec::<usize>::new()),
            }
        }
    }
}
