//! A chain after a time.

use super::chain::Chain;
use super::chain_error::ChainError;
use super::distribution::Distribution;
use super::poisson::Poisson;

/// Steps of the fastest state that are computed.
const MOST_STEPS: f64 = 1e7;

/// Rates that are looked at in all steps: some ten seconds.
const MOST_LOOKS: f64 = 4e9;

/// What is left out.
const TAILS: f64 = 1e-12;

impl Chain {
    /// How likely each state is at a time, in the unit of the chain, after it began in one of these
    /// states with these shares. States that cannot be left are no trouble here: with them a chain
    /// tells how likely it is that something has not happened yet.
    ///
    /// By uniformisation (Jensen, *Skandinavisk Aktuarietidskrift* 36, 1953): steps of a chain
    /// in discrete time, as many as come in that time: `π(t) = Σ_k e^{−Λt} (Λt)^k/k! π(0) P^k`,
    /// with the rate Λ of the fastest state and `P = 1 + Q/Λ`. What is left out is less than 1e-12;
    /// rounding adds some 1e-16 for each step of the fastest state.
    ///
    /// ```
    /// use loadgen_core::model::availability::Chain;
    ///
    /// // Two states have a formula: λ/(λ + μ) (1 - e^-(λ + μ)t) is down.
    /// let chain = Chain::new()
    ///     .with_state("up", true)?
    ///     .with_state("down", false)?
    ///     .with_rate("up", "down", 0.1)?
    ///     .with_rate("down", "up", 0.4)?;
    /// let found = chain.transient(2.0, [("up", 1.0)])?;
    /// // 0.2 (1 - e^-1).
    /// assert!((found.availability().down() - 0.126_424_1).abs() < 1e-7);
    /// # Ok::<(), loadgen_core::model::availability::ChainError>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such state, the time is not finite, the shares are not 1 together (to 9
    /// digits), or there are more than ten million steps, or as much work, up to that time.
    pub fn transient<'a>(
        &self,
        time: f64,
        beginning: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<Distribution, ChainError> {
        if !(time.is_finite() && time >= 0.0) {
            return Err(ChainError::Time { time });
        }
        let n = self.states().len();
        if n == 0 {
            return Err(ChainError::NoStates);
        }
        let mut now = vec![0.0; n];
        let mut all = 0.0;
        for (name, share) in beginning {
            let at = self.find(name)?;
            if let Some(slot) = now.get_mut(at) {
                *slot += share;
            }
            // The sum tells it if one is no share.
            all += if share >= 0.0 { share } else { f64::NAN };
        }
        let whole = (all - 1.0).abs() <= 1e-9;
        if !whole {
            return Err(ChainError::Beginning { sum: all });
        }
        let steps = Steps::of(self);
        let mean = steps.fastest * time;
        let looks = (steps.moves.len() + n) as f64;
        if mean > MOST_STEPS || mean * looks > MOST_LOOKS {
            return Err(ChainError::TooManySteps { steps: mean });
        }
        let law = Poisson::new(mean, TAILS);
        let mut found = vec![0.0; n];
        for number in 0..=law.last() {
            let weight = law.weight(number);
            if weight > 0.0 {
                found.iter_mut().zip(&now).for_each(|(found, now)| *found += weight * now);
            }
            if number < law.last() {
                now = steps.after(&now);
            }
        }
        Ok(Distribution::of(self.states(), found))
    }
}

/// The same chain in steps, each of which takes as long as a visit to the fastest state.
#[derive(Debug)]
pub(super) struct Steps {
    /// The rate at which the fastest state is left, and at which there are steps.
    pub(super) fastest: f64,
    /// From which state, to which, with which probability in a step.
    moves: Vec<(usize, usize, f64)>,
    /// How likely each stays where it is.
    stays: Vec<f64>,
}

impl Steps {
    pub(super) fn of(chain: &Chain) -> Self {
        Self::made(chain.exits(), chain.numbered_rates())
    }

    /// Of rates, and the rates at which states are left; what leads out of the numbers that have
    /// one is lost.
    pub(super) fn made(exits: Vec<f64>, rates: impl Iterator<Item = (usize, usize, f64)>) -> Self {
        let fastest = exits.iter().copied().fold(0.0, f64::max);
        let moves = rates.map(|(from, to, rate)| (from, to, rate / fastest)).collect();
        let stay = |exit: f64| if fastest > 0.0 { (1.0 - exit / fastest).max(0.0) } else { 1.0 };
        Self { fastest, moves, stays: exits.into_iter().map(stay).collect() }
    }

    /// How likely each state is after one more step.
    pub(super) fn after(&self, now: &[f64]) -> Vec<f64> {
        let mut next: Vec<f64> =
            now.iter().zip(&self.stays).map(|(now, stay)| now * stay).collect();
        for &(from, to, probability) in &self.moves {
            if let (Some(now), Some(next)) = (now.get(from), next.get_mut(to)) {
                *next += now * probability;
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(repair: f64) -> Chain {
        let two = Chain::new().with_state("up", true).unwrap().with_state("down", false).unwrap();
        let two = two.with_rate("up", "down", 2.0).unwrap();
        if repair > 0.0 { two.with_rate("down", "up", repair).unwrap() } else { two }
    }

    /// Two states have a formula: the difference to the long run decays with both rates.
    #[test]
    fn two_states_as_by_the_formula() {
        for repair in [0.0_f64, 1e-6, 3.0, 1e3] {
            let chain = repaired(repair);
            let both = 2.0 + repair;
            for time in [0.0, 1e-9, 0.1, 1.0, 30.0] {
                let found = chain.transient(time, [("up", 1.0)]).unwrap();
                let down = 2.0 / both * -(-both * time).exp_m1();
                let got = found.probability("down").unwrap();
                assert!((got - down).abs() < 1e-11, "{repair} {time}: {got} {down}");
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let chain = repaired(3.0);
        let error = |time, beginning: &[(&'static str, f64)]| {
            chain.transient(time, beginning.iter().copied()).unwrap_err()
        };
        for time in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(matches!(error(time, &[("up", 1.0)]), ChainError::Time { .. }), "{time}");
        }
        let nonsense: [&[(&str, f64)]; 4] =
            [&[], &[("up", 0.5)], &[("up", 1.5), ("down", -0.5)], &[("up", f64::NAN)]];
        for beginning in nonsense {
            assert!(matches!(error(1.0, beginning), ChainError::Beginning { .. }), "{beginning:?}");
        }
        assert!(matches!(error(1.0, &[("x", 1.0)]), ChainError::UnknownState { .. }));
        assert!(matches!(error(1e8, &[("up", 1.0)]), ChainError::TooManySteps { .. }));
        assert_eq!(Chain::new().transient(1.0, []), Err(ChainError::NoStates));
    }

    #[test]
    fn a_beginning_may_be_shared() {
        let found = repaired(3.0).transient(0.0, [("down", 0.25), ("up", 0.75)]).unwrap();
        assert_eq!(found.probabilities(), [0.75, 0.25]);
        assert_eq!(found.availability().down(), 0.25);
    }
}
