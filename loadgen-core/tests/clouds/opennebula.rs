//! The trigger `opennebula:` against the fake `oned`. The time limits only keep a broken test from
//! hanging: what happens waits for what was seen.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use loadgen_core::clock::Clock;
use loadgen_core::migration::{
    Context, Ending, MigrationRun, OpenNebulaTrigger, ReachCheck, Settled, Strategy, Trigger,
    TriggerError, TriggerSpec,
};
use loadgen_core::report::{render_html, render_text};
use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Event, EventKind, Load, Plan, Report, Schedule};
use tempfile::TempDir;

use crate::oned::vm::{BY_MIGRATE, POWEROFF, UNKNOWN};
use crate::oned::xml_rpc::Value;
use crate::oned::{Cloud, ELECTING, Fault, Host, Machine, NO_LEADER, Oned, Pace, Step, Version};

const LIMIT: Duration = Duration::from_secs(60);
/// Stands in no output.
const PASSWORD: &str = "pw-7f3a-of-oned";

/// A cloud, and who may ask it.
struct World {
    oned: Oned,
    folder: TempDir,
}

impl World {
    fn new(mut cloud: Cloud) -> Self {
        cloud.users.push((0, format!("serveradmin:{PASSWORD}")));
        let folder = tempfile::tempdir().unwrap();
        let world = Self { oned: Oned::start(cloud), folder };
        world.session(&format!("serveradmin:{PASSWORD}\n"));
        world
    }

    /// One whose migrations go on as they are looked at.
    fn driven(version: Version) -> Self {
        let mut cloud = Cloud::new(version);
        cloud.pace = Pace::AfterLooks(2);
        Self::new(cloud)
    }

    fn session(&self, session: &str) {
        fs::write(self.folder.path().join("one_auth"), session).unwrap();
    }

    fn spec(&self, options: &str) -> String {
        let auth = self.folder.path().join("one_auth");
        let (url, auth) = (self.oned.url(), auth.display());
        format!("{options},endpoint={url},auth={auth},poll=10ms")
    }

    fn trigger(&self, options: &str) -> OpenNebulaTrigger {
        OpenNebulaTrigger::new(self.spec(options).parse().unwrap()).unwrap()
    }

    fn fired(&self, options: &str) -> Result<OpenNebulaTrigger, TriggerError> {
        let mut trigger = self.trigger(options);
        trigger.inspect()?;
        trigger.arm(&Context::new("run", Clock::start()))?;
        trigger.fire()?;
        Ok(trigger)
    }

    /// Why a migration does not come about.
    fn refusal(&self, options: &str) -> String {
        let error = self.fired(options).unwrap_err().to_string();
        assert!(!error.contains(PASSWORD), "{error}");
        error
    }
}

/// The next events, up to one of this name.
fn until(trigger: &mut OpenNebulaTrigger, name: &str) -> Vec<Event> {
    let deadline = Instant::now() + LIMIT;
    let mut events = Vec::new();
    loop {
        assert!(Instant::now() < deadline, "no '{name}' after {events:#?}");
        if let Some(event) = trigger.next_event(Duration::from_millis(100)).unwrap() {
            let found = event.kind.to_string() == name || event.kind.is_final();
            events.push(event);
            if found {
                return events;
            }
        }
    }
}

/// All of them, and what was settled.
fn flown(trigger: &mut OpenNebulaTrigger) -> (Vec<Event>, Settled) {
    let events = until(trigger, "its end");
    let settled = trigger.settle(events.last().unwrap()).unwrap();
    (events, settled)
}

fn names(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.kind.to_string()).collect()
}

fn reason(settled: &Settled) -> &str {
    settled.reason.as_deref().unwrap_or_default()
}

