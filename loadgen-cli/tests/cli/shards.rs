//! One load from several processes: they begin together, and their records become the report that
//! one process would have written.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::common::{Outcome, Target, Watched, document, loadgen, run, saved, wait_until};

const TOKEN: &str = "correct horse battery";

/// A load of 200 calls, with others beside it.
fn load(url: &str) -> Vec<String> {
    let of = "--rate 200 --duration 1s --connections 4 --probe-rate 20 --arrival poisson --seed 7";
    ["run", url].into_iter().chain(of.split(' ')).map(str::to_owned).collect()
}

/// One part of it, whose record goes into a folder.
fn part(url: &str, shard: &str, dir: &Path, more: &[&str]) -> Command {
    let file = dir.join("part-%r.json");
    let own = ["--shard", shard, "-o", file.to_str().unwrap()];
    let all = load(url).into_iter().chain(own.iter().chain(more).map(|word| (*word).to_owned()));
    let mut command = loadgen(all);
    command.env("LOADGEN_SYNC_TOKEN", TOKEN);
    command
}

fn finish(parts: Vec<Watched>) -> Vec<Outcome> {
    parts.into_iter().map(Watched::finish).collect()
}

/// The files of so many parts.
fn files(dir: &Path, of: u32) -> Vec<PathBuf> {
    (0..of).map(|index| dir.join(format!("part-{index}.json"))).collect()
}

/// What a part wrote.
fn record(file: &Path) -> Value {
    document(file, "loadgen-shard/1")
}

fn merged(files: &[PathBuf], more: &[&str]) -> Outcome {
    let files = files.iter().map(|file| file.to_str().unwrap());
    run(["merge"].into_iter().chain(files).chain(more.iter().copied()))
}

/// A port at which nobody listens: one that was free a moment ago, on an address of its own.
fn place() -> String {
    let listener = std::net::TcpListener::bind("127.0.41.7:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn in_seconds(from_now: i64) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
    (now + from_now).to_string()
}

fn reasons(report: &Value) -> String {
    report["verdict"]["reasons"].to_string()
}

#[test]
fn parts_that_meet_are_one_load() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let place = place();
    // Whoever comes first waits for the others.
    let parts = ["2/3", "1/3", "0/3"]
        .map(|shard| Watched::spawn(part(&target.url, shard, dir.path(), &["--sync", &place])));
    for outcome in finish(parts.into()) {
        outcome.exits_with(0).says(&["meeting the other shards", "was written to"]);
    }
    let report = dir.path().join("report.json");
    merged(&files(dir.path(), 3), &["-o", report.to_str().unwrap()]).ran();
    let whole = saved(&report);
    assert!(!reasons(&whole).contains("together"), "{}", reasons(&whole));
    for shard in whole["shards"].as_array().unwrap() {
        assert!(shard["clock"]["began_bound_ms"].as_f64().unwrap() < 1000.0, "{shard}");
    }
    let one = dir.path().join("one.json");
    run(load(&target.url).iter().map(String::as_str).chain(["-o", one.to_str().unwrap()])).ran();
    let one = saved(&one);
    for count in ["offered", "started", "answered", "failed", "shed", "unfinished", "wrong"] {
        assert_eq!(whole["counts"][count], one["counts"][count], "{count}");
    }
    for what in ["status_codes", "bytes", "schema", "errors"] {
        assert_eq!(whole[what], one[what], "{what}");
    }
    assert_eq!(whole["rates"]["offered_per_s"], one["rates"]["offered_per_s"]);
    // Its plan can be repeated, in as many parts as one likes.
    let again = tempfile::tempdir().unwrap();
    for shard in ["0/2", "1/2"] {
        let file = again.path().join("part-%r.json");
        let words = ["run", report.to_str().unwrap(), "--shard", shard, "-o"];
        run(words.into_iter().chain([file.to_str().unwrap()])).exits_with(0);
    }
    let outcome = merged(&files(again.path(), 2), &["--format", "json"]).ran();
    assert_eq!(outcome.json()["counts"]["offered"], one["counts"]["offered"]);
    let calls = whole["counts"]["answered"].as_u64().unwrap();
    assert!(calls > 100);
    // Each arrival was made once by whichever process.
    let asked = target.end().json()["requests_read"].as_u64().unwrap();
    assert_eq!(asked, 3 * calls);
}

