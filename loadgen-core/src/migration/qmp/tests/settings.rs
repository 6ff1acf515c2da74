//! Capabilities and parameters: set for the migration, put back after it.

use super::*;

fn left_over(vm: &Vm, names: &[&str]) {
    vm.lock().on = names.iter().map(|name| (*name).to_owned()).collect();
}

#[test]
fn what_an_earlier_migration_left_on_is_switched_off_and_put_back() {
    let mut rig = Rig::with(|options| {
        options.max_bandwidth = Some(33_554_432);
        options.downtime_limit = Some(300 * MS);
    });
    left_over(&rig.source, &["postcopy-ram", "xbzrle"]);
    left_over(&rig.target, &["postcopy-blocktime"]);
    rig.on_migrate(|source, target| {
        assert_eq!(source.lock().on, ["events"]);
        assert_eq!(target.lock().on, ["events"]);
        assert_eq!(source.lock().parameters["max-bandwidth"], 33_554_432);
        pre_copy(source, target);
    });
    rig.fire().unwrap();
    let (_, settled) = rig.finish();
    let details = &settled.details;
    assert_eq!(details["capabilities"], json!(["events"]));
    assert_eq!(details["capabilities_switched_off"], json!(["xbzrle", "postcopy-ram"]));
    assert_eq!(details["target_capabilities_switched_off"], json!(["postcopy-blocktime"]));
    assert_eq!(rig.source.lock().on, ["postcopy-ram", "xbzrle"]);
    assert_eq!(rig.target.lock().on, ["postcopy-blocktime"]);
    // What was as wanted already was not changed, and is not put back.
    let put_back = json!({ "max-bandwidth": 134_217_728 });
    assert_eq!(details["put_back"]["parameters"], put_back);
    assert_eq!(rig.source.lock().parameters["max-bandwidth"], 134_217_728);
}

#[test]
fn what_qemu_does_not_let_us_switch_off_is_left_and_named() {
    let mut rig = Rig::new(Strategy::PreCopy);
    left_over(&rig.source, &["postcopy-ram", "xbzrle"]);
    rig.source.on(|_, command, arguments| {
        let refused = json!({ "capability": "xbzrle", "state": false });
        let asked = arguments["capabilities"].as_array();
        (command == "migrate-set-capabilities" && asked.is_some_and(|c| c.contains(&refused)))
            .then(|| Err("multifd needs xbzrle".to_owned()))
    });
    rig.fire().unwrap();
    rig.source.migration("failed");
    let (_, settled) = rig.finish();
    assert_eq!(settled.details["capabilities_switched_off"], json!(["postcopy-ram"]));
    assert_eq!(settled.details["capabilities_left_on"]["xbzrle"], "multifd needs xbzrle");
    assert_eq!(rig.source.lock().on, ["postcopy-ram", "xbzrle"]);
}

#[test]
fn what_cannot_be_switched_on_is_refused_and_all_is_put_back() {
    let mut rig = Rig::with(|options| options.capabilities = vec!["xbzrle".to_owned()]);
    left_over(&rig.target, &["postcopy-ram"]);
    rig.target.on(|_, command, arguments| {
        let on = json!({ "capability": "xbzrle", "state": true });
        let asked = arguments["capabilities"].as_array();
        (command == "migrate-set-capabilities" && asked.is_some_and(|c| c.contains(&on)))
            .then(|| Err("not with this machine".to_owned()))
    });
    let error = rig.fire().unwrap_err().to_string();
    for wanted in ["switching on xbzrle, events (the target, /", "not with this machine"] {
        assert!(error.contains(wanted), "{error}");
    }
    let Rig { source, target, trigger, _fakes, .. } = rig;
    drop(trigger);
    assert_eq!(source.lock().on, [""; 0]);
    assert_eq!(target.lock().on, ["postcopy-ram"]);
}

#[test]
fn a_migration_that_is_abandoned_puts_back_too() {
    let mut rig = Rig::with(|options| options.downtime_limit = Some(50 * MS));
    rig.on_migrate(|source, _| {
        source.migration("active");
        source.await_command("migrate_cancel");
        source.migration("cancelled");
    });
    rig.fire().unwrap();
    assert_eq!(rig.source.lock().parameters["downtime-limit"], 50);
    let Rig { source, trigger, _fakes, .. } = rig;
    drop(trigger);
    assert_eq!(source.lock().on, [""; 0]);
    assert_eq!(source.lock().parameters["downtime-limit"], 300);
}

