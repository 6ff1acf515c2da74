//! The recipe of KubeVirt, followed.

use std::time::Duration;

use loadgen_core::migration::{Ending, RecipeTrigger, Trigger};
use serde_json::json;

use super::flights::{SECRET, fired, flown, names, reason, refusal, until, wrong_credentials};
use super::kubevirt_fake::{ALL, KubeVirt, MACHINE, Migration, OURS, Set};

/// Why it cannot be looked for any more.
fn broken(trigger: &mut RecipeTrigger) -> String {
    let mut looks = 0..3_000;
    let error = looks.find_map(|_| trigger.next_event(Duration::from_millis(20)).err());
    let error = error.unwrap().to_string();
    assert!(!error.contains(SECRET), "{error}");
    error
}

#[test]
fn it_is_moved_and_seen_there() {
    let set = Set::new();
    let mut trigger = fired(set.options()).unwrap();
    assert_eq!(trigger.name(), "http:kubevirt");
    // It has no phase yet, and waits for its turn then; its state is of an earlier one.
    assert_eq!(set.looks(&mut trigger, 3), ["fired", "accepted"]);
    set.api.edit(|fake| fake.enter("Pending"));
    until(&mut trigger, "state Pending");
    assert!(set.looks(&mut trigger, 5).is_empty());
    set.api.edit(|fake| fake.migration.as_mut().unwrap().state = json!(null));
    for phase in ["Scheduling", "Scheduled", "PreparingTarget", "TargetReady", "Running"] {
        set.api.edit(|fake| fake.faults = vec![503, 429, 500, 502, 504]);
        assert!(set.looks(&mut trigger, 6).is_empty());
        set.api.edit(|fake| fake.enter(phase));
        assert_eq!(names(&until(&mut trigger, &format!("state {phase}"))).len(), 1);
    }
    set.api.edit(|fake| fake.end("Succeeded", &json!({})));
    let (events, settled) = flown(&mut trigger);
    assert_eq!(names(&events), ["state Succeeded", "completed"]);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
    let details = &settled.details;
    assert_eq!((&details["uid"], &details["migration_uid"]), (&json!("uid-1"), &json!("uid-1")));
    assert_eq!((&details["mode"], &details["target_node"]), (&json!("PreCopy"), &json!("node2")));
    assert_eq!(details["started"], "2025-01-02T00:00:00Z");
    let order = set.api.calls().into_iter().find(|call| call.method == "POST").unwrap();
    let wanted = json!({
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration",
        "metadata": { "name": OURS, "namespace": "shop" }, "spec": { "vmiName": "web1" },
    });
    assert_eq!(order.json(), wanted);
}

#[test]
fn its_memory_is_known() {
    let set = Set::new();
    let requests = json!({ "requests": { "memory": "1Gi" } });
    for (domain, bytes) in [
        (json!({ "memory": { "guest": "2Gi" }, "resources": requests }), Some(2 << 30)),
        (json!({ "resources": requests }), Some(1 << 30)),
        (json!({ "memory": { "guest": "512M" } }), Some(512_000_000)),
        (json!({}), None),
    ] {
        set.api.edit(|fake| fake.memory = domain);
        let facts = RecipeTrigger::new(set.options()).unwrap().inspect().unwrap();
        assert_eq!((facts.memory_bytes, facts.running), (bytes, Some(true)));
    }
}

#[test]
fn a_success_that_is_none_is_a_failure() {
    for (moves, phase, why) in [
        (false, "Running", "'/status/nodeName != {source}' does not hold: it is 'node1'"),
        (true, "Failed", "'/status/phase == Running' does not hold: it is 'Failed'"),
    ] {
        let set = Set::new();
        let mut trigger = set.running(set.hurried());
        set.api.edit(|fake| {
            (fake.moves, fake.phase) = (moves, phase);
            fake.end("Succeeded", &json!({}));
        });
        let (_, settled) = flown(&mut trigger);
        assert_eq!((settled.ending, settled.on_target), (Ending::Failed, None));
        assert!(reason(&settled).ends_with(why), "{settled:?}");
    }
}

#[test]
fn failures_are_told() {
    let set = Set::new();
    let mut trigger = set.running(set.options());
    let why = "Live migration is not completed after 1200 seconds and has been aborted";
    set.api.edit(|fake| fake.end("Failed", &json!({ "failed": true, "failureReason": why })));
    let (events, settled) = flown(&mut trigger);
    assert_eq!(names(&events), ["state Failed", "failed"]);
    assert_eq!((settled.ending, settled.on_target, reason(&settled)), (Ending::Failed, None, why));
    // One that fails before it began.
    let set = Set::new();
    let mut trigger = fired(set.options()).unwrap();
    set.api.edit(|fake| {
        fake.enter("Failed");
        fake.migration.as_mut().unwrap().state = json!(null);
    });
    let (_, settled) = flown(&mut trigger);
    assert_eq!(reason(&settled), "kubevirt says that it failed, and not why");
}

