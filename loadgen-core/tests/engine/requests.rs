//! Loads whose calls do not all make the same request.

use std::fs;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loadgen_core::{
    CloseMode, Engine, ListedRequest, Load, Plan, Report, Request, RequestList, RequestOrder,
    RunError, Schedule, Target,
};

use crate::common::OddServer;

/// A server that answers everything, and the heads that it was sent in order.
fn server() -> (OddServer, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let server = OddServer::start(move |conversation| {
        while let Some(head) = conversation.request() {
            let is_head = head.starts_with("HEAD ");
            let is_last = head.contains("\r\nConnection: close\r\n");
            let body = if is_head { "" } else { "ok" };
            seen.lock().unwrap().push(head);
            let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{body}");
            if conversation.stream.write_all(reply.as_bytes()).is_err() || is_last {
                return;
            }
        }
    });
    (server, heads)
}

fn plan(server: &OddServer, load: Load, list: RequestList) -> Plan {
    Plan::new(Target::parse(&server.url()).unwrap(), load).with_requests(list)
}

/// What was asked for, a path each, and nothing of it any more.
fn paths(heads: &Mutex<Vec<String>>) -> Vec<String> {
    let heads = std::mem::take(&mut *heads.lock().unwrap());
    heads.iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
}

fn numbered(n: usize) -> Vec<String> {
    (0..n).map(|k| format!("/{k:04}")).collect()
}

fn list(n: usize) -> RequestList {
    RequestList::given(numbered(n).iter().map(|path| ListedRequest::new(Request::get(), path)))
}

/// 300 calls in 300 ms.
fn run(plan: Plan) -> Report {
    let report =
        Engine::new(plan.with_duration(Duration::from_millis(300))).unwrap().run().unwrap();
    assert_eq!(report.counts.offered, 300);
    assert_eq!(report.counts.answered, 300, "{:?}", report.errors);
    report
}

fn open_loop() -> Load {
    Load::established(Schedule::constant(1000.0))
}

#[test]
fn all_threads_together_ask_for_each_once() {
    let (server, heads) = server();
    for order in [RequestOrder::Sequential, RequestOrder::Shuffled] {
        for threads in [1, 3] {
            run(plan(&server, open_loop(), list(300).with_order(order)).with_threads(threads));
            let mut asked = paths(&heads);
            asked.sort();
            assert_eq!(asked, numbered(300), "{order:?}, {threads}");
        }
    }
}

#[test]
fn the_same_seed_asks_for_the_same() {
    let (server, heads) = server();
    let asked = |order, seed, threads| {
        // One connection a thread: what is asked for arrives in order.
        let load = open_loop().with_connections(threads);
        let plan = plan(&server, load, list(40).with_order(order));
        run(plan.with_seed(seed).with_threads(threads));
        paths(&heads)
    };
    let sequential = asked(RequestOrder::Sequential, 1, 1);
    assert!(sequential.iter().eq(numbered(40).iter().cycle().take(300)));
    for order in [RequestOrder::Shuffled, RequestOrder::Weighted] {
        let [first, again, other] = [1, 1, 2].map(|seed| asked(order, seed, 1));
        assert_eq!(first, again, "{order:?}");
        assert_ne!(first, other, "{order:?}");
        let [mut first, mut shared] = [first, asked(order, 1, 3)];
        first.sort();
        shared.sort();
        assert_eq!(first, shared, "{order:?}");
    }
}

#[test]
fn those_of_a_closed_loop_are_shared_too() {
    let (server, heads) = server();
    let load = Load::established(Schedule::Closed).with_connections(4);
    // More than two threads ask for before it is seen that there are enough.
    let plan = plan(&server, load, list(200_000)).with_threads(2);
    let handle = Engine::new(plan).unwrap().start().unwrap();
    crate::common::wait_until("200 were asked for", || server.asked() >= 200);
    handle.stop();
    handle.join().unwrap();
    let mut asked = paths(&heads);
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), all);
}

/// The last request of a connection asks the server to close, and is put together then.
#[test]
fn the_last_of_a_connection_says_so() {
    let (server, heads) = server();
    let load =
        open_loop().with_connections(1).with_calls_per_connection(3).with_close(CloseMode::Server);
    let of = |(method, path)| ListedRequest::new(Request::get().with_method(method), path);
    let requests = [("GET", "/0"), ("HEAD", "/1"), ("DELETE", "/2"), ("GET", "/3")].map(of);
    run(plan(&server, load, RequestList::given(requests)));
    let heads = heads.lock().unwrap();
    for (number, head) in heads.iter().enumerate() {
        assert!(head.contains(&format!(" /{} HTTP/1.1\r\n", number % 4)), "{number}: {head}");
        assert_eq!(head.contains("\r\nConnection: close\r\n"), number % 3 == 2, "{head}");
        assert!(head.ends_with("\r\n\r\n"), "{head}");
    }
}

