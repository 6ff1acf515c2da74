//! Where results go when their place fails: full disks, closed pipes.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{self, Target, finish, has_mounts_of_its_own, in_time, loadgen, run};

const LOAD: [&str; 6] = ["-r", "50", "-d", "500ms", "--format", "json"];

#[test]
fn a_full_device_sends_the_report_to_stdout() {
    let target = Target::start(&[]);
    let args = ["run", &target.url].into_iter().chain(LOAD).chain(["-o", "/dev/full"]);
    let outcome = run(args).exits_with(1).says(&["/dev/full", "No space left", "stdout instead"]);
    assert_eq!(outcome.json()["counts"]["answered"], 25);
}

#[test]
fn a_full_stdout_saves_the_report_elsewhere() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = loadgen(["run", &target.url].into_iter().chain(LOAD));
    let child = command.stdout(full).env("TMPDIR", dir.path()).spawn().unwrap();
    finish(child).exits_with(1).says(&["No space left", "was saved to", "loadgen-report-"]);
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let saved = common::saved(&files[0].as_ref().unwrap().path());
    assert_eq!(saved["counts"]["answered"], 25);
}

/// A tmpfs of 4 KiB (one page) in a mount namespace of its own: what is there is
/// not there for anybody else, and goes with the process.
#[test]
fn a_full_disk_sends_the_report_to_stdout_and_leaves_nothing_behind() {
    if !has_mounts_of_its_own() {
        return;
    }
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().display();
    let program = env!("CARGO_BIN_EXE_loadgen");
    let script = format!(
        "mount -t tmpfs -o size=4k none {disk} || exit 77
         {program} run {} {} -o {disk}/report.json
         code=$?
         ls -A {disk} >&2
         exit $code",
        target.url,
        LOAD.join(" "),
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let outcome = finish(command.spawn().unwrap()).exits_with(1).says(&[
        "/report.json",
        "No space left",
        "stdout instead",
    ]);
    assert!(!outcome.stderr.ends_with(".tmp\n"), "{}", outcome.stderr);
    assert_eq!(outcome.json()["counts"]["answered"], 25);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let target = Target::start(&[]);
    let args = ["run", &target.url, "-r", "50", "-d", "500ms"];
    let mut child = loadgen(args).spawn().unwrap();
    drop(child.stdout.take());
    let outcome = finish(child).ran();
    assert!(!outcome.stderr.contains("error"), "{outcome:?}");
    for args in [vec!["completions", "bash"], vec!["man"], vec!["--help"]] {
        let mut child = loadgen(&args).spawn().unwrap();
        drop(child.stdout.take());
        let outcome = finish(child);
        assert!(!outcome.stderr.contains("panicked"), "{args:?} {outcome:?}");
    }
}

#[test]
fn a_reader_that_goes_away_loses_no_json() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let mut command = loadgen(["run", &target.url].into_iter().chain(LOAD));
    let mut child = command.env("TMPDIR", dir.path()).spawn().unwrap();
    drop(child.stdout.take());
    finish(child).exits_with(1).says(&["Broken pipe", "was saved to"]);
    let file = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
    assert_eq!(common::saved(&file.path())["counts"]["answered"], 25);
}

#[test]
fn stdout_can_be_named_and_links_are_followed() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let load = || ["run", &target.url].into_iter().chain(LOAD);
    // A redirection: the directory of /dev/stdout says nothing of it.
    let redirected = dir.path().join("redirected.json");
    let mut command = loadgen(load().chain(["-o", "/dev/stdout"]));
    command.stdout(std::fs::File::create(&redirected).unwrap());
    finish(command.spawn().unwrap()).ran();
    assert_eq!(common::saved(&redirected)["counts"]["answered"], 25);
    // A link into a directory that is not there is found before the run.
    let link = dir.path().join("link.json");
    std::os::unix::fs::symlink("no/such.json", &link).unwrap();
    run(load().chain(["-o", link.to_str().unwrap()])).exits_with(2).says(&["does not exist"]);
    std::fs::create_dir(dir.path().join("no")).unwrap();
    run(load().chain(["-o", link.to_str().unwrap()])).ran();
    assert_eq!(common::saved(&dir.path().join("no/such.json"))["counts"]["answered"], 25);
}

#[test]
fn a_closed_stderr_is_no_failure() {
    let target = Target::start(&[]);
    let mut child = loadgen(["run", &target.url].into_iter().chain(LOAD)).spawn().unwrap();
    drop(child.stderr.take());
    finish(child).ran();
}

#[test]
fn forms_follow_the_name_of_the_file() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let written = |name: &str, more: &[&str]| {
        let file = dir.path().join(name);
        let args = ["run", &target.url, "-r", "50", "-d", "200ms", "-o", file.to_str().unwrap()];
        let outcome = run(args.iter().chain(more)).ran();
        assert_eq!(outcome.stdout, "");
        std::fs::read_to_string(file).unwrap()
    };
    assert!(serde_json::from_str::<Value>(&written("a.json", &[])).is_ok());
    assert!(serde_json::from_str::<Value>(&written("a.txt", &["--format", "json"])).is_ok());
    assert!(written("b.txt", &[]).contains("response time"));
    assert!(written("b.json", &["--format", "text"]).contains("response time"));
}

