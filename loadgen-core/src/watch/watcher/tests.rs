//! A simulated service that freezes at known times, watched by a generator that often stands still.

use proptest::prelude::*;

use super::*;
use crate::clock::{Clock, MILLISECOND as MS};
use crate::migration::{Fate, Method};
use crate::record::{Cause, ConnectionEnd, LoadId, Outcome};
use crate::watch::{FreezeKind, LengthMs, WatchSummary};

/// Times that begin and end, without overlap and in order.
type Spans = Vec<(Nanos, Nanos)>;

#[derive(Debug, Clone)]
struct World {
    freezes: Spans,
    /// Of each worker.
    asleep: Vec<Spans>,
    /// What the service needs for a call.
    need: Nanos,
    end: Nanos,
    /// Whether checks of the kernel go on in freezes; `None`: there are none.
    kernel_answers: Option<bool>,
}

fn at(spans: &Spans, at: Nanos) -> Option<(Nanos, Nanos)> {
    spans.iter().copied().find(|span| span.0 <= at && at < span.1)
}

impl World {
    fn of(freezes: &[(Nanos, Nanos)], end: Nanos) -> Self {
        let ms = |spans: &[(Nanos, Nanos)]| spans.iter().map(|s| (s.0 * MS, s.1 * MS)).collect();
        Self {
            freezes: ms(freezes),
            asleep: vec![Vec::new()],
            need: MS,
            end: end * MS,
            kernel_answers: None,
        }
    }

    fn asleep(mut self, worker: usize, spans: &[(Nanos, Nanos)]) -> Self {
        self.asleep.resize(self.asleep.len().max(worker + 1), Vec::new());
        self.asleep[worker] = spans.iter().map(|s| (s.0 * MS, s.1 * MS)).collect();
        self
    }

    /// The call that was due then.
    fn call(&self, worker: usize, population: Population, intended: Nanos) -> CallRecord {
        let awake = |when: Nanos| at(&self.asleep[worker], when).map_or(when, |pause| pause.1);
        let runs = |when: Nanos| at(&self.freezes, when).map_or(when, |freeze| freeze.1);
        let sent = awake(intended);
        let answered = runs(runs(sent) + self.need);
        let load = LoadId { number: population as u8, population };
        CallRecord {
            sent,
            done: awake(answered),
            outcome: Outcome::Answered(200),
            reused: population == Population::Established,
            ..CallRecord::never_taken_up(load, intended, 0, sent)
        }
    }

    fn calls(&self, worker: usize) -> Vec<CallRecord> {
        let workers = self.asleep.len() as u64;
        let mut calls: Vec<CallRecord> = Vec::new();
        for (population, every) in [(Population::Established, 5 * MS), (Population::Fresh, 20 * MS)]
        {
            let mine = (0..self.end / every).filter(|k| k % workers == worker as u64);
            calls.extend(mine.map(|k| self.call(worker, population, k * every)));
        }
        calls.sort_by_key(|call| call.done);
        calls
    }

    fn checks(&self) -> Vec<Check> {
        let Some(answers) = self.kernel_answers else { return Vec::new() };
        let one = |before: Nanos| {
            let sent = before + 1;
            let is_lost = !answers && at(&self.freezes, sent).is_some();
            let well = Fate::Answered { after: sent, by: sent + MS / 10, first: true };
            Check { before, sent, fate: if is_lost { Fate::Lost } else { well } }
        };
        (0..self.end / (5 * MS)).map(|k| one(k * 5 * MS)).collect()
    }

    fn setting(&self) -> Setting {
        Setting {
            clock: Clock::start(),
            warmup_end: 0,
            per_s: [Some(200.0), Some(50.0)],
            method: self.kernel_answers.map(|_| Method::Rst(63_113)),
            reach_off: self.kernel_answers.is_none().then(|| "it was switched off".to_owned()),
            has_neighbour: false,
        }
    }

