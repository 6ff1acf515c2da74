//! Several invented machines, each of which does what its script says.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use super::*;
use crate::migration::invented::{Invented, Log};

const MS: Duration = Duration::from_millis(1);

fn evacuation(order: EvacuationOrder, machines: Vec<Invented>) -> Evacuation {
    let mut machines = machines.into_iter();
    let first = Evacuation::new(Box::new(machines.next().unwrap())).in_order(order);
    let mut all = machines.fold(first, |all, machine| all.with_other(Box::new(machine)));
    all.arm(&Context::new("test", Clock::start())).unwrap();
    all
}

/// All events to the last one, and what was settled.
fn to_the_end(all: &mut Evacuation) -> (Vec<String>, Settled) {
    let mut names = Vec::new();
    loop {
        let Some(event) = all.next_event(50 * MS).unwrap() else { continue };
        names.push(event.kind.name().to_owned());
        if event.kind.is_final() {
            return (names, all.settle(&event).unwrap());
        }
    }
}

#[test]
fn one_after_the_other_the_next_begins_when_the_last_is_done() {
    for (order, first, second) in
        [(EvacuationOrder::After, "ours", "theirs"), (EvacuationOrder::Before, "theirs", "ours")]
    {
        let log = Log::default();
        let machines = vec![Invented::new("ours", &log), Invented::new("theirs", &log)];
        let mut all = evacuation(order, machines);
        all.fire().unwrap();
        let (names, settled) = to_the_end(&mut all);
        let course = |name: &str| {
            ["fired", "stop", "resume", "completed"].map(|what| format!("{name} {what}"))
        };
        assert_eq!(*log.lock().unwrap(), [course(first), course(second)].concat());
        // Ours as they are, theirs marked; what is complete is the whole.
        let marks = ["machine 2 stop", "machine 2 resume", "machine 2 completed"];
        let (ours, mut wanted) = (["stop", "resume", "machine 1 completed"], vec!["accepted"]);
        match order {
            EvacuationOrder::After => {
                wanted.extend(ours);
                wanted.push("machine 2 accepted");
                wanted.extend(marks);
            }
            _ => {
                wanted.extend(marks);
                wanted.push("machine 1 accepted");
                wanted.extend(ours);
            }
        }
        wanted.push("completed");
        assert_eq!(names, wanted);
        assert_eq!(settled.ending, Ending::Completed);
        assert_eq!((settled.transferred_bytes, settled.hypervisor_total), (Some(200), None));
        let told = &settled.machines;
        assert_eq!((told.len(), &*told[1].trigger), (2, "theirs"));
        assert!(told.iter().all(|machine| machine.ending == Some(Ending::Completed)
            && machine.hypervisor_total_ms == Some(9.0)
            && machine.total_ms.unwrap() >= machine.downtime_ms.unwrap()));
    }
}

/// A machine that takes its time does not hold up another one.
#[test]
fn in_parallel_all_are_under_way_at_once() {
    let log = Log::default();
    let slow = Invented::new("ours", &log).that(&[]);
    let mut all = evacuation(EvacuationOrder::Parallel, vec![slow, Invented::new("theirs", &log)]);
    all.fire().unwrap();
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != "machine 2 completed") {
        names.extend(all.next_event(50 * MS).unwrap().map(|e| e.kind.name().to_owned()));
    }
    assert_eq!(log.lock().unwrap()[..2], ["ours fired", "theirs fired"]);
    all.cancel().unwrap();
    let (names, settled) = to_the_end(&mut all);
    assert_eq!(names, ["machine 1 cancelled", "cancelled"]);
    assert_eq!(settled.ending, Ending::Cancelled);
    assert_eq!(settled.reason.as_deref(), Some("machine 1: it was cancelled"));
}

