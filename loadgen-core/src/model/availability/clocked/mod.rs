//! Chains with clocks that are not exponential.

mod renewal;
mod stages;

use std::collections::BTreeSet;

use super::chain::Chain;
use super::chain_error::{ChainError, told};
use super::distribution::Distribution;

/// Stages that a clock may have.
const MOST_STAGES: u32 = 1_000;

/// A [`Chain`] with clocks beside it. A clock runs while the chain is in one of some states, goes
/// on when it moves between them, and stops when it leaves them; when it has run for its time, the
/// chain moves on.
///
/// With a deterministic clock the long run is computed exactly where that can be: where there is
/// one interval, and the clocks always start in one and the same state. Otherwise a clock of, say,
/// 10 stages comes close.
///
/// ```
/// use loadgen_core::model::availability::{Chain, ClockLaw, ClockedChain};
///
/// let chain = Chain::new()
///     .with_state("robust", true)?
///     .with_state("aged", true)?
///     .with_state("failed", false)?
///     .with_state("blackout", false)?
///     .with_mean("robust", "aged", 720.0)?
///     .with_mean("aged", "failed", 168.0)?
///     .with_mean("failed", "robust", 1.0)?
///     .with_mean("blackout", "robust", 0.3 / 3600.0)?;
/// let law = ClockLaw::Every { interval: 24.0 };
/// let moved = ClockedChain::new(chain).with_clock(&["robust", "aged"], "blackout", law)?;
/// assert!((moved.steady_state()?.availability().minutes_a_year() - 51.046).abs() < 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ClockedChain {
    chain: Chain,
    clocks: Vec<Clock>,
}

/// The law that a clock follows.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ClockLaw {
    /// Always the same time.
    Every {
        /// The time, in the unit of the chain.
        interval: f64,
    },
    /// Stages of equal exponential laws, one after the other (Erlang): the more, the closer to
    /// always the same time.
    Erlang {
        /// How many stages, from 1 to 1000.
        stages: u32,
        /// The time of all of them together in the mean, in the unit of the chain.
        mean: f64,
    },
}

#[derive(Debug, Clone, PartialEq)]
struct Clock {
    from: BTreeSet<usize>,
    to: usize,
    law: ClockLaw,
}