/// Replies are read as answers to the request that stands in front.
#[test]
fn pipelined_requests_may_differ() {
    let (server, heads) = server();
    let head = ListedRequest::new(Request::get().with_method("HEAD"), "/head");
    let requests = [ListedRequest::new(Request::get(), "/get"), head];
    let load = open_loop().with_connections(1).with_pipeline(8);
    run(plan(&server, load, RequestList::given(requests)));
    let asked = paths(&heads);
    assert!(asked.iter().eq(["/get", "/head"].iter().cycle().take(300)));
}

#[test]
fn the_probe_has_them_too() {
    let (server, heads) = server();
    let probe = Load::fresh(Schedule::constant(1000.0));
    let plan = plan(&server, Load::established(Schedule::constant(1e-3)), list(300));
    let plan = plan.with_probe(probe).with_duration(Duration::from_millis(300));
    Engine::new(plan).unwrap().run().unwrap();
    let mut asked = paths(&heads);
    asked.sort();
    asked.dedup();
    assert_eq!(asked, numbered(300));
}

#[test]
fn a_wrong_file_is_told_of_before_anything_is_sent() {
    let (server, _) = server();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("urls.txt");
    fs::write(&file, "/a\nb\n").unwrap();
    let error = Engine::new(plan(&server, open_loop(), RequestList::file(&file))).unwrap_err();
    assert!(matches!(error, RunError::Workload(_)), "{error}");
    assert!(error.to_string().contains("urls.txt:2: 'b' is no URL"), "{error}");
    fs::write(&file, "/a\n/b\n").unwrap();
    let report = run(plan(&server, open_loop(), RequestList::file(&file)));
    let json = serde_json::to_value(&report.plan).unwrap();
    assert_eq!(json["requests"]["found"]["count"], 2);
    // Repeated from its report, with the file changed meanwhile.
    fs::write(&file, "/a\n/c\n").unwrap();
    let again: Plan = serde_json::from_value(json).unwrap();
    let error = Engine::new(again).unwrap_err().to_string();
    assert!(error.contains("not what the report was made with"), "{error}");
}

#[test]
fn what_would_be_ignored_is_refused() {
    let (server, _) = server();
    let sessions = loadgen_core::Sessions::connections(2);
    for (plan, word) in [
        (plan(&server, open_loop(), list(1)).with_sessions(sessions), "script"),
        (
            plan(&server, open_loop(), list(1)).with_request(Request::get().with_body(vec![1])),
            "bodies of their own",
        ),
        (plan(&server, open_loop(), list(0)), "from 1 to 1,000,000"),
    ] {
        let error = plan.validate().expect_err(word).to_string();
        assert!(error.contains(word), "{error}");
    }
}

