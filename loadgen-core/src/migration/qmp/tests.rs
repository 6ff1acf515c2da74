//! Transcripts of real migrations and every known trap, against [`super::fake`].

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

#[test]
fn pre_copy_ends_after_the_target_resumed() {
    let mut rig = Rig::with(|options| {
        options.max_bandwidth = Some(33_554_432);
        options.downtime_limit = Some(300 * MS);
        options.capabilities = vec!["xbzrle".to_owned()];
    });
    rig.on_migrate(pre_copy);
    let facts = rig.trigger.probe().unwrap();
    assert_eq!(facts.memory_bytes, Some(536_870_912));
    assert_eq!(facts.hypervisor.as_deref(), Some("QEMU 7.2.22 (Debian 1:7.2)"));
    rig.fire().unwrap();
    let (events, settled) = rig.finish();
    let wanted = ["fired", "accepted", "setup", "round 1", "round 2", "stop"];
    assert_eq!(names_of("source", &events), wanted);
    assert_eq!(names_of("target", &events), ["resume", "completed"]);
    let (stop, resume) = (find(&events, &EventKind::Stop), find(&events, &EventKind::Resume));
    assert!(resume.at > stop.at + 5_000_000 && events.last().unwrap().at >= resume.at);
    assert!(stop.attributes["received_after_s"].is_f64());
    assert_eq!(settled.ending, Ending::Completed);
    assert_eq!(settled.on_target, Some(true));
    assert_eq!(settled.hypervisor_total, Some(4389 * MS));
    assert_eq!(settled.hypervisor_downtime, Some(15 * MS));
    assert_eq!(settled.transferred_bytes, Some(153_858_031));
    assert_eq!(settled.details["query_migrate"]["ram"]["dirty-sync-count"], 6);
    let log = rig.source.log();
    let capabilities = r#"migrate-set-capabilities {"capabilities":[{"capability":"events","state":true},{"capability":"xbzrle","state":true}]}"#;
    assert_eq!(
        log[1..4],
        [
            capabilities.to_owned(),
            r#"migrate-set-parameters {"downtime-limit":300,"max-bandwidth":33554432}"#.to_owned(),
            r#"migrate {"uri":"tcp:h:4444"}"#.to_owned(),
        ]
    );
    assert_eq!(
        rig.target.log()[1..],
        [capabilities.to_owned(), r#"migrate-incoming {"uri":"tcp:h:4444"}"#.to_owned(),]
    );
}

#[test]
fn post_copy_is_prepared_on_both_sides_and_started_when_active() {
    let mut rig = Rig::new(Strategy::PostCopy);
    rig.on_migrate(|source, target| {
        source.set_migrate(active_state());
        source.migration("setup");
        source.migration("active");
        source.await_command("migrate-start-postcopy");
        source.migration("postcopy-active");
        source.event("STOP", json!({}));
        target.migration("postcopy-active");
        "running".clone_into(&mut target.lock().status);
        target.event("RESUME", json!({}));
        target.set_migrate(json!({ "status": "completed", "postcopy-blocktime": 266 }));
        target.migration("completed");
        source.set_migrate(completed_state());
        source.migration("completed");
    });
    rig.fire().unwrap();
    let mut early = Vec::new();
    while early.last().is_none_or(|e: &Event| e.kind != EventKind::PostCopy) {
        early.extend(rig.trigger.next_event(50 * MS).unwrap());
    }
    assert!(matches!(rig.trigger.cancel(), Err(TriggerError::Unsupported(_))));
    let (events, settled) = rig.finish();
    early.extend(events);
    let wanted = ["fired", "accepted", "setup", "post-copy", "stop", "completed"];
    assert_eq!(names_of("source", &early), wanted);
    assert_eq!(names_of("target", &early), ["resume"]);
    assert_eq!(settled.details["target_query_migrate"]["postcopy-blocktime"], 266);
    assert!(rig.source.log()[1].contains("postcopy-ram"));
    assert!(rig.target.log()[1].contains("postcopy-ram"));
    assert!(rig.target.log()[1].contains("postcopy-blocktime"));
}

#[test]
fn stop_and_copy_runs_the_target_at_once() {
    let mut rig = Rig::new(Strategy::StopAndCopy);
    rig.on_migrate(|source, target| {
        source.migration("setup");
        source.migration("active");
        source.set_migrate(completed_state());
        source.migration("completed");
        sleep(30 * MS);
        "paused".clone_into(&mut target.lock().status);
        target.migration("completed");
    });
    rig.fire().unwrap();
    let (events, settled) = rig.finish();
    assert_eq!(names_of("source", &events), ["fired", "accepted", "stop", "setup"]);
    assert_eq!(names_of("target", &events), ["resume", "completed"]);
    assert!(find(&events, &EventKind::Stop).at >= events[0].at);
    assert_eq!(settled.on_target, Some(true));
    let tail = &rig.source.log()[2..];
    assert!(tail[0].starts_with("stop ") && tail[1].starts_with("migrate "), "{tail:?}");
    assert_eq!(rig.target.log().last().unwrap(), "cont null");
}

#[test]
fn totals_of_zero_are_asked_for_again() {
    let mut rig = Rig::new(Strategy::PreCopy);
    rig.on_migrate(|source, target| {
        pre_copy(source, target);
        let zero = json!({ "status": "completed", "total-time": 0, "downtime": 0, "ram": {} });
        source.lock().migrate = [zero.clone(), zero, completed_state()].into();
    });
    rig.fire().unwrap();
    // Nobody asks before all of it is there.
    while rig.source.lock().migrate.len() < 3 {
        sleep(MS);
    }
    let (_, settled) = rig.finish();
    assert_eq!(settled.hypervisor_total, Some(4389 * MS));
    assert_eq!(settled.hypervisor_downtime, Some(15 * MS));
}

#[test]
fn a_refused_port_fails_later_with_its_reason_and_the_source_runs_on() {
    for strategy in [Strategy::PreCopy, Strategy::StopAndCopy] {
        let mut rig = Rig::new(strategy);
        rig.on_migrate(|source, _| {
            source.migration("setup");
            let desc = "Failed to connect to '127.0.0.1:1': Connection refused";
            source.set_migrate(json!({ "status": "failed", "error-desc": desc }));
            source.migration("failed");
        });
        rig.fire().unwrap();
        let (events, settled) = rig.finish();
        assert_eq!(settled.ending, Ending::Failed);
        assert!(settled.reason.unwrap().contains("Connection refused"));
        assert_eq!((settled.on_target, settled.hypervisor_total), (Some(false), None));
        let runs_again = names(&events).contains(&"source resume".to_owned());
        assert_eq!(runs_again, strategy == Strategy::StopAndCopy, "{events:?}");
        assert_eq!(rig.source.lock().status, "running");
    }
}

#[test]
fn a_refused_migrate_does_not_leave_the_source_stopped() {
    let mut rig = Rig::new(Strategy::StopAndCopy);
    rig.source.on(|_, command, _| {
        (command == "migrate").then(|| Err("There's a migration process in progress".to_owned()))
    });
    let error = rig.fire().unwrap_err().to_string();
    assert!(error.contains("migration process in progress"), "{error}");
    assert_eq!(rig.source.log().last().unwrap(), "cont null");
}

#[test]
fn a_socket_that_closes_in_mid_migration_is_a_failure_that_names_it() {
    let mut rig = Rig::new(Strategy::PreCopy);
    rig.on_migrate(|source, _| {
        source.migration("active");
        sleep(20 * MS);
        source.close();
    });
    rig.fire().unwrap();
    let (events, settled) = rig.finish();
    let why = reason(events.last().unwrap());
    assert!(why.contains("the QMP socket of the source, /") && why.contains("closed"), "{why}");
    assert_eq!(settled.ending, Ending::Failed);
    assert!(settled.hypervisor_total.is_none());

    let mut rig = Rig::new(Strategy::PreCopy);
    rig.on_migrate(|source, target| {
        source.event("STOP", json!({}));
        source.migration("completed");
        sleep(20 * MS);
        target.close();
    });
    rig.fire().unwrap();
    let (events, settled) = rig.finish();
    assert!(reason(events.last().unwrap()).contains("the target went away"));
    assert_eq!(settled.on_target, Some(false));
    // The machine left the source: it must not be started there a second time.
    assert!(!rig.source.log().iter().any(|line| line.starts_with("cont")));
}

#[test]
fn cancelling_ends_the_target_and_that_is_no_failure() {
    let mut rig = Rig::new(Strategy::PreCopy);
    rig.on_migrate(|source, target| {
        source.migration("active");
        source.await_command("migrate_cancel");
        source.migration("cancelling");
        target.migration("failed");
        target.close();
        sleep(50 * MS);
        source.set_migrate(json!({ "status": "cancelled" }));
        source.migration("cancelled");
    });
    rig.fire().unwrap();
    assert!(rig.trigger.next_event(50 * MS).unwrap().is_some());
    rig.trigger.cancel().unwrap();
    let (events, settled) = rig.finish();
    assert_eq!(events.last().unwrap().kind, EventKind::Cancelled);
    assert_eq!((settled.ending, settled.on_target), (Ending::Cancelled, Some(false)));
    assert!(settled.hypervisor_total.is_none() && settled.hypervisor_downtime.is_none());
}

#[test]
fn dropping_gives_up_and_lets_the_source_run() {
    let mut rig = Rig::new(Strategy::StopAndCopy);
    rig.on_migrate(|source, _| {
        source.migration("active");
        source.await_command("migrate_cancel");
        source.migration("cancelled");
    });
    rig.fire().unwrap();
    let Rig { source, trigger, _fakes, .. } = rig;
    drop(trigger);
    let log = source.log();
    assert_eq!(log[log.len() - 2..], ["migrate_cancel null", "cont null"]);
    assert_eq!(source.lock().status, "running");
}

#[test]
fn post_copy_that_is_refused_does_not_pass_for_a_post_copy() {
    let mut rig = Rig::new(Strategy::PostCopy);
    let target = rig.target.clone();
    rig.source.on(move |source, command, _| match command {
        "migrate" => {
            source.migration("active");
            None
        }
        "migrate-start-postcopy" => Some(Err("Enable postcopy first".to_owned())),
        "migrate_cancel" => {
            target.close();
            source.migration("cancelled");
            None
        }
        _ => None,
    });
    rig.fire().unwrap();
    let (events, _) = rig.finish();
    let last = events.last().unwrap();
    assert_eq!(last.kind, EventKind::Failed);
    assert_eq!(reason(last), "post-copy was refused: Enable postcopy first");
}

#[test]
fn a_pre_copy_that_was_faster_than_its_post_copy_says_so() {
    let mut rig = Rig::with(|options| {
        options.strategy = Strategy::PostCopy;
        options.postcopy_after = Duration::from_secs(60);
    });
    rig.on_migrate(pre_copy);
    rig.fire().unwrap();
    let (events, _) = rig.finish();
    let note = events.last().unwrap().attributes["note"].as_str().unwrap();
    assert!(note.contains("this was a pre-copy"), "{note}");
}

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
    let status = |e: &Event| e.attributes.get("status").cloned();
    assert!(events.iter().any(|e| status(e) == Some("prepared-for-lift-off".into())));
    assert!(find(&events, &EventKind::Stop).uncertainty >= 1_000_000, "time of receipt");
    assert_eq!(settled.ending, Ending::Completed);
}

