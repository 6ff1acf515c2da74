//! Two machines that do what they are told, each with a server of its own.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::report::whole;
use super::*;
use crate::event::EventKind;
use crate::migration::Ending;
use crate::migration::invented::{Invented, Log};
use crate::plan::{Load, Plan};
use crate::report::schema_tests::Schema;
use crate::report::{Migration, VerdictStatus};
use crate::schedule::Schedule;
use crate::target_server::{RunningTarget, TargetOptions, TargetServer};

const MS: Duration = Duration::from_millis(1);

fn schema() -> Schema {
    Schema::read("migrations.schema.json")
}

/// A server, and a run that moves it.
fn machine(trigger: Invented) -> (RunningTarget, MigrationRun) {
    let server = TargetServer::bind(TargetOptions::default()).unwrap().spawn().unwrap();
    let load = Load::established(Schedule::constant(100.0));
    let plan = Plan::new(server.url().parse().unwrap(), load);
    let run = MigrationRun::new(plan, Box::new(trigger))
        .with_before(100 * MS)
        .with_after(100 * MS)
        .with_reach_check(crate::migration::ReachCheck::Off, 200.0);
    (server, run)
}

/// Runs both machines.
fn run(
    order: MigrationOrder,
    one: Invented,
    other: Invented,
    change: impl Fn(MigrationRun) -> MigrationRun,
    interrupt: &AtomicBool,
    observe: &mut dyn FnMut(&MachineProgress),
) -> Result<MigrationsReport, MigrationsError> {
    let ((_one, first), (_other, second)) = (machine(one), machine(other));
    Migrations::in_order(order)
        .with_machine(change(first))
        .with_machine(change(second))
        .run(interrupt, observe)
}

fn simply(
    order: MigrationOrder,
    one: Invented,
    other: Invented,
) -> Result<MigrationsReport, MigrationsError> {
    run(order, one, other, |run| run, &AtomicBool::new(false), &mut |_| {})
}

fn endings(report: &MigrationsReport) -> Vec<Option<Ending>> {
    let ending = |m: &MachineReport| m.report.as_ref()?.migration.as_ref()?.ending;
    report.machines.iter().map(ending).collect()
}