#[test]
fn parts_begin_at_a_time() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let late = run_part(&target.url, "0/2", dir.path(), &["--start-at", &in_seconds(-1)]);
    late.exits_with(1).says(&["after the start that was told", "tell a later one"]);
    assert!(!dir.path().join("part-0.json").exists());
    // On a slow machine a start that is near may have passed.
    let both_began = [2, 10, 60].into_iter().any(|lead| {
        let more = ["--start-at", &in_seconds(lead)];
        let parts =
            ["0/2", "1/2"].map(|shard| Watched::spawn(part(&target.url, shard, dir.path(), &more)));
        finish(parts.into()).iter().all(|outcome| outcome.code() == Some(0))
    });
    assert!(both_began);
    let began = |file: &PathBuf| record(file)["shards"][0]["clock"]["began_ns"].as_u64().unwrap();
    let files = files(dir.path(), 2);
    // The wall clock may have been corrected between their looks at it.
    assert!(began(&files[0]).abs_diff(began(&files[1])) < 100_000_000);
    let odd = run_part(&target.url, "0/2", dir.path(), &["--start-at", "1795953600000"]);
    odd.exits_with(2).says(&["not as milliseconds"]);
}

fn run_part(url: &str, shard: &str, dir: &Path, more: &[&str]) -> Outcome {
    Watched::spawn(part(url, shard, dir, more)).finish()
}

#[test]
fn what_does_not_belong_together_is_not_merged() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    for shard in ["0/3", "1/3", "2/3"] {
        run_part(&target.url, shard, dir.path(), &[]).exits_with(0);
    }
    let files = files(dir.path(), 3);
    let [first, second, third] = [&files[0], &files[1], &files[2]].map(Clone::clone);
    let two = [first.clone(), third];
    merged(&two, &[]).exits_with(1).says(&["1 of 3 shards are missing: 1", "--allow-missing"]);
    let report = dir.path().join("report.json");
    let some = merged(&two, &["--allow-missing", "-o", report.to_str().unwrap()]);
    some.ran().says(&["1 of 3 shards are missing (1): the load was 2/3 of that of the plan"]);
    let report = saved(&report);
    assert_eq!(report["shards_missing"], serde_json::json!([1]));
    assert_ne!(report["verdict"]["status"], "valid");
    let twice = merged(&[first.clone(), second.clone(), second.clone()], &[]);
    twice.exits_with(2).says(&["two of them are of shard 1"]);
    // Cut short.
    let cut = dir.path().join("cut.json");
    let text = std::fs::read(&second).unwrap();
    std::fs::write(&cut, &text[..text.len() / 2]).unwrap();
    let outcome = merged(&[first.clone(), cut], &[]).exits_with(2);
    outcome.says(&["cut.json", "it was not written whole"]);
    // Some are merged before others.
    let both = dir.path().join("both.json");
    merged(&two, &["--as-record", "-o", both.to_str().unwrap()]).exits_with(0);
    merged(&[both, second], &["--format", "json"]).ran();
    // A record is no report, and the other way round.
    run(["report", first.to_str().unwrap()]).exits_with(2).says(&["'loadgen merge'"]);
}

/// What a part that is killed had measured is not lost.
#[test]
fn a_part_that_dies_leaves_what_it_had_measured() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let [first, second] = ["0/2", "1/2"].map(|shard| {
        let file = dir.path().join("part-%r.json");
        let words = ["run", &target.url, "--rate", "100", "--duration", "1h", "--shard", shard];
        Watched::spawn(loadgen(words.into_iter().chain(["-o", file.to_str().unwrap()])))
    });
    let partial = dir.path().join("part-1.json.partial");
    let is_written = || std::fs::read(&partial).is_ok_and(|text| text.ends_with(b"\n"));
    wait_until("what there is so far is written", is_written);
    second.signal("KILL");
    second.finish();
    // The other one is not waited for until its end.
    first.signal("INT");
    first.finish().exits_with(130);
    let whole = dir.path().join("part-0.json");
    assert!(!dir.path().join("part-0.json.partial").exists(), "there is something better");
    let files = [whole, partial];
    let outcome = merged(&files, &[]).exits_with(1);
    outcome.says(&["did not come to their ends", ": 1", "--allow-missing"]);
    let report = merged(&files, &["--allow-missing", "--format", "json"]).ran().json();
    assert_eq!(report["shards"][1]["is_partial"], true);
    assert!(reasons(&report).contains("shard 1: it did not come to its end"), "{report}");
    let alone = merged(&files[..1], &["--allow-missing", "--format", "json"]).ran().json();
    let answered = |report: &Value| report["counts"]["answered"].as_u64().unwrap();
    assert!(answered(&report) > answered(&alone), "{report}");
}

