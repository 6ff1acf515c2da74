//! The search for the highest rate that holds: a state machine without a clock.
//! It says which attempt to run next ([`Search::next`]) and is told what came of it
//! ([`Search::tell`]).
//!
//! 1. *Bracket*: from the start rate, doubled while it holds, halved while it does
//!    not, until one rate holds and a higher one does not.
//! 2. *Bisect*, at the geometric mean (rates are compared by ratio), until the two
//!    are no further apart than the tolerance.
//! 3. *Confirm*: a longer run at the lower one must hold, the first or the second
//!    time. If it does not, the short attempts were too short to show it: from there
//!    the search goes down, in growing steps, and bisects with runs of the longer
//!    kind.
//! 4. *Check*: the upper one (or the lowest rate allowed, when not even that
//!    holds) must fail a second time, unless it failed a long run. If it holds, a passing disturbance has misled the search, which goes
//!    on upwards in growing steps.
//!
//! Invariant: the result was held by a long run, and a rate within the tolerance
//! above it failed twice. A run that is not valid is repeated once; a
//! second such run ends the search, so that no capacity of the generator's is
//! taken for one of the server's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::SweepError;
use super::point::PointKind;

/// How a search is made. Rates are in calls a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SearchSettings {
    /// The rate of the first attempt.
    pub start_per_s: f64,
    /// No lower rate is tried.
    pub lowest_per_s: f64,
    /// No higher rate is tried.
    pub highest_per_s: f64,
    /// How far apart, as a part of the lower one, the rate that holds and the one
    /// that does not may be in the end (0.001 to 1).
    pub tolerance: f64,
    /// How long an attempt lasts.
    #[serde(alias = "probe_s")]
    pub attempt_s: f64,
    /// How long a confirmation lasts: at least as long as an attempt.
    pub confirmation_s: f64,
    /// Calls of an attempt at least: at low rates it lasts longer, up to a
    /// confirmation.
    pub least_calls: u64,
    /// The search ends after this many runs at the latest.
    pub most_runs: u32,
}

impl SearchSettings {
    /// From this rate (calls a second) without bounds, to 5 %, with attempts of 2 s,
    /// confirmations of 10 s, 200 calls an attempt and 40 runs at most.
    #[must_use]
    pub fn from_rate(start_per_s: f64) -> Self {
        Self {
            start_per_s,
            lowest_per_s: start_per_s.min(1.0) / 1e3,
            highest_per_s: 1e7,
            tolerance: 0.05,
            attempt_s: 2.0,
            confirmation_s: 10.0,
            least_calls: 200,
            most_runs: 40,
        }
    }

    /// From the lowest of two rates (calls a second) up to the highest.
    #[must_use]
    pub fn within(lowest_per_s: f64, highest_per_s: f64) -> Self {
        Self { lowest_per_s, highest_per_s, ..Self::from_rate(lowest_per_s) }
    }

    /// Sets how far apart the ends may be, as a part of the lower one (0.001 to 1).
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets how long attempts and confirmations last.
    #[must_use]
    pub fn with_lengths(mut self, attempt: Duration, confirmation: Duration) -> Self {
        self.attempt_s = attempt.as_secs_f64();
        self.confirmation_s = confirmation.as_secs_f64();
        self
    }

