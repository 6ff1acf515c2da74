//! What can be merged and what cannot, and what the sum says of its parts.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::engine::Engine;
use crate::plan::{Load, Plan, Shard};
use crate::record::TagRecord;
use crate::report::{Report, VerdictStatus};
use crate::schedule::Schedule;
use crate::target_server::{TargetOptions, TargetServer};

/// What each of so many shards of a short load measured, as it is written.
fn parts(of: u32) -> Vec<String> {
    let server = TargetServer::bind(TargetOptions::default()).unwrap().spawn().unwrap();
    let load = Load::established(Schedule::constant(500.0)).with_connections(of);
    let plan =
        Plan::new(server.url().parse().unwrap(), load).with_duration(Duration::from_millis(60));
    let part = |index: u32| {
        let shard = Shard::new(index, of).unwrap();
        let watch = ClockWatch::begin();
        let run = Engine::new(plan.clone().with_shard(shard)).unwrap().start().unwrap();
        let began = run.clock().unwrap().to_monotonic(0);
        let record = ShardRecord::of(run).unwrap();
        record.with_clock(watch.end(began, None)).to_json().unwrap()
    };
    (0..of).map(part).collect()
}

fn read(part: &str) -> ShardRecord {
    ShardRecord::from_reader(part.as_bytes()).unwrap()
}

/// With one field of its JSON otherwise.
fn but(part: &str, pointer: &str, value: Value) -> ShardRecord {
    let mut json: Value = serde_json::from_str(part).unwrap();
    *json.pointer_mut(pointer).unwrap() = value;
    read(&json.to_string())
}

fn why(one: &str, other: ShardRecord) -> String {
    let mut one = read(one);
    let before = one.to_json().unwrap();
    let why = one.merge(other).unwrap_err().to_string();
    assert_eq!(one.to_json().unwrap(), before, "nothing is added");
    why
}

#[test]
fn only_shards_of_one_plan_are_merged() {
    let parts = parts(2);
    let [one, other] = [&parts[0], &parts[1]];
    assert!(read(one).merge(read(other)).is_ok());
    assert_eq!(why(one, read(one)), "two of them are of shard 0: leave one of them out");
    let text = why(one, but(other, "/record/plan/load/connections", 9.into()));
    assert_eq!(text, "shards 0 and 1 are not of the same plan: 'load.connections' differs");
    let text = why(one, but(other, "/record/plan/shard/of", 3.into()));
    assert!(text.contains("'shard.of' differs"), "{text}");
    let text = why(one, but(other, "/tool/version", "9.9.9".into()));
    assert!(text.contains("different versions"), "{text}");
    let told = |part: &str, start: &str| read(part).with_told_start(start).to_json().unwrap();
    let text = why(&told(one, "12:00"), read(&told(other, "12:05")));
    assert!(text.contains("not of one run"), "{text}");
    assert!(why(one, read(&told(other, "12:05"))).contains("not of one run"));
    let mut tagged: Value = serde_json::from_str(other).unwrap();
    tagged["record"]["tags"] = json!(["a"]);
    tagged["record"]["harvest"]["recorder"]["tags"] = json!([TagRecord::new()]);
    let text = why(one, read(&tagged.to_string()));
    assert!(text.contains("different tags"), "{text}");
}

#[test]
fn missing_shards_are_named() {
    let parts = parts(3);
    let error = read(&parts[1]).report().unwrap_err();
    assert_eq!(error.to_string(), "2 of 3 shards are missing: 0, 2");
    let mut some = read(&parts[2]);
    some.merge(read(&parts[0])).unwrap();
    let report = some.report_of_those_there();
    assert_eq!((report.counts.offered, &report.shards_missing[..]), (20, &[1][..]));
    assert_ne!(report.verdict.status, VerdictStatus::Valid);
    let reasons = report.verdict.reasons.join("\n");
    assert!(reasons.contains("1 of 3 shards are missing (1): the load was 2/3"), "{reasons}");
}

