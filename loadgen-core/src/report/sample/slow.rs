//! Invented slow calls of a blackout.

use std::collections::BTreeMap;

use super::*;

fn named<T>(values: impl IntoIterator<Item = (&'static str, T)>) -> BTreeMap<String, T> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// 350 slow calls, all of one phase.
pub(super) fn add(report: &mut Report, phase: &mut PhaseReport) {
    let slowest = |took_ms, parts, connection| {
        let population = "established".to_owned();
        Some(SlowCall { at_s: 10.021, took_ms, population, parts_ms: named(parts), connection })
    };
    let connection = ConnectionSample {
        rtt_us: Some(412.0),
        rtt_deviation_us: Some(35.0),
        rto_ms: 1608.0,
        total_retransmits: 3,
        retransmits: 3,
        backoff: 3,
        unacknowledged: 1,
        lost: 1,
    };
    let retransmission = SlowCause {
        calls: 310,
        time_s: 521.4,
        slowest: slowest(1000.2, vec![("data-retransmission", 1000.2)], Some(connection)),
    };
    let queue = SlowCause {
        calls: 40,
        time_s: 9.2,
        slowest: slowest(312.0, vec![("queue", 311.0), ("unsampled", 1.0)], None),
    };
    let server = SlowCause { calls: 0, time_s: 0.05, slowest: None };
    report.slow_calls = Some(SlowCalls {
        threshold_ms: 200.0,
        count: 350,
        sampled: 310,
        causes: named([
            ("data-retransmission", retransmission),
            ("queue", queue),
            ("server", server),
        ]),
    });
    report.kernel_timestamps = Some(KernelTimestamps {
        receive_delay: report.lag.clone(),
        service_time_to_receipt: report.service_time.clone(),
        missing: 2,
    });
    report.plan = report.plan.clone().with_kernel_timestamps();
    phase.slow_calls = named([("data-retransmission", 310), ("queue", 40)]);
    let window = &mut report.timeline.windows[100];
    window.slow_calls = named([("data-retransmission", 20)]);
    window.kernel = Some(KernelWindow {
        samples: 18,
        retransmitting: 11,
        rtt_samples: 18,
        rtt_mean_us: Some(420.0),
        rtt_max_us: Some(530.0),
        rto_max_ms: Some(408.0),
        run_delay_ms: Some(0.2),
    });
}