    /// Watches it with a look every 100 ms, and gives what was told, and when.
    fn watch(&self, shortest: Nanos) -> (Vec<(Nanos, Freeze)>, Watcher) {
        let mut watcher = Watcher::new(self.setting(), self.asleep.len() as u32, shortest);
        let mut left: Vec<_> = (0..self.asleep.len())
            .map(|worker| self.calls(worker).into_iter().peekable())
            .collect();
        let mut checks = self.checks().into_iter().peekable();
        let mut told = Vec::new();
        let mut looked = vec![0; self.asleep.len()];
        for now in (100 * MS..=self.end).step_by(100 * MS as usize) {
            for (worker, calls) in left.iter_mut().enumerate() {
                if at(&self.asleep[worker], now).is_some() {
                    continue;
                }
                let mut batch = Batch { worker: worker as u32, until: now, ..Batch::default() };
                while let Some(call) = calls.next_if(|call| call.done < now) {
                    batch.calls.push(call);
                }
                let since = std::mem::replace(&mut looked[worker], now);
                let ended = |pause: &&(Nanos, Nanos)| since < pause.1 && pause.1 <= now;
                batch.pauses = self.asleep[worker].iter().filter(ended).copied().collect();
                watcher.take(batch);
            }
            // Checks are known after a second.
            let known = now.saturating_sub(SECOND);
            while let Some(check) = checks.next_if(|check| check.sent < known) {
                watcher.checked(check);
            }
            let checked = if self.kernel_answers.is_some() { known } else { Nanos::MAX };
            watcher.look(checked, &mut |freeze| told.push((now, freeze.clone())));
        }
        for (worker, calls) in left.into_iter().enumerate() {
            let open = |mut call: CallRecord| {
                (call.outcome, call.done) = (Outcome::Unfinished, self.end + MS);
                call
            };
            let calls = calls.map(open).collect();
            let until = self.end;
            watcher.take(Batch { worker: worker as u32, calls, until, ..Batch::default() });
        }
        watcher.end(self.end, &mut |freeze| told.push((self.end, freeze.clone())));
        (told, watcher)
    }
}

/// Whether the interval holds the length of one of these freezes, which it touches.
fn holds(freeze: &Freeze, world: &World) -> bool {
    let from = (freeze.from_s * 1e9) as Nanos;
    let until = freeze.until_s.map_or(Nanos::MAX, |at| (at * 1e9) as Nanos);
    // A moment of a call before and after it.
    let touches = |f: &(Nanos, Nanos)| f.0 <= until + MS && f.1 + MS >= from;
    let touched = world.freezes.iter().filter(|f| touches(f));
    let lengths: Vec<f64> = touched.map(|f| (f.1 - f.0) as f64 / 1e6).collect();
    lengths.iter().any(|length| {
        freeze.length_ms.at_least <= *length
            && freeze.length_ms.at_most.is_none_or(|most| most >= *length)
    }) || {
        // Several in one silence are interrupted for as long as from the first to the last.
        let of: Spans = world.freezes.iter().filter(|f| touches(f)).copied().collect();
        let (first, last) = (of.first().map_or(0, |f| f.0), of.last().map_or(0, |f| f.1));
        let all = last.saturating_sub(first) as f64 / 1e6;
        let LengthMs { at_least, at_most, .. } = freeze.length_ms;
        of.len() > 1 && at_least <= all && at_most.is_none_or(|most| most >= all)
    }
}

#[test]
fn a_freeze_is_told_when_it_is_over_and_its_length_is_held() {
    let world = World::of(&[(10_000, 10_300)], 20_000);
    let (told, watcher) = world.watch(0);
    let [(when, freeze)] = &told[..] else { panic!("{told:?}") };
    // Two seconds after its end, at the next look.
    assert!((12_300 * MS..=12_500 * MS).contains(when), "{when}");
    assert!(holds(freeze, &world), "{freeze:?}");
    let length = freeze.length_ms;
    assert!(length.at_least > 280.0 && length.at_most.unwrap() < 315.0, "{length:?}");
    assert!(freeze.established.is_some() && freeze.fresh.is_some());
    assert_eq!((freeze.number, freeze.own_ms, freeze.calls_failed), (1, 0.0, 0));
    assert_eq!((freeze.kind, watcher.tally.freezes), (FreezeKind::Unknown, 1));
    assert_eq!(watcher.frozen_since, None);
}