#[test]
fn without_events_the_state_is_asked_for() {
    let mut rig = Rig::new(Strategy::StopAndCopy);
    rig.source.lock().capabilities.retain(|name| *name != "events");
    let (tell, changed) = std::sync::mpsc::channel();
    rig.on_migrate(move |source, target| {
        source.set_migrate(active_state());
        sleep(150 * MS);
        let before = monotonic_ns();
        source.set_migrate(completed_state());
        tell.send((before, monotonic_ns())).unwrap();
        "paused".clone_into(&mut target.lock().status);
        target.set_migrate(json!({ "status": "completed" }));
    });
    rig.fire().unwrap();
    let (events, settled) = rig.finish();
    let last = events.last().unwrap();
    assert_eq!(last.kind, EventKind::Completed);
    assert_eq!(settled.on_target, Some(true));
    let done = events.iter().find(|e| {
        e.source == "qmp:source" && e.attributes.get("status") == Some(&"completed".into())
    });
    // It is known only that it became so between two questions.
    let (before, after) = changed.recv().unwrap();
    let clock = rig.clock.unwrap();
    let latest = clock.to_monotonic(done.unwrap().at);
    let earliest = latest - done.unwrap().uncertainty;
    assert!(earliest <= after && before <= latest, "{before} {after}: {earliest} {latest}");
}

