//! Ways to move a machine, by the availability that each leaves.

use super::best_interval::BestInterval;
use super::figure::Availability;
use super::rejuvenation::{Rejuvenation, RejuvenationError, hours};
use super::timer::Timer;
use crate::model::error::{ModelError, not_negative};

/// A machine that is moved at an interval in one of several ways, of which each has its blackout:
/// what is left of its availability by each, and without any move.
///
/// If it is known how the machine ages, it is a [`Rejuvenation`], and each move lets it begin
/// anew. If not, it never fails here, and moves only cost: `U = d / (I + d)` with the blackout d
/// and the interval I of time that it is up, whatever law the interval follows.
///
/// ```
/// use loadgen_core::model::availability::{BestInterval, MovedEvery, Rejuvenation};
///
/// let aging = Rejuvenation::new(720.0, 168.0, 65.0 / 60.0);
/// let daily = MovedEvery::new(24.0).with_aging(aging);
/// let ways = [("stop-and-copy", 4.0), ("pre-copy", 0.3), ("post-copy", 0.03)];
/// let found = daily.by_strategy(&ways)?;
/// // Left alone it fails each 888 h: 65 min of 889.083 h.
/// assert!((found.never.minutes_a_year() - 640.435).abs() < 1e-3);
/// let pre_copy = &found.moved[1];
/// assert!((pre_copy.scheduled.minutes_a_year() - 55.148).abs() < 1e-3);
/// assert!((pre_copy.scheduled.nines() - 3.979).abs() < 1e-3);
/// // What plain Markov chains would say of the same.
/// assert!((pre_copy.exponential.minutes_a_year() - 97.859).abs() < 1e-3);
/// // The shorter the blackout, the more often a move is worth it.
/// let BestInterval::Every { interval_h, outcome } = pre_copy.best else { panic!() };
/// assert!((interval_h - 4.360).abs() < 1e-3);
/// assert!((outcome.availability.minutes_a_year() - 20.198).abs() < 1e-3);
/// for (moved, wanted) in found.moved.iter().zip([77.617, 55.148, 53.508]) {
///     assert!((moved.scheduled.minutes_a_year() - wanted).abs() < 1e-3);
/// }
///
/// // Of how it ages nothing is known: 0.3 s of 86,400.3.
/// let found = MovedEvery::new(24.0).by_strategy(&[("pre-copy", 0.3)])?;
/// assert_eq!(found.never.minutes_a_year(), 0.0);
/// assert!((found.moved[0].scheduled.minutes_a_year() - 1.825).abs() < 1e-3);
/// assert_eq!(found.moved[0].best, BestInterval::Never);
/// # Ok::<(), loadgen_core::model::availability::RejuvenationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct MovedEvery {
    /// Hours from one move to the next.
    pub interval_h: f64,
    /// How it ages, if that is known. Its own timer and blackout do not count.
    pub aging: Option<Rejuvenation>,
}

/// What comes of each way to move a machine.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ByStrategy {
    /// If it is never moved: it ages until it fails.
    pub never: Availability,
    /// If it is moved, by each way in the order in which they were given.
    pub moved: Vec<MovedBy>,
}

/// What comes of one way to move a machine.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MovedBy {
    /// The way.
    pub strategy: String,
    /// Its mean blackout in s.
    pub blackout_s: f64,
    /// Always after the same interval: what a schedule does.
    pub scheduled: Availability,
    /// After intervals that follow an exponential law with the same mean, as plain Markov chains
    /// have it.
    pub exponential: Availability,
    /// The best interval, if it is always the same, with what comes of it.
    pub best: BestInterval,
}

impl MovedEvery {
    /// Moved each `interval_h` hours; how it ages is not known.
    #[must_use]
    pub fn new(interval_h: f64) -> Self {
        Self { interval_h, aging: None }
    }

    /// With how it ages, fails and is repaired, and which share of moves succeeds.
    #[must_use]
    pub fn with_aging(mut self, aging: Rejuvenation) -> Self {
        self.aging = Some(aging);
        self
    }

