//! What the reach check says of the migration: which of its runs of lost packets and
//! of its silences is that of the switch-over, and what both say of an outage.
//!
//! **What it says of an outage, and what not.** When the kernel answers again after a
//! dark, a virtual CPU runs and the network finds the machine; from then on a service
//! that does not answer is up but slow, or it is not: the kernel's answers do not prove
//! that its process ran. So the outage stays as it is, and its upper end with it. What
//! is told apart is *catching up*: the part of the gap in which the kernel answered
//! again. And since the service may have run in that part, the lower end of the
//! interruption must not rest on it: it is no more than from the stop to the kernel's
//! first answer. Where the kernel was never silent (a process that stands still on a
//! running machine), nothing is concluded.

use crate::clock::{MILLISECOND, Nanos, as_millis, as_seconds};
use crate::migration::reach::readings::{Span, between, dark, longest, silences};
use crate::migration::reach::{Check, Fate, ReachLog};
use crate::record::Population;
use crate::report::{OutageReport, Silent, Unreachable};

use super::bound::Interruption;
use super::calls::LOST_SYN;
use super::foreign;
use super::gap::Gap;
use super::view::View;

/// How far from STOP and RESUME lost packets still count as those of the switch-over:
/// a starved machine loses some before, a network that learns late after.
const AROUND: Nanos = 500 * MILLISECOND;

/// The readings of a run.
#[derive(Debug, Default)]
pub(super) struct Darks {
    pub(super) unreachable: Unreachable,
    pub(super) silent: Silent,
    /// Times without any answer that were longer than is normal, in order.
    unusual: Vec<Span>,
}

impl Darks {
    pub(super) fn new(view: &View<'_>) -> Self {
        let Some(log) = view.input.reach else {
            let reason = Some("there was no reach check".to_owned());
            return Self {
                unreachable: Unreachable { reason, ..Unreachable::default() },
                ..Self::default()
            };
        };
        let mut unreachable = account(log, view.marks.fired);
        match doubt(log, view) {
            Some(reason) => {
                unreachable.reason = Some(reason);
                Self { unreachable, ..Self::default() }
            }
            None => Self::read(log, view, unreachable),
        }
    }

    fn read(log: &ReachLog, view: &View<'_>, mut unreachable: Unreachable) -> Self {
        let fired = view.marks.fired.unwrap_or(0);
        let arrived = newcomers(view);
        let since = |span: &Span| span.touches(fired, Nanos::MAX);
        let runs: Vec<Span> = dark(&log.checks, &arrived).into_iter().filter(since).collect();
        let run = switchover(&runs, view);
        let shown = run.or_else(|| {
            // Nothing was lost: what may have been dark unseen.
            let spaces = between(&log.checks, &arrived).into_iter().filter(since);
            match window(view) {
                Some((from, to)) => longest(spaces.filter(|space| space.touches(from, to))),
                None => longest(spaces),
            }
        });
        if let Some(span) = shown {
            let surely = !log.method.is_some_and(|m| m.may_be_dropped_by_the_machine());
            unreachable.at_least = Some(if surely { as_millis(span.at_least()) } else { 0.0 });
            unreachable.at_most = span.at_most().map(as_millis);
            unreachable.start_s = run.and(span.from).map(as_seconds);
        } else {
            unreachable.reason = Some("too few checks were answered".to_owned());
        }
        if let Some(cut) = &log.cut {
            unreachable.reason.get_or_insert_with(|| cut.clone());
        }
        let others: Vec<Span> = runs.iter().copied().filter(|other| Some(*other) != run).collect();
        unreachable.other_runs = Some(others.len() as u64);
        unreachable.longest_other_at_most =
            longest(others).and_then(|other| other.at_most()).map(as_millis);
        let all = silences(&log.checks);
        let normal = longest(all.iter().copied().filter(|silence| {
            silence.from.is_some_and(|from| from >= view.input.warmup_end)
                && silence.to.is_some_and(|to| to <= fired)
        }))
        .and_then(|silence| silence.at_most());
        let after: Vec<Span> = all.into_iter().filter(since).collect();
        let silence = match window(view) {
            Some((from, to)) => longest(after.iter().copied().filter(|s| s.touches(from, to))),
            None => longest(after.iter().copied()),
        };
        let silent = Silent {
            at_least: silence.map(|s| as_millis(s.at_least())),
            at_most: silence.and_then(|s| s.at_most()).map(as_millis),
            start_s: silence.and_then(|s| s.from).map(as_seconds),
            longest_before: normal.map(as_millis),
        };
        let unusual = after.into_iter().filter(|s| normal.is_some_and(|n| s.at_least() > n));
        Self { unreachable, silent, unusual: unusual.collect() }
    }

    /// The part of a gap in which the machine's kernel answered again, but no call was:
    /// from one of these two moments to the end of the gap.
    fn answering_again(&self, gap: Gap) -> Option<(Nanos, Nanos)> {
        let last = self.unusual.iter().rev().find(|silence| silence.touches(gap.start, gap.end))?;
        let again = (last.to_least, last.to?);
        (gap.start < again.0 && again.1 < gap.end).then_some(again)
    }