#[test]
fn an_end_whose_event_is_lost_is_found_by_asking() {
    let mut rig = Rig::with(|options| options.peer = None);
    rig.on_migrate(|source, _| source.set_migrate(completed_state()));
    rig.fire().unwrap();
    let (events, settled) = rig.finish();
    assert_eq!(names(&events), ["source fired", "source accepted", "source completed"]);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, None));
}

#[test]
fn what_cannot_begin_is_refused_before_the_load() {
    let refusal = |change: &dyn Fn(&Vm, &Vm), capability: Option<&str>| {
        let mut rig = Rig::with(|o| o.capabilities.extend(capability.map(str::to_owned)));
        change(&rig.source, &rig.target);
        rig.fire().unwrap_err().to_string()
    };
    fn refuse_to_listen(_: &Vm, command: &str, _: &Value) -> Option<fake::Answer> {
        (command == "migrate-incoming").then(|| Err("bind: in use".to_owned()))
    }
    let state = |vm: &Vm, state: &str| state.clone_into(&mut vm.lock().status);
    let cases: [(String, &str); 6] = [
        (refusal(&|source, _| state(source, "paused"), None), "does not run (its state is paused)"),
        (refusal(&|_, target| state(target, "running"), None), "start it with -incoming defer"),
        (refusal(&|s, _| s.set_migrate(active_state()), None), "a migration is in progress"),
        (refusal(&|_, _| {}, Some("dirty-limit")), "this QEMU has only: xbzrle, events"),
        (refusal(&|_, target| target.on(refuse_to_listen), None), "bind: in use"),
        (refusal(&|s, _| s.lock().capabilities.clear(), Some("xbzrle")), "capability xbzrle"),
    ];
    for (error, wanted) in cases {
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn sockets_that_are_no_qmp_are_named() {
    let probe = |path: &std::path::Path| {
        let options = QmpOptions::new(QmpAddress::Unix(path.to_owned()), "tcp:h:1");
        QmpTrigger::new(options).unwrap().probe().unwrap_err()
    };
    let dir = tempfile::tempdir().unwrap();
    let error = probe(&dir.path().join("none"));
    assert!(error.to_string().contains("connecting to the QMP socket /"), "{error}");

    let path = dir.path().join("ssh");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"SSH-2.0-x\r\n").unwrap();
        // The second client hears nothing, as when another one holds the socket.
        let _held = listener.accept().unwrap();
        sleep(Duration::from_secs(30));
    });
    let error = probe(&path);
    assert!(error.to_string().contains("does not speak QMP: it sent 'SSH-2.0-x"), "{error}");
    let error = probe(&path);
    assert!(matches!(error, TriggerError::Silent { .. }), "{error}");
    assert!(error.to_string().contains("another QMP client may hold the socket"), "{error}");
}

