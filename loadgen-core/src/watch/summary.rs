//! What came of a watch as a whole: how often, for how long, and which share of the time the
//! service answered.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::freeze::{Freeze, LengthMs};
use super::judging::Down;
use crate::clock::{MILLISECOND, Nanos, as_millis, as_seconds};
use crate::stats::{Confidence, events_interval};

/// The lengths of some freezes, as percentiles. Each is an interval that holds the percentile of the
/// true lengths. In ms, to three significant digits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FreezeLengths {
    /// Freezes whose end was seen.
    pub n: u64,
    /// Half of them were no longer.
    pub p50: LengthMs,
    /// Nine in ten were no longer; `None`: fewer than 10.
    pub p90: Option<LengthMs>,
    /// 99 in 100 were no longer; `None`: fewer than 100.
    pub p99: Option<LengthMs>,
    /// The longest.
    pub longest: LengthMs,
}

/// How many freezes there are in an hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PerHour {
    /// As it was seen.
    pub seen: f64,
    /// With a confidence of 95 %, if freezes come independently of each other, the service has no
    /// fewer in the long run …
    pub low: f64,
    /// … and no more.
    pub high: f64,
}

/// A share of the time of which it is known between what it lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Share {
    /// It was no less.
    pub at_least: f64,
    /// It was no more.
    pub at_most: f64,
}

/// Times in which none of the generator's workers ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnPauses {
    /// Silences of the target that they explain, and that are told as no freeze.
    pub silences: u64,
    /// How long all own pauses lasted that stopped every worker for 20 ms or more, in seconds.
    pub sum_s: f64,
    /// The longest of them, in ms.
    pub longest_ms: f64,
}

/// What a watch came to. Freezes themselves are told one by one, and not kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WatchSummary {
    /// `loadgen-watch/1`.
    pub schema: String,
    /// What was watched.
    pub url: String,
    /// Begin of the load, as RFC 3339.
    pub started_at: String,
    /// For how long, without the warm-up, in seconds.
    pub watched_s: f64,
    /// Intended calls a second: `established`, `fresh`.
    pub rates_per_s: BTreeMap<String, f64>,
    /// Silences up to this length are normal, in ms, as of the end: `established`, `fresh`.
    pub thresholds_ms: BTreeMap<String, f64>,
    /// How the machine's kernel was asked, and how often a second; `None`: it was not.
    pub reach_check: Option<String>,
    /// Why it was not, or not any more.
    pub reach_check_off: Option<String>,
    /// Freezes, those that were too short to be told included.
    pub freezes: u64,
    /// Those that were not told, since they may have been shorter than was asked for.
    pub too_short: u64,
    /// Freezes by what froze.
    pub kinds: BTreeMap<String, u64>,
    /// Freezes in an hour.
    pub per_hour: PerHour,
    /// Their lengths; `None`: there was none whose end was seen.
    pub length_ms: Option<FreezeLengths>,
    /// Share of the time watched in which the service answered both populations. Its lower end takes
    /// silences that nothing proves, and own pauses, for times without an answer.
    pub availability: Share,
    /// Since when the service did not answer when the watch ended, as RFC 3339.
    pub frozen_since: Option<String>,
    /// Silences longer than normal that no call proves to be the service's; not among the freezes.
    pub unproven: u64,
    /// The generator's own.
    pub own: OwnPauses,
    /// Connections lost in freezes.
    pub connections_lost: u64,
    /// Calls that brought no good reply in freezes.
    pub calls_failed_in_freezes: u64,
    /// Calls: by schedule, answered, failed, and arrivals never started.
    pub calls: Calls,
    /// Notices of the cloud that were told.
    pub notices: u64,
}

/// Calls of a watch, warm-up included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Calls {
    /// By the schedule.
    pub offered: u64,
    /// With a reply, good or not.
    pub answered: u64,
    /// Without one.
    pub failed: u64,
    /// Never started.
    pub shed: u64,
}

/// What is counted while a watch goes on.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) freezes: u64,
    pub(super) too_short: u64,
    pub(super) unproven: u64,
    pub(super) own_silences: u64,
    pub(super) connections_lost: u64,
    pub(super) calls_failed: u64,
    pub(super) notices: u64,
    kinds: BTreeMap<String, u64>,
    /// Of freezes whose end was seen.
    at_least: Histogram<u64>,
    at_most: Histogram<u64>,
    /// Of all freezes: how long they lasted, within the watch.
    frozen_least: Nanos,
    /// Until when the last of them that overlap went on, and what of it is in `frozen_least`.
    counted: (Nanos, Nanos),
    frozen_most: Nanos,
    own_sum: Nanos,
    /// Of it, what is in silences that count already.
    own_in_silences: Nanos,
    own_longest: Nanos,
}