#[test]
fn what_is_refused_does_not_keep_the_rest_from_being_put_back() {
    let mut rig = Rig::with(|options| options.downtime_limit = Some(50 * MS));
    rig.fire().unwrap();
    let mut refusals = 1;
    rig.source.on(move |_, command, _| {
        let refused = command == "migrate-set-capabilities" && refusals > 0;
        refusals -= i32::from(refused);
        refused.then(|| Err("not while a snapshot is taken".to_owned()))
    });
    rig.source.migration("failed");
    let (_, settled) = rig.finish();
    let why = "migrate-set-capabilities: not while a snapshot is taken";
    assert_eq!(settled.details["not_put_back"], why);
    assert_eq!(settled.details["put_back"], json!({ "parameters": { "downtime-limit": 300 } }));
    assert_eq!(rig.source.lock().parameters["downtime-limit"], 300);
    assert_eq!(rig.source.lock().on, ["events"]);
    // What was not put back is tried once more at the end.
    let Rig { source, trigger, _fakes, .. } = rig;
    drop(trigger);
    assert_eq!(source.lock().on, [""; 0]);
}

/// Both sides must agree on some; and QEMU takes a number for a number alone.
#[test]
fn parameters_are_set_at_both_sides_in_the_type_that_qemu_has_and_put_back() {
    let mut rig = Rig::with(|options| {
        let parameters = [("multifd-channels", "4"), ("multifd-compression", "zstd")];
        options.parameters = parameters.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
        options.downtime_limit = Some(50 * MS);
    });
    let own = json!({
        "multifd-channels": 2, "multifd-compression": "none", "downtime-limit": 300,
        "max-bandwidth": 1
    });
    for side in [&rig.source, &rig.target] {
        side.lock().parameters.clone_from(&own);
    }
    let wanted = |side: &Vm| {
        let inner = side.lock();
        let names = ["multifd-channels", "multifd-compression", "downtime-limit"];
        names.map(|name| inner.parameters[name].clone())
    };
    rig.on_migrate(move |source, target| {
        assert_eq!(wanted(source), [json!(4), json!("zstd"), json!(50)]);
        assert_eq!(wanted(target), [json!(4), json!("zstd"), json!(300)]);
        pre_copy(source, target);
    });
    rig.fire().unwrap();
    let (_, settled) = rig.finish();
    assert_eq!(settled.details["target_parameters"]["multifd-channels"], 4);
    for side in [&rig.source, &rig.target] {
        assert_eq!(side.lock().parameters, own);
    }
    let mut rig = Rig::with(|options| {
        options.parameters = vec![("zero-copy".to_owned(), "on".to_owned())];
    });
    let error = rig.fire().unwrap_err().to_string();
    assert!(error.contains("the parameter zero-copy (the source"), "{error}");
}

#[test]
fn a_check_tries_what_can_be_tried_and_leaves_all_as_it_was() {
    let mut rig = Rig::with(|options| {
        options.capabilities = vec!["xbzrle".to_owned()];
        options.downtime_limit = Some(50 * MS);
    });
    left_over(&rig.target, &["postcopy-ram"]);
    let (before, parameters) = (rig.target.lock().on.clone(), rig.source.lock().parameters.clone());
    rig.trigger.check().unwrap();
    assert!(rig.source.log().iter().any(|line| line.contains("xbzrle")), "{:?}", rig.source.log());
    let as_before = |rig: &Rig| {
        assert_eq!(rig.target.lock().on, before);
        assert_eq!(rig.source.lock().on, [""; 0]);
        assert_eq!(rig.source.lock().parameters, parameters);
    };
    as_before(&rig);
    rig.target.on(|_, command, arguments| {
        let on = json!({ "capability": "xbzrle", "state": true });
        let asked = arguments["capabilities"].as_array();
        (command == "migrate-set-capabilities" && asked.is_some_and(|c| c.contains(&on)))
            .then(|| Err("not with this machine".to_owned()))
    });
    let error = rig.trigger.check().unwrap_err().to_string();
    assert!(error.contains("not with this machine"), "{error}");
    as_before(&rig);
}
