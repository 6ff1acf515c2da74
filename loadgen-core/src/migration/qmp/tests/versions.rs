//! What differs between versions of QEMU: orders of events, new states.

use super::*;

#[test]
fn newer_versions_are_understood() {
    let mut rig =
        Rig::with(|options| options.capabilities = vec!["pause-before-switchover".into()]);
    rig.source.lock().capabilities.push("pause-before-switchover");
    rig.target.lock().capabilities.push("pause-before-switchover");
    rig.on_migrate(|source, target| {
        source.line(&json!({ "news": "of a later protocol" }));
        source.event("A_NEW_EVENT", json!({ "x": [1, 2] }));
        source.migration("prepared-for-lift-off");
        source.migration("pre-switchover");
        source.await_command("migrate-continue");
        // QEMU could not read its clock.
        let never = json!({ "seconds": -1, "microseconds": -1 });
        source.line(&json!({ "event": "STOP", "timestamp": never }));
        pre_copy(source, target);
    });
    rig.fire().unwrap();
    let (events, settled) = rig.finish();
    assert!(names(&events).contains(&"source pre-switchover".to_owned()));
    // What nobody knows here is an event by its name, and so in every form of a report.
    let new = find(&events, &EventKind::State("prepared-for-lift-off".to_owned()));
    assert_eq!(new.kind.to_string(), "state prepared-for-lift-off");
    let report = crate::event::EventReport::from(new);
    assert_eq!(report.attributes["status"], "prepared-for-lift-off");
    assert!(find(&events, &EventKind::Stop).uncertainty >= 1_000_000, "time of receipt");
    assert_eq!(settled.ending, Ending::Completed);
}

/// As QEMU 11 tells of a post-copy: no first pass, the state `postcopy-device`, and a pass
/// of post-copy every 100 ms.
#[test]
fn without_a_first_pass_the_first_round_begins_when_the_source_is_active() {
    let mut rig = Rig::new(Strategy::PostCopy);
    rig.on_migrate(|source, target| {
        source.set_migrate(active_state());
        source.migration("setup");
        target.migration("active");
        source.migration("active");
        source.event("MIGRATION_PASS", json!({ "pass": 2 }));
        source.await_command("migrate-start-postcopy");
        source.event("STOP", json!({}));
        source.migration("device");
        source.event("MIGRATION_PASS", json!({ "pass": 3 }));
        source.migration("postcopy-device");
        target.migration("postcopy-active");
        source.migration("postcopy-active");
        "running".clone_into(&mut target.lock().status);
        target.event("RESUME", json!({}));
        for pass in 4..9 {
            source.event("MIGRATION_PASS", json!({ "pass": pass }));
        }
        target.migration("completed");
        source.set_migrate(completed_state());
        source.migration("completed");
    });
    rig.fire().unwrap();
    let (events, settled) = rig.finish();
    let told = names_of("source", &events);
    let wanted = ["fired", "accepted", "setup", "round 1", "round 2", "stop"];
    assert_eq!(told[..6], wanted);
    assert_eq!(told[6..8], ["state postcopy-device", "post-copy"]);
    let passes = events.iter().filter(|e| e.attributes.contains_key("post_copy_pass"));
    assert_eq!(passes.count(), 6, "they are kept, but are no rounds");
    assert_eq!(settled.ending, Ending::Completed);
}

#[test]
fn a_first_pass_that_is_told_after_active_is_told_once() {
    let mut rig = Rig::new(Strategy::PreCopy);
    rig.on_migrate(|source, target| {
        source.set_migrate(active_state());
        source.migration("setup");
        source.migration("active");
        source.event("MIGRATION_PASS", json!({ "pass": 1 }));
        source.event("MIGRATION_PASS", json!({ "pass": 2 }));
        arrive(source, target);
    });
    rig.fire().unwrap();
    let (events, _) = rig.finish();
    let rounds: Vec<String> =
        names(&events).into_iter().filter(|name| name.contains("round")).collect();
    assert_eq!(rounds, ["source round 1", "source round 2"]);
}

#[test]
fn without_events_rounds_follow_from_the_count_of_passes() {
    let mut rig = Rig::with(|options| options.peer = None);
    rig.source.lock().capabilities.retain(|name| *name != "events");
    rig.on_migrate(|source, _| {
        for pass in 1..=3 {
            let mut state = active_state();
            state["ram"]["dirty-sync-count"] = json!(pass);
            source.set_migrate(state);
            let before = source.lock().asked;
            while source.lock().asked == before {
                sleep(MS);
            }
        }
        source.set_migrate(completed_state());
    });
    rig.fire().unwrap();
    let (events, _) = rig.finish();
    let rounds: Vec<&Event> =
        events.iter().filter(|e| matches!(e.kind, EventKind::Round(_))).collect();
    assert_eq!(rounds.len(), 3, "{rounds:#?}");
}

#[test]
fn states_of_later_versions_are_busy() {
    let mut rig = Rig::new(Strategy::PreCopy);
    rig.source.set_migrate(json!({ "status": "failing-softly" }));
    let error = rig.fire().unwrap_err().to_string();
    assert!(error.contains("its state is failing-softly"), "{error}");
}
