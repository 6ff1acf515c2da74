//! Post-copy that stands still, and machines that are lost.

use super::*;
use crate::migration::{ImpactInput, impact};
use crate::record::CallLog;

const CUT: &str = "Unable to read from socket: Connection reset by peer";

/// Up to a machine that runs at the target in post-copy.
fn switch_over(source: &Vm, target: &Vm) {
    source.set_migrate(active_state());
    source.migration("setup");
    source.migration("active");
    source.await_command("migrate-start-postcopy");
    source.migration("postcopy-active");
    source.event("STOP", json!({}));
    target.migration("postcopy-active");
    "running".clone_into(&mut target.lock().status);
    target.event("RESUME", json!({}));
}

fn cut(source: &Vm, target: &Vm) {
    source.set_migrate(json!({ "status": "postcopy-paused", "error-desc": CUT, "ram": {} }));
    target.migration("postcopy-paused");
    source.migration("postcopy-paused");
}

fn until_paused(rig: &mut Rig) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    while events.last().is_none_or(|e| e.kind != EventKind::Paused) {
        events.extend(rig.trigger.next_event(50 * MS).unwrap());
    }
    events
}

/// The order of events of QEMU 10.0: the target pauses first and goes on first.
#[test]
fn a_pause_is_told_from_its_first_word_to_the_last_side_that_goes_on() {
    let mut rig = Rig::new(Strategy::PostCopy);
    rig.on_migrate(|source, target| {
        switch_over(source, target);
        cut(source, target);
        target.migration("setup");
        source.migration("postcopy-recover-setup");
        source.migration("postcopy-recover");
        target.migration("postcopy-recover");
        target.migration("postcopy-active");
        source.migration("postcopy-active");
        target.migration("completed");
        // The reason stays there, whenever it is asked for.
        let mut done = completed_state();
        done["error-desc"] = json!(CUT);
        source.set_migrate(done);
        source.migration("completed");
    });
    rig.fire().unwrap();
    let (events, settled) = rig.finish();
    // However the words of the two sides come in, they are one pause.
    let log = CallLog::default();
    let end = events.iter().map(|event| event.at).max().unwrap() + 1;
    let told = impact(&ImpactInput::new("qmp", &log, &events, end)).migration.paused_ms.unwrap();
    assert_eq!((told.pauses, told.recovered), (1, true), "{events:?}");
    assert!(told.reason.is_some_and(|why| why.contains("Connection reset by peer")));
    assert_eq!(names(&events).iter().filter(|name| name.ends_with("completed")).count(), 1);
    let paused = find(&events, &EventKind::Paused);
    assert!(reason(paused).contains("Connection reset by peer"), "{paused:?}");
    assert!(paused.attributes["waits_for"].as_str().unwrap().contains("migrate-recover"));
    let again = events.iter().rfind(|e| e.kind == EventKind::PostCopy).unwrap();
    assert!(again.at >= find(&events, &EventKind::Recovering).at);
    assert_eq!((settled.ending, settled.reason), (Ending::Completed, None));
}

#[test]
fn a_pause_that_nobody_ends_fails_with_its_reason_when_it_is_given_up() {
    let mut rig = Rig::new(Strategy::PostCopy);
    rig.on_migrate(|source, target| {
        switch_over(source, target);
        cut(source, target);
    });
    rig.fire().unwrap();
    until_paused(&mut rig);
    rig.trigger.cancel().unwrap();
    let (events, settled) = rig.finish();
    let last = events.last().unwrap();
    for wanted in ["has been paused for", "reset by peer", "nobody recovered it", "resume=true"] {
        assert!(reason(last).contains(wanted), "{wanted}: {last:?}");
    }
    assert!(!last.attributes.contains_key("machine_lost"), "it can still be recovered");
    assert_eq!(settled.ending, Ending::Failed);
    // QEMU 7.2 would say `cancelling` for ever.
    assert!(!rig.source.log().iter().any(|line| line.starts_with("migrate_cancel")));
}

#[test]
fn a_target_that_ends_in_post_copy_takes_the_machine_with_it() {
    let mut rig = Rig::new(Strategy::PostCopy);
    rig.on_migrate(|source, target| {
        switch_over(source, target);
        target.close();
        source.set_migrate(json!({ "status": "postcopy-paused", "ram": {} }));
        source.migration("postcopy-paused");
    });
    rig.fire().unwrap();
    let (events, settled) = rig.finish();
    let last = events.last().unwrap();
    for wanted in ["the target went away", "the machine is lost", "the source cannot run it"] {
        assert!(reason(last).contains(wanted), "{wanted}: {last:?}");
    }
    assert_eq!(last.attributes["machine_lost"], true);
    assert_eq!((settled.ending, settled.on_target), (Ending::Failed, Some(false)));
}

#[test]
fn so_does_a_target_that_ends_after_the_switchover_and_a_source_before() {
    let mut rig = Rig::new(Strategy::PreCopy);
    rig.on_migrate(|source, target| {
        source.event("STOP", json!({}));
        source.set_migrate(completed_state());
        source.migration("completed");
        target.close();
    });
    rig.fire().unwrap();
    let (events, _) = rig.finish();
    let why = reason(events.last().unwrap());
    assert!(why.contains("lost: the source has handed it over"), "{why}");

    for (post_copy, wanted) in [(true, "memory that the target has not"), (false, "where it ran")] {
        let mut rig = Rig::new(if post_copy { Strategy::PostCopy } else { Strategy::PreCopy });
        rig.on_migrate(move |source, target| {
            if post_copy {
                switch_over(source, target);
            } else {
                source.migration("active");
            }
            source.close();
        });
        rig.fire().unwrap();
        let (events, _) = rig.finish();
        let why = reason(events.last().unwrap());
        assert!(why.contains("the machine is lost") && why.contains(wanted), "{why}");
    }
}

#[test]
fn sides_that_contradict_each_other_are_a_failure_that_tells_both() {
    let desc = "Unknown savevm section";
    for target_first in [true, false] {
        let mut rig = Rig::new(Strategy::PreCopy);
        rig.on_migrate(move |source, target| {
            source.migration("active");
            source.event("STOP", json!({}));
            target.set_migrate(json!({ "status": "failed", "error-desc": desc }));
            source.set_migrate(completed_state());
            if target_first {
                target.migration("failed");
                source.migration("completed");
            } else {
                source.migration("completed");
                target.migration("failed");
            }
        });
        rig.fire().unwrap();
        let (events, settled) = rig.finish();
        let why = reason(events.last().unwrap());
        assert!(why.contains("source says completed, but the target says failed"), "{why}");
        assert!(why.contains(desc), "{why}");
        assert_eq!(settled.ending, Ending::Failed);
    }
    // Both said that it was complete, and then the target does not run.
    let mut rig = Rig::new(Strategy::PreCopy);
    rig.on_migrate(|source, target| {
        arrive(source, target);
        "internal-error".clone_into(&mut target.lock().status);
    });
    rig.fire().unwrap();
    while rig.target.lock().status != "internal-error" {
        sleep(MS);
    }
    let (_, settled) = rig.finish();
    assert_eq!((settled.ending, settled.on_target), (Ending::Failed, Some(false)));
    let why = settled.reason.unwrap();
    assert!(why.contains("complete migration, but the target does not run"), "{why}");
    assert!(why.contains("internal-error"), "{why}");
}
