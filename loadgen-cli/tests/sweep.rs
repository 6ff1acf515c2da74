//! `loadgen sweep` against `loadgen target`: curves, the search, going on with
//! what was begun, forms, refusals.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use common::{Target, Watched, loadgen, run};
use serde_json::Value;

#[track_caller]
fn sweep_in(path: &Path) -> Value {
    let sweep: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(sweep["schema"], "loadgen-sweep/1");
    sweep
}

fn rates(sweep: &Value) -> Vec<f64> {
    let points = sweep["points"].as_array().unwrap();
    points.iter().map(|point| point["demanded_per_s"].as_f64().unwrap()).collect()
}

fn seconds(sweep: &Value) -> f64 {
    let points = sweep["points"].as_array().unwrap();
    points.iter().map(|point| point["measured_s"].as_f64().unwrap()).sum()
}

#[test]
fn steps_find_the_saturation_of_a_known_server() {
    // 4 connections and 20 ms a call: 200 calls a second.
    let target = Target::start(&["--delay", "20ms"]);
    let args = ["sweep", &target.url, "--rates", "80,320,160", "-c", "4", "-d", "1s"];
    let outcome = run(args.into_iter().chain(["--pause", "0s", "--format", "json"])).exits_with(0);
    let sweep = outcome.says(&["run 1 of 3: step at 80", "answered"]).json();
    assert_eq!(rates(&sweep), [80.0, 320.0, 160.0]);
    assert_eq!(sweep["steps_per_s"][1], 320.0);
    assert_eq!(sweep["saturation"]["keeps_up_per_s"], 160.0);
    assert_eq!(sweep["saturation"]["falls_behind_per_s"], 320.0);
    assert_eq!(sweep["knee"]["at_per_s"], 160.0);
    assert_eq!(sweep["points"][0]["counts"]["answered"], 80);
    assert!(sweep["points"][1]["rates"]["answered_per_s"].as_f64().unwrap() < 210.0);
    assert!(sweep["search"].is_null());
}

#[test]
fn a_search_finds_a_known_capacity_with_fewer_and_shorter_runs_than_stepping() {
    // 20 connections and 40 ms a call: 500 calls a second.
    let target = Target::start(&["--delay", "40ms"]);
    let args = ["sweep", &target.url, "--search", "--slo", "p90<65ms", "--bounds", "100.."];
    let args = args.into_iter().chain(["-c", "20", "-d", "3s", "--probe", "1500ms"]);
    let outcome = run(args.chain(["--pause", "200ms", "--format", "json"])).exits_with(0);
    let sweep = outcome.json();
    let search = &sweep["search"];
    assert_eq!(search["end"]["ending"], "found", "{search}");
    let holds = search["holds_per_s"].as_f64().unwrap();
    let fails = search["fails_per_s"].as_f64().unwrap();
    assert!(fails / holds <= 1.05 + 1e-6, "{search}");
    // Within 5 %, and as much again for a machine that has other things to do.
    assert!((450.0..=525.0).contains(&holds), "{holds}");
    // Stepping to the same 5 % from 100 up to the first that fails: 25 apart.
    let steps = 18;
    assert!(rates(&sweep).len() < steps, "{:?}", rates(&sweep));
    assert!(seconds(&sweep) < 0.6 * 3.0 * steps as f64, "{} s", seconds(&sweep));
}

#[test]
fn objectives_that_are_not_held_at_the_lowest_rate() {
    let target = Target::start(&["--delay", "20ms"]);
    let common = ["sweep", &target.url, "-d", "500ms", "--pause", "0s", "--slo", "p50<5ms", "-q"];
    run(common.into_iter().chain(["--rates", "100,200"]))
        .exits_with(3)
        .says(&["not held at the lowest rate"]);
    let outcome = run(common.into_iter().chain(["--search", "--bounds", "200..400"]))
        .exits_with(3)
        .says(&["not held at the lowest rate"]);
    assert!(outcome.stdout.contains("not even the lowest rate allowed, 200/s"), "{outcome:?}");
    // At the highest allowed it holds: that is a result, not a failure.
    let held = ["--search", "--bounds", "100..200", "--slo", "p50<1s"];
    let args = ["sweep", &target.url, "-d", "500ms", "--pause", "0s"].into_iter().chain(held);
    let outcome = run(args).exits_with(0);
    assert!(outcome.stdout.contains("200/s, holds (confirmed)"), "{outcome:?}");
}

