//! What can be merged and what cannot, and what the sum says of its parts.

use std::time::Duration;

use super::*;
use crate::engine::Engine;
use crate::plan::{Load, Plan, Shard};
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
fn but(part: &str, pointer: &str, value: serde_json::Value) -> ShardRecord {
    let mut json: serde_json::Value = serde_json::from_str(part).unwrap();
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
    let text = why(one, but(other, "/record/tags", serde_json::json!(["a"])));
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
        let address = format!("192.0.2.{index}:80").into();
        *part = but(part, "/record/environment/address", address).to_json().unwrap();
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
    }
    let numbers: Vec<u32> = of_pairs.shards.iter().map(|shard| shard.index).collect();
    assert_eq!((of_pairs.counts.offered, numbers), (30, vec![0, 1, 2, 3]));
    // They ran one after the other.
    let reasons = of_pairs.verdict.reasons.join("\n");
    assert!(reasons.contains("did not begin together (their clocks were compared)"), "{reasons}");
}

/// Whatever is cut off, it is said, and nothing panics.
#[test]
fn damaged_files_are_refused() {
    let part = parts(1).remove(0);
    for end in (0..part.len() - 1).step_by(997) {
        let error = ShardRecord::from_reader(&part.as_bytes()[..end]).unwrap_err();
        assert!(matches!(error, ShardError::Syntax { .. }), "{end}: {error}");
    }
    let error = ShardRecord::from_reader(&b"{\"schema\": \"loadgen-report/1\"}"[..]).unwrap_err();
    assert!(error.to_string().contains("loadgen-shard/1"), "{error}");
    let of = |pointer: &str, value: serde_json::Value| {
        let mut json: serde_json::Value = serde_json::from_str(&part).unwrap();
        *json.pointer_mut(pointer).unwrap() = value;
        ShardRecord::from_reader(json.to_string().as_bytes()).unwrap_err().to_string()
    };
    let text = of("/shards", serde_json::json!([]));
    assert!(text.contains("it is of no shard"), "{text}");
    let text = of("/record/harvest/recorder/timeline/step_ns", 7.into());
    assert!(text.contains("the width of a step"), "{text}");
}

/// The report of a shard alone, and of a run that is no shard.
#[test]
fn one_is_the_whole_of_itself() {
    let report: Report = read(&parts(1)[0]).report().unwrap();
    assert_eq!((report.counts.offered, report.shards.len()), (30, 0));
}