#[test]
fn what_froze_is_told_by_the_checks_of_the_kernel() {
    for (answers, expected) in [(true, FreezeKind::Service), (false, FreezeKind::MachineOrNetwork)]
    {
        let mut world = World::of(&[(10_000, 10_300)], 20_000);
        world.kernel_answers = Some(answers);
        let (told, _) = world.watch(0);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].1.kind, expected, "{:?}", told[0].1);
    }
}

#[test]
fn own_pauses_are_no_freezes() {
    let pauses = [(5_000, 5_030), (8_000, 8_400), (12_000, 14_500)];
    let (told, watcher) = World::of(&[], 20_000).asleep(0, &pauses).watch(0);
    assert_eq!(told, []);
    let tally = watcher.tally;
    assert_eq!((tally.unproven, tally.own_silences), (0, 3));
    let summary = tally.into_summary(20 * SECOND, WatchSummary::default());
    assert_eq!((summary.own.sum_s, summary.own.longest_ms), (2.93, 2500.0));
    // Nobody saw what was in them.
    assert_eq!(summary.availability.at_most, 1.0);
    assert!((summary.availability.at_least - (1.0 - 2.93 / 20.0)).abs() < 1e-9);
}

#[test]
fn one_worker_of_two_that_stands_still_makes_no_silence() {
    let (told, watcher) = World::of(&[], 20_000).asleep(1, &[(8_000, 9_000)]).watch(0);
    assert_eq!((told, watcher.tally.own_silences, watcher.tally.unproven), (vec![], 0, 0));
    let world = World::of(&[(8_500, 8_800)], 20_000).asleep(1, &[(8_000, 9_000)]);
    let (told, watcher) = world.watch(0);
    // It is not known whose calls were seen late, so nothing may be proven.
    assert_eq!(told.len() as u64 + watcher.tally.unproven, 1);
    assert!(told.iter().all(|(_, freeze)| holds(freeze, &world)), "{told:?}");
}

#[test]
fn a_freeze_that_goes_on_at_the_end_is_told_without_an_end() {
    let world = World::of(&[(10_000, 99_000)], 20_000);
    let (told, watcher) = world.watch(0);
    let [(when, freeze)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*when, freeze.until_s, freeze.length_ms.at_most), (world.end, None, None));
    assert!(freeze.length_ms.at_least > 9_900.0, "{freeze:?}");
    assert_eq!(watcher.frozen_since.as_ref(), Some(&freeze.from));
}

#[test]
fn short_ones_are_counted_and_not_told() {
    let world = World::of(&[(5_000, 5_080), (10_000, 10_300)], 20_000);
    let (told, watcher) = world.watch(200 * MS);
    assert_eq!((told.len(), told[0].1.number), (1, 1));
    assert_eq!((watcher.tally.freezes, watcher.tally.too_short), (2, 1));
    // Only those are told that were surely as long.
    let LengthMs { at_least, at_most, .. } = told[0].1.length_ms;
    let between = ((at_least + at_most.unwrap()) / 2.0 * 1e6) as Nanos;
    assert!(world.watch(between).0.is_empty());
}

#[test]
fn lost_connections_and_failed_calls_stand_in_their_freeze() {
    let world = World::of(&[(10_000, 10_300)], 20_000);
    let mut watcher = Watcher::new(world.setting(), 1, 0);
    let mut calls = world.calls(0);
    let mut failed = calls.iter_mut().filter(|call| call.intended == 10_100 * MS);
    let call = failed.next().unwrap();
    let failure = crate::record::Failure::new(crate::record::Phase::Head, Cause::Reset);
    (call.outcome, call.done) = (Outcome::Failed(failure), 10_310 * MS);
    calls.sort_by_key(|call| call.done);
    let lost = ConnectionEnd {
        opened: 0,
        alive: 9_900 * MS,
        ended: 10_310 * MS,
        load: 0,
        population: Population::Established,
        loss: Some(Cause::Reset),
        again: 0,
    };
    watcher.take(Batch {
        worker: 0,
        calls,
        lost: vec![lost, ConnectionEnd { alive: 3_000 * MS, ended: 3_001 * MS, ..lost }],
        pauses: Vec::new(),
        until: world.end,
    });
    let mut told = Vec::new();
    watcher.look(Nanos::MAX, &mut |freeze| told.push(freeze.clone()));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].connections_lost(), told[0].calls_failed), (1, 1));
}

