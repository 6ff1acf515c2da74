//! The two readings of the log of a reach check, as spans whose ends are intervals.
//!
//! **Dark by sending.** A packet that arrived left in `[before, sent]`, and so did one
//! that was lost. With L the last that arrived, k₁ … kₙ the lost ones after it, and F
//! the first that arrived after those, what was sent from some moment in
//! `[L.before, k₁.sent]` to some moment in `[kₙ.before, F.sent]` did not arrive. How
//! late an answer was read does not enter, nor how slow the machine was to give it.
//!
//! **Silent by answering.** Answer A came in `(after, by]`, and B was the next one. No
//! answer came from a moment in `[A.after, A.by]` to one in `[B.after, B.by]`. Nobody
//! is silent who is not asked: the silence surely began only when the first check was
//! out that was not answered by then, and a time without a check under way is not in
//! it.
//!
//! A pause of our own widens both: between the stamps around a system call, between
//! two checks, between two looks.

use std::cmp::Reverse;

use super::{Check, Fate};
use crate::clock::{Nanos, SECOND};

/// A SYN that is not answered is sent again after this long (RFC 6298, and Linux).
const SYN_AGAIN: Nanos = SECOND;

/// A span of time whose begin and end lie in intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// It began at this moment at the earliest (`None`: not known) …
    pub(crate) from: Option<Nanos>,
    /// … and at this one at the latest.
    pub(crate) from_most: Nanos,
    /// It ended at this moment at the earliest …
    pub(crate) to_least: Nanos,
    /// … and at this one at the latest; `None`: its end was not seen.
    pub(crate) to: Option<Nanos>,
}

impl Span {
    /// It surely lasted so long.
    pub(crate) fn at_least(&self) -> Nanos {
        self.to_least.saturating_sub(self.from_most)
    }

    /// It lasted no longer; `None` where one of its ends was not seen.
    pub(crate) fn at_most(&self) -> Option<Nanos> {
        Some(self.to?.saturating_sub(self.from?))
    }

    /// Whether it may have touched `[from, to]`.
    pub(crate) fn touches(&self, from: Nanos, to: Nanos) -> bool {
        self.from.unwrap_or(0) <= to && self.to.unwrap_or(Nanos::MAX) >= from
    }

    /// The order of lengths, as far as each was seen.
    fn length(&self) -> (Nanos, Nanos) {
        let to = self.to.unwrap_or(self.to_least);
        (to.saturating_sub(self.from.unwrap_or(self.from_most)), self.at_least())
    }
}

/// The longest of some spans, and of equal ones the first.
pub(crate) fn longest(spans: impl IntoIterator<Item = Span>) -> Option<Span> {
    spans.into_iter().min_by_key(|span| (Reverse(span.length()), span.from_most))
}

/// When a packet left that is known to have arrived, or to have been lost.
#[derive(Debug, Clone, Copy)]
struct Sent {
    before: Nanos,
    sent: Nanos,
    arrived: bool,
}

/// The packets whose fate is known, in the order of sending, none overlapping another:
/// the checks, and `arrived`, others of which it is known that they arrived, where they
/// do not overlap a check.
fn packets(checks: &[Check], arrived: &[(Nanos, Nanos)]) -> Vec<Sent> {
    let mut packets: Vec<Sent> = checks
        .iter()
        .filter_map(|check| {
            let arrived = match check.fate {
                Fate::Answered { first: true, .. } => true,
                Fate::Lost => false,
                Fate::Answered { .. } | Fate::Unknown => return None,
            };
            Some(Sent { before: check.before, sent: check.sent, arrived })
        })
        .collect();
    let alone = |(before, sent): &(Nanos, Nanos)| {
        let next = packets.partition_point(|packet| packet.sent < *before);
        packets.get(next).is_none_or(|packet| packet.before > *sent)
    };
    let more: Vec<Sent> = arrived
        .iter()
        .filter(|span| alone(span))
        .map(|(before, sent)| Sent { before: *before, sent: *sent, arrived: true })
        .collect();
    packets.extend(more);
    packets.sort_by_key(|packet| packet.sent);
    packets
}

