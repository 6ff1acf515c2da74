//! `--requests` and `--data` in run, sweep and migrate.

use std::fs;
use std::path::PathBuf;

use crate::common::{Target, in_time, run, saved};

/// Files in a folder that lasts as long as what is returned.
fn files(files: &[(&str, &str)]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = files.iter().map(|(name, content)| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    });
    let paths = paths.collect();
    (folder, paths)
}

const TAGGED: &str = r#"{"path": "/", "tag": "page"}
{"path": "/cart", "body": "item=1", "tag": "cart", "weight": 3}
{"path": "/plain"}
"#;

#[test]
fn tags_add_up_to_the_whole() {
    let target = Target::start(&[]);
    let (folder, paths) = files(&[("requests.jsonl", TAGGED)]);
    let saved_at = folder.path().join("report.json");
    let (list, report) = (paths[0].to_str().unwrap(), saved_at.to_str().unwrap());
    let args = ["run", &target.url, "-r", "300", "-d", "500ms", "--requests", list, "-o", report];
    run(args).ran();
    let first = saved(&saved_at);
    assert_eq!(first["counts"]["answered"], 150);
    let tags: Vec<(&str, u64)> = first["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| (tag["tag"].as_str().unwrap(), tag["answered"].as_u64().unwrap()))
        .collect();
    assert_eq!(tags, [("untagged", 50), ("page", 50), ("cart", 50)]);
    assert_eq!(first["plan"]["requests"]["found"]["count"], 3);
    let text = run(["report", report]).exits_with(0).stdout;
    assert!(text.contains("3 of ") && text.contains("By tag"), "{text}");
    // The same again, but not with another file.
    let again = run(["run", report, "--format", "json"]).ran().json();
    assert_eq!(again["plan"], first["plan"]);
    fs::write(&paths[0], "/other\n").unwrap();
    run(["run", report]).exits_with(2).says(&["requests.jsonl: this is not what the report"]);
}

#[test]
fn the_request_of_the_command_line_is_filled_in() {
    let target = Target::start(&[]);
    let (_folder, paths) = files(&[("items.csv", "id,name\n7,lamp\n8,chair\n")]);
    let data = paths[0].to_str().unwrap();
    let url = format!("{}item/{{{{id}}}}", target.url);
    let args = ["run", &url, "-r", "100", "-d", "200ms", "--data", data];
    let more = ["-H", "X-Name: {{name}}", "--format", "json"];
    let report = run(args.iter().chain(&more)).ran().json();
    assert_eq!(report["counts"]["answered"], 20);
    assert_eq!(report["plan"]["requests"]["found"]["count"], 2);
    let wrong = run(args.iter().chain(&["-H", "X-Name: {{nme}}"])).exits_with(2);
    wrong.says(&["there is no column 'nme'", "id, name"]);
}

#[test]
fn a_sweep_and_a_migration_have_them_too() {
    let target = Target::start(&[]);
    let (_folder, paths) = files(&[("requests.jsonl", TAGGED)]);
    let list = paths[0].to_str().unwrap();
    let args = ["sweep", &target.url, "--requests", list, "--requests-order", "weighted"];
    let more = ["--rates", "100,200", "-d", "200ms", "--pause", "0s", "--format", "json"];
    let sweep = run(args.iter().chain(&more)).ran().json();
    assert_eq!(sweep["points"][1]["counts"]["answered"], 40, "{sweep}");
    let trigger = "simulated:strategy=stop-and-copy,memory=16MiB,bandwidth=64MiB/s";
    let args = ["migrate", "--requests", list, "--rate", "150", "--trigger", trigger];
    let more = ["--before", "1s", "--after", "1s", "--format", "json"];
    let report = in_time(|| run(args.iter().chain(&more))).ran().json();
    let tags = report["migration"]["tags"].as_array().unwrap();
    let names: Vec<&str> = tags.iter().map(|tag| tag["tag"].as_str().unwrap()).collect();
    assert_eq!(names, ["untagged", "page", "cart"]);
    let offered =
        |span: &str| -> u64 { tags.iter().map(|tag| tag[span]["offered"].as_u64().unwrap()).sum() };
    let phases = report["migration"]["phases"].as_array().unwrap();
    let of_phases = |is_in: fn(&str) -> bool| -> u64 {
        let names = phases.iter().filter(|phase| is_in(phase["name"].as_str().unwrap()));
        names.map(|phase| phase["counts"]["offered"].as_u64().unwrap()).sum()
    };
    assert_eq!(offered("before"), of_phases(|name| name == "before"));
    assert_eq!(offered("during"), of_phases(|n| !["warm-up", "before", "after"].contains(&n)));
    assert_eq!(offered("after"), of_phases(|name| name == "after"));
    assert!(offered("during") > 0);
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_sent() {
    let target = Target::start(&[]);
    let (_folder, paths) =
        files(&[("good.txt", "/\n"), ("wrong.txt", "/a\n/b c d\n"), ("shop.toml", "")]);
    let [good, wrong, shop] = [0, 1, 2].map(|i| paths[i].to_str().unwrap());
    let refused = |args: &[&str], words: &[&str]| {
        let base = ["run", &target.url, "-r", "10", "-d", "100ms"];
        run(base.iter().chain(args)).exits_with(2).says(words);
    };
    refused(&["--requests", wrong], &["wrong.txt:2: a line is a URL or a path"]);
    refused(&["--requests", "/nowhere/x"], &["cannot read /nowhere/x", "No such file"]);
    refused(&["--requests", good, "--body", "x"], &["--body"]);
    refused(&["--requests", good, "--session", shop], &["--session"]);
    refused(&["--requests-format", "urls"], &["--requests <FILE>"]);
    refused(&["--requests-order", "shuffled"], &["--requests-order", "--data FILE.csv"]);
    refused(&["--requests", good, "--data", "/nowhere/y"], &["cannot read /nowhere/y"]);
    let sweep = ["sweep", &target.url, "--rates", "10", "-d", "1s", "--requests", wrong];
    run(sweep).exits_with(2).says(&["wrong.txt:2:"]);
    assert_eq!(target.end().exits_with(0).json()["requests_read"], 0);
}

/// What the server says is compared with what was expected, also in objectives.
#[test]
fn wrong_replies_are_told_and_miss_objectives() {
    let target = Target::start(&["--body", "1KiB"]);
    let args = ["run", &target.url, "-r", "100", "-d", "300ms"];
    let right = ["--expect", "size=1024", "--expect", "status=200", "--slo", "error-rate<=0%"];
    run(args.iter().chain(&right)).ran();
    let wrong = ["--expect", "body~welcome", "--slo", "p50<10s", "--slo", "error-rate<50%"];
    let outcome = in_time(|| run(args.iter().chain(&wrong))).exits_with(3);
    assert!(outcome.stdout.contains("wrong: body"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("30 replies were not as expected (body~welcome)"));
    let refused = run(args.iter().chain(&["--expect", "time<3s"])).exits_with(2);
    refused.says(&["'time<3s' is no expectation", "body~TEXT"]);
}

const LOG: &str = r#"h - - [10/Oct/2000:13:55:36 +0000] "GET /a HTTP/1.1" 200 1
h - - [10/Oct/2000:13:55:36 +0000] "POST /cart HTTP/1.1" 200 1
h - - [10/Oct/2000:13:55:37 +0000] "GET /b HTTP/1.1" 200 1
h - - [10/Oct/2000:13:55:37 +0000] "-" 408 0
"#;

#[test]
fn a_log_is_replayed() {
    let target = Target::start(&[]);
    let (folder, paths) = files(&[("access.log", LOG)]);
    let (log, saved_at) = (paths[0].to_str().unwrap(), folder.path().join("report.json"));
    let args = ["run", &target.url, "--replay", log, "-o", saved_at.to_str().unwrap()];
    run(args.iter().chain(&["--speed", "4x"])).ran();
    let report = saved(&saved_at);
    // 1.5 s from the first to the third, and as much behind it.
    assert_eq!((&report["counts"]["answered"], &report["measured_s"]), (&2.into(), &0.5.into()));
    let text = run(["report", saved_at.to_str().unwrap()]).exits_with(0).stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("2 calls at the times of the log, 4 times as fast"), "{text}");
    assert!(text.contains("lines left out: 1 (changes state), 1 (no request)"), "{text}");
    let again = run(["run", saved_at.to_str().unwrap(), "--format", "json"]).ran().json();
    assert_eq!(again["counts"]["answered"], 2);
    // All methods, and at a rate.
    let more = ["--replay-unsafe", "--rate", "100", "--once", "--format", "json"];
    let report = run(["run", &target.url, "--replay", log].iter().chain(&more)).ran().json();
    assert_eq!((&report["counts"]["answered"], &report["measured_s"]), (&3.into(), &0.03.into()));
}

#[test]
fn a_log_is_replayed_while_a_machine_is_moved() {
    let (_folder, paths) = files(&[("access.log", LOG)]);
    let trigger = "simulated:strategy=stop-and-copy,memory=16MiB,bandwidth=64MiB/s";
    let args = ["migrate", "--replay", paths[0].to_str().unwrap(), "--speed", "100x"];
    let more = ["--before", "1s", "--after", "1s", "--format", "json", "--trigger", trigger];
    let report = in_time(|| run(args.iter().chain(&more))).ran().json();
    assert_eq!(report["plan"]["load"]["schedule"]["arrival"], "recorded");
    // A hundred a second, again and again.
    assert!(report["populations"]["established"]["counts"]["answered"].as_u64().unwrap() > 150);
    assert!(report["migration"]["outage_ms"]["established"]["gap"].as_f64().unwrap() > 100.0);
}

#[test]
fn what_does_not_go_with_a_replay_is_refused() {
    let (_folder, paths) = files(&[("access.log", LOG)]);
    let log = paths[0].to_str().unwrap();
    let url = "http://127.0.0.1:1/";
    for (args, word) in [
        (&["--replay", log, "--speed", "0"][..], "such as 2x"),
        (&["--replay", log, "--rate", "5", "--speed", "2x"], "--speed is for a log"),
        (&["--rate", "5", "--speed", "2x"], "--replay"),
        (&["--rate", "5", "--replay-unsafe"], "--replay"),
        (&["--replay", log, "--requests", log], "cannot be used with"),
        (&["--replay", log, "--data", log], "cannot be used with"),
        (&["--replay", log, "--requests-order", "shuffled"], "in its own order"),
        (&["--replay", "/no/such.log"], "/no/such.log"),
    ] {
        run(["run", url].iter().chain(args)).exits_with(2).says(&[word]);
    }
}
