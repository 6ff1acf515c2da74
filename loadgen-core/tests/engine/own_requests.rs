//! Requests that the embedding program makes, one for each arrival.

use std::collections::HashSet;
use std::io::Write as _;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use loadgen_core::report::VerdictStatus;
use loadgen_core::sweep::Sweep;
use loadgen_core::{
    Arrival, CallLimit, CallSink, EndedCall, Engine, Load, Outcome, Plan, Report, Request,
    RequestBuf, RequestList, RequestOrder, Schedule, SourceError, Target,
};

use crate::common::{OddServer, gated_server, millis, wait_until};

/// A server that answers, and what it was asked for and answered: method, path and body.
fn server(answers_of_each: u32) -> (OddServer, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let server = OddServer::start(move |conversation| {
        for _ in 0..answers_of_each {
            let Some(head) = conversation.request() else { return };
            let length = head
                .split("Content-Length: ")
                .nth(1)
                .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
            let body = conversation.body(length).unwrap();
            let line = head.split(" HTTP").next().unwrap();
            seen.lock().unwrap().push(format!("{line} {}", String::from_utf8(body).unwrap()));
            let is_last = head.contains("\r\nConnection: close\r\n");
            let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            if conversation.stream.write_all(reply).is_err() || is_last {
                return;
            }
        }
        // It goes, with the next request unanswered.
        let _ = conversation.request();
    });
    (server, asked)
}

/// `POST /K K` for arrival K, with its last digit for a tag; those of a probe apart.
fn numbered(_worker: u32) -> impl FnMut(Arrival, &mut RequestBuf) -> Result<(), SourceError> {
    |arrival, out| {
        let (k, of) = (arrival.number, if arrival.load == 1 { "/probe" } else { "" });
        out.set_path(&format!("{of}/{k}"))?.set_tag(k as usize % 10)?;
        if k.is_multiple_of(3) {
            out.set_method("PUT")?.set_body(k.to_string().as_bytes())?;
        }
        Ok(())
    }
}

fn told(k: u64, of: &str) -> String {
    match k.is_multiple_of(3) {
        true => format!("PUT {of}/{k} {k}"),
        false => format!("GET {of}/{k} "),
    }
}

fn list() -> RequestList {
    RequestList::made_by("numbers", numbered).with_tags((0..10).map(|k| format!("ends in {k}")))
}

fn plan(server: &OddServer, load: Load) -> Plan {
    let plan = Plan::new(Target::parse(&server.url()).unwrap(), load);
    plan.with_timeout(millis(30_000)).with_drain(millis(30_000))
}

#[derive(Clone, Default)]
struct All(Arc<Mutex<Vec<EndedCall>>>);

impl CallSink for All {
    fn call(&mut self, call: &EndedCall) {
        self.0.lock().unwrap().push(*call);
    }
}

fn run(plan: Plan) -> (Report, Vec<EndedCall>) {
    let all = All::default();
    let engine = Engine::new(plan).unwrap().with_call_sinks(|_| Box::new(all.clone()));
    let report = engine.run().unwrap();
    let calls = std::mem::take(&mut *all.0.lock().unwrap());
    (report, calls)
}

/// Each call of `n` was answered once, with the request of its own.
fn is_whole(n: u64, case: &str, (report, calls): &(Report, Vec<EndedCall>), asked: &[String]) {
    assert_eq!(report.counts.answered, n, "{case}: {:?}", report.errors);
    let mut asked = asked.to_vec();
    let mut numbers: Vec<u64> = calls.iter().map(|call| call.request.unwrap()).collect();
    asked.sort();
    numbers.sort_unstable();
    let mut expected: Vec<String> = numbers.iter().map(|k| told(*k, "")).collect();
    expected.sort();
    assert_eq!(asked, expected, "{case}");
    assert_eq!(numbers.iter().collect::<HashSet<_>>().len() as u64, n, "{case}");
    let tags: Vec<(&str, u64)> =
        report.tags.iter().map(|tag| (tag.tag.as_str(), tag.answered)).collect();
    assert_eq!((tags.len(), tags[0]), (11, ("untagged", 0)), "{case}");
    for (k, (tag, answered)) in (0..).zip(&tags[1..]) {
        assert_eq!(*tag, format!("ends in {k}"), "{case}");
        let with_it = numbers.iter().filter(|number| **number % 10 == k).count();
        assert_eq!(*answered, with_it as u64, "{case}");
    }
}

