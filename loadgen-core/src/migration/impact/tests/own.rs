//! What our own pauses did is told as ours.

use super::*;
use crate::report::{GapOf, GapWhen, OutageReport};

/// Kept-alive calls of 2 ms; stopped for 30 ms at 5 s; we stand still from 5.05 to 7.55 s.
fn stalled() -> Run {
    let mut run = Run::new();
    run.calls = (0..1000)
        .map(|k| {
            let at = k * 10 * MS;
            match at / MS {
                5_000..5_030 => call(at, 5_032 * MS),
                5_050..7_550 => {
                    let sent = 7_550 * MS;
                    CallRecord { intended: at, ..call(sent, sent + 2 * MS) }
                }
                _ => call(at, at + 2 * MS),
            }
        })
        .collect();
    for event in &mut run.events {
        match event.kind {
            EventKind::Resume => event.at = 5_030 * MS,
            EventKind::Completed => event.at = 5_040 * MS,
            _ => {}
        }
    }
    run.pauses = Some(PauseLog::of_workers(vec![vec![(5_048 * MS, 7_550 * MS)]]));
    run.with(EventKind::PreSwitchover, 4_900 * MS)
}

#[test]
fn the_outage_is_what_is_not_ours_and_the_rest_is_told_as_ours() {
    let run = stalled();
    let told = run.impact();
    let outage = told.migration.outage_ms.established.clone().unwrap();
    assert_eq!((outage.gap_start_s, outage.gap), (Some(4.992), Some(40.0)));
    assert!(outage.interruption_at_least.unwrap() <= 30.0);
    assert!(outage.interruption_at_most.unwrap() >= 30.0);
    assert_eq!(outage.other_gaps.len(), 1);
    assert_eq!((outage.other_gaps[0].when, outage.other_gaps[0].start_s), (GapWhen::Own, 5.042));
    let reasons: Vec<&str> = told.reasons.iter().map(|(_, text)| text.as_str()).collect();
    assert!(
        reasons.iter().any(|text| text.starts_with("loadgen itself stood still")),
        "{reasons:?}"
    );
    assert!(!reasons.iter().any(|text| text.contains("the service or the network")), "{reasons:?}");
    // The three calls that met the stop, and nothing of the 250 that we held up.
    assert!(told.migration.calls_late.unwrap() <= 3, "{:?}", told.migration.calls_late);
    assert!(told.migration.recovery_ms.unwrap() < 200.0);
    assert!(told.migration.degradation_response_s2.unwrap() < 0.01);
    assert!(told.migration.degradation_calls.unwrap() <= 3.0);
    // Without them it would be another matter.
    let blind = Run { pauses: None, ..run }.impact().migration;
    assert_eq!(blind.outage_ms.established.unwrap().gap, Some(2_510.0));
    assert!(blind.calls_late.unwrap() > 200 && blind.degradation_response_s2.unwrap() > 1.0);
}

#[test]
fn what_was_closed_while_we_stood_still_is_not_lost_in_the_move() {
    let end = |ended: Nanos, loss| ConnectionEnd {
        opened: 0,
        alive: 5_000 * MS,
        ended,
        load: 0,
        population: Population::Established,
        loss: Some(loss),
        again: 0,
    };
    let mut run = stalled();
    // Those that the server reset, or closed at another time, are lost.
    let mut ends: Vec<_> = (0..60).map(|_| end(7_549 * MS, Cause::ClosedEarly)).collect();
    ends.push(end(7_549 * MS, Cause::Reset));
    ends.push(end(5_040 * MS, Cause::ClosedEarly));
    run.connections = Some(ends);
    let lost = run.impact().migration.connections_lost.established.unwrap();
    assert_eq!((lost.closed_while_paused, lost.count, lost.of), (60, 2, Some(62)));
}

/// Where nobody tells of STOP and RESUME, each silence that we slept in may be the migration's. There
/// are thousands of them in ten minutes on a busy machine: each by itself must cost little, or this
/// test takes minutes.
#[test]
fn thousands_of_pauses_in_a_long_migration_that_tells_nothing() {
    /// Calls every 10 ms, a pause of 3 ms every 100 ms, and one of 80 ms after 1.5 s.
    fn outage(seconds: u64) -> OutageReport {
        let pause = |at: Nanos| match at / MS {
            1_500..1_580 => Some((1_500 * MS, 1_580 * MS)),
            _ => Some((at / (100 * MS) * 100 * MS, at / (100 * MS) * 100 * MS + 3 * MS)),
        };
        let delayed = |at: Nanos| match pause(at) {
            Some((start, end)) if (start..end).contains(&at) => end,
            _ => at,
        };
        let mut run = Run::new();
        run.calls = (0..seconds * 100)
            .map(|k| {
                let at = k * 10 * MS;
                let sent = delayed(at);
                CallRecord { intended: at, ..call(sent, delayed(sent + 2 * MS)) }
            })
            .collect();
        run.load_end = seconds * 1_000 * MS;
        run.events = vec![
            event(EventKind::Fired, 1_000 * MS),
            event(EventKind::Completed, run.load_end - MS),
        ];
        let pauses = (0..seconds * 10).filter_map(|k| pause(k * 100 * MS)).collect();
        run.pauses = Some(PauseLog::of_workers(vec![pauses]));
        run.impact().migration.outage_ms.established.unwrap()
    }
    let (short, long) = (outage(4), outage(600));
    assert!(long.interruption_at_most.unwrap() >= 80.0, "{long:?}");
    assert_eq!(long.interruption_at_most, short.interruption_at_most);
    assert_eq!(long.interruption_at_least, short.interruption_at_least);
    assert_eq!(long.gap_of, Some(GapOf::Migration));
}