#[test]
fn reports_are_rendered() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (json, html, csv) = (file("report.json"), file("r.html"), file("r.csv"));
    let load = ["run", &target.url, "-r", "50", "-d", "500ms", "-o", &json];
    run(load).ran();
    let text = run(["report", &json]).exits_with(0).stdout;
    assert!(text.contains("response time"), "{text}");
    let again = run(["report", dir.path().to_str().unwrap()]).exits_with(0).stdout;
    assert_eq!(again, text);
    let printed = run(["report", &json, "--format", "json"]).exits_with(0).stdout;
    assert_eq!(printed, std::fs::read_to_string(&json).unwrap());
    let both = run(["report", &json, "--html", &html, "--csv", &csv]).exits_with(0);
    assert_eq!(both.stdout, "");
    let page = std::fs::read_to_string(Path::new(&html)).unwrap();
    assert!(page.contains("<html") && page.contains("<svg"), "no page");
    let table = std::fs::read_to_string(&csv).unwrap();
    assert!(table.starts_with("start_s,"), "{table}");
    assert_eq!(run(["report", &json, "--csv", "-"]).exits_with(0).stdout, table);
    let mut piped = loadgen(["report", "-"]);
    piped.stdin(std::fs::File::open(&json).unwrap());
    assert_eq!(finish(piped.spawn().unwrap()).exits_with(0).stdout, text);
    run(["report", &json, "--html", "/dev/full"]).exits_with(1).says(&["/dev/full", "No space"]);
    std::fs::rename(&json, file("one.json")).unwrap();
    std::fs::copy(file("one.json"), file("two.json")).unwrap();
    let two = run(["report", dir.path().to_str().unwrap()]).exits_with(0).stdout;
    assert_eq!(two.matches("==> ").count(), 2, "{two}");
    run(["report", dir.path().to_str().unwrap(), "--html", &html])
        .exits_with(2)
        .says(&["holds 2 reports", "one.json"]);
}

#[test]
fn a_line_for_each_call() {
    let target = Target::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (csv, lines) = (path("calls.csv"), path("calls.jsonl"));
    let args = ["run", &target.url, "--rate", "300", "--calls", "90", "--threads", "2"];
    let text = run(args.iter().copied().chain(["--calls-log", &csv])).ran().stdout;
    assert!(text.contains("90 calls in "), "{text}");
    let calls = std::fs::read_to_string(&csv).unwrap();
    assert!(calls.starts_with("intended_s,started_s,sent_s,done_s,outcome,status,"), "{calls}");
    assert_eq!(calls.lines().count(), 91);
    assert_eq!(calls.matches(",answered,200,").count(), 90);
    let trigger = "simulated:strategy=stop-and-copy,memory=16MiB,bandwidth=64MiB/s";
    let args =
        ["migrate", "--rate", "100", "--trigger", trigger, "--before", "1s", "--after", "1s"];
    let more = ["--calls-log", lines.as_str(), "--format", "json"];
    let report = in_time(|| run(args.iter().chain(&more))).ran().json();
    assert_eq!(
        (&report["calls_file"]["left_out"], &report["calls_file"]["error"]),
        (&0.into(), &().into())
    );
    let written = report["calls_file"]["written"].as_u64().unwrap();
    let calls = std::fs::read_to_string(&lines).unwrap();
    assert_eq!(calls.lines().count() as u64, written);
    assert!(written > 400, "{written}");
    let call: Value = serde_json::from_str(calls.lines().next().unwrap()).unwrap();
    assert_eq!(call["outcome"], "answered");
}

#[test]
fn a_sweep_has_the_calls_of_all_its_runs() {
    let target = Target::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (calls, result) = (path("calls.csv"), path("sweep.json"));
    let args = [
        "sweep",
        &target.url,
        "--rates",
        "100,200",
        "-d",
        "500ms",
        "--pause",
        "0s",
        "--threads",
        "2",
    ];
    let more = ["--calls-log", calls.as_str(), "-o", result.as_str()];
    run(args.iter().chain(&more)).ran();
    let text = std::fs::read_to_string(&calls).unwrap();
    assert!(text.starts_with("run,intended_s,started_s,"), "{text}");
    let of_run = |run: &str| text.lines().filter(|line| line.starts_with(run)).count();
    assert_eq!((of_run("1,"), of_run("2,"), text.lines().count()), (50, 100, 151));
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&result).unwrap()).unwrap();
    let told = &report["calls_file"];
    assert_eq!((&told["written"], &told["left_out"]), (&150.into(), &0.into()));
    // What goes on does not write over what there is, nor tell of an old file.
    let on = ["--resume", result.as_str()];
    let again = run(args.iter().chain(&more).chain(&on)).exits_with(2);
    again.says(&["holds calls already", "give the name of a new file"]);
    assert_eq!(std::fs::read_to_string(&calls).unwrap(), text);
    let on = run(args.iter().chain(&on).chain(&["--format", "json"])).ran().json();
    assert!(on["calls_file"].is_null());
    let full = run(args.iter().chain(&["--calls-log", "/dev/full"])).exits_with(1);
    let full = full.says(&["the file of calls could not be written", "No space left on device"]);
    assert!(full.stdout.contains("No space left on device"), "{}", full.stdout);
}

#[test]
fn calls_that_cannot_be_written_are_told() {
    let target = Target::start(&[]);
    let args = ["run", &target.url, "--rate", "300", "--calls", "30", "-q", "--calls-log"];
    let nowhere = run(args.iter().chain(&["/no/such/place.csv"])).exits_with(2);
    nowhere.says(&["cannot write --calls-log '/no/such/place.csv'", "No such file"]);
    let full = run(args.iter().chain(&["/dev/full", "--format", "json"])).exits_with(1);
    let full = full.says(&["the file of calls could not be written", "No space left on device"]);
    let report = full.json();
    assert_eq!(
        (&report["counts"]["answered"], &report["calls_file"]["written"]),
        (&30.into(), &0.into())
    );
    assert_eq!(report["verdict"]["status"], "degraded");
}
