//! What ends a load: a number of calls, or a rule by which it is given up.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use loadgen_core::{
    CallLimit, Engine, ListedRequest, Load, Plan, Report, Request, RequestList, Schedule, Target,
};

use loadgen_core::target_server::TargetOptions;

use crate::common::{LIMIT, OK, OddServer, run_until, target};

/// A server that answers so many calls with 200, and those that follow with an error.
fn server(good: u64) -> (OddServer, Arc<AtomicU64>) {
    let seen = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&seen);
    let server = OddServer::start(move |conversation| {
        while conversation.request().is_some() {
            let error = b"HTTP/1.1 503 Out\r\nContent-Length: 2\r\n\r\nno";
            let reply: &[u8] = if count.fetch_add(1, SeqCst) < good { OK } else { error };
            if conversation.stream.write_all(reply).is_err() {
                return;
            }
        }
    });
    (server, seen)
}

fn plan(server: &OddServer, load: Load) -> Plan {
    Plan::new(Target::parse(&server.url()).unwrap(), load)
}

fn run(plan: Plan) -> Report {
    let report = Engine::new(plan).unwrap().run().unwrap();
    assert_eq!(report.counts.failed, 0, "{:?}", report.errors);
    report
}

fn drawn() -> Schedule {
    Schedule::poisson(2000.0)
}

#[test]
fn a_number_of_calls_is_made_and_no_more() {
    let (server, seen) = server(u64::MAX);
    for schedule in [Schedule::constant(1000.0), drawn(), Schedule::Closed] {
        for threads in [1, 3] {
            for calls in [1, 2, 200] {
                let load = Load::established(schedule.clone()).with_connections(7);
                let plan = plan(&server, load).with_threads(threads);
                let before = seen.load(SeqCst);
                let report = run(plan.with_calls(CallLimit::Calls(calls)));
                let case = format!("{schedule:?}, {threads} threads, {calls} calls");
                assert_eq!(seen.load(SeqCst) - before, calls, "{case}");
                assert_eq!(report.counts.offered, calls, "{case}");
                assert_eq!(report.counts.answered, calls, "{case}");
                assert!(!report.interrupted, "{case}");
            }
        }
    }
}

#[test]
fn rates_are_those_of_the_schedule() {
    let (server, _) = server(u64::MAX);
    let load = Load::established(Schedule::constant(1000.0));
    for threads in [1, 3] {
        let plan = plan(&server, load.clone()).with_threads(threads);
        let report = run(plan.with_calls(CallLimit::Calls(100)));
        assert_eq!(report.measured_s, 0.1, "{threads}");
        assert_eq!(report.rates.offered_per_s, Some(1000.0), "{threads}");
    }
    // Whichever comes first.
    let plan = plan(&server, load).with_calls(CallLimit::Calls(1_000_000_000));
    let report = run(plan.with_duration(Duration::from_millis(50)));
    assert_eq!(report.counts.offered, 50);
}

#[test]
fn connections_of_one_call_and_pipelined_ones_end_with_the_last_one() {
    let (server, _) = server(u64::MAX);
    for load in [
        Load::fresh(Schedule::Closed).with_connections(5),
        Load::established(Schedule::Closed).with_connections(2).with_pipeline(4),
        Load::established(drawn()).with_connections(1).with_pipeline(4),
    ] {
        let plan = plan(&server, load.clone()).with_calls(CallLimit::Calls(30));
        assert_eq!(run(plan).counts.answered, 30, "{load:?}");
    }
}

#[test]
fn failed_calls_count_too() {
    let server = target(TargetOptions::default());
    let load = Load::fresh(Schedule::Closed).with_connections(2);
    let plan = Plan::new(Target::parse(&server.url()).unwrap(), load);
    let engine = Engine::new(plan.with_calls(CallLimit::Calls(20))).unwrap();
    drop(server);
    let report = engine.run().unwrap();
    assert_eq!((report.counts.offered, report.counts.failed), (20, 20));
}

