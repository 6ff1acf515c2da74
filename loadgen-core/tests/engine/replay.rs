//! Access logs that are made again.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use loadgen_core::target_server::TargetOptions;
use loadgen_core::{
    CallLimit, CallSink, EndedCall, Engine, Load, Outcome, Plan, Recorded, Report, RequestFormat,
    RequestList, RequestOrder, RunError, Schedule, Target,
};

use crate::common::{millis, target};

/// Requests at 0, 10, 40 and 40 ms, one of which may change state.
const LOG: &str = r#"{"msec":"100.040","request":"GET /c HTTP/1.1"}
{"msec":"100.000","request":"GET /a HTTP/1.1"}
{"msec":"100.020","request":"POST /cart HTTP/1.1"}
not a line
{"msec":"100.010","request":"HEAD /b HTTP/1.1"}
{"msec":"100.040","request":"GET /d HTTP/1.1"}
"#;

fn log(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn list(path: &PathBuf) -> RequestList {
    RequestList::file(path).with_format(RequestFormat::AccessLog)
}

fn replay(speed: f64) -> Load {
    Load::established(Schedule::Recorded(Recorded::at_speed(speed)))
}

#[derive(Clone, Default)]
struct Starts(Arc<Mutex<Vec<(u64, u64)>>>);

impl CallSink for Starts {
    fn call(&mut self, call: &EndedCall) {
        assert_eq!(call.record.outcome, Outcome::Answered(200));
        self.0.lock().unwrap().push((call.record.intended, call.request.unwrap()));
    }
}

/// The report, and intended start and request of each call.
fn run(plan: Plan) -> (Report, Vec<(u64, u64)>) {
    let starts = Starts::default();
    let engine = Engine::new(plan).unwrap().with_call_sinks(|_| Box::new(starts.clone()));
    let report = engine.run().unwrap();
    let mut starts = std::mem::take(&mut *starts.0.lock().unwrap());
    starts.sort_unstable();
    (report, starts)
}

const MS: u64 = 1_000_000;

#[test]
fn a_log_is_made_again_at_its_own_times() {
    let server = target(TargetOptions::default());
    let (_folder, path) = log(LOG);
    let plan = |stream| {
        let target = Target::parse(&server.url()).unwrap();
        Plan::new(target, stream).with_requests(list(&path)).with_calls(CallLimit::EachRequestOnce)
    };
    for threads in [1, 2] {
        let (report, starts) = run(plan(replay(1.0)).with_threads(threads));
        assert_eq!(starts, [(0, 0), (10 * MS, 1), (40 * MS, 2), (40 * MS, 3)], "{threads}");
        // A gap as long as the others are on average follows on the last.
        assert_eq!(report.measured_s, 0.053_333_333, "{threads}");
        let plan = serde_json::to_value(&report.plan).unwrap();
        let skipped = serde_json::json!({"changes-state": 1, "not-a-log-line": 1});
        assert_eq!(plan["requests"]["found"]["skipped"], skipped);
        assert_eq!(plan["load"]["schedule"]["calls"], 4);
        // It can be made once more from its report.
        let again: Plan = serde_json::from_value(plan).unwrap();
        assert_eq!(run(again).1, starts, "{threads}");
    }
    let (_, starts) = run(plan(replay(2.0)));
    assert_eq!(starts, [(0, 0), (5 * MS, 1), (20 * MS, 2), (20 * MS, 3)]);
}

#[test]
fn it_begins_anew_if_it_is_to_last_longer_and_takes_all_methods_if_it_is_told_to() {
    let server = target(TargetOptions::default());
    let (_folder, path) = log(LOG);
    let plan = Plan::new(Target::parse(&server.url()).unwrap(), replay(1.0));
    let list = list(&path).with_methods_that_change_state();
    let (report, starts) = run(plan.with_requests(list).with_duration(millis(75)));
    let expected = [(0, 0), (10, 1), (20, 2), (40, 3), (40, 4), (50, 0), (60, 1), (70, 2)];
    assert_eq!(starts, expected.map(|(at, request)| (at * MS, request)));
    assert_eq!(report.counts.answered, 8);
}

#[test]
fn at_a_rate_the_requests_come_in_the_same_order() {
    let server = target(TargetOptions::default());
    let (_folder, path) = log(LOG);
    let plan = Plan::new(
        Target::parse(&server.url()).unwrap(),
        Load::established(Schedule::constant(1000.0)),
    );
    // It is seen that it is a log where no format is given: not by this one, which is JSON.
    let (_, starts) = run(plan.clone().with_requests(list(&path)).with_calls(CallLimit::Calls(5)));
    assert_eq!(starts, [(0, 0), (MS, 1), (2 * MS, 2), (3 * MS, 3), (4 * MS, 0)]);
    let (_folder, combined) = log("h - - [10/Oct/2000:13:55:36 +0000] \"GET /x HTTP/1.1\" 200 1\n");
    let plan = plan.with_requests(RequestList::file(combined));
    assert_eq!(run(plan.with_calls(CallLimit::EachRequestOnce)).1, [(0, 0)]);
}

#[test]
fn what_cannot_be_replayed_is_refused_before_anything_is_sent() {
    let (_folder, path) = log(LOG);
    let (_other, noise) = log("nothing\n");
    let (_third, unsafe_alone) =
        log("h - - [10/Oct/2000:13:55:36 +0000] \"DELETE /x HTTP/1.1\" 200 1\n");
    let data = path.with_file_name("d.csv");
    fs::write(&data, "a\n1\n").unwrap();
    let on = |stream| Plan::new(Target::parse("http://127.0.0.1:1/").unwrap(), stream);
    let rate = || Load::established(Schedule::constant(1.0));
    let fresh = Load::fresh(Schedule::Recorded(Recorded::at_speed(1.0)));
    for (plan, word) in [
        (on(replay(1.0)), "needs the access log"),
        (on(replay(1.0)).with_requests(RequestList::file(&path)), "needs the access log"),
        (
            on(replay(1.0)).with_requests(list(&path).with_order(RequestOrder::Shuffled)),
            "in its own order",
        ),
        (on(replay(0.0)).with_requests(list(&path)), "the speed of the replay"),
        (on(replay(f64::NAN)).with_requests(list(&path)), "the speed of the replay"),
        (on(rate()).with_requests(list(&path).with_data(&data)), "no columns to be filled in"),
        (on(rate()).with_requests(list(&path)).with_probe(fresh), "those of the main load"),
        (on(replay(1.0)).with_requests(list(&noise)), "no lines of an access log"),
        (
            on(replay(1.0)).with_requests(list(&unsafe_alone)),
            "methods that change state are, if the list of requests is allowed them",
        ),
    ] {
        let error = Engine::new(plan).unwrap_err();
        assert!(matches!(error, RunError::Plan(_) | RunError::Workload(_)), "{error}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}
