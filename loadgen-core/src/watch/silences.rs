//! Finds silences in calls as they come: times between two good replies of a population that are
//! longer than is normal. Those of both populations that overlap are one.
//!
//! Time is a parameter; nothing is judged here.

use crate::clock::{Nanos, SECOND};
use crate::migration::Silence;
use crate::record::Population;

/// Silences that are kept while nobody takes them: a service that answers no more than now and
/// then has one after the other.
const MOST: usize = 10_000;

/// Silences of one freeze, at most.
const MOST_OF_ONE: usize = 100;

/// Silences that begin later than this after the first are of another freeze.
const LONGEST_CHAIN: Nanos = 30 * SECOND;

/// Where a population stands.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Its last good reply.
    last: Option<Nanos>,
    /// Longer silences are kept; `None`: there is no such population.
    threshold: Option<Nanos>,
}

/// The silences of both populations.
#[derive(Debug)]
pub(super) struct Silences {
    seen: [Seen; 2],
    /// By their ends.
    found: Vec<Silence>,
    /// Those that are over before are not kept.
    from: Nanos,
    /// How many were too many to be kept, and how long they were in all.
    left_out: (u64, Nanos),
}

/// Silences that overlap, by their begins.
pub(super) type Group = Vec<Silence>;

impl Silences {
    /// With thresholds of the populations that there are; what is over before `from` is left out.
    pub(super) fn new(thresholds: [Option<Nanos>; 2], from: Nanos) -> Self {
        let seen = thresholds.map(|threshold| Seen { last: None, threshold });
        Self { seen, found: Vec::new(), from, left_out: (0, 0) }
    }

    /// Silences longer than this count from now on, of a population that there is.
    pub(super) fn set_threshold(&mut self, population: Population, threshold: Nanos) {
        self.seen[population as usize].threshold = Some(threshold);
    }

    /// A good reply was complete, in the order of ends.
    pub(super) fn good(&mut self, population: Population, done: Nanos) {
        let Seen { last, threshold } = &mut self.seen[population as usize];
        let Some(start) = last.replace(done) else { return };
        let unusual = threshold.is_some_and(|threshold| done.saturating_sub(start) > threshold);
        if !unusual || done <= self.from {
            return;
        }
        if self.found.len() < MOST {
            self.found.push(Silence { population, start, end: done, cut: false });
        } else {
            self.left_out.0 += 1;
            self.left_out.1 += done - start;
        }
    }

    /// The watch begins: who has not been answered well by now has been silent since.
    pub(super) fn begin(&mut self) {
        for seen in &mut self.seen {
            seen.last.get_or_insert(self.from);
        }
    }

    /// The silences that go on at `now`, when all that ended until then is known.
    pub(super) fn going_on(&self, now: Nanos) -> impl Iterator<Item = Silence> + '_ {
        Population::ALL.into_iter().filter_map(move |population| {
            let Seen { last, threshold } = self.seen[population as usize];
            let start = last?;
            let unusual = now.saturating_sub(start) > threshold? && now > self.from;
            unusual.then_some(Silence { population, start, end: now, cut: true })
        })
    }

    /// Since when there is something that has not been taken, or goes on.
    pub(super) fn since(&self, now: Nanos) -> Option<Nanos> {
        let found = self.found.iter().map(|silence| silence.start);
        found.chain(self.going_on(now).map(|silence| silence.start)).min()
    }

    /// Takes the first silences that overlap, if all of them ended before `until`, none of them
    /// goes on at `now`, and enough is known of them; with them the begin of the next one.
    pub(super) fn take(
        &mut self,
        until: Nanos,
        now: Nanos,
        is_known: impl FnOnce(&[Silence]) -> bool,
    ) -> Option<(Group, Option<Nanos>)> {
        self.found.sort_by_key(|silence| (silence.start, silence.end));
        let (length, end) = first_group(&self.found)?;
        let is_over = end <= until && !self.going_on(now).any(|open| open.start < end);
        if !is_over || !is_known(&self.found[..length]) {
            return None;
        }
        let group = self.found.drain(..length).collect();
        let next = self.found.first().map(|silence| silence.start);
        let open = self.going_on(now).map(|silence| silence.start).min();
        Some((group, next.into_iter().chain(open).min()))
    }

    /// How many silences were too many to be kept, and how long they were in all.
    pub(super) fn left_out(&self) -> (u64, Nanos) {
        self.left_out
    }

    /// Takes all that is left, those that go on included, in groups.
    pub(super) fn take_all(&mut self, now: Nanos) -> Vec<Group> {
        let open: Vec<Silence> = self.going_on(now).collect();
        self.found.extend(open);
        self.found.sort_by_key(|silence| (silence.start, silence.end));
        let mut groups = Vec::new();
        while let Some((length, _)) = first_group(&self.found) {
            groups.push(self.found.drain(..length).collect());
        }
        groups
    }
}

