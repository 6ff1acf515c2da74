//! How long the service was truly interrupted, given the longest silence that a
//! client saw: an interval, from the evidence of single calls.
//!
//! Let the service stop at *s* and come back at *r*; `D = r − s` is sought. The
//! client saw no good reply complete in `(a, b)`; `G = b − a`. A call that starts
//! while the service runs, and for as long as it needs, is answered within *X*,
//! the longest response of the calls around that moment, with a margin. Then
//!
//! * **s ≥ s₀**, the latest start of a call that was answered by *a*: its request
//!   reached a service that still ran. `a − s₀` is a response time at most.
//! * **s ≤ u + X**, with *u* the first start after s₀: had the service run until
//!   then, that call would have been answered, and after s₀ none was until *b*.
//! * **r ≤ b**: somebody answered.
//! * **r ≥ v**, with *v* the latest start, more than *X'* before *b*, of a call of
//!   *any* population that was not answered before *b*: had the service run at
//!   *v*, it would have been answered by `v + X' < b`. *X'* is the longest
//!   response of that population's calls right after *b* and before *a*.
//!
//! The last one needs care. A service that comes back works through what has
//! piled up before it gives its first reply, of whatever population, at *b₀ ≤ b*:
//! it ran at *v* and was silent all the same. With *C*, the time that it then took
//! to answer the pile ([`super::catch_up`]), a call counts only if
//! `v + X' + 3·C < b₀` and it was not answered before *b₀*. This is an assumption,
//! not a proof: a service that needs longer than 3·*C* + *X'* before its first
//! reply is reported as interrupted for longer than it was. A client that slept
//! until *b₀* saw nothing in its sleep: then `v + X'` must lie before the sleep.
//!
//! So `v − (u + X) ≤ D ≤ b − s₀`. With calls every *d*: `u ≤ s₀ + d` and
//! `v ≥ b − X' − d` (without a pile), hence `D − X ≤ G ≤ D + 2d + X + X'`. (Where
//! the waiting calls are answered in the moment of *r*, one of the two *d* falls
//! away.) Nothing of this needs the rate: gaps of a Poisson load and starts that came late are
//! taken as they were.
//!
//! **Our own pauses.** What was answered in a pause of the generator is seen at its end,
//! and what was due in it leaves then ([`super::own`]). So *b₀* is at the earliest the
//! begin of the pause in which the first reply was seen, and *C* counts from there; and a
//! call is evidence only if its answer would have been seen, be it after a pause, before
//! *b₀*. A reply that is seen in a pause may be from before the stop: then the silence
//! that it ends is no whole interruption, and *b* is the first reply to a call that left
//! after the pause.
//!
//! A full pool starts no calls, so its own *v* may lie far back: then the probe's
//! calls are the evidence. Without them only TCP's rule is left: an unanswered
//! segment of age *A* is sent again at the latest after `A + RTO`, doubling, so
//! the pause before the answered retransmission was at most `(A + RTO)/2`.

use crate::clock::{MILLISECOND, Nanos, SECOND};
use crate::record::{CallRecord, Cause, Outcome, Population};

use super::calls::{CALLS_BEFORE, generous, need, never_sent};
use super::catch_up::CatchUp;
use super::gap::Gap;
use super::view::View;

/// Calls after the silence from which *X'* is taken, and how many there must be.
const CALLS_AFTER: usize = 20;
const LEAST_AFTER: usize = 3;
/// Least retransmission timeout of data on Linux, and that of a SYN (RFC 6298).
const RTO: Nanos = 200 * MILLISECOND;
const SYN_RTO: Nanos = SECOND;
/// The interval in which the true length of the interruption lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interruption {
    pub(super) at_least: Nanos,
    /// `None`: the end was not seen.
    pub(super) at_most: Option<Nanos>,
    /// It began at this moment at the latest.
    pub(super) stop_most: Nanos,
}

impl Interruption {
    /// How far a gap may be off the true length, either way.
    pub(super) fn bound(&self, gap: Nanos) -> Option<Nanos> {
        self.at_most.map(|most| gap.saturating_sub(self.at_least).max(most.saturating_sub(gap)))
    }

    /// It is this one or the other: the interval holds both.
    pub(super) fn or(self, other: Self) -> Self {
        Self { at_least: self.at_least.min(other.at_least), ..self.or_longer(other.at_most) }
    }

    /// This one is sure to be one, but another may be longer: `at_most` of it.
    pub(super) fn or_longer(self, at_most: Option<Nanos>) -> Self {
        let at_most = self.at_most.zip(at_most).map(|(one, two)| one.max(two));
        Self { at_most, ..self }
    }
}

/// The upper end of [`interruption`] alone, which can be had of thousands of silences: `None` where
/// nothing is known of the begin, `Some(None)` where the end was not seen.
pub(super) fn longest_interruption(
    view: &View<'_>,
    p: Population,
    gap: Gap,
) -> Option<Option<Nanos>> {
    let stop_least = view.latest_start(p, gap.start)?;
    Some(resumed_by(view, p, gap).map(|end| end - stop_least))
}

