//! The recipe of Harvester, followed.

use std::time::Duration;

use loadgen_core::migration::{Ending, RecipeTrigger, Trigger};
use serde_json::json;

use super::flights::{SECRET, fired, flown, names, reason, refusal, until, wrong_credentials};
use super::harvester_fake::{ACTIONS, Harvester, RANCHER, Set, earlier};

#[test]
fn it_is_moved_and_seen_there() {
    let set = Set::new();
    let facts = RecipeTrigger::new(set.options()).unwrap().inspect().unwrap();
    assert_eq!((facts.memory_bytes, facts.running), (Some(4 << 30), Some(true)));
    let mut trigger = fired(set.options()).unwrap();
    assert_eq!(trigger.name(), "http:harvester");
    assert_eq!(set.looks(&mut trigger, 3), ["fired", "accepted"]);
    set.api.edit(|fake| fake.progress = Some("Pending migration"));
    assert_eq!(names(&until(&mut trigger, "state Pending migration")).len(), 1);
    assert!(set.looks(&mut trigger, 3).is_empty());
    set.api.edit(Harvester::hand_over);
    assert_eq!(names(&until(&mut trigger, "state Migrating")).len(), 1);
    set.api.edit(|fake| fake.faults = vec![503, 429, 500, 502, 504]);
    assert!(set.looks(&mut trigger, 7).is_empty());
    set.api.edit(Harvester::complete);
    // It is over, but for Harvester.
    assert!(set.looks(&mut trigger, 4).is_empty());
    set.api.edit(Harvester::clear);
    let (events, settled) = flown(&mut trigger);
    assert_eq!(names(&events), ["completed"]);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
    let details = &settled.details;
    assert_eq!((&details["mode"], &details["target_node"]), (&json!("PreCopy"), &json!("node2")));
    let order = set.api.calls().into_iter().find(|call| call.method == "POST").unwrap();
    assert_eq!(order.line(), format!("POST {RANCHER}{ACTIONS}"));
    assert_eq!(
        (order.query.as_str(), order.json()),
        ("action=migrate", json!({ "nodeName": "node2" }))
    );
}

#[test]
fn an_earlier_migration_is_not_taken_for_this_one() {
    let mut back = earlier();
    (back["targetNode"], back["failed"]) = (json!("node1"), json!(null));
    for before in [earlier(), back] {
        let set = Set::new();
        set.api.edit(|fake| fake.state = before);
        let mut trigger = fired(set.options()).unwrap();
        assert_eq!(set.looks(&mut trigger, 4), ["fired", "accepted"]);
        set.api.edit(|fake| fake.progress = Some("Pending migration"));
        until(&mut trigger, "state Pending migration");
        assert!(set.looks(&mut trigger, 4).is_empty());
        set.api.edit(Harvester::hand_over);
        until(&mut trigger, "state Migrating");
        set.api.edit(|fake| {
            fake.complete();
            fake.clear();
        });
        let (_, settled) = flown(&mut trigger);
        assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
        assert_eq!(settled.details["migration_uid"], "uid-1");
    }
}

#[test]
fn failures_are_told() {
    let none = "harvester says that it failed, and not why";
    let set = Set::new();
    let mut trigger = set.running(set.options());
    set.api.edit(|fake| fake.fail("Live migration stuck for 150 seconds"));
    // That alone may be of an earlier one.
    assert!(set.looks(&mut trigger, 3).is_empty());
    set.api.edit(Harvester::clear);
    let (_, settled) = flown(&mut trigger);
    assert_eq!((settled.ending, reason(&settled)), (Ending::Failed, none));
    assert_eq!(settled.details["last_failure"], "Live migration stuck for 150 seconds");
    // One that fails before it is handed over, after another one or as the first.
    for before in [json!(null), earlier()] {
        let set = Set::new();
        set.api.edit(|fake| fake.state = before);
        let mut trigger = fired(set.options()).unwrap();
        set.api.edit(|fake| fake.progress = Some("Pending migration"));
        until(&mut trigger, "state Pending migration");
        set.api.edit(Harvester::clear);
        let (_, settled) = flown(&mut trigger);
        assert_eq!((settled.ending, reason(&settled)), (Ending::Failed, none));
    }
    // The machine is shut down meanwhile.
    let set = Set::new();
    let mut trigger = set.running(set.options());
    set.api.edit(|fake| fake.phase = "Succeeded");
    assert_eq!(flown(&mut trigger).1.ending, Ending::Failed);
}

