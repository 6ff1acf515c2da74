//! Which gap is the migration's outage.

use super::*;
use crate::report::{GapOf, GapWhen, OutageReport};

/// Calls every 10 ms of 2 ms, of a server that does not answer in these spans (ms): what
/// comes meanwhile is answered at their end.
fn with_freezes(freezes: &[(Nanos, Nanos)]) -> Run {
    let mut run = Run::new();
    run.calls = (0..1000)
        .map(|k| {
            let at = k * 10 * MS;
            let frozen = |t: Nanos| freezes.iter().find(|f| f.0 * MS <= t && t < f.1 * MS);
            let done = frozen(at + 2 * MS).map_or(at + 2 * MS, |freeze| freeze.1 * MS + MS);
            call(at, done)
        })
        .collect();
    run
}

/// With the stop and the resume at these times (ms).
fn moved(mut run: Run, stop: Nanos, resume: Nanos) -> Run {
    run.events.retain(|e| !matches!(e.kind, EventKind::Stop | EventKind::Resume));
    run.with(EventKind::Stop, stop * MS).with(EventKind::Resume, resume * MS)
}

fn outage(run: &Run) -> OutageReport {
    run.impact().migration.outage_ms.established.unwrap()
}

fn starts_and_lasts(outage: &OutageReport) -> (f64, f64) {
    (outage.gap_start_s.unwrap(), outage.gap.unwrap())
}

#[test]
fn a_freeze_after_the_move_is_not_its_outage() {
    let run = moved(with_freezes(&[(5_000, 5_053), (8_000, 8_600)]), 5_000, 5_053);
    let Impact { migration, reasons } = run.impact();
    let outage = migration.outage_ms.established.unwrap();
    assert_eq!(starts_and_lasts(&outage), (4.992, 62.0));
    assert_eq!(outage.gap_of, Some(GapOf::Switchover));
    assert_eq!((outage.longest_gap, outage.longest_gap_start_s), (Some(609.0), Some(7.992)));
    // The bound is that of the outage.
    assert!(outage.bound.unwrap() < 30.0 && outage.interruption_at_most.unwrap() < 70.0);
    let [other] = outage.other_gaps.as_slice() else { panic!("{outage:?}") };
    assert_eq!((other.start_s, other.length_ms, other.when), (7.992, 609.0, GapWhen::After));
    let [(status, reason)] = reasons.as_slice() else { panic!("{reasons:?}") };
    assert_eq!(*status, VerdictStatus::Degraded);
    for words in ["longer than its outage", "609.000 ms from 7.992 s", "after its outage of 62"] {
        assert!(reason.contains(words), "{reason}");
    }
}

#[test]
fn a_freeze_before_the_stop_is_not_its_outage() {
    let mut run = moved(with_freezes(&[(4_100, 7_600), (7_700, 7_753)]), 7_700, 7_753);
    run.events.retain(|e| !e.kind.is_final());
    let run = run.with(EventKind::Completed, 7_760 * MS);
    let outage = outage(&run);
    assert_eq!(starts_and_lasts(&outage), (7.692, 62.0));
    assert_eq!(outage.other_gaps[0].when, GapWhen::Before);
    assert_eq!(outage.longest_gap, Some(3_509.0));
    // Even one that ended within the uncertainty of the stop.
    let touching = moved(with_freezes(&[(4_100, 4_999), (5_000, 5_060)]), 5_000, 5_060);
    let outage = touching.impact().migration.outage_ms.established.unwrap();
    assert!(outage.gap.unwrap() < 70.0, "{outage:?}");
}

#[test]
fn a_stop_that_nobody_noticed_has_a_gap_below_the_threshold() {
    let run = moved(with_freezes(&[(8_000, 8_600)]), 5_003, 5_007);
    let outage = outage(&run);
    assert_eq!(starts_and_lasts(&outage), (5.002, 10.0));
    assert!(!outage.stands_out());
    assert_eq!(outage.gap_of, Some(GapOf::Switchover));
}

#[test]
fn a_switch_that_learns_late_is_the_outage_though_the_machine_runs() {
    let run = moved(with_freezes(&[(5_000, 8_173)]), 5_000, 5_015);
    let Impact { migration, reasons } = run.impact();
    let outage = migration.outage_ms.established.unwrap();
    assert_eq!(starts_and_lasts(&outage), (4.992, 3_182.0));
    assert!(outage.other_gaps.is_empty());
    // It is no matter of the resolution.
    assert!(!reasons.iter().any(|(_, text)| text.contains("resolution")), "{reasons:?}");
    // Replies that were under way when the machine resumed split it.
    let split = moved(with_freezes(&[(4_998, 5_020), (5_025, 8_173)]), 5_000, 5_015);
    assert!(split.impact().migration.outage_ms.established.unwrap().gap.unwrap() > 3_100.0);
}

