//! One of several processes that carry out a plan together, and what falls to each of its
//! workers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::error::PlanError;

/// Which of several processes one is, that carry out the same plan together. Text form: `i/n`,
/// from `0/n`.
///
/// ```
/// use loadgen_core::Shard;
///
/// let shard: Shard = "1/4".parse()?;
/// assert_eq!((shard.index(), shard.of()), (1, 4));
/// assert!("4/4".parse::<Shard>().is_err());
/// # Ok::<(), loadgen_core::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Shard {
    index: u32,
    of: u32,
}

/// The JSON of a [`Shard`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    index: u32,
    of: u32,
}

impl Shard {
    /// The only one.
    pub(crate) const ALONE: Self = Self { index: 0, of: 1 };

    /// Most shards of one plan.
    pub const MOST: u32 = 100_000;

    /// Number `index` (from 0) of `of` processes.
    ///
    /// # Errors
    /// [`PlanError::Range`] unless `index` < `of` ≤ [`Self::MOST`].
    pub fn new(index: u32, of: u32) -> Result<Self, PlanError> {
        if index < of && of <= Self::MOST {
            return Ok(Self { index, of });
        }
        Err(Self::wrong(&format!("{index}/{of}")))
    }

    pub(super) fn wrong(text: &str) -> PlanError {
        PlanError::Range {
            what: "the shard",
            range: "i/n with i from 0 to n-1, and n at most 100,000",
            value: text.escape_debug().take(40).collect(),
        }
    }

    /// Its number, from 0.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    #[must_use]
    pub fn of(self) -> u32 {
        self.of
    }
}

impl FromStr for Shard {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split_once('/').and_then(|(index, of)| {
            let number = |text: &str| text.trim().parse::<u32>().ok();
            Some((number(index)?, number(of)?))
        });
        let (index, of) = numbers.ok_or_else(|| Self::wrong(text))?;
        Self::new(index, of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl TryFrom<Parts> for Shard {
    type Error = PlanError;

    fn try_from(Parts { index, of }: Parts) -> Result<Self, Self::Error> {
        Self::new(index, of)
    }
}

impl From<Shard> for Parts {
    fn from(Shard { index, of }: Shard) -> Self {
        Self { index, of }
    }
}

impl Plan {
    /// Carries out one part of the plan: of the arrivals *k* of each schedule those with
    /// *k* ≡ index (mod n), with the requests that these make, and 1/n of connections, backlog
    /// and limits. All other numbers of the plan stay those of the whole, so every process gets
    /// the same plan but for this. What they measure is [merged](crate::scale::ShardRecord) into
    /// the report of the whole.
    #[must_use]
    pub fn with_shard(mut self, shard: Shard) -> Self {
        self.shard = Some(shard);
        self
    }

    /// Which part of the plan is carried out, if it is not the whole.
    #[must_use]
    pub fn shard(&self) -> Option<Shard> {
        self.shard
    }

    /// How many processes carry the plan out.
    pub(crate) fn shards(&self) -> u32 {
        self.shard.map_or(1, Shard::of)
    }

    /// Workers of all processes, if all have as many as this one.
    pub(super) fn workers(&self) -> u32 {
        self.threads.saturating_mul(self.shards())
    }

    /// What falls to a worker of this process.
    pub(crate) fn stripe(&self, worker: u32) -> Stripe {
        let shard = self.shard.unwrap_or(Shard::ALONE);
        Stripe { worker, workers: self.threads, shard }
    }
}

/// What of a plan falls to one worker of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stripe {
    /// Its number in this process.
    worker: u32,
    /// Of this process.
    workers: u32,
    shard: Shard,
}

impl Stripe {
    /// The first of its arrivals, and from one of them to the next. Processes may have
    /// different numbers of workers: together they have all arrivals, each once.
    pub(crate) fn arrivals(self) -> (u64, u64) {
        let (first, step) = self.of_all();
        (first.into(), step.into())
    }

    /// Its number among the workers of all processes, and how many these are, were there as
    /// many in each.
    pub(crate) fn of_all(self) -> (u32, u32) {
        let Shard { index, of } = self.shard;
        (index + of * self.worker, of * self.workers)
    }

    /// How many of the first `n` arrivals are its.
    pub(crate) fn of_arrivals(self, n: u64) -> u64 {
        let (first, step) = self.arrivals();
        part(n, first, step)
    }

    /// Its part of connections, or of what else there is a number of.
    pub(crate) fn share(self, whole: u32) -> u32 {
        let of_process = part(whole.into(), self.shard.index.into(), self.shard.of.into());
        part(of_process, self.worker.into(), self.workers.into()) as u32
    }
}

/// Of `n` things in turns, how many are those of number `k` of `of`.
fn part(n: u64, k: u64, of: u64) -> u64 {
    n / of + u64::from(k < n % of)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Load, Schedule};

    proptest! {
        /// Whatever numbers of threads the processes have.
        #[test]
        fn all_falls_to_somebody_and_nothing_to_two(
            threads in prop::collection::vec(1_u32..5, 1..6),
            whole in 0_u32..1000,
        ) {
            let of = threads.len() as u32;
            let stripes = threads.iter().zip(0..).flat_map(|(&workers, index)| {
                let shard = Shard::new(index, of).unwrap();
                (0..workers).map(move |worker| Stripe { worker, workers, shard })
            });
            let stripes: Vec<Stripe> = stripes.collect();
            let mut arrivals: Vec<u64> = Vec::new();
            for stripe in &stripes {
                let (first, step) = stripe.arrivals();
                let own: Vec<u64> = (first..u64::from(whole)).step_by(step as usize).collect();
                prop_assert_eq!(own.len() as u64, stripe.of_arrivals(whole.into()));
                arrivals.extend(own);
            }
            arrivals.sort_unstable();
            prop_assert_eq!(arrivals, (0..u64::from(whole)).collect::<Vec<_>>());
            prop_assert_eq!(stripes.iter().map(|stripe| stripe.share(whole)).sum::<u32>(), whole);
        }
    }

    #[test]
    fn alone_a_process_does_everything() {
        let load = Load::established(Schedule::constant(1.0));
        let plan = Plan::new("http://h/".parse().unwrap(), load).with_threads(3);
        assert_eq!((plan.stripe(1).of_all(), plan.stripe(1).share(7)), ((1, 3), 2));
        let of_two = plan.with_shard("1/2".parse().unwrap());
        assert_eq!((of_two.stripe(2).of_all(), of_two.workers()), ((5, 6), 6));
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for text in ["", "1", "2/2", "0/0", "-1/2", "a/b", "0/100001", "1/2/3"] {
            let error = text.parse::<Shard>().unwrap_err().to_string();
            assert!(error.contains("the shard") && error.contains(text), "{text}: {error}");
        }
        assert_eq!("3/4".parse::<Shard>().unwrap().to_string(), "3/4");
        assert!(serde_json::from_str::<Shard>(r#"{"index":4,"of":4}"#).is_err());
    }
}