/// A server of replies whose bodies come in pieces.
fn in_pieces(body: &'static [&'static [u8]], chunked: bool) -> OddServer {
    OddServer::start(move |conversation| {
        conversation.stream.set_nodelay(true).unwrap();
        while conversation.requests(1) {
            let length: usize = body.iter().map(|piece| piece.len()).sum();
            let framing = match chunked {
                true => "Transfer-Encoding: chunked".to_owned(),
                false => format!("Content-Length: {length}"),
            };
            let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
            let mut pieces = vec![head.into_bytes()];
            for piece in body {
                let size = format!("{:x}\r\n", piece.len()).into_bytes();
                pieces.push(if chunked {
                    [&size[..], piece, b"\r\n"].concat()
                } else {
                    piece.to_vec()
                });
            }
            if chunked {
                pieces.push(b"0\r\n\r\n".to_vec());
            }
            for piece in pieces {
                if conversation.stream.write_all(&piece).is_err() {
                    return;
                }
                // So that each is read by itself.
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    })
}

#[test]
fn texts_are_found_in_whatever_pieces_they_come() {
    for chunked in [false, true] {
        let server = in_pieces(&[b"all is w", b"el", b"l here"], chunked);
        for (expect, wrong) in [
            (["body~is well", "size=16"], None),
            (["body~is ill", "size=16"], Some("body")),
            (["body!~well h", "status=200"], Some("body")),
            (["body!~ill", "size=1-15"], Some("size")),
            (["body!~ill", "status=201-299"], Some("status")),
        ] {
            let target = Target::parse(&server.url()).unwrap();
            let load = Load::established(Schedule::constant(100.0));
            let plan = Plan::new(target, load).with_duration(Duration::from_millis(100));
            let expect = expect.iter().map(|text| text.parse().unwrap());
            let report =
                Engine::new(expect.fold(plan, Plan::with_expectation)).unwrap().run().unwrap();
            assert_eq!(report.counts.answered, 10, "{:?}", report.errors);
            let told: Vec<(&str, u64)> =
                report.wrong.iter().map(|(k, n)| (k.as_str(), *n)).collect();
            assert_eq!(told, wrong.map(|what| (what, 10)).into_iter().collect::<Vec<_>>());
            let (good, of_wrong) =
                (report.response_time.count, report.response_time_wrong.map_or(0, |l| l.count));
            assert_eq!((good + of_wrong, of_wrong), (10, report.counts.wrong));
        }
    }
}

/// A large body, which would be dropped unread, is read when something is expected of it.
#[test]
fn large_bodies_are_looked_at_too() {
    let body = loadgen_core::target_server::TargetOptions::new().with_body_bytes(300_000);
    let server = crate::common::target(body);
    let run = |expect: &str| {
        let target = Target::parse(&format!("http://{}/", server.local_addr())).unwrap();
        let load = Load::established(Schedule::constant(100.0)).with_pipeline(2);
        let plan = Plan::new(target, load.with_connections(2));
        let plan = plan.with_duration(Duration::from_millis(100));
        let plan = plan.with_expectation(expect.parse().unwrap());
        Engine::new(plan).unwrap().run().unwrap()
    };
    let report = run("size=300000");
    assert_eq!((report.counts.answered, report.counts.wrong), (10, 0), "{:?}", report.wrong);
    assert_eq!(run("size=299999").counts.wrong, 10);
    server.stop().unwrap();
}

/// What is expected of a request of a list stands beside what is of all; HEAD has no body.
#[test]
fn requests_may_expect_what_others_do_not() {
    let (server, _) = server();
    let own = |method: &str, path, expect: &str| {
        ListedRequest::new(Request::get().with_method(method), path)
            .with_tag(path)
            .with_expectation(expect.parse().unwrap())
    };
    let list = RequestList::given([
        own("GET", "/right", "body~ok"),
        own("GET", "/wrong", "body~no"),
        own("HEAD", "/head", "body~no"),
        ListedRequest::new(Request::get(), "/plain"),
    ]);
    let size = "size=2".parse().unwrap();
    let report = Engine::new(
        plan(&server, open_loop(), list)
            .with_expectation(size)
            .with_duration(Duration::from_millis(300)),
    );
    let report = report.unwrap().run().unwrap();
    assert_eq!((report.counts.answered, report.counts.wrong), (300, 75), "{:?}", report.errors);
    let wrong: Vec<(&str, u64)> = report.tags.iter().map(|t| (t.tag.as_str(), t.wrong)).collect();
    assert_eq!(wrong, [("untagged", 0), ("/right", 0), ("/wrong", 75), ("/head", 0)]);
    // A wrong reply is a miss.
    let slo = |text: &str| text.parse::<loadgen_core::Slo>().unwrap().judge(&report).outcome;
    assert_eq!(slo("error-rate<=25%"), loadgen_core::SloOutcome::Held);
    assert_eq!(slo("error-rate<25%"), loadgen_core::SloOutcome::Breached);
    assert_eq!(slo("p90<1h"), loadgen_core::SloOutcome::Breached);
}

#[test]
fn an_error_status_can_be_what_is_expected() {
    let server = OddServer::start(|conversation| {
        while conversation.requests(1) {
            conversation.say("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let run = |expect: Option<&str>| {
        let target = Target::parse(&server.url()).unwrap();
        let load = Load::established(Schedule::constant(100.0));
        let plan = Plan::new(target, load).with_duration(Duration::from_millis(100));
        let expect = expect.map(|text| text.parse().unwrap());
        let report = Engine::new(expect.into_iter().fold(plan, Plan::with_expectation));
        let report = report.unwrap().run().unwrap();
        let rate = "error-rate<1%".parse::<loadgen_core::Slo>().unwrap();
        (report.counts.wrong, rate.judge(&report).outcome == loadgen_core::SloOutcome::Held)
    };
    assert_eq!(run(None), (0, false));
    assert_eq!(run(Some("status=404")), (0, true));
    assert_eq!(run(Some("size=0")), (10, false));
}