#[test]
fn parts_of_other_plans_are_told_apart() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    run_part(&target.url, "0/2", dir.path(), &[]).exits_with(0);
    let file = dir.path().join("part-1.json");
    let more = ["--shard", "1/2", "-o", file.to_str().unwrap()];
    let rate = ["run", &target.url, "--rate", "300", "--duration", "1s"];
    run(rate.into_iter().chain(more)).exits_with(0);
    let outcome = merged(&files(dir.path(), 2), &[]).exits_with(2);
    outcome.says(&["shards 0 and 1 are not of the same plan: '"]);
}

/// Whoever does not know the token, or speaks another tongue, costs nothing but itself.
#[test]
fn strangers_do_not_meet() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let place = place();
    let meets = ["--sync", &place];
    let host = Watched::spawn(part(&target.url, "0/2", dir.path(), &meets));
    wait_until("shard 0 listens", || TcpStream::connect(&place).is_ok());
    let mut garbage = TcpStream::connect(&place).unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut stranger = part(&target.url, "1/2", dir.path(), &meets);
    stranger.env("LOADGEN_SYNC_TOKEN", "incorrect horse battery");
    let stranger = Watched::spawn(stranger).finish().exits_with(1);
    stranger.says(&["its token is another one", "LOADGEN_SYNC_TOKEN"]);
    run_part(&target.url, "1/2", dir.path(), &meets).exits_with(0);
    host.finish().exits_with(0);
    merged(&files(dir.path(), 2), &["--format", "json"]).ran();
    // Without a token nobody listens.
    let mut open = part(&target.url, "0/2", dir.path(), &meets);
    open.env_remove("LOADGEN_SYNC_TOKEN");
    Watched::spawn(open).finish().exits_with(2).says(&["LOADGEN_SYNC_TOKEN"]);
}

#[test]
fn whoever_waits_for_the_others_can_be_stopped() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let place = place();
    // Shard 1 finds nobody; shard 0 waits for it in vain.
    for shard in ["1/2", "0/2"] {
        let more = ["--sync", &place, "--sync-timeout", "10m"];
        let mut waiting = Watched::spawn(part(&target.url, shard, dir.path(), &more));
        waiting.wait_for("meeting the other shards");
        if shard == "0/2" {
            wait_until("shard 0 listens", || TcpStream::connect(&place).is_ok());
        }
        waiting.signal("INT");
        let outcome = waiting.finish().exits_with(130);
        outcome.says(&["before the load began, nothing was measured"]);
    }
    let at = in_seconds(600);
    let mut later = Watched::spawn(part(&target.url, "0/2", dir.path(), &["--start-at", &at]));
    later.wait_for("0.0 s");
    later.signal("INT");
    assert_eq!(later.finish().code(), Some(130));
}

#[test]
fn a_part_is_told_by_whatever_started_it() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let calls = dir.path().join("calls-%r.csv");
    let mut command =
        part(&target.url, "auto/2", dir.path(), &["--calls-log", calls.to_str().unwrap()]);
    command.env("JOB_COMPLETION_INDEX", "1");
    Watched::spawn(command).finish().exits_with(0).says(&["the record of shard 1/2"]);
    assert!(dir.path().join("calls-1.csv").exists());
    let record = record(&dir.path().join("part-1.json"));
    let file = record["shards"][0]["calls_file"]["file"].as_str().unwrap();
    assert!(file.ends_with("calls-1.csv"), "{file}");
    run_part(&target.url, "auto", dir.path(), &[]).exits_with(2).says(&["say it as i/n"]);
    // What only the whole can be judged by.
    let outcome = run_part(&target.url, "0/2", dir.path(), &["--slo", "p99<1s"]);
    outcome.exits_with(2).says(&["give it to 'loadgen merge'"]);
    run(["run", &target.url, "--shard", "0/2"]).exits_with(2).says(&["needs -o FILE"]);
    // With one command line for all, all would write to one file.
    let all = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for (record, log, wrong) in
        [("all.json", "c-%r.csv", "-o"), ("all-%r.json", "all.csv", "--calls-log")]
    {
        let (record, log) = (all(record), all(log));
        let words = ["--shard", "auto/2", "-o", &record, "--calls-log", &log].map(str::to_owned);
        let mut one = loadgen(load(&target.url).into_iter().chain(words));
        one.env("JOB_COMPLETION_INDEX", "1");
        Watched::spawn(one).finish().exits_with(2).says(&["needs %r", wrong]);
        assert!(!Path::new(&all("all.json")).exists() && !Path::new(&all("all.csv")).exists());
    }
    // Calls are counted by nobody but all together.
    let outcome = run_part(&target.url, "0/2", dir.path(), &["--abort-if", "failed>10"]);
    outcome.exits_with(2).says(&["sees its part of the calls alone"]);
}