/// It may stop before its start has come back to us, and one that was refused never began.
#[test]
fn no_machine_stands_still_for_longer_than_it_is_moved() {
    let mut machine = Machine::new(Box::new(Invented::new("theirs", &Log::default())));
    let told = |kind, at, source| Event::new(kind, at, 0, source);
    machine.note(&told(EventKind::Fired, 100, OURSELVES));
    machine.fail("refused".to_owned(), 150);
    assert_eq!((machine.moved().total_ms, machine.moved().ending), (None, Some(Ending::Failed)));
    let mut machine = Machine::new(Box::new(Invented::new("theirs", &Log::default())));
    for (kind, at, source) in [
        (EventKind::Fired, 100_000_000, OURSELVES),
        (EventKind::Accepted, 190_000_000, OURSELVES),
        (EventKind::Stop, 150_000_000, "theirs"),
        (EventKind::Resume, 250_000_000, "theirs"),
        (EventKind::Completed, 250_000_000, "theirs"),
    ] {
        machine.note(&told(kind, at, source));
    }
    let moved = machine.moved();
    assert_eq!((moved.total_ms, moved.downtime_ms), (Some(100.0), Some(100.0)));
}

#[test]
fn after_one_that_fails_no_other_is_moved() {
    let log = Log::default();
    let fails = Invented::new("theirs", &log).that(&[EventKind::Failed]);
    let machines = vec![Invented::new("ours", &log), fails, Invented::new("more", &log)];
    let mut all = evacuation(EvacuationOrder::Before, machines);
    all.fire().unwrap();
    let (_, settled) = to_the_end(&mut all);
    assert_eq!(settled.ending, Ending::Failed);
    let reason = "machine 1: it was not moved; machine 2: it failed; machine 3: it was not moved";
    assert_eq!(settled.reason.as_deref(), Some(reason));
    assert_eq!(*log.lock().unwrap(), ["theirs fired", "theirs failed"]);
    assert_eq!(settled.machines[2].ending, None);
}

#[test]
fn a_trigger_that_breaks_down_or_refuses_is_named() {
    let log = Log::default();
    let that_refuses = |what| Invented::new("theirs", &log).that_refuses(what);
    for (what, reason) in [
        ("fire", "machine 2: fire was refused: not today"),
        ("next_event", "machine 2: the trigger broke down: next_event was refused: not today"),
    ] {
        for order in [EvacuationOrder::Parallel, EvacuationOrder::After] {
            let machines = vec![Invented::new("ours", &log), that_refuses(what)];
            let mut all = evacuation(order, machines);
            all.fire().unwrap();
            let (names, settled) = to_the_end(&mut all);
            assert_eq!(names.last().map(String::as_str), Some("failed"));
            assert_eq!((settled.ending, settled.reason.as_deref()), (Ending::Failed, Some(reason)));
        }
    }
    let check = |what| {
        let theirs = Box::new(that_refuses(what));
        Evacuation::new(Box::new(Invented::new("ours", &log))).with_other(theirs)
    };
    let error = check("check").check().unwrap_err().to_string();
    assert_eq!(error, "moving machine 2 was refused: check was refused: not today");
    let context = Context::new("test", Clock::start());
    assert!(check("arm").arm(&context).unwrap_err().to_string().contains("moving machine 2"));
    // What never began is an error, and no migration that failed.
    let ours = Invented::new("ours", &log).that_refuses("fire");
    let mut all = evacuation(EvacuationOrder::After, vec![ours, Invented::new("theirs", &log)]);
    assert!(all.fire().unwrap_err().to_string().contains("moving machine 1"));
}

#[test]
fn one_that_cannot_be_cancelled_says_so_and_the_others_are() {
    let log = Log::default();
    let mut stubborn = Invented::new("theirs", &log).that(&[]);
    stubborn.is_cancellable = false;
    let ended = Arc::clone(&stubborn.ended);
    let machines = vec![Invented::new("ours", &log).that(&[]), stubborn];
    let mut all = evacuation(EvacuationOrder::Parallel, machines);
    all.fire().unwrap();
    let refused = all.cancel().unwrap_err();
    assert!(matches!(refused, TriggerError::Unsupported(_)), "{refused}");
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != "machine 1 cancelled") {
        names.extend(all.next_event(50 * MS).unwrap().map(|e| e.kind.name().to_owned()));
    }
    // Nobody waits for the other one: its trigger is dropped, which gives its migration up.
    assert_eq!(ended.load(SeqCst), 0);
    drop(all);
    assert_eq!(ended.load(SeqCst), 1);
}