#[test]
fn each_arrival_has_the_request_that_was_made_for_it() {
    let (server, asked) = server(u32::MAX);
    for load in [
        Load::established(Schedule::constant(2000.0)),
        Load::fresh(Schedule::poisson(1000.0)),
        Load::established(Schedule::constant(2000.0)).with_calls_per_connection(7),
        Load::established(Schedule::Closed).with_connections(4),
        Load::established(Schedule::Closed).with_connections(3).with_pipeline(4),
    ] {
        for threads in [1, 3] {
            let plan = plan(&server, load.clone()).with_requests(list()).with_threads(threads);
            let ran = run(plan.with_calls(CallLimit::Calls(900)));
            let case = format!("{load:?}, {threads}");
            let mut asked = std::mem::take(&mut *asked.lock().unwrap());
            is_whole(900, &case, &ran, &asked);
            if *load.schedule() != Schedule::Closed {
                asked.sort();
                let mut all: Vec<String> = (0..900).map(|k| told(k, "")).collect();
                all.sort();
                assert_eq!(asked, all, "{case}");
            }
        }
    }
}

/// While others come and go, and connections end under calls that are sent again.
#[test]
fn a_call_that_is_sent_again_asks_for_the_same() {
    let (server, asked) = server(5);
    let plan = |load| plan(&server, load).with_requests(list()).with_calls(CallLimit::Calls(3000));
    let load = Load::established(Schedule::Closed).with_connections(4);
    let ran = run(plan(load.clone()));
    assert!(ran.0.counts.reconnects > 100, "{}", ran.0.counts.reconnects);
    let of_the_first = std::mem::take(&mut *asked.lock().unwrap());
    is_whole(3000, "alone", &ran, &of_the_first);
    // Of those behind others some are cut off twice, and fail then.
    let (report, calls) = run(plan(load.with_pipeline(4)));
    assert!(report.counts.reconnects > 100, "{}", report.counts.reconnects);
    let is_answered = |call: &&EndedCall| matches!(call.record.outcome, Outcome::Answered(_));
    let number = |call: &EndedCall| told(call.request.unwrap(), "");
    let answered: HashSet<String> = calls.iter().filter(is_answered).map(number).collect();
    assert_eq!(answered.len() as u64, report.counts.answered);
    let asked: HashSet<String> = asked.lock().unwrap().drain(..).collect();
    assert!(answered.is_subset(&asked), "{:?}", answered.difference(&asked));
    assert!(asked.is_subset(&calls.iter().map(number).collect()));
}

/// The first calls are held while hundreds that come behind them are made and shed.
#[test]
fn those_that_wait_keep_theirs() {
    let (gate, server) = gated_server();
    let load = Load::established(Schedule::constant(5000.0)).with_connections(2).with_backlog(9);
    let all = All::default();
    let plan = plan(&server, load).with_requests(list());
    let engine = Engine::new(plan).unwrap().with_call_sinks(|_| Box::new(all.clone()));
    let handle = engine.start().unwrap();
    handle.clock().unwrap();
    wait_until("calls are shed", || handle.snapshot().shed > 2000);
    handle.stop();
    wait_until("the schedule has ended", || {
        let shed = handle.snapshot().shed;
        std::thread::sleep(millis(300));
        handle.snapshot().shed == shed
    });
    gate.open();
    let report = handle.join().unwrap();
    assert_eq!(report.counts.answered, 11);
    let calls = all.0.lock().unwrap();
    let mut answered: Vec<u64> = calls
        .iter()
        .filter(|call| matches!(call.record.outcome, Outcome::Answered(_)))
        .map(|call| call.request.unwrap())
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, (0..11).collect::<Vec<u64>>());
}

#[test]
fn a_probe_is_told_apart() {
    let (server, asked) = server(u32::MAX);
    let plan = plan(&server, Load::established(Schedule::constant(1000.0)))
        .with_probe(Load::fresh(Schedule::constant(100.0)))
        .with_request(Request::get().with_header("X-All", "yes"))
        .with_requests(list())
        .with_duration(millis(300));
    let report = Engine::new(plan).unwrap().run().unwrap();
    assert_eq!(report.counts.answered, 330);
    let asked: HashSet<String> = asked.lock().unwrap().drain(..).collect();
    let load = (0..300).map(|k| told(k, ""));
    let expected: HashSet<String> = load.chain((0..30).map(|k| told(k, "/probe"))).collect();
    assert_eq!(asked, expected);
}

