//! What the reach check says: invented logs of checks, of which it is known when the
//! network lost packets and when the kernel kept silent.

use super::*;
use crate::migration::reach::method::Method;
use crate::migration::reach::{Check, Fate};
use crate::random::SplitMix64;
use crate::report::Unreachable;

/// How long a check takes to leave, and its answer to come.
const TRIP: Nanos = MS / 10;

/// A check each 5 ms over the whole run, at these (ms) lost, all others answered at
/// once.
fn log(lost: &[(Nanos, Nanos)]) -> ReachLog {
    let is_lost = |at: Nanos| lost.iter().any(|(from, to)| (from * MS..to * MS).contains(&at));
    let fate = |at| if is_lost(at) { Fate::Lost } else { answered(at) };
    ReachLog {
        method: Some(Method::Rst(1)),
        rate_per_s: 200.0,
        checks: (0..2000).map(|k| check(k * 5 * MS, fate)).collect(),
        ..ReachLog::default()
    }
}

fn check(at: Nanos, fate: impl Fn(Nanos) -> Fate) -> Check {
    Check { before: at, sent: at + TRIP, fate: fate(at) }
}

fn answered(at: Nanos) -> Fate {
    Fate::Answered { after: at + TRIP, by: at + 2 * TRIP, first: true }
}

/// What was asked in `[from, to)` (ms) reached the machine and was answered when that
/// ran again, at `to`.
fn held(mut log: ReachLog, from: Nanos, to: Nanos) -> ReachLog {
    for check in &mut log.checks {
        if (from * MS..to * MS).contains(&check.before) {
            check.fate = answered(to * MS);
        }
    }
    log
}

fn with(run: Run, log: ReachLog) -> Run {
    Run { reach: Some(log), ..run }
}

fn unreachable(run: &Run) -> Unreachable {
    run.impact().migration.unreachable_ms
}

/// STOP at 5 s, RESUME so many ms after the start of the load.
fn resumed(at: Nanos) -> Run {
    Run::new().without(&EventKind::Resume).with(EventKind::Resume, at * MS)
}

/// A trigger that tells neither STOP nor RESUME.
fn untold() -> Run {
    Run::new().without(&EventKind::Resume).without(&EventKind::Stop)
}

#[track_caller]
fn near(is: Option<f64>, wanted: f64) {
    assert!(is.is_some_and(|is| (is - wanted).abs() < 1e-6), "{is:?}, not {wanted}");
}

#[track_caller]
fn nothing_is_said(m: &Migration, why: &str) {
    let (u, s) = (&m.unreachable_ms, &m.silent_ms);
    assert!(u.reason.as_ref().unwrap().contains(why), "{u:?}");
    assert_eq!((u.at_least, u.at_most, u.start_s, u.other_runs), (None, None, None, None));
    assert_eq!((s.at_least, s.at_most, s.start_s, s.longest_before), (None, None, None, None));
}

#[test]
fn of_several_darks_the_switchovers_is_the_headline() {
    let lost = [(2_000, 2_020), (4_300, 4_400), (5_000, 5_305), (7_000, 7_900)];
    let u = unreachable(&with(Run::new(), log(&lost)));
    // The last that arrived left from 4,995 on, the first that did not by 5,000.1 …
    near(u.at_least, 5_300.0 - 5_000.1);
    near(u.at_most, 5_305.1 - 4_995.0);
    near(u.start_s, 4.995);
    // … and the longer one later is told apart; that before the firing is none of these.
    assert_eq!((u.other_runs, u.lost_before, u.lost), (Some(2), Some(4), Some(20 + 61 + 180)));
    near(u.longest_other_at_most, 7_900.1 - 6_995.0);
    assert_eq!(u.reason, None);
    // Without STOP and RESUME nothing tells which it is: the longest.
    let u = unreachable(&with(untold(), log(&lost)));
    near(u.start_s, 6.995);
    near(u.longest_other_at_most, 5_305.1 - 4_995.0);
}

#[test]
fn of_two_darks_at_the_switchover_the_longer_one_counts() {
    let u = unreachable(&with(Run::new(), log(&[(5_000, 5_050), (5_055, 5_305)])));
    near(u.start_s, 5.050);
    assert_eq!(u.other_runs, Some(1));
}

