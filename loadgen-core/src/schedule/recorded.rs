//! Starts at the times of a log.

use serde::{Deserialize, Serialize};

use crate::clock::{Nanos, SECOND};
use crate::error::PlanError;

/// How fast what a log has recorded comes again, and what that is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// 2: in half the time.
    speed: f64,
    /// Once the log was read: its requests, and from its first to where the next one after its
    /// last would have come, in seconds of the log's own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calls: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length_s: Option<f64>,
}

impl Recorded {
    /// As fast as it was for 1, twice as fast for 2 (0.001 to 1,000,000).
    #[must_use]
    pub fn at_speed(speed: f64) -> Self {
        Self { speed, calls: None, length_s: None }
    }

    /// How many times as fast as it was.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Requests of the log, once it was read.
    pub(crate) fn calls(&self) -> Option<u64> {
        self.calls
    }

    /// How long they take at this speed, in seconds.
    pub(crate) fn lasts_s(&self) -> Option<f64> {
        Some(self.length_s? / self.speed)
    }

    /// Mean calls a second at this speed.
    pub(super) fn mean_per_s(&self) -> Option<f64> {
        Some(self.calls? as f64 / self.lasts_s()?)
    }

    /// The same, knowing when the requests came.
    pub(crate) fn knowing(self, times: &[Nanos]) -> Self {
        Self {
            calls: Some(times.len() as u64),
            length_s: Some(length(times) as f64 / SECOND as f64),
            ..self
        }
    }

    /// When call `k` comes.
    pub(super) fn start(&self, times: &[Nanos], k: u64) -> Option<Nanos> {
        let n = times.len() as u64;
        let (pass, within) = (k.checked_div(n)?, times[(k % n) as usize]);
        let at = pass as f64 * length(times) as f64 + within as f64;
        // An f64 holds the ns of a hundred days exactly.
        Some((at / self.speed).round() as Nanos)
    }

    pub(super) fn validate(&self) -> Result<(), PlanError> {
        if self.speed.is_finite() && (0.001..=1e6).contains(&self.speed) {
            return Ok(());
        }
        Err(PlanError::Range {
            what: "{speed}",
            range: "from 0.001 to 1,000,000",
            value: self.speed.to_string(),
        })
    }
}

/// From the first to where the one after the last would have come: the last is followed by a gap
/// as long as the others are on average. A second, where there is none.
fn length(times: &[Nanos]) -> Nanos {
    let last = times.last().copied().unwrap_or(0);
    match times.len() as u64 {
        n if n > 1 && last > 0 => last + (last / (n - 1)).max(1),
        _ => SECOND,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::schedule::{Schedule, Times};

    #[test]
    fn a_log_comes_again_as_it_came() {
        let times: Times = Arc::new([0, SECOND, 3 * SECOND]);
        let starts = |speed, shard, shards| -> Vec<Nanos> {
            let schedule = Schedule::Recorded(Recorded::at_speed(speed));
            schedule.starts_at(&times, 1, shard, shards).take(4).collect()
        };
        // 4.5 s long: a third call would have come 1.5 s after the last.
        let (second, half) = (SECOND, SECOND / 2);
        assert_eq!(starts(1.0, 0, 1), [0, second, 3 * second, 4 * second + half]);
        assert_eq!(starts(2.0, 0, 1), [0, half, 3 * half, 2 * second + half / 2]);
        assert_eq!(starts(1.0, 1, 2)[..2], [second, 4 * second + half]);
        let known = Recorded::at_speed(2.0).knowing(&times);
        assert_eq!((known.calls(), known.lasts_s()), (Some(3), Some(2.25)));
        assert_eq!(Schedule::Recorded(known).rate_per_s(), Some(3.0 / 2.25));
        // One moment alone has no rate: a second for each pass.
        let one = Schedule::Recorded(Recorded::at_speed(1.0));
        let alone = one.starts_at(&Arc::from([0]), 1, 0, 1);
        assert_eq!(alone.take(3).collect::<Vec<_>>(), [0, second, 2 * second]);
        assert_eq!(one.starts(1, 0, 1).next(), None);
    }

    proptest! {
        #[test]
        fn starts_are_in_order_and_shards_the_whole(
            gaps in prop::collection::vec(0_u64..2_000_000_000, 1..30),
            speed in 0.1..10.0_f64,
            shards in 1_u64..5,
        ) {
            let mut at = 0;
            let times: Times = gaps.iter().map(|gap| { let now = at; at += gap; now }).collect();
            let schedule = Schedule::Recorded(Recorded::at_speed(speed));
            let whole: Vec<_> = schedule.starts_at(&times, 1, 0, 1).take(90).collect();
            prop_assert!(whole.is_sorted());
            let mut union: Vec<_> = (0..shards)
                .flat_map(|shard| schedule.starts_at(&times, 1, shard, shards).take(90))
                .collect();
            union.sort_unstable();
            prop_assert_eq!(&union[..90], &whole[..]);
        }
    }
}
