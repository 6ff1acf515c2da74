//! How likely each state of a chain is.

use super::chain::State;
use super::figure::Availability;

/// How likely each state of a chain is, at a time or in the long run.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    states: Vec<State>,
    probabilities: Vec<f64>,
}

impl Distribution {
    /// Of weights that are at least 0, and of which one is more.
    pub(super) fn of(states: &[State], weights: Vec<f64>) -> Self {
        // From the smallest on, so that many small ones are not lost beside a large one.
        let mut in_order = weights.clone();
        in_order.sort_by(f64::total_cmp);
        let sum: f64 = in_order.iter().sum();
        let probabilities = weights.into_iter().map(|weight| weight / sum).collect();
        Self { states: states.to_vec(), probabilities }
    }

    /// The states with the probability of each, in the order of the chain.
    pub fn iter(&self) -> impl Iterator<Item = (&State, f64)> {
        self.states.iter().zip(self.probabilities.iter().copied())
    }

    /// The probabilities, in the order of the chain's states; together they are 1.
    #[must_use]
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// The probability of a state; `None` if there is no such state.
    #[must_use]
    pub fn probability(&self, name: &str) -> Option<f64> {
        self.iter().find(|(state, _)| state.name == name).map(|(_, probability)| probability)
    }

    /// The probability of all states that are up, and of all that are down: each a sum of its own,
    /// since what is left of 1 would have lost its digits.
    #[must_use]
    pub fn availability(&self) -> Availability {
        let (mut up, mut down) = (0.0, 0.0);
        for (state, probability) in self.iter() {
            *(if state.up { &mut up } else { &mut down }) += probability;
        }
        Availability::of(up, down)
    }

    /// The reward in the mean.
    #[must_use]
    pub fn reward(&self) -> f64 {
        self.iter().map(|(state, probability)| state.reward * probability).sum()
    }
}
