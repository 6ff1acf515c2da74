//! How often to move a machine that ages.

use super::rejuvenation::{Rejuvenation, RejuvenationError, RejuvenationOutcome};
use super::timer::Timer;

/// An elasticity that is none: rounding makes as much.
const NOTHING: f64 = 1e-10;

/// How often a machine is best moved.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum BestInterval {
    /// At this interval: shorter ones cost more blackouts, longer ones more failures.
    Every {
        /// The interval in hours.
        interval_h: f64,
        /// What comes of it.
        outcome: RejuvenationOutcome,
    },
    /// As often as can be: moves cost nothing.
    AsOftenAsPossible,
    /// Never: a move costs more than it spares, however seldom it comes.
    Never,
}

impl Rejuvenation {
    /// The interval with the least downtime, for the law that the timer has; its interval
    /// does not count.
    ///
    /// Since the machine fails the more often the longer ago it began anew, there is at most one
    /// (Barlow & Hunter, *Operations Research* 8, 1960). It is where the elasticity of the
    /// interval is 0, found by halving to 12 digits.
    ///
    /// ```
    /// use loadgen_core::model::availability::{BestInterval, Rejuvenation, Timer};
    ///
    /// let machine = Rejuvenation::new(720.0, 168.0, 1.0).with_blackout_s(0.3);
    /// for (timer, best_h, minutes_a_year) in [
    ///     (Timer::Deterministic { interval_h: 1.0 }, 4.540_111, 19.401_470),
    ///     (Timer::Exponential { interval_h: 1.0 }, 3.250_668, 27.268_444),
    /// ] {
    ///     let best = machine.with_timer(timer).best_interval()?;
    ///     let BestInterval::Every { interval_h, outcome } = best else { panic!() };
    ///     assert!((interval_h - best_h).abs() < 1e-6);
    ///     assert!((outcome.availability.minutes_a_year() - minutes_a_year).abs() < 1e-6);
    /// }
    /// # Ok::<(), loadgen_core::model::availability::RejuvenationError>(())
    /// ```
    ///
    /// # Errors
    /// If a parameter cannot be, or there is no timer.
    pub fn best_interval(&self) -> Result<BestInterval, RejuvenationError> {
        if self.timer == Timer::None {
            return Err(RejuvenationError::NoTimer);
        }
        let at = |interval_h: f64| self.with_timer(self.timer.with_interval_h(interval_h));
        let slowest = self.aging_h.max(self.failure_h);
        // Others than its own are looked at, so its own is as good as any.
        at(slowest.clamp(1e-9, 1e9)).outcome()?;
        let cost_h = self.blackout_s / 3600.0 + (1.0 - self.success) * self.repair_h;
        if cost_h == 0.0 {
            return Ok(BestInterval::AsOftenAsPossible);
        }
        let counts = |interval_h: f64| {
            at(interval_h).elasticities().map(|counts| counts.interval_h.unwrap_or(0.0))
        };
        // From below, where blackouts count for all, up to where it is too long; that it counts for
        // nothing behind that, since all machines have failed by then, is no reason to move one.
        let mut low = (2.0 * self.aging_h * self.failure_h * cost_h / self.repair_h).sqrt();
        low = low.min(slowest);
        while counts(low)? > -NOTHING {
            low /= 4.0;
            if low < 1e-11 {
                return Ok(BestInterval::AsOftenAsPossible);
            }
        }
        let mut high = low;
        while counts(high)? < NOTHING {
            high *= 2.0;
            if high > slowest * 1e6 || high > 1e12 {
                return Ok(BestInterval::Never);
            }
        }
        while high > low * (1.0 + 1e-13) {
            let middle = (low * high).sqrt();
            if middle <= low || middle >= high {
                break;
            }
            if counts(middle)? > 0.0 { high = middle } else { low = middle }
        }
        let interval_h = (low * high).sqrt();
        Ok(BestInterval::Every { interval_h, outcome: at(interval_h).outcome()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(blackout_s: f64) -> Rejuvenation {
        let timer = Timer::Deterministic { interval_h: 1.0 };
        Rejuvenation::new(720.0, 168.0, 1.0).with_blackout_s(blackout_s).with_timer(timer)
    }

    fn timers() -> [Timer; 3] {
        let interval_h = f64::NAN;
        [
            Timer::Exponential { interval_h },
            Timer::Deterministic { interval_h },
            Timer::Erlang { stages: 4, interval_h },
        ]
    }

    #[test]
    fn there_need_not_be_one() {
        for timer in timers() {
            let best = |machine: Rejuvenation| machine.with_timer(timer).best_interval();
            assert_eq!(best(machine(0.0)), Ok(BestInterval::AsOftenAsPossible), "{timer:?}");
            // A blackout that is as long as a repair.
            assert_eq!(best(machine(3600.0)), Ok(BestInterval::Never), "{timer:?}");
            assert_eq!(best(machine(1.0).with_success(0.0)), Ok(BestInterval::Never), "{timer:?}");
        }
        let none = machine(1.0).with_timer(Timer::None).best_interval();
        assert_eq!(none, Err(RejuvenationError::NoTimer));
        let broken = Rejuvenation::new(-1.0, 1.0, 1.0).with_timer(timers()[0]).best_interval();
        assert!(
            matches!(broken, Err(RejuvenationError::Number(number)) if number.what == "aging_h")
        );
    }

    /// No interval nearby, nor far away, is better.
    #[test]
    fn no_other_is_better() {
        for timer in timers() {
            for (blackout_s, success) in [(1e-6, 1.0), (4.0, 1.0), (0.5, 0.999), (300.0, 0.98)] {
                let machine = machine(blackout_s).with_success(success).with_timer(timer);
                let Ok(BestInterval::Every { interval_h, outcome }) = machine.best_interval()
                else {
                    panic!("{timer:?} {blackout_s}: {:?}", machine.best_interval());
                };
                for factor in [0.01, 0.5, 0.99, 0.999, 1.001, 1.01, 2.0, 100.0] {
                    let other = timer.with_interval_h(interval_h * factor);
                    let other = machine.with_timer(other).outcome().unwrap().availability.down();
                    assert!(other > outcome.availability.down(), "{machine:?}: {factor}");
                }
            }
        }
    }
}
