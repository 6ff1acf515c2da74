//! How a machine dirties its memory.

use crate::model::error::{ModelError, not_negative, positive};

/// In which order a machine writes to the pages of its working set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Pattern {
    /// Each write goes to any page: some are written again before others were at all.
    #[default]
    Random,
    /// One page after the other, from the begin again after the last.
    RoundRobin,
}

/// How a machine dirties its memory: a working set that is written to at some rate, and a base set
/// that is so small and busy that each pass finds nearly all of it dirty again.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Dirtying {
    /// Bytes that are written to in a second (a page counts as a whole, also if it was dirty
    /// already).
    pub rate: f64,
    /// Bytes that are written to at all; infinite: without an end.
    pub working_set: f64,
    /// In which order.
    pub pattern: Pattern,
    /// Bytes that are dirty again after a few tenths of a second: the kernel's own, its timers and
    /// queues.
    pub base: f64,
    /// After which time it is dirty again to 63 %, in s.
    pub base_time_s: f64,
}

/// Fitted to QEMU's passes over an idle Debian guest (see docs/models.md).
const BASE_TIME_S: f64 = 0.2;

impl Dirtying {
    /// At a rate, over all memory.
    #[must_use]
    pub fn new(rate: f64) -> Self {
        Self {
            rate,
            working_set: f64::INFINITY,
            pattern: Pattern::Random,
            base: 0.0,
            base_time_s: BASE_TIME_S,
        }
    }

    /// Within a working set.
    #[must_use]
    pub fn within(mut self, working_set: f64, pattern: Pattern) -> Self {
        (self.working_set, self.pattern) = (working_set, pattern);
        self
    }

    /// With a base set.
    #[must_use]
    pub fn with_base(mut self, base: f64) -> Self {
        self.base = base;
        self
    }

    /// After which time the base set is dirty again to 63 %, in s; without it 0.2 s.
    #[must_use]
    pub fn with_base_time_s(mut self, base_time_s: f64) -> Self {
        self.base_time_s = base_time_s;
        self
    }

    pub(in crate::model) fn check(&self) -> Result<(), ModelError> {
        not_negative("the dirty rate", self.rate)?;
        if self.working_set.is_nan() || self.working_set < 0.0 {
            not_negative("the working set", self.working_set)?;
        }
        not_negative("the base set", self.base)?;
        positive("the time of the base set", self.base_time_s)?;
        Ok(())
    }

    /// Bytes that are dirty after `t` seconds, if none were: `min(D t, W)` for pages that are
    /// written in turn, `W (1 − e^{−Dt/W})` where each write goes to any page (the mean number of
    /// different pages in so many draws), and `b (1 − e^{−t/0.2 s})` of the base set.
    ///
    /// ```
    /// use loadgen_core::model::migration::{Dirtying, Pattern};
    ///
    /// // 8 MiB/s over a set of 32 MiB, in mebibytes.
    /// let in_turn = Dirtying::new(8.0).within(32.0, Pattern::RoundRobin);
    /// assert_eq!((in_turn.dirtied(2.0), in_turn.dirtied(9.0)), (16.0, 32.0));
    /// let anywhere = Dirtying::new(8.0).within(32.0, Pattern::Random);
    /// // 32 (1 - e^-0.5): some are hit twice.
    /// assert!((anywhere.dirtied(2.0) - 12.591).abs() < 1e-3);
    /// // And 2 (1 - e^-1) of the base set after 0.2 s.
    /// let base = Dirtying::new(0.0).with_base(2.0);
    /// assert!((base.dirtied(0.2) - 1.264).abs() < 1e-3);
    /// ```
    #[must_use]
    pub fn dirtied(&self, t: f64) -> f64 {
        self.of_working_set(t) + self.of_base(t)
    }

    /// Most bytes that can be dirty.
    #[must_use]
    pub fn most(&self) -> f64 {
        let set = if self.rate > 0.0 { self.working_set } else { 0.0 };
        set + self.base
    }

    pub(in crate::model) fn of_working_set(&self, t: f64) -> f64 {
        let written = self.rate * t;
        match self.pattern {
            _ if self.working_set == 0.0 => 0.0,
            Pattern::RoundRobin => written.min(self.working_set),
            Pattern::Random if self.working_set.is_infinite() => written,
            // Of so many writes to any page of the set these are to different ones.
            Pattern::Random => -self.working_set * (-written / self.working_set).exp_m1(),
        }
    }

    pub(in crate::model) fn of_base(&self, t: f64) -> f64 {
        -self.base * (-t / self.base_time_s).exp_m1()
    }
}
