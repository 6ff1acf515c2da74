//! When calls start: intended start times as a pure function of (arrival, seed,
//! index). Nothing that the server does moves them, and no clock is read here.
//!
//! Shard *i* of *n* walks the same schedule and takes the arrivals *k* with
//! *k ≡ i (mod n)*, so that *n* threads or *n* machines send exactly what one
//! big machine would.

mod custom;
mod gaps;
mod profile;
mod recorded;
mod starts;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use custom::CustomSchedule;
pub use gaps::{GapLaw, GapStep, GapSteps, Gaps};
pub use profile::{Profile, ProfileError, Stage, Stages};
pub use recorded::Recorded;
pub use starts::Starts;
pub(crate) use starts::Times;

use crate::error::PlanError;
use crate::later_version::nothing_beside;

/// The arrival process of a load of calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "there are one or two")]
#[serde(tag = "arrival", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// Open loop, one call every 1/rate seconds, the first at 0.
    Constant {
        /// Calls a second, in all.
        rate_per_s: f64,
    },
    /// Open loop, exponential gaps of mean 1/rate (a Poisson process).
    Poisson {
        /// Mean calls a second, in all.
        rate_per_s: f64,
    },
    /// Open loop, exponential gaps that each worker draws by itself, so that none has to walk through the
    /// arrivals of the others: together a Poisson process of this rate, as the superposition of
    /// independent ones is (Kingman, *Poisson Processes*, 1993, 2.2), but with other starts for each
    /// number of workers. For rates at which the walk costs more than the calls: 14 ns of each worker
    /// for each arrival of the whole load.
    #[serde(rename = "poisson-streams")]
    PoissonStreams {
        /// Mean calls a second, in all.
        rate_per_s: f64,
    },
    /// Open loop, gaps uniform between 0 and 2/rate.
    Uniform {
        /// Mean calls a second, in all.
        rate_per_s: f64,
    },
    /// Open loop, gaps as httperf draws them.
    Drawn(Gaps),
    /// Open loop at a rate that changes over time, evenly spaced: between two starts the rate
    /// adds up to one call.
    Profile(Profile),
    /// Open loop at the times that the requests of an access log came at, and again from the
    /// first after the last.
    Recorded(Recorded),
    /// Open loop at the times that the embedding program says.
    Custom(CustomSchedule),
    /// Closed loop: every connection starts its next call when the last one has
    /// ended. The intended start of a call is then the moment of its sending, so
    /// a stalled server lowers the load instead of showing as a response time.
    #[serde(deserialize_with = "nothing_beside")]
    Closed,
}

impl Schedule {
    /// Open loop at a constant rate (calls a second, over all threads).
    #[must_use]
    pub fn constant(rate_per_s: f64) -> Self {
        Self::Constant { rate_per_s }
    }

    /// Open loop with exponential gaps (calls a second, over all threads).
    #[must_use]
    pub fn poisson(rate_per_s: f64) -> Self {
        Self::Poisson { rate_per_s }
    }

    /// Open loop with exponential gaps that each worker draws by itself (calls a second, over all
    /// threads): see [`Schedule::PoissonStreams`].
    #[must_use]
    pub fn poisson_streams(rate_per_s: f64) -> Self {
        Self::PoissonStreams { rate_per_s }
    }

    /// Open loop with uniform gaps (calls a second, over all threads).
    #[must_use]
    pub fn uniform(rate_per_s: f64) -> Self {
        Self::Uniform { rate_per_s }
    }

    /// Open loop at a rate that changes: one [`Stage`] after the other, each with its rate at its
    /// begin and at its end, and the last one's rate after it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use loadgen_core::{Schedule, Stage};
    ///
    /// let up = Stage::new(0.0, 100.0, Duration::from_secs(10));
    /// let hold = Stage::new(100.0, 100.0, Duration::from_secs(60));
    /// let schedule = Schedule::stages([up, hold])?;
    /// // A ramp from 0 makes half as many calls as its last rate would.
    /// let within_ramp = schedule.starts(1, 0, 1).take_while(|at| *at < 10_000_000_000);
    /// assert_eq!(within_ramp.count(), 500);
    /// # Ok::<(), loadgen_core::PlanError>(())
    /// ```
    ///
    /// # Errors
    /// [`PlanError::Range`] unless there are from 1 to [`Stages::MOST`]. What is no rate and no
    /// time is told when the plan is validated.
    pub fn stages(stages: impl IntoIterator<Item = Stage>) -> Result<Self, PlanError> {
        let stages: Vec<Stage> = stages.into_iter().collect();
        let few = Stages::new(&stages).ok_or(PlanError::Range {
            what: "the number of stages",
            range: "from 1 to 32",
            value: stages.len().to_string(),
        })?;
        Ok(Self::Profile(Profile::Stages { stages: few }))
    }