#[test]
fn a_sweep_is_continued_and_nothing_is_run_twice() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sweep.json");
    let file_arg = file.to_str().unwrap();
    let sweep = |rates: &str, more: &[&str]| {
        let args = ["sweep", &target.url, "--rates", rates, "-d", "300ms", "--pause", "0s"];
        run(args.iter().chain(&["-o", file_arg]).chain(more))
    };
    sweep("50,100", &[]).exits_with(0);
    let first = sweep_in(&file);
    sweep("50..150/50", &["--resume", file_arg]).exits_with(0).says(&["2 runs are there already"]);
    let second = sweep_in(&file);
    assert_eq!(rates(&second), [50.0, 100.0, 150.0]);
    assert_eq!(second["points"][0], first["points"][0]);
    assert_eq!(second["points"][1], first["points"][1]);
    // Complete: nothing is run.
    sweep("50..150/50", &["--resume", file_arg]).exits_with(0);
    assert_eq!(sweep_in(&file)["points"], second["points"]);
    for (more, word) in [
        (["--seed", "9"], "another plan"),
        (["-H", "X-A: b"], "another plan"),
        (["--slo", "p50<1s"], "another list of objectives"),
    ] {
        let more: Vec<&str> = ["--resume", file_arg].into_iter().chain(more).collect();
        sweep("50,100", &more).exits_with(2).says(&["cannot be continued", word]);
    }
    let searched = ["sweep", &target.url, "--search", "--slo", "p50<1s", "--resume", file_arg];
    run(searched).exits_with(2).says(&["cannot be continued"]);
    assert_eq!(sweep_in(&file)["points"], second["points"]);
}

#[test]
fn an_interrupted_sweep_keeps_its_steps_and_is_continued() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sweep.json");
    let file_arg = file.to_str().unwrap();
    let args = [
        "sweep",
        &target.url,
        "--rates",
        "100,200,300",
        "-d",
        "1s",
        "--pause",
        "0s",
        "-o",
        file_arg,
    ];
    let mut running = Watched::spawn(loadgen(args));
    running.wait_for("run 2 of 3");
    // The first step is in the file already.
    assert_eq!(rates(&sweep_in(&file)), [100.0]);
    running.wait_for("200/s");
    running.signal("INT");
    running.finish().exits_with(130).says(&["report written to"]);
    let first = sweep_in(&file);
    assert_eq!(first["interrupted"], true);
    let whole = |sweep: &Value| {
        let points = sweep["points"].as_array().unwrap();
        points.iter().filter(|point| point["interrupted"] == false).count()
    };
    assert_eq!(whole(&first), 1);
    run(args.into_iter().chain(["--resume", file_arg])).exits_with(0);
    let second = sweep_in(&file);
    assert_eq!((second["interrupted"].clone(), whole(&second)), (Value::Bool(false), 3));
    assert_eq!(second["points"][0], first["points"][0]);
    assert_eq!(rates(&second), [100.0, 200.0, 300.0]);
}

#[test]
fn a_search_is_continued_where_it_was() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("search.json");
    let file_arg = file.to_str().unwrap();
    let args = ["sweep", &target.url, "--search", "--slo", "p50<10s", "--bounds", "100..400"];
    let args = args.into_iter().chain(["-d", "2s", "--probe", "300ms", "--pause", "0s"]);
    let args: Vec<&str> = args.chain(["-o", file_arg]).collect();
    let mut running = Watched::spawn(loadgen(&args));
    running.wait_for("confirmation at 400");
    running.signal("TERM");
    running.finish().exits_with(143);
    let first = sweep_in(&file);
    assert!(first["search"]["holds_per_s"].is_null() && first["search"]["end"].is_null());
    run(args.iter().chain(&["--resume", file_arg])).exits_with(0);
    let second = sweep_in(&file);
    assert_eq!(rates(&second), [100.0, 200.0, 400.0, 400.0]);
    assert_eq!(second["points"][2], first["points"][2]);
    assert_eq!(second["search"]["end"]["ending"], "holds-at-highest");
    assert_eq!(second["search"]["holds_per_s"], 400.0);
}

