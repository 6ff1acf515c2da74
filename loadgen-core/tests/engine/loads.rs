//! Several loads of one plan: each has its schedule, its connections, its requests and its
//! figures.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use loadgen_core::target_server::TargetOptions;
use loadgen_core::{
    Arrival, CallSink, EndedCall, Engine, ListedRequest, Load, Plan, Population, Report, Request,
    RequestBuf, RequestList, Schedule, Target,
};

use crate::common::{OddServer, target};

fn kept(rate: f64) -> Load {
    Load::established(Schedule::constant(rate)).with_connections(4)
}

/// A server that answers 410 to `/gone` and 200 to all else, and the paths that it was asked.
fn server() -> (OddServer, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let server = OddServer::start(move |conversation| {
        while let Some(head) = conversation.request() {
            let (is_last, path) =
                (head.contains("Connection: close"), head.split(' ').nth(1).unwrap().to_owned());
            if head.starts_with("POST") {
                conversation.body(1);
            }
            let status = if path == "/gone" { "410 Gone" } else { "200 OK" };
            seen.lock().unwrap().push(path);
            conversation.say(&format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok"));
            if is_last {
                return;
            }
        }
    });
    (server, asked)
}

fn list(paths: &[&str], tag: &str) -> RequestList {
    let listed = |path: &&str| ListedRequest::new(Request::get(), path).with_tag(tag);
    RequestList::given(paths.iter().map(listed))
}

fn run(plan: Plan) -> Report {
    let report = Engine::new(plan.with_duration(Duration::from_millis(500))).unwrap();
    report.run().unwrap()
}

/// What the loads of a report offered, by their names.
fn offered(report: &Report) -> Vec<(&str, u64)> {
    report.loads.iter().map(|load| (&*load.name, load.counts.offered)).collect()
}

/// Four loads, three of one population: each asks for what it says, and all figures are told
/// apart and add up to the whole.
#[test]
fn each_has_its_requests_and_its_figures() {
    let (server, asked) = server();
    let post = Request::get().with_method("POST").with_body(b"x".to_vec()).with_path("/cart");
    let made = |_worker| {
        |arrival: Arrival, out: &mut RequestBuf| {
            assert_eq!(arrival.load, 3);
            out.set_path(&format!("/made/{}", arrival.number))?.set_tag(0)?;
            Ok(())
        }
    };
    let made = RequestList::made_by("numbered", made).with_tags(["made"]);
    let plan = Plan::new(Target::parse(&server.url()).unwrap(), kept(200.0))
        .with_requests(list(&["/a", "/gone"], "page"))
        .with_load(
            "cart",
            kept(20.0).with_request(post).with_expectation("status=201".parse().unwrap()),
        )
        .with_load("shared", Load::fresh(Schedule::constant(20.0)))
        .with_load("made", kept(40.0).with_requests(made));
    for threads in [1, 2] {
        let report = run(plan.clone().with_threads(threads));
        assert_eq!(
            offered(&report),
            [("load", 100), ("cart", 10), ("shared", 10), ("made", 20)],
            "{threads}"
        );
        let [load, cart, shared, made] = &report.loads[..] else { panic!("four loads") };
        assert_eq!((load.counts.answered, cart.counts.answered), (100, 10), "{:?}", report.errors);
        let codes =
            |codes: &[(&str, u64)]| codes.iter().map(|(c, n)| ((*c).to_owned(), *n)).collect();
        assert_eq!(load.status_codes, codes(&[("200", 50), ("410", 50)]));
        assert_eq!(report.status_codes, codes(&[("200", 85), ("410", 55)]));
        // What is expected of one load is expected of no other.
        assert_eq!((cart.counts.wrong, report.counts.wrong), (10, 10));
        assert_eq!((load.response_time.count, load.response_time_error_status.count), (50, 50));
        assert_eq!(cart.response_time.count, 0);
        // The populations are the loads together.
        assert_eq!(
            (shared.population, made.population),
            (Population::Fresh, Population::Established)
        );
        let populations =
            ["established", "fresh"].map(|name| report.populations[name].counts.offered);
        assert_eq!(populations, [130, 10]);
        assert_eq!(report.counts.offered, 140);
        let rates: f64 = report.loads.iter().filter_map(|load| load.rates.offered_per_s).sum();
        assert!((rates - report.rates.offered_per_s.unwrap()).abs() < 1e-6);
        let tags: Vec<_> = report.tags.iter().map(|tag| (&*tag.tag, tag.offered)).collect();
        assert_eq!(tags, [("untagged", 10), ("page", 110), ("made", 20)]);
        let mut asked = std::mem::take(&mut *asked.lock().unwrap());
        asked.sort();
        let mut all = vec!["/a".to_owned(); 55];
        all.extend(vec!["/cart".to_owned(); 10]);
        all.extend(vec!["/gone".to_owned(); 55]);
        let mut numbered: Vec<String> = (0..20).map(|k| format!("/made/{k}")).collect();
        numbered.sort();
        all.extend(numbered);
        assert_eq!(asked, all);
        let text = loadgen_core::report::render_text(&report);
        assert!(text.contains("By load") && text.contains("410 × 50"), "{text}");
    }
}

/// Which load a call was of is told to whoever takes the calls.
#[test]
fn calls_that_are_handed_out_name_their_load() {
    struct Names(Arc<Mutex<Vec<(u8, u64)>>>);
    impl CallSink for Names {
        fn call(&mut self, call: &EndedCall) {
            self.0.lock().unwrap().push((call.record.load, call.request.unwrap()));
        }
    }
    let server = target(TargetOptions::default());
    let plan = Plan::new(Target::parse(&server.url()).unwrap(), kept(20.0))
        .with_load("b", kept(40.0).with_requests(list(&["/0", "/1"], "b")))
        .with_duration(Duration::from_millis(500));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let engine = Engine::new(plan).unwrap();
    let engine = engine.with_call_sinks(|of| {
        assert_eq!(of.tags, ["untagged", "b"]);
        assert_eq!(of.loads, ["load", "b"]);
        Box::new(Names(Arc::clone(&seen)))
    });
    engine.run().unwrap();
    let mut seen = std::mem::take(&mut *seen.lock().unwrap());
    seen.sort_unstable();
    let of = |load, request, n| std::iter::repeat_n((load, request), n);
    let all: Vec<_> = of(0, 0, 10).chain(of(1, 0, 10)).chain(of(1, 1, 10)).collect();
    assert_eq!(seen, all);
}

/// Bodies are looked at for one load alone, on connections whose places others had before.
#[test]
fn one_load_looks_at_bodies_and_another_does_not() {
    let server = target(TargetOptions::default());
    let wrong = || "body~what the target never says".parse().unwrap();
    for threads in [1, 2] {
        let plan = Plan::new(Target::parse(&server.url()).unwrap(), kept(200.0))
            .with_load("looks", Load::fresh(Schedule::constant(100.0)).with_expectation(wrong()))
            .with_load("fresh", Load::fresh(Schedule::constant(100.0)));
        let report = run(plan.with_threads(threads));
        let wrong: Vec<_> = report.loads.iter().map(|load| load.counts.wrong).collect();
        assert_eq!(wrong, [0, 50, 0]);
        let good: Vec<_> = report.loads.iter().map(|load| load.response_time.count).collect();
        assert_eq!(good, [100, 0, 50], "{:?}", report.errors);
    }
}

/// A plan of several loads comes out of its report as it was.
#[test]
fn a_report_repeats_its_loads() {
    let server = target(TargetOptions::default());
    let plan = Plan::new(Target::parse(&server.url()).unwrap(), kept(20.0))
        .with_load("b", kept(40.0).with_requests(list(&["/0", "/1"], "b")));
    let report = run(plan);
    let again = Report::from_json(&report.to_json_pretty().unwrap()).unwrap();
    assert_eq!(again.loads, report.loads);
    assert_eq!(offered(&run(again.plan)), offered(&report));
}
