//! What is kept of the calls of a tag.

use serde::{Deserialize, Serialize};

use super::load::{LONGEST, add, hundreds};
use super::{CallRecord, Cause, Failure, Outcome, Phase, written};

/// Times in ns, 1 ns to an hour, 2 significant digits: there may be many tags.
type Histogram = hdrhistogram::Histogram<u64>;

pub(super) fn coarse_histogram() -> Histogram {
    Histogram::new_with_bounds(1, LONGEST, 2)
        .unwrap_or_else(|_| unreachable!("constant bounds that hdrhistogram accepts"))
}

/// The calls of one tag, by their end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TagRecord {
    pub(crate) answered: u64,
    /// Those of them that are not as expected.
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
    pub(crate) unfinished: u64,
    pub(crate) shed: u64,
    /// Failed calls that are censored (timeout, deadline).
    pub(crate) timed_out: u64,
    /// Answered calls by the hundreds of their status; 0 holds all others.
    pub(crate) status: [u64; 6],
    /// Failed calls by phase and cause.
    pub(crate) errors: [[u64; Cause::ALL.len()]; Phase::ALL.len()],
    /// Response time of good replies.
    #[serde(with = "written::coarse_histogram")]
    pub(crate) response: Histogram,
}

impl TagRecord {
    pub(crate) fn new() -> Self {
        Self {
            answered: 0,
            wrong: 0,
            failed: 0,
            unfinished: 0,
            shed: 0,
            timed_out: 0,
            status: [0; 6],
            errors: Default::default(),
            response: coarse_histogram(),
        }
    }

    /// A call has ended.
    pub(crate) fn ended(&mut self, call: &CallRecord) {
        match call.outcome {
            Outcome::Answered(status) | Outcome::AsExpected(status) | Outcome::Wrong(status, _) => {
                self.answered += 1;
                self.wrong += u64::from(matches!(call.outcome, Outcome::Wrong(..)));
                self.status[hundreds(status)] += 1;
                if call.outcome.is_good() {
                    self.response.saturating_record(call.done.saturating_sub(call.intended));
                }
            }
            Outcome::Failed(failure) => self.failed(failure),
            Outcome::Shed => self.shed += 1,
            Outcome::Unfinished => self.unfinished += 1,
        }
    }

    #[cold]
    fn failed(&mut self, failure: Failure) {
        self.failed += 1;
        self.timed_out += u64::from(failure.is_censored());
        self.errors[failure.phase as usize][failure.cause as usize] += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.answered, other.answered),
            (&mut self.wrong, other.wrong),
            (&mut self.failed, other.failed),
            (&mut self.unfinished, other.unfinished),
            (&mut self.shed, other.shed),
            (&mut self.timed_out, other.timed_out),
        ] {
            *mine += theirs;
        }
        let errors = self.errors.iter_mut().flatten().zip(other.errors.iter().flatten());
        let status = self.status.iter_mut().zip(&other.status);
        errors.chain(status).for_each(|(mine, theirs)| *mine += theirs);
        add(&mut self.response, &other.response);
    }
}
