//! How far the host's clock is from one's own: NTP's four stamps (RFC 5905 §8), and what they
//! prove.

use serde::{Deserialize, Serialize};

/// One part in so many is what two clocks that nobody corrects may run apart: 100 ppm, 100 µs in a
/// second.
///
/// Crystals of computers are made to within 50 ppm, warmth and age included, and two of them may
/// err in opposite directions. NTP's own figure (PHI, 15 ppm, RFC 5905 §7.2) is for clocks that it
/// disciplines; its 500 ppm (MAXFREQ) are the most that it corrects at all. A daemon that is
/// removing a large error may turn `CLOCK_MONOTONIC` faster than this; then the two measurements
/// of a [`ClockMap`](super::ClockMap) show it.
const DRIFT_PARTS: u64 = 10_000;

/// How far the clock of shard 0 is ahead of this shard's (both `CLOCK_MONOTONIC`), at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Offset {
    /// Shard 0's clock less this shard's, in ns.
    pub ns: i64,
    /// What it is wrong by at most, in ns.
    pub bound_ns: u64,
    /// When it was measured, in ns of this shard's clock.
    pub at_ns: u64,
    /// How many exchanges it is the best of. 0: nothing was measured, it is the same clock.
    pub exchanges: u32,
}

impl Offset {
    /// What shard 0 has to itself: nothing, and exactly.
    #[must_use]
    pub fn none(at_ns: u64) -> Self {
        Self { ns: 0, bound_ns: 0, at_ns, exchanges: 0 }
    }

    /// The bound at another moment of this shard's clock, while nobody measures again: it grows by
    /// 100 ppm of the time between.
    #[must_use]
    pub fn bound_at(&self, own_ns: u64) -> u64 {
        if self.exchanges == 0 {
            return self.bound_ns;
        }
        self.bound_ns.saturating_add(drift_ns(self.at_ns.abs_diff(own_ns)))
    }

    /// A moment of shard 0's clock on this shard's, and what that is wrong by at most; both in ns.
    pub(super) fn to_own(self, host_ns: u64) -> (u64, u64) {
        let own_ns = host_ns.saturating_add_signed(self.ns.saturating_neg());
        // The true moment is off by the bound, and in that time the clocks run apart, too: x ≤
        // bound + x / 10,000, so x is less than the bound and twice 100 ppm of it.
        let bound_ns = self.bound_at(own_ns);
        (own_ns, bound_ns.saturating_add(drift_ns(bound_ns).saturating_mul(2)))
    }
}

/// What two clocks may run apart in a time, rounded up.
fn drift_ns(span_ns: u64) -> u64 {
    span_ns.div_ceil(DRIFT_PARTS)
}

/// The four stamps of an exchange, in ns of the clock of whoever took them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamps {
    /// T1, own: asked.
    pub(super) asked_ns: u64,
    /// T2, host: received.
    pub(super) received_ns: u64,
    /// T3, host: answered.
    pub(super) sent_ns: u64,
    /// T4, own: the answer was there.
    pub(super) heard_ns: u64,
}

impl Stamps {
    /// What one exchange tells: nothing, if the stamps contradict each other.
    ///
    /// A line needs time, so the offset is at most T2 − T1 and at least T3 − T4. The middle,
    /// ((T2 − T1) + (T3 − T4)) / 2, is wrong by at most half of the round trip
    /// (T4 − T1) − (T3 − T2), whatever the ways take (RFC 5905 §8). Meanwhile the clocks run apart,
    /// which comes on top, as it does there.
    fn offset(self) -> Option<Offset> {
        let Self { asked_ns, received_ns, sent_ns, heard_ns } = self;
        let took_ns = heard_ns.checked_sub(asked_ns)?;
        sent_ns.checked_sub(received_ns)?;
        let least = i128::from(sent_ns) - i128::from(heard_ns);
        let most = i128::from(received_ns) - i128::from(asked_ns);
        let round_trip_ns = u64::try_from(most - least).ok()?;
        Some(Offset {
            ns: i64::try_from((most + least).div_euclid(2)).ok()?,
            bound_ns: round_trip_ns.div_ceil(2).saturating_add(drift_ns(took_ns)),
            at_ns: asked_ns + took_ns / 2,
            exchanges: 1,
        })
    }
}

/// The offset with the least bound of several exchanges: that of the least round trip. `None` if
/// none of them tells anything.
pub(super) fn best(exchanges: impl IntoIterator<Item = Stamps>) -> Option<Offset> {
    let offsets: Vec<Offset> = exchanges.into_iter().filter_map(Stamps::offset).collect();
    let count = u32::try_from(offsets.len()).unwrap_or(u32::MAX);
    let best = offsets.into_iter().min_by_key(|offset| offset.bound_ns)?;
    Some(Offset { exchanges: count, ..best })
}

#[cfg(test)]
pub(super) mod invented {
    //! Clocks of which the truth is known.

    use proptest::prelude::*;

    use super::Stamps;

    /// Where an invented guest's clock begins.
    pub(in super::super) const ORIGIN_NS: u64 = 2_000_000_000_000_000;

