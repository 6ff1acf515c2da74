//! `loadgen experiment`, `loadgen report DIR` and `loadgen compare` with the simulated machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{
    Outcome, Watched, finish, has_mounts_of_its_own, loadgen, run, saved, wait_until,
};

/// Two cells, two trials; a quarter of a second of load around moves of a small machine.
const PLAN: &str = r#"
name = "two"
trials = 2
[factors]
strategy = ["pre-copy", "stop-and-copy"]
[load]
rate = 50
probe_rate = 20
warmup = "0s"
before = "200ms"
after = "200ms"
reach_check = "off"
[trigger]
spec = "simulated:memory=8MiB,bandwidth=64MiB/s,dirty=1MiB/s,downtime=20ms,strategy={strategy},seed={trial}"
[limits]
repeats = 5
"#;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn with(plan: &str) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::write(place.path("study.toml"), plan).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn run(&self, more: &[&str]) -> Outcome {
        let args = ["experiment".to_owned(), self.text("study.toml")];
        run(args.into_iter().chain(more.iter().map(|arg| (*arg).to_owned())))
    }

    fn experiment(&self) -> Outcome {
        self.run(&["--out", &self.text("out"), "--format", "json"])
    }

    fn summary(&self) -> Value {
        let text = std::fs::read_to_string(self.path("out/summary.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

fn trials(summary: &Value) -> &Vec<Value> {
    summary["trials"].as_array().unwrap()
}

/// Each cell as often as the plan says in each block, and every record with its report.
#[track_caller]
fn assert_whole(summary: &Value, out: &Path, blocks: u64, cells: usize) {
    let mut counting: BTreeMap<(u64, String), u32> = BTreeMap::new();
    for trial in trials(summary) {
        if trial["status"] == "completed" {
            let key = (trial["block"].as_u64().unwrap(), trial["cell"].to_string());
            *counting.entry(key).or_default() += 1;
        }
        if let Some(report) = trial["report"].as_str() {
            let report = saved(&out.join(report));
            let total = &report["migration"]["total_migration_time_ms"]["trigger"];
            assert_eq!(*total, trial["metrics"]["total_migration_time_ms"]);
        }
    }
    assert_eq!(counting.len() as u64, blocks * cells as u64, "{counting:?}");
    assert!(counting.values().all(|count| *count == 1), "{counting:?}");
}

#[test]
fn an_experiment_is_made_told_and_compared() {
    let place = Place::with(PLAN);
    let outcome = place.experiment().exits_with(0);
    let outcome = outcome.says(&["trial 1 of 4", "strategy=", "this cell: median"]);
    let summary = outcome.json();
    assert_eq!(summary["schema"], "loadgen-experiment/1");
    assert_eq!(summary, place.summary());
    assert_whole(&summary, &place.path("out"), 2, 2);
    assert_eq!(summary["trials_left"], 0);
    // A machine that is stopped is down for longer than one that is copied while it runs.
    let down = |cell: usize| {
        assert_eq!(
            summary["cells"][cell]["factors"]["strategy"],
            ["pre-copy", "stop-and-copy"][cell]
        );
        summary["cells"][cell]["metrics"]["true_downtime_ms"]["median"].as_f64().unwrap()
    };
    assert!(down(1) > down(0), "{} {}", down(1), down(0));
    // Once more: there is nothing left to do.
    let again = place.experiment().exits_with(0).says(&["trials are there already, 0 are left"]);
    assert_eq!(again.json()["trials"], summary["trials"]);
    let out = place.text("out");
    let text = run(["report", &out]).exits_with(0).stdout;
    assert!(text.contains("Experiment: two") && text.contains("Compared within blocks"), "{text}");
    let csv = run(["report", &out, "--csv", "-"]).exits_with(0).stdout;
    assert_eq!(csv, std::fs::read_to_string(place.path("out/results.csv")).unwrap());
    let html = run(["report", &out, "--html", "-"]).exits_with(0).stdout;
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("stop-and-copy"));
    assert!(html.contains("Response time in each trial"));
    let markdown = run(["report", &out, "--markdown", "-"]).exits_with(0).stdout;
    assert!(markdown.starts_with("# Experiment: two\n"), "{markdown}");
    drawn_by_gnuplot(&place);
    run(["report", &format!("{out}/trials/0001"), "--markdown", "-"])
        .exits_with(2)
        .says(&["are of experiments"]);
    let pilot = place.run(&["--dry-run", "--pilot", &out]).exits_with(0).stdout;
    assert!(pilot.contains("as long as those of the pilot"), "{pilot}");
    assert!(pilot.contains("What it can show of total migration time"), "{pilot}");
    // Against itself, with gates.
    let same = run(["compare", &out, &out, "--format", "json"]).exits_with(0).json();
    let rows = same["comparisons"].as_array().unwrap();
    assert!(
        !rows.is_empty() && rows.iter().all(|row| row["ratio"].is_null() || row["ratio"] == 1.0)
    );
    let gate = ["--fail-if", "outage_ms.established.mean > 1h", "--quiet"];
    run(["compare", &out, &out].iter().chain(&gate)).exits_with(0);
    let gate = ["--fail-if-not-shown", "outage_ms.established.median < 1h"];
    let outcome = run(["compare", &out, &out].iter().chain(&gate)).exits_with(3);
    outcome.says(&["cannot be judged", "n = 2"]);
    let single = format!("{out}/trials/0001/report.json");
    let text = run(["compare", &single, &single]).exits_with(0).stdout;
    assert!(text.contains("each side is one trial"), "{text}");
    let checked = run(["compare", &out, "--self"]).exits_with(0).stdout;
    assert!(checked.contains("split at random 200 times"), "{checked}");
}

/// The script is one that gnuplot takes, and that needs nothing else.
fn drawn_by_gnuplot(place: &Place) {
    let (out, script) = (place.text("out"), place.text("bars.gp"));
    run(["report", &out, "--gnuplot", &script, "--quiet"]).exits_with(0);
    let version = std::process::Command::new("gnuplot").arg("--version").output();
    if !crate::require::require(version.is_ok(), "gnuplot", "gnuplot-nox") {
        return;
    }
    let mut drawn = std::process::Command::new("gnuplot");
    let drawn = drawn.arg(&script).current_dir(place.directory.path()).output().unwrap();
    let said = String::from_utf8_lossy(&drawn.stderr);
    assert!(drawn.status.success() && !said.contains("error"), "{said}");
    let svg = std::fs::read_to_string(place.path("total_migration_time_ms.svg")).unwrap();
    assert!(svg.contains("total migration time"), "{svg}");
}

/// Two plans in the same blocks, with what differs as a factor.
#[test]
fn two_plans_are_tried_against_each_other() {
    let plan = PLAN.replace("trials = 2", "trials = 1");
    let place = Place::with(&plan);
    std::fs::write(place.path("denser.toml"), plan.replace("rate = 50", "rate = 100")).unwrap();
    let (out, other) = (place.text("out"), place.text("denser.toml"));
    let outcome = place.run(&["--against", &other, "--out", &out, "--format", "json"]);
    let summary = outcome.exits_with(0).json();
    assert_whole(&summary, &place.path("out"), 1, 4);
    for trial in trials(&summary).iter().filter(|trial| trial["status"] == "completed") {
        let report = saved(&place.path("out").join(trial["report"].as_str().unwrap()));
        let wanted = if trial["cell"]["build"] == "denser" { 100.0 } else { 50.0 };
        assert_eq!(
            report["plan"]["load"]["schedule"]["rate_per_s"], wanted,
            "{}",
            report["plan"]["load"]
        );
    }
    place
        .run(&["--against", &place.text("study.toml"), "--out", &out])
        .exits_with(2)
        .says(&["study.toml", "the two plans do not differ"]);
    place.experiment().exits_with(2).says(&["builds.denser.load.rate"]);
}

#[test]
fn a_plan_to_begin_with_can_be_carried_out() {
    let place = Place::with("");
    let file = place.text("new.toml");
    run(["experiment", "--init", &file]).exits_with(0).says(&["--dry-run"]);
    run(["experiment", "--init", &file]).exits_with(2).says(&["is there already"]);
    let shown = run(["experiment", &file, "--dry-run"]).exits_with(0).stdout;
    for words in ["6 cells, 7 blocks: 42 trials", "block 7", "two levels of strategy", "at least"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert_eq!(
        run(["experiment", "--init", "-"]).exits_with(0).stdout,
        std::fs::read_to_string(file).unwrap()
    );
    let few = Place::with(PLAN);
    let shown = few.run(&["--dry-run", "--spread", "20%"]).exits_with(0).stdout;
    assert!(
        shown.contains("nothing, however large: with 1 comparison it takes 6 trials"),
        "{shown}"
    );
    assert!(!few.path("out").exists());
}

#[test]
fn what_is_wrong_with_a_plan_is_told_before_the_first_trial() {
    let said = |change: (&str, &str), words: &[&str]| {
        assert!(PLAN.contains(change.0), "{change:?}");
        let place = Place::with(&PLAN.replacen(change.0, change.1, 1));
        let outcome = place.experiment().exits_with(2);
        let outcome = outcome.says(words).says(&["study.toml"]);
        assert!(!place.path("out").exists(), "{}", outcome.stderr);
    };
    said(("rate = 50", "rates = 50"), &[":7:", "no setting 'rates' of the load", "'rate'"]);
    said(("rate = 50", "rate = \"fast\""), &[":7:", "load.rate", "fast"]);
    said(("rate = 50", "rate = \"{speed}\""), &[":7:", "'{speed}' stands for nothing", "strategy"]);
    said(("rate = 50", "format = \"json\""), &["no setting 'format' of the load"]);
    said(("memory=8MiB", "memroy=8MiB"), &["memroy", "strategy=pre-copy"]);
    said(("simulated:", "nonsense:"), &[":14:", "trigger.spec", "nonsense"]);
    said(("rate = 50", "url = \"http://127.0.0.1/\""), &["leave the URL out"]);
    said(("trials = 2", "trials = 0"), &["at least one trial"]);
    said(("spec =", "specs ="), &["no setting 'specs' of the trigger"]);
    said(("rate = 50", "header = \"Authorization: hunter2\""), &["'Authorization: env:NAME'"]);
    let missing = run(["experiment", "/not/there.toml", "--out", "/tmp/x"]).exits_with(2);
    missing.says(&["cannot read '/not/there.toml'"]);
    let place = Place::with(PLAN);
    std::fs::create_dir(place.path("out")).unwrap();
    std::fs::write(place.path("out/thesis.txt"), "mine").unwrap();
    place.experiment().exits_with(2).says(&["no directory of an experiment, and not empty"]);
}

#[test]
fn another_plan_in_the_same_directory_is_refused() {
    let place = Place::with(&PLAN.replace("trials = 2", "trials = 1"));
    place.experiment().exits_with(0);
    std::fs::write(place.path("study.toml"), PLAN.replace("rate = 50", "rate = 60")).unwrap();
    place.experiment().exits_with(2).says(&["load.rate: '50', now '60'"]);
    // More trials are no other plan.
    std::fs::write(place.path("study.toml"), PLAN).unwrap();
    let summary = place.experiment().exits_with(0).json();
    assert_whole(&summary, &place.path("out"), 2, 2);
}

/// Killed at random moments, it goes on where it stood: the design is whole in the end, and no
/// trial that was kept is made again.
#[test]
fn killed_again_and_again_it_goes_on() {
    let place = Place::with(&PLAN.replace("trials = 2", "trials = 3"));
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    for kill in 0..6_u64 {
        let args = ["experiment", &place.text("study.toml"), "--out", &place.text("out")];
        let mut watched = Watched::spawn(loadgen(args));
        // Some time after a trial began: in the load, while it is kept, or after it.
        watched.wait_for("trial ");
        std::thread::sleep(std::time::Duration::from_millis(97 * kill % 600));
        watched.signal("KILL");
        watched.finish();
        for entry in std::fs::read_dir(place.path("out/trials")).unwrap() {
            let record = entry.unwrap().path().join("trial.json");
            let Ok(text) = std::fs::read_to_string(&record) else { continue };
            let record = record.display().to_string();
            // What was kept before is still the same.
            let before = kept.insert(record.clone(), text.clone());
            assert!(before.is_none_or(|before| before == text), "{record}");
        }
    }
    let summary = place.experiment().exits_with(0).json();
    assert_whole(&summary, &place.path("out"), 3, 2);
    for (record, text) in kept {
        assert_eq!(std::fs::read_to_string(record).unwrap(), text);
    }
    let indexes: Vec<u64> = trials(&summary).iter().map(|t| t["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, (1..=indexes.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_signal_ends_the_trial_and_the_testbed_is_taken_down() {
    let hooks = "[hooks]\nup = 'touch up'\ndown = 'touch down'\n";
    let place = Place::with(&format!("{}{hooks}", PLAN.replace("\"200ms\"", "\"600s\"")));
    let args = ["experiment", &place.text("study.toml"), "--out", &place.text("out")];
    let mut watched = Watched::spawn(loadgen(args));
    watched.wait_for("trial 1: up");
    wait_until("it is up", || place.path("up").exists());
    watched.signal("INT");
    let outcome = watched.finish().exits_with(130);
    outcome.says(&["stopping: the trial under way ends", "goes on where it stood"]);
    assert!(place.path("up").exists() && place.path("down").exists());
}

/// No room for the next trial's report: it is told before the trial, nothing is lost, and the
/// same command goes on.
#[test]
fn a_full_disk_is_told_before_the_trial() {
    if !has_mounts_of_its_own() {
        return;
    }
    let place = Place::with(&PLAN.replace("trials = 2", "trials = 1"));
    let (out, program) = (place.text("out"), env!("CARGO_BIN_EXE_loadgen"));
    std::fs::create_dir(&out).unwrap();
    let plan = place.text("study.toml");
    // 4 MiB are to be had before each trial: there is room for the first alone.
    let script = format!(
        "mount -t tmpfs -o size=4110k none {out} || exit 77
         {program} experiment {plan} --out {out} --quiet --format json > {out}.json; code=$?
         ls {out}/trials/0001/trial.json || exit 78
         ls {out}/trials/0002 && exit 79
         mount -o remount,size=40m {out} || exit 77
         {program} experiment {plan} --out {out} --quiet --format json > {out}.json || exit 80
         exit $code"
    );
    let mut command = std::process::Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script]).stdin(std::process::Stdio::null());
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("no room for the report of trial 2"), "{stderr}");
    assert!(stderr.contains("free some space"), "{stderr}");
    let summary: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{out}.json")).unwrap()).unwrap();
    assert_eq!(summary["trials_left"], 0);
}

#[test]
fn trials_that_fail_are_told_and_missing() {
    let plan = PLAN.replace("repeats = 5", "repeats = 1");
    let place =
        Place::with(&format!("{plan}\n[hooks]\nsettle = 'sh -c \"echo broken >&2; exit 9\"'\n"));
    let outcome = place.experiment().exits_with(4);
    outcome.says(&[
        "trial 1: failed: hook settle: it ended with exit code 9: broken",
        "4 trials are missing",
    ]);
    assert_eq!(trials(&place.summary()).len(), 8);
    std::fs::write(
        place.path("study.toml"),
        format!("{plan}failed_trials = 3\n[hooks]\nsettle = 'false'\n"),
    )
    .unwrap();
    std::fs::remove_dir_all(place.path("out")).unwrap();
    place.experiment().exits_with(3).says(&["given up: 3 trials failed", "limits.failed_trials"]);
}

/// Paths in a plan, and the programs of the testbed, begin where it is; those of the command line
/// where the user is.
#[test]
fn paths_begin_where_they_are_written() {
    let requests = PLAN.replace("rate = 50", "rate = 50\nrequests = \"urls.txt\"");
    let plan = requests.replace("trials = 2", "trials = 1") + "[hooks]\nup = './up.sh'\n";
    let place = Place::with("");
    std::fs::create_dir(place.path("plans")).unwrap();
    std::fs::write(place.path("plans/study.toml"), plan).unwrap();
    std::fs::write(place.path("plans/urls.txt"), "/a\n/b\n").unwrap();
    std::fs::write(place.path("plans/up.sh"), "#!/bin/sh\npwd > here\n").unwrap();
    let script = place.path("plans/up.sh");
    std::process::Command::new("chmod").arg("+x").arg(script).status().unwrap();
    let args = ["experiment", "plans/study.toml", "--out", "out", "-o", "told.txt", "--quiet"];
    let mut command = loadgen(args);
    finish(command.current_dir(place.directory.path()).spawn().unwrap()).exits_with(0);
    assert!(place.path("out/summary.json").exists() && place.path("plans/here").exists());
    assert!(std::fs::read_to_string(place.path("told.txt")).unwrap().starts_with("Experiment"));
}

/// Every call of a trial, if it is asked for, and in its own folder.
#[test]
fn calls_are_kept_if_they_are_asked_for() {
    let plan = PLAN.replace("rate = 50", "rate = 50\ncalls_log = \"{dir}/calls.csv\"");
    let place = Place::with(&plan.replace("trials = 2", "trials = 1"));
    let summary = place.experiment().exits_with(0).json();
    for trial in trials(&summary) {
        let report = saved(&place.path("out").join(trial["report"].as_str().unwrap()));
        let folder = place.path(&format!("out/trials/{:04}", trial["index"].as_u64().unwrap()));
        let calls = std::fs::read_to_string(folder.join("calls.csv")).unwrap();
        let written = report["calls_file"]["written"].as_u64().unwrap();
        assert_eq!(calls.lines().count() as u64, written + 1);
    }
}

#[test]
fn usage() {
    run(["experiment"]).exits_with(2).says(&["PLAN.toml"]);
    let place = Place::with(PLAN);
    place.run(&[]).exits_with(2).says(&["--out <DIR>"]);
    place.run(&["--dry-run", "--format", "json"]).exits_with(2).says(&["text only"]);
    place.run(&["--dry-run", "--spread=-1"]).exits_with(2).says(&["no share above 0"]);
    run(["compare", "/not/there"]).exits_with(2).says(&["<B>"]);
    run(["compare", "/not/there", "/not/there"]).exits_with(2).says(&["cannot read '/not/there'"]);
    let out = place.text("study.toml");
    run(["compare", &out, &out]).exits_with(2).says(&["not JSON"]);
    let rule = ["compare", "a", "b", "--fail-if", "outage > 3"];
    run(rule).exits_with(2).says(&["write METRIC.median > LIMIT"]);
    run(["compare", "a", "b", "--metric", "x"]).exits_with(2).says(&["there is no metric 'x'"]);
    run(["compare", "a", "b", "--margin", "7"]).exits_with(2).says(&["no share from 0 to below 1"]);
}

/// A prediction is made before the first trial, kept beside it, and held against all of them.
#[test]
fn a_prediction_is_held_against_the_trials() {
    let place = Place::with(PLAN);
    let prediction = place.text("prediction.json");
    let machine = ["--memory", "8MiB", "--bandwidth", "64MiB/s", "--dirty", "1MiB/s"];
    let made = ["predict", "--device-state", "0", "-o", &prediction];
    run(made.iter().chain(&machine)).exits_with(0);
    let with = ["--out", &place.text("out"), "--prediction", &prediction];
    place.run(&with).ran();
    let summary = place.summary();
    let held = summary["predicted"].as_array().unwrap();
    let total = held.iter().find(|of| {
        of["metric"] == "total_migration_time_ms" && of["cell"]["strategy"] == "stop-and-copy"
    });
    // 8 MiB at 64 MiB/s, and 20 ms.
    let predicted = total.unwrap()["predicted"].as_f64().unwrap();
    assert!((predicted - 145.0).abs() < 1e-9, "{predicted}");
    let median = total.unwrap()["median"].as_f64().unwrap();
    let error = total.unwrap()["error"].as_f64().unwrap();
    assert!((error - (predicted - median) / median).abs() < 1e-9);
    let text = run(["report".to_owned(), place.text("out")]).exits_with(0).stdout;
    assert!(text.contains("Predicted beforehand"), "{text}");
    // The same one again is no other one; another one comes too late.
    place.run(&with).ran();
    let other = ["predict", "--device-state", "1", "-o", &prediction];
    run(other.iter().chain(&machine)).exits_with(0);
    let outcome = place.run(&with).exits_with(2);
    assert!(outcome.stderr.contains("before the first trial"), "{}", outcome.stderr);
    let outcome =
        place.run(&["--out", &place.text("new"), "--prediction", &place.text("study.toml")]);
    assert!(outcome.exits_with(2).stderr.contains("study.toml"));
}
