//! Shards of a plan: together they do what one process would, each arrival and each request
//! once, and their reports are merged into that of the whole.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use loadgen_core::scale::ShardRecord;
use loadgen_core::session::{Script, Uris};
use loadgen_core::target_server::TargetOptions;
use loadgen_core::{
    Arrival, CallLimit, Engine, ListedRequest, Load, Plan, Report, Request, RequestBuf,
    RequestList, Schedule, Sessions, Shard, Target,
};

use crate::common::{OddServer, target};

/// What all shards measured, the one after the other, with 1, 2, 1 … threads, as it is written.
fn shards(plan: &Plan, of: u32) -> Vec<String> {
    let part = |index: u32| {
        let plan = plan.clone().with_threads(1 + index % 2);
        let engine = Engine::new(plan.with_shard(Shard::new(index, of).unwrap())).unwrap();
        ShardRecord::of(engine.start().unwrap()).unwrap().to_json().unwrap()
    };
    (0..of).map(part).collect()
}

fn read(part: &str) -> ShardRecord {
    ShardRecord::from_reader(part.as_bytes()).unwrap()
}

/// The report of a part alone.
fn alone(part: &str) -> Report {
    read(part).report_of_those_there()
}

fn merged(parts: &[String]) -> Report {
    let mut parts = parts.iter().map(|part| read(part));
    let mut whole = parts.next().unwrap();
    parts.for_each(|part| whole.merge(part).unwrap());
    whole.report().unwrap()
}

/// Seeded by their numbers, sources of two processes must not make the same requests.
#[test]
fn no_two_sources_of_all_processes_have_one_number() {
    let server = target(TargetOptions::new());
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&numbers);
    let made = RequestList::made_by("numbered", move |number| {
        seen.lock().unwrap().push(number);
        |_: Arrival, _: &mut RequestBuf| Ok(())
    });
    let load = Load::established(Schedule::constant(500.0)).with_connections(12);
    let plan = Plan::new(server.url().parse().unwrap(), load)
        .with_requests(made)
        .with_calls(CallLimit::Calls(12));
    let whole = merged(&shards(&plan, 3));
    assert_eq!(whole.counts.answered, 12);
    numbers.lock().unwrap().sort_unstable();
    assert_eq!(*numbers.lock().unwrap(), [0, 1, 2, 4]);
}

#[test]
fn every_request_is_made_once_by_whichever_shard() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let server = OddServer::start(move |conversation| {
        while let Some(head) = conversation.request() {
            seen.lock().unwrap().push(head.split(' ').nth(1).unwrap().to_owned());
            conversation.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            if head.contains("Connection: close") {
                return;
            }
        }
    });
    let paths: Vec<String> = (0..101).map(|k| format!("/{k:03}")).collect();
    let listed = paths.iter().map(|path| ListedRequest::new(Request::get(), path));
    for schedule in [Schedule::constant(500.0), Schedule::poisson(500.0)] {
        let load = Load::established(schedule).with_connections(7).with_warm_connections(7);
        let plan = Plan::new(Target::parse(&server.url()).unwrap(), load)
            .with_requests(RequestList::given(listed.clone()))
            .with_calls(CallLimit::EachRequestOnce);
        asked.lock().unwrap().clear();
        let parts = shards(&plan, 3);
        let of_each: Vec<u64> = parts.iter().map(|part| alone(part).counts.offered).collect();
        assert_eq!(of_each, [34, 34, 33]);
        let whole = merged(&parts);
        assert_eq!((whole.counts.offered, whole.counts.answered), (101, 101), "{:?}", whole.errors);
        let mut made = asked.lock().unwrap().clone();
        made.sort();
        assert_eq!(made, paths);
        let one = Engine::new(plan).unwrap().run().unwrap();
        assert_eq!(one.counts.offered, whole.counts.offered);
        assert_eq!(one.rates.offered_per_s, whole.rates.offered_per_s);
        assert_eq!(one.status_codes, whole.status_codes);
        let offered = |report: &Report| -> Vec<u64> {
            report.timeline.windows.iter().map(|window| window.offered).collect()
        };
        // Windows after the load are as many as replies took.
        let (one, all) = (offered(&one), offered(&whole));
        let common = one.len().min(all.len());
        assert_eq!(one[..common], all[..common]);
        // In one process, too, the report says which part it is of, in text as well.
        let text = loadgen_core::report::render_text(&whole);
        assert!(text.contains("the 3 shards that this report was merged from"), "{text}");
    }
}

#[test]
fn connections_are_shared_out() {
    let server = target(TargetOptions::new());
    let load =
        Load::established(Schedule::constant(50.0)).with_connections(7).with_warm_connections(7);
    let plan =
        Plan::new(server.url().parse().unwrap(), load).with_duration(Duration::from_millis(200));
    let opened: u64 = shards(&plan, 3)
        .iter()
        .map(|part| alone(part).connected_to.unwrap().addresses[0].opened)
        .sum();
    assert_eq!(opened, 7);
    // It would be judged by rates of which it makes a part.
    let part = plan.clone().with_shard(Shard::new(0, 4).unwrap());
    let error = loadgen_core::sweep::Sweep::new(part).unwrap_err().to_string();
    assert!(error.contains("a shard makes a part of each rate"), "{error}");
    let many = plan.with_threads(2).with_shard(Shard::new(0, 4).unwrap());
    let error = many.validate().unwrap_err().to_string();
    assert!(error.contains("every thread of every shard"), "{error}");
}

#[test]
fn sessions_are_shared_out_and_their_figures_added() {
    let server = target(TargetOptions::new());
    let load = Load::established(Schedule::constant(100.0));
    let sessions = || {
        let mut sessions = Sessions::scripted(Script::Bursts { calls: 3, burst: 1, think_s: 0.0 });
        sessions.count = Some(20);
        sessions.uris = Uris::Fixed { uri: "/".into() };
        sessions
    };
    let plan = Plan::new(server.url().parse().unwrap(), load).with_sessions(sessions());
    let parts = shards(&plan, 3);
    let succeeded = |report: &Report| {
        let figures = report.sessions.as_ref().unwrap();
        (figures.outcomes.as_ref().unwrap().succeeded, figures.replies.completed)
    };
    let of_each: Vec<_> = parts.iter().map(|part| succeeded(&alone(part))).collect();
    assert_eq!(of_each, [(7, 21), (7, 21), (6, 18)]);
    let of_each: Vec<f64> = parts
        .iter()
        .map(|part| alone(part).sessions.unwrap().replies.response_mean_ms.unwrap())
        .collect();
    let whole = merged(&parts);
    assert_eq!(succeeded(&whole), (20, 60));
    let mean = whole.sessions.unwrap().replies.response_mean_ms.unwrap();
    let expected = (of_each[0] * 21.0 + of_each[1] * 21.0 + of_each[2] * 18.0) / 60.0;
    assert!((mean - expected).abs() < 1e-9, "{mean} {expected}");
}
