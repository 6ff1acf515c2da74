//! Replies that the embedding program checks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use loadgen_core::report::VerdictStatus;
use loadgen_core::{
    CallLimit, Engine, ListedRequest, Load, Miss, Outcome, Plan, Rejected, Reply, Report, Request,
    RequestList, Schedule,
};

use crate::common::OddServer;

/// Answers by the path: in pieces, chunked, after an interim reply, with no end but that of the
/// connection, large, or with a status of errors.
fn server() -> OddServer {
    OddServer::start(|conversation| {
        while let Some(head) = conversation.request() {
            let length =
                |n: usize| format!("HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: {n}\r\n\r\n");
            let path = head.split(' ').nth(1).unwrap().to_owned();
            match path.as_str() {
                "/pieces" => {
                    for piece in ["HTTP/1.1 200 OK\r\nX-A", ": b\r\nContent-Length: 6\r\n", "\r\nab", "cd", "ef"] {
                        conversation.say(piece);
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
                "/chunked" => conversation.say(
                    "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n",
                ),
                "/interim" => conversation.say(&format!(
                    "HTTP/1.1 103 Early Hints\r\nX-A: no\r\n\r\n{}abcdef",
                    length(6)
                )),
                "/large" => conversation.say(&format!("{}{}", length(3 << 20), "x".repeat(3 << 20))),
                "/many" => conversation.say(&format!(
                    "HTTP/1.1 200 OK\r\n{}X-A: b\r\nContent-Length: 6\r\n\r\nabcdef",
                    "A: b\n".repeat(2_000)
                )),
                "/gone" => conversation.say("HTTP/1.1 410 Gone\r\nX-A: b\r\nContent-Length: 0\r\n\r\n"),
                "/head" => conversation.say(&length(6)),
                "/close" => {
                    conversation.say("HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nabcdef");
                    return;
                }
                _ => conversation.say(&format!("{}abcdef", length(6))),
            }
        }
    })
}

type Seen = Arc<Mutex<Vec<(u64, u16, Vec<u8>, u64)>>>;

/// Checks that all have the header, and keeps what it sees.
fn watched(plan: Plan, seen: &Seen) -> Plan {
    let seen = Arc::clone(seen);
    plan.with_check("watch", move |_worker| {
        let seen = Arc::clone(&seen);
        move |reply: &Reply<'_>| {
            let of = (reply.request().unwrap(), reply.status(), reply.body().to_vec());
            seen.lock().unwrap().push((of.0, of.1, of.2, reply.body_size()));
            match reply.header("x-a") {
                Some(b"b") => Ok(()),
                other => Err(format!("X-A is {other:?}").into()),
            }
        }
    })
}

fn plan(server: &OddServer, load: Load, paths: &[&str]) -> Plan {
    let list = paths.iter().map(|path| {
        let method = if *path == "/head" { "HEAD" } else { "GET" };
        ListedRequest::new(Request::get().with_method(method), path)
    });
    Plan::new(server.url().parse().unwrap(), load)
        .with_requests(RequestList::given(list))
        .with_timeout(Duration::from_secs(60))
}

fn run(plan: Plan) -> Report {
    Engine::new(plan).unwrap().run().unwrap()
}

const PATHS: [&str; 9] =
    ["/plain", "/pieces", "/chunked", "/interim", "/large", "/many", "/gone", "/head", "/close"];

/// Whatever way a reply comes, the check sees the same of it; the replies of several
/// connections and of pipelined calls are not mixed up.
#[test]
fn a_check_sees_replies_whole() {
    let server = server();
    let constant = Load::established(Schedule::constant(400.0));
    let closed = || Load::established(Schedule::Closed);
    for (load, paths) in [
        (constant, &PATHS[..]),
        (closed().with_connections(3), &PATHS[..]),
        (Load::fresh(Schedule::constant(400.0)), &PATHS[..]),
        // Behind a reply that ends with the connection nothing comes any more.
        (closed().with_connections(2).with_pipeline(3), &PATHS[..8]),
    ] {
        let seen = Seen::default();
        let case = format!("{load:?}");
        let plan = plan(&server, load, paths).with_calls(CallLimit::Calls(4 * paths.len() as u64));
        let report = run(watched(plan, &seen));
        assert_eq!(report.counts.wrong, 0, "{case}: {:?}", report.error_examples);
        assert_eq!(report.counts.answered, 4 * paths.len() as u64, "{case}: {:?}", report.errors);
        let mut seen = std::mem::take(&mut *seen.lock().unwrap());
        seen.sort();
        assert_eq!(seen.len(), 4 * paths.len(), "{case}");
        for (request, status, body, size) in seen {
            let path = paths[request as usize];
            let (wanted, all) = match path {
                "/large" => (vec![b'x'; 1 << 20], 3 << 20),
                "/gone" | "/head" => (Vec::new(), 0),
                _ => (b"abcdef".to_vec(), 6),
            };
            let expected = if path == "/gone" { 410 } else { 200 };
            assert!(body == wanted, "{case}: {path}: {} bytes", body.len());
            assert_eq!((status, size), (expected, all), "{case}: {path}");
        }
    }
}

/// A reply that is rejected is wrong wherever it is counted, and the reason is told.
#[test]
fn what_is_rejected_is_wrong() {
    let server = server();
    let picky = |_worker| {
        |reply: &Reply<'_>| match (reply.load(), reply.status()) {
            (1, _) => Err(Rejected::new("of the other load")),
            (_, 410) => Err("gone".into()),
            _ => Ok(()),
        }
    };
    let other = Load::established(Schedule::constant(100.0));
    let plan = plan(&server, Load::established(Schedule::constant(400.0)), &["/plain", "/gone"])
        .with_load("other", other)
        .with_call_log(1_000)
        .with_duration(Duration::from_millis(250))
        .with_check("picky", picky);
    let handle = Engine::new(plan.clone()).unwrap().start().unwrap();
    let (report, calls) = handle.join_with_calls().unwrap();
    assert_eq!(report.wrong, [("check".to_owned(), 75)].into(), "{:?}", report.errors);
    assert_eq!((report.counts.answered, report.response_time.count), (125, 50));
    assert_eq!([report.loads[0].counts.wrong, report.loads[1].counts.wrong], [50, 25]);
    let rejected = |outcome| matches!(outcome, Outcome::Wrong(_, Miss::Check));
    assert_eq!(calls.iter().filter(|call| rejected(call.outcome)).count(), 75);
    let example = report.error_examples.iter().find(|example| example.class == "wrong-check");
    let why = example.unwrap().message.clone().unwrap();
    assert!(["gone", "of the other load"].contains(&why.as_str()), "{why}");
    assert!(loadgen_core::report::render_text(&report).contains(&why));
    // What is expected is looked at first; what is not so is not shown to the check.
    let report = run(plan.with_expectation("status=200".parse().unwrap()));
    assert_eq!(report.wrong["status"], report.status_codes["410"]);
    // A plan that is read has lost its check, and is not run without it.
    let read: Plan = serde_json::from_str(&serde_json::to_string(&report.plan).unwrap()).unwrap();
    assert_eq!(read.check_name(), Some("picky"));
    let error = read.validate().unwrap_err().to_string();
    assert!(error.contains("give it that check again"), "{error}");
}