#[test]
fn a_live_migration_of_each_release() {
    for version in Version::ALL {
        let world = World::driven(version);
        let mut trigger = world.trigger("web1,host=node2");
        trigger.check().unwrap();
        let facts = trigger.inspect().unwrap();
        assert_eq!(facts.memory_bytes, Some(512 << 20), "{version:?}");
        assert_eq!(facts.hypervisor.unwrap(), format!("OpenNebula {}", version.release()));
        // Newer releases know it by its UUID.
        let domain = facts.details["domain"].as_str().unwrap();
        assert_eq!(domain.contains('-'), version >= Version::V6_6 || domain == "one-7", "{domain}");
        trigger.arm(&Context::new("run", Clock::start())).unwrap();
        trigger.fire().unwrap();
        let (events, settled) = flown(&mut trigger);
        assert_eq!(names(&events), ["fired", "accepted", "setup", "completed"], "{version:?}");
        assert!(events.is_sorted_by_key(|event| event.at), "{events:#?}");
        // Known to half the time between two looks at best.
        assert!(events[1..].iter().all(|event| event.uncertainty > 0));
        assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
        assert_eq!((settled.reason, trigger.strategy()), (None, None));
        assert!(settled.details["ran_unix_s"].as_i64() >= settled.details["began_unix_s"].as_i64());
        assert_eq!(settled.details["source_host"], "node1");
        // Three arguments are understood by all.
        let calls = world.oned.calls();
        let order = calls.iter().find(|call| call.method == "one.vm.migrate").unwrap();
        assert_eq!(order.args, [Value::Int(7), Value::Int(2), Value::Bool(true)], "{version:?}");
        assert!(calls.iter().all(|call| call.session_ok && call.user == "serveradmin"));
    }
}

#[test]
fn what_looks_like_success_is_none_yet() {
    let world = World::new(Cloud::new(Version::V6_6));
    let mut trigger = world.fired("7,host=2").unwrap();
    assert_eq!(names(&until(&mut trigger, "accepted")), ["fired", "accepted"]);
    // RUNNING, and the target is its last host.
    let looks = |trigger: &mut OpenNebulaTrigger| {
        let looks = || world.oned.calls().iter().filter(|c| c.method == "one.vm.info").count();
        let (before, deadline) = (looks(), Instant::now() + LIMIT);
        while looks() < before + 5 {
            assert!(Instant::now() < deadline);
            let event = trigger.next_event(Duration::from_millis(50)).unwrap();
            assert!(event.is_none(), "{event:?}");
        }
    };
    looks(&mut trigger);
    world.oned.step(7);
    until(&mut trigger, "setup");
    looks(&mut trigger);
    assert!(matches!(trigger.cancel(), Err(TriggerError::Unsupported(_))));
    world.oned.step(7);
    let (events, settled) = flown(&mut trigger);
    assert_eq!((names(&events), settled.ending), (vec!["completed".into()], Ending::Completed));
}

#[test]
fn a_failure_that_nobody_tells_is_found_in_each_release() {
    for version in Version::ALL {
        let world = World::driven(version);
        world.oned.edit(|cloud| cloud.vm(8).fails = true);
        let mut trigger = world.fired("web2,host=2").unwrap();
        let (events, settled) = flown(&mut trigger);
        assert_eq!(names(&events), ["fired", "accepted", "setup", "failed"], "{version:?}");
        assert_eq!((settled.ending, settled.on_target), (Ending::Failed, None));
        let why = reason(&settled);
        assert!(why.contains("record of node2") && why.contains("runs on at node1"), "{why}");
    }
}

#[test]
fn cold_migrations_are_told_as_such() {
    for version in [Version::V3_4, Version::V4_12, Version::V7_4] {
        let world = World::driven(version);
        let mut trigger = world.fired("7,host=2,cold").unwrap();
        let (events, settled) = flown(&mut trigger);
        let boot = if version > Version::V4_12 { "state BOOT_MIGRATE" } else { "state BOOT" };
        let wanted =
            ["fired", "accepted", "state SAVE_MIGRATE", "state PROLOG_MIGRATE", boot, "completed"];
        assert_eq!(names(&events), wanted, "{version:?}");
        assert_eq!((settled.ending, settled.reason.as_deref()), (Ending::Completed, None));
        assert_eq!(trigger.strategy(), Some(Strategy::StopAndCopy));
    }
}

#[test]
fn a_live_one_that_became_cold_is_told() {
    // It was not RUNNING any more when the order came.
    let world = World::new(Cloud::new(Version::V6_6));
    let mut trigger = world.fired("7,host=2").unwrap();
    world.oned.edit(|cloud| {
        let course = cloud.vm(7).course.as_mut().unwrap();
        (course.live, course.action) = (false, BY_MIGRATE);
    });
    // Even if none of its states is seen.
    world.oned.advance(7, Step::Finished);
    let (_, settled) = flown(&mut trigger);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
    assert!(reason(&settled).contains("but cold"), "{settled:?}");
    assert_eq!(trigger.strategy(), Some(Strategy::StopAndCopy));
}