/// Lengths are kept up to a day.
const LONGEST: u64 = 86_400 * 1000 * MILLISECOND;

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            freezes: 0,
            too_short: 0,
            unproven: 0,
            own_silences: 0,
            connections_lost: 0,
            calls_failed: 0,
            notices: 0,
            kinds: BTreeMap::new(),
            at_least: lengths(),
            at_most: lengths(),
            frozen_least: 0,
            counted: (0, 0),
            frozen_most: 0,
            own_sum: 0,
            own_in_silences: 0,
            own_longest: 0,
        }
    }

    /// Counts a freeze.
    pub(super) fn add(&mut self, freeze: &Freeze, down: Down) {
        self.freezes += 1;
        *self.kinds.entry(freeze.kind.name().to_owned()).or_default() += 1;
        self.connections_lost += freeze.connections_lost();
        self.calls_failed += freeze.calls_failed;
        self.count_least(down);
        self.doubtful(down);
        if let (at_least, Some(at_most)) = down.length {
            self.at_least.saturating_record(at_least);
            self.at_most.saturating_record(at_most);
        }
    }

    /// Freezes come in the order of their begins. Where one overlaps those before it, as one of kept-alive
    /// clients while newcomers are refused for hours, the time that they share counts once.
    fn count_least(&mut self, down: Down) {
        let (until, counted) = self.counted;
        if down.span.0 >= until {
            self.frozen_least += down.at_least;
            self.counted = (down.span.1, down.at_least);
        } else {
            self.frozen_least += down.at_least.saturating_sub(counted);
            self.counted = (until.max(down.span.1), counted.max(down.at_least));
        }
    }

    /// A time in which the service need not have answered.
    pub(super) fn doubtful(&mut self, down: Down) {
        self.frozen_most += down.at_most;
        self.own_in_silences += down.own;
    }

    /// The service need not have answered for so long.
    pub(super) fn unknown(&mut self, length: Nanos) {
        self.frozen_most += length;
    }

    /// No worker ran for so long.
    pub(super) fn own(&mut self, length: Nanos) {
        self.own_sum += length;
        self.own_longest = self.own_longest.max(length);
    }

    /// The part of a summary that is counted here, of a watch of this length.
    pub(super) fn into_summary(self, watched: Nanos, rest: WatchSummary) -> WatchSummary {
        let hours = as_seconds(watched) / 3600.0;
        let expected = events_interval(self.freezes, Confidence::P95);
        let per_hour = |events: f64| if hours > 0.0 { events / hours } else { 0.0 };
        let share = |down: Nanos| {
            let of = watched.max(1) as f64;
            ((of - down as f64) / of).clamp(0.0, 1.0)
        };
        // What nobody looked at may have been down.
        let unseen = self.own_sum.saturating_sub(self.own_in_silences);
        WatchSummary {
            watched_s: as_seconds(watched),
            freezes: self.freezes,
            too_short: self.too_short,
            per_hour: PerHour {
                seen: per_hour(self.freezes as f64),
                low: per_hour(expected.low),
                high: per_hour(expected.high),
            },
            length_ms: self.lengths(),
            availability: Share {
                at_least: share(self.frozen_most + unseen),
                at_most: share(self.frozen_least),
            },
            kinds: self.kinds,
            unproven: self.unproven,
            own: OwnPauses {
                silences: self.own_silences,
                sum_s: as_seconds(self.own_sum),
                longest_ms: as_millis(self.own_longest),
            },
            connections_lost: self.connections_lost,
            calls_failed_in_freezes: self.calls_failed,
            notices: self.notices,
            ..rest
        }
    }

    fn lengths(&self) -> Option<FreezeLengths> {
        let n = self.at_most.len();
        let at = |q: f64| LengthMs {
            at_least: as_millis(lowest(&self.at_least, self.at_least.value_at_quantile(q))),
            at_most: Some(as_millis(self.at_most.value_at_quantile(q))),
        };
        (n > 0).then(|| FreezeLengths {
            n,
            p50: at(0.5),
            p90: (n >= 10).then(|| at(0.9)),
            p99: (n >= 100).then(|| at(0.99)),
            longest: at(1.0),
        })
    }
}

