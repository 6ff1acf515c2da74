//! A machine that ages, and begins anew whenever it is moved.

use super::dual::Dual;
use super::figure::Availability;
use super::timer::Timer;
use super::two_phases::{TwoPhases, mean_late, mean_left};
use crate::model::error::{ModelError, share};

/// Stages that a clock may have.
const MOST_STAGES: u32 = 10_000;

/// Times in hours with which can be computed.
const SOUND_HOURS: std::ops::RangeInclusive<f64> = 1e-12..=1e12;

/// The parameters by which slopes are taken.
const AGING: usize = 0;
const FAILURE: usize = 1;
const REPAIR: usize = 2;
const INTERVAL: usize = 3;
const BLACKOUT: usize = 4;

/// A machine that ages, fails once it has aged, is repaired, and is moved at an interval, so that
/// it begins anew behind it (rejuvenation: Huang, Kintala, Kolettis & Fulton, FTCS 1995; by live
/// migration: Melo, Maciel, Araujo, Matos & Araujo, DSN 2013).
///
/// It is robust or aged, and up in both; failed, and down until it is repaired; or in the blackout
/// of a move, and down. A move that does not succeed ends in a failure. Times until it
/// ages, fails and is repaired follow exponential laws; the timer follows one of
/// [`Timer`], goes on while the machine ages, and starts again behind each move and each repair.
/// Of the blackout only the mean counts.
///
/// From a beginning to the next one it is robust for R and aged for G hours in the mean, and ends
/// in a failure with probability F or in a move with M = 1 − F. With the repair r, the blackout d
/// and the share s of moves that succeed
///
/// `A = (R + G) / (R + G + (F + M (1 − s)) r + M d)`.
///
/// With the rates α = 1/aging, φ = 1/failure and the interval I of moves, δ = 1/I:
///
/// | timer | R | G | M |
/// |---|---|---|---|
/// | none | 1/α | 1/φ | 0 |
/// | exponential | 1/(δ + α) | αR/(δ + φ) | δ (R + G) |
/// | deterministic | (1 − e^{−αI})/α | F/φ | e^{−αI} + α (e^{−αI} − e^{−φI})/(φ − α) |
///
/// (if φ = α, the last is (1 + αI) e^{−αI}); an Erlang timer of k stages is the exponential one
/// stage by stage, each at kδ.
///
/// ```
/// use loadgen_core::model::availability::{BestInterval, Rejuvenation, Timer};
///
/// let machine = Rejuvenation::new(720.0, 168.0, 1.0).with_blackout_s(4.0);
/// let daily = machine.with_timer(Timer::Deterministic { interval_h: 24.0 });
/// let outcome = daily.outcome()?;
/// assert!((outcome.availability.minutes_a_year() - 73.516).abs() < 1e-3);
///
/// // What counts for most of its downtime? Repairs, then how fast it ages.
/// let counts = daily.elasticities()?;
/// assert!(counts.repair_h > 0.5 && counts.aging_h < -0.5);
///
/// // Moves a little more often are worth their blackouts.
/// let BestInterval::Every { interval_h, .. } = daily.best_interval()? else { panic!() };
/// assert!((interval_h - 17.093).abs() < 1e-3);
/// # Ok::<(), loadgen_core::model::availability::RejuvenationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Rejuvenation {
    /// Mean time in hours after which it has aged.
    pub aging_h: f64,
    /// Mean time in hours after which it fails, once it has aged.
    pub failure_h: f64,
    /// Mean time in hours that a repair takes.
    pub repair_h: f64,
    /// When it is moved.
    pub timer: Timer,
    /// Mean blackout of a move in seconds, at least 0.
    pub blackout_s: f64,
    /// Which share of moves succeeds, from 0 to 1.
    pub success: f64,
}

/// A parameter that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RejuvenationError {
    /// A number is out of its range.
    #[error(transparent)]
    Number(#[from] ModelError),
    /// A clock has no stages, or too many.
    #[error("the timer has {stages} stages: it has to have 1 to 10000")]
    Stages {
        /// How many.
        stages: u32,
    },
    /// The best interval of a machine that is not moved was asked for.
    #[error("there is no best interval without a timer: say which law it follows")]
    NoTimer,
}

/// What comes of it in the long run.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RejuvenationOutcome {
    /// How much of the time it is up.
    pub availability: Availability,
    /// The share of the time that it is robust, from 0 to 1.
    pub robust: f64,
    /// That it has aged, and is up.
    pub aged: f64,
    /// That it has failed, and is being repaired.
    pub failed: f64,
    /// That it is in the blackout of a move.
    pub blackout: f64,
}

/// By how many percent the unavailability grows when a parameter grows by one: d ln U / d ln x.
/// The largest, whatever its sign, is what it is worth to know better, or to improve.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Elasticities {
    /// Of the time after which it has aged.
    pub aging_h: f64,
    /// Of the time after which it fails then.
    pub failure_h: f64,
    /// Of the time that a repair takes.
    pub repair_h: f64,
    /// Of the interval of moves; `None` where there are none. Below 0, it is moved too often.
    pub interval_h: Option<f64>,
    /// Of the blackout; `None` where there are no moves.
    pub blackout_s: Option<f64>,
}

