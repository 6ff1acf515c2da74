//! `loadgen sweep` against `loadgen target`: curves, the search, going on with
//! what was begun, forms, refusals.

use std::path::Path;

use serde_json::Value;

use crate::common::server::{Reply, serve};
use crate::common::{Outcome, Target, Watched, in_time, loadgen, run};

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

fn number(point: &Value, path: &str) -> f64 {
    point.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {point}"))
}

/// What a machine that stands still does to the steps below the capacity is not known;
/// what the steps came to is, and knee and saturation must be those of these figures.
#[test]
fn steps_find_the_saturation_of_a_known_server() {
    // 4 connections and 20 ms a call: 200 calls a second.
    let target = Target::start(&["--delay", "20ms"]);
    let args = ["sweep", &target.url, "--rates", "40,320,80", "-c", "4", "-d", "1s"];
    let outcome = run(args.into_iter().chain(["--pause", "0s", "--format", "json"])).ran();
    let sweep = outcome.says(&["run 1 of 3: step at 40", "answered"]).json();
    assert_eq!(rates(&sweep), [40.0, 320.0, 80.0]);
    assert_eq!(sweep["steps_per_s"][1], 320.0);
    let [low, full, high] = [0, 1, 2].map(|n| &sweep["points"][n]);
    assert_eq!(
        (&low["counts"]["answered"], &full["counts"]["answered"]),
        (&40.into(), &320.into())
    );
    assert!(number(full, "/rates/answered_per_s") < 210.0, "{full}");
    let keeps_up = |point: &Value| number(point, "/left_over") <= 0.01;
    // What the generator's own lateness spoils is no step of a saturation, nor of a knee.
    let is_late = |point: &Value| {
        point["verdict"]["status"] == "invalid"
            || !point["generator"]["response_time_without"].is_null()
    };
    let late = [low, high, full].into_iter().any(is_late);
    let saturation = &sweep["saturation"];
    match (keeps_up(low), keeps_up(high), keeps_up(full)) {
        _ if late => {}
        (true, true, false) => {
            assert_eq!(saturation["keeps_up_per_s"], 80.0);
            assert_eq!(saturation["falls_behind_per_s"], 320.0);
        }
        (true, true, true) => assert!(saturation.is_null(), "{saturation}"),
        (true, false, false) => assert_eq!(saturation["falls_behind_per_s"], 80.0),
        _ => {}
    }
    let power = |point: &Value| {
        number(point, "/rates/answered_per_s") / number(point, "/response_time/mean_us")
    };
    let best = [low, high, full].into_iter().max_by(|a, b| power(a).total_cmp(&power(b))).unwrap();
    // A knee needs three.
    if best["demanded_per_s"] == 320.0 || late && sweep["knee"].is_null() {
        assert!(sweep["knee"].is_null(), "{}", sweep["knee"]);
    } else {
        assert_eq!(sweep["knee"]["at_per_s"], best["demanded_per_s"]);
    }
    assert!(sweep["search"].is_null());
}

#[test]
fn a_search_finds_a_known_capacity_with_fewer_runs_than_stepping() {
    // A run has one connection, which bears 500 calls: at 500 a second for one second.
    let url =
        serve(
            "127.77.0.4",
            |call| {
                if call.on_connection <= 500 { Reply::Good } else { Reply::Busy }
            },
        );
    let args = ["sweep", &url, "--search", "--slo", "error-rate<=0", "--bounds", "100..", "-c"];
    let args = args.into_iter().chain(["1", "-d", "1s", "--attempt", "1s", "--timeout", "60s"]);
    let args: Vec<&str> = args.chain(["--pause", "0s", "--format", "json"]).collect();
    let outcome = run(&args);
    let sweep = outcome.json();
    let search = &sweep["search"];
    let rate = |name: &str| search[name].as_f64();
    assert!(rate("holds_per_s").is_none_or(|holds| holds < 501.0), "{search}");
    // A run within the capacity fails only where this machine stands still, which its
    // calls show.
    let points = sweep["points"].as_array().unwrap();
    let within = points.iter().filter(|point| number(point, "/demanded_per_s") < 500.0);
    let disturbed: Vec<_> = within.filter(|point| point["held"] != true).collect();
    let stood_still = |point: &&Value| number(point, "/response_time/max_us") > 5_000.0;
    assert!(disturbed.iter().all(stood_still), "{disturbed:#?}");
    if !disturbed.is_empty() {
        assert!(matches!(outcome.code(), Some(0 | 3 | 4)), "{outcome:?}");
        return;
    }
    let outcome = outcome.exits_with(0);
    assert_eq!(search["end"]["ending"], "found", "{outcome:?}");
    let (holds, fails) = (rate("holds_per_s").unwrap(), rate("fails_per_s").unwrap());
    assert!(500.0 < fails && fails / holds <= 1.05 + 1e-6, "{search}");
    // Stepping to the same 5 % from 100 up to the first that fails: 25 apart.
    let steps = 18;
    assert!(points.len() < steps, "{:?}", rates(&sweep));
}

