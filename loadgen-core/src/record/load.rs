//! What is kept of the calls of one load: counts by their fate, and the
//! histograms of their times. It only adds up; who counts what is the recorder's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::connections::Losses;
use super::{Cause, Outcome, Phase, Population, written};
use crate::expectation::Miss;

/// Times in ns, 1 ns to an hour, 3 significant digits (HdrHistogram).
pub(crate) type Histogram = hdrhistogram::Histogram<u64>;

/// Longest time that a histogram takes: an hour. Longer ones count as this long.
pub(super) const LONGEST: u64 = 3_600_000_000_000;

pub(super) fn histogram() -> Histogram {
    Histogram::new_with_bounds(1, LONGEST, 3)
        .unwrap_or_else(|_| unreachable!("constant bounds that hdrhistogram accepts"))
}

/// Calls by their fate; see [`crate::report::Counts`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) offered: u64,
    pub(crate) started: u64,
    pub(crate) answered: u64,
    /// Answered, but not with a good reply.
    pub(crate) not_good: u64,
    /// Those of them that were not as expected.
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
    pub(crate) shed: u64,
    pub(crate) unfinished: u64,
    /// Failed calls that are censored (timeout, deadline).
    pub(crate) timed_out: u64,
    pub(crate) reconnects: u64,
    pub(crate) queued: u64,
    pub(crate) opened: u64,
    /// Started and answered between the end of the warm-up and the end of the
    /// load, whenever they were to start: what rates are made of.
    pub(crate) started_in_span: u64,
    pub(crate) answered_in_span: u64,
}

impl Tally {
    /// Counts how good a reply was.
    pub(super) fn count_quality(&mut self, outcome: Outcome) {
        self.not_good += u64::from(!outcome.is_good());
        self.wrong += u64::from(matches!(outcome, Outcome::Wrong(..)));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.started += other.started;
        self.answered += other.answered;
        self.not_good += other.not_good;
        self.wrong += other.wrong;
        self.failed += other.failed;
        self.shed += other.shed;
        self.unfinished += other.unfinished;
        self.timed_out += other.timed_out;
        self.reconnects += other.reconnects;
        self.queued += other.queued;
        self.opened += other.opened;
        self.started_in_span += other.started_in_span;
        self.answered_in_span += other.answered_in_span;
    }
}

/// Which load of a plan a call belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoadId {
    /// Its number.
    pub(crate) number: u8,
    pub(crate) population: Population,
}

/// The figures of one load, or of several together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoadRecord {
    pub(crate) population: Population,
    pub(crate) tally: Tally,
    /// Response time of answered calls with a status below 400.
    #[serde(with = "written::histogram")]
    pub(crate) response: Histogram,
    /// Response time of answered calls with a status of 400 and above.
    #[serde(with = "written::histogram")]
    pub(crate) response_error_status: Histogram,
    /// Response time of replies that were not as expected; `None` while there are none.
    #[serde(with = "written::some_histogram")]
    pub(crate) response_wrong: Option<Box<Histogram>>,
    /// Those replies by the first thing that was wrong.
    pub(crate) wrong: [u64; Miss::ALL.len()],
    /// Service time of answered calls.
    #[serde(with = "written::histogram")]
    pub(crate) service: Histogram,
    /// Intended start to giving up, of failed calls.
    #[serde(with = "written::histogram")]
    pub(crate) time_to_failure: Histogram,
    /// Lateness of the generator, of open-loop calls.
    #[serde(with = "written::histogram")]
    pub(crate) lag: Histogram,
    /// From the start of connecting to the end of the TCP handshake, of connections opened
    /// for calls.
    #[serde(with = "written::histogram")]
    pub(crate) connect: Histogram,
    /// From there to the end of the TLS handshake, of the same.
    #[serde(with = "written::histogram")]
    pub(crate) tls_handshake: Histogram,
    /// Failed calls by phase and cause.
    pub(crate) errors: [[u64; Cause::ALL.len()]; Phase::ALL.len()],
    /// Answered calls by their status.
    pub(crate) status: Statuses,
    /// Connections lost, by cause.
    pub(crate) lost: Losses,
}