/// What happens from a beginning to the next one, in the mean.
struct Cycle {
    /// Hours in which it is robust.
    robust: Dual,
    /// Hours in which it has aged.
    aged: Dual,
    /// How often it fails, at most once.
    failures: Dual,
    /// How often it is moved, at most once.
    moves: Dual,
}

/// Hours of a cycle by state.
struct Hours {
    robust: Dual,
    aged: Dual,
    failed: Dual,
    blackout: Dual,
}

impl Rejuvenation {
    /// A machine that ages in `aging_h` hours, then fails in `failure_h`, and takes `repair_h` to
    /// repair, all in the mean. It is never moved; moves would have no blackout, and succeed.
    #[must_use]
    pub fn new(aging_h: f64, failure_h: f64, repair_h: f64) -> Self {
        let (timer, blackout_s, success) = (Timer::None, 0.0, 1.0);
        Self { aging_h, failure_h, repair_h, timer, blackout_s, success }
    }

    /// Moved by this timer.
    #[must_use]
    pub fn with_timer(mut self, timer: Timer) -> Self {
        self.timer = timer;
        self
    }

    /// With this mean blackout of a move, in seconds.
    #[must_use]
    pub fn with_blackout_s(mut self, blackout_s: f64) -> Self {
        self.blackout_s = blackout_s;
        self
    }

    /// With this share of moves that succeed, from 0 to 1.
    #[must_use]
    pub fn with_success(mut self, success: f64) -> Self {
        self.success = success;
        self
    }

    /// How much of the time it is in which state, in the long run.
    ///
    /// By renewal and reward: the mean time in a state from one beginning to the next, by the mean
    /// time between them (Barlow & Hunter, *Operations Research* 8, 1960). With an exponential
    /// timer this is the long run of a Markov chain with four states; with a deterministic one it
    /// is what a deterministic and stochastic Petri net says.
    ///
    /// # Errors
    /// If a parameter cannot be.
    pub fn outcome(&self) -> Result<RejuvenationOutcome, RejuvenationError> {
        let hours = self.hours()?;
        let [robust, aged, failed, blackout] =
            [hours.robust, hours.aged, hours.failed, hours.blackout].map(|dual| dual.value);
        let all = robust + aged + failed + blackout;
        Ok(RejuvenationOutcome {
            availability: Availability::of(robust + aged, failed + blackout),
            robust: robust / all,
            aged: aged / all,
            failed: failed / all,
            blackout: blackout / all,
        })
    }

    /// What each parameter counts for: `d ln U / d ln x`. The derivatives are exact, not
    /// differences.
    ///
    /// ```
    /// use loadgen_core::model::availability::{Rejuvenation, Timer};
    ///
    /// let daily = Rejuvenation::new(720.0, 168.0, 1.0)
    ///     .with_timer(Timer::Exponential { interval_h: 24.0 })
    ///     .with_blackout_s(0.3);
    /// let counts = daily.elasticities()?;
    /// // 98 % of the downtime are repairs, and 2 % blackouts.
    /// assert!((counts.repair_h - 0.979_663).abs() < 1e-6);
    /// assert!((counts.blackout_s.unwrap() - 0.020_165).abs() < 1e-6);
    /// assert!((counts.aging_h + 0.951_899).abs() < 1e-6);
    /// # Ok::<(), loadgen_core::model::availability::RejuvenationError>(())
    /// ```
    ///
    /// # Errors
    /// If a parameter cannot be.
    pub fn elasticities(&self) -> Result<Elasticities, RejuvenationError> {
        let hours = self.hours()?;
        let (up, down) = (hours.robust + hours.aged, hours.failed + hours.blackout);
        let odds = down / up;
        // Where U = odds / (1 + odds), the logarithm of U grows by 1 - U times that of the odds.
        let available = Availability::of(up.value, down.value).up();
        let of = |parameter| available * odds.slope(parameter) / odds.value;
        let moved = self.timer != Timer::None;
        Ok(Elasticities {
            aging_h: of(AGING),
            failure_h: of(FAILURE),
            repair_h: of(REPAIR),
            interval_h: moved.then(|| of(INTERVAL)),
            blackout_s: moved.then(|| of(BLACKOUT)),
        })
    }

    /// The interval in hours that is best, about, where a timer is deterministic, moves always
    /// succeed, and the interval is short: √(2 · aging · failure · blackout / repair). It is the
    /// optimum of the first term of the series, `U ≈ d/I + αφ r I/2`.
    ///
    /// ```
    /// use loadgen_core::model::availability::Rejuvenation;
    ///
    /// let machine = Rejuvenation::new(720.0, 168.0, 1.0).with_blackout_s(0.3);
    /// // √(2 · 720 · 168 · (0.3/3600) / 1) h; the best one is 4.540 h.
    /// assert!((machine.rule_of_thumb_h()? - 4.490).abs() < 1e-3);
    /// # Ok::<(), loadgen_core::model::availability::RejuvenationError>(())
    /// ```
    ///
    /// # Errors
    /// If a parameter cannot be.
    pub fn rule_of_thumb_h(&self) -> Result<f64, RejuvenationError> {
        self.validate()?;
        let blackouts_a_repair = self.blackout_s / 3600.0 / self.repair_h;
        Ok((2.0 * self.aging_h * self.failure_h * blackouts_a_repair).sqrt())
    }

