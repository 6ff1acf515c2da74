//! `loadgen run` against `loadgen target`: results, forms, repeats, objectives.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::server::{Reply, serve};
use crate::common::{Target, in_time, run, saved};

#[test]
fn text_on_stdout_and_nothing_else() {
    let target = Target::start(&["--delay", "1ms"]);
    let outcome = run(["run", &target.url, "-r", "200", "-d", "1s", "-q"]).ran();
    assert!(outcome.stdout.contains("p99"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains(&target.url), "{}", outcome.stdout);
    // The reasons of a warning stand below it, indented.
    let is_warning = |line: &str| line.contains("warning: ") || line.starts_with("  ");
    assert!(outcome.stderr.lines().all(is_warning), "{}", outcome.stderr);
}

#[test]
fn json_counts_agree_with_the_server() {
    let target = Target::start(&["--delay", "1ms", "--body", "1KiB"]);
    let outcome = run(["run", &target.url, "-r", "200", "-d", "1s", "--format", "json"]).ran();
    let report = outcome.json();
    assert_eq!(report["counts"]["offered"], 200);
    assert_eq!(report["counts"]["answered"], 200);
    assert_eq!(report["status"]["2xx"], 200);
    assert!(report["response_time"]["min_us"].as_f64().unwrap() >= 1000.0);
    assert!(report["bytes"]["received"].as_u64().unwrap() > 200 * 1024);
    assert!(outcome.stderr.contains("answered"), "no progress: {}", outcome.stderr);
    let truth = target.end().exits_with(0).json();
    // One more connection than the load's: the check before the run.
    assert_eq!(truth["requests_read"], 200);
    assert_eq!(truth["replies_sent"], 200);
}

#[test]
fn every_option_reaches_the_plan() {
    let target = Target::start(&[]);
    let outcome = run([
        "run",
        &target.url,
        "--rate",
        "6k/m",
        "--duration",
        "1s",
        "--arrival",
        "poisson",
        "--seed",
        "9",
        "--connections",
        "7",
        "--warm-connections",
        "3",
        "--calls-per-connection",
        "5",
        "--backlog",
        "50",
        "--timeout",
        "2s",
        "--deadline",
        "3s",
        "--drain",
        "4s",
        "--warmup",
        "100ms",
        "--threads",
        "2",
        "--precision",
        "low",
        "--method",
        "PUT",
        "-H",
        "X-A: b",
        "--body",
        "hello",
        "--source-address",
        "127.0.0.1,127.0.0.2",
        "--probe-rate",
        "20",
        "--format",
        "json",
    ])
    .ran();
    let plan = &outcome.json()["plan"];
    assert_eq!(plan["load"]["schedule"]["arrival"], "poisson");
    assert_eq!(plan["load"]["schedule"]["rate_per_s"], 100.0);
    assert_eq!(plan["load"]["connections"], 7);
    assert_eq!(plan["load"]["warm_connections"], 3);
    assert_eq!(plan["load"]["calls_per_connection"], 5);
    assert_eq!(plan["load"]["backlog"], 50);
    assert_eq!(plan["probe"]["schedule"]["rate_per_s"], 20.0);
    assert_eq!(plan["probe"]["calls_per_connection"], 1);
    for (key, value) in [
        ("seed", 9.0),
        ("timeout_s", 2.0),
        ("deadline_s", 3.0),
        ("drain_s", 4.0),
        ("warmup_s", 0.1),
        ("duration_s", 1.0),
        ("threads", 2.0),
    ] {
        assert_eq!(plan[key].as_f64(), Some(value), "{key}");
    }
    assert_eq!(plan["precision"], "low");
    assert_eq!(plan["request"]["method"], "PUT");
    assert_eq!(plan["request"]["headers"][0][1], "b");
    assert_eq!(plan["target"]["source_addresses"][1], "127.0.0.2");
}

#[test]
fn a_report_is_repeated() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("a.json"), dir.path().join("b.json"));
    let (first_arg, second_arg) = (first.to_str().unwrap(), second.to_str().unwrap());
    let first_run = ["run", &target.url, "-r", "50", "-d", "500ms", "--seed", "3", "-o", first_arg];
    let outcome = run(first_run).ran().says(&["report written to"]);
    assert_eq!(outcome.stdout, "");
    run(["run", first_arg, "-o", second_arg]).ran();
    assert_eq!(saved(&first)["plan"], saved(&second)["plan"]);
    run(["run", first_arg, "--rate", "7", "--closed"]).exits_with(2).says(&["--rate"]);
    run(["run", first_arg, "--seed", "7"]).exits_with(2).says(&["--seed", "repeated as it is"]);
    run(["run", dir.path().join("none.json").to_str().unwrap()])
        .exits_with(2)
        .says(&["none.json", "No such file"]);
}

/// Changes the plan of a report on disk.
fn change_plan(report: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = saved(report);
    change(&mut value["plan"]);
    std::fs::write(report, value.to_string()).unwrap();
}