    /// A host's clock, as a function of the guest's.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Clocks {
        pub(in super::super) offset_ns: i64,
        pub(in super::super) ppm: i64,
    }

    impl Clocks {
        /// The true offset at a moment of the guest's clock.
        pub(in super::super) fn offset(self, own_ns: u64) -> i64 {
            let since = i128::from(own_ns) - i128::from(ORIGIN_NS);
            let drift = (since * i128::from(self.ppm)).div_euclid(1_000_000);
            self.offset_ns + i64::try_from(drift).unwrap()
        }

        pub(in super::super) fn host(self, own_ns: u64) -> u64 {
            own_ns.checked_add_signed(self.offset(own_ns)).unwrap()
        }

        /// An exchange that begins at a moment of the guest's clock, with the times of the way
        /// there, at the host, and of the way back.
        pub(in super::super) fn exchange(self, own_ns: u64, way: [u64; 3]) -> Stamps {
            let [there, held, back] = way;
            Stamps {
                asked_ns: own_ns,
                received_ns: self.host(own_ns + there),
                sent_ns: self.host(own_ns + there + held),
                heard_ns: own_ns + there + held + back,
            }
        }
    }

    /// Clocks that are up to 11 days apart, and run apart by at most what is assumed.
    pub(in super::super) fn clocks() -> impl Strategy<Value = Clocks> {
        let offset_ns = -1_000_000_000_000_000_i64..1_000_000_000_000_000;
        (offset_ns, -100_i64..=100).prop_map(|(offset_ns, ppm)| Clocks { offset_ns, ppm })
    }

    /// Ways as networks have them: unlike there and back, now and then far too long.
    pub(in super::super) fn ways() -> impl Strategy<Value = Vec<[u64; 3]>> {
        let way = || prop_oneof![3 => 1_000_u64..200_000, 1 => 1_000_u64..50_000_000];
        proptest::collection::vec((way(), 0_u64..1_000_000, way()), 1..33)
            .prop_map(|ways| ways.into_iter().map(|(a, b, c)| [a, b, c]).collect())
    }

    /// The stamps of exchanges, one after the other.
    pub(in super::super) fn stamps(
        clocks: Clocks,
        mut own_ns: u64,
        ways: &[[u64; 3]],
    ) -> Vec<Stamps> {
        let mut all = Vec::new();
        for way in ways {
            let stamps = clocks.exchange(own_ns, *way);
            own_ns = stamps.heard_ns + 500;
            all.push(stamps);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::invented::{Clocks, ORIGIN_NS, clocks, stamps, ways};
    use super::*;

    #[test]
    fn the_example_by_hand() {
        // 10 µs there, 30 µs back, and the host 1 s ahead: the middle is 10 µs too low.
        let clocks = Clocks { offset_ns: 1_000_000_000, ppm: 0 };
        let offset = best([clocks.exchange(ORIGIN_NS, [10_000, 5_000, 30_000])]).unwrap();
        assert_eq!(offset.ns, 1_000_000_000 - 10_000);
        // Half of 40 µs, and 100 ppm of 45 µs, rounded up.
        assert_eq!(offset.bound_ns, 20_000 + 5);
        assert_eq!(offset.at_ns, ORIGIN_NS + 22_500);
        assert_eq!(offset.exchanges, 1);
        // An hour later.
        assert_eq!(offset.bound_at(offset.at_ns + 3_600_000_000_000), 20_005 + 360_000_000);
    }

    #[test]
    fn the_least_round_trip_counts() {
        let clocks = Clocks { offset_ns: -5, ppm: 0 };
        let ways = [[9_000, 0, 70_000], [1_000, 900_000, 3_000], [2_000, 0, 400_000]];
        let offset = best(stamps(clocks, ORIGIN_NS, &ways)).unwrap();
        assert_eq!((offset.ns, offset.exchanges), (-5 - 1_000, 3));
    }

    #[test]
    fn stamps_that_contradict_each_other_tell_nothing() {
        let good = Stamps { asked_ns: 10, received_ns: 20, sent_ns: 21, heard_ns: 30 };
        assert!(good.offset().is_some());
        for bad in [
            Stamps { heard_ns: 9, ..good },
            Stamps { received_ns: 22, ..good },
            Stamps { sent_ns: 100, ..good },
            Stamps { received_ns: u64::MAX, sent_ns: u64::MAX, ..good },
        ] {
            assert_eq!(bad.offset(), None, "{bad:?}");
        }
        assert_eq!(best([]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_true_offset_lies_within_the_bound(clocks in clocks(), ways in ways()) {
            let offset = best(stamps(clocks, ORIGIN_NS, &ways)).unwrap();
            let off = clocks.offset(offset.at_ns).abs_diff(offset.ns);
            prop_assert!(off <= offset.bound_ns, "{off} {offset:?}");
            prop_assert!(offset.exchanges as usize <= ways.len());
        }

        #[test]
        fn a_moment_of_the_host_is_found_on_the_own_clock(
            clocks in clocks(),
            ways in ways(),
            later_ns in 0_u64..4_000_000_000_000,
        ) {
            let offset = best(stamps(clocks, ORIGIN_NS, &ways)).unwrap();
            let own_ns = ORIGIN_NS + later_ns;
            let (found_ns, bound_ns) = offset.to_own(clocks.host(own_ns));
            prop_assert!(found_ns.abs_diff(own_ns) <= bound_ns + 1, "{found_ns} {bound_ns}");
        }

        #[test]
        fn no_stamps_are_too_odd(stamps: Vec<(u64, u64, u64, u64)>, host_ns: u64, own_ns: u64) {
            let stamps = stamps.into_iter().map(|(asked_ns, received_ns, sent_ns, heard_ns)| {
                Stamps { asked_ns, received_ns, sent_ns, heard_ns }
            });
            if let Some(offset) = best(stamps) {
                let _ = (offset.to_own(host_ns), offset.bound_at(own_ns));
            }
        }
    }
}
