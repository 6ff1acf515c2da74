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

    /// The reward in the mean: `Σ π_i r_i`.
    ///
    /// ```
    /// use loadgen_core::model::availability::Chain;
    ///
    /// // Both halves work 8 of 10 hours, one for an hour, none for an hour.
    /// let chain = Chain::new()
    ///     .with_state("both", true)?
    ///     .with_state("one", true)?
    ///     .with_state("none", false)?
    ///     .with_mean("both", "one", 8.0)?
    ///     .with_mean("one", "none", 1.0)?
    ///     .with_mean("none", "both", 1.0)?
    ///     .with_reward("one", 0.5)?;
    /// let long_run = chain.steady_state()?;
    /// assert!((long_run.reward() - 0.85).abs() < 1e-15);
    /// assert!((long_run.availability().up() - 0.9).abs() < 1e-15);
    /// # Ok::<(), loadgen_core::model::availability::ChainError>(())
    /// ```
    #[must_use]
    pub fn reward(&self) -> f64 {
        self.iter().map(|(state, probability)| state.reward * probability).sum()
    }
}
