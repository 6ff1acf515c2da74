//! What became of each check.

use std::net::IpAddr;

use super::method::Method;
use crate::clock::{Clock, MILLISECOND, Nanos};

/// After how long a check is given up: before its SYN would be sent again, after 1 s.
pub(super) const GIVE_UP: Nanos = 900 * MILLISECOND;

/// One check. It left this machine between `before` and `sent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Check {
    /// The clock before the system call that sent it.
    pub(crate) before: Nanos,
    /// The clock after it.
    pub(crate) sent: Nanos,
    pub(crate) fate: Fate,
}

impl Check {
    /// The same with its times mapped from readings of `CLOCK_MONOTONIC` to the clock of the load.
    pub(crate) fn mapped_to(self, load: &Clock) -> Self {
        let map = |at| load.from_monotonic(at);
        let fate = match self.fate {
            Fate::Answered { after, by, first } => {
                Fate::Answered { after: map(after), by: map(by), first }
            }
            fate @ (Fate::Lost | Fate::Unknown) => fate,
        };
        Self { before: map(self.before), sent: map(self.sent), fate }
    }
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The answer came between `after`, when it was last looked for in vain, and `by`.
    Answered {
        after: Nanos,
        by: Nanos,
        /// It is known to be the answer to the first packet, not to its repetition.
        first: bool,
    },
    /// No answer within [`GIVE_UP`], or the network said that it cannot be delivered.
    Lost,
    /// It was not sent, or not waited for long enough.
    Unknown,
}

/// The checks of a run, in the order in which they were sent, and how they were made.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReachLog {
    pub(crate) method: Option<Method>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) rate_per_s: f64,
    pub(crate) checks: Vec<Check>,
    /// CPU time of the thread.
    pub(crate) cpu_ns: Nanos,
    /// The longest time by which the thread woke up late.
    pub(crate) longest_pause: Nanos,
    /// Why there are no checks, or none that say anything.
    pub(crate) off: Option<String>,
    /// Why there are no more of them: those before stand.
    pub(crate) cut: Option<String>,
}

impl ReachLog {
    /// A check that was not made.
    pub(crate) fn off(reason: impl Into<String>) -> Self {
        Self { off: Some(reason.into()), ..Self::default() }
    }

    /// Maps all times from readings of `CLOCK_MONOTONIC` to the clock of the load;
    /// checks from before its start are left out.
    pub(crate) fn map_to(&mut self, load: &Clock) {
        let origin = load.to_monotonic(0);
        self.checks.retain(|check| check.before >= origin);
        for check in &mut self.checks {
            *check = check.mapped_to(load);
        }
    }
}