    /// Open loop at times of one's own: `start` says when call *k* of the whole load, from 0,
    /// is to start, from the start of the load. It is a function of *k* alone, which may be
    /// asked more than once, by any thread, and never says an earlier time for a later call
    /// (else that call starts with the one before it). [`Duration::MAX`] says that there are no
    /// more; else the plan's [duration](crate::Plan::with_duration) or
    /// [calls](crate::Plan::with_calls) are the end. At most 100,000 calls in a row of a worker
    /// start at one time: who says it for more does not come on, and ends the run as a panic does.
    /// Reports tell `name`; a plan that is read back needs the function again. A panic in it
    /// ends the run, whose report is kept.
    ///
    /// ```
    /// use std::time::Duration;
    /// use loadgen_core::Schedule;
    ///
    /// // Bursts of ten calls, a second apart.
    /// let bursts = Schedule::custom("bursts", |k| Duration::from_secs(k / 10));
    /// let starts: Vec<_> = bursts.starts(1, 0, 1).skip(8).take(3).collect();
    /// assert_eq!(starts, [0, 0, 1_000_000_000]);
    /// ```
    #[must_use]
    pub fn custom(name: &str, start: impl Fn(u64) -> Duration + Send + Sync + 'static) -> Self {
        Self::Custom(CustomSchedule::new(name, start))
    }

    /// Mean calls a second (of a [`Profile`], over its stages or a period); `None` in closed
    /// loop, where the server decides, of a log that has not been read yet, and of a schedule
    /// of the program's own.
    #[must_use]
    pub fn rate_per_s(&self) -> Option<f64> {
        match *self {
            Self::Constant { rate_per_s }
            | Self::Poisson { rate_per_s }
            | Self::PoissonStreams { rate_per_s }
            | Self::Uniform { rate_per_s } => Some(rate_per_s),
            Self::Drawn(gaps) => Some(1.0 / gaps.mean_s()),
            Self::Profile(profile) => Some(profile.mean_per_s()),
            Self::Recorded(recorded) => recorded.mean_per_s(),
            Self::Custom(_) | Self::Closed => None,
        }
    }

    /// Calls a second where they are fewest, as far as the schedule is one of steady rates;
    /// `None` in closed loop, and where they came as they came.
    pub(crate) fn lowest_per_s(&self) -> Option<f64> {
        match self {
            Self::Profile(profile) => Some(profile.lowest_per_s()),
            Self::Recorded(_) => None,
            _ => self.rate_per_s(),
        }
    }

    /// The same arrival process at another mean rate (calls a second); `None` in
    /// closed loop, which has no rate, and of what comes at times of its own.
    #[must_use]
    pub fn with_rate(self, rate_per_s: f64) -> Option<Self> {
        Some(match self {
            Self::Constant { .. } => Self::Constant { rate_per_s },
            Self::Poisson { .. } => Self::Poisson { rate_per_s },
            Self::PoissonStreams { .. } => Self::PoissonStreams { rate_per_s },
            Self::Uniform { .. } => Self::Uniform { rate_per_s },
            Self::Drawn(gaps) => Self::Drawn(gaps.stretched(1.0 / (rate_per_s * gaps.mean_s()))),
            Self::Profile(profile) => {
                Self::Profile(profile.scaled(rate_per_s / profile.mean_per_s()))
            }
            Self::Recorded(_) | Self::Custom(_) | Self::Closed => return None,
        })
    }

