//! Every rule of validity, alone, on a run that is valid without it.

use VerdictStatus::{Degraded, Invalid};

use super::*;

/// Asserts that there is exactly one reason, of this kind, with all these words.
fn only(run: &Run, status: VerdictStatus, words: &[&str]) {
    let reasons = run.impact().reasons;
    assert_eq!(reasons.len(), 1, "{reasons:#?}");
    assert_eq!(reasons[0].0, status, "{reasons:#?}");
    for word in words {
        assert!(reasons[0].1.contains(word), "'{word}' is not in: {}", reasons[0].1);
    }
}

fn settled(run: Run, change: impl Fn(&mut Settled)) -> Run {
    let mut run = run;
    change(run.settled.as_mut().unwrap());
    run
}

#[test]
fn the_migration_must_be_whole() {
    let mut run = Run::new();
    run.load_end = 5_308 * MS;
    let run = run.map(|c| (c.intended < 5_308 * MS).then_some(c));
    only(&run, Invalid, &["the load ended at 5.308 s", "5.310 s", "0.002 s"]);

    let fail = |ending| {
        settled(Run::new(), move |s| {
            s.ending = ending;
            s.reason = Some("no route".to_owned());
        })
    };
    only(&fail(Ending::Failed), Invalid, &["failed: no route"]);
    only(&fail(Ending::Cancelled), Invalid, &["cancelled: no route"]);

    let mut run = Run::new().without(&EventKind::Completed);
    run.settled = None;
    only(&run, Invalid, &["never learnt"]);
}

#[test]
fn a_migration_that_was_never_fired() {
    let run = Run::new().without(&EventKind::Fired).without(&EventKind::Accepted);
    let Impact { migration, reasons } = run.impact();
    assert!(reasons.iter().any(|(s, t)| *s == Invalid && t.contains("never fired")));
    assert_eq!(migration.outage_ms, Outages::default());
    assert_eq!(migration.total_migration_time_ms.trigger, None);
    assert_eq!(migration.degradation_calls, None);
    assert_eq!((migration.calls_lost, migration.calls_late), (None, None));
    assert_eq!((migration.error_replies, migration.brownout_ms), (None, None));

    let mut run = Run::new();
    run.load_end = 3_000 * MS;
    let reasons = run.impact().reasons;
    assert!(reasons.iter().any(|(s, t)| *s == Invalid && t.contains("before the migration was")));
}

#[test]
fn the_machine_must_be_seen_at_the_target() {
    only(&settled(Run::new(), |s| s.on_target = Some(false)), Invalid, &["was not seen to run"]);
    only(&settled(Run::new(), |s| s.on_target = None), Degraded, &["nothing confirmed"]);
    let mut run = Run::new();
    run.settled = None;
    only(&run, Degraded, &["nothing confirmed"]);
}

#[test]
fn a_post_copy_must_be_one() {
    let mut run = Run::new();
    run.strategy = Strategy::PostCopy;
    only(&run, Invalid, &["post-copy never began", "postcopy-after="]);
    let began = run.clone().with(EventKind::PostCopy, 5_000 * MS);
    assert_eq!(began.impact().reasons, []);
    // Nothing but the exit of a program is known.
    run.events.retain(|event| matches!(event.kind, EventKind::Fired | EventKind::Completed));
    only(&run, Degraded, &["could not be verified that post-copy began"]);
}

#[test]
fn stop_and_resume_must_pair() {
    only(&Run::new().without(&EventKind::Resume), Degraded, &["no resume after it"]);
    only(&Run::new().without(&EventKind::Stop), Degraded, &["no stop before it"]);
}

#[test]
fn the_log_must_be_whole() {
    let mut run = Run::new();
    run.calls.sort_by_key(|call| call.intended);
    run.limit = Some(990);
    only(&run, Invalid, &["10 of 1000 calls", "call log"]);
}

#[test]
fn failures_of_the_client_spoil_a_run() {
    for cause in [Cause::DescriptorsExhausted, Cause::AddressUnavailable, Cause::OutOfMemory] {
        let run = Run::new().map(|c| {
            let ours = c.intended == 7_000 * MS || c.intended == 7_500 * MS;
            Some(if ours { failed(c.intended, c.done, Phase::Connect, cause) } else { c })
        });
        only(&run, Invalid, &["2 calls", cause.name(), "7.000 s"]);
    }
}

#[test]
fn the_rate_must_be_held_before() {
    let bad = |share: u64| {
        Run::new().map(move |c| {
            let k = c.intended / (10 * MS);
            let lost = (100..400).contains(&k) && k % share == 1;
            Some(if lost { CallRecord { outcome: Outcome::Answered(500), ..c } } else { c })
        })
    };
    // 6 of 300: 2 %, less the two that may be under way: 1.3 %.
    only(&bad(50), Invalid, &["98.0 %", "294 of 300", "lower the rate"]);
    // 3 of 300: 1 %.
    assert_eq!(bad(100).impact().reasons, []);

    // A backlog: every call is answered, but 2 % later each second.
    let backlog = Run::new().map(|c| {
        let late = c.intended.min(4_000 * MS).saturating_sub(1_000 * MS) / 50;
        Some(if c.intended < 4_000 * MS {
            CallRecord { done: c.done + late, sent: c.sent + late, ..c }
        } else {
            c
        })
    });
    assert!(backlog.impact().reasons.iter().any(|(s, t)| *s == Invalid && t.contains("hold")));
}