/// The example is of a call that is counted, not of the warm-up.
#[test]
fn rejections_in_the_warm_up_are_no_example() {
    let server = server();
    let load = Load::established(Schedule::constant(400.0));
    let plan = plan(&server, load, &["/plain"]).with_duration(Duration::from_millis(300));
    let number = |reply: &Reply<'_>| Err(format!("rejected {}", reply.body_size()).into());
    let plan = plan.with_check("none is good", move |_worker| number);
    let report = run(plan.with_warmup(Duration::from_millis(200)));
    assert_eq!((report.counts.wrong, report.counts.answered), (40, 40));
    let example = report.error_examples.iter().find(|example| example.class == "wrong-check");
    assert!(example.unwrap().at_s >= 0.2, "{example:?}");
}

/// What was measured until then is kept, and whose fault it was is told.
#[test]
fn a_check_that_panics_ends_the_run() {
    let server = server();
    for threads in [1, 2] {
        let plan = plan(&server, Load::established(Schedule::constant(400.0)), &["/plain"]);
        let mut left = 10;
        let plan = plan.with_threads(threads).with_duration(Duration::from_secs(3600)).with_check(
            "panics",
            move |worker| {
                move |_: &Reply<'_>| -> Result<(), Rejected> {
                    left -= 1;
                    assert!(worker > 0 || left > 0, "out of luck");
                    Ok(())
                }
            },
        );
        let report = run(plan);
        assert_eq!(report.workers_lost, 1);
        assert!(report.counts.answered >= 9, "{}", report.counts.answered);
        assert_eq!(report.verdict.status, VerdictStatus::Invalid);
        let reasons = report.verdict.reasons.join("; ");
        assert!(
            reasons.contains("the program's check of replies panicked: out of luck"),
            "{reasons}"
        );
    }
}