/// In whatever order, and some before others.
#[test]
fn merging_is_associative() {
    let mut parts = parts(4);
    for (index, part) in parts.iter_mut().enumerate() {
        let mut odd: Value = serde_json::from_str(part).unwrap();
        odd["record"]["environment"]["address"] = format!("192.0.2.{index}:80").into();
        // What there is one of, and what each tells otherwise.
        let failure = json!({"phase": "connect", "cause": "refused", "errno": 100 + index});
        odd["record"]["harvest"]["recorder"]["warm_failures"] = json!([1, failure]);
        odd["record"]["harvest"]["recorder"]["bad_calls"]["examples"] =
            json!([[failure, 9 - index]]);
        odd["record"]["harvest"]["broken"] = json!([format!("worker of {}", 4 - index)]);
        if index > 0 {
            let seen = format!("{index} calls");
            odd["record"]["aborted"] =
                json!({"rule": "failed>1", "at_s": 1.0 / index as f64, "seen": seen});
        }
        *part = odd.to_string();
        read(part);
    }
    let merged = |order: [usize; 4]| {
        let mut whole = read(&parts[order[0]]);
        for part in &order[1..] {
            whole.merge(read(&parts[*part])).unwrap();
        }
        whole.report().unwrap()
    };
    let mut left = read(&parts[3]);
    left.merge(read(&parts[1])).unwrap();
    let mut right = read(&parts[0]);
    right.merge(read(&parts[2])).unwrap();
    // As a record that is written and merged again.
    left.merge(read(&right.to_json().unwrap())).unwrap();
    let of_pairs = left.report().unwrap();
    for report in [merged([0, 1, 2, 3]), merged([2, 0, 3, 1])] {
        assert_eq!(report.counts, of_pairs.counts);
        assert_eq!(report.response_time, of_pairs.response_time);
        assert_eq!(report.timeline, of_pairs.timeline);
        assert_eq!(report.shards, of_pairs.shards);
        assert_eq!(report.environment, of_pairs.environment);
        assert_eq!(report.environment.address, "192.0.2.0:80");
        assert_eq!(report.aborted.as_ref().unwrap().seen, "3 calls");
        assert_eq!(report.to_json_pretty().unwrap(), of_pairs.to_json_pretty().unwrap());
    }
    let numbers: Vec<u32> = of_pairs.shards.iter().map(|shard| shard.index).collect();
    assert_eq!((of_pairs.counts.offered, numbers), (30, vec![0, 1, 2, 3]));
    // They ran one after the other.
    let reasons = of_pairs.verdict.reasons.join("\n");
    assert!(reasons.contains("did not begin together (by comparing their clocks)"), "{reasons}");
}

/// A load of two threads, of which is told what there is so far while it goes on.
#[test]
fn parts_of_a_shard_outlive_it() {
    let server = TargetServer::bind(TargetOptions::default()).unwrap().spawn().unwrap();
    let load = Load::established(Schedule::constant(1000.0)).with_connections(8);
    let probe = Load::fresh(Schedule::poisson(100.0));
    let plan = Plan::new(server.url().parse().unwrap(), load).with_load("probe", probe);
    let plan = plan.with_threads(2).with_duration(Duration::from_millis(600));
    let plan = plan.with_shard(Shard::new(1, 2).unwrap());
    let run = Engine::new(plan.clone()).unwrap().start().unwrap();
    let mut lines = Vec::new();
    for answered in [50, 100, 150] {
        while run.snapshot().answered < answered && !run.is_finished() {
            std::thread::yield_now();
        }
        lines.extend(ShardRecord::part_of(&run, None, None).unwrap());
        let so_far = run.snapshot();
        assert!(so_far.answered >= answered, "the counters of a run never go back: {so_far:?}");
    }
    assert!(!lines.is_empty());
    let whole = ShardRecord::of(run).unwrap();
    // As the same load that nobody looked at.
    let alone = ShardRecord::of(Engine::new(plan).unwrap().start().unwrap()).unwrap();
    assert!(whole.partial().is_empty());
    let [whole, alone] = [whole, alone].map(ShardRecord::report_of_those_there);
    assert_eq!(whole.counts.offered, alone.counts.offered);
    assert_eq!(whole.counts.answered, whole.counts.offered);
    // Behind them there may be steps in which late replies came.
    let offered = |report: &Report| report.timeline.counters.offered[..60].to_vec();
    assert_eq!(offered(&whole), offered(&alone));
    assert_eq!(whole.response_time.count, whole.counts.answered);
    assert!(whole.cpu.user_s + whole.cpu.system_s > 0.0);

    let text = lines.join("\n");
    let parts = read(&text);
    assert_eq!(parts.partial(), [1]);
    let error = read(&text);
    assert!(error.report().unwrap_err().to_string().contains("shards are missing: 0"));
    let report = parts.report_of_those_there();
    assert!(report.counts.answered >= 50 && report.counts.answered <= whole.counts.answered);
    let timed: u64 = report.timeline.windows.iter().map(|window| window.answered).sum();
    assert_eq!(timed, report.counts.answered);
    let reasons = report.verdict.reasons.join("\n");
    assert!(reasons.contains("shard 1: it did not come to its end"), "{reasons}");
    // Killed while it wrote.
    let twice = format!("{text}\n{text}");
    let cut = read(&twice[..twice.len() - 20]).report_of_those_there();
    assert!(cut.counts.answered >= report.counts.answered);
    let other = text.replacen("\"index\":1", "\"index\":0", 2);
    let mixed = ShardRecord::from_reader(format!("{text}\n{other}").as_bytes()).unwrap_err();
    assert!(mixed.to_string().contains("parts of several runs"), "{mixed}");
}