/// What is watched of a world whose calls are changed.
fn watched(world: &World, change: impl Fn(&mut CallRecord)) -> (Vec<Freeze>, WatchSummary) {
    let mut watcher = Watcher::new(world.setting(), 1, 0);
    let mut calls = world.calls(0);
    calls.retain(|call| call.done <= world.end);
    calls.iter_mut().for_each(change);
    calls.sort_by_key(|call| call.done);
    watcher.take(Batch { calls, until: world.end, ..Batch::default() });
    let mut told = Vec::new();
    watcher.look(Nanos::MAX, &mut |freeze| told.push(freeze.clone()));
    watcher.end(world.end, &mut |freeze| told.push(freeze.clone()));
    (told, watcher.tally.into_summary(world.end, WatchSummary::default()))
}

/// The calls that were to start in this time are answered with an error.
fn errors(from: Nanos, to: Nanos) -> impl Fn(&mut CallRecord) {
    move |call| {
        if (from * MS..to * MS).contains(&call.intended) {
            call.outcome = Outcome::Answered(503);
        }
    }
}

#[test]
fn a_service_that_answers_with_errors_is_frozen() {
    let (told, summary) = watched(&World::of(&[], 20_000), errors(8_000, 11_000));
    assert_eq!(told.len(), 1, "{summary:?}");
    let length = told[0].length_ms;
    assert!(length.at_least > 2_960.0 && length.at_least <= 3_000.0, "{length:?}");
    assert!(length.at_most.unwrap() >= 3_000.0, "{length:?}");
    assert_eq!(told[0].calls_failed, 3 * 250);
    assert!(summary.availability.at_most < 0.853, "{summary:?}");
}

#[test]
fn errors_before_and_after_an_own_pause_prove_nothing_of_the_time_between() {
    let world = World::of(&[], 20_000);
    let mut watcher = Watcher::new(world.setting(), 1, 0);
    let mut calls = world.calls(0);
    // Nobody asks for three seconds; the last calls before and the first ones after are errors.
    calls.retain(|call| !(8_000 * MS..11_000 * MS).contains(&call.intended));
    calls.iter_mut().for_each(errors(7_960, 11_040));
    let pauses = vec![(8_000 * MS, 11_000 * MS)];
    watcher.take(Batch { calls, pauses, until: world.end, ..Batch::default() });
    let mut told = Vec::new();
    watcher.look(Nanos::MAX, &mut |freeze| told.push(freeze.clone()));
    assert!(told.iter().all(|freeze| freeze.length_ms.at_least < 80.0), "{told:?}");
    let share = watcher.tally.into_summary(world.end, WatchSummary::default()).availability;
    assert!(share.at_most > 0.995, "{share:?}");
}

#[test]
fn a_service_that_is_never_answered_well_was_not_available() {
    let (told, summary) = watched(&World::of(&[], 20_000), errors(0, 20_000));
    assert_eq!((told.len(), told[0].until_s, told[0].length_ms.at_most), (1, None, None));
    assert!(summary.availability.at_most < 0.01, "{summary:?}");
    // And one that answers nothing at all may not have been.
    let (told, summary) = watched(&World::of(&[(0, 90_000)], 20_000), |_| {});
    assert_eq!((told.len(), summary.unproven), (0, 1));
    assert_eq!(summary.availability.at_least, 0.0);
}

#[test]
fn a_freeze_that_began_in_the_warm_up_counts_from_the_begin_of_the_watch() {
    let world = World::of(&[(1_000, 6_000)], 20_000);
    let setting = Setting { warmup_end: 2_000 * MS, ..world.setting() };
    let mut watcher = Watcher::new(setting, 1, 0);
    watcher.take(Batch { calls: world.calls(0), until: world.end, ..Batch::default() });
    let mut told = Vec::new();
    watcher.look(Nanos::MAX, &mut |freeze| told.push(freeze.clone()));
    assert_eq!(told.len(), 1);
    assert!(holds(&told[0], &world), "{told:?}");
    let share = watcher.tally.into_summary(18 * SECOND, WatchSummary::default()).availability;
    let truth = 1.0 - 4.0 / 18.0;
    assert!(share.at_least <= truth && truth <= share.at_most, "{share:?}");
    assert!(share.at_most - share.at_least < 0.01, "{share:?}");
}

