//! Asked over a QMP socket.

use serde_json::{Value, json};

use super::*;
use crate::migration::qmp::QmpAddress;
use crate::migration::qmp::fake::{Answer, Fake};

/// As QEMU 7.2.22 tells it.
fn measured(over_s: &Value, pages: &Value, rate: i64) -> Value {
    json!({
        "status": "measured", "sample-pages": pages, "dirty-rate": rate, "mode": "page-sampling",
        "start-time": 36368, "calc-time": over_s
    })
}

/// A machine that writes to 10 MiB/s of 32 MiB.
fn machine() -> Fake {
    let fake = Fake::start("running");
    let mut order = json!({});
    fake.vm.on(move |_, command, arguments| {
        Some(Ok(match command {
            "calc-dirty-rate" => {
                order = arguments.clone();
                json!({})
            }
            "query-dirty-rate" if order["calc-time"].is_null() => json!({
                "status": "unstarted", "sample-pages": 0, "mode": "page-sampling",
                "start-time": 0, "calc-time": 0
            }),
            "query-dirty-rate" => {
                let over_s = order["calc-time"].as_i64()?;
                measured(&order["calc-time"], &order["sample-pages"], (32 / over_s).min(10))
            }
            "query-name" => json!({ "name": "web1" }),
            _ => return None,
        }))
    });
    fake
}

fn spec(fake: &Fake) -> LookSpec {
    LookSpec::new(LookAt::Qmp(QmpAddress::Unix(fake.path.clone())))
}

/// Answers one command otherwise, and the rest as [`Fake`] does.
fn but(command: &'static str, answer: impl Fn(&Value) -> Answer + Send + 'static) -> Fake {
    let fake = Fake::start("running");
    fake.vm.on(move |_, asked, arguments| match asked {
        asked if asked == command => Some(answer(arguments)),
        "calc-dirty-rate" => Some(Ok(json!({}))),
        "query-dirty-rate" => Some(Ok(json!({ "status": "unstarted" }))),
        _ => None,
    });
    fake
}

fn why(fake: &Fake) -> String {
    ask_at_once(&spec(fake)).unwrap_err().to_string()
}

#[test]
fn all_that_it_tells() {
    let fake = machine();
    fake.vm.lock().on = vec!["xbzrle".to_owned()];
    let now = ask_at_once(&spec(&fake).with_repeats(2)).unwrap();
    assert_eq!(now.source, format!("qmp:{}", fake.path.display()));
    assert_eq!(now.name.as_deref(), Some("web1"));
    assert_eq!(now.hypervisor.as_deref(), Some("QEMU 7.2.22 (Debian 1:7.2)"));
    assert_eq!((now.memory_bytes, now.balloon_bytes), (Some(512 << 20), None));
    assert_eq!(now.max_bandwidth_bytes_per_s, Some(128 << 20));
    assert_eq!((now.downtime_limit_s, now.resident_bytes), (Some(0.3), None));
    assert_eq!(now.capabilities, Some(vec!["xbzrle".to_owned()]));
    assert!(now.asked_at_unix_ms > 1_700_000_000_000);
    assert_eq!(told(&now), [(1.0, 10.0), (1.0, 10.0), (4.0, 8.0), (4.0, 8.0)]);
    assert_eq!(now.dirty[0].pages_per_gib, Some(16384));
    assert_eq!(now.dirty[0].resolution_bytes_per_s, MIB);
}

/// All that is not a question is the order to measure, and nothing is set.
#[test]
fn nothing_is_changed() {
    let fake = machine();
    ask_at_once(&spec(&fake)).unwrap();
    let orders: Vec<String> = fake.vm.log();
    assert_eq!(
        orders,
        [
            "qmp_capabilities null",
            r#"calc-dirty-rate {"calc-time":1,"sample-pages":16384}"#,
            r#"calc-dirty-rate {"calc-time":4,"sample-pages":16384}"#,
        ]
    );
}

#[test]
fn a_machine_that_stands_still_or_is_moved_is_not_measured() {
    let fake = Fake::start("paused");
    assert!(why(&fake).contains("does not run (it is paused)"));
    let fake = machine();
    fake.vm.set_migrate(json!({ "status": "active" }));
    assert!(why(&fake).contains("a migration (its state is active) is under way"));
    assert_eq!(fake.vm.log(), ["qmp_capabilities null"]);
}