fn lengths() -> Histogram<u64> {
    Histogram::new_with_bounds(1000, LONGEST, 3)
        .unwrap_or_else(|_| unreachable!("constant bounds that hdrhistogram accepts"))
}

/// A value that stands for some is the highest of them: this is the lowest.
fn lowest(of: &Histogram<u64>, value: u64) -> u64 {
    if value == 0 { 0 } else { of.lowest_equivalent(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::watch::samples::freeze;

    fn down(at_least: Nanos, at_most: Nanos, has_ended: bool) -> Down {
        let length = (at_least, has_ended.then_some(at_most));
        // One after the other.
        Down { length, span: (Nanos::MAX, Nanos::MAX), at_least, at_most, own: 0 }
    }

    #[test]
    fn time_that_freezes_share_counts_once() {
        let mut tally = Tally::new();
        let at = |from: Nanos, to: Nanos| {
            let span = (from * SECOND, to * SECOND);
            let length = span.1 - span.0;
            Down { span, ..down(length, length, true) }
        };
        // Newcomers for 50 s, kept-alive clients three times within, and once more behind it.
        for (from, to) in [(10, 60), (20, 25), (30, 35), (55, 58), (80, 90)] {
            tally.add(&freeze(), at(from, to));
        }
        let share = tally.into_summary(100 * SECOND, WatchSummary::default()).availability;
        assert!((share.at_most - 0.4).abs() < 1e-9 && share.at_least <= 0.4, "{share:?}");
    }

    #[test]
    fn percentiles_and_availability_are_intervals() {
        let mut tally = Tally::new();
        for k in 1..=100 {
            tally.add(&freeze(), down(k * 10 * MILLISECOND, (k * 10 + 5) * MILLISECOND, true));
        }
        let summary = tally.into_summary(3600 * SECOND, WatchSummary::default());
        let lengths = summary.length_ms.unwrap();
        let holds = |length: LengthMs, low: f64, high: f64| {
            let most = length.at_most.unwrap();
            assert!(length.at_least <= low && most >= high, "{length:?}");
            assert!(length.at_least > low * 0.998 && most < high * 1.002, "{length:?}");
        };
        assert_eq!(lengths.n, 100);
        holds(lengths.p50, 500.0, 505.0);
        holds(lengths.p90.unwrap(), 900.0, 905.0);
        holds(lengths.p99.unwrap(), 990.0, 995.0);
        holds(lengths.longest, 1000.0, 1005.0);
        // 50.5 s to 51 s of an hour.
        assert!((summary.availability.at_most - (1.0 - 50.5 / 3600.0)).abs() < 1e-9);
        assert!((summary.availability.at_least - (1.0 - 51.0 / 3600.0)).abs() < 1e-9);
        assert!((summary.per_hour.seen - 100.0).abs() < 1e-9);
        assert!((summary.per_hour.low - 81.364).abs() < 1e-2);
        assert_eq!((summary.calls_failed_in_freezes, summary.connections_lost), (300, 100));
    }

    #[test]
    fn what_did_not_end_is_no_percentile_but_counts_as_long_as_it_was_seen() {
        let mut tally = Tally::new();
        tally.add(&freeze(), down(5 * SECOND, 6 * SECOND, false));
        let summary = tally.into_summary(60 * SECOND, WatchSummary::default());
        assert_eq!(summary.length_ms, None);
        let availability = summary.availability;
        assert!((availability.at_least - 0.9).abs() < 1e-9, "{availability:?}");
        assert!((availability.at_most - 55.0 / 60.0).abs() < 1e-9, "{availability:?}");
        let none = Tally::new().into_summary(0, WatchSummary::default());
        assert_eq!((none.availability.at_least, none.per_hour.high), (1.0, 0.0));
    }

    /// 10 s of 100, of which 9 were a pause of our own; and another pause of 5 s.
    #[test]
    fn own_pauses_are_counted_once_and_never_as_time_in_which_it_answered() {
        let mut tally = Tally::new();
        let frozen = Down { own: 9 * SECOND, ..down(9_900 * MILLISECOND, 10 * SECOND, true) };
        tally.add(&freeze(), frozen);
        tally.own(9 * SECOND);
        tally.own(5 * SECOND);
        tally.doubtful(down(0, 2 * SECOND, true));
        let Share { at_least, at_most } =
            tally.into_summary(100 * SECOND, WatchSummary::default()).availability;
        assert!((at_most - 0.901).abs() < 1e-9, "{at_most}");
        assert!((at_least - 0.83).abs() < 1e-9, "{at_least}");
    }
}