/// Clocks that cannot be, or for which there is no exact answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// A clock runs in no state.
    #[error("a clock runs in at least one state")]
    NoStates,
    /// The time of a clock is not a number above 0.
    #[error("the time of a clock is {time}: it has to be above 0, from 1e-100 to 1e100")]
    Time {
        /// The time.
        time: f64,
    },
    /// A clock has no stages, or too many.
    #[error("a clock has 1 to {most} stages, and not {stages}")]
    Stages {
        /// How many.
        stages: u32,
        /// How many it may have.
        most: u32,
    },
    /// Deterministic clocks have different intervals.
    #[error(
        "there are clocks that go every {} and every {}: together they are not computed exactly; \
         stages = 10 comes close", .intervals.0, .intervals.1
    )]
    Intervals {
        /// Two of the intervals.
        intervals: (f64, f64),
    },
    /// Two deterministic clocks run in one state.
    #[error(
        "two clocks that are not by chance run in {}: that is not computed exactly; stages = 10 \
         for one of them comes close", told(.states)
    )]
    Together {
        /// The states.
        states: Vec<String>,
    },
    /// There are deterministic clocks and others that are not exponential.
    #[error(
        "a clock that goes every {interval} and one with stages are not computed exactly together; \
         stages = 10 in place of the first comes close"
    )]
    Mixed {
        /// The interval of the deterministic clock.
        interval: f64,
    },
    /// A deterministic clock starts in more states than one.
    #[error(
        "the clock that goes every {interval} starts in {}: it is computed exactly only where it \
         always starts in the same state; stages = 10 comes close", told(.states)
    )]
    Starts {
        /// The interval.
        interval: f64,
        /// The states in which it starts.
        states: Vec<String>,
    },
    /// A chain with a deterministic clock was to be a chain alone.
    #[error("a clock that goes every {interval} is no part of a chain; stages = 10 comes close")]
    NoChain {
        /// The interval.
        interval: f64,
    },
    /// The chain cannot be.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl ClockedChain {
    /// A chain without clocks.
    #[must_use]
    pub fn new(chain: Chain) -> Self {
        Self { chain, clocks: Vec::new() }
    }

    /// With a clock that runs in these states, and moves the chain to that one.
    ///
    /// # Errors
    /// If there is no such state, or the law cannot be.
    pub fn with_clock(
        mut self,
        from: &[&str],
        to: &str,
        law: ClockLaw,
    ) -> Result<Self, ClockError> {
        let from = from.iter().map(|name| self.chain.find(name));
        let from = from.collect::<Result<BTreeSet<usize>, _>>()?;
        let to = self.chain.find(to)?;
        if from.is_empty() {
            return Err(ClockError::NoStates);
        }
        let time = match law {
            ClockLaw::Every { interval } => interval,
            ClockLaw::Erlang { stages, .. } if !(1..=MOST_STAGES).contains(&stages) => {
                return Err(ClockError::Stages { stages, most: MOST_STAGES });
            }
            ClockLaw::Erlang { mean, .. } => mean,
        };
        if !(1e-100..=1e100).contains(&time) {
            return Err(ClockError::Time { time });
        }
        self.clocks.push(Clock { from, to, law });
        Ok(self)
    }

    /// The states, and the rates between them without clocks.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// All of it as a chain: each stage of a clock in each of its states is a state of its own,
    /// such as `robust (3 of 10)`. Stages of k have the rate k by the mean.
    ///
    /// ```
    /// use loadgen_core::model::availability::{Chain, ClockLaw, ClockedChain};
    ///
    /// let two = Chain::new().with_state("up", true)?.with_state("moved", false)?;
    /// let law = ClockLaw::Erlang { stages: 3, mean: 24.0 };
    /// let clocked = ClockedChain::new(two.with_mean("moved", "up", 1.0)?);
    /// let chain = clocked.with_clock(&["up"], "moved", law)?.to_chain()?;
    /// assert_eq!(chain.states()[1].name, "up (2 of 3)");
    /// assert_eq!(chain.rates().next(), Some(("up (1 of 3)", "up (2 of 3)", 3.0 / 24.0)));
    /// assert!((chain.steady_state()?.availability().up() - 0.96).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is a deterministic clock, or there are too many states.
    pub fn to_chain(&self) -> Result<Chain, ClockError> {
        match self.intervals().next() {
            Some(interval) => Err(ClockError::NoChain { interval }),
            None => Ok(stages::spread(&self.chain, &self.clocks)?.chain),
        }
    }

    /// How likely each state is in the long run.
    ///
    /// With a deterministic clock by renewal and reward: what the chain does until the clock
    /// goes, by uniformisation, and from there to where the clock starts again, by elimination
    /// (a Markov regenerative process: Choi, Kulkarni & Trivedi, *Performance Evaluation* 20,
    /// 1994).
    ///
    /// # Errors
    /// If the chain has no long run, or there is no exact answer; the message says what comes
    /// close.
    pub fn steady_state(&self) -> Result<Distribution, ClockError> {
        if self.intervals().next().is_some() {
            let times = renewal::long_run(&self.chain, &self.clocks)?;
            return Ok(Distribution::of(self.chain.states(), times));
        }
        let spread = stages::spread(&self.chain, &self.clocks)?;
        let times = spread.chain.steady_state()?;
        let mut by_state = vec![0.0; self.chain.states().len()];
        for (time, state) in times.probabilities().iter().zip(&spread.states) {
            if let Some(slot) = by_state.get_mut(*state) {
                *slot += time;
            }
        }
        Ok(Distribution::of(self.chain.states(), by_state))
    }

    /// Of the deterministic clocks.
    fn intervals(&self) -> impl Iterator<Item = f64> {
        self.clocks.iter().filter_map(|clock| match clock.law {
            ClockLaw::Every { interval } => Some(interval),
            ClockLaw::Erlang { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests;
