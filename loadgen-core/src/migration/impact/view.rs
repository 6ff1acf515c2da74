//! The recorded calls in the orders that the analysis walks them, and what was
//! normal before the migration. Sorted once, then only read.

use crate::clock::{MILLISECOND, Nanos};
use crate::record::{CallRecord, Population};

use super::ImpactInput;
use super::calls::{LOST_SYN, response};
use super::marks::Marks;
use super::own::Own;

/// A run, sorted.
pub(super) struct View<'a> {
    pub(super) input: &'a ImpactInput<'a>,
    pub(super) marks: Marks<'a>,
    pub(super) own: Own,
    /// All calls by intended start.
    pub(super) calls: Vec<CallRecord>,
    /// Good replies of each population by completion.
    good: [Vec<CallRecord>; 2],
    /// The latest start of a call of those up to each of the good replies.
    latest_starts: [Vec<Nanos>; 2],
    /// What was normal, by population; `None`: no good reply before the firing.
    baselines: [Option<Baseline>; 2],
}

/// What was normal for a population: its good replies that were complete before
/// the firing, and while it was quiet, without those that were to start in the warm-up, and those that a pause
/// of our own had its part in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Baseline {
    /// 95th percentile of the response time.
    pub(super) p95: Nanos,
    /// 99th percentile and maximum of the times between successive completions;
    /// `None` with fewer than two replies.
    pub(super) gaps: Option<(Nanos, Nanos)>,
}

impl Baseline {
    /// Up to here a response time is as before: twice the 95th percentile, and at
    /// least 1 ms above it, since on a fast server twice nothing is noise.
    pub(super) fn band(&self) -> Nanos {
        (2 * self.p95).max(self.p95 + MILLISECOND)
    }
}

impl<'a> View<'a> {
    pub(super) fn new(input: &'a ImpactInput<'a>) -> Self {
        let marks = Marks::new(input.events, input.warmup_end, input.load_end);
        let own = Own::new(input.pauses);
        let mut calls: Vec<CallRecord> = input.calls.iter().copied().collect();
        calls.sort_unstable_by_key(|call| (call.intended, call.done));
        let good = Population::ALL.map(|population| {
            let of = |call: &&CallRecord| call.population == population && call.outcome.is_good();
            let mut good: Vec<CallRecord> = calls.iter().filter(of).copied().collect();
            good.sort_unstable_by_key(|call| call.done);
            good
        });
        let baselines = [0, 1].map(|k: usize| {
            let before = |call: &&CallRecord| {
                call.intended >= input.warmup_end
                    && marks.fired.is_none_or(|f| call.done < f.min(input.quiet_until))
                    && !own.touches(call)
            };
            let good: Vec<&CallRecord> = good[k].iter().filter(before).collect();
            let p95 = rank(good.iter().map(|call| response(call)).collect(), 95, 100)?;
            let gaps: Vec<Nanos> = good
                .windows(2)
                .filter(|w| own.within(w[0].done, w[1].done) == 0)
                .map(|w| w[1].done - w[0].done)
                .collect();
            let longest = gaps.iter().copied().max();
            Some(Baseline { p95, gaps: rank(gaps, 99, 100).zip(longest) })
        });
        let latest_starts = [0, 1].map(|k: usize| {
            let latest = |latest: &mut Nanos, call: &CallRecord| {
                *latest = (*latest).max(call.sent.min(call.done));
                Some(*latest)
            };
            good[k].iter().scan(0, latest).collect()
        });
        Self { input, marks, own, calls, good, latest_starts, baselines }
    }

    /// The latest start of the calls of a population that were answered well by `by`; `None`: none
    /// was.
    pub(super) fn latest_start(&self, p: Population, by: Nanos) -> Option<Nanos> {
        let answered = self.good(p).partition_point(|call| call.done <= by);
        answered.checked_sub(1).map(|last| self.latest_starts[p as usize][last])
    }

    /// Good replies of a population, by completion.
    pub(super) fn good(&self, population: Population) -> &[CallRecord] {
        &self.good[population as usize]
    }

    pub(super) fn baseline(&self, population: Population) -> Option<Baseline> {
        self.baselines[population as usize]
    }

    /// Calls whose intended start lies in `[start, end)`.
    pub(super) fn intended(&self, start: Nanos, end: Nanos) -> &[CallRecord] {
        let from = self.calls.partition_point(|call| call.intended < start);
        let to = self.calls.partition_point(|call| call.intended < end);
        &self.calls[from..to.max(from)]
    }

    /// Good replies of a population that were complete in `[start, end)`.
    pub(super) fn completed(&self, p: Population, start: Nanos, end: Nanos) -> &[CallRecord] {
        let good = self.good(p);
        let from = good.partition_point(|call| call.done < start);
        let to = good.partition_point(|call| call.done < end);
        &good[from..to.max(from)]
    }

    /// The span before the firing that counts as normal: from the end of the warm-up to the
    /// firing, or to the end of the quiet before it.
    pub(super) fn before(&self) -> Option<(Nanos, Nanos)> {
        let end = self.marks.fired?.min(self.input.load_end).min(self.input.quiet_until);
        (self.input.warmup_end < end).then_some((self.input.warmup_end, end))
    }

    /// When a call left, as far as the log tells: at the earliest, and at the latest. A new
    /// connection whose connect lost its SYN sent its first byte only after the outage; it
    /// had asked, in vain, at its intended start or soon after, unless it had to wait for
    /// the pool. What was due in a pause of our own left after it, and that a connect was
    /// done we saw only then.
    pub(super) fn left(&self, call: &CallRecord) -> (Nanos, Nanos) {
        let ours = self.own.within(call.intended, call.sent);
        let connecting = call.sent.saturating_sub(call.intended).saturating_sub(ours);
        let lost_syn = !call.reused && !call.queued && connecting >= LOST_SYN;
        let at = if lost_syn { call.intended } else { call.sent };
        (at, self.own.seen(at))
    }
}

/// The value with the rank ⌈n × numerator / denominator⌉; `None` of nothing.
pub(super) fn rank(mut values: Vec<Nanos>, numerator: usize, denominator: usize) -> Option<Nanos> {
    let rank = (values.len() * numerator).div_ceil(denominator);
    let index = rank.max(1) - 1;
    (index < values.len()).then(|| *values.select_nth_unstable(index).1)
}
