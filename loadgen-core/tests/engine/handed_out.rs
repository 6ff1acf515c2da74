//! Calls that are handed out as they end: each once, and with what its report counts.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use loadgen_core::target_server::TargetOptions;
use loadgen_core::{
    CallLimit, CallSink, ConnectionEnd, ConnectionId, EndedCall, Engine, ListedRequest, Load,
    Outcome, Plan, Report, Request, RequestList, Schedule, Sessions, Target,
};

use crate::common::{gated_server, millis, target, wait_until};

#[derive(Clone, Default)]
struct All(Arc<Mutex<Vec<EndedCall>>>);

impl CallSink for All {
    fn call(&mut self, call: &EndedCall) {
        self.0.lock().unwrap().push(*call);
    }
}

impl All {
    fn take(&self) -> Vec<EndedCall> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn run(plan: Plan) -> (Report, Vec<EndedCall>) {
    let all = All::default();
    let engine = Engine::new(plan).unwrap().with_call_sinks(|_| Box::new(all.clone()));
    let report = engine.run().unwrap();
    (report, all.take())
}

fn ended(calls: &[EndedCall], how: impl Fn(Outcome) -> bool) -> u64 {
    calls.iter().filter(|call| how(call.record.outcome)).count() as u64
}

#[test]
fn each_call_once() {
    let server = target(TargetOptions::default());
    let requests = ["/a", "/b", "/c"].map(|path| ListedRequest::new(Request::get(), path));
    for load in [
        Load::established(Schedule::constant(1000.0)),
        Load::fresh(Schedule::poisson(1000.0)),
        Load::established(Schedule::Closed).with_connections(4),
        Load::established(Schedule::Closed).with_connections(2).with_pipeline(4),
    ] {
        for threads in [1, 2] {
            let plan = Plan::new(Target::parse(&server.url()).unwrap(), load.clone());
            let plan = plan.with_requests(RequestList::given(requests.clone()));
            let plan = plan.with_calls(CallLimit::Calls(100)).with_threads(threads);
            let (report, calls) = run(plan);
            let case = format!("{load:?}, {threads}");
            assert_eq!(calls.len(), 100, "{case}");
            assert_eq!(report.counts.answered, 100, "{case}");
            assert_eq!(ended(&calls, |how| how == Outcome::Answered(200)), 100, "{case}");
            // Every third call of the run makes the same request.
            let mut requests: HashMap<u64, u64> = HashMap::new();
            calls.iter().for_each(|call| *requests.entry(call.request.unwrap()).or_default() += 1);
            let counts = [requests[&0], requests[&1], requests[&2]];
            assert_eq!(counts.iter().sum::<u64>(), 100, "{case}");
            if *load.schedule() != Schedule::Closed {
                assert_eq!(counts, [34, 33, 33], "{case}");
            }
            let bytes: u64 = calls.iter().map(|call| call.record.bytes).sum();
            assert_eq!(bytes, report.bytes.received, "{case}");
            let connections: HashSet<ConnectionId> =
                calls.iter().map(|call| call.connection.unwrap()).collect();
            assert_eq!(connections.len() as u64, report.counts.connections_opened, "{case}");
            for call in &calls {
                let record = call.record;
                let times = [record.intended, call.started, record.sent, record.done];
                assert!(times.is_sorted(), "{case}: {call:?}");
                assert_eq!(call.started == record.sent, record.reused, "{case}: {call:?}");
            }
        }
    }
}

#[test]
fn those_that_never_start_and_those_that_do_not_end_too() {
    let (gate, server) = gated_server();
    let load = Load::established(Schedule::constant(500.0)).with_connections(2).with_backlog(3);
    let plan = Plan::new(Target::parse(&server.url()).unwrap(), load).with_drain(millis(0));
    let all = All::default();
    let engine = Engine::new(plan).unwrap().with_call_sinks(|_| Box::new(all.clone()));
    let handle = engine.start().unwrap();
    handle.clock().unwrap();
    wait_until("calls are shed", || handle.snapshot().shed > 10);
    handle.stop();
    let report = handle.join().unwrap();
    gate.open();
    let calls = all.take();
    let counts = &report.counts;
    assert_eq!(calls.len() as u64, counts.offered);
    assert_eq!(ended(&calls, |how| how == Outcome::Shed), counts.shed);
    assert_eq!(ended(&calls, |how| how == Outcome::Unfinished), counts.unfinished);
    assert_eq!((counts.unfinished, counts.answered), (2, 0));
    assert!(calls.iter().all(|c| (c.record.outcome == Outcome::Shed) == c.connection.is_none()));
}

#[test]
fn failed_ones_and_those_of_sessions_too() {
    let server = target(TargetOptions::default());
    let url = server.url();
    let load = Load::established(Schedule::constant(50.0));
    let mut sessions = Sessions::connections(3);
    sessions.count = Some(20);
    let plan = Plan::new(Target::parse(&url).unwrap(), load).with_sessions(sessions);
    let (report, calls) = run(plan);
    assert_eq!((calls.len() as u64, report.counts.answered), (60, 60));
    assert!(calls.iter().all(|call| call.request.is_none()));

    let load = Load::fresh(Schedule::constant(200.0));
    let plan = Plan::new(Target::parse(&url).unwrap(), load).with_calls(CallLimit::Calls(20));
    let all = All::default();
    let engine = Engine::new(plan).unwrap().with_call_sinks(|_| Box::new(all.clone()));
    drop(server);
    let report = engine.run().unwrap();
    let calls = all.take();
    assert_eq!(report.counts.failed, 20);
    assert_eq!(ended(&calls, |how| matches!(how, Outcome::Failed(_))), 20);
}

/// A sink that panics is the program's: what was measured is kept, and says whose fault it was.
#[test]
fn a_sink_that_panics_ends_the_run() {
    struct Fails(u64, bool);
    impl CallSink for Fails {
        fn call(&mut self, _: &EndedCall) {
            self.0 += 1;
            assert!(self.0 < 10 || self.1, "no room for call {}", self.0);
        }
    }
    impl Drop for Fails {
        fn drop(&mut self) {
            assert!(!self.1, "cannot be closed");
        }
    }
    let server = target(TargetOptions::default());
    for (at_the_end, said) in [(false, "no room for call 10"), (true, "cannot be closed")] {
        let load = Load::established(Schedule::constant(500.0));
        let plan = Plan::new(server.url().parse().unwrap(), load);
        let plan = plan.with_calls(CallLimit::Calls(if at_the_end { 20 } else { 1_000_000 }));
        let engine = Engine::new(plan).unwrap();
        let report = engine.with_call_sinks(|_| Box::new(Fails(0, at_the_end))).run().unwrap();
        assert_eq!(report.verdict.status, loadgen_core::report::VerdictStatus::Invalid);
        let reasons = report.verdict.reasons.join("; ");
        assert!(
            reasons.contains(&format!("the program's sink of calls panicked: {said}")),
            "{reasons}"
        );
        assert!(report.counts.answered >= if at_the_end { 20 } else { 10 });
        assert_eq!(report.workers_lost, 1);
    }
}

/// What is told beside calls.
#[derive(Clone, Default)]
struct Beside {
    lost: Arc<Mutex<Vec<ConnectionEnd>>>,
    looked: Arc<Mutex<Vec<u64>>>,
    ended: Arc<Mutex<Vec<u64>>>,
}

impl CallSink for Beside {
    fn call(&mut self, call: &EndedCall) {
        self.ended.lock().unwrap().push(call.record.done);
    }

