//! The trigger against a virsh of ours, that tells what the real one was seen to tell. The time
//! limits only keep a broken test from hanging.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::event::{Event, EventKind};
use crate::migration::strategy::PostcopyAfter;
use crate::migration::trigger::{Context, Ending, Settled, Strategy, Trigger, TriggerError};

const LIMIT: Duration = Duration::from_secs(60);

/// Two hosts, and a virsh for them.
struct World {
    folder: TempDir,
}

impl World {
    /// The machine runs at the source, and moves as `migrate` says (a script).
    fn new(migrate: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Self { folder };
        let script = include_str!("fake-virsh").replace("FAKE", &world.path(""));
        world.write("virsh", &script);
        let runs = fs::Permissions::from_mode(0o755);
        fs::set_permissions(world.path("virsh"), runs).unwrap();
        for file in ["source.qemu", "source.libvirt", "target.qemu", "target.libvirt"] {
            world.write(file, "");
        }
        world.write("state.source", "running\n");
        world.write("migrate", migrate);
        world
    }

    fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().unwrap().trim_end_matches('/').to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.path("asked")).unwrap()
    }

    fn options(&self) -> LibvirtOptions {
        let mut options = LibvirtOptions::new("lab", "fake:///b");
        options.virsh = self.path("virsh").into();
        options
    }

    fn trigger(&self) -> LibvirtTrigger {
        LibvirtTrigger::new(self.options()).unwrap()
    }

    fn refusal(&self) -> String {
        self.trigger().inspect().unwrap_err().to_string()
    }
}

fn fired(mut trigger: LibvirtTrigger) -> LibvirtTrigger {
    trigger.inspect().unwrap();
    trigger.arm(&Context::new("run", Clock::start())).unwrap();
    trigger.fire().unwrap();
    trigger
}

/// The next events, up to one of this name.
fn until(trigger: &mut LibvirtTrigger, name: &str) -> Vec<Event> {
    let deadline = Instant::now() + LIMIT;
    let mut events = Vec::new();
    loop {
        assert!(Instant::now() < deadline, "no '{name}' after {events:#?}");
        if let Some(event) = trigger.next_event(Duration::from_millis(100)).unwrap() {
            let found = event.kind.name() == name || event.kind.is_final();
            events.push(event);
            if found {
                return events;
            }
        }
    }
}

/// All of them, and what was settled.
fn flown(trigger: &mut LibvirtTrigger) -> (Vec<Event>, Settled) {
    let events = until(trigger, "no such event");
    let settled = trigger.settle(events.last().unwrap()).unwrap();
    (events, settled)
}

/// Names of events without progress, as they happened; those of the end are told at the end.
fn names(events: &[Event]) -> Vec<String> {
    let is_told = |event: &&Event| event.kind != EventKind::Progress;
    let mut told: Vec<&Event> = events.iter().filter(is_told).collect();
    let of_the_end = |event: &Event| event.kind.is_final() || event.source == "libvirt";
    let ended = told.len() - told.iter().rev().take_while(|event| of_the_end(event)).count();
    told[..ended].sort_by_key(|event| event.at);
    told.iter().map(|event| event.kind.to_string()).collect()
}

fn find<'a>(events: &'a [Event], name: &str) -> &'a Event {
    events.iter().find(|event| event.kind.to_string() == name).unwrap()
}

const PRE_COPY: &str = r#"
    libvirt target lifecycle 'Started Migrated'
    status source setup; status target setup; status target active
    qemu source MIGRATION_PASS '{"pass":1}'; status source active
    libvirt source migration-iteration "iteration: '1'"
    qemu source MIGRATION_PASS '{"pass":2}'; qemu source STOP
    libvirt source lifecycle 'Suspended Migrated'
    status source pre-switchover; status source device; qemu source MIGRATION_PASS '{"pass":3}'
    status target completed; status source completed
    sleep 0.05
    echo running > "$here/state.target"
    printf 'Job type: 3\ntime_elapsed: 8572\ndowntime: 150\nmemory_total: 268967936\nmemory_processed: 122893597\n' > "$here/completed.target"
    qemu target RESUME
    libvirt target lifecycle 'Resumed Migrated'
    rm "$here/state.source"
    sleep 0.3
"#;