/// Packets that were sent and did not arrive, run by run, in order.
pub(crate) fn dark(checks: &[Check], arrived: &[(Nanos, Nanos)]) -> Vec<Span> {
    let mut runs = Vec::new();
    let mut last: Option<Nanos> = None;
    let mut open: Option<Span> = None;
    for packet in packets(checks, arrived) {
        match (packet.arrived, &mut open) {
            (true, _) => {
                runs.extend(open.take().map(|run| Span { to: Some(packet.sent), ..run }));
                // Of overlapping ones the latest is not always the one sent last.
                last = last.max(Some(packet.before));
            }
            (false, Some(run)) => run.to_least = packet.before,
            (false, None) => {
                let (from, from_most) = (last, packet.sent);
                open = Some(Span { from, from_most, to_least: packet.before, to: None });
            }
        }
    }
    runs.extend(open);
    runs
}

/// The times between packets that arrived one after the other, with none lost between
/// them: none of them surely was dark, each may have been.
pub(crate) fn between(checks: &[Check], arrived: &[(Nanos, Nanos)]) -> Vec<Span> {
    let packets = packets(checks, arrived);
    let pairs = packets.windows(2).filter(|pair| pair[0].arrived && pair[1].arrived);
    pairs
        .map(|pair| Span {
            from: Some(pair[0].before),
            from_most: pair[1].sent,
            to_least: pair[0].before,
            to: Some(pair[1].sent),
        })
        .collect()
}

