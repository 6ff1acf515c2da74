//! Transcripts of real migrations and every known trap, against [`super::fake`].

mod arriving;
mod failing;
mod pausing;
mod settings;
mod versions;

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::fake::{Fake, Rig, Vm, names, names_of};
use super::*;
use crate::clock::monotonic_ns;
use crate::event::{Event, EventKind};
use crate::migration::trigger::{Ending, Strategy, Trigger, TriggerError};

const MS: Duration = Duration::from_millis(1);

fn completed_state() -> Value {
    json!({
        "status": "completed", "setup-time": 4, "downtime": 15, "total-time": 4389,
        "ram": { "total": 537_665_536, "dirty-sync-count": 6, "mbps": 281.01,
                 "transferred": 153_858_031, "remaining": 0, "normal-bytes": 152_621_056 }
    })
}

fn active_state() -> Value {
    json!({ "status": "active", "expected-downtime": 300, "unknown": {"a": 1},
            "ram": { "transferred": 1000, "remaining": 5000, "dirty-pages-rate": 7 } })
}

/// The order of events of a pre-copy on QEMU 7.2.
fn pre_copy(source: &Vm, target: &Vm) {
    source.set_migrate(active_state());
    source.migration("setup");
    target.migration("active");
    source.event("MIGRATION_PASS", json!({ "pass": 1 }));
    source.migration("active");
    source.event("MIGRATION_PASS", json!({ "pass": 2 }));
    sleep(20 * MS);
    arrive(source, target);
}

fn arrive(source: &Vm, target: &Vm) {
    source.event("STOP", json!({}));
    source.set_migrate(completed_state());
    source.migration("completed");
    sleep(10 * MS);
    "running".clone_into(&mut target.lock().status);
    target.event("RESUME", json!({}));
    target.migration("completed");
}

fn reason(event: &Event) -> &str {
    event.attributes["reason"].as_str().unwrap()
}

fn find<'a>(events: &'a [Event], kind: &EventKind) -> &'a Event {
    events.iter().find(|e| e.kind == *kind).unwrap()
}