#[test]
fn one_after_the_other_each_with_its_own_impact() {
    let log = Log::default();
    let one = Invented::new("one", &log);
    let other = Invented::new("other", &log);
    let report = simply(MigrationOrder::Sequential, one, other).unwrap();
    let all = log.lock().unwrap().join(", ");
    assert_eq!(
        all,
        "one fired, one stop, one resume, one completed, other fired, other stop, other resume, \
         other completed"
    );
    assert_eq!(endings(&report), [Some(Ending::Completed); 2]);
    let whole = &report.whole;
    assert_eq!((whole.machines, whole.completed), (2, 2));
    // The load of the first went on until the second was done.
    let of = |machine: usize| report.machines[machine].report.as_ref().unwrap();
    let total = |machine: usize| {
        of(machine).migration.as_ref().unwrap().total_migration_time_ms.trigger.unwrap()
    };
    assert!(whole.total_migration_time_ms.unwrap() >= total(0) + total(1));
    assert!(of(0).duration_s * 1e3 >= whole.total_migration_time_ms.unwrap());
    assert!(whole.sum_of_downtimes_ms.is_some() && whole.calls_lost.is_some());
    assert!(whole.worst_outage_established.is_some() && whole.connections_lost.is_some());
    assert_eq!(whole.worst_outage_fresh, None);
    let again = MigrationsReport::from_json(&report.to_json_pretty().unwrap()).unwrap();
    assert_eq!((&again.whole, again.order), (whole, MigrationOrder::Sequential));
    let document = serde_json::to_value(&report).unwrap();
    schema().validate(&document);
    schema().strict().validate(&document);
    let reports = Schema::read("report.schema.json");
    document["machines"].as_array().unwrap().iter().for_each(|m| reports.validate(&m["report"]));
    let text = render_migrations_text(&report);
    let title = "Live migration under load: 2 machines, moved one after the other; 2 completed\n";
    assert!(text.starts_with(title), "{text}");
    assert_eq!(text.matches("  completed  ").count(), 2, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn together_both_are_fired_before_either_is_done() {
    let log = Log::default();
    // Each goes on until the other was fired.
    let (one, other) =
        (Invented::new("one", &log).that(&[]), Invented::new("other", &log).that(&[]));
    let interrupt = AtomicBool::new(false);
    let mut seen = [false; 2];
    let report = run(MigrationOrder::Parallel, one, other, |run| run, &interrupt, &mut |now| {
        seen[now.machine - 1] = true;
        let fired = log.lock().unwrap().iter().filter(|line| line.ends_with("fired")).count();
        if fired == 2 {
            // Both are under way.
            interrupt.store(true, SeqCst);
        }
    });
    let report = report.unwrap();
    assert_eq!(endings(&report), [Some(Ending::Cancelled); 2]);
    assert!(report.interrupted && seen == [true; 2]);
    assert_eq!(report.whole.total_migration_time_ms, None);
}

#[test]
fn where_one_cannot_be_prepared_none_is_moved() {
    for order in [MigrationOrder::Parallel, MigrationOrder::Sequential] {
        let log = Log::default();
        let one = Invented::new("one", &log);
        let other = Invented::new("other", &log).that_refuses("arm");
        let error = simply(order, one, other).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("machine 2: ") && error.contains("not today"), "{error}");
        assert!(log.lock().unwrap().is_empty(), "{log:?}");
    }
}

#[test]
fn behind_one_that_fails_nobody_is_moved() {
    let log = Log::default();
    let one = Invented::new("one", &log).that(&[EventKind::Failed]);
    let other = Invented::new("other", &log);
    let report = simply(MigrationOrder::Sequential, one, other).unwrap();
    assert_eq!(endings(&report), [Some(Ending::Failed), None]);
    let second = report.machines[1].report.as_ref().unwrap();
    let why = "the machine was not moved: machine 1 was not moved";
    assert!(second.verdict.reasons.iter().any(|reason| reason == why), "{second:?}");
    // Nothing is said of what was not tried.
    assert!(second.events.is_empty(), "{second:?}");
    assert_eq!(second.verdict.reasons.iter().filter(|why| why.contains("migration")).count(), 1);
    assert_eq!((report.whole.calls_lost, report.whole.total_migration_time_ms), (None, None));
    assert_eq!(report.whole.completed, 0);
    assert!(!log.lock().unwrap().iter().any(|line| line.starts_with("other")));
    // What was measured stands.
    let calls = report.machines[1].report.as_ref().unwrap().counts.answered;
    assert!(calls > 0);
}

#[test]
fn one_that_refuses_to_go_leaves_the_other_its_report() {
    let log = Log::default();
    let one = Invented::new("one", &log);
    let other = Invented::new("other", &log).that_refuses("fire");
    let report = simply(MigrationOrder::Parallel, one, other).unwrap();
    assert_eq!(endings(&report)[0], Some(Ending::Completed));
    assert_eq!(report.verdict.status, VerdictStatus::Invalid);
    let reasons = report.verdict.reasons.join("\n");
    let second = report.machines[1].report.as_ref().unwrap();
    assert!(!second.events.iter().any(|event| event.name == "accepted"), "{second:?}");
    // Its load went on all the same.
    assert!(second.counts.answered > 0);
    assert!(reasons.contains("machine 2: ") && reasons.contains("not today"), "{reasons}");
}

#[test]
fn a_limit_is_that_of_each_machine() {
    let log = Log::default();
    let one = Invented::new("one", &log);
    let other = Invented::new("other", &log).that(&[]);
    let limited = |run: MigrationRun| run.with_limit(300 * MS);
    let never = AtomicBool::new(false);
    let report = run(MigrationOrder::Sequential, one, other, limited, &never, &mut |_| {}).unwrap();
    assert_eq!(endings(&report), [Some(Ending::Completed), Some(Ending::Cancelled)]);
    let reasons = report.verdict.reasons.join("\n");
    assert!(reasons.contains("machine 2: the migration did not end within 0.3 s"), "{reasons}");
}

#[test]
fn the_schema_has_what_documents_have_and_refuses_what_is_none() {
    let log = Log::default();
    let moved = |name| Invented::new(name, &log);
    let report = simply(MigrationOrder::Parallel, moved("one"), moved("other")).unwrap();
    let mut document = serde_json::to_value(&report).unwrap();
    let worst = document["whole"]["worst_outage_established"].clone();
    document["whole"]["worst_outage_fresh"] = worst;
    let missing = schema().not_in(&[document.clone()]);
    assert!(missing.is_empty(), "{missing:#?}");
    for (at, value) in [("/schema", "loadgen-migrations/2"), ("/order", "zigzag")] {
        let mut bad = document.clone();
        *bad.pointer_mut(at).unwrap() = value.into();
        assert!(!schema().takes(&bad), "{at}");
    }
    let later =
        report.to_json_pretty().unwrap().replace("loadgen-migrations/1", "loadgen-migrations/9");
    let error = MigrationsReport::from_json(&later).unwrap_err().to_string();
    assert!(error.contains("loadgen-migrations/9"), "{error}");
    let later = report.to_json_pretty().unwrap().replace("loadgen-report/1", "loadgen-report/9");
    let error = MigrationsReport::from_json(&later).unwrap_err().to_string();
    assert!(error.contains("loadgen-report/9"), "{error}");
    // A setting of the plan that only a later version knows is passed over, and named.
    let later =
        report.to_json_pretty().unwrap().replace("\"seed\": 1,", "\"seed\": 1, \"new\": 2,");
    let read = MigrationsReport::from_json(&later).unwrap();
    let plan = &read.machines[0].report.as_ref().unwrap().plan;
    assert_eq!(plan.unknown_settings(), ["new"]);
}

#[test]
fn nobody_is_moved_before_a_slow_one_is_prepared() {
    for order in [MigrationOrder::Parallel, MigrationOrder::Sequential] {
        let log = Log::default();
        let one = Invented::new("one", &log);
        let mut other = Invented::new("other", &log);
        let (open, gate) = std::sync::mpsc::channel();
        other.gate = Some(Arc::new(Mutex::new(gate)));
        // The first has had its time before it, and waits.
        let mut waiting = 0;
        let report = run(order, one, other, |run| run, &AtomicBool::new(false), &mut |now| {
            let waits = now.stage == Stage::Before && now.snapshot.elapsed > 150 * MS;
            waiting += u32::from(now.machine == 1 && waits);
            if waiting == 3 {
                // Again, it is heard no more.
                let _ = open.send(());
            }
        });
        assert_eq!(endings(&report.unwrap()), [Some(Ending::Completed); 2]);
        let log = log.lock().unwrap();
        assert_eq!(log[0], "other armed", "{log:?}");
    }
}

#[test]
fn a_sequence_stops_behind_one_that_is_elsewhere_than_it_said() {
    let log = Log::default();
    let mut one = Invented::new("one", &log);
    one.ending = Some(Ending::Failed);
    let report = simply(MigrationOrder::Sequential, one, Invented::new("other", &log)).unwrap();
    assert_eq!(endings(&report), [Some(Ending::Failed), None]);
    assert_eq!(report.whole.completed, 0);
    assert!(!log.lock().unwrap().iter().any(|line| line.starts_with("other")));
}

#[test]
fn broken_off_while_one_is_over_and_one_moves() {
    let log = Log::default();
    let (one, other) = (Invented::new("one", &log), Invented::new("other", &log).that(&[]));
    let interrupt = AtomicBool::new(false);
    let report = run(MigrationOrder::Sequential, one, other, |run| run, &interrupt, &mut |_| {
        if log.lock().unwrap().iter().any(|line| line == "other fired") {
            interrupt.store(true, SeqCst);
        }
    });
    let report = report.unwrap();
    assert_eq!(endings(&report), [Some(Ending::Completed), Some(Ending::Cancelled)]);
    assert!(report.interrupted);
    assert_eq!((report.whole.completed, report.whole.total_migration_time_ms), (1, None));
    // What became of the first is known as ever.
    let first = report.machines[0].report.as_ref().unwrap().migration.as_ref().unwrap();
    assert!(first.total_migration_time_ms.trigger.is_some() && first.downtime_ms.events.is_some());
}

#[test]
fn what_is_not_known_of_each_is_not_known_of_all() {
    let log = Log::default();
    let moved = |name| Invented::new(name, &log);
    let report = simply(MigrationOrder::Parallel, moved("one"), moved("other")).unwrap();
    let whole_of = |change: &dyn Fn(&mut Migration)| {
        let mut machines = report.machines.clone();
        change(machines[1].report.as_mut().unwrap().migration.as_mut().unwrap());
        whole(&machines, &[Some(3_456_789_012_345_678), Some(3_456_789_015_345_678)])
    };
    let longest = |gap: f64, is_cut: bool| {
        whole_of(&|migration| {
            let outage = migration.outage_ms.established.as_mut().unwrap();
            (outage.gap, outage.gap_is_lower_bound) = (Some(gap), is_cut);
        })
        .worst_outage_established
        .unwrap()
    };
    assert_eq!((longest(1e6, false).machine, longest(1e6, false).gap_ms), (2, 1e6));
    // One that was cut may have been the longest, however short what was seen of it.
    let cut = longest(1e-3, true);
    assert!(cut.machine == 1 && cut.is_lower_bound, "{cut:?}");
    // Begins 3 ms after the first, and takes 1 s.
    let all = whole_of(&|migration| migration.total_migration_time_ms.trigger = Some(1e3));
    assert_eq!(all.total_migration_time_ms, Some(1003.0));
    let cut = whole_of(&|migration| {
        migration.connections_lost.established.as_mut().unwrap().is_lower_bound = true;
    });
    assert_eq!(cut.connections_lost, None);
    let unknown = whole_of(&|migration| {
        migration.connections_lost.established = None;
        migration.outage_ms.established.as_mut().unwrap().gap = None;
        migration.downtime_ms.events = None;
        migration.total_migration_time_ms.trigger = None;
    });
    assert_eq!(unknown.connections_lost, None);
    assert_eq!(unknown.worst_outage_established, None);
    assert_eq!((unknown.sum_of_downtimes_ms, unknown.total_migration_time_ms), (None, None));
    assert!(unknown.calls_lost.is_some());
}

#[test]
fn too_few_and_too_many_are_refused() {
    let none =
        Migrations::in_order(MigrationOrder::Parallel).run(&AtomicBool::new(false), &mut |_| {});
    assert_eq!(none.unwrap_err().to_string(), "a run moves 1 to 64 machines, not 0");
    let log = Log::default();
    let mut servers = Vec::new();
    let mut all = Migrations::in_order(MigrationOrder::Parallel);
    for _ in 0..65 {
        let (server, run) = machine(Invented::new("one", &log));
        servers.push(server);
        all = all.with_machine(run);
    }
    let error = all.run(&AtomicBool::new(false), &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "a run moves 1 to 64 machines, not 65");
    assert!(log.lock().unwrap().is_empty());
}

#[test]
fn an_observer_that_panics_costs_no_figures() {
    let log = Log::default();
    let moved = |name| Invented::new(name, &log);
    let never = AtomicBool::new(false);
    let (one, other) = (moved("one"), moved("other"));
    let report =
        run(MigrationOrder::Sequential, one, other, |run| run, &never, &mut |_| panic!("no light"));
    let report = report.unwrap();
    assert_eq!(endings(&report), [Some(Ending::Completed); 2]);
    assert_eq!(report.verdict.status, VerdictStatus::Invalid);
    let why = "the program's observer panicked: no light";
    assert!(report.verdict.reasons.iter().any(|reason| reason.starts_with(why)));
}

/// A run whose server answers with errors, so that its load is given up before its time.
fn given_up(trigger: Invented) -> (RunningTarget, MigrationRun) {
    let options = TargetOptions { status: 500, ..TargetOptions::default() };
    let server = TargetServer::bind(options).unwrap().spawn().unwrap();
    let load = Load::established(Schedule::constant(100.0));
    let plan = Plan::new(server.url().parse().unwrap(), load)
        .with_abort_if("error-rate>50% for 100ms".parse().unwrap());
    let run = MigrationRun::new(plan, Box::new(trigger)).with_before(Duration::from_secs(60));
    (server, run.with_reach_check(crate::migration::ReachCheck::Off, 200.0))
}

#[test]
fn where_a_load_is_given_up_before_it_is_ready_none_is_moved() {
    for order in [MigrationOrder::Parallel, MigrationOrder::Sequential] {
        let log = Log::default();
        let (_first, one) = machine(Invented::new("one", &log));
        let (_second, other) = given_up(Invented::new("other", &log));
        let all = Migrations::in_order(order).with_machine(one).with_machine(other);
        let report = all.run(&AtomicBool::new(false), &mut |_| {}).unwrap();
        assert!(log.lock().unwrap().is_empty(), "{log:?}");
        assert_eq!(endings(&report), [None, None]);
        let of = |machine: usize| report.machines[machine].report.as_ref().unwrap();
        assert!(of(1).aborted.is_some() && of(0).aborted.is_none());
        let why = "the machine was not moved: the load of machine 2 ended";
        assert!(of(0).verdict.reasons.iter().any(|reason| reason == why), "{:?}", of(0).verdict);
    }
}

#[test]
fn an_interrupt_before_all_are_ready_moves_nobody_and_loses_nothing() {
    for order in [MigrationOrder::Parallel, MigrationOrder::Sequential] {
        let log = Log::default();
        let one = Invented::new("one", &log);
        let mut other = Invented::new("other", &log);
        let (_open, gate) = std::sync::mpsc::channel();
        other.gate = Some(Arc::new(Mutex::new(gate)));
        let interrupt = AtomicBool::new(false);
        let report = run(order, one, other, |run| run, &interrupt, &mut |now| {
            if now.machine == 1 && now.stage == Stage::Before {
                interrupt.store(true, SeqCst);
            }
        });
        let report = report.unwrap();
        assert!(log.lock().unwrap().is_empty(), "{log:?}");
        assert!(report.interrupted && report.machines[0].report.is_some());
        assert!(report.machines[1].error.is_some());
        let text = render_migrations_text(&report);
        assert!(text.contains("no report"), "{text}");
    }
}