/// Whatever is cut off, it is said, and nothing panics.
#[test]
fn damaged_files_are_refused() {
    let part = parts(1).remove(0);
    for end in (0..part.len() - 1).step_by(997) {
        let error = ShardRecord::from_reader(&part.as_bytes()[..end]).unwrap_err();
        assert_eq!(error, ShardError::Cut, "{end}");
    }
    let error = ShardRecord::from_reader(&b"{\"schema\": \"loadgen-report/1\"}"[..]).unwrap_err();
    assert!(error.to_string().contains("loadgen-shard/1"), "{error}");
    let of = |pointer: &str, value: Value| {
        let mut json: Value = serde_json::from_str(&part).unwrap();
        *json.pointer_mut(pointer).unwrap() = value;
        ShardRecord::from_reader(json.to_string().as_bytes()).unwrap_err().to_string()
    };
    let error = ShardRecord::from_reader(format!("{part}{part}").as_bytes()).unwrap_err();
    assert!(error.to_string().contains("something stands behind it"), "{error}");
    let text = of("/shards", json!([]));
    assert!(text.contains("it is of no shard"), "{text}");
    let text = of("/record/harvest/recorder/timeline/step_ns", 7.into());
    assert!(text.contains("the width of a step"), "{text}");
}

/// Where numbers, texts and lists stand in a document, one of each kind.
fn places(of: &Value, at: &str, kind: &str, known: &mut BTreeSet<String>, found: &mut Vec<String>) {
    if !kind.is_empty() && known.insert(kind.to_owned()) {
        found.push(at.to_owned());
    }
    match of {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{at}/{name}"), &format!("{kind}/{name}"), known, found);
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                places(value, &format!("{at}/{i}"), &format!("{kind}/*"), known, found);
            }
        }
        _ => {}
    }
}

/// Whatever stands in a file, merging it comes to an end, and nothing panics.
#[test]
fn no_file_is_too_odd() {
    let parts = parts(2);
    let document: Value = serde_json::from_str(&parts[0]).unwrap();
    let mut found = Vec::new();
    places(&document, "", "", &mut BTreeSet::new(), &mut found);
    assert!(found.len() > 200, "{}", found.len());
    let mut taken = 0;
    for place in found {
        for value in [json!(0), json!(u32::MAX), json!(1_u64 << 40), json!([]), json!(null)] {
            let mut odd = document.clone();
            *odd.pointer_mut(&place).unwrap() = value;
            let Ok(mut odd) = ShardRecord::from_reader(odd.to_string().as_bytes()) else {
                continue;
            };
            if odd.merge(read(&parts[1])).is_ok() {
                let _ = odd.report_of_those_there().to_json_pretty();
                taken += 1;
            }
        }
    }
    assert!(taken > 200, "{taken}");
    let text = |pointer: &str, value: Value| {
        let mut odd = document.clone();
        *odd.pointer_mut(pointer).unwrap() = value;
        ShardRecord::from_reader(odd.to_string().as_bytes()).unwrap_err().to_string()
    };
    for (pointer, value) in [
        ("/record/harvest/recorder/loads", json!([])),
        (
            "/record/harvest/recorder/tags",
            json!([document["record"]["harvest"]["recorder"]["loads"][0]]),
        ),
        ("/record/harvest/kernel/step", json!(0)),
        ("/record/harvest/kernel/step", json!(100_000_000_u64 << 30)),
        ("/shards/0/index", json!(7)),
        ("/record/plan/shard/index", json!(1)),
    ] {
        assert!(text(pointer, value).contains("damaged"), "{pointer}");
    }
}

/// The report of a shard alone, and of a run that is no shard.
#[test]
fn one_is_the_whole_of_itself() {
    let report: Report = read(&parts(1)[0]).report().unwrap();
    assert_eq!((report.counts.offered, report.shards.len()), (30, 0));
}