#[test]
fn several_blackouts_and_the_rest_of_post_copy() {
    let run = moved(with_freezes(&[(4_500, 4_560), (5_000, 5_100), (7_000, 7_500)]), 5_000, 5_100)
        .with(EventKind::Stop, 4_500 * MS)
        .with(EventKind::Resume, 4_560 * MS);
    let first = outage(&run);
    assert_eq!(starts_and_lasts(&first), (4.992, 109.0));
    let whens: Vec<GapWhen> = first.other_gaps.iter().map(|gap| gap.when).collect();
    assert_eq!(whens, [GapWhen::Switchover, GapWhen::After]);
    // In post-copy the machine waits for its memory until the end.
    let mut run = moved(with_freezes(&[(5_000, 5_012), (6_000, 8_000)]), 5_000, 5_012);
    run.strategy = Strategy::PostCopy;
    run.events.retain(|e| !e.kind.is_final());
    let run = run.with(EventKind::PostCopy, 5_001 * MS).with(EventKind::Completed, 9_000 * MS);
    assert_eq!(starts_and_lasts(&outage(&run)), (5.992, 2_009.0));
}

#[test]
fn with_less_known_more_may_be_the_outage() {
    let unknown = |freezes: &[(Nanos, Nanos)]| {
        with_freezes(freezes).without(&EventKind::Stop).without(&EventKind::Resume)
    };
    // Completed at 5.31 s.
    let known = unknown(&[(5_000, 5_053), (7_000, 7_600)]);
    let first = outage(&known);
    assert_eq!((starts_and_lasts(&first), first.gap_of), ((4.992, 62.0), Some(GapOf::Migration)));
    // Recovery counts from its end, not from that of the later one.
    assert_eq!(known.impact().migration.recovery_ms, Some(0.0));
    assert!(known.impact().reasons.iter().any(|(_, text)| text.contains("longer than its")));
    let late = unknown(&[(5_700, 8_000)]);
    assert_eq!(outage(&late).gap_of, Some(GapOf::Migration));
    assert_eq!(outage(&late).gap, Some(2_309.0));
    let blind = unknown(&[(5_000, 5_053), (7_000, 7_600)]).without(&EventKind::Completed);
    let blind = outage(&blind);
    assert_eq!((starts_and_lasts(&blind), blind.gap_of), ((6.992, 609.0), Some(GapOf::Longest)));
}

#[test]
fn other_gaps_are_bounded_in_number() {
    let freezes: Vec<_> = (0..30).map(|k| (5_500 + 100 * k, 5_540 + 100 * k + k)).collect();
    let mut all = vec![(5_000, 5_300)];
    all.extend(freezes);
    let outage = outage(&moved(with_freezes(&all), 5_000, 5_300));
    assert_eq!((outage.other_gaps.len(), outage.other_gaps_left_out), (20, 10));
    assert!(outage.other_gaps.is_sorted_by(|a, b| a.start_s < b.start_s));
    assert_eq!(outage.gaps, Some(31));
}

#[test]
fn nobody_answers_at_the_new_place() {
    let run = Run::new().map(|c| {
        let lost = c.intended >= 5_000 * MS;
        let outcome = if lost { Outcome::Unfinished } else { c.outcome };
        Some(CallRecord { outcome, done: if lost { 11_000 * MS } else { c.done }, ..c })
    });
    let told = |run: &Run| -> String {
        let reasons = run.impact().reasons;
        reasons.into_iter().map(|(_, text)| text).find(|t| t.contains("lasted more")).unwrap()
    };
    let text = told(&run);
    assert!(text.contains("does not answer at its new place") && text.contains("ARP"), "{text}");
    // Newcomers are answered: kept-alive clients need more time.
    let mut reached = run;
    let fresh = |k: Nanos| {
        let at = k * 10 * MS;
        let done = if (5_000..5_305).contains(&(at / MS)) { 6_100 * MS } else { at + 2 * MS };
        CallRecord { population: Population::Fresh, reused: false, ..call(at, done) }
    };
    reached.calls.extend((0..1000).map(fresh));
    let text = told(&reached);
    assert!(text.ends_with("lengthen the load") && !text.contains("new place"), "{text}");
}
