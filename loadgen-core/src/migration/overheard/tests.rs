//! A manager that tells little, with hypervisors beneath it that tell more. The time limits only keep
//! a broken test from hanging.

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::event::{Event, EventKind};
use crate::migration::qmp::QmpAddress;
use crate::migration::qmp::fake::Fake;
use crate::migration::trigger::{Context, Ending, Settled, Trigger, TriggerError, VmFacts};

const LIMIT: Duration = Duration::from_secs(60);

/// A manager that tells what the test lets it.
#[derive(Debug, Clone, Default)]
struct Manager {
    domain: Option<&'static str>,
    tells: Arc<Mutex<VecDeque<EventKind>>>,
    clock: Option<Clock>,
}

impl Manager {
    fn tell(&self, kind: EventKind) {
        self.tells.lock().unwrap().push_back(kind);
    }
}

impl Trigger for Manager {
    fn name(&self) -> &str {
        "manager"
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        let mut facts = VmFacts::default();
        facts.details.extend(self.domain.map(|name| ("domain".to_owned(), name.into())));
        Ok(facts)
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.clock = Some(context.clock);
        Ok(())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        Ok(())
    }

    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        let told = self.tells.lock().unwrap().pop_front();
        if told.is_none() {
            thread::sleep(timeout);
        }
        Ok(told.map(|kind| Event::new(kind, self.clock.unwrap().now(), 0, "manager")))
    }
}

fn armed(manager: &Manager, events: HypervisorEvents) -> Result<Box<dyn Trigger>, TriggerError> {
    let mut trigger = Overheard::beside(Box::new(manager.clone()), events);
    trigger.inspect()?;
    trigger.arm(&Context::new("run", Clock::start()))?;
    Ok(trigger)
}

/// The next events, up to one of this name.
fn until(trigger: &mut dyn Trigger, name: &str) -> Vec<Event> {
    let deadline = Instant::now() + LIMIT;
    let mut events = Vec::new();
    loop {
        assert!(Instant::now() < deadline, "no '{name}' after {events:#?}");
        if let Some(event) = trigger.next_event(Duration::from_millis(100)).unwrap() {
            let found = event.kind.to_string() == name;
            events.push(event);
            if found {
                return events;
            }
        }
    }
}

fn names(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| format!("{} {}", event.source, event.kind)).collect()
}

/// Two hosts of libvirt, as `libvirt/fake-virsh` has them.
struct Hosts(TempDir);