    /// Whether it makes sense as that of so many processes together: the limit of the rate is that of one.
    pub(crate) fn validate(&self, shards: u32) -> Result<(), PlanError> {
        match self {
            Self::Recorded(recorded) => return recorded.validate(),
            Self::Custom(custom) => return custom.validate(),
            _ => {}
        }
        match self.rate_per_s() {
            Some(rate_per_s) if matches!(self, Self::Profile(profile) if !profile.is_sound()) => {
                Err(PlanError::Rate { rate_per_s })
            }
            Some(rate) if matches!(self, Self::Drawn(gaps) if !gaps.is_sound()) => {
                Err(PlanError::Rate { rate_per_s: rate })
            }
            Some(rate) if !(rate.is_finite() && rate > 0.0 && rate <= 1e7 * f64::from(shards)) => {
                Err(PlanError::Rate { rate_per_s: rate })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::{Nanos, SECOND};

    fn any_open() -> impl Strategy<Value = Schedule> {
        (0..6, 1.0..1e6_f64).prop_map(|(kind, rate)| match kind {
            4 => Schedule::Profile(Profile::Sine {
                low_per_s: 0.5 * rate,
                high_per_s: 1.5 * rate,
                period_s: 1.0,
            }),
            0 => Schedule::constant(rate),
            1 => Schedule::poisson(rate),
            5 => Schedule::poisson_streams(rate),
            2 => {
                Schedule::Drawn(Gaps { law: GapLaw::Exponential { mean_s: 1.0 / rate }, client: 1 })
            }
            _ => Schedule::uniform(rate),
        })
    }

    proptest! {
        #[test]
        fn shards_are_the_whole(schedule in any_open(), seed: u64, shards in 1_u64..9) {
            prop_assume!(!matches!(schedule, Schedule::PoissonStreams { .. }));
            let whole: Vec<_> = schedule.starts(seed, 0, 1).take(200).collect();
            let mut union: Vec<_> = (0..shards)
                .flat_map(|i| schedule.starts(seed, i, shards).take(200))
                .collect();
            union.sort_unstable();
            prop_assert_eq!(&union[..200 / shards as usize], &whole[..200 / shards as usize]);
        }

        #[test]
        fn a_rate_is_changed_and_the_law_kept(schedule in any_open(), rate in 1.0..1e6_f64) {
            // The course of a profile stays as long as it was.
            prop_assume!(!matches!(schedule, Schedule::Profile(_)));
            let changed = schedule.clone().with_rate(rate).unwrap();
            let was = schedule.rate_per_s().unwrap();
            prop_assert!((changed.rate_per_s().unwrap() / rate - 1.0).abs() < 1e-9);
            for (a, b) in schedule.starts(7, 0, 1).zip(changed.starts(7, 0, 1)).take(100) {
                let ideal = a as f64 * was / rate;
                prop_assert!((b as f64 - ideal).abs() < 200.0 + 1e-3 * ideal, "{} {}", a, b);
            }
            prop_assert_eq!(Schedule::Closed.with_rate(rate), None);
        }

        #[test]
        fn the_nth_is_the_nth(schedule in any_open(), n in 0_usize..500, shards in 1_u64..4) {
            let mut one_by_one = schedule.starts(3, shards - 1, shards);
            (0..n).for_each(|_| { one_by_one.next(); });
            let mut at_once = schedule.starts(3, shards - 1, shards);
            prop_assert_eq!(at_once.nth(n), one_by_one.next());
            prop_assert_eq!(at_once.next(), one_by_one.next());
        }

        #[test]
        fn never_back_in_time(schedule in any_open(), seed: u64) {
            let starts: Vec<_> = schedule.starts(seed, 0, 1).take(500).collect();
            prop_assert!(starts.is_sorted());
        }
    }

    #[test]
    fn constant_is_the_ideal_grid() {
        let starts: Vec<_> = Schedule::constant(3000.0).starts(1, 0, 1).take(30_001).collect();
        assert_eq!(starts[0], 0);
        assert_eq!(starts[1], 333_333);
        assert_eq!(starts[3000], SECOND);
        assert_eq!(starts[30_000], 10 * SECOND);
    }

    /// Of three processes with two, one and four workers.
    #[test]
    fn streams_together_are_one_poisson_process() {
        let schedule = Schedule::poisson_streams(1000.0);
        let mut starts: Vec<Nanos> = Vec::new();
        for (threads, i) in [2, 1, 4].into_iter().zip(0..) {
            for worker in (0..threads).map(|t| schedule.starts(7, i + 3 * t, 3 * threads)) {
                starts.extend(worker.take_while(|at| *at < 100 * SECOND));
            }
        }
        starts.sort_unstable();
        let n = starts.len() as f64;
        // Four standard deviations of a Poisson number.
        assert!((n - 1e5).abs() < 4.0 * 1e5_f64.sqrt(), "{n}");
        let gaps: Vec<f64> = starts.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e6 - 1.0).collect();
        let mean = |of: &dyn Fn(usize) -> f64| (1..gaps.len()).map(of).sum::<f64>() / n;
        assert!((mean(&|i| gaps[i] * gaps[i]) - 1.0).abs() < 0.03);
        assert!(mean(&|i| gaps[i] * gaps[i - 1]).abs() < 4.0 / n.sqrt());
        let longer_than_2 = gaps.iter().filter(|gap| **gap > 1.0).count() as f64 / n;
        assert!((longer_than_2 - (-2_f64).exp()).abs() < 0.005, "{longer_than_2}");
    }

    #[test]
    fn random_gaps_have_their_mean_and_spread() {
        for (schedule, variation) in
            [(Schedule::poisson(1000.0), 1.0), (Schedule::uniform(1000.0), 1.0 / 3_f64.sqrt())]
        {
            let starts: Vec<_> = schedule.starts(7, 0, 1).take(100_001).collect();
            let gaps: Vec<f64> =
                starts.windows(2).map(|w| (w[1] - w[0]) as f64 / SECOND as f64).collect();
            let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
            let var = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
            assert!((mean * 1000.0 - 1.0).abs() < 0.02, "{schedule:?} mean {mean}");
            assert!((var.sqrt() / mean - variation).abs() < 0.02, "{schedule:?} sd {}", var.sqrt());
        }
    }

    #[test]
    fn the_program_says_when_calls_start() {
        let pairs = || Schedule::custom("pairs", |k| Duration::from_secs(k / 2));
        let whole: Vec<_> = pairs().starts(1, 0, 1).take(5).collect();
        assert_eq!(whole, [0, 0, SECOND, SECOND, 2 * SECOND]);
        let second: Vec<_> = pairs().starts(1, 1, 2).take(3).collect();
        assert_eq!(second, [0, SECOND, 2 * SECOND]);
        assert_eq!(pairs().starts(1, 0, 1).nth(9), Some(4 * SECOND));
        assert_eq!((pairs().rate_per_s(), pairs().with_rate(1.0)), (None, None));
        // What would go back in time waits for what was before it.
        let back = Schedule::custom("back", |k| Duration::from_secs([3, 1, 4][k as usize % 3]));
        let starts: Vec<_> = back.starts(1, 0, 1).take(3).collect();
        assert_eq!(starts, [3 * SECOND, 3 * SECOND, 4 * SECOND]);
        let json = serde_json::to_string(&pairs()).unwrap();
        assert_eq!(json, r#"{"arrival":"custom","name":"pairs"}"#);
        let read: Schedule = serde_json::from_str(&json).unwrap();
        assert_eq!(read, pairs());
        assert!(read.validate(1).unwrap_err().to_string().contains("Schedule::custom"));
        assert_eq!(read.starts(1, 0, 1).next(), None);
        let mut broken =
            Schedule::custom("b", |k| Duration::from_secs(100 / (2 - k))).starts(1, 0, 1);
        assert_eq!(broken.by_ref().count(), 2);
        let why = broken.failure().unwrap();
        assert_eq!(why, "the program's schedule 'b' panicked: attempt to divide by zero");
    }

    #[test]
    fn stages_are_as_many_as_a_profile_takes() {
        let stage = Stage::new(1.0, 2.0, Duration::from_secs(1));
        assert!(Schedule::stages(vec![stage; 32]).is_ok());
        for n in [0, 33] {
            let error = Schedule::stages(vec![stage; n]).unwrap_err().to_string();
            assert!(error.contains(&format!("not {n}")), "{error}");
        }
    }

    #[test]
    fn seeds_differ_and_repeat() {
        let take = |seed| Schedule::poisson(10.0).starts(seed, 0, 1).take(5).collect::<Vec<_>>();
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }
}