    fn connection_lost(&mut self, end: &ConnectionEnd) {
        self.lost.lock().unwrap().push(*end);
    }

    fn looked(&mut self, until: u64) {
        // What has ended by then has been told: nothing comes later that ended before.
        assert!(self.looked.lock().unwrap().last().is_none_or(|last| *last <= until));
        self.looked.lock().unwrap().push(until);
    }
}

#[test]
fn lost_connections_are_told_and_until_when_all_is_known() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    // Each connection is closed after its first reply, unannounced.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok_and(|bytes| bytes > 0) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
        }
    });
    let beside = Beside::default();
    let load = Load::established(Schedule::constant(50.0));
    let plan = Plan::new(url.parse().unwrap(), load).with_calls(CallLimit::Calls(20));
    let engine = Engine::new(plan).unwrap().with_call_sinks(|_| Box::new(beside.clone()));
    let report = engine.run().unwrap();
    let lost = beside.lost.lock().unwrap().clone();
    assert!(!lost.is_empty(), "{report:?}");
    assert!(lost.iter().all(|end| end.loss.is_some() && end.opened <= end.ended));
    let (looked, ended) = (beside.looked.lock().unwrap(), beside.ended.lock().unwrap());
    assert_eq!(ended.len(), 20);
    assert!(looked.len() > 3, "ten times a second, and in the end: {looked:?}");
}
