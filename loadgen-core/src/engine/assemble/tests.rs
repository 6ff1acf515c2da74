//! What parts recorded, written down, read and merged, is what all did, to the last bucket.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::clock::{MILLISECOND, SECOND};
use crate::plan::{Load, Shard};
use crate::record::{Failure, LoadId};
use crate::report::Environment;
use crate::schedule::Schedule;

const LOADS: [LoadId; 2] = [
    LoadId { number: 0, population: Population::Established },
    LoadId { number: 1, population: Population::Fresh },
];

/// A call that was to start at a time, by the time it took and how it ended.
type Call = (Nanos, Nanos, u8);

fn plan() -> Plan {
    let load = Load::established(Schedule::constant(100.0));
    Plan::new("http://127.0.0.1:1/".parse().unwrap(), load)
        .with_probe(Load::fresh(Schedule::constant(100.0)))
        .with_load("more", Load::established(Schedule::constant(1.0)))
        .with_warmup(std::time::Duration::from_secs(1))
}

/// What a process recorded that made these calls, the load having ended then.
fn record<'a>(plan: Plan, calls: impl Iterator<Item = &'a Call>, load_end: Nanos) -> RunRecord {
    let populations = plan.loads().map(Load::population);
    let mut recorder =
        Recorder::new(populations, nanos(plan.warmup_s), load_end, CallLog::default());
    recorder.keep_tags(2);
    recorder.load_end = load_end;
    for &(intended, took, kind) in calls {
        let load = LOADS[usize::from(kind % 2)];
        let done = intended + took;
        let outcome = match kind % 11 {
            0 => Outcome::Failed(Failure::new(Phase::Head, Cause::Timeout)),
            1 => Outcome::Failed(Failure::new(Phase::Connect, Cause::Refused)),
            2 => Outcome::Unfinished,
            3 => Outcome::Answered(503),
            4 => Outcome::Wrong(200, Miss::Body),
            _ => Outcome::Answered(200),
        };
        recorder.offered(load, intended, Some(took / 7));
        recorder.started(load, intended, intended + took / 7);
        recorder.connected(load, intended, took / 9 + 1);
        recorder.sent_bytes(intended, 70);
        recorder.received_bytes(done, 700);
        recorder.ended(CallRecord {
            intended,
            sent: intended + took / 7,
            done,
            bytes: 700,
            outcome,
            load: load.number,
            population: load.population,
            tag: kind % 2,
            reused: false,
            retried: false,
            queued: false,
        });
    }
    let harvest = Harvest {
        recorder,
        kernel: None,
        cpu: (0, 0),
        busiest_cpu: 0,
        broken: Vec::new(),
        panicked: 0,
        load_end,
        finished: load_end + MILLISECOND,
        sessions: None,
        lookups: None,
    };
    let verdict = judge(&plan, &harvest, None);
    RunRecord {
        plan,
        environment: Environment { threads: 1, ..Environment::default() },
        started_at: String::new(),
        events: Vec::new(),
        events_dropped: 0,
        tags: ["a".to_owned(), "b".to_owned()].into(),
        interrupted: false,
        aborted: None,
        verdict,
        harvest,
    }
}

/// What is measured, as JSON; where and when is not.
fn measured(report: &Report) -> Value {
    let mut json = serde_json::to_value(report).unwrap();
    let all = json.as_object_mut().unwrap();
    for key in ["environment", "verdict", "shards", "started_at", "plan"] {
        all.remove(key);
    }
    json
}

/// Where and how two documents first differ.
fn difference(one: &Value, other: &Value) -> Option<String> {
    let (mut keys, mut items) = (Vec::new(), Vec::new());
    match (one, other) {
        (Value::Object(one), Value::Object(_)) => keys = one.keys().cloned().collect(),
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            items = (0..one.len()).collect();
        }
        _ if one == other => return None,
        _ => return Some(format!(": {one} is {other}")),
    }
    let named = keys.iter().find_map(|key| {
        let inner = difference(&one[key], &other[key])?;
        Some(format!(".{key}{inner}"))
    });
    named.or_else(|| {
        items.into_iter().find_map(|i| {
            let inner = difference(&one[i], &other[i])?;
            Some(format!("[{i}]{inner}"))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn merged_shards_are_the_whole(
        calls in prop::collection::vec((0..20 * SECOND, 1..5 * SECOND, any::<u8>()), 0..200),
        shards in 1_u32..5,
        turn in any::<u32>(),
        is_long in prop::bool::weighted(0.1),
    ) {
        // Of a long run some shards have coarser windows than others.
        let scale = if is_long { 200 } else { 1 };
        let mut calls = calls;
        calls.iter_mut().for_each(|call| call.0 *= scale);
        // As workers tell of them: when they end.
        calls.sort_by_key(|call| call.0 + call.1);
        calls.dedup_by_key(|call| call.0 + call.1);
        let end = 20 * SECOND * scale;
        let whole = assemble(record(plan(), calls.iter(), end)).report;
        let of = |index: u32| {
            let own = calls.iter().skip(index as usize).step_by(shards as usize);
            record(plan().with_shard(Shard::new(index, shards).unwrap()), own, end)
        };
        // As they are read, in any order.
        let parts = (0..shards).map(|i| of((i + turn % shards) % shards));
        let mut parts = parts.map(|part| -> RunRecord {
            serde_json::from_str(&serde_json::to_string(&part).unwrap()).unwrap()
        });
        let mut merged = parts.next().unwrap();
        parts.for_each(|part| merged.merge(part));
        prop_assert_eq!(merged.environment.threads, shards);
        let (measured, of_merged) = (measured(&whole), measured(&assemble(merged).report));
        prop_assert_eq!(difference(&measured, &of_merged), None);
    }
}