/// What a later version was told to do is shown, and not done without what is not known.
#[test]
fn the_report_of_a_later_version_is_shown_and_not_repeated() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("a.json");
    let report_arg = report.to_str().unwrap();
    run(["run", &target.url, "-r", "50", "-d", "200ms", "-o", report_arg]).ran();
    change_plan(&report, |plan| plan["load"]["schedule"]["shape\u{1b}[2J"] = 7.into());
    let shown = run(["report", report_arg]).ran().stdout;
    let told = shown.contains("load.schedule.shape\\u{1b}[2J");
    assert!(told && shown.contains("this version does not know"), "{shown}");
    let again = run(["report", report_arg, "--format", "json"]).ran().stdout;
    assert!(again.contains("unknown_settings"), "{again}");
    run(["run", report_arg]).exits_with(2).says(&[
        "does not know",
        "load.schedule.shape\\u{1b}[2J",
        "a later one",
    ]);
}

/// A program that embeds the library may leave the end of the load to itself: of such
/// a report nothing ends the repetition, unless it is told.
#[test]
fn a_report_without_an_end_is_repeated_for_a_time() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let (calls, sessions) = (dir.path().join("calls.json"), dir.path().join("sessions.json"));
    let (calls_arg, sessions_arg) = (calls.to_str().unwrap(), sessions.to_str().unwrap());
    run(["run", &target.url, "-r", "50", "-d", "200ms", "-o", calls_arg]).ran();
    // What has an end keeps it.
    let kept = ["repeated as it is", "--duration"];
    run(["run", calls_arg, "-d", "300ms"]).exits_with(2).says(&kept);
    change_plan(&calls, |plan| plan["duration_s"] = Value::Null);

    let (host, port) = target.address().split_once(':').unwrap();
    let mut httperf = Command::new(env!("CARGO_BIN_EXE_httperf"));
    httperf.args(["--server", host, "--port", port, "--rate", "50", "--num-conns", "5"]);
    let done = httperf.args(["--json", sessions_arg]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    run(["run", sessions_arg, "-d", "300ms"]).exits_with(2).says(&kept);
    run(["run", sessions_arg, "-q"]).ran();
    change_plan(&sessions, |plan| {
        assert_eq!((&plan["sessions"]["count"], &plan["duration_s"]), (&5.into(), &Value::Null));
        plan["sessions"]["count"] = Value::Null;
    });

    for endless in [calls_arg, sessions_arg] {
        let outcome = run(["run", endless]).exits_with(2);
        assert_eq!(outcome.stdout, "");
        outcome.says(&["has no duration", "until it was stopped", "--duration"]);
        run(["run", endless, "--seed", "7", "-d", "300ms"]).exits_with(2).says(&["by --seed;"]);
        let report = run(["run", endless, "-d", "300ms", "--format", "json"]).ran().json();
        assert_eq!(report["plan"]["duration_s"], 0.3);
        assert!(report["counts"]["answered"].as_u64().unwrap() > 0, "{}", report["counts"]);
    }
}

#[test]
fn closed_loop_needs_no_rate() {
    let target = Target::start(&["--delay", "10ms"]);
    let args = ["run", &target.url, "--closed", "-c", "4", "-d", "2s", "--format", "json"];
    let report = run(args).ran().json();
    // 4 connections, 10 ms a call: at most 800 calls in 2 s, some of them late.
    let answered = report["counts"]["answered"].as_u64().unwrap();
    assert!((4..=804).contains(&answered), "{answered}");
}

#[test]
fn calls_that_the_server_loses_are_counted_and_no_failure_of_the_run() {
    let url = serve("127.77.0.1", |call| if call.of_all <= 30 { Reply::Good } else { Reply::None });
    let report = run(["run", &url, "-r", "100", "-d", "400ms", "--format", "json"]).ran().json();
    let counts = &report["counts"];
    assert_eq!(
        (&counts["offered"], &counts["answered"], &counts["failed"]),
        (&40.into(), &30.into(), &10.into())
    );
}

#[test]
fn objectives_decide_the_exit_code() {
    let target = Target::start(&["--delay", "5ms"]);
    let load = ["run", &target.url, "-r", "200", "-d", "1s"];
    let judged = |slos: &[&str]| {
        let slos = slos.iter().flat_map(|slo| ["--slo", slo]);
        let args: Vec<&str> = load.into_iter().chain(slos).collect();
        in_time(|| run(&args))
    };
    judged(&["p50<10s", "error-rate<=0"]).exits_with(0).says(&["p50<10s: held"]);
    judged(&["p50<10s", "p50<4ms"])
        .exits_with(3)
        .says(&["warning: objective p50<4ms: breached, p50 was "]);
    judged(&["p99.99<10s"]).exits_with(3).says(&["cannot be judged", "200 calls are too few"]);
}

