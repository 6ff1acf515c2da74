//! Migrations that arrive: their events, times and totals.

use super::*;
use crate::migration::strategy::PostcopyAfter;

#[test]
fn pre_copy_ends_after_the_target_resumed() {
    let mut rig = Rig::with(|options| {
        options.max_bandwidth = Some(33_554_432);
        options.downtime_limit = Some(300 * MS);
        options.capabilities = vec!["xbzrle".to_owned()];
    });
    rig.on_migrate(pre_copy);
    let facts = rig.trigger.inspect().unwrap();
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
    let capabilities = r#"migrate-set-capabilities {"capabilities":[{"capability":"xbzrle","state":true},{"capability":"events","state":true}]}"#;
    assert_eq!(
        log[1..4],
        [
            capabilities.to_owned(),
            r#"migrate-set-parameters {"downtime-limit":300,"max-bandwidth":33554432}"#.to_owned(),
            r#"migrate {"uri":"tcp:h:4444"}"#.to_owned(),
        ]
    );
    assert_eq!(
        rig.target.log()[1..3],
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
    let wanted = ["fired", "accepted", "setup", "round 1", "post-copy", "stop", "completed"];
    assert_eq!(names_of("source", &early), wanted);
    assert_eq!(names_of("target", &early), ["resume"]);
    assert_eq!(settled.details["target_query_migrate"]["postcopy-blocktime"], 266);
    assert!(rig.source.log()[1].contains("postcopy-ram"));
    assert!(rig.target.log()[1].contains("postcopy-ram"));
    assert!(rig.target.log()[1].contains("postcopy-blocktime"));
}

/// All of the memory was sent once then, and no clock says how long that takes.
#[test]
fn hybrid_begins_post_copy_when_the_first_pass_is_over() {
    let mut rig = Rig::with(|options| {
        options.strategy = Strategy::PostCopy;
        options.postcopy_after = PostcopyAfter::FirstPass;
    });
    let (tell, told) = std::sync::mpsc::channel();
    rig.on_migrate(move |source, target| {
        source.set_migrate(active_state());
        source.migration("active");
        source.event("MIGRATION_PASS", json!({ "pass": 1 }));
        let asked = |log: &[String]| log.iter().any(|line| line.contains("start-postcopy"));
        // Longer than it would be waited for by the clock of a rig.
        sleep(50 * MS);
        tell.send(asked(&source.log())).unwrap();
        source.event("MIGRATION_PASS", json!({ "pass": 2 }));
        source.await_command("migrate-start-postcopy");
        source.migration("postcopy-active");
        source.event("STOP", json!({}));
        "running".clone_into(&mut target.lock().status);
        target.event("RESUME", json!({}));
        target.migration("completed");
        source.set_migrate(completed_state());
        source.migration("completed");
    });
    rig.fire().unwrap();
    let (events, _) = rig.finish();
    assert!(!told.recv().unwrap(), "the first pass is under way");
    let wanted = ["fired", "accepted", "round 1", "round 2", "post-copy", "stop", "completed"];
    assert_eq!(names_of("source", &events), wanted);
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
    assert_eq!(names_of("source", &events), ["fired", "accepted", "stop", "setup", "round 1"]);
    assert_eq!(names_of("target", &events), ["resume", "completed"]);
    assert!(find(&events, &EventKind::Stop).at >= events[0].at);
    assert_eq!(settled.on_target, Some(true));
    let tail = &rig.source.log()[2..];
    assert!(tail[0].starts_with("stop ") && tail[1].starts_with("migrate "), "{tail:?}");
    assert!(rig.target.log().contains(&"cont null".to_owned()));
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
fn a_pre_copy_that_was_faster_than_its_post_copy_says_so() {
    let mut rig = Rig::with(|options| {
        options.strategy = Strategy::PostCopy;
        options.postcopy_after = PostcopyAfter::Time(Duration::from_secs(60));
    });
    rig.on_migrate(pre_copy);
    rig.fire().unwrap();
    let (events, _) = rig.finish();
    let note = events.last().unwrap().attributes["note"].as_str().unwrap();
    assert!(note.contains("this was a pre-copy"), "{note}");
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
    trigger.inspect().unwrap();
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
    assert!(setup.attributes["timestamp_s"].as_f64().unwrap() > 1e9);
    assert!(setup.uncertainty > 0);
    // The fake never ends it; dropping gives up after its limit.
    fake.vm.migration("cancelled");
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

/// A timer that is late lets pass what has arrived, but not for ever.
#[test]
fn who_talks_without_pause_does_not_hold_a_late_timer_up() {
    let mut rig = Rig::new(Strategy::PreCopy);
    rig.fire().unwrap();
    let asked = rig.source.lock().asked;
    let source = rig.source.clone();
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stop = std::sync::Arc::clone(&over);
    let talk = std::thread::spawn(move || {
        while !stop.load(std::sync::atomic::Ordering::SeqCst) {
            source.event("NIC_RX_FILTER_CHANGED", json!({}));
            sleep(MS);
        }
    });
    // The state is to be asked for again and again; nobody has come to it.
    sleep(300 * MS);
    let begun = std::time::Instant::now();
    while rig.source.lock().asked == asked && begun.elapsed() < 15_000 * MS {
        rig.trigger.next_event(50 * MS).unwrap();
    }
    let came = rig.source.lock().asked > asked;
    over.store(true, std::sync::atomic::Ordering::SeqCst);
    talk.join().unwrap();
    assert!(came, "the state was not asked for");
    rig.source.migration("failed");
    rig.finish();
}