#[test]
fn objectives_that_are_not_held_at_the_lowest_rate() {
    // The limit is so far from the delay that no lateness of this machine's bridges it.
    let target = Target::start(&["--delay", "2s"]);
    let common = ["sweep", &target.url, "-d", "500ms", "--pause", "0s", "-c", "200", "-q"];
    let common = common.into_iter().chain(["--slo", "p50<1s"]);
    let steps: Vec<&str> = common.clone().chain(["--rates", "50,100"]).collect();
    in_time(|| run(&steps)).exits_with(3).says(&["not held at the lowest rate"]);
    let search: Vec<&str> = common.chain(["--search", "--bounds", "200..400"]).collect();
    let outcome = in_time(|| run(&search)).exits_with(3).says(&["not held at the lowest rate"]);
    assert!(outcome.stdout.contains("not even the lowest rate allowed, 200/s"), "{outcome:?}");
    // At the highest allowed it holds: that is a result, not a failure.
    let target = Target::start(&[]);
    let held = ["--search", "--bounds", "100..200", "--slo", "p50<10s"];
    let args = ["sweep", &target.url, "-d", "500ms", "--pause", "0s"].into_iter().chain(held);
    let args: Vec<&str> = args.collect();
    // A machine that stands still as a run ends makes a server that falls behind.
    let holds = |outcome: &Outcome| outcome.stdout.contains("200/s, holds (confirmed)");
    (0..20).map(|_| run(&args)).find(holds).unwrap().exits_with(0);
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
    sweep("50,100", &[]).ran();
    let first = sweep_in(&file);
    sweep("50..150/50", &["--resume", file_arg]).ran().says(&["2 runs are there already"]);
    let second = sweep_in(&file);
    assert_eq!(rates(&second), [50.0, 100.0, 150.0]);
    assert_eq!(second["points"][0], first["points"][0]);
    assert_eq!(second["points"][1], first["points"][1]);
    // Complete: nothing is run.
    sweep("50..150/50", &["--resume", file_arg]).ran();
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

/// Begins a sweep and interrupts it once stderr has the last of the words: its end,
/// and what it saved. `None` if it was over before.
fn interrupted(
    args: &[&str],
    words: &[&str],
    saved: &Path,
    (signal, code): (&str, i32),
) -> Option<(Outcome, Value)> {
    let _ = std::fs::remove_file(saved);
    let mut running = Watched::spawn(loadgen(args));
    if words.iter().all(|word| running.has_line(|line| line.contains(word))) {
        // The steps before this one are in the file already.
        sweep_in(saved);
        running.signal(signal);
    }
    let outcome = running.finish();
    (outcome.code() == Some(code)).then(|| (outcome, sweep_in(saved)))
}

#[test]
fn an_interrupted_sweep_keeps_its_steps_and_is_continued() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sweep.json");
    let file_arg = file.to_str().unwrap();
    let args = ["sweep", &target.url, "--rates", "100,200,300", "-d", "2s", "--pause", "0s"];
    let args: Vec<&str> = args.into_iter().chain(["-o", file_arg]).collect();
    let interrupt = || interrupted(&args, &["run 2 of 3", "200/s"], &file, ("INT", 130));
    let (outcome, first) = (0..10).find_map(|_| interrupt()).unwrap();
    outcome.says(&["report written to"]);
    assert_eq!(first["interrupted"], true);
    let whole = |sweep: &Value| {
        let points = sweep["points"].as_array().unwrap();
        points.iter().filter(|point| point["interrupted"] == false).count()
    };
    // The second step was cut, unless the signal was late by more than its length.
    let kept = whole(&first);
    assert!((1..3).contains(&kept), "{first}");
    run(args.iter().chain(&["--resume", file_arg])).ran();
    let second = sweep_in(&file);
    assert_eq!((second["interrupted"].clone(), whole(&second)), (Value::Bool(false), 3));
    for n in 0..kept {
        assert_eq!(second["points"][n], first["points"][n]);
    }
    assert_eq!(rates(&second), [100.0, 200.0, 300.0]);
}

