//! A finite Markov chain in continuous time.

use std::collections::{BTreeMap, HashMap};

use super::chain_error::ChainError;

/// States that a chain may have.
pub(super) const MOST_STATES: usize = 10_000;

/// Rates that a chain may have.
const MOST_RATES: usize = 1_000_000;

/// Rates with which can be computed without a thought of what is too small or too large.
const SOUND_RATES: std::ops::RangeInclusive<f64> = 1e-100..=1e100;

/// A finite Markov chain in continuous time: states, of which each is up or down, and rates
/// between them.
///
/// Rates are per unit of time, and means are in it: any unit, the same for all. Up to 10,000
/// states.
///
/// ```
/// use loadgen_core::model::availability::Chain;
///
/// // In hours: it fails every 888 h, and a repair takes one.
/// let chain = Chain::new()
///     .with_state("up", true)?
///     .with_state("failed", false)?
///     .with_mean("up", "failed", 888.0)?
///     .with_mean("failed", "up", 1.0)?;
/// let long_run = chain.steady_state()?;
/// assert!((long_run.availability().up() - 888.0 / 889.0).abs() < 1e-15);
/// assert!((long_run.availability().minutes_a_year() - 591.226).abs() < 1e-3);
///
/// // An hour after it began to work, it is down less often than in the long run.
/// let soon = chain.transient(1.0, [("up", 1.0)])?;
/// assert!(soon.availability().down() < long_run.availability().down());
/// # Ok::<(), loadgen_core::model::availability::ChainError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chain {
    states: Vec<State>,
    index: HashMap<String, usize>,
    rates: BTreeMap<(usize, usize), f64>,
}

/// A state of a chain.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct State {
    /// Its name.
    pub name: String,
    /// Whether what is modelled is up in it.
    pub up: bool,
    /// What a unit of time in it is worth: 1 for what is up, and 0 for what is down, unless it
    /// was given another.
    pub reward: f64,
}

impl Chain {
    /// A chain without states.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more state.
    ///
    /// # Errors
    /// If there is one of that name, or there are too many.
    pub fn with_state(mut self, name: impl Into<String>, up: bool) -> Result<Self, ChainError> {
        self.add_state(name.into(), up)?;
        Ok(self)
    }

    /// With what a unit of time in a state is worth, in any measure: for a part of the capacity,
    /// say, 0.5.
    ///
    /// # Errors
    /// If there is no such state, or the reward is not finite.
    pub fn with_reward(mut self, name: &str, reward: f64) -> Result<Self, ChainError> {
        let at = self.find(name)?;
        if !reward.is_finite() {
            return Err(ChainError::Reward { name: name.to_owned(), reward });
        }
        if let Some(state) = self.states.get_mut(at) {
            state.reward = reward;
        }
        Ok(self)
    }

    /// With a rate from one state to another, above 0. A second one between the same two adds to
    /// it: there are two causes then.
    ///
    /// # Errors
    /// If there is no such state, both are the same, or the rate is no number from 1e-100 to
    /// 1e100.
    pub fn with_rate(mut self, from: &str, to: &str, rate: f64) -> Result<Self, ChainError> {
        let (from, to) = (self.find(from)?, self.find(to)?);
        self.add_rate(from, to, rate)?;
        Ok(self)
    }

    /// With a mean time from one state to another: the rate is its inverse.
    ///
    /// # Errors
    /// As of [`with_rate`](Self::with_rate).
    pub fn with_mean(self, from: &str, to: &str, mean: f64) -> Result<Self, ChainError> {
        self.with_rate(from, to, 1.0 / mean)
    }

    /// The states, in the order in which they were given.
    #[must_use]
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// The rates: from which state, to which, and how much, in the order of the states.
    pub fn rates(&self) -> impl Iterator<Item = (&str, &str, f64)> {
        self.rates.iter().map(|(&(from, to), &rate)| (self.name(from), self.name(to), rate))
    }

    /// The same by numbers of states.
    pub(super) fn numbered_rates(&self) -> impl Iterator<Item = (usize, usize, f64)> + Clone {
        self.rates.iter().map(|(&(from, to), &rate)| (from, to, rate))
    }