#[test]
fn a_server_that_goes_away_takes_no_finished_step_with_it() {
    let mut target = Target::start(&[]);
    let args = ["sweep", &target.url, "--rates", "100,200", "-d", "300ms", "--pause", "3s"];
    let mut running = Watched::spawn(loadgen(args.into_iter().chain(["--format", "csv"])));
    running.wait_for("100/s: answered");
    target.kill();
    let outcome = running.finish().exits_with(1).says(&["at 200/s: cannot connect"]);
    assert_eq!(outcome.stdout.lines().count(), 2, "{}", outcome.stdout);
}

#[test]
fn forms_by_the_name_of_the_file() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let written = |name: &str| {
        let file = dir.path().join(name);
        let args = ["sweep", &target.url, "--rates", "100,200", "-d", "200ms", "--pause", "0s"];
        run(args.into_iter().chain(["-o", file.to_str().unwrap()])).exits_with(0);
        std::fs::read_to_string(file).unwrap()
    };
    assert!(written("a.html").starts_with("<!DOCTYPE html>"));
    assert!(written("a.csv").starts_with("demanded_per_s,kind,"));
    assert!(written("a.tsv").starts_with("demanded_per_s\tkind\t"));
    assert!(written("a.txt").starts_with("Sweep: http://"));
}

#[test]
fn what_makes_no_sweep_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let damaged = dir.path().join("damaged.json");
    std::fs::write(&damaged, "{\"schema\": \"loadgen-sweep/1\"}").unwrap();
    let report = dir.path().join("report.json");
    std::fs::write(&report, "{\"schema\": \"loadgen-report/1\"}").unwrap();
    let missing = dir.path().join("missing.json");
    let [damaged, report, missing] = [&damaged, &report, &missing].map(|p| p.to_str().unwrap());
    let url = "http://127.0.0.1:1/";
    let cases: [(&[&str], &str); 15] = [
        (&[], "--rates <RATES>|--search"),
        (&["--rates", "200..100/10"], "above the highest"),
        (&["--rates", "100..200"], "LOW..HIGH/STEP"),
        (&["--rates", "100..200/0"], "the step must be above 0"),
        (&["--rates", ""], "not a rate"),
        (&["--rates", "100,100"], "twice"),
        (&["--rates", "1..1M/1"], "larger step"),
        (&["--rates", "100", "--search", "--slo", "p99<1s"], "cannot be used with"),
        (&["--search"], "--slo"),
        (&["--search", "--slo", "p99<1s", "--bounds", "9..5"], "above the highest"),
        (&["--search", "--slo", "p99<1s", "--tolerance", "0%"], "no tolerance"),
        (&["--search", "--slo", "p99<1s", "--probe", "20s"], "at least that of a probe"),
        (&["--rates", "100", "--resume", missing], "missing.json"),
        (&["--rates", "100", "--resume", damaged], "damaged at"),
        (&["--rates", "100", "--resume", report], "loadgen-report/1"),
    ];
    for (args, word) in cases {
        let outcome = run(["sweep", url].iter().chain(args)).exits_with(2);
        let told = outcome.stderr.replace('\n', " ");
        assert!(told.contains(word), "{args:?}: '{word}' is not in: {told}");
        assert_eq!(outcome.stdout, "");
    }
    // Nobody there: a run that failed, with nothing to report.
    let outcome = run(["sweep", url, "--rates", "10", "-d", "1s"]).exits_with(1);
    assert_eq!(outcome.says(&["cannot connect"]).stdout, "");
}