#[test]
fn a_pre_copy_with_its_preparation_and_what_is_tidied_up() {
    let world = World::new(&format!("sleep 0.2{PRE_COPY}"));
    let mut trigger = world.trigger();
    let facts = trigger.inspect().unwrap();
    assert_eq!(facts.hypervisor.as_deref(), Some("QEMU 7.2.22, libvirt 9.0.0"));
    assert_eq!((facts.memory_bytes, facts.running), (Some(256 << 20), Some(true)));
    let mut trigger = fired(trigger);
    let (events, settled) = flown(&mut trigger);
    assert_eq!(
        names(&events),
        [
            "fired",
            "accepted",
            "setup",
            "round 1",
            "round 2",
            "stop",
            "pre-switchover",
            "round 3",
            "resume",
            "virsh ended",
            "completed"
        ]
    );
    let at = |name: &str| find(&events, name).at;
    // Neither the start of the target's QEMU nor what virsh does afterwards is migration time.
    assert!(at("accepted") - at("fired") >= 200_000_000);
    assert_eq!(at("completed"), at("resume"));
    assert!(at("virsh ended") - at("completed") >= 300_000_000);
    let resume = find(&events, "resume");
    assert!(resume.at - at("stop") >= 50_000_000 && resume.uncertainty < 50_000_000);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
    assert_eq!(settled.hypervisor_downtime, Some(Duration::from_millis(150)));
    assert_eq!((settled.hypervisor_total, settled.transferred_bytes), (None, Some(122_893_597)));
    assert!(settled.details["preparation_ms"].as_f64().unwrap() >= 200.0);
    assert!(settled.details["tidying_up_ms"].as_f64().unwrap() >= 300.0);
    assert_eq!(settled.details["domjobinfo"]["time_elapsed"], 8572);
    assert!(world.asked().contains("source migrate --live --domain lab --desturi fake:///b\n"));
}

#[test]
fn post_copy_is_ordered_when_the_first_pass_has_begun() {
    let world = World::new(
        r#"
        [[ ! -e $here/postcopy ]] || fail 'ordered too early'
        status source setup; qemu source MIGRATION_PASS '{"pass":1}'; status source active
        await postcopy
        qemu source STOP; status source postcopy-active; qemu target RESUME
        echo running > "$here/state.target"
        sleep 0.05; status source completed; status target completed
        printf "event 'job-completed' for domain 'lab':\n\toperation: 5\n\tdowntime: 33\n\tmemory_total: 4096\n\tmemory_processed: 4096\n" >> "$here/source.libvirt"
        sleep 0.1
        "#,
    );
    let mut options = world.options();
    options.strategy = Strategy::PostCopy;
    options.postcopy_after = PostcopyAfter::Time(Duration::from_millis(20));
    let mut trigger = fired(LibvirtTrigger::new(options).unwrap());
    let (events, settled) = flown(&mut trigger);
    assert_eq!(
        names(&events),
        [
            "fired",
            "accepted",
            "setup",
            "round 1",
            "stop",
            "post-copy",
            "resume",
            "virsh ended",
            "completed"
        ]
    );
    let (resume, completed) = (find(&events, "resume"), events.last().unwrap());
    assert!(completed.at - resume.at >= 50_000_000, "it ends with the last page");
    assert!(!completed.attributes.contains_key("note"));
    // Only the source's event has the figures of a post-copy.
    assert_eq!(settled.hypervisor_downtime, Some(Duration::from_millis(33)));
    assert_eq!(settled.transferred_bytes, Some(4096));
}

#[test]
fn a_hybrid_waits_for_the_second_pass_and_a_post_copy_that_never_began_is_told() {
    let world =
        World::new(&PRE_COPY.replace("qemu source STOP", "await postcopy; qemu source STOP"));
    let mut options = world.options();
    options.strategy = Strategy::PostCopy;
    options.postcopy_after = PostcopyAfter::FirstPass;
    let (events, settled) = flown(&mut fired(LibvirtTrigger::new(options).unwrap()));
    assert_eq!(settled.ending, Ending::Completed);
    let note = events.last().unwrap().attributes["note"].as_str().unwrap();
    assert!(note.contains("this was a pre-copy"), "{note}");
}