impl Hosts {
    fn new() -> Self {
        let hosts = Self(tempfile::tempdir().unwrap());
        let here = hosts.0.path().to_str().unwrap();
        let script = include_str!("../libvirt/fake-virsh").replace("FAKE", here);
        hosts.write("virsh", &script);
        let runs = fs::Permissions::from_mode(0o755);
        fs::set_permissions(hosts.0.path().join("virsh"), runs).unwrap();
        for file in ["source.qemu", "source.libvirt", "target.qemu", "target.libvirt"] {
            hosts.write(file, "");
        }
        hosts
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    /// A line of libvirt's or QEMU's own events.
    fn tell(&self, file: &str, line: &str) {
        let mut file = fs::OpenOptions::new().append(true).open(self.0.path().join(file)).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    fn qemu(&self, side: &str, event: &str) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let at = format!("{}.{:06}", now.as_secs(), now.subsec_micros());
        let (name, data) = event.split_once(' ').unwrap_or((event, "<null>"));
        self.tell(
            &format!("{side}.qemu"),
            &format!("event {name} at {at} for domain 'lab': {data}"),
        );
    }

    fn events(&self) -> HypervisorEvents {
        HypervisorEvents::of_libvirt("fake:///a", "fake:///b")
            .with_virsh(self.0.path().join("virsh"))
    }
}

#[test]
fn stop_and_resume_are_of_the_hypervisors_and_the_end_of_the_manager() {
    let (hosts, manager) = (Hosts::new(), Manager { domain: Some("lab"), ..Manager::default() });
    let mut trigger = armed(&manager, hosts.events()).unwrap();
    assert_eq!(trigger.name(), "manager");
    trigger.fire().unwrap();
    hosts.qemu("source", "MIGRATION {\"status\":\"setup\"}");
    let setup = until(&mut *trigger, "progress");
    assert_eq!(names(&setup), ["libvirt:source progress"]);
    assert_eq!(setup[0].attributes["status"], "setup");
    hosts.qemu("source", "MIGRATION_PASS {\"pass\":1}");
    until(&mut *trigger, "round 1");
    manager.tell(EventKind::Setup);
    until(&mut *trigger, "setup");
    hosts.qemu("source", "STOP");
    let stop = until(&mut *trigger, "stop").pop().unwrap();
    // The manager has heard of the end before the hypervisor's last word is here.
    manager.tell(EventKind::Completed);
    while !manager.tells.lock().unwrap().is_empty() {
        assert!(trigger.next_event(Duration::from_millis(1)).unwrap().is_none());
    }
    hosts.qemu("target", "RESUME");
    let last = until(&mut *trigger, "completed");
    assert_eq!(names(&last), ["libvirt:target resume", "manager completed"]);
    // By QEMU's own clock, which is this host's.
    assert!(stop.at < last[0].at && last[0].at <= last[1].at, "{stop:?} {last:?}");
    assert!(!stop.attributes.contains_key("by_receipt"));
    let settled = trigger.settle(&last[1]).unwrap();
    assert_eq!((settled.ending, settled.details.len()), (Ending::Completed, 0));
}

#[test]
fn where_qemu_is_not_heard_libvirt_stands_in() {
    let (hosts, manager) = (Hosts::new(), Manager::default());
    hosts.write("deaf", "");
    let error = armed(&manager, hosts.events()).err().unwrap().to_string();
    assert!(error.contains("give domain=NAME"), "{error}");
    let mut trigger = armed(&manager, hosts.events().with_domain("lab")).unwrap();
    trigger.fire().unwrap();
    let line = |what: &str| {
        format!("2026-11-28 10:00:00.000+0000: event 'lifecycle' for domain 'lab': {what}")
    };
    hosts.tell("source.libvirt", &line("Suspended Migrated"));
    let stop = until(&mut *trigger, "stop").pop().unwrap();
    assert_eq!(stop.attributes["by_receipt"], true);
    hosts.tell("target.libvirt", &line("Resumed Migrated"));
    until(&mut *trigger, "resume");
    manager.tell(EventKind::Failed);
    let last = until(&mut *trigger, "failed").pop().unwrap();
    let settled: Settled = trigger.settle(&last).unwrap();
    for side in ["source", "target"] {
        let why = &settled.details[&format!("{side}_qemu_events_not_heard")];
        assert!(why.as_str().unwrap().contains("not supported"), "{why}");
    }
}

#[test]
fn a_host_that_does_not_answer_is_told_before_the_load() {
    let (hosts, manager) = (Hosts::new(), Manager { domain: Some("lab"), ..Manager::default() });
    let events = hosts.events().with_virsh("/no/such/virsh");
    let error = armed(&manager, events).err().unwrap().to_string();
    assert!(error.contains("/no/such/virsh") && error.contains("virsh=PATH"), "{error}");
    let nobody = QmpAddress::Unix(hosts.0.path().join("nobody"));
    let events = HypervisorEvents::of_qmp(nobody.clone(), nobody);
    let error = armed(&manager, events).err().unwrap().to_string();
    assert!(error.contains("nobody") && error.contains("QMP socket"), "{error}");
}

#[test]
fn the_sockets_of_qemu_are_heard_and_that_of_the_target_may_come_later() {
    let manager = Manager::default();
    let source = Fake::start("running");
    let target = Fake::start("inmigrate");
    // It is not there yet.
    let later = target.path.with_extension("later");
    let events = HypervisorEvents::of_qmp(
        QmpAddress::Unix(source.path.clone()),
        QmpAddress::Unix(later.clone()),
    );
    let mut trigger = armed(&manager, events).unwrap();
    source.vm.event("STOP", json!({}));
    source.vm.event("RESUME", json!({}));
    // What was before is nothing of this migration: wait until it has come.
    thread::sleep(Duration::from_millis(50));
    trigger.fire().unwrap();
    source.vm.event("MIGRATION_PASS", json!({ "pass": 1 }));
    let first = until(&mut *trigger, "round 1");
    fs::rename(&target.path, &later).unwrap();
    let mut patience = 0;
    while !target.vm.log().iter().any(|line| line.starts_with("qmp_capabilities")) {
        assert!(trigger.next_event(Duration::from_millis(100)).unwrap().is_none());
        patience += 1;
        assert!(patience < 600, "nobody came to the target's socket");
    }
    source.vm.event("STOP", json!({}));
    let stop = until(&mut *trigger, "stop");
    source.vm.event("MIGRATION", json!({ "status": "completed" }));
    target.vm.event("RESUME", json!({ "other": Value::Null }));
    let resume = until(&mut *trigger, "resume");
    manager.tell(EventKind::Completed);
    let last = until(&mut *trigger, "completed");
    let all = [first, stop, resume, last].concat();
    let of = |kind: &str| all.iter().filter(|event| event.kind.to_string() == kind).count();
    // At the most once before: the fake may have told it late.
    assert_eq!((of("round 1"), of("completed")), (1, 1), "{all:#?}");
    let last_resume = all.iter().rev().find(|event| event.kind == EventKind::Resume).unwrap();
    assert_eq!(last_resume.source, "qmp:target");
    let settled = trigger.settle(all.last().unwrap()).unwrap();
    assert_eq!(settled.details.len(), 0, "{:?}", settled.details);
}

#[test]
fn a_target_that_nobody_heard_is_told() {
    let (manager, source) = (Manager::default(), Fake::start("running"));
    let events = HypervisorEvents::of_qmp(
        QmpAddress::Unix(source.path.clone()),
        QmpAddress::Unix(source.path.with_extension("none")),
    );
    let mut trigger = armed(&manager, events).unwrap();
    trigger.fire().unwrap();
    manager.tell(EventKind::Completed);
    let last = until(&mut *trigger, "completed").pop().unwrap();
    let settled = trigger.settle(&last).unwrap();
    let why = &settled.details["target_qemu_events_not_heard"];
    assert!(why.as_str().unwrap().contains("nobody listened"), "{why}");
    assert!(!settled.details.contains_key("source_qemu_events_not_heard"));
}

#[test]
fn without_hypervisors_a_trigger_is_itself() {
    let manager = Manager::default();
    let mut trigger = Overheard::beside(Box::new(manager.clone()), HypervisorEvents::default());
    manager.tell(EventKind::Completed);
    trigger.arm(&Context::new("run", Clock::start())).unwrap();
    let event = trigger.next_event(Duration::ZERO).unwrap().unwrap();
    assert_eq!(event.kind, EventKind::Completed);
    assert!(trigger.cancel().is_err());
}