    /// The interruption behind a gap, as far as it does not rest on time in which the kernel
    /// answered.
    pub(super) fn relaxed(&self, gap: Gap, mut interruption: Interruption) -> Interruption {
        if let Some((again, _)) = self.answering_again(gap) {
            let evident = again.saturating_sub(interruption.stop_most);
            interruption.at_least = interruption.at_least.min(evident);
        }
        interruption
    }

    /// Tells the catching up apart in the outage with this gap.
    pub(super) fn tell(&self, gap: Option<Gap>, outage: &mut OutageReport) {
        let Some(gap) = gap else { return };
        if let Some((earliest, latest)) = self.answering_again(gap) {
            outage.catching_up_at_least = Some(as_millis(gap.end - latest));
            outage.catching_up_at_most = (!gap.cut).then(|| as_millis(gap.end - earliest));
        }
    }
}

/// How the checks were made, and how many were lost.
fn account(log: &ReachLog, fired: Option<Nanos>) -> Unreachable {
    let lost = |after: bool| {
        let lost = log.checks.iter().filter(|check| check.fate == Fate::Lost);
        lost.filter(|check| fired.is_some_and(|fired| check.sent > fired) == after).count() as u64
    };
    let made = log.method.is_some();
    Unreachable {
        method: log.method.map(|method| method.to_string()),
        address: log.address.map(|address| address.to_string()),
        rate_per_s: made.then_some(log.rate_per_s),
        sent: made.then_some(log.checks.len() as u64),
        lost: made.then(|| lost(true)),
        lost_before: made.then(|| lost(false)),
        longest_pause_ms: made.then(|| as_millis(log.longest_pause)),
        cpu_s: made.then(|| as_seconds(log.cpu_ns)),
        ..Unreachable::default()
    }
}

/// Why nothing can be read from a log, if so.
fn doubt(log: &ReachLog, view: &View<'_>) -> Option<String> {
    if let Some(off) = &log.off {
        return Some(off.clone());
    }
    let Some(fired) = view.marks.fired else { return Some("nothing was fired".to_owned()) };
    if let Some(cut) = log.cut.as_ref().filter(|_| !lasts(log, view)) {
        return Some(format!("{cut}, before the machine was known to run again"));
    }
    let before = |check: &&Check| check.sent < fired;
    let answered = |check: &&Check| matches!(check.fate, Fate::Answered { .. });
    let known = |check: &&Check| check.fate != Fate::Unknown;
    let all = log.checks.iter().filter(before).filter(known).count();
    let well = log.checks.iter().filter(before).filter(answered).count();
    if well == 0 || well * 10 < all * 9 {
        return Some(format!(
            "only {well} of {all} checks before the firing were answered, too few to judge the \
             machine"
        ));
    }
    foreign::of_checks(view, &log.checks)
}

/// Whether the machine was still asked, and answered, when all was over.
fn lasts(log: &ReachLog, view: &View<'_>) -> bool {
    let over = window(view).map(|(_, to)| to).or(view.marks.last.map(|(at, _)| at));
    let answered = |check: &&Check| matches!(check.fate, Fate::Answered { .. });
    let last = log.checks.iter().rev().find(answered);
    over.zip(last).is_some_and(|(over, last)| last.before > over.saturating_add(AROUND))
}

/// From STOP to RESUME, as far as their times are known.
fn window(view: &View<'_>) -> Option<(Nanos, Nanos)> {
    let blackouts = &view.marks.blackouts;
    let (first, last) = (blackouts.first()?, blackouts.last()?);
    Some((
        first.stop.saturating_sub(first.uncertainty),
        last.resume.saturating_add(last.uncertainty),
    ))
}

/// The run of lost packets that is that of the switch-over: the longest of those that
/// touch it, else of those near it; without STOP and RESUME the longest of all.
fn switchover(runs: &[Span], view: &View<'_>) -> Option<Span> {
    let Some((from, to)) = window(view) else { return longest(runs.iter().copied()) };
    let touching = |from, to| longest(runs.iter().copied().filter(|run| run.touches(from, to)));
    touching(from, to).or_else(|| touching(from.saturating_sub(AROUND), to.saturating_add(AROUND)))
}

/// When the SYNs of newcomers left that are known to have arrived at the first go: the
/// call came to its first byte sooner than a SYN is sent again.
fn newcomers(view: &View<'_>) -> Vec<(Nanos, Nanos)> {
    view.calls
        .iter()
        .filter(|call| call.population == Population::Fresh && !call.reused)
        .filter(|call| !call.retried && !call.queued)
        .filter(|call| call.outcome.is_answered())
        .filter(|call| call.sent.saturating_sub(call.intended) < LOST_SYN)
        .map(|call| (call.intended, call.sent))
        .collect()
}