#[test]
fn a_network_that_learns_late_counts_when_nothing_else_was_lost() {
    let held = |lost: &[(Nanos, Nanos)]| with(Run::new(), held(log(lost), 5_000, 5_305));
    let late = unreachable(&held(&[(5_600, 5_700), (8_000, 8_500)]));
    near(late.start_s, 5.595);
    near(late.at_least, 5_695.0 - 5_600.1);
    // Too late to be of the switch-over: then only the spacing of the checks bounds.
    let u = unreachable(&held(&[(8_000, 8_500)]));
    assert_eq!((u.start_s, u.other_runs, u.at_least), (None, Some(1), Some(0.0)));
    near(u.at_most, 5.1);
}

#[test]
fn a_dark_that_the_load_does_not_outlast_has_no_upper_end() {
    let u = unreachable(&with(Run::new(), log(&[(5_000, 10_000)])));
    near(u.at_least, 9_995.0 - 5_000.1);
    assert_eq!((u.at_most, u.other_runs), (None, Some(0)));
}

#[test]
fn syns_to_the_service_prove_no_dark() {
    let mut log = log(&[(5_000, 5_300)]);
    log.method = Some(Method::Syn);
    let u = unreachable(&with(Run::new(), log));
    assert_eq!(u.at_least, Some(0.0));
    near(u.at_most, 5_300.1 - 4_995.0);
}

#[test]
fn answers_while_no_virtual_cpu_runs_are_anothers() {
    let without = Run::new().impact().migration;
    let m = with(Run::new(), log(&[])).impact().migration;
    nothing_is_said(&m, "something in front of the machine answers in its place");
    // The account of the checks stays, and the outage is what it was.
    assert_eq!((m.unreachable_ms.sent, m.unreachable_ms.lost), (Some(2000), Some(0)));
    assert_eq!(m.outage_ms, without.outage_ms);
    // Whatever was lost beside.
    let m = with(Run::new(), log(&[(5_050, 5_250)])).impact().migration;
    nothing_is_said(&m, "in its place");
    // Where both are within the uncertainty of the events, they prove nothing.
    let m = with(Run::new(), log(&[(5_003, 5_300)])).impact().migration;
    assert_eq!(m.unreachable_ms.reason, None);
    near(m.unreachable_ms.start_s, 5.0);
}

#[test]
fn checks_that_say_nothing_before_the_firing_say_nothing_after_it() {
    let m = with(Run::new(), log(&[(0, 1_000), (5_000, 5_305)])).impact().migration;
    nothing_is_said(&m, "600 of 800 checks before the firing were answered");
    let m = with(Run::new(), ReachLog::off("switched off")).impact().migration;
    nothing_is_said(&m, "switched off");
    assert_eq!(m.unreachable_ms.sent, None);
    nothing_is_said(&Run::new().impact().migration, "there was no reach check");
    let run = with(Run::new(), log(&[(5_000, 5_305)]));
    let unfired = run.without(&EventKind::Fired).without(&EventKind::Accepted);
    nothing_is_said(&unfired.impact().migration, "nothing was fired");
}

/// The machine runs again from 5.1 s on, its service answers from 5.307 s on.
#[test]
fn a_kernel_that_answers_before_its_service_is_catching_up() {
    let of = |run: &Run| run.impact().migration.outage_ms.established.unwrap();
    let blind = of(&resumed(5_100));
    assert_eq!((blind.catching_up_at_least, blind.catching_up_at_most), (None, None));
    let lost = of(&with(resumed(5_100), log(&[(5_000, 5_100)])));
    near(lost.catching_up_at_least, 5_307.0 - 5_100.2);
    assert!(lost.catching_up_at_most.is_some_and(|most| (207.0..213.0).contains(&most)));
    // The interruption may have ended with the silence; its upper end stays.
    let (least, blind_least) =
        (lost.interruption_at_least.unwrap(), blind.interruption_at_least.unwrap());
    assert!(least <= 100.0 && least > 80.0 && blind_least > 250.0, "{least}, {blind_least}");
    assert_eq!(lost.interruption_at_most, blind.interruption_at_most);
    assert_eq!((lost.gap, lost.gap_start_s), (blind.gap, blind.gap_start_s));
    // The same by packets that waited for the machine in place of being lost.
    let held = of(&with(resumed(5_100), held(log(&[]), 5_000, 5_100)));
    near(held.catching_up_at_least, 5_307.0 - 5_100.2);
    near(held.catching_up_at_most, 5_307.0 - 5_100.1);
}