#[test]
fn a_post_copy_that_is_refused_is_given_up() {
    let world = World::new(
        r#"
        status source setup; qemu source MIGRATION_PASS '{"pass":1}'; touch "$here/abortable"
        await aborted; fail "operation aborted: job 'migration out' canceled by client"
        "#,
    );
    world.write("migrate-postcopy", "fail 'cannot switch to post-copy'");
    let mut options = world.options();
    options.strategy = Strategy::PostCopy;
    options.postcopy_after = PostcopyAfter::Time(Duration::ZERO);
    let (_, settled) = flown(&mut fired(LibvirtTrigger::new(options).unwrap()));
    assert_eq!(settled.ending, Ending::Failed);
    let reason = settled.reason.unwrap();
    assert!(reason.contains("post-copy was refused"), "{reason}");
    assert!(reason.ends_with("the machine runs on at the source"), "{reason}");
}

#[test]
fn failures_say_why_and_where_the_machine_is() {
    let why = |migrate: &str| {
        let world = World::new(migrate);
        let (_, settled) = flown(&mut fired(world.trigger()));
        assert_eq!(settled.ending, Ending::Failed, "{migrate}");
        settled.reason.unwrap()
    };
    let refused = "fail \"unable to connect to server at '10.99.0.12:1': Connection refused\"";
    let reason = why(refused);
    assert!(reason.contains("10.99.0.12:1': Connection refused"), "{reason}");
    assert!(reason.ends_with("; the machine runs on at the source"), "{reason}");
    // It says that all went well, and the machine is not there.
    let reason = why("status source setup; status source completed");
    assert!(reason.contains("virsh completed the migration, but nobody knows"), "{reason}");
    let paused = "status source completed; echo paused > \"$here/state.target\"";
    let reason = why(paused);
    assert!(reason.contains("it is paused"), "{reason}");
    let both = "echo running > \"$here/state.target\"; fail 'link cut'";
    assert!(why(both).contains("runs at BOTH sides"));
    let gone = "rm \"$here/state.source\"; kill -9 $$";
    let reason = why(gone);
    assert!(
        reason.contains("ended by signal 9; the machine is seen to run at neither"),
        "{reason}"
    );
}

#[test]
fn a_cancelled_migration_is_aborted_even_if_it_is_too_early_at_first() {
    let world = World::new(
        r#"
        await abort-me; touch "$here/abortable"; await aborted
        libvirt target lifecycle 'Stopped Failed'
        fail 'operation aborted: migration out: canceled by client'
        "#,
    );
    let mut trigger = fired(world.trigger());
    trigger.cancel().unwrap();
    // The first order comes to nothing.
    let deadline = Instant::now() + LIMIT;
    while world.asked().matches("source domjobabort").count() < 2 {
        assert!(Instant::now() < deadline);
        let _ = trigger.next_event(Duration::from_millis(20)).unwrap();
    }
    world.write("abort-me", "");
    let (_, settled) = flown(&mut trigger);
    assert_eq!(settled.ending, Ending::Cancelled);
    let reason = settled.reason.unwrap();
    assert!(reason.contains("canceled by client; the machine runs on at the source"), "{reason}");
}

/// Without `--live` libvirt stops the machine before QEMU's migration begins; from then on it is
/// under way.
#[test]
fn a_machine_that_is_stopped_first_is_migrated_from_its_stop_on() {
    let world = World::new(
        &PRE_COPY
            .replace("status source setup;", "qemu source STOP; sleep 0.05; status source setup;"),
    );
    let mut options = world.options();
    options.strategy = Strategy::StopAndCopy;
    let (events, settled) = flown(&mut fired(LibvirtTrigger::new(options).unwrap()));
    assert_eq!(settled.ending, Ending::Completed);
    assert_eq!(find(&events, "accepted").at, find(&events, "stop").at);
}

/// What happened before the order, and what other machines do, is not of this migration.
#[test]
fn others_and_earlier_events_are_left_out() {
    let world = World::new(
        r#"
        status source setup; qemu source STOP; echo running > "$here/state.target"
        qemu target RESUME; status source completed
        printf "event 'job-completed' for domain 'lab':\n\tmemory_total: 4096\n\tmemory_processed: 4096\nevent 'job-completed' for domain 'other':\n\tmemory_processed: 7\n" >> "$here/source.libvirt"
        sleep 0.1
        "#,
    );
    world.write("source.qemu", "event STOP at 1795675202.769792 for domain 'lab': <null>\n");
    let (events, settled) = flown(&mut fired(world.trigger()));
    assert_eq!(names(&events).iter().filter(|name| *name == "stop").count(), 1);
    assert_eq!(settled.transferred_bytes, Some(4096));
}