#[test]
fn what_cannot_be_moved_is_refused_with_the_mend() {
    let mut cloud = Cloud::new(Version::V6_6);
    cloud.vms.push(Machine::running(9, "web2", 1, "node1"));
    cloud.vms.push(Machine::running(10, "off", 1, "node1"));
    (cloud.vm(10).state, cloud.vm(10).lcm) = (POWEROFF, 0);
    cloud.vms.push(Machine::running(11, "lost", 1, "node1"));
    cloud.vm(11).lcm = UNKNOWN;
    cloud.hosts.push(Host { full: true, ..Host::new(3, "full") });
    let world = World::new(cloud);
    for (options, said) in [
        ("99,host=2", "Error getting virtual machine [99]"),
        ("web9,host=2", "onevm list shows which there are"),
        ("web2,host=2", "there are 2: give the number of one, of 8, 9"),
        ("7,host=node9", "onehost list shows which there are"),
        ("7,host=99", "Error getting host [99]"),
        ("7,host=1", "on the host 1 (node1) already"),
        ("off,host=2", "it is POWEROFF: only a RUNNING machine"),
        ("lost,host=2", "it is UNKNOWN: only a RUNNING machine"),
        ("off,host=2,cold", "it is POWEROFF, so nobody can be asking it"),
        ("7,host=3,enforce", "does not fit in host [3]"),
    ] {
        let error = world.refusal(options);
        assert!(error.contains(said), "{options}: {error}");
    }
    // Nothing was moved, and only what was asked for was sent.
    let orders: Vec<_> =
        world.oned.calls().into_iter().filter(|c| c.method == "one.vm.migrate").collect();
    assert_eq!(orders.len(), 2, "{orders:?}");
    assert_eq!(orders[1].args[3..], [Value::Bool(true)]);

    world.session("user:secret");
    assert!(world.refusal("7,host=2").contains("the right to do that"));
    world.session(&format!("serveradmin:{PASSWORD}x"));
    let error = world.refusal("7,host=2");
    assert!(error.contains("one_auth are not those of this OpenNebula"), "{error}");
    world.session("nobody");
    assert!(world.refusal("7,host=2").contains("not USER:PASSWORD"));
}

#[test]
fn a_machine_that_changed_since_it_was_looked_at_is_not_moved() {
    let world = World::new(Cloud::new(Version::V7_4));
    let mut trigger = world.trigger("7,host=2");
    trigger.inspect().unwrap();
    trigger.arm(&Context::new("run", Clock::start())).unwrap();
    world.oned.edit(|cloud| cloud.vm(7).lcm = UNKNOWN);
    let error = trigger.fire().unwrap_err().to_string();
    assert!(error.contains("it is UNKNOWN"), "{error}");
    assert!(world.oned.calls().iter().all(|call| call.method != "one.vm.migrate"));
}

#[test]
fn an_election_is_waited_for_and_a_fault_is_not() {
    let world = World::driven(Version::V6_6);
    world.oned.fail_next(1, Some("one.vm.info"), Fault::Election(ELECTING));
    world.oned.fail_next(2, Some("one.vm.migrate"), Fault::Election(NO_LEADER));
    let mut trigger = world.fired("7,host=2").unwrap();
    assert_eq!(flown(&mut trigger).1.ending, Ending::Completed);
    world.oned.fail_next(1, Some("one.vm.migrate"), Fault::XmlRpc(-501, "Boolean expected"));
    let error = world.refusal("8,host=2");
    assert!(error.contains("Boolean expected (fault -501)"), "{error}");
}

#[test]
fn an_order_whose_answer_was_lost_is_looked_up() {
    for lost in [Fault::LoseAnswer, Fault::NotXml, Fault::Truncated] {
        let world = World::driven(Version::V5_6);
        world.oned.fail_next(1, Some("one.vm.migrate"), lost);
        let mut trigger = world.fired("7,host=2").unwrap();
        let (events, settled) = flown(&mut trigger);
        let accepted = events.iter().find(|event| event.kind == EventKind::Accepted).unwrap();
        let note = accepted.attributes["note"].as_str().unwrap();
        assert!(note.contains("answer was lost"), "{lost:?}: {note}");
        assert_eq!(settled.ending, Ending::Completed, "{lost:?} {events:#?}");
    }
}

#[test]
fn an_order_that_was_lost_itself_may_come_late_but_not_for_ever() {
    let world = World::driven(Version::V5_6);
    world.oned.fail_next(1, Some("one.vm.migrate"), Fault::DropCall);
    let (events, settled) = flown(&mut world.fired("7,host=2").unwrap());
    assert_eq!(names(&events), ["fired", "failed"]);
    assert!(reason(&settled).contains("history knows of no order yet"), "{settled:?}");
    assert!(events[1].at > 10_000_000_000, "{events:#?}");
}

