//! Total time, downtimes, outages, recovery, degradation.

use super::*;
use crate::report::OutageReport;

fn near(value: Option<f64>, expected: f64) {
    let value = value.unwrap();
    assert!((value - expected).abs() < 1e-9, "{value} instead of {expected}");
}

#[test]
fn every_figure_of_a_known_run() {
    let Impact { migration: m, reasons } = Run::new().impact();
    assert_eq!(reasons, []);
    assert_eq!((m.trigger.as_str(), m.strategy), ("test", Some(Strategy::PreCopy)));
    assert_eq!((m.ending, m.rounds), (Some(Ending::Completed), Some(3)));
    near(m.total_migration_time_ms.trigger, 1_309.0);
    near(m.total_migration_time_ms.hypervisor, 1_300.0);
    near(m.downtime_ms.reported, 120.0);
    near(m.downtime_ms.events, 305.0);
    near(m.downtime_ms.bound, 2.0);
    assert_eq!(m.transferred_bytes, Some(1 << 30));

    // From call 499 (done 4.992 s) to calls 500 to 527 (done 5.307 s). s lies
    // between 4.990 s (call 499 sent) and 5.000 s (call 500 sent) + X with
    // X = 1.5 × 2 ms + 1 ms; r between 5.290 s (call 529: call 530 was sent less
    // than X' = 1.5 × 8 ms + 1 ms before the reply) and 5.307 s.
    let outage = m.outage_ms.established.unwrap();
    near(outage.longest_gap, 315.0);
    near(outage.longest_gap_start_s, 4.992);
    assert!(!outage.longest_gap_is_lower_bound);
    near(outage.threshold, 30.0);
    assert_eq!(outage.gaps, Some(1));
    near(outage.sum_of_gaps, 315.0);
    near(outage.switchover_sum_of_gaps, 315.0);
    near(outage.baseline_longest_gap, 10.0);
    near(outage.interruption_at_most, 317.0);
    near(outage.bound, 29.0);
    near(outage.interruption_at_least, 286.0);
    assert_eq!(m.outage_ms.fresh, None);

    // Slow calls (8 ms against a band of 4 ms) are due until 5.60 s; of the 50
    // calls from 5.605 s on none is slow, of those from 5.505 s on ten are.
    near(m.recovery_ms, 300.0);
    // 5.307–5.605 s.
    near(m.brownout_ms, 298.0);
    near(m.brownout_share_before, 0.0);
    // Calls 400 to 560: 2 timeouts, one 503, 28 held by the outage and 30 slow.
    assert_eq!((m.calls_lost, m.error_replies, m.calls_late), (Some(2), Some(1), Some(58)));
    // These three, and call 560 is still under way.
    near(m.degradation_calls, 4.0);
    // By windows, ms·s: 26 + 16 + 25.56 + 0.6 + 1.2 + 0.03.
    near(m.degradation_response_s2, 0.069_39);
}

#[test]
fn without_stop_and_resume_the_clients_still_tell() {
    let run = Run::new().without(&EventKind::Stop).without(&EventKind::Resume);
    let Impact { migration: m, reasons } = run.impact();
    assert_eq!(reasons, []);
    assert_eq!((m.downtime_ms.events, m.downtime_ms.bound), (None, None));
    let outage = m.outage_ms.established.unwrap();
    near(outage.longest_gap, 315.0);
    assert_eq!(outage.switchover_sum_of_gaps, None);
    // From the end of the outage, 5.307 s, on a grid of 100 ms.
    near(m.recovery_ms, 300.0);
}

#[test]
fn a_stray_reply_splits_the_gap_but_not_the_sum() {
    let run = Run::new().map(|c| {
        Some(if c.intended == 5_000 * MS { CallRecord { done: 5_150 * MS, ..c } } else { c })
    });
    let outage = run.impact().migration.outage_ms.established.unwrap();
    near(outage.longest_gap, 158.0);
    near(outage.longest_gap_start_s, 4.992);
    assert_eq!(outage.gaps, Some(2));
    near(outage.sum_of_gaps, 315.0);
    near(outage.switchover_sum_of_gaps, 315.0);
}

#[test]
fn outages_far_from_the_stop_are_not_the_switchovers() {
    let run = Run::new().map(|c| {
        let quiet = (4_100..4_200).contains(&(c.intended / MS));
        Some(if quiet { CallRecord { outcome: Outcome::Answered(500), ..c } } else { c })
    });
    let outage = run.impact().migration.outage_ms.established.unwrap();
    assert_eq!(outage.gaps, Some(2));
    near(outage.sum_of_gaps, 315.0 + 110.0);
    near(outage.switchover_sum_of_gaps, 315.0);
}