#[test]
fn a_search_is_continued_where_it_was() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("search.json");
    let file_arg = file.to_str().unwrap();
    let args = ["sweep", &target.url, "--search", "--slo", "p50<10s", "--bounds", "100..400"];
    let args = args.into_iter().chain(["-d", "2s", "--attempt", "1s", "--pause", "0s"]);
    let args: Vec<&str> = args.chain(["-o", file_arg]).collect();
    let points = |sweep: &Value| sweep["points"].as_array().unwrap().clone();
    // Runs in which this machine stood still may not hold or not be valid: then anew.
    let attempt = || {
        let (_, first) = interrupted(&args, &["confirmation at 400"], &file, ("TERM", 143))?;
        let outcome = run(args.iter().chain(&["--resume", file_arg]));
        let second = sweep_in(&file);
        let all_held = points(&second).iter().all(|point| point["held"] == true);
        all_held.then_some((first, second, outcome))
    };
    let (first, second, outcome) = (0..20).find_map(|_| attempt()).unwrap();
    outcome.exits_with(0);
    assert!(first["search"]["holds_per_s"].is_null() && first["search"]["end"].is_null());
    assert_eq!(rates(&second), [100.0, 200.0, 400.0, 400.0]);
    assert_eq!(points(&second)[..3], points(&first)[..3]);
    assert_eq!(second["search"]["end"]["ending"], "holds-at-highest");
    assert_eq!(second["search"]["holds_per_s"], 400.0);
    // At 400 a second a short run is enough to tell.
    let length = |n: usize| number(&second["points"][n], "/measured_s");
    assert!(length(2) < length(3), "{} {}", length(2), length(3));
}

#[test]
fn a_server_that_goes_away_takes_no_finished_step_with_it() {
    // The first step has 30 calls.
    let url = serve("127.77.0.5", |call| if call.of_all < 30 { Reply::Good } else { Reply::Last });
    let args = ["sweep", &url, "--rates", "100,200", "-d", "300ms", "--pause", "0s"];
    let outcome = run(args.into_iter().chain(["--format", "csv"])).exits_with(1);
    assert_eq!(outcome.stdout.lines().count(), 2, "{}", outcome.stdout);
    outcome.says(&["at 200/s: cannot connect"]);
}

#[test]
fn forms_by_the_name_of_the_file() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let written = |name: &str| {
        let file = dir.path().join(name);
        let args = ["sweep", &target.url, "--rates", "100,200", "-d", "200ms", "--pause", "0s"];
        run(args.into_iter().chain(["-o", file.to_str().unwrap()])).ran();
        std::fs::read_to_string(file).unwrap()
    };
    assert!(written("a.html").starts_with("<!DOCTYPE html>"));
    assert!(written("a.csv").starts_with("demanded_per_s,kind,"));
    assert!(written("a.tsv").starts_with("demanded_per_s\tkind\t"));
    assert!(written("a.txt").starts_with("Sweep: http://"));
}

/// What a later version was told to do is not continued without what is not known.
#[test]
fn the_sweep_of_a_later_version_is_not_continued() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.json");
    let path = file.to_str().unwrap();
    let sweep = ["sweep", &target.url, "--rates", "100", "-d", "200ms", "-o", path];
    run(sweep).ran();
    let mut value: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    value["plan"]["target"]["shape"] = 7.into();
    std::fs::write(&file, value.to_string()).unwrap();
    run(sweep.into_iter().chain(["--resume", path]))
        .exits_with(2)
        .says(&["does not know: target.shape"]);
    value["tool"]["version"] = "99.1.0".into();
    std::fs::write(&file, value.to_string()).unwrap();
    run(sweep.into_iter().chain(["--resume", path]))
        .exits_with(2)
        .says(&["loadgen 99.1.0 measured the sweep"]);
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
        (&["--search", "--slo", "p99<1s", "--attempt", "20s"], "at least that of an attempt"),
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