/// A daemon that passed it on to its leader, and waited too long.
#[test]
fn an_order_that_is_said_to_have_timed_out_may_have_been_carried_out() {
    let world = World::driven(Version::V6_6);
    world.oned.fail_next(1, Some("one.vm.migrate"), Fault::PassedOn);
    let (events, settled) = flown(&mut world.fired("7,host=2").unwrap());
    assert_eq!(settled.ending, Ending::Completed, "{events:#?}");
}

#[test]
fn looks_that_fail_are_made_again() {
    let world = World::new(Cloud::new(Version::V7_4));
    let mut trigger = world.fired("7,host=2").unwrap();
    until(&mut trigger, "accepted");
    let faults = [
        Fault::Status(502),
        Fault::DropCall,
        Fault::NotXml,
        Fault::Truncated,
        Fault::Endless,
        Fault::Election(NO_LEADER),
    ];
    for fault in faults {
        world.oned.fail_next(2, Some("one.vm.info"), fault);
    }
    world.oned.step(7);
    assert_eq!(names(&until(&mut trigger, "setup")), ["setup"]);
    // It is started anew, and knows what it knew.
    world.oned.kill();
    for _ in 0..3 {
        assert!(trigger.next_event(Duration::from_millis(100)).unwrap().is_none());
    }
    world.oned.revive().unwrap();
    world.oned.step(7);
    assert_eq!(flown(&mut trigger).1.ending, Ending::Completed);
}

#[test]
fn a_machine_that_is_gone_in_the_middle_is_a_failure() {
    let world = World::new(Cloud::new(Version::V7_4));
    let mut trigger = world.fired("7,host=2").unwrap();
    until(&mut trigger, "accepted");
    world.oned.step(7);
    until(&mut trigger, "setup");
    world.oned.edit(|cloud| {
        let machine = cloud.vm(7);
        (machine.state, machine.lcm, machine.course) = (POWEROFF, 0, None);
    });
    let (_, settled) = flown(&mut trigger);
    assert!(reason(&settled).contains("POWEROFF now, and runs nowhere"), "{settled:?}");
}

/// A run with this trigger, under load.
fn run(world: &World, options: &str, change: impl FnOnce(MigrationRun) -> MigrationRun) -> Report {
    let server = TargetServer::bind(TargetOptions::default()).unwrap().spawn().unwrap();
    let load = Load::established(Schedule::constant(50.0));
    let plan = Plan::new(server.url().parse().unwrap(), load);
    let spec: TriggerSpec = format!("opennebula:{}", world.spec(options)).parse().unwrap();
    let run = MigrationRun::new(plan, spec.into_trigger().unwrap())
        .with_before(Duration::from_millis(300))
        .with_after(Duration::from_millis(300))
        .with_reach_check(ReachCheck::Off, 200.0);
    change(run).run(&AtomicBool::new(false), &mut |_| {}).unwrap()
}

#[test]
fn a_report_tells_of_it_and_not_of_the_password() {
    let world = World::driven(Version::V3_4);
    let report = run(&world, "7,host=2", |run| run);
    let migration = report.migration.as_ref().unwrap();
    assert_eq!(
        (migration.trigger.as_str(), migration.ending),
        ("opennebula", Some(Ending::Completed))
    );
    let names: Vec<&str> = report.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["fired", "accepted", "setup", "completed"]);
    // Nobody told when the machine stood still.
    assert!(migration.downtime_ms.events.is_none(), "{:?}", migration.downtime_ms);
    let json = serde_json::to_string(&report).unwrap();
    for output in [json, render_text(&report), render_html(&report)] {
        assert!(output.contains("opennebula") && !output.contains(PASSWORD));
    }
}

#[test]
fn a_daemon_that_died_leaves_the_report() {
    let world = World::new(Cloud::new(Version::V6_6));
    thread::scope(|scope| {
        let order = scope.spawn(|| {
            world.oned.wait_for_call("one.vm.migrate", 1);
            world.oned.step(7);
            world.oned.kill();
        });
        let report = run(&world, "7,host=2", |run| run.with_limit(Duration::from_secs(2)));
        order.join().unwrap();
        assert!(report.counts.answered > 0);
        let why = report.verdict.reasons.join("; ");
        assert!(why.contains("did not end within 2 s"), "{why}");
        assert!(
            why.contains("virsh domjobabort") && why.contains("may still be going on"),
            "{why}"
        );
        let json = serde_json::to_string(&report).unwrap();
        assert!(!json.contains(PASSWORD));
    });
}