impl LoadRecord {
    pub(crate) fn new(population: Population) -> Self {
        Self {
            population,
            tally: Tally::default(),
            response: histogram(),
            response_error_status: histogram(),
            response_wrong: None,
            wrong: [0; Miss::ALL.len()],
            service: histogram(),
            time_to_failure: histogram(),
            lag: histogram(),
            connect: histogram(),
            tls_handshake: histogram(),
            errors: Default::default(),
            status: Statuses::default(),
            lost: Losses::default(),
        }
    }

    /// Where the response time of a reply goes to of which anything was expected, or whose
    /// status is one of errors.
    #[inline(never)]
    pub(super) fn not_plainly_good(&mut self, outcome: Outcome) -> &mut Histogram {
        self.tally.count_quality(outcome);
        match outcome {
            Outcome::Wrong(_, miss) => {
                self.wrong[miss as usize] += 1;
                self.response_wrong.get_or_insert_with(|| Box::new(histogram()))
            }
            good if good.is_good() => &mut self.response,
            _ => &mut self.response_error_status,
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.tally.add(&other.tally);
        if let Some(theirs) = &other.response_wrong {
            let mine = self.response_wrong.get_or_insert_with(|| Box::new(histogram()));
            add(mine, theirs);
        }
        self.wrong.iter_mut().zip(other.wrong).for_each(|(mine, theirs)| *mine += theirs);
        for (mine, theirs) in [
            (&mut self.response, &other.response),
            (&mut self.response_error_status, &other.response_error_status),
            (&mut self.service, &other.service),
            (&mut self.time_to_failure, &other.time_to_failure),
            (&mut self.lag, &other.lag),
            (&mut self.connect, &other.connect),
            (&mut self.tls_handshake, &other.tls_handshake),
        ] {
            add(mine, theirs);
        }
        for (mine, theirs) in self.errors.iter_mut().zip(&other.errors) {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
        self.status.merge(&other.status);
        for (mine, theirs) in self.lost.iter_mut().zip(&other.lost) {
            *mine += theirs;
        }
    }
}

/// Lowest status that counts by itself, and how many do (RFC 9110 §15).
const LOWEST_STATUS: u16 = 100;
const STATUSES: usize = 500;

/// Replies by their status.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "BTreeMap<u16, u64>", into = "BTreeMap<u16, u64>")]
pub(crate) struct Statuses(Box<[u64; STATUSES + 1]>);

impl Default for Statuses {
    fn default() -> Self {
        Self(Box::new([0; STATUSES + 1]))
    }
}

impl From<BTreeMap<u16, u64>> for Statuses {
    fn from(counts: BTreeMap<u16, u64>) -> Self {
        let mut all = Self::default();
        for (status, n) in counts {
            all.0[place(status)] += n;
        }
        all
    }
}

impl From<Statuses> for BTreeMap<u16, u64> {
    /// What is none goes by 0.
    fn from(all: Statuses) -> Self {
        all.iter().map(|(status, n)| (status.unwrap_or(0), n)).collect()
    }
}

/// Where a status is counted; the last place holds all that are none.
#[inline]
fn place(status: u16) -> usize {
    usize::from(status.wrapping_sub(LOWEST_STATUS)).min(STATUSES)
}

impl Statuses {
    #[inline]
    pub(super) fn count(&mut self, status: u16) {
        self.0[place(status)] += 1;
    }

    /// Those that occurred, with the number of their replies; `None` are all that are none.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Option<u16>, u64)> {
        let status = |place: usize| (place < STATUSES).then_some(LOWEST_STATUS + place as u16);
        let all = self.0.iter().enumerate().filter(|(_, n)| **n > 0);
        all.map(move |(place, n)| (status(place), *n))
    }

    fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(mine, theirs)| *mine += theirs);
    }
}

/// Adds a histogram to another of the same bounds.
pub(crate) fn add(into: &mut Histogram, other: &Histogram) {
    into.add(other).unwrap_or_else(|_| unreachable!("all histograms have the same bounds"));
}

/// Index of a status in the counts by hundreds.
pub(super) fn hundreds(status: u16) -> usize {
    match status {
        100..=599 => usize::from(status / 100),
        _ => 0,
    }
}
