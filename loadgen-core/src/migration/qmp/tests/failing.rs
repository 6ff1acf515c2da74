//! Migrations that do not begin, fail, or are given up: who is told what, and where the
//! machine runs then.

use super::*;

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
    // The last is what was changed, put back.
    assert_eq!(log[log.len() - 3..log.len() - 1], ["migrate_cancel null", "cont null"]);
    assert!(log[log.len() - 1].contains(r#"{"capability":"events","state":false}"#), "{log:?}");
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
        QmpTrigger::new(options).unwrap().inspect().unwrap_err()
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
fn a_target_that_died_before_the_migration_is_noticed_when_it_is_fired() {
    let mut rig = Rig::new(Strategy::StopAndCopy);
    rig.trigger.inspect().unwrap();
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