#[test]
fn a_success_that_is_none_is_a_failure() {
    let set = Set::new();
    let mut trigger = set.running(set.options());
    set.api.edit(|fake| {
        fake.moves = false;
        fake.complete();
        fake.clear();
    });
    let (_, settled) = flown(&mut trigger);
    assert_eq!((settled.ending, settled.on_target), (Ending::Failed, None));
    // It is there, but does not run.
    let set = Set::new();
    let mut trigger = set.running(set.hurried());
    set.api.edit(|fake| {
        fake.phase = "Unknown";
        fake.complete();
        fake.clear();
    });
    let (_, settled) = flown(&mut trigger);
    assert_eq!(settled.ending, Ending::Failed);
    assert!(reason(&settled).ends_with("does not hold: it is 'Unknown'"), "{settled:?}");
    // It is somewhere else.
    let set = Set::new();
    let mut trigger = set.running(set.options());
    set.api.edit(|fake| fake.node = "node3");
    assert_eq!(flown(&mut trigger).1.ending, Ending::Failed);
}

#[test]
fn refusals_are_told() {
    let refused = |change: &dyn Fn(&mut Harvester), wanted: &str| {
        let set = Set::new();
        set.api.edit(|fake| change(fake));
        let error = refusal(set.options());
        assert!(error.contains(wanted), "{error}");
    };
    refused(&|fake| fake.expired = true, "credentials are wrong, or have expired");
    refused(&|fake| fake.is_old = true, "HTTP 404 Not Found: 404 page not found");
    refused(&|fake| fake.phase = "Failed", "it is 'Failed'; it must run on another node");
    refused(&|fake| fake.node = "node2", "it is 'node2'; it must run on another node");
    refused(&|fake| fake.is_migratable = false, "be LiveMigratable");
    refused(&|fake| fake.progress = Some("Migrating"), "it is 'Migrating'; ");
    refused(&|fake| fake.target = Some("node3".into()), "it is 'node3'; ");
    refused(&|fake| fake.refuses = Some("KubeVirt is not ready"), "KubeVirt is not ready");
    let set = Set::new();
    // Not through Rancher.
    let error = refusal(set.options().with("server", set.api.url.as_str()));
    assert!(error.contains("HTTP 404 Not Found: not found"), "{error}");
    wrong_credentials(&set.options(), &set.folder);
}

#[test]
fn it_is_cancelled() {
    let set = Set::new();
    let mut trigger = set.running(set.options());
    trigger.cancel().unwrap();
    assert_eq!(names(&until(&mut trigger, "state Aborting migration")).len(), 1);
    assert!(set.looks(&mut trigger, 3).is_empty());
    set.api.edit(|fake| {
        fake.fail("Live migration aborted");
        fake.clear();
    });
    let (_, settled) = flown(&mut trigger);
    assert_eq!((settled.ending, settled.on_target), (Ending::Cancelled, None));
    // One that Harvester has not noticed yet cannot be cancelled, but a moment later.
    let set = Set::new();
    let mut trigger = fired(set.options()).unwrap();
    let error = trigger.cancel().unwrap_err().to_string();
    assert!(error.contains("The VM is not in migrating state"), "{error}");
    set.api.edit(|fake| fake.progress = Some("Pending migration"));
    trigger.cancel().unwrap();
    set.api.edit(Harvester::clear);
    assert_eq!(flown(&mut trigger).1.ending, Ending::Cancelled);
    // It came too late.
    let set = Set::new();
    let mut trigger = set.running(set.options());
    trigger.cancel().unwrap();
    set.api.edit(|fake| {
        fake.complete();
        fake.clear();
    });
    let (_, settled) = flown(&mut trigger);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
    // One that is dropped is cancelled, too.
    let set = Set::new();
    drop(set.running(set.options()));
    assert_eq!(set.api.edit(|fake| fake.progress), Some("Aborting migration"));
}

#[test]
fn what_breaks_in_the_middle_is_told() {
    let set = Set::new();
    let mut trigger = set.running(set.options());
    set.api.edit(|fake| fake.expired = true);
    let mut looks = 0..3_000;
    let error = looks.find_map(|_| trigger.next_event(Duration::from_millis(20)).err());
    let error = error.unwrap().to_string();
    assert!(error.contains("credentials are wrong, or have expired"), "{error}");
    assert!(!error.contains(SECRET), "{error}");
    // A server that is killed is asked again.
    let set = Set::new();
    let mut trigger = set.running(set.options());
    set.api.kill();
    for _ in 0..20 {
        assert_eq!(trigger.next_event(Duration::from_millis(20)).unwrap(), None);
    }
    assert!(trigger.cancel().is_err());
}