    /// Checks that a search can be made.
    ///
    /// # Errors
    /// [`SweepError::Search`] with the offending value.
    pub fn validate(&self) -> Result<(), SweepError> {
        let within = |what, range, value: f64, is_so: bool| {
            if is_so { Ok(()) } else { Err(SweepError::Search { what, range, value }) }
        };
        let (low, start, high) = (self.lowest_per_s, self.start_per_s, self.highest_per_s);
        within("the lowest rate", "above 0", low, low.is_finite() && low > 0.0)?;
        within(
            "the highest rate",
            "above the lowest, up to 10,000,000",
            high,
            low <= high && high <= 1e7,
        )?;
        within(
            "the start rate",
            "between the lowest and the highest",
            start,
            low <= start && start <= high,
        )?;
        let tolerance = self.tolerance;
        within(
            "the tolerance",
            "from 0.1 % to 100 %",
            tolerance,
            (0.001..=1.0).contains(&tolerance),
        )?;
        let (short, long) = (self.attempt_s, self.confirmation_s);
        within("the length of an attempt", "above 0 s", short, short.is_finite() && short > 0.0)?;
        within(
            "the length of a confirmation",
            "at least that of an attempt, in s",
            long,
            long.is_finite() && long >= short,
        )?;
        within("the number of runs", "at least 1", f64::from(self.most_runs), self.most_runs > 0)
    }
}

/// A run that the search wants.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Attempt {
    /// What for.
    pub kind: PointKind,
    /// Calls a second.
    pub rate_per_s: f64,
    /// How long calls are started, without a warm-up.
    pub duration: Duration,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// All objectives were held.
    Held,
    /// One was not.
    Breached,
    /// The run says nothing of the server, because of this.
    Invalid(String),
}

/// Why a search ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ending", content = "reason", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SearchEnding {
    /// The highest rate that holds is known to the tolerance.
    Found,
    /// The highest rate that was allowed holds: the limit is above it.
    HoldsAtHighest,
    /// Not even the lowest rate that was allowed holds.
    NothingHolds,
    /// Two runs at one rate were not valid (the reason is that of the second).
    NotValid(String),
    /// The runs were used up first.
    RunsUsedUp,
}

/// A search under way.
#[derive(Debug, Clone)]
pub struct Search {
    settings: SearchSettings,
    /// The highest rate that held, and whether a long run did.
    held: Option<(f64, bool)>,
    /// The lowest rate above it that did not, and whether it may be relied on.
    breached: Option<(f64, bool)>,
    /// By what the rate is multiplied or divided to find the other side.
    stride: f64,
    /// Short attempts have been shown to be too short.
    long: bool,
    /// The confirmation failed once, which a disturbance may have caused.
    failed_once: bool,
    runs: u32,
    /// The reason of a run that was not valid, until it has been repeated.
    doubt: Option<String>,
    ending: Option<SearchEnding>,
}

/// Ratios closer than this are rounding.
const ROUNDING: f64 = 1e-9;

impl Search {
    /// A search that has not begun.
    ///
    /// # Errors
    /// [`SweepError::Search`] for settings that make none.
    pub fn new(settings: SearchSettings) -> Result<Self, SweepError> {
        settings.validate()?;
        Ok(Self {
            settings,
            held: None,
            breached: None,
            stride: 2.0,
            long: false,
            failed_once: false,
            runs: 0,
            doubt: None,
            ending: None,
        })
    }

    /// The next run; `None`: the search has ended ([`Self::ending`]).
    #[must_use]
    pub fn next(&self) -> Option<Attempt> {
        if self.ending.is_some() {
            return None;
        }
        let SearchSettings { lowest_per_s: lowest, highest_per_s: highest, .. } = self.settings;
        let attempt = |rate: f64| self.attempt(PointKind::Attempt, rate.clamp(lowest, highest));
        Some(match (self.held, self.breached) {
            (None, None) => attempt(self.settings.start_per_s),
            (None, Some((breached, _))) if breached <= lowest => {
                self.attempt(PointKind::Check, breached)
            }
            (None, Some((breached, _))) => attempt(breached / self.stride),
            (Some((held, _)), None) => {
                if held < highest {
                    attempt(held * self.stride)
                } else {
                    self.attempt(PointKind::Confirmation, held)
                }
            }
            (Some((held, confirmed)), Some((breached, _))) => {
                if !self.is_close(held, breached) {
                    attempt((held * breached).sqrt())
                } else if !confirmed {
                    self.attempt(PointKind::Confirmation, held)
                } else {
                    self.attempt(PointKind::Check, breached)
                }
            }
        })
    }

