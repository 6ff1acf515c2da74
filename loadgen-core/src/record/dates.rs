//! What the `Date` of replies tells of the clock of the server's machine: a few
//! samples a second, in which a step of that clock shows.

use serde::{Deserialize, Serialize};

use crate::clock::Nanos;

/// Samples of one worker.
const MOST: usize = 100_000;

/// Samples between two looks of the worker at its surroundings (ten a second).
const AT_ONCE: u8 = 3;

/// A reply and the second that its `Date` names. Times in ns from the start of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DateSample {
    /// Seconds since 1970 by the server's clock.
    pub date_s: i64,
    /// When the request began to be sent: the reply was made later.
    pub sent: Nanos,
    /// When the reply had been read: it was made earlier.
    pub received: Nanos,
}

/// Samples, bounded in number and rate.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct DateLog {
    pub(crate) samples: Vec<DateSample>,
    keeps: bool,
    #[serde(skip)]
    budget: u8,
}

impl DateLog {
    pub(crate) fn new(keeps: bool) -> Self {
        Self { keeps, ..Self::default() }
    }

    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Whether one more sample may be taken by now.
    pub(crate) fn wants(&self) -> bool {
        self.budget > 0 && self.samples.len() < MOST
    }

    pub(crate) fn push(&mut self, sample: DateSample) {
        self.budget = self.budget.saturating_sub(1);
        self.samples.push(sample);
    }

    /// Another tenth of a second has passed.
    pub(crate) fn refill(&mut self) {
        self.budget = if self.keeps { AT_ONCE } else { 0 };
    }
}