#[test]
fn a_kernel_that_was_never_silent_says_nothing_of_the_service() {
    let blind = untold().impact().migration.outage_ms;
    let m = with(untold(), log(&[])).impact().migration;
    assert_eq!(m.outage_ms, blind);
    near(m.silent_ms.at_most, 5.1);
    // A silence elsewhere is not that of this gap.
    let m = with(untold(), log(&[(7_000, 7_300)])).impact().migration;
    assert_eq!(m.outage_ms, blind);
}

/// Whatever the log: it can only take from what is sure, and nothing else changes.
#[test]
fn no_log_of_checks_raises_what_an_outage_surely_was() {
    let (mut told, mut lowered) = (0, 0);
    for seed in 0..150 {
        let mut random = SplitMix64::new(seed);
        let mut up_to = |most: Nanos| random.draw() % most;
        let run = match up_to(3) {
            0 => untold(),
            1 => resumed(5_010 + up_to(295)),
            _ => Run::new(),
        };
        let mut spans = Vec::new();
        for _ in 0..up_to(4) {
            let from = 4_900 + up_to(500);
            spans.push((from, from + up_to(400)));
        }
        let mut log = log(&spans);
        if up_to(2) == 0 {
            let from = 4_900 + up_to(300);
            log = held(log, from, from + up_to(400));
        }
        for check in log.checks.iter_mut().filter(|check| check.before > 4_000 * MS) {
            match up_to(10) {
                0 => check.fate = Fate::Unknown,
                1 => check.sent += up_to(4 * MS),
                _ => {}
            }
            if let Fate::Answered { by, .. } = &mut check.fate {
                *by = (*by + up_to(3 * MS)).max(check.sent);
            }
        }
        let of = |run: &Run| run.impact().migration.outage_ms.established.unwrap();
        let (blind, mut seen) = (of(&run), of(&with(run.clone(), log)));
        let what = format!("seed {seed}: {blind:?}, {seen:?}");
        assert!(seen.interruption_at_least <= blind.interruption_at_least, "{what}");
        lowered += u32::from(seen.interruption_at_least < blind.interruption_at_least);
        if let Some(least) = seen.catching_up_at_least {
            told += 1;
            assert!(seen.catching_up_at_most.is_some_and(|most| least <= most), "{what}");
            assert!(seen.catching_up_at_most <= seen.gap, "{what}");
        }
        // The bound follows from the interval; all else is as it was.
        assert!(seen.bound >= blind.bound, "{what}");
        (seen.interruption_at_least, seen.bound) = (blind.interruption_at_least, blind.bound);
        (seen.catching_up_at_least, seen.catching_up_at_most) = (None, None);
        assert_eq!(seen, blind, "seed {seed}");
    }
    assert!(told > 10 && lowered > 10, "{told} {lowered}");
}

/// The log with no checks from this moment (ms) on.
fn cut(mut log: ReachLog, at: Nanos) -> ReachLog {
    log.checks.retain(|check| check.before < at * MS);
    log.cut = Some("it stopped after 9 checks".to_owned());
    log
}

#[test]
fn what_was_seen_until_the_checks_stopped_by_themselves_stands() {
    let whole = with(Run::new(), log(&[(5_000, 5_305)])).impact().migration;
    let m = with(Run::new(), cut(log(&[(5_000, 5_305)]), 7_000)).impact().migration;
    let (u, of) = (&m.unreachable_ms, &whole.unreachable_ms);
    assert!(of.at_least.is_some() && of.reason.is_none());
    assert_eq!((u.at_least, u.at_most, u.start_s), (of.at_least, of.at_most, of.start_s));
    assert_eq!(u.reason.as_deref(), Some("it stopped after 9 checks"));
    assert_eq!(m.silent_ms.at_most, whole.silent_ms.at_most);
    // What came after it is not known.
    for at in [3_000, 5_100, 5_310] {
        let m = with(Run::new(), cut(log(&[(5_000, 5_305)]), at)).impact().migration;
        nothing_is_said(&m, "it stopped after 9 checks, before the machine was known to run");
    }
}