    /// Takes what came of the run that [`Self::next`] wanted.
    pub fn tell(&mut self, verdict: Verdict) {
        let Some(attempt) = self.next() else { return };
        self.runs += 1;
        match verdict {
            Verdict::Invalid(reason) if self.doubt.is_some() => {
                self.ending = Some(SearchEnding::NotValid(reason));
            }
            Verdict::Invalid(reason) => self.doubt = Some(reason),
            Verdict::Held => self.take_held(&attempt),
            Verdict::Breached => self.take_breached(&attempt),
        }
        if self.ending.is_none() {
            self.ending = self.settled();
        }
    }

    /// Why the search ended; `None`: it has not.
    #[must_use]
    pub fn ending(&self) -> Option<&SearchEnding> {
        self.ending.as_ref()
    }

    /// The highest rate (calls a second) that a long run held: the result, if the
    /// search has ended well. It never comes from a short attempt.
    #[must_use]
    pub fn holds_per_s(&self) -> Option<f64> {
        self.held.and_then(|(rate, confirmed)| confirmed.then_some(rate))
    }

    /// The lowest rate (calls a second) above it that did not hold.
    #[must_use]
    pub fn fails_per_s(&self) -> Option<f64> {
        self.breached.map(|(rate, _)| rate)
    }

    /// How many runs there were.
    #[must_use]
    pub fn runs(&self) -> u32 {
        self.runs
    }

    fn attempt(&self, kind: PointKind, rate_per_s: f64) -> Attempt {
        let settings = &self.settings;
        let seconds = if self.long || kind == PointKind::Confirmation {
            settings.confirmation_s
        } else {
            let enough = settings.least_calls as f64 / rate_per_s;
            settings.attempt_s.max(enough).min(settings.confirmation_s)
        };
        let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Attempt { kind, rate_per_s, duration }
    }

    fn take_held(&mut self, attempt: &Attempt) {
        self.doubt = None;
        let confirmed = self.long || attempt.kind == PointKind::Confirmation;
        if attempt.kind == PointKind::Check {
            // It had failed by accident, and so may what lies between have.
            self.breached = None;
            self.stride = 1.0 + self.settings.tolerance;
        } else if self.breached.is_none() {
            self.widen();
        }
        self.failed_once = false;
        self.held = Some((attempt.rate_per_s, confirmed));
    }

    fn take_breached(&mut self, attempt: &Attempt) {
        self.doubt = None;
        match attempt.kind {
            PointKind::Confirmation if !self.failed_once => {
                self.failed_once = true;
                return;
            }
            PointKind::Confirmation => {
                self.failed_once = false;
                self.held = None;
                self.long = true;
                self.stride = 1.0 + self.settings.tolerance;
            }
            _ if self.held.is_none() => self.widen(),
            _ => {}
        }
        let reliable = matches!(attempt.kind, PointKind::Confirmation | PointKind::Check);
        self.breached = Some((attempt.rate_per_s, reliable));
    }

    /// The further the other side, the longer the strides.
    fn widen(&mut self) {
        self.stride = (self.stride * self.stride).min(2.0);
    }

    fn is_close(&self, held: f64, breached: f64) -> bool {
        breached / held <= 1.0 + self.settings.tolerance + ROUNDING
    }

    fn settled(&self) -> Option<SearchEnding> {
        let ending = match (self.held, self.breached) {
            (Some((held, true)), None) if held >= self.settings.highest_per_s => {
                Some(SearchEnding::HoldsAtHighest)
            }
            (None, Some((breached, true))) if breached <= self.settings.lowest_per_s => {
                Some(SearchEnding::NothingHolds)
            }
            (Some((held, true)), Some((breached, true))) if self.is_close(held, breached) => {
                Some(SearchEnding::Found)
            }
            _ => None,
        };
        ending
            .or_else(|| (self.runs >= self.settings.most_runs).then_some(SearchEnding::RunsUsedUp))
    }
}

#[cfg(test)]
mod tests;