#[test]
fn a_tcp_socket_gives_times_of_receipt() {
    let fake = Fake::start("running");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let path = fake.path.clone();
    std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let mut unix = std::os::unix::net::UnixStream::connect(path).unwrap();
        let (mut from, mut to) = (tcp.try_clone().unwrap(), unix.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        let _ = std::io::copy(&mut unix, &mut tcp);
    });
    let options = QmpOptions::new(QmpAddress::Tcp(address.to_string()), "tcp:h:1");
    let mut trigger = QmpTrigger::new(options).unwrap();
    trigger.probe().unwrap();
    trigger.arm(&crate::migration::Context::new("t", crate::clock::Clock::start())).unwrap();
    trigger.fire().unwrap();
    fake.vm.migration("setup");
    let setup = loop {
        if let Some(event) = trigger.next_event(50 * MS).unwrap()
            && event.kind == EventKind::Setup
        {
            break event;
        }
    };
    assert!(setup.attributes["note"].as_str().unwrap().contains("time of receipt"));
    assert!(setup.attributes["qmp_timestamp_s"].as_f64().unwrap() > 1e9);
    assert!(setup.uncertainty > 0);
    // The fake never ends it; dropping gives up after its limit.
    fake.vm.migration("cancelled");
}

#[test]
fn a_target_that_stays_unseen_is_given_up() {
    let mut rig = Rig::new(Strategy::StopAndCopy);
    rig.on_migrate(|source, target| {
        source.migration("active");
        target.close();
        source.await_command("migrate_cancel");
        source.migration("cancelled");
    });
    rig.fire().unwrap();
    let (events, _) = rig.finish();
    let last = events.last().unwrap();
    assert_eq!(last.kind, EventKind::Failed);
    assert!(reason(last).contains("the target went away"), "{last:?}");
    assert_eq!(rig.source.lock().status, "running");
}