/// As many calls as the rate adds up to, in as long as the stages last.
#[test]
fn stages_are_a_rate_that_changes() {
    let target = Target::start(&[]);
    let args = ["run", &target.url, "--stages", "0..200/300ms,200/200ms,200..0/100ms"];
    let report = run(args.iter().chain(&["--format", "json"])).ran().json();
    assert_eq!(report["counts"]["offered"], 30 + 40 + 10);
    assert_eq!(report["plan"]["duration_s"], 0.6);
    let text = run(args).ran().stdout;
    assert!(text.contains("calls a second: 0..200/0.3s,200/0.2s,200..0/0.1s"), "{text}");
    run(args.iter().chain(&["--rate", "5"])).exits_with(2).says(&["--stages", "--rate"]);
    run(args.iter().chain(&["--arrival", "poisson"])).exits_with(2).says(&["--arrival"]);
    let wrong = ["run", &target.url, "--stages", "10.."];
    run(wrong).exits_with(2).says(&["'10..' is no course of rates", "FROM..TO/TIME"]);
    let sweep = ["sweep", &target.url, "--rates", "10,20", "--stages", "5/1s"];
    run(sweep).exits_with(2).says(&["leave out --stages"]);
    // Silence would be told as an outage.
    let migrate = ["migrate", "--stages", "50/1s,50..0/5s"];
    run(migrate).exits_with(2).says(&["comes down to 0", "let no stage"]);
}

#[test]
fn a_number_of_calls_ends_a_run() {
    let target = Target::start(&[]);
    for how in [&["--rate", "1000"][..], &["--closed", "--connections", "3"]] {
        let args = ["run", &target.url, "--calls", "70", "--threads", "2", "--format", "json"];
        let report = run(args.iter().chain(how)).ran().json();
        assert_eq!(report["counts"]["answered"], 70, "{how:?}");
        assert_eq!(report["plan"]["duration_s"], Value::Null);
        assert_eq!(report["plan"]["calls"]["calls"], 70);
    }
    // Stages end where they end, however many calls are asked for.
    let args = ["run", &target.url, "--stages", "100/200ms,100..0/200ms", "--calls", "1000000"];
    let report = run(args.iter().chain(&["--format", "json"])).ran().json();
    assert_eq!(report["counts"]["answered"], 30);
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("urls.txt");
    std::fs::write(&list, "/a\n/b\n/c\n").unwrap();
    let args =
        ["run", &target.url, "--rate", "100", "--requests", list.to_str().unwrap(), "--once"];
    let text = run(args).ran().stdout;
    assert!(text.contains("(planned: each request once)"), "{text}");
    assert!(text.contains("3 of "), "{text}");
    run(["run", &target.url, "--rate", "1", "--once"]).exits_with(2).says(&["no list of requests"]);
    run(["run", &target.url, "--rate", "1", "--calls", "0"]).exits_with(2).says(&["--calls"]);
}

#[test]
fn a_run_that_is_given_up_says_so() {
    let target = Target::start(&["--status", "503"]);
    let folder = tempfile::tempdir().unwrap();
    let saved_at = folder.path().join("report.json");
    let args = ["run", &target.url, "--rate", "200", "-d", "60s", "-q", "--slo", "max<1s"];
    let more = ["--abort-if", "error-rate>50% for 200ms", "-o", saved_at.to_str().unwrap()];
    let ended = run(args.iter().chain(&more)).exits_with(3);
    ended.says(&[
        "given up: error-rate>50% for 200ms was met",
        "brought no good reply",
        "the objectives were not judged: the run was given up",
    ]);
    let report = saved(&saved_at);
    assert_eq!(report["aborted"]["rule"], "error-rate>50% for 200ms");
    assert_eq!(report["interrupted"], true);
    assert!(report["counts"]["answered"].as_u64().unwrap() > 10);
    let text = run(["report", saved_at.to_str().unwrap()]).exits_with(0).stdout;
    assert!(text.contains("given up by error-rate>50% for 200ms"), "{text}");
    let wrong = ["run", &target.url, "--rate", "1", "--abort-if", "error-rate>50%"];
    run(wrong).exits_with(2).says(&["for how long"]);
}

#[test]
fn a_sweep_and_a_migration_are_given_up_too() {
    let target = Target::start(&["--status", "503"]);
    let rule = ["--abort-if", "error-rate>50% for 200ms", "--format", "json"];
    let args = ["sweep", &target.url, "--rates", "100,200,300", "-d", "60s"];
    let ended = in_time(|| run(args.iter().chain(&rule))).exits_with(3);
    let sweep = ended.says(&["the sweep ended at 100/s", "given up"]).json();
    assert_eq!(
        (sweep["points"].as_array().unwrap().len(), &sweep["interrupted"]),
        (1, &true.into())
    );
    // While the machine is copied, its server is slower than anybody waits.
    let trigger = "simulated:strategy=pre-copy,memory=64MiB,bandwidth=1MiB/s,brownout=10s";
    let args =
        ["migrate", "--rate", "50", "--probe-rate", "0", "--timeout", "2s", "--trigger", trigger];
    let more = ["--before", "1s", "--abort-if", "failed>3", "--format", "json"];
    let report = in_time(|| run(args.iter().chain(&more))).exits_with(3).json();
    assert_eq!(report["aborted"]["rule"], "failed>3");
    assert_eq!(report["migration"]["ending"], "cancelled");
}