    /// The rate at which each state is left.
    pub(super) fn exits(&self) -> Vec<f64> {
        let mut exits = vec![0.0; self.states.len()];
        for (&(from, _), rate) in &self.rates {
            if let Some(exit) = exits.get_mut(from) {
                *exit += rate;
            }
        }
        exits
    }

    pub(super) fn name(&self, at: usize) -> &str {
        self.states.get(at).map_or("", |state| &state.name)
    }

    pub(super) fn names(&self, all: impl IntoIterator<Item = usize>) -> Vec<String> {
        all.into_iter().map(|at| self.name(at).to_owned()).collect()
    }

    /// The number of a state.
    pub(super) fn find(&self, name: &str) -> Result<usize, ChainError> {
        self.index.get(name).copied().ok_or_else(|| ChainError::UnknownState {
            name: name.to_owned(),
            states: self.names(0..self.states.len()),
        })
    }

    /// The number of the new state.
    pub(super) fn add_state(&mut self, name: String, up: bool) -> Result<usize, ChainError> {
        if self.index.contains_key(&name) {
            return Err(ChainError::TwoStates { name });
        }
        let at = self.states.len();
        if at == MOST_STATES {
            return Err(ChainError::TooManyStates { most: MOST_STATES });
        }
        self.index.insert(name.clone(), at);
        self.states.push(State { name, up, reward: f64::from(u8::from(up)) });
        Ok(at)
    }

    pub(super) fn add_rate(&mut self, from: usize, to: usize, rate: f64) -> Result<(), ChainError> {
        if from == to {
            return Err(ChainError::SelfLoop { name: self.name(from).to_owned() });
        }
        let sum = self.rates.get(&(from, to)).copied().unwrap_or(0.0) + rate;
        if !SOUND_RATES.contains(&rate) || !SOUND_RATES.contains(&sum) {
            let (from, to) = (self.name(from).to_owned(), self.name(to).to_owned());
            return Err(ChainError::Rate { from, to, rate });
        }
        self.rates.insert((from, to), sum);
        if self.rates.len() > MOST_RATES {
            return Err(ChainError::TooManyRates { most: MOST_RATES });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Chain {
        Chain::new().with_state("a", true).unwrap().with_state("b", false).unwrap()
    }

    #[test]
    fn nonsense_is_refused() {
        let told = |chain: Result<Chain, ChainError>| chain.unwrap_err().to_string();
        assert_eq!(told(two().with_state("a", false)), "there are two states 'a'");
        assert_eq!(
            told(two().with_rate("a", "c", 1.0)),
            "there is no state 'c': there are 'a' and 'b'"
        );
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e101, 1e-101] {
            let error = told(two().with_rate("a", "b", rate));
            assert!(error.starts_with("the rate from 'a' to 'b' is"), "{error}");
            let mean = two().with_mean("a", "b", 1.0 / rate);
            assert!(matches!(mean, Err(ChainError::Rate { .. })), "{rate}");
        }
        assert!(matches!(two().with_rate("a", "a", 1.0), Err(ChainError::SelfLoop { .. })));
        assert!(matches!(two().with_reward("a", f64::NAN), Err(ChainError::Reward { .. })));
        assert!(matches!(two().with_reward("c", 1.0), Err(ChainError::UnknownState { .. })));
        let mut many = Chain::new();
        for at in 0..MOST_STATES {
            many.add_state(at.to_string(), true).unwrap();
        }
        let most = MOST_STATES;
        assert_eq!(many.with_state("one more", true), Err(ChainError::TooManyStates { most }));
    }

    #[test]
    fn two_causes_add_up() {
        let chain = two().with_rate("a", "b", 1.0).unwrap().with_mean("a", "b", 0.5).unwrap();
        assert_eq!(chain.rates().collect::<Vec<_>>(), [("a", "b", 3.0)]);
        assert_eq!(chain.exits(), [3.0, 0.0]);
        let rewards: Vec<f64> = chain.states().iter().map(|state| state.reward).collect();
        assert_eq!(rewards, [1.0, 0.0]);
    }
}