#[test]
fn the_baseline_must_be_steady_and_large() {
    let slower = Run::new().map(|c| {
        let second_half = (2_500..4_000).contains(&(c.intended / MS));
        Some(if second_half { CallRecord { done: c.done + 3 * MS, ..c } } else { c })
    });
    only(&slower, Degraded, &["not steady", "2.000 ms", "5.000 ms"]);

    let few = Run::new().map(|c| (c.intended >= 3_100 * MS).then_some(c));
    only(&few, Degraded, &["only 90 good replies", "established"]);

    let none = Run::new().map(|c| (c.intended >= 4_000 * MS).then_some(c));
    assert!(none.impact().reasons.iter().any(|(s, t)| *s == Degraded && t.contains("only 0")));
}

#[test]
fn an_outage_shorter_than_the_resolution() {
    let mut run = Run::new().without(&EventKind::Resume).with(EventKind::Resume, 5_004 * MS);
    run.calls = (0..1000).map(|k| call(k * 10 * MS, k * 10 * MS + 2 * MS)).collect();
    only(&run, Degraded, &["4.000 ms", "10.000 ms", "above 250 a second"]);
    // A run without an outage has none, and says so with a bound.
    let outage = run.impact().migration.outage_ms.established.unwrap();
    assert_eq!((outage.gaps, outage.sum_of_gaps), (Some(0), Some(0.0)));
    assert_eq!((outage.longest_gap, outage.interruption_at_least), (Some(10.0), Some(0.0)));
    assert_eq!(outage.bound, Some(10.0));

    // A program that prints both events at once: nobody can call so often.
    let at_once = 5_000 * MS + 11_000;
    let run = Run { calls: run.calls, ..Run::new() };
    let run = run.without(&EventKind::Resume).with(EventKind::Resume, at_once);
    only(&run, Degraded, &["0.011 ms", "no rate of calls resolves so short a time"]);
}

#[test]
fn nobody_answers_while_no_virtual_cpu_runs() {
    // The URL leads to another machine: 5.010 to 5.300 s, surely within the two events.
    let elsewhere = Run::new().map(|c| Some(call(c.intended, c.intended + 2 * MS)));
    let words = ["30 calls were sent and answered", "305.0 ms", "check the URL"];
    only(&elsewhere, Invalid, &words);

    // The outage is there; the resume was told 95 ms late: 27 calls of before it, a 503, and 8 from 5.310 on.
    let late = Run::new().without(&EventKind::Resume).with(EventKind::Resume, 5_400 * MS);
    only(&late, Degraded, &["36 calls were sent and answered", "the times of these events"]);

    // One is not enough to say so, and none that was under way at the stop counts.
    let one = Run::new().map(|c| {
        let answered = c.intended == 5_100 * MS || c.intended == 4_990 * MS;
        Some(if answered { call(c.intended, c.intended + 2 * MS) } else { c })
    });
    assert!(!one.impact().reasons.iter().any(|(_, text)| text.contains("no virtual CPU")));
}

#[test]
fn recovery_must_be_seen() {
    let slow = |c: CallRecord| {
        let after = c.intended > 5_300 * MS;
        Some(if after { CallRecord { done: c.intended + 20 * MS, ..c } } else { c })
    };
    only(&Run::new().map(slow), Degraded, &["did not come back", "lengthen"]);
}

/// Stop and resume of a program, with what `line` says of their times.
fn told_by_a_program(change: impl Fn(Event) -> Event) -> Run {
    let mut run = Run::new();
    for event in &mut run.events {
        if matches!(event.kind, EventKind::Stop | EventKind::Resume) {
            event.source = "command".to_owned();
            *event = change(event.clone());
        }
    }
    run
}

#[test]
fn times_of_another_clock_are_no_downtime() {
    let run = told_by_a_program(|event| event.with("t_refused", 1_764_157_381.5));
    let words = ["2 times", "resume, stop", "1764157381.5", "synchronise the clocks"];
    only(&run, Degraded, &words);
    let m = run.impact().migration;
    assert_eq!((m.downtime_ms.events, m.downtime_ms.bound), (None, None));
    assert!(m.phases.iter().all(|phase| phase.name != "blackout"));
    let outage = m.outage_ms.established.unwrap();
    assert_eq!(outage.gap_of, Some(crate::report::GapOf::Migration));
    // One alone has no other side.
    let run = told_by_a_program(|event| match event.kind {
        EventKind::Stop => event.with("t_refused", 1.5),
        _ => event.with("received_after_s", 0.1),
    });
    assert_eq!(run.impact().migration.downtime_ms.events, None);
    let reasons = run.impact().reasons;
    assert!(reasons.iter().any(|(_, text)| text.contains("first: stop at t = 1.5")), "{reasons:?}");
}

#[test]
fn how_far_off_times_of_receipt_are_is_not_known() {
    let down = |run: &Run| run.impact().migration.downtime_ms;
    let receipt = down(&told_by_a_program(|event| event));
    assert_eq!((receipt.events, receipt.bound), (Some(305.0), None));
    let told = down(&told_by_a_program(|event| event.with("received_after_s", 0.1)));
    assert_eq!((told.events, told.bound), (Some(305.0), Some(2.0)));
}

#[test]
fn an_uncertainty_without_end_overflows_nothing() {
    let run = told_by_a_program(|event| Event {
        uncertainty: Nanos::MAX - 1,
        ..event.with("received_after_s", 0.1)
    });
    let mut run = run.with(EventKind::Paused, 5_200 * MS);
    for event in run.events.iter_mut().filter(|event| event.kind == EventKind::Paused) {
        event.uncertainty = Nanos::MAX;
    }
    run.reach = Some(ReachLog::default());
    let bound = run.impact().migration.downtime_ms.bound.unwrap();
    assert!(bound >= as_millis(Nanos::MAX) / 2.0, "{bound}");
}