    /// What comes of each strategy: its name, and its mean blackout (or the outage that its users
    /// see) in s.
    ///
    /// # Errors
    /// If a parameter cannot be; see [`Rejuvenation::outcome`].
    pub fn by_strategy(&self, strategies: &[(&str, f64)]) -> Result<ByStrategy, RejuvenationError> {
        let never = match self.aging {
            Some(aging) => aging.with_timer(Timer::None).outcome()?.availability,
            None => Availability::of(1.0, 0.0),
        };
        let moved = strategies.iter().map(|(strategy, blackout_s)| {
            let (strategy, blackout_s) = ((*strategy).to_owned(), *blackout_s);
            let (scheduled, exponential, best) = match self.aging {
                Some(aging) => self.aging(aging.with_blackout_s(blackout_s))?,
                None => {
                    let only_cost = self.only_cost(blackout_s)?;
                    (only_cost, only_cost, BestInterval::Never)
                }
            };
            Ok(MovedBy { strategy, blackout_s, scheduled, exponential, best })
        });
        Ok(ByStrategy { never, moved: moved.collect::<Result<_, RejuvenationError>>()? })
    }

    fn aging(
        &self,
        machine: Rejuvenation,
    ) -> Result<(Availability, Availability, BestInterval), RejuvenationError> {
        let interval_h = self.interval_h;
        let scheduled = machine.with_timer(Timer::Deterministic { interval_h });
        let exponential = machine.with_timer(Timer::Exponential { interval_h });
        Ok((
            scheduled.outcome()?.availability,
            exponential.outcome()?.availability,
            scheduled.best_interval()?,
        ))
    }

    fn only_cost(&self, blackout_s: f64) -> Result<Availability, ModelError> {
        let up_s = hours("interval_h", self.interval_h)? * 3600.0;
        Ok(Availability::of(up_s, not_negative("blackout_s", blackout_s)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused() {
        let aging = Rejuvenation::new(720.0, 168.0, 1.0);
        for aging in [None, Some(aging)] {
            let told = |interval_h, blackout_s| {
                let moved = MovedEvery { interval_h, aging };
                moved.by_strategy(&[("a", blackout_s)]).unwrap_err().to_string()
            };
            for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
                assert!(told(wrong, 1.0).starts_with("interval_h must be"), "{wrong}");
            }
            for wrong in [-1.0, f64::NAN, f64::INFINITY] {
                assert!(told(24.0, wrong).starts_with("blackout_s must be"), "{wrong}");
            }
        }
        let broken = MovedEvery::new(24.0).with_aging(Rejuvenation::new(0.0, 1.0, 1.0));
        assert!(broken.by_strategy(&[]).is_err(), "also where nothing is moved");
    }

    /// What is set in the machine does not count, and a longer blackout is never better.
    #[test]
    fn only_strategies_count() {
        let timer = Timer::Exponential { interval_h: 1.0 };
        let aging = Rejuvenation::new(720.0, 168.0, 1.0).with_success(0.99);
        let set = aging.with_timer(timer).with_blackout_s(99.0);
        let blackouts = [("a", 0.0), ("b", 0.1), ("c", 10.0), ("d", 7200.0)];
        let plain = MovedEvery::new(24.0).with_aging(aging).by_strategy(&blackouts).unwrap();
        let other = MovedEvery::new(24.0).with_aging(set).by_strategy(&blackouts).unwrap();
        assert_eq!(plain, other);
        for (shorter, longer) in plain.moved.iter().zip(&plain.moved[1..]) {
            assert!(shorter.scheduled.down() < longer.scheduled.down());
            assert!(shorter.exponential.down() < longer.exponential.down());
        }
        assert_eq!(plain.moved[3].best, BestInterval::Never, "longer than a repair");
        assert!(plain.moved[3].scheduled.down() > plain.never.down());
    }
}
