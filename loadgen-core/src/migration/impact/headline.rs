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
//! The headline is the longest of them, the first if there are several.

use crate::clock::{MILLISECOND, Nanos};
use crate::event::EventKind;
use crate::report::{GapOf, GapWhen};

use super::marks::Blackout;
use super::outage::Gap;
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
}

impl Headline {
    /// Chooses; `None` without any silence.
    pub(super) fn choose(view: &View<'_>, gaps: &[Gap]) -> Option<Self> {
        let marks = &view.marks;
        let (mut of, mut candidates) = (GapOf::Switchover, at_switchover(view, gaps));
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
        let gap = longest(&candidates)?;
        Some(Self { gap, of, candidates })
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

fn at_switchover(view: &View<'_>, gaps: &[Gap]) -> Vec<Gap> {
    let marks = &view.marks;
    let fetches = view.input.events.iter().any(|e| e.kind == EventKind::PostCopy);
    let fetched = marks.last.map(|(at, _)| at).filter(|_| fetches);
    let cover: Vec<Gap> = marks.blackouts.iter().filter_map(|b| covering(b, gaps)).collect();
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