#[test]
fn the_outage_that_holds_the_firing_counts_from_the_last_reply_before() {
    let dead = |c: CallRecord| (!(3_995..4_305).contains(&(c.intended / MS))).then_some(c);
    let outage = Run::new().map(dead).impact().migration.outage_ms.established.unwrap();
    // Calls 400 to 430 are missing: 3.992 s to 4.312 s.
    near(outage.longest_gap, 320.0);
    near(outage.longest_gap_start_s, 3.992);
    near(outage.baseline_longest_gap, 10.0);
}

#[test]
fn an_outage_without_end_is_a_lower_bound() {
    let run = Run::new().map(|c| {
        let lost = c.intended >= 5_000 * MS;
        Some(if lost {
            CallRecord { outcome: Outcome::Unfinished, done: 11_000 * MS, ..c }
        } else {
            c
        })
    });
    let Impact { migration: m, reasons } = run.impact();
    let outage = m.outage_ms.established.unwrap();
    assert!(outage.longest_gap_is_lower_bound);
    near(outage.longest_gap, 5_008.0);
    assert_eq!((outage.bound, outage.interruption_at_most), (None, None));
    // From 5.004 s to call 999 less its need of 4 ms (9.990 + 0.004 < 10).
    near(outage.interruption_at_least, 4_986.0);
    assert_eq!((m.recovery_ms, m.calls_lost), (None, Some(500)));
    assert!(reasons.iter().any(|(status, text)| {
        *status == VerdictStatus::Invalid && text.contains("more than 5008.000 ms")
    }));
}

#[test]
fn no_reply_at_all_is_no_gap_and_not_zero() {
    let dead = |c: CallRecord| Some(CallRecord { outcome: Outcome::Answered(500), ..c });
    let Impact { migration: m, reasons } = Run::new().map(dead).impact();
    let expected = OutageReport {
        // No gaps before the firing: 100 ms.
        threshold: Some(100.0),
        ..OutageReport::default()
    };
    assert_eq!(m.outage_ms.established, Some(expected));
    assert_eq!((m.recovery_ms, m.brownout_ms, m.degradation_response_s2), (None, None, None));
    assert!(reasons.iter().any(|(s, t)| *s == VerdictStatus::Invalid && t.contains("no outage")));
}

#[test]
fn populations_have_outages_of_their_own() {
    let mut run = Run::new();
    let fresh: Vec<CallRecord> = run
        .calls
        .iter()
        .map(|c| {
            let lost = (5_000..5_305).contains(&(c.intended / MS));
            // A SYN that was lost is sent again after 1 s.
            let sent = c.intended + if lost { 1_000 * MS } else { MS / 2 };
            CallRecord {
                sent,
                done: sent + MS,
                outcome: Outcome::Answered(200),
                population: Population::Fresh,
                tag: 0,
                reused: false,
                ..*c
            }
        })
        .collect();
    run.calls.extend(fresh);
    let outages = run.impact().migration.outage_ms;
    near(outages.established.unwrap().longest_gap, 315.0);
    let fresh = outages.fresh.unwrap();
    // Call 499 is done at 4.9915 s, call 531 at 5.3115 s.
    near(fresh.longest_gap, 320.0);
    // u is the intended start of call 500, v that of call 530; X = 1.5 × 1.5 + 1.
    near(fresh.interruption_at_least, 300.0 - 3.25);
    near(fresh.interruption_at_most, 5_311.5 - 4_990.5);
}

#[test]
fn a_stopped_machine_is_complete_before_it_runs() {
    let run = Run::new().without(&EventKind::Completed).with(EventKind::Completed, 5_200 * MS);
    near(run.impact().migration.total_migration_time_ms.trigger, 1_304.0);
}

#[test]
fn what_comes_after_the_quiet_is_not_normal() {
    // From 2.5 s to the firing others are moved: every fifth call takes 95 ms, the rest is lost.
    let disturbed = Run::new().map(|call| match call.intended / MS {
        2_500..4_000 if !call.intended.is_multiple_of(50 * MS) => None,
        2_500..4_000 => Some(CallRecord { done: call.intended + 95 * MS, ..call }),
        _ => Some(call),
    });
    let of = |quiet_until| {
        let impact = Run { quiet_until, ..disturbed.clone() }.impact();
        (impact.migration.outage_ms.established.clone().unwrap(), impact)
    };
    let (quiet, alone) = (of(2_500 * MS), Run::new().impact().migration);
    near(quiet.0.threshold, 30.0);
    near(quiet.0.baseline_longest_gap, 10.0);
    near(quiet.0.longest_gap, 315.0);
    let same =
        |m: &Migration| (m.recovery_ms, m.brownout_ms, m.calls_late, m.degradation_response_s2);
    assert_eq!(same(&quiet.1.migration), same(&alone));
    assert_eq!(quiet.1.reasons, []);
    // Taken for normal, they hide what the migration did.
    let loud = of(Nanos::MAX);
    assert!(loud.0.threshold > Some(100.0) && loud.0.baseline_longest_gap > Some(50.0), "{loud:?}");
    assert_ne!(same(&loud.1.migration), same(&alone));
}