#[test]
fn one_that_is_stopped_meanwhile_is_told_of() {
    let fake = Fake::start("running");
    fake.vm.on(|vm, command, _| match command {
        "calc-dirty-rate" => {
            "paused".clone_into(&mut vm.lock().status);
            Some(Ok(json!({})))
        }
        "query-dirty-rate" => Some(Ok(measured(&json!(1), &json!(16384), 0))),
        _ => None,
    });
    assert!(why(&fake).contains("it is paused"));
}

/// An emulated machine crashes when QEMU 7.2 is asked for this.
#[test]
fn pages_are_tracked_with_kvm_alone() {
    for answer in [Ok(json!({ "enabled": false, "present": true })), Err("?".to_owned())] {
        let fake = but("query-kvm", move |_| answer.clone());
        let error = ask_at_once(&spec(&fake).with_mode(DirtyMode::DirtyBitmap)).unwrap_err();
        assert!(matches!(error, LookError::NeedsKvm { .. }), "{error}");
        assert_eq!(fake.vm.log(), ["qmp_capabilities null"]);
    }
    let fake = Fake::start("running");
    fake.vm.on(|_, command, _| match command {
        "query-kvm" => Some(Ok(json!({ "enabled": true, "present": true }))),
        "calc-dirty-rate" => Some(Ok(json!({}))),
        "query-dirty-rate" => Some(Ok(json!({
            "status": "measured", "sample-pages": 0, "dirty-rate": 7, "mode": "dirty-bitmap",
            "start-time": 1, "calc-time": 2
        }))),
        _ => None,
    });
    let spec = spec(&fake).with_mode(DirtyMode::DirtyBitmap).with_over_s([2]);
    let now = ask_at_once(&spec).unwrap();
    assert_eq!((told(&now), now.dirty[0].pages_per_gib), (vec![(2.0, 7.0)], None));
    assert!(fake.vm.log()[1].contains(r#""mode":"dirty-bitmap""#));
}

#[test]
fn what_an_old_version_lacks_is_named() {
    // The fake knows no dirty rates unless told.
    assert!(why(&Fake::start("running")).contains("query-dirty-rate: that came with QEMU 5.2"));
    let fake = but("calc-dirty-rate", |_| Err("The command x has not been found".to_owned()));
    assert!(why(&fake).contains("does not know calc-dirty-rate: that came with QEMU 5.2"));
    let unexpected = |arguments: &Value| match &arguments["sample-pages"] {
        Value::Null => Err("next".to_owned()),
        _ => Err("Parameter 'sample-pages' is unexpected".to_owned()),
    };
    let fake = but("calc-dirty-rate", unexpected);
    assert!(why(&fake).contains("was refused: next"), "asked again without");
    let fake = but("calc-dirty-rate", unexpected);
    let error = ask_at_once(&spec(&fake).with_pages_per_gib(900)).unwrap_err().to_string();
    assert!(error.contains("QEMU 6.1"), "{error}");
}

#[test]
fn nonsense_is_refused() {
    for told in [
        json!({ "status": "dreaming" }),
        json!({}),
        json!({ "status": "measured", "calc-time": 1 }),
        json!({ "status": "measured", "calc-time": 1, "dirty-rate": -1 }),
        json!({ "status": "measured", "calc-time": 1e30, "dirty-rate": 3 }),
    ] {
        let fake = but("query-dirty-rate", move |_| Ok(told.clone()));
        assert!(why(&fake).contains("makes no sense"));
    }
    let fake = but("query-dirty-rate", |_| Ok(measured(&json!(1), &json!(16384), 9000)));
    assert!(why(&fake).contains("9000 MiB/s over 1 s, which is more than the machine has memory"));
    let fake = but("query-dirty-rate", |_| Ok(measured(&json!(1), &json!(512), 9)));
    assert!(why(&fake).contains("somebody else measures"));
}

#[test]
fn one_that_never_ends_or_goes_away() {
    assert!(why(&but("query-name", |_| Ok(json!({})))).contains("still being measured 15 s"));
    let fake = Fake::start("running");
    fake.vm.on(|vm, command, _| {
        if command == "calc-dirty-rate" {
            vm.close();
        }
        (command == "query-dirty-rate").then(|| Ok(json!({ "status": "unstarted" })))
    });
    assert!(why(&fake).contains("closed by QEMU"));
    let nowhere = "qmp:/nowhere/qmp".parse().unwrap();
    assert!(ask(&nowhere).unwrap_err().to_string().contains("connecting to the QMP socket"));
}