#[test]
fn each_request_of_a_list_is_made_once() {
    let (server, seen) = server(u64::MAX);
    let requests = (0..37).map(|k| ListedRequest::new(Request::get(), &format!("/{k}")));
    let load = Load::established(Schedule::constant(2000.0));
    let plan = plan(&server, load).with_requests(RequestList::given(requests));
    let report = run(plan.with_calls(CallLimit::EachRequestOnce).with_threads(2));
    assert_eq!((report.counts.answered, seen.load(SeqCst)), (37, 37));
}

#[test]
fn a_run_is_given_up_when_its_rule_is_met() {
    let load = || Load::established(Schedule::constant(500.0)).with_connections(4);
    for (rule, good, seen_then) in [
        ("error-rate>50% for 300ms", 300, "brought no good reply"),
        ("wrong>0", 300, "not as expected"),
        ("wrong>40", 300, "replies were not as expected"),
    ] {
        let (server, seen) = server(good);
        let plan =
            plan(&server, load()).with_threads(2).with_expectation("status=200".parse().unwrap());
        let plan = plan.with_duration(LIMIT).with_abort_if("failed>1000000".parse().unwrap());
        let report = Engine::new(plan.with_abort_if(rule.parse().unwrap())).unwrap().run().unwrap();
        let aborted = report.aborted.clone().unwrap();
        assert_eq!(aborted.rule.to_string(), rule);
        assert!(aborted.seen.contains(seen_then), "{}", aborted.seen);
        assert!(report.interrupted);
        assert!(seen.load(SeqCst) > good, "{rule}");
        assert!(report.verdict.reasons.iter().any(|r| r.contains(rule)), "{:?}", report.verdict);
        assert!(report.measured_s > aborted.at_s, "{} {aborted:?}", report.measured_s);
        assert!(aborted.at_s >= good as f64 / 500.0, "{aborted:?}");
    }
}

#[test]
fn failures_and_slow_replies_give_it_up_too() {
    let server = target(TargetOptions::default());
    let load = Load::fresh(Schedule::constant(200.0));
    let plan = Plan::new(Target::parse(&server.url()).unwrap(), load).with_duration(LIMIT);
    let plan = plan.with_abort_if("failed>20".parse().unwrap());
    let engine = Engine::new(plan).unwrap();
    drop(server);
    let report = engine.run().unwrap();
    assert_eq!(report.aborted.unwrap().rule.to_string(), "failed>20");
    assert!(report.counts.failed > 20);

    let slow = OddServer::start(|conversation| {
        while conversation.request().is_some() {
            std::thread::sleep(Duration::from_millis(20));
            if conversation.stream.write_all(OK).is_err() {
                return;
            }
        }
    });
    let load = Load::established(Schedule::constant(100.0));
    let plan = self::plan(&slow, load).with_duration(LIMIT);
    let report = Engine::new(plan.with_abort_if("p99>19ms for 300ms".parse().unwrap()));
    let aborted = report.unwrap().run().unwrap().aborted.unwrap();
    assert!(aborted.seen.contains("99th percentile was"), "{}", aborted.seen);
}

#[test]
fn a_rule_that_is_not_met_changes_nothing() {
    let (server, _) = server(u64::MAX);
    let load = Load::established(Schedule::constant(500.0));
    let plan = plan(&server, load).with_abort_if("error-rate>0% for 100ms".parse().unwrap());
    let report = run_until(plan, |now| now.answered > 200, || ());
    assert_eq!((report.aborted, report.interrupted), (None, false));
}

#[test]
fn what_cannot_end_a_load_is_refused() {
    let target = || Target::parse("http://127.0.0.1:1/").unwrap();
    let plan = || Plan::new(target(), Load::established(Schedule::constant(1.0)));
    for (plan, word) in [
        (plan().with_calls(CallLimit::Calls(0)), "from 1 to"),
        (plan().with_calls(CallLimit::EachRequestOnce), "no list of requests"),
        (
            Plan::new(target(), Load::established(drawn())).with_calls(CallLimit::Calls(1 << 30)),
            "random gaps must be at most 100,000,000",
        ),
        (plan().with_abort_if("wrong>0".parse().unwrap()), "nothing is expected"),
    ] {
        let error = plan.validate().unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}