#[test]
fn a_target_that_does_not_say_that_it_runs_is_asked() {
    for (state, kind) in [("running", EventKind::Completed), ("paused", EventKind::Failed)] {
        let mut rig = Rig::new(Strategy::PreCopy);
        rig.on_migrate(move |source, target| {
            state.clone_into(&mut target.lock().status);
            source.set_migrate(completed_state());
            source.migration("completed");
        });
        rig.fire().unwrap();
        let (events, settled) = rig.finish();
        assert_eq!(events.last().unwrap().kind, kind);
        assert_eq!(settled.on_target, Some(state == "running"));
    }
}

#[test]
fn a_target_that_died_before_the_migration_is_noticed_when_it_is_fired() {
    let mut rig = Rig::new(Strategy::StopAndCopy);
    rig.trigger.probe().unwrap();
    rig.trigger.arm(&crate::migration::Context::new("t", crate::clock::Clock::start())).unwrap();
    rig.target.close();
    // Until those who read the sockets have seen it.
    sleep(1000 * MS);
    let error = rig.trigger.fire().unwrap_err().to_string();
    assert!(error.contains("QMP of the target, /") && error.contains("closed"), "{error}");
    assert!(!rig.source.log().iter().any(|line| line.starts_with("stop")));
}

#[test]
fn dropping_does_not_wait_for_a_qemu_that_hangs() {
    let mut rig = Rig::new(Strategy::PreCopy);
    let (release, hold) = std::sync::mpsc::channel::<()>();
    rig.source.on(move |source, command, _| {
        match command {
            "migrate" => source.migration("active"),
            "migrate_cancel" => drop(hold.recv_timeout(Duration::from_secs(60))),
            _ => {}
        }
        None
    });
    rig.fire().unwrap();
    let Rig { trigger, _fakes, .. } = rig;
    let asked = std::time::Instant::now();
    drop(trigger);
    let took = asked.elapsed();
    drop(release);
    assert!(took < session::REPLY_LIMIT, "{took:?}");
}