/// How many of these silences, in the order of their begins, overlap from the first on, and their
/// end. A service that answers no more than now and then has no end of them: then it is cut.
fn first_group(silences: &[Silence]) -> Option<(usize, Nanos)> {
    let first = silences.first()?;
    let (mut length, mut end) = (0, first.end);
    for silence in silences {
        let too_long = length == MOST_OF_ONE || silence.start > first.start + LONGEST_CHAIN;
        if length > 0 && (silence.start >= end || too_long) {
            break;
        }
        end = end.max(silence.end);
        length += 1;
    }
    Some((length, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Population::{Established, Fresh};

    fn spans(group: &[Silence]) -> Vec<(Population, Nanos, Nanos)> {
        group.iter().map(|s| (s.population, s.start, s.end)).collect()
    }

    /// Good replies at these times.
    fn seen(silences: &mut Silences, population: Population, dones: &[Nanos]) {
        dones.iter().for_each(|done| silences.good(population, *done));
    }

    #[test]
    fn only_what_is_longer_than_normal_is_a_silence() {
        let mut silences = Silences::new([Some(20), None], 0);
        seen(&mut silences, Established, &[0, 10, 30, 51, 60]);
        seen(&mut silences, Fresh, &[0, 1000]);
        let (group, next) = silences.take(100, 70, |_| true).unwrap();
        assert_eq!((spans(&group), next), (vec![(Established, 30, 51)], None));
        assert!(silences.take(100, 70, |_| true).is_none());
        silences.set_threshold(Fresh, 100);
        seen(&mut silences, Fresh, &[1101]);
        let (group, _) = silences.take(2000, 75, |_| true).unwrap();
        assert_eq!(spans(&group), [(Fresh, 1000, 1101)]);
    }

    #[test]
    fn silences_that_overlap_are_one() {
        let mut silences = Silences::new([Some(20), Some(20)], 0);
        seen(&mut silences, Fresh, &[5, 200, 210]);
        seen(&mut silences, Established, &[10, 100, 150, 190, 300, 310]);
        assert!(
            silences.take(250, 220, |_| true).is_none(),
            "the last one begins before the first ends"
        );
        let (group, next) = silences.take(300, 220, |_| true).unwrap();
        let begins: Vec<Nanos> = group.iter().map(|silence| silence.start).collect();
        assert_eq!((begins, next), (vec![5, 10, 100, 150, 190], None));
        // A reply between two of them parts them.
        seen(&mut silences, Established, &[340, 400]);
        let (group, next) = silences.take(340, 220, |_| true).unwrap();
        assert_eq!((spans(&group), next), (vec![(Established, 310, 340)], Some(340)));
    }

    #[test]
    fn a_service_that_hardly_answers_has_freezes_that_end() {
        let mut silences = Silences::new([Some(20), Some(20)], 0);
        // Every tenth of a second either population is answered, in turn.
        let tenth = SECOND / 10;
        for k in 0..1000 {
            silences.good(if k % 2 == 0 { Established } else { Fresh }, k * tenth);
        }
        let now = 1000 * tenth;
        let (group, next) = silences.take(now - 2 * SECOND, now, |_| true).unwrap();
        assert!(group.len() == MOST_OF_ONE && next.is_some());
        assert!(group.iter().all(|silence| silence.end <= LONGEST_CHAIN + SECOND));
    }

    #[test]
    fn nothing_is_taken_before_it_is_over() {
        let mut silences = Silences::new([Some(20), Some(20)], 0);
        seen(&mut silences, Established, &[10, 100]);
        seen(&mut silences, Fresh, &[50]);
        assert!(silences.take(99, 105, |_| true).is_none(), "its end is too near");
        assert!(silences.take(100, 105, |_| true).is_none(), "newcomers are not answered yet");
        assert_eq!(silences.since(105), Some(10));
        seen(&mut silences, Fresh, &[110]);
        seen(&mut silences, Established, &[115]);
        assert_eq!(spans(&silences.take(110, 120, |_| true).unwrap().0).len(), 2);
        assert_eq!(silences.since(120), None);
    }

    #[test]
    fn what_goes_on_at_the_end_has_no_end() {
        let mut silences = Silences::new([Some(20), Some(20)], 0);
        seen(&mut silences, Established, &[10, 100, 110]);
        seen(&mut silences, Fresh, &[120]);
        let groups = silences.take_all(200);
        assert_eq!(groups.len(), 2);
        assert_eq!(spans(&groups[0]), [(Established, 10, 100)]);
        assert!(groups[1].iter().all(|silence| silence.cut && silence.end == 200));
        assert_eq!(groups[1].len(), 2);
    }

    #[test]
    fn what_is_too_much_is_not_forgotten() {
        let mut silences = Silences::new([Some(20), None], 0);
        (0..=MOST as Nanos + 3).for_each(|k| silences.good(Established, 30 * k));
        assert_eq!(silences.left_out(), (3, 90));
    }

    #[test]
    fn what_is_over_in_the_warm_up_is_left_out() {
        let mut silences = Silences::new([Some(20), Some(20)], 50);
        seen(&mut silences, Established, &[5, 40, 100, 200]);
        silences.begin();
        let (group, _) = silences.take(300, 60, |_| true).unwrap();
        assert_eq!(spans(&group), [(Established, 40, 100)]);
        let (group, _) = silences.take(300, 60, |_| true).unwrap();
        assert_eq!(spans(&group), [(Established, 100, 200)]);
        // Who was never answered well is silent since the watch began.
        assert_eq!(spans(&silences.take_all(210)[0]), [(Fresh, 50, 210)]);
    }
}
