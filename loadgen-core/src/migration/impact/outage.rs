//! The outage that a population saw: silences between successive good replies,
//! by completion, from the firing to the end of the load.
//!
//! Edges: the silence that holds the firing counts from the last good reply
//! before it. The silence that the end of the load cuts is known only to be
//! longer than what was seen of it. What comes later than the end of the load
//! is stragglers, whose gaps say nothing, since nobody asks any more.

use crate::clock::{MILLISECOND, Nanos, as_millis, as_seconds};
use crate::record::Population;
use crate::report::{GapOf, GapWhen, OtherGap, OutageReport};

use super::bound::{Interruption, interruption, longest_interruption};
use super::gap::Gap;
use super::headline::{Headline, longest, ours};
use super::marks::Marks;
use super::view::View;

/// No silence shorter than this is called an outage, whatever the rate.
const LEAST_THRESHOLD: Nanos = 20 * MILLISECOND;

/// The same where nothing is known of the gaps before the firing.
const BLIND_THRESHOLD: Nanos = 100 * MILLISECOND;

/// How long before the stop a silence may begin to count as part of the
/// switch-over.
const SWITCHOVER_LEAD: Nanos = 500 * MILLISECOND;

/// Other silences that are reported one by one, the longest of them.
const MOST_OTHERS: usize = 20;

/// The outage of one population.
#[derive(Debug, Clone)]
pub(super) struct Outage {
    pub(super) population: Population,
    /// The longest silence of all; `None`: not one good reply in the whole run.
    pub(super) longest: Option<Gap>,
    /// The one that is the migration's; `None` where `longest` is.
    pub(super) headline: Option<Headline>,
    /// The silences above the threshold, in order.
    pub(super) above: Vec<Gap>,
    /// Those of them that our own pauses explain.
    pub(super) ours: Vec<Gap>,
    pub(super) threshold: Nanos,
    pub(super) baseline_longest: Option<Nanos>,
    /// Where the true interruption behind the headline lies.
    pub(super) interruption: Option<Interruption>,
}

impl Outage {
    /// The migration's silence.
    pub(super) fn gap(&self) -> Option<Gap> {
        self.headline.as_ref().map(|headline| headline.gap)
    }

    /// The silences above the threshold beside the migration's, in order.
    pub(super) fn others(&self) -> impl Iterator<Item = (Gap, GapWhen)> {
        let headline = self.headline.as_ref();
        let not_it = move |gap: &&Gap| headline.is_none_or(|h| h.gap != **gap);
        let above = self.above.iter().filter(not_it);
        above.map(move |gap| {
            let when = || headline.map_or(GapWhen::After, |h| h.when(gap));
            (*gap, if self.ours.contains(gap) { GapWhen::Own } else { when() })
        })
    }
}

/// The outage of a population, or `None` if it has no call at all or nothing was
/// fired.
pub(super) fn outage(view: &View<'_>, population: Population) -> Option<Outage> {
    let fired = view.marks.fired?;
    if !view.calls.iter().any(|call| call.population == population) {
        return None;
    }
    let baseline = view.baseline(population).and_then(|baseline| baseline.gaps);
    let threshold = threshold(baseline.map(|b| b.0), view.input.interval(population));
    let mut gaps = gaps(view, population, fired);
    // The end of any load cuts a silence of one normal gap: no news.
    if gaps.len() > 1 {
        gaps.retain(|gap| !gap.cut || gap.length() > threshold);
    }
    let headline = Headline::choose(view, &gaps, threshold);
    let above: Vec<Gap> = gaps.iter().filter(|gap| gap.length() > threshold).copied().collect();
    let is_ours = |gap: &&Gap| {
        let ours = ours(view, gap);
        ours > 0 && gap.length() - ours <= threshold
    };
    Some(Outage {
        population,
        longest: longest(&gaps),
        ours: above.iter().filter(is_ours).copied().collect(),
        above,
        threshold,
        baseline_longest: baseline.map(|b| b.1),
        interruption: headline.as_ref().and_then(|h| interruption_of(view, population, h)),
        headline,
    })
}

/// The interruption behind the headline, or behind a silence that hides it from us.
fn interruption_of(view: &View<'_>, p: Population, headline: &Headline) -> Option<Interruption> {
    let first = interruption(view, p, headline.gap)?;
    let unsure = headline.unsure.iter().copied();
    if headline.of == GapOf::Switchover {
        let others = unsure.filter_map(|gap| interruption(view, p, gap));
        return Some(others.fold(first, Interruption::or));
    }
    // Where nobody tells of the switch-over, each silence that we slept in is one of them.
    let others = unsure.filter_map(|gap| longest_interruption(view, p, gap));
    Some(others.fold(first, Interruption::or_longer))
}