/// A figure of a migration that failed would be that of an earlier one.
#[test]
fn a_failure_has_no_figures_of_the_job_before() {
    let world = World::new("fail 'unsafe migration'");
    world.write("completed.target", "Job type: 3\ndowntime: 150\nmemory_total: 268967936\n");
    let (_, settled) = flown(&mut fired(world.trigger()));
    assert_eq!((settled.ending, settled.hypervisor_downtime), (Ending::Failed, None));
}

#[test]
fn post_copy_cannot_be_cancelled() {
    let world = World::new(
        r#"
        status source setup; qemu source MIGRATION_PASS '{"pass":1}'; await postcopy
        qemu source STOP; status source postcopy-active; await go-on
        qemu target RESUME; echo running > "$here/state.target"; status source completed
        "#,
    );
    let mut options = world.options();
    options.strategy = Strategy::PostCopy;
    options.postcopy_after = PostcopyAfter::Time(Duration::ZERO);
    let mut trigger = fired(LibvirtTrigger::new(options).unwrap());
    until(&mut trigger, "post-copy");
    assert!(matches!(trigger.cancel(), Err(TriggerError::Unsupported(_))));
    world.write("go-on", "");
    assert_eq!(flown(&mut trigger).1.ending, Ending::Completed);
}

#[test]
fn without_qemu_s_events_those_of_libvirt_have_to_do() {
    let world = World::new(PRE_COPY);
    world.write("deaf", "");
    let mut trigger = fired(world.trigger());
    let (events, settled) = flown(&mut trigger);
    assert_eq!(
        names(&events),
        ["fired", "accepted", "round 1", "stop", "resume", "virsh ended", "completed"]
    );
    for name in ["stop", "resume"] {
        assert_eq!(find(&events, name).attributes["by_receipt"], true);
    }
    let why = settled.details["source_qemu_events_not_heard"].as_str().unwrap();
    assert!(why.contains("not supported by the connection driver"), "{why}");
}

#[test]
fn what_cannot_be_moved_is_refused_before_the_load() {
    let world = World::new("");
    world.write("state.source", "shut off\n");
    assert!(world.refusal().contains("it does not run at fake:///a (it is shut off)"));
    fs::remove_file(world.path("state.source")).unwrap();
    assert!(world.refusal().contains("virsh list --all shows which there are"));
    let world = World::new("");
    world.write("uuid.source", "one");
    world.write("uuid.target", "one");
    assert!(world.refusal().contains("host_uuid of its own in libvirtd.conf"));
    let world = World::new("");
    world.write("state.target", "running\n");
    assert!(world.refusal().contains("is at fake:///b already (it is running)"));
    let world = World::new("");
    world.write("job", "Job type: 2\n");
    assert!(world.refusal().contains("another job of it is under way"));
}

#[test]
fn options_that_this_virsh_lacks_are_told_before_the_first_trial() {
    let world = World::new("");
    world.trigger().check().unwrap();
    let mut options = world.options();
    options.flags.push(("parallel".to_owned(), None));
    let error = LibvirtTrigger::new(options).unwrap().check().unwrap_err().to_string();
    assert!(
        error.contains("virsh migrate --parallel") && error.contains("no such option"),
        "{error}"
    );
}

#[test]
fn the_downtime_limit_is_put_back_when_the_machine_stays() {
    let world = World::new("fail 'no'");
    let mut options = world.options();
    options.downtime_limit = Some(Duration::from_millis(120));
    flown(&mut fired(LibvirtTrigger::new(options).unwrap()));
    let asked = world.asked();
    let set: Vec<&str> = asked.lines().filter(|line| line.contains("setmax")).collect();
    assert_eq!(
        set,
        [
            "source migrate-setmaxdowntime --downtime 120 --domain lab",
            "source migrate-setmaxdowntime --downtime 300 --domain lab"
        ]
    );
}

#[test]
fn a_trigger_that_is_dropped_aborts_its_migration() {
    let world = World::new("touch \"$here/abortable\"; await aborted; fail 'aborted'");
    let trigger = fired(world.trigger());
    let deadline = Instant::now() + LIMIT;
    while !fs::exists(world.path("abortable")).unwrap() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(trigger);
    assert!(fs::exists(world.path("aborted")).unwrap());
}