/// The interruption behind a silence of a population; `None` if no reply came
/// before it, so that nothing is known of its begin.
pub(super) fn interruption(view: &View<'_>, p: Population, gap: Gap) -> Option<Interruption> {
    let good = view.good(p);
    let until = good.partition_point(|call| call.done <= gap.start);
    let answered = &good[..until];
    let stop_least = view.latest_start(p, gap.start)?;
    let around = &answered[answered.len().saturating_sub(CALLS_BEFORE)..];
    let need = generous(around.iter().map(need).max()?);
    let stop_most = view
        .calls
        .iter()
        .filter(|call| call.population == p && !never_sent(call))
        .map(|call| view.left(call).1)
        .filter(|left| *left > stop_least)
        .min()
        .map(|left| left + need)
        .filter(|answered| view.own.seen(*answered) < gap.end)
        .unwrap_or(gap.end);
    let catch_up = CatchUp::new(view, gap);
    let resume_least = Population::ALL
        .into_iter()
        .filter_map(|q| latest_unanswered(view, q, gap, catch_up))
        .chain(retransmission(view, p, gap, catch_up))
        .max()
        .unwrap_or(gap.start);
    Some(Interruption {
        at_least: resume_least.saturating_sub(stop_most),
        at_most: longest_interruption(view, p, gap)?,
        stop_most,
    })
}

/// When the service had come back for sure: somebody was answered who had asked after
/// any pause of our own in which the gap ended. `None`: that was not seen.
fn resumed_by(view: &View<'_>, p: Population, gap: Gap) -> Option<Nanos> {
    let pause = (view.own.happened(gap.end), view.own.seen(gap.end));
    if gap.cut || pause.0 == pause.1 {
        return (!gap.cut).then_some(gap.end);
    }
    let good = view.good(p);
    let from = good.partition_point(|call| call.done < gap.end);
    good[from..].iter().find(|call| call.sent >= pause.1).map(|call| call.done)
}

/// *X'* of a population: the longest need of its calls right after the gap, and
/// of those right before it. `None` if too few came after it. Where the end of
/// the load cuts the gap, those before it must do.
fn need_around(view: &View<'_>, p: Population, gap: Gap) -> Option<Nanos> {
    let good = view.good(p);
    let until = good.partition_point(|call| call.done <= gap.start);
    let before = good[until.saturating_sub(CALLS_BEFORE)..until].iter().map(need).max();
    if gap.cut {
        return before.map(generous);
    }
    let after: Vec<Nanos> = view
        .intended(gap.end, Nanos::MAX)
        .iter()
        .filter(|call| call.population == p && call.outcome.is_good())
        .take(CALLS_AFTER)
        .map(need)
        .collect();
    if after.len() < LEAST_AFTER {
        return None;
    }
    after.into_iter().chain(before).max().map(generous)
}

/// *v* of one population: the latest start of a call that a running service
/// would have answered before the end of the gap, and did not.
fn latest_unanswered(view: &View<'_>, p: Population, gap: Gap, end: CatchUp) -> Option<Nanos> {
    unanswered(view, p, gap, end).map(|call| view.left(call).0).max()
}

/// The least *r* by TCP's rule of retransmission, from the youngest call that the
/// service had not answered by the end of the gap though it still waited.
fn retransmission(view: &View<'_>, p: Population, gap: Gap, end: CatchUp) -> Option<Nanos> {
    let need = need_around(view, p, gap)?;
    let youngest = unanswered(view, p, gap, end)
        .filter(|call| call.done >= end.first)
        .max_by_key(|c| c.sent)?;
    let rto = if youngest.reused { RTO } else { SYN_RTO };
    let pause = (gap.end.saturating_sub(youngest.sent) + rto) / 2;
    (!gap.cut).then(|| end.seen_by().saturating_sub(need + pause))
}

/// The calls of a population that a running service would have answered before
/// the end of the gap, but that were still open then, were given up before, or
/// were refused.
fn unanswered<'a>(
    view: &'a View<'_>,
    p: Population,
    gap: Gap,
    end: CatchUp,
) -> impl Iterator<Item = &'a CallRecord> {
    let need = need_around(view, p, gap);
    view.calls.iter().filter(move |call| {
        let Some(need) = need else { return false };
        // By then a running service would have been seen to answer it.
        let seen = view.own.seen(view.left(call).1 + need);
        let in_vain = match call.outcome {
            Outcome::Failed(failure) if failure.cause == Cause::Refused => true,
            Outcome::Failed(failure) if failure.is_censored() => call.done > seen,
            _ => false,
        };
        call.population == p
            && !never_sent(call)
            && seen < end.seen_by()
            && (call.done >= end.first || in_vain)
    })
}
