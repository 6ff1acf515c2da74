//! A freeze and a summary, for tests.

use std::collections::BTreeMap;

use super::freeze::{Freeze, FreezeKind, FrozenPopulation, KernelSeen, LengthMs};
use super::summary::{Calls, FreezeLengths, OwnPauses, PerHour, Share, WatchSummary};
use crate::report::{ConnectionsLost, LostConnections};

pub(super) fn length(at_least: f64, at_most: impl Into<Option<f64>>) -> LengthMs {
    LengthMs { at_least, at_most: at_most.into() }
}

pub(super) fn freeze() -> Freeze {
    let population = |gap_ms, from_s| FrozenPopulation {
        gap_ms,
        from_s,
        until_s: Some(from_s + gap_ms / 1e3),
        interruption_ms: length(gap_ms - 20.0, gap_ms),
    };
    let lost = LostConnections { count: 1, ..LostConnections::default() };
    Freeze {
        number: 1,
        from: "2026-11-28T13:56:30.024Z".to_owned(),
        until: Some("2026-11-28T13:56:30.430Z".to_owned()),
        from_s: 5.79,
        until_s: Some(6.196),
        length_ms: length(381.25, 401.002),
        kind: FreezeKind::Service,
        kind_because: "the machine's kernel answered all the time".to_owned(),
        established: Some(population(401.1, 5.795)),
        fresh: Some(population(406.0, 5.79)),
        kernel: KernelSeen::default(),
        connections_lost: ConnectionsLost { established: Some(lost), fresh: None },
        calls_failed: 3,
        are_all_calls_known: true,
        own_ms: 0.0,
    }
}

pub(super) fn summary() -> WatchSummary {
    let by = |established: f64, fresh: f64| -> BTreeMap<String, f64> {
        [("established".to_owned(), established), ("fresh".to_owned(), fresh)].into()
    };
    WatchSummary {
        schema: "loadgen-watch/1".to_owned(),
        url: "http://10.0.0.5/".to_owned(),
        started_at: "2026-11-28T13:54:24.001Z".to_owned(),
        watched_s: 7323.0,
        rates_per_s: by(200.0, 50.0),
        thresholds_ms: by(20.0, 65.9),
        reach_check: Some("rst:63113 to 10.0.0.5, 100/s".to_owned()),
        freezes: 12,
        too_short: 2,
        kinds: [("machine".to_owned(), 3), ("service".to_owned(), 9)].into(),
        per_hour: PerHour { seen: 5.9, low: 3.05, high: 10.3 },
        length_ms: Some(FreezeLengths {
            n: 12,
            p50: length(132.9, 166.5),
            p90: Some(length(900.0, 920.2)),
            p99: None,
            longest: length(1466.0, 1558.0),
        }),
        availability: Share { at_least: 0.999_412_3, at_most: 0.999_512_1 },
        frozen_since: Some("2026-11-28T15:56:30.024Z".to_owned()),
        unproven: 1,
        own: OwnPauses { silences: 1, sum_s: 0.4251, longest_ms: 400.2 },
        connections_lost: 3,
        calls_failed_in_freezes: 1,
        calls: Calls { offered: 1_830_750, answered: 1_830_749, failed: 1, shed: 0 },
        notices: 2,
        ..WatchSummary::default()
    }
}