#[test]
fn a_service_that_freezes_all_the_time_is_not_taken_for_normal() {
    let freezes: Vec<_> = (0..60).map(|k| (k * 450 + 50, k * 450 + 450)).collect();
    let world = World::of(&freezes, 27_000);
    // Hardly a call is answered at once, so that they prove little; but nothing is called available.
    let (told, watcher) = world.watch(0);
    assert!(told.len() as u64 + watcher.tally.unproven > 55);
    let share = watcher.tally.into_summary(world.end, WatchSummary::default()).availability;
    assert!(share.at_least < 0.12, "{share:?}");
}

#[test]
fn a_service_that_has_much_to_catch_up_with_is_waited_for() {
    // Calls that come after the freeze are answered four seconds late.
    let late = |call: &mut CallRecord| {
        if (10_000 * MS..17_000 * MS).contains(&call.intended) {
            call.done = 17_000 * MS + (call.intended - 10_000 * MS) / 100;
        }
    };
    let world = World::of(&[(10_000, 13_000)], 30_000);
    let (told, summary) = watched(&world, late);
    assert_eq!((told.len(), summary.unproven), (1, 0));
    assert!(told[0].established.is_some() && told[0].fresh.is_some());
}

#[test]
fn a_service_that_is_slow_every_second_is_not_frozen_every_second() {
    let freezes: Spans = (0..300).map(|k| (k * 100 + 50, k * 100 + 80)).collect();
    let (told, watcher) = World::of(&freezes, 30_000).watch(0);
    // The first ones, before that was known to be normal.
    assert!(told.iter().all(|(when, _)| *when < 6 * SECOND), "{}", told.len());
    assert!(watcher.thresholds()[0].unwrap() > 60 * MS);
}

/// Spans of such lengths in ms, so far apart that each is a silence of its own.
fn spans(lengths: std::ops::Range<Nanos>) -> impl Strategy<Value = Spans> {
    prop::collection::vec((lengths, 400..4_000_u64), 0..6).prop_map(|parts| {
        let mut now = 3_000;
        let mut spans = Vec::new();
        for (length, apart) in parts {
            spans.push((now, now + length));
            now += length + apart;
        }
        spans
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn without_own_pauses_each_freeze_is_found_and_held(freezes in spans(40..2_000)) {
        let world = World::of(&freezes, 36_000);
        let (told, watcher) = world.watch(0);
        prop_assert_eq!(told.len(), freezes.len());
        prop_assert_eq!(watcher.tally.unproven, 0);
        for (_, freeze) in &told {
            prop_assert!(holds(freeze, &world), "{:?}", freeze);
            let length = freeze.length_ms;
            prop_assert!(length.at_most.unwrap() - length.at_least < 60.0, "{:?}", freeze);
        }
    }

    #[test]
    fn own_pauses_are_never_told_and_never_narrow(
        freezes in spans(40..2_000),
        pauses in spans(6..2_000),
        shift in 0..3_000_u64,
    ) {
        let pauses: Spans = pauses.iter().map(|p| (p.0 + shift, p.1 + shift)).collect();
        let world = World::of(&freezes, 36_000).asleep(0, &pauses);
        let (told, _) = world.watch(0);
        for (_, freeze) in &told {
            prop_assert!(holds(freeze, &world), "{:?}", freeze);
        }
        // Whatever no pause comes near is found.
        let near = |f: &(Nanos, Nanos)| pauses.iter().any(|p| p.0 < f.1 + 300 && p.1 + 300 > f.0);
        for alone in freezes.iter().filter(|freeze| !near(freeze)) {
            let (from, to) = (alone.0 as f64 / 1e3, alone.1 as f64 / 1e3);
            let found = told.iter().any(|(_, f)| f.from_s <= to && f.until_s.unwrap_or(1e9) >= from);
            prop_assert!(found, "{:?} {:?}", alone, told);
        }
    }
}
