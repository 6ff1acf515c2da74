//! Which of the silences is the migration's outage. The longest one need not be:
//! a server may freeze for other reasons before and after.
//!
//! * **Stop and resume are known**: the silences *at the switch-over*. Every
//!   moment lies in some silence, so each blackout has one that covers most of
//!   it; that counts, however short it is, and so do those that begin from the
//!   stop to [`NEXT_TO`] after the resume: a stray reply may split the outage, and
//!   replies may come out of a machine that is not reached any more. In post-copy
//!   the machine runs without all of its memory until the end, and silences that
//!   begin before that are of the migration, too. One that was over before the
//!   stop is not, and one that only ends within the blackout is not if another
//!   covers more of it.
//! * **Only the firing and the end are known**: those that overlap this time, and
//!   [`MARGIN`] behind it.
//! * **Only the firing is known**: any.
//!
//! The headline is the longest of them by what our own pauses leave of each, the first
//! if there are several. A pause may hide an interruption whole: then it is the silence
//! that covers the blackout, and its interval says how little is known.

use crate::clock::{MILLISECOND, Nanos};
use crate::event::EventKind;
use crate::report::{GapOf, GapWhen};

use super::gap::Gap;
use super::marks::Blackout;
use super::view::View;

/// A silence that begins at most this long after the resume belongs to the
/// switch-over: the least retransmission timeout of data on Linux.
const NEXT_TO: Nanos = 200 * MILLISECOND;

/// How long after the final event a silence may begin to be of the migration,
/// where stop and resume are not known: network and service need a moment.
const MARGIN: Nanos = 500 * MILLISECOND;

/// The choice among the silences of one population.
#[derive(Debug, Clone)]
pub(super) struct Headline {
    pub(super) gap: Gap,
    pub(super) of: GapOf,
    /// All silences of the same kind as `gap`, which is one of them.
    candidates: Vec<Gap>,
    /// Others in which the interruption may be, since we stood still in them.
    pub(super) unsure: Vec<Gap>,
}

impl Headline {
    /// Chooses; `None` without any silence.
    pub(super) fn choose(view: &View<'_>, gaps: &[Gap], threshold: Nanos) -> Option<Self> {
        let marks = &view.marks;
        let cover: Vec<Gap> = marks.blackouts.iter().filter_map(|b| covering(b, gaps)).collect();
        let (mut of, mut candidates) = (GapOf::Switchover, at_switchover(view, gaps, &cover));
        if candidates.is_empty()
            && marks.blackouts.is_empty()
            && let Some((fired, (end, _))) = marks.fired.zip(marks.last)
        {
            let until = end.saturating_add(MARGIN);
            let overlaps = |gap: &&Gap| gap.end >= fired && gap.start <= until;
            (of, candidates) = (GapOf::Migration, gaps.iter().filter(overlaps).copied().collect());
        }
        if candidates.is_empty() {
            (of, candidates) = (GapOf::Longest, gaps.to_vec());
        }
        let touched = |gaps: &[Gap]| -> Vec<Gap> {
            let touched = |gap: &&Gap| view.own.within(gap.start, gap.end) > 0;
            gaps.iter().filter(touched).copied().collect()
        };
        let hidden = if of == GapOf::Switchover { touched(&cover) } else { touched(&candidates) };
        let gap = most_of_service(view, &candidates, threshold)
            .or_else(|| if of == GapOf::Switchover { longest(&hidden) } else { None })
            .or_else(|| {
                let whole = |gap: &&Gap| ours(view, gap) == 0;
                longest(&candidates.iter().filter(whole).copied().collect::<Vec<_>>())
            })
            .or_else(|| longest(&candidates))?;
        let unsure = hidden.into_iter().filter(|other| *other != gap).collect();
        Some(Self { gap, of, candidates, unsure })
    }

    /// Where another silence lies.
    pub(super) fn when(&self, other: &Gap) -> GapWhen {
        if self.of == GapOf::Switchover && self.candidates.contains(other) {
            GapWhen::Switchover
        } else if other.start < self.gap.start {
            GapWhen::Before
        } else {
            GapWhen::After
        }
    }
}

/// The first of the longest, so that equal runs give equal reports.
pub(super) fn longest(gaps: &[Gap]) -> Option<Gap> {
    gaps.iter().copied().rev().max_by_key(Gap::length)
}

/// How much of a silence is a time in which no worker of ours ran.
pub(super) fn ours(view: &View<'_>, gap: &Gap) -> Nanos {
    view.own.all.within(gap.start, gap.end)
}

/// The silence of which most is left without our own pauses, if that stands out.
fn most_of_service(view: &View<'_>, gaps: &[Gap], threshold: Nanos) -> Option<Gap> {
    let rest = |gap: &Gap| gap.length() - ours(view, gap);
    gaps.iter().copied().rev().filter(|gap| rest(gap) > threshold).max_by_key(rest)
}

fn at_switchover(view: &View<'_>, gaps: &[Gap], cover: &[Gap]) -> Vec<Gap> {
    let marks = &view.marks;
    let fetches = view.input.events.iter().any(|e| e.kind == EventKind::PostCopy);
    let fetched = marks.last.map(|(at, _)| at).filter(|_| fetches);
    let begins_next_to = |gap: &Gap| {
        marks.blackouts.iter().any(|b| {
            let until = b.resume.saturating_add(b.uncertainty.saturating_add(NEXT_TO));
            (b.stop..=until.max(fetched.unwrap_or(0))).contains(&gap.start)
        })
    };
    gaps.iter().filter(|gap| cover.contains(gap) || begins_next_to(gap)).copied().collect()
}

/// The silence that covers most of a blackout, the events' uncertainty included.
fn covering(blackout: &Blackout, gaps: &[Gap]) -> Option<Gap> {
    let from = blackout.stop.saturating_sub(blackout.uncertainty);
    // At least a moment, where both events have the same time.
    let to = blackout.resume.saturating_add(blackout.uncertainty).max(from.saturating_add(1));
    let covered = |gap: &Gap| gap.end.min(to).saturating_sub(gap.start.max(from));
    gaps.iter()
        .copied()
        .rev()
        .filter(|gap| covered(gap) > 0)
        .max_by_key(|gap| (covered(gap), gap.length()))
}