    fn hours(&self) -> Result<Hours, RejuvenationError> {
        self.validate()?;
        let Cycle { robust, aged, failures, moves } = self.cycle();
        let repair = Dual::parameter(self.repair_h, REPAIR);
        let blackout = Dual::parameter(self.blackout_s / 3600.0, BLACKOUT);
        let failed_moves = moves * Dual::constant(1.0 - self.success);
        let failed = (failures + failed_moves) * repair;
        Ok(Hours { robust, aged, failed, blackout: moves * blackout })
    }

    fn cycle(&self) -> Cycle {
        match self.timer {
            Timer::None => Cycle {
                robust: Dual::parameter(self.aging_h, AGING),
                aged: Dual::parameter(self.failure_h, FAILURE),
                failures: Dual::constant(1.0),
                moves: Dual::constant(0.0),
            },
            Timer::Exponential { interval_h } => self.by_stages(1, interval_h),
            Timer::Erlang { stages, interval_h } => self.by_stages(stages, interval_h),
            Timer::Deterministic { interval_h } => self.by_schedule(interval_h),
        }
    }

    /// Stage by stage: what is still robust, and what has aged, when each begins. All are sums of
    /// positive numbers.
    fn by_stages(&self, stages: u32, interval_h: f64) -> Cycle {
        let one = Dual::constant(1.0);
        let aging = one / Dual::parameter(self.aging_h, AGING);
        let failing = one / Dual::parameter(self.failure_h, FAILURE);
        let next = Dual::constant(f64::from(stages)) / Dual::parameter(interval_h, INTERVAL);
        let (mut begins_robust, mut begins_aged) = (one, Dual::constant(0.0));
        let (mut robust, mut aged) = (Dual::constant(0.0), Dual::constant(0.0));
        for _ in 0..stages {
            let hours_robust = begins_robust / (next + aging);
            let hours_aged = (begins_aged + aging * hours_robust) / (next + failing);
            (robust, aged) = (robust + hours_robust, aged + hours_aged);
            (begins_robust, begins_aged) = (next * hours_robust, next * hours_aged);
        }
        Cycle { robust, aged, failures: failing * aged, moves: begins_robust + begins_aged }
    }

    /// Until the time of the move, or a failure before it.
    fn by_schedule(&self, interval_h: f64) -> Cycle {
        let (agings, failings) = (interval_h / self.aging_h, interval_h / self.failure_h);
        let phases = TwoPhases::new(agings, failings);
        // Slopes by means are those by rates with the other sign.
        let (by_first, by_second) = (phases.by_first(), phases.by_second());
        let failures = Dual::constant(phases.ended())
            .with_slope(AGING, -by_first)
            .with_slope(FAILURE, -by_second)
            .with_slope(INTERVAL, phases.by_time());
        let moves = Dual::constant(phases.unended())
            .with_slope(AGING, by_first)
            .with_slope(FAILURE, by_second)
            .with_slope(INTERVAL, -phases.by_time());
        // Robust for the shorter of two times, of which one is the interval.
        let robust = Dual::constant(interval_h * mean_left(agings))
            .with_slope(AGING, interval_h * agings * mean_late(agings))
            .with_slope(INTERVAL, interval_h * (-agings).exp());
        let aged = failures * Dual::parameter(self.failure_h, FAILURE);
        Cycle { robust, aged, failures, moves }
    }

    fn validate(&self) -> Result<(), RejuvenationError> {
        hours("aging_h", self.aging_h)?;
        hours("failure_h", self.failure_h)?;
        hours("repair_h", self.repair_h)?;
        self.timer.interval_h().map(|interval_h| hours("interval_h", interval_h)).transpose()?;
        if !(0.0..=1e12).contains(&self.blackout_s) {
            let (what, range) = ("blackout_s", "a number of seconds from 0 to 1e12");
            return Err(ModelError { what, range, value: self.blackout_s }.into());
        }
        share("success", self.success)?;
        match self.timer {
            Timer::Erlang { stages, .. } if !(1..=MOST_STAGES).contains(&stages) => {
                Err(RejuvenationError::Stages { stages })
            }
            _ => Ok(()),
        }
    }
}

/// `value`, if it is a time with which can be computed.
pub(super) fn hours(what: &'static str, value: f64) -> Result<f64, ModelError> {
    let range = "a number of hours above 0, from 1e-12 to 1e12";
    SOUND_HOURS.contains(&value).then_some(value).ok_or(ModelError { what, range, value })
}