#[test]
fn refusals_are_told() {
    let refused = |change: &dyn Fn(&mut KubeVirt), wanted: &str| {
        let set = Set::new();
        set.api.edit(|fake| change(fake));
        let error = refusal(set.options());
        assert!(error.contains(wanted), "{error}");
        set
    };
    let set = refused(
        &|fake| fake.expired = true,
        "HTTP 401 Unauthorized: Unauthorized; the credentials",
    );
    assert!(refusal(set.options()).contains("credentials are wrong, or have expired"));
    assert_eq!(set.api.count(&format!("POST {ALL}")), 0);
    refused(&|fake| fake.version = "v1alpha3", "HTTP 404 Not Found: 404 page not found");
    refused(&|fake| fake.phase = "Scheduled", "it is 'Scheduled'; it must run");
    refused(&|fake| fake.is_migratable = false, "its condition LiveMigratable be True");
    refused(&|fake| fake.node = "", "'/status/nodeName exists' does not hold");
    refused(&|fake| fake.refuses = Some("in-flight migration detected"), "in-flight migration");
    refused(&|fake| fake.migration = Some(Migration::default()), "HTTP 409 Conflict: migrations.");
    let set = Set::new();
    let error = refusal(set.options().with("vm", "web9"));
    assert!(error.contains("HTTP 404 Not Found: ") && error.contains("web9 not found"), "{error}");
    wrong_credentials(&set.options(), &set.folder);
}

#[test]
fn it_is_cancelled() {
    let aborted = json!({ "failed": true, "abortRequested": true, "abortStatus": "Succeeded" });
    // The object is there until the abort is done, and is gone then.
    for is_gone in [false, true] {
        let set = Set::new();
        let mut trigger = set.running(set.options());
        trigger.cancel().unwrap();
        assert!(set.looks(&mut trigger, 3).is_empty());
        set.api.edit(|fake| match is_gone {
            true => fake.migration = None,
            false => fake.end("Failed", &aborted),
        });
        let (_, settled) = flown(&mut trigger);
        assert_eq!((settled.ending, settled.on_target), (Ending::Cancelled, None));
        drop(trigger);
        assert_eq!(set.api.count(&format!("DELETE {ALL}/{OURS}")), 1);
    }
    // Somebody else did it.
    let set = Set::new();
    let mut trigger = set.running(set.options());
    set.api.edit(|fake| {
        fake.migration.as_mut().unwrap().is_deleted = true;
        fake.end("Failed", &aborted);
    });
    assert_eq!(flown(&mut trigger).1.ending, Ending::Cancelled);
    // It came too late.
    let set = Set::new();
    let mut trigger = set.running(set.options());
    trigger.cancel().unwrap();
    set.api.edit(|fake| fake.end("Succeeded", &json!({ "abortStatus": "Failed" })));
    let (_, settled) = flown(&mut trigger);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
    // One that is dropped is cancelled, too.
    let set = Set::new();
    drop(fired(set.options()).unwrap());
    assert!(set.api.edit(|fake| fake.migration.as_ref().unwrap().is_deleted));
}

#[test]
fn what_breaks_in_the_middle_is_told() {
    let set = Set::new();
    let mut trigger = set.running(set.options());
    set.api.edit(|fake| fake.expired = true);
    let error = broken(&mut trigger);
    assert!(error.contains("credentials are wrong, or have expired"), "{error}");
    // Without an order of ours, a migration that is gone is none that was cancelled.
    let set = Set::new();
    let mut trigger = set.running(set.options());
    set.api.edit(|fake| fake.migration = None);
    let error = broken(&mut trigger);
    assert!(error.contains("HTTP 404 Not Found: not found"), "{error}");
}

#[test]
fn an_order_whose_answer_is_lost_is_looked_up() {
    let set = Set::new();
    set.api.edit(|fake| fake.loses = Some(true));
    let mut trigger = set.running(set.options());
    set.api.edit(|fake| fake.end("Succeeded", &json!({})));
    let (_, settled) = flown(&mut trigger);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
    assert!(settled.details.contains_key("order_unanswered"), "{settled:?}");
    assert_eq!(set.api.count(&format!("POST {ALL}")), 1);
    // It did not come about.
    let set = Set::new();
    set.api.edit(|fake| fake.loses = Some(false));
    let (events, settled) = flown(&mut fired(set.options()).unwrap());
    assert_eq!(names(&events), ["fired", "failed"]);
    let why = reason(&settled);
    assert!(why.contains("order was lost") && why.contains("nobody knows of it yet"), "{why}");
}

#[test]
fn a_server_that_is_killed_is_asked_again() {
    let set = Set::new();
    let mut trigger = set.running(set.options());
    set.api.kill();
    for _ in 0..20 {
        assert_eq!(trigger.next_event(Duration::from_millis(20)).unwrap(), None);
    }
    // It is not there to be told of the end, which is not waited for.
    assert!(trigger.cancel().is_err());
    drop(trigger);
    assert!(set.api.count(&format!("GET {MACHINE}")) >= 2);
}
