//! `loadgen migrate`: the simulated migration and its errors of usage.

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use crate::common::{self, Target, loadgen, run};

/// A migration that takes about two seconds.
const SHORT: &str = "memory=64MiB,dirty=8MiB/s,bandwidth=64MiB/s,downtime=100ms";

fn migrate(strategy: &str) -> serde_json::Value {
    let spec = format!("simulated:strategy={strategy},{SHORT}");
    let args = ["migrate", "--before", "2s", "--after", "2s", "--format", "json", "--trigger"];
    run(args.into_iter().chain([spec.as_str()])).ran().json()
}

#[track_caller]
fn check(strategy: &str) {
    let report = migrate(strategy);
    let migration = &report["migration"];
    assert_eq!(migration["trigger"], "simulated");
    assert_eq!(migration["simulated"], true);
    assert_eq!(migration["strategy"], strategy);
    assert_eq!(migration["ending"], "completed");
    assert!(migration["total_migration_time_ms"]["trigger"].as_f64().unwrap() > 500.0);
    let truth = migration["truth"]["downtime_ms"].as_f64().unwrap();
    let events = migration["downtime_ms"]["events"].as_f64().unwrap();
    assert!((events - truth).abs() < 5.0, "{events} {truth}");
    // A machine that stands still makes silences of its own: the longest may not be the
    // server's, and a client that froze as the blackout began saw that in two parts.
    // That the outage is found within its bound is measured by benches' `outage`.
    for population in ["established", "fresh"] {
        let outage = &migration["outage_ms"][population];
        let gap = outage["gap"].as_f64().unwrap();
        assert!((truth / 2.0..truth + 10_000.0).contains(&gap), "{population}: {gap}, {truth}");
        let is_cut = outage["gap_is_lower_bound"] == true;
        assert!(outage["bound"].is_f64() || is_cut, "{population}: {outage}");
    }
    // The kernel that would answer is that of this machine.
    let unreachable = &migration["unreachable_ms"];
    assert!(unreachable["at_least"].is_null() && unreachable["sent"].is_null(), "{unreachable}");
    assert!(unreachable["reason"].as_str().unwrap().contains("an address of this machine"));
    let phases: Vec<_> = migration["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert!(phases.contains(&"before") && phases.contains(&"after"), "{phases:?}");
    assert!(phases.contains(&"blackout"), "{phases:?}");
}

#[test]
fn pre_copy_agrees_with_the_truth() {
    check("pre-copy");
}

#[test]
fn stop_and_copy_agrees_with_the_truth() {
    check("stop-and-copy");
}

#[test]
fn post_copy_agrees_with_the_truth() {
    let report = migrate("post-copy");
    let migration = &report["migration"];
    assert_eq!(migration["ending"], "completed");
    let truth = migration["truth"]["downtime_ms"].as_f64().unwrap();
    let events = migration["downtime_ms"]["events"].as_f64().unwrap();
    assert!((events - truth).abs() < 5.0, "{events} {truth}");
}

#[test]
fn the_title_says_that_it_is_simulated_and_progress_names_the_stages() {
    let spec = format!("simulated:{SHORT}");
    let outcome = run(["migrate", "--before", "1s", "--after", "1s", "--trigger", &spec])
        .ran()
        .says(&["before", "migrating", "after", "simulated: completed"]);
    assert!(outcome.stdout.starts_with("SIMULATED"), "{}", outcome.stdout);
}

/// Newcomers beside newcomers could not be told from them.
#[test]
fn a_load_of_newcomers_has_no_probe() {
    let spec = format!("simulated:{SHORT}");
    let fresh = ["migrate", "--calls-per-connection", "1", "--trigger", &spec];
    let outcome = run(fresh.into_iter().chain(["--before", "1s", "--after", "1s"]))
        .ran()
        .says(&["no probe", "--calls-per-connection 1"]);
    let line = outcome.stdout.lines().find(|line| line.trim_start().starts_with("probe"));
    assert!(line.is_some_and(|line| line.contains("none: the load itself")), "{line:?}");
    let asked_for = fresh.into_iter().chain(["--probe-rate", "5"]);
    common::finish(loadgen(asked_for).spawn().unwrap())
        .exits_with(2)
        .says(&["the load itself opens a connection for each call", "--probe-rate"]);
}

#[test]
fn the_seed_reaches_the_simulation_and_the_plan() {
    let spec = format!("simulated:{SHORT}");
    let args = ["migrate", "--before", "1s", "--after", "1s", "--format", "json", "--seed", "5"];
    let args = args.into_iter().chain(["--probe-rate", "0", "--trigger", &spec]);
    let report = run(args).ran().json();
    assert_eq!(report["plan"]["seed"], 5);
    assert!(report["plan"]["probe"].is_null());
    assert!(report["migration"]["outage_ms"]["fresh"].is_null());
}

#[test]
fn usage_is_explained() {
    let refused = |args: &[&str], words: &[&str]| {
        let all = ["migrate"].iter().chain(args);
        common::finish(loadgen(all).spawn().unwrap()).exits_with(2).says(words);
    };
    let url = "http://127.0.0.1:9/";
    refused(&[url], &["--trigger", "leave the URL out"]);
    refused(&[url, "--trigger", "simulated:strategy=post-copy"], &["leave the URL out"]);
    refused(&["--also-order", "after"], &["--also-order needs --also"]);
    refused(&["--also", "simulated", "--also-order", "later"], &["parallel, before or after"]);
    refused(&["--also", "simulated:colour=red"], &["colour"]);
    refused(&["--trigger", "command:true"], &["needs the URL", "loadgen migrate URL"]);
    refused(&[url, "--trigger", "vmware:x"], &["unknown kind 'vmware'", "simulated, command, qmp"]);
    refused(&[url, "--trigger", "command:"], &["needs a program"]);
    refused(&["--trigger", "simulated:memory=much"], &["much"]);
    refused(&["--trigger", "simulated:colour=red"], &["colour"]);
    refused(&["--connect-to", "127.0.0.1:80"], &["--connect-to"]);
    refused(&["--rate", "0"], &["rate", "above 0"]);
    refused(&["--before", "soon"], &["soon", "a duration"]);
}

/// The load is that of one machine; the others are moved beside it, or before it.
#[test]
fn other_machines_are_migrated_too() {
    let spec = format!("simulated:{SHORT}");
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("move.sh");
    let script =
        "#!/bin/sh\necho '{\"event\":\"stop\"}'\nsleep 0.1\necho '{\"event\":\"resume\"}'\n";
    std::fs::write(&program, script).unwrap();
    let other = format!("command:sh {}", program.display());
    let args = ["migrate", "--before", "2s", "--after", "2s", "--format", "json"];
    let triggers = ["--trigger", &spec, "--also", &other, "--also-order", "before"];
    let report = run(args.iter().chain(&triggers)).ran().json();
    let migration = &report["migration"];
    assert_eq!(
        (&migration["ending"], &migration["simulated"]),
        (&"completed".into(), &true.into())
    );
    let machines = migration["machines"].as_array().unwrap();
    assert_eq!(machines.len(), 2, "{migration}");
    assert_eq!(machines[1]["trigger"], "command");
    let down = machines[1]["downtime_ms"].as_f64().unwrap();
    // Without times of its own, its lines count when they are read, the first perhaps late.
    assert!(down > 0.0, "{machines:?}");
    // The whole takes as long as both.
    let total = migration["total_migration_time_ms"]["trigger"].as_f64().unwrap();
    let parts: f64 = machines.iter().map(|m| m["total_ms"].as_f64().unwrap()).sum();
    assert!(total >= parts - 1.0, "{total} {parts}");
    // The downtime is that of the loaded machine.
    let truth = migration["truth"]["downtime_ms"].as_f64().unwrap();
    let events = migration["downtime_ms"]["events"].as_f64().unwrap();
    assert!((events - truth).abs() < 5.0, "{events} {truth}");
    let names: Vec<&str> =
        report["events"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap()).collect();
    let place =
        |name: &str| names.iter().position(|n| *n == name).unwrap_or_else(|| panic!("{names:?}"));
    assert!(place("machine 2 resume") < place("machine 1 accepted"), "{names:?}");
}

/// Nothing is measured before it is known that the manager can be asked.
#[test]
fn managers_of_clouds_that_cannot_be_asked_are_told_before_the_load() {
    let recipes = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/recipes");
    let kubevirt = format!("http:{recipes}/kubevirt.toml");
    let tries = |trigger: &str| run(["migrate", "http://127.0.0.1:9/", "--trigger", trigger]);
    for (trigger, words) in [
        ("opennebula:web1", ["host=HOST", "host=node2"]),
        ("opennebula:web1,host=n,endpoint=http://u:pw-5e1d@h/", ["auth=FILE", "USER:PASSWORD"]),
        ("http:", ["needs a recipe", "kubevirt.toml"]),
        ("http:a.toml,poll=0s", ["poll", "10ms to 60s"]),
    ] {
        let outcome = tries(trigger).exits_with(2).says(&words);
        assert!(!outcome.stderr.contains("pw-5e1d"), "{}", outcome.stderr);
    }
    let oned = "opennebula:web1,host=node2,endpoint=http://127.0.0.1:9/RPC2,auth=/no/auth";
    tries(oned).exits_with(1).says(&["/no/auth", "auth=FILE"]);
    tries("http:/no/recipe.toml,vm=web1")
        .exits_with(1)
        .says(&["reading the recipe /no/recipe.toml"]);
    tries(&kubevirt).exits_with(1).says(&["needs server=", "kubectl cluster-info"]);
    let more = format!("{kubevirt},server=https://127.0.0.1:9,vm=web1,token-file=/no/token");
    tries(&format!("{more},vn=x")).exits_with(1).says(&["no parameter 'vn'", "namespace"]);
}

#[test]
fn several_machines_each_with_its_own_users() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("both.json").display().to_string();
    let simulated = "simulated:memory=8MiB,dirty=0MiB/s,bandwidth=64MiB/s,downtime=100ms";
    let args = ["migrate", "--trigger", simulated, "--trigger", simulated, "--order", "sequential"];
    let times = ["--before", "500ms", "--after", "500ms", "--warmup", "200ms", "-o", &file];
    let outcome = run(args.iter().chain(&times));
    // Short phases on a busy machine leave reservations, which are told by machine.
    assert!(matches!(outcome.code(), Some(0 | 4)), "{outcome:#?}");
    let document: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(document["schema"], "loadgen-migrations/1");
    assert_eq!(
        (&document["whole"]["completed"], &document["order"]),
        (&2.into(), &"sequential".into())
    );
    let total = |place: usize| {
        let migration = &document["machines"][place]["report"]["migration"];
        migration["total_migration_time_ms"]["trigger"].as_f64().unwrap()
    };
    let whole = document["whole"]["total_migration_time_ms"].as_f64().unwrap();
    assert!(whole >= total(0) + total(1), "{whole}");
    let text = run(["report", &file]).exits_with(0).stdout;
    assert!(text.starts_with("SIMULATED live migration under load"), "{text}");
    assert!(text.contains("==> machine 2 <=="), "{text}");
    let html = dir.path().join("two.html").display().to_string();
    run(["report", &file, "--html", &html]).exits_with(2).says(&["say of which with --machine N"]);
    run(["compare", &file, &file]).exits_with(2).says(&["it is that of several machines"]);
    run(["report", &file, "--machine", "3"]).exits_with(2).says(&["has machines 1 to 2"]);
    run(["report", &file, "--machine", "2", "--html", &html]).exits_with(0);
    assert!(std::fs::read_to_string(&html).unwrap().contains("<svg"));
    // A machine's own report is one as any other.
    let alone = dir.path().join("two.json").display().to_string();
    run(["report", &file, "--machine", "2", "--format", "json", "-o", &alone]).exits_with(0);
    run(["report", &alone, "--machine", "1"]).exits_with(2).says(&["--machine is of several"]);
    assert!(run(["report", &alone]).exits_with(0).stdout.contains("migration"));
}