/// The largest of three times the 99th percentile of the gaps before (a constant
/// load then has no false outage, a Poisson load one in a million gaps),
/// three intended gaps, and 20 ms (below, it is scheduling noise).
pub(super) fn threshold(p99_gap: Option<Nanos>, interval: Option<Nanos>) -> Nanos {
    let floor = if p99_gap.is_some() { LEAST_THRESHOLD } else { BLIND_THRESHOLD };
    floor.max(3 * p99_gap.unwrap_or(0)).max(3 * interval.unwrap_or(0))
}

/// All silences that end after the firing and begin before the end of the load.
fn gaps(view: &View<'_>, population: Population, fired: Nanos) -> Vec<Gap> {
    let load_end = view.input.load_end;
    let good = view.good(population);
    let first = good.partition_point(|call| call.done <= fired).saturating_sub(1);
    let dones = || good[first..].iter().map(|call| call.done);
    dones()
        .zip(dones().skip(1).map(Some).chain([None]))
        .filter(|(start, _)| *start < load_end && fired < load_end)
        .map(|(start, end)| Gap {
            start,
            end: end.unwrap_or(load_end).min(load_end),
            cut: end.is_none_or(|end| end > load_end),
        })
        .filter(|gap| gap.end > fired)
        .collect()
}

/// The outage as it stands in a report. `recovered` ends the switch-over.
pub(super) fn report(outage: &Outage, marks: &Marks<'_>, recovered: Nanos) -> OutageReport {
    let sum = |gaps: &mut dyn Iterator<Item = &Gap>| as_millis(gaps.map(Gap::length).sum());
    let switchover = marks.stopped().map(|stop| {
        let from = stop.saturating_sub(SWITCHOVER_LEAD);
        sum(&mut outage.above.iter().filter(|g| g.end > from && g.start < recovered))
    });
    let interruption = outage.interruption;
    let gap = outage.gap();
    let (other_gaps, left_out) = other_gaps(outage);
    OutageReport {
        gap: gap.map(|gap| as_millis(gap.length())),
        gap_start_s: gap.map(|gap| as_seconds(gap.start)),
        gap_is_lower_bound: gap.is_some_and(|gap| gap.cut),
        gap_of: outage.headline.as_ref().map(|headline| headline.of),
        other_gaps,
        other_gaps_left_out: left_out,
        longest_gap: outage.longest.map(|gap| as_millis(gap.length())),
        longest_gap_start_s: outage.longest.map(|gap| as_seconds(gap.start)),
        longest_gap_is_lower_bound: outage.longest.is_some_and(|gap| gap.cut),
        sum_of_gaps: outage.longest.map(|_| sum(&mut outage.above.iter())),
        switchover_sum_of_gaps: switchover.filter(|_| outage.longest.is_some()),
        gaps: outage.longest.map(|_| outage.above.len() as u64),
        threshold: Some(as_millis(outage.threshold)),
        bound: gap
            .zip(interruption)
            .and_then(|(gap, interruption)| interruption.bound(gap.length()))
            .map(as_millis),
        interruption_at_least: interruption.map(|i| as_millis(i.at_least)),
        interruption_at_most: interruption.and_then(|i| i.at_most).map(as_millis),
        catching_up_at_least: None,
        catching_up_at_most: None,
        baseline_longest_gap: outage.baseline_longest.map(as_millis),
    }
}

/// The longest of the other silences, in order, and how many more there are.
fn other_gaps(outage: &Outage) -> (Vec<OtherGap>, u64) {
    let mut others: Vec<(Gap, GapWhen)> = outage.others().collect();
    let left_out = others.len().saturating_sub(MOST_OTHERS);
    others.sort_by_key(|(gap, _)| (std::cmp::Reverse(gap.length()), gap.start));
    others.truncate(MOST_OTHERS);
    others.sort_by_key(|(gap, _)| gap.start);
    let others = others.into_iter().map(|(gap, when)| OtherGap {
        start_s: as_seconds(gap.start),
        length_ms: as_millis(gap.length()),
        is_lower_bound: gap.cut,
        when,
    });
    (others.collect(), left_out as u64)
}