/// The times without any answer, one after the other; the last has no end.
pub(crate) fn silences(checks: &[Check]) -> Vec<Span> {
    /// An answer, and when its check was out: that one of its SYNs which was answered.
    struct Answer {
        after: Nanos,
        by: Nanos,
        sent: Nanos,
    }
    let mut answers: Vec<Answer> = checks
        .iter()
        .filter_map(|check| match check.fate {
            Fate::Answered { after, by, first } => {
                let sent = if first { check.sent } else { check.sent + SYN_AGAIN };
                Some(Answer { after, by, sent })
            }
            _ => None,
        })
        .collect();
    answers.sort_by_key(|answer| (answer.by, answer.after));
    let asked_in_vain = |check: &&Check| match check.fate {
        Fate::Lost => true,
        Fate::Answered { first, .. } => !first,
        Fate::Unknown => false,
    };
    let lost: Vec<&Check> = checks.iter().filter(asked_in_vain).collect();
    let mut silences = Vec::with_capacity(answers.len());
    // From the back: when the first check was out whose answer comes later.
    let mut asked: Option<Nanos> = None;
    let mut next: Option<(Nanos, Nanos)> = None;
    for answer in answers.iter().rev() {
        // A lost one counts only if it was sent in the silence: before, it asked in vain.
        let first = lost.partition_point(|check| check.sent < answer.by);
        let until = next.map_or(Nanos::MAX, |(after, _)| after);
        let in_vain = &lost[first..lost.partition_point(|check| check.before <= until).max(first)];
        let first_lost = in_vain.first().map(|check| check.sent);
        let last_lost = in_vain.last().map(|check| check.before);
        let asked_from = [first_lost, asked].into_iter().flatten().min().unwrap_or(answer.by);
        let to_least = match (last_lost, asked, next) {
            // Between the last that was lost and the first that was answered nobody asked.
            (Some(last), Some(asked), Some((after, _))) => {
                after.saturating_sub(asked.saturating_sub(last)).max(last)
            }
            (None, Some(_), Some((after, _))) => after,
            (Some(last), ..) => last,
            _ => answer.by,
        };
        silences.push(Span {
            from: Some(answer.after),
            from_most: answer.by.max(asked_from),
            to_least,
            to: next.map(|(_, by)| by),
        });
        asked = [asked, Some(answer.sent)].into_iter().flatten().min();
        next = Some((answer.after, answer.by));
    }
    silences.reverse();
    silences
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check sent in `[at, at + 1]` and answered in `(at + 1, at + 2]`.
    fn answered(at: Nanos) -> Check {
        let fate = Fate::Answered { after: at + 1, by: at + 2, first: true };
        Check { before: at, sent: at + 1, fate }
    }

    fn with(at: Nanos, fate: Fate) -> Check {
        Check { fate, ..answered(at) }
    }

    fn lost(at: Nanos) -> Check {
        with(at, Fate::Lost)
    }

    #[test]
    fn what_is_lost_between_two_that_arrive_is_an_interval() {
        let log = [answered(0), answered(10), lost(20), lost(30), lost(40), answered(50)];
        let [run] = dark(&log, &[])[..] else { panic!() };
        assert_eq!(run, Span { from: Some(10), from_most: 21, to_least: 40, to: Some(51) });
        assert_eq!((run.at_least(), run.at_most()), (19, Some(41)));
        assert!(run.touches(51, 60) && run.touches(0, 10) && !run.touches(52, 60));
    }

    #[test]
    fn one_lost_packet_proves_no_length() {
        let [run] = dark(&[answered(10), lost(20), answered(30)], &[])[..] else { panic!() };
        assert_eq!((run.at_least(), run.at_most()), (0, Some(21)));
    }

    #[test]
    fn a_single_answer_splits_a_dark_in_two() {
        let log = [answered(0), lost(10), lost(20), answered(30), lost(40), answered(50)];
        let runs = dark(&log, &[]);
        assert_eq!(runs.len(), 2);
        assert_eq!(longest(runs).unwrap().from, Some(0));
    }

    #[test]
    fn an_end_that_was_not_seen_is_none() {
        let [run] = dark(&[answered(0), lost(10), lost(20)], &[])[..] else { panic!() };
        assert_eq!((run.at_least(), run.at_most(), run.to), (9, None, None));
        let [run] = dark(&[lost(10), answered(20)], &[])[..] else { panic!() };
        assert_eq!((run.from, run.at_most()), (None, None));
        assert!(dark(&[], &[]).is_empty());
    }

    #[test]
    fn what_is_not_known_widens() {
        let repeated = Fate::Answered { after: 2000, by: 2001, first: false };
        let log = [
            answered(0),
            with(10, Fate::Unknown),
            lost(20),
            lost(30),
            with(40, repeated),
            answered(50),
        ];
        let [run] = dark(&log, &[])[..] else { panic!() };
        assert_eq!(run, Span { from: Some(0), from_most: 21, to_least: 30, to: Some(51) });
    }

    #[test]
    fn other_packets_that_arrived_narrow_where_their_order_is_sure() {
        let log = [answered(10), lost(20), lost(30), answered(40)];
        let [run] = dark(&log, &[(12, 14), (34, 35)])[..] else { panic!() };
        assert_eq!((run.from, run.to), (Some(12), Some(35)));
        // These may have left before or after the lost ones.
        let [run] = dark(&log, &[(12, 20), (31, 39), (5, 100)])[..] else { panic!() };
        assert_eq!((run.from, run.to), (Some(10), Some(41)));
    }

    #[test]
    fn without_a_loss_the_spacing_is_the_bound() {
        let log = [answered(0), answered(10), answered(50), answered(60)];
        let widest = longest(between(&log, &[])).unwrap();
        assert_eq!((widest.from, widest.at_least(), widest.at_most()), (Some(10), 0, Some(41)));
    }

    #[test]
    fn silence_is_between_two_answers() {
        let late = Fate::Answered { after: 70, by: 71, first: true };
        let log = [answered(0), answered(10), with(20, late), with(30, late), answered(80)];
        let silence = longest(silences(&log)).unwrap();
        // From the sending of the check of 20 to its answer.
        let expected = Span { from: Some(11), from_most: 21, to_least: 70, to: Some(71) };
        assert_eq!(silence, expected);
    }

    #[test]
    fn who_is_not_asked_is_not_silent() {
        // We slept from 11 to 100.
        let silence = longest(silences(&[answered(0), answered(10), answered(100)])).unwrap();
        assert_eq!((silence.at_least(), silence.at_most()), (0, Some(91)));
        // The machine may have been back long before we asked again.
        let log = [answered(0), lost(10), lost(20), answered(100)];
        let silence = longest(silences(&log)).unwrap();
        assert_eq!((silence.at_least(), silence.at_most()), (9, Some(101)));
        // Asked, but then we slept: the answer may have come at once.
        let unseen = Fate::Answered { after: 22, by: 100, first: true };
        let silence = longest(silences(&[answered(10), with(20, unseen)])).unwrap();
        assert_eq!((silence.at_least(), silence.at_most()), (1, Some(89)));
    }

    #[test]
    fn a_silence_to_the_end_has_no_end() {
        let silence = longest(silences(&[answered(0), lost(10), lost(20)])).unwrap();
        assert_eq!((silence.from_most, silence.to_least, silence.to), (11, 20, None));
    }
}
