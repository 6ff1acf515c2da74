//! The walk through a schedule: when the calls of one shard start.

use std::sync::Arc;

use super::custom::{MOST_AT_ONCE, NEVER};
use super::{Schedule, gaps};
use crate::clock::{Nanos, SECOND};
use crate::random::{number, unit};

/// When requests came, in ns from the first: shared, and in order.
pub(crate) type Times = Arc<[Nanos]>;

impl Schedule {
    /// Intended starts of one shard, in ns from the start of the load, without
    /// end. Empty for [`Schedule::Closed`], and for [`Schedule::Recorded`], whose times are in
    /// the log.
    #[must_use]
    pub fn starts(&self, seed: u64, shard: u64, shards: u64) -> Starts {
        let walk = match *self {
            Self::Drawn(gaps) => Some(Box::new(gaps::Walk::new(gaps))),
            _ => None,
        };
        let (times, shards) = (Times::default(), shards.max(1));
        let (schedule, failure) = (self.clone(), None);
        Starts {
            schedule,
            seed,
            next: 0,
            at_s: 0.0,
            last: 0,
            at_last: 0,
            walk,
            times,
            shard,
            shards,
            failure,
        }
    }

    /// The same, where those of a [`Schedule::Recorded`] are at these times.
    pub(crate) fn starts_at(&self, times: &Times, seed: u64, shard: u64, shards: u64) -> Starts {
        Starts { times: times.clone(), ..self.starts(seed, shard, shards) }
    }
}

/// Iterator over the intended starts of one shard; see [`Schedule::starts`].
#[derive(Debug, Clone)]
pub struct Starts {
    schedule: Schedule,
    seed: u64,
    /// Index of the next arrival of the whole schedule.
    next: u64,
    /// Sum of the gaps before `next`, in seconds (random schedules).
    at_s: f64,
    /// The last start of a custom schedule, and how many there were at that time.
    last: Nanos,
    at_last: u32,
    walk: Option<Box<gaps::Walk>>,
    /// Of what was recorded.
    times: Times,
    shard: u64,
    shards: u64,
    /// Why a custom schedule has no more starts.
    failure: Option<String>,
}

impl Iterator for Starts {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        match self.schedule {
            Schedule::Closed => None,
            Schedule::Drawn(_) => self.drawn(),
            Schedule::Custom(_) => self.custom(),
            Schedule::Profile(profile) => {
                let k = self.next + self.shard;
                self.next += self.shards;
                profile.start(k)
            }
            Schedule::Recorded(recorded) => {
                let k = self.next + self.shard;
                self.next += self.shards;
                recorded.start(&self.times, k)
            }
            Schedule::Constant { rate_per_s } => {
                let k = self.next + self.shard;
                self.next += self.shards;
                // f64 holds k exactly up to 2^53, which is years at any rate we take.
                Some((k as f64 * (SECOND as f64 / rate_per_s)).round() as Nanos)
            }
            Schedule::Poisson { rate_per_s } => Some(self.walk(|u| -(1.0 - u).ln() / rate_per_s)),
            Schedule::PoissonStreams { rate_per_s } => Some(self.stream(rate_per_s)),
            Schedule::Uniform { rate_per_s } => Some(self.walk(|u| 2.0 * u / rate_per_s)),
        }
    }

    /// Where each start can be had alone, those before are passed over at once.
    fn nth(&mut self, n: usize) -> Option<Nanos> {
        use Schedule::{Constant, Custom, Profile, Recorded};
        if let Constant { .. } | Profile(_) | Recorded(_) | Custom(_) = self.schedule {
            self.next += self.shards * n as u64;
        } else {
            for _ in 0..n {
                self.next()?;
            }
        }
        self.next()
    }
}

impl Starts {
    /// Why there are no more, where the program that was to say broke down.
    #[inline]
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The next one that the program says, unless it broke down before.
    #[inline(never)]
    fn custom(&mut self) -> Option<Nanos> {
        let Schedule::Custom(custom) = &self.schedule else { return None };
        if self.failure.is_some() {
            return None;
        }
        let k = self.next + self.shard;
        self.next += self.shards;
        let at = custom.start(k).unwrap_or_else(|why| {
            self.failure = Some(why);
            None
        })?;
        if at > self.last {
            (self.last, self.at_last) = (at, 0);
        }
        self.at_last += 1;
        if self.at_last > MOST_AT_ONCE && self.last < NEVER {
            self.failure = Some(custom.stands_still(self.last));
            return None;
        }
        Some(self.last)
    }

    /// The next arrival of this shard in the sequence of a [`Gaps`].
    fn drawn(&mut self) -> Option<Nanos> {
        loop {
            let k = self.next;
            self.next += 1;
            let at = self.walk.as_mut()?.next()?;
            if k % self.shards == self.shard {
                return Some(at);
            }
        }
    }

    /// The next arrival of a stream of this shard's own.
    fn stream(&mut self, rate_per_s: f64) -> Nanos {
        let seed = number(self.seed, self.shard);
        self.at_s -= (1.0 - unit(seed, self.next)).ln() * self.shards as f64 / rate_per_s;
        self.next += 1;
        (self.at_s * SECOND as f64).round() as Nanos
    }

    /// Walks the whole schedule up to the next arrival of this shard.
    fn walk(&mut self, gap_s: impl Fn(f64) -> f64) -> Nanos {
        loop {
            let k = self.next;
            self.next += 1;
            self.at_s += gap_s(unit(self.seed, k));
            if k % self.shards == self.shard {
                return (self.at_s * SECOND as f64).round() as Nanos;
            }
        }
    }
}