/// Each run of a sweep has sources of its own, which begin with arrival 0.
#[test]
fn a_sweep_has_them_at_each_rate() {
    let (server, asked) = server(u32::MAX);
    let plan = plan(&server, Load::established(Schedule::constant(1.0)));
    let sweep = Sweep::new(plan.with_requests(list()).with_duration(millis(200))).unwrap();
    let (mut report, stop) = (sweep.report(), AtomicBool::new(false));
    sweep.run(&"100,200".parse().unwrap(), &mut report, &mut (), &stop).unwrap();
    assert_eq!(report.points.iter().map(|p| p.counts.answered).collect::<Vec<_>>(), [20, 40]);
    let mut expected: Vec<String> = (0..20).chain(0..40).map(|k| told(k, "")).collect();
    let mut asked = std::mem::take(&mut *asked.lock().unwrap());
    asked.sort();
    expected.sort();
    assert_eq!(asked, expected);
}

#[test]
fn a_source_that_has_none_ends_the_run_with_what_it_has() {
    for (load, panics) in [
        (Load::established(Schedule::constant(1000.0)), false),
        (Load::established(Schedule::Closed).with_connections(4), false),
        (Load::established(Schedule::Closed).with_connections(2).with_pipeline(3), false),
        (Load::fresh(Schedule::constant(1000.0)), true),
    ] {
        for threads in [1, 2] {
            // Of its own: another would still read what the run before had left in the pipe.
            let (server, asked) = server(u32::MAX);
            let list = RequestList::made_by("dry", move |_| {
                move |arrival: Arrival, out: &mut RequestBuf| -> Result<(), SourceError> {
                    if arrival.number >= 100 {
                        assert!(!panics, "its own fault");
                        return Err("the well is dry".into());
                    }
                    out.set_path(&format!("/{}", arrival.number))?;
                    Ok(())
                }
            });
            let plan = plan(&server, load.clone()).with_threads(threads).with_requests(list);
            let report = Engine::new(plan).unwrap().run().unwrap();
            let case = format!("{load:?}, {threads}");
            assert_eq!(report.verdict.status, VerdictStatus::Invalid, "{case}");
            let why = report.verdict.reasons.join("\n");
            let said = if panics {
                "the program's source of requests panicked at arrival 10"
            } else {
                "the program's source of requests has none for arrival 10"
            };
            assert!(why.contains(said), "{case}: {why}");
            assert!(
                why.contains(if panics { "its own fault" } else { "the well is dry" }),
                "{why}"
            );
            assert!(!why.contains("defect of loadgen"), "{case}: {why}");
            assert!(!why.contains("did not keep up"), "{case}: {why}");
            let counts = &report.counts;
            assert!(counts.answered <= 100 && counts.shed > 0, "{case}: {counts:?}");
            // What it had none for was not sent.
            let asked = std::mem::take(&mut *asked.lock().unwrap());
            assert!(asked.len() <= 100, "{case}: {}", asked.len());
        }
    }
}

#[test]
fn what_does_not_go_with_a_source_is_refused() {
    let load = || Load::established(Schedule::constant(1.0));
    let plan = || Plan::new(Target::parse("http://127.0.0.1:9/").unwrap(), load());
    let refused = |plan: Plan| plan.validate().unwrap_err().to_string();
    for (list, word) in [
        (list().with_order(RequestOrder::Shuffled), "their order"),
        (list().with_data("d.csv"), "their data"),
        (list().with_tags((0..65).map(|k| k.to_string())), "at most 64"),
        (list().with_tags([""]), "name of a tag"),
    ] {
        let said = refused(plan().with_requests(list));
        assert!(said.contains(word), "{said}");
    }
    let once = plan().with_requests(list()).with_calls(CallLimit::EachRequestOnce);
    assert!(refused(once).contains("have no end"));
    // A report tells of it, and cannot make it again.
    let json = serde_json::to_value(plan().with_requests(list())).unwrap();
    assert_eq!(json["requests"]["source"]["kind"], "program");
    assert_eq!(json["requests"]["source"]["name"], "numbers");
    assert_eq!(json["requests"]["source"]["tags"][9], "ends in 9");
    let read: Plan = serde_json::from_value(json).unwrap();
    assert!(refused(read.clone()).contains("give it that source again"));
    read.with_requests(list()).validate().unwrap();
}