#[test]
fn several_machines_that_do_not_go_together_are_refused() {
    let moved = ["--trigger", "command:true", "--trigger", "command:true"];
    let refused = |args: &[&str]| run(["migrate"].iter().chain(args)).exits_with(2);
    let both = |args: &[&'static str]| [args, &moved].concat();
    refused(&both(&["http://127.0.0.1:1/"]))
        .says(&["2 triggers need a URL each, but 1 were given"]);
    refused(&["http://127.0.0.1:1/", "--trigger", "command:true", "--order", "parallel"])
        .says(&["--order needs more than one --trigger"]);
    refused(&["http://127.0.0.1:1/", "http://127.0.0.1:2/", "--trigger", "command:true"])
        .says(&["give a --trigger for each URL"]);
    let urls = ["http://127.0.0.1:1/", "http://127.0.0.1:2/"];
    refused(&both(&[urls[0], urls[1], "--also", "command:true"]))
        .says(&["--also moves machines beside"]);
    refused(&both(&[urls[0], urls[1], "--calls-log", "x.csv"]))
        .says(&["--calls-log is for one machine"]);
    refused(&both(&[urls[0], urls[1], "--order", "zigzag"])).says(&["parallel or sequential"]);
    refused(&both(&[urls[0], urls[1], "--also-order", "after"])).says(&["for --also"]);
    refused(&both(&[urls[0], urls[1], "--connect-to", "127.0.0.1:9"])).says(&["--connect-to"]);
    let many = [["--trigger", "command:true"]; 65].concat();
    refused(&many).says(&["at most 64 machines"]);
}

#[test]
fn several_that_fail_are_told_and_objectives_are_not_judged_by_them() {
    let (one, other) = (Target::start(&[]), Target::start(&[]));
    let args = [
        "migrate", &one.url, &other.url, "--warmup", "0s", "--before", "200ms", "--after", "200ms",
    ];
    let failing = ["--trigger", "command:false", "--trigger", "command:true"];
    let sequential = ["--order", "sequential", "--slo", "p99<10s", "--rate", "50"];
    let outcome = run(args.iter().chain(&failing).chain(&sequential)).exits_with(4);
    let outcome = outcome.says(&[
        "machine 2: the machine was not moved: machine 1 was not moved",
        "the objectives were not judged: the run was not valid",
    ]);
    assert!(
        outcome.stdout.contains(": 2 machines, moved one after the other; 0 completed"),
        "{}",
        outcome.stdout
    );
}

/// What all of them need together counts, and is told before one is there.
#[test]
fn several_loads_that_need_more_descriptors_than_there_are() {
    let program = loadgen(["migrate"]);
    // Root could raise the limit.
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    for (limit, told) in [(1500, "the loads of all machines: "), (2000, "machine 1: ")] {
        let mut command = Command::new(if is_root { "setpriv" } else { "env" });
        command.args(is_root.then_some("--bounding-set=-sys_resource"));
        command.args(["prlimit", &format!("--nofile={limit}:{limit}")]).arg(program.get_program());
        command.args(["migrate", "http://127.0.0.1:1/", "http://127.0.0.1:1/"]);
        command.args(["--connections", "900", "--trigger", "command:true", "--trigger"]);
        // Each needs 900 connections, and a few descriptors of its own.
        command.args(["command:true", "--probe-rate", "0"]);
        let outcome = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(outcome.status.code(), Some(1), "{said}");
        assert!(said.contains(told), "{said}");
    }
}
