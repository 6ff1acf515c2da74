//! Several calls in flight on a connection: against the built-in server, and
//! against servers that end connections in all the ways there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use loadgen_core::report::render_text;
use loadgen_core::target_server::TargetOptions;
use loadgen_core::{CloseMode, Engine, Load, Plan, Report, Request, Schedule, Snapshot};

use super::{assert_adds_up, endless, plan};
use crate::common::{House, OK, OddServer, gated_server, millis, run_and, run_until, target};

fn run(plan: Plan) -> Report {
    checked(Engine::new(plan).unwrap().run().unwrap())
}

fn checked(report: Report) -> Report {
    assert_adds_up(&report);
    report
}

/// A closed loop, until so many calls are answered.
fn until_answered(answered: u64, url: &str, load: Load) -> Report {
    checked(run_until(endless(url, load), |so_far| so_far.answered >= answered, || ()))
}

fn open(rate: f64, connections: u32, calls: u32) -> Load {
    Load::established(Schedule::constant(rate)).with_connections(connections).with_pipeline(calls)
}

fn closed(connections: u32, calls: u32) -> Load {
    Load::established(Schedule::Closed).with_connections(connections).with_pipeline(calls)
}

/// The server answers when all 32 calls are there, which they can only be together: four
/// connections of eight.
#[test]
fn calls_share_a_connection_when_none_is_free() {
    let house = House::of(4);
    let inside = house.clone();
    let server = OddServer::start(move |conversation| {
        if conversation.requests(8) {
            inside.enter();
            conversation.answer(8);
            conversation.until_the_end();
        }
    });
    let report = run(plan(&server.url(), open(64.0, 4, 8)));
    assert_eq!((report.counts.answered, report.counts.failed), (32, 0), "{:?}", report.errors);
    assert_eq!(report.counts.connections_opened, 4);
    assert_eq!(report.counts.queued, 0, "there is room for 32");
    assert_eq!((house.rounds(), server.asked()), (1, 32));
    let text = render_text(&report).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("pipelined: at most 8 calls in flight on each"), "{text}");
}

#[test]
fn bytes_and_times_of_calls_that_share_a_connection() {
    let server = target(TargetOptions::new().with_delay(millis(100)));
    let report = run(plan(&server.url(), open(200.0, 4, 8)));
    let truth = server.stop().unwrap();
    assert_eq!((report.counts.answered, report.counts.failed), (100, 0));
    assert_eq!(report.counts.connections_opened, 4);
    assert_eq!(truth.requests_read, 100);
    assert_eq!(truth.bytes_sent, report.bytes.received);
    assert_eq!(truth.bytes_received, report.bytes.sent);
    let service = &report.service_time;
    assert!(service.min_us.unwrap() >= 100_000.0, "{service:?}");
    // No more than 32 at a time.
    let together = service.mean_us.unwrap() * 100.0;
    assert!(together <= 32.0 * report.duration_s * 1e6, "{service:?}");
}

/// Nothing is answered before all have arrived, and a second after it.
#[test]
fn beyond_the_pipes_arrivals_wait() {
    let (gate, server) = gated_server();
    let plan = plan(&server.url(), open(200.0, 1, 2));
    let hold = || {
        thread::sleep(Duration::from_secs(1));
        gate.open();
    };
    let report = checked(run_and(plan, |so_far| so_far.offered == 100, hold));
    assert_eq!((report.counts.answered, report.counts.failed), (100, 0));
    assert_eq!(report.counts.queued, 98, "{:?}", report.counts);
    assert!(report.response_time.max_us.unwrap() > 1_000_000.0, "{:?}", report.response_time);
    // Two at a time: the wait in the queue is no service.
    let together = report.service_time.mean_us.unwrap() * 100.0;
    assert!(together <= 2.0 * report.duration_s * 1e6, "{:?}", report.service_time);
}

/// Ten times the server answers when all three connections have five calls.
#[test]
fn a_closed_loop_keeps_every_pipe_full() {
    let house = House::of(3);
    let inside = house.clone();
    let server = OddServer::start(move |conversation| {
        for _ in 0..10 {
            if !conversation.requests(5) {
                return;
            }
            inside.enter();
            conversation.answer(5);
        }
        while conversation.requests(1) {
            conversation.answer(1);
        }
    });
    let report = until_answered(150, &server.url(), closed(3, 5));
    assert_eq!(report.counts.failed, 0);
    assert_eq!((house.rounds(), report.counts.connections_opened), (10, 3));
    assert_eq!(report.counts.queued, 0, "users of a closed loop do not queue");
    assert_eq!(server.asked(), report.counts.started);
}

#[test]
fn replies_may_be_of_any_size() {
    for (body, chunk) in [(0, None), (100_000, None), (300_000, Some(70_000)), (5000, Some(7))] {
        let mut options = TargetOptions::new().with_body_bytes(body);
        options.chunk_bytes = chunk;
        let server = target(options);
        let report = until_answered(50, &server.url(), closed(2, 4));
        let truth = server.stop().unwrap();
        assert_eq!(report.counts.failed, 0, "{body} {chunk:?}");
        assert_eq!(truth.bytes_sent, report.bytes.received, "{body} {chunk:?}");
    }
}

#[test]
fn large_requests_wait_for_room_in_the_socket() {
    let server = target(TargetOptions::new());
    let request = Request::get().with_method("PUT").with_body(vec![b'x'; 3_000_000]);
    let plan = endless(&server.url(), closed(1, 3)).with_request(request);
    let report = checked(run_until(plan, |so_far| so_far.answered >= 3, || ()));
    assert_eq!(report.counts.failed, 0, "{:?}", report.errors);
    assert_eq!(server.stop().unwrap().bytes_received, report.bytes.sent);
}

#[test]
fn a_server_that_limits_calls_is_got_along_with() {
    // It closes with requests unread or under way, and so resets: a call that meets
    // this twice has failed.
    let server = target(TargetOptions::new().with_keepalive_limit(3).with_delay(millis(5)));
    for load in [open(800.0, 2, 6), closed(2, 6)] {
        let report = until_answered(100, &server.url(), load);
        let known = ["head-closed-early", "head-reset", "send-reset"];
        assert!(report.errors.keys().all(|e| known.contains(&e.as_str())), "{:?}", report.errors);
        assert!(report.counts.reconnects > 0, "{:?}", report.counts);
    }
}

#[test]
fn our_own_limit_of_calls_is_kept() {
    for close in [CloseMode::Server, CloseMode::Client, CloseMode::Reset] {
        let server = target(TargetOptions::new().with_delay(millis(5)));
        let load = open(400.0, 2, 4).with_calls_per_connection(5).with_close(close);
        let report = run(plan(&server.url(), load));
        let truth = server.stop().unwrap();
        assert_eq!((report.counts.answered, report.counts.failed), (200, 0), "{close:?}");
        assert_eq!(report.counts.reconnects, 0, "{close:?}");
        assert_eq!(truth.requests_read, 200, "{close:?}");
        assert!(report.counts.connections_opened >= 40, "{:?}", report.counts);
    }
}

/// Calls at 0 and 2 s on one connection, each of which may take 2.5 s: the first is
/// answered when it has failed, and the other then, two seconds before its time is over.
fn late_head(limit: impl Fn(Plan) -> Plan) -> Report {
    let (gate, server) = gated_server();
    let plan = limit(endless(&server.url(), open(0.5, 1, 8)).with_duration(millis(2200)));
    let report = checked(run_and(plan, |so_far| so_far.failed > 0, || gate.open()));
    assert_eq!((report.counts.answered, report.counts.failed), (1, 1), "{:?}", report.errors);
    assert_eq!((report.counts.connections_opened, server.asked()), (1, 2));
    report
}

#[test]
fn a_deadline_in_the_pipe_fails_that_call_alone() {
    let report = late_head(|plan| plan.with_deadline(millis(2500)));
    assert_eq!(report.errors.get("head-deadline"), Some(&1), "{:?}", report.errors);
}

#[test]
fn a_timeout_at_the_head_leaves_those_behind_it_their_time() {
    let report = late_head(|plan| plan.with_timeout(millis(2500)));
    assert_eq!(report.errors.get("head-timeout"), Some(&1), "{:?}", report.errors);
}

#[test]
fn an_announced_close_in_the_middle_costs_no_failure() {
    let server = OddServer::start(|conversation| {
        if conversation.requests(1) {
            thread::sleep(millis(10));
            conversation.answer(1);
            if conversation.requests(1) {
                thread::sleep(millis(10));
                let close = "Connection: close\r\nContent-Length: 0\r\n\r\n";
                conversation.say(&format!("HTTP/1.1 200 OK\r\n{close}"));
            }
        }
    });
    let report = until_answered(8, &server.url(), closed(1, 4));
    assert_eq!(report.counts.unfinished + report.counts.failed, 0, "{:?}", report.errors);
    assert!(report.counts.reconnects > 0, "{:?}", report.counts);
    assert!(server.asked() <= report.counts.answered + report.counts.reconnects);
}

#[test]
fn calls_that_may_not_be_repeated_fail_instead() {
    let server = OddServer::start(|conversation| {
        if conversation.requests(1) {
            thread::sleep(millis(10));
            conversation.answer(1);
            if conversation.requests(1) {
                thread::sleep(millis(10));
                let close = "Connection: close\r\nContent-Length: 0\r\n\r\n";
                conversation.say(&format!("HTTP/1.1 200 OK\r\n{close}"));
            }
        }
    });
    let post = Request::get().with_method("POST");
    let plan = endless(&server.url(), closed(1, 4)).with_request(post);
    let enough = |so_far: &Snapshot| so_far.failed >= 2 && so_far.answered >= 2;
    let report = checked(run_until(plan, enough, || ()));
    assert_eq!(report.counts.reconnects, 0);
    assert!(report.errors["head-closed-early"] >= 2, "{:?}", report.errors);
}

#[test]
fn a_call_is_repeated_once_and_no_more() {
    // Every connection ends after one reply, with others outstanding.
    for reset in [false, true] {
        let server = OddServer::start(move |conversation| {
            if conversation.requests(1) {
                conversation.answer(1);
                thread::sleep(millis(5));
                if reset {
                    conversation.reset();
                }
            }
        });
        let plan = endless(&server.url(), closed(1, 4));
        let report = checked(run_until(plan, |so_far| so_far.failed >= 10, || ()));
        assert!(report.counts.reconnects > 0, "{:?}", report.counts);
        let known = ["head-closed-early", "head-reset", "send-reset"];
        assert!(
            report.errors.keys().all(|class| known.contains(&class.as_str())),
            "{:?}",
            report.errors
        );
    }
}

/// The calls behind the nonsense are sent again if they are young, 250 ms: where the
/// machine stood still they have failed.
#[test]
fn nonsense_in_the_middle_ends_the_connection() {
    let turns = Arc::new(AtomicUsize::new(0));
    let server = OddServer::start(move |conversation| {
        while conversation.requests(1) {
            if turns.fetch_add(1, SeqCst) == 0 && conversation.requests(2) {
                conversation.answer(1);
                conversation.say("nonsense\r\n\r\n");
                return conversation.until_the_end();
            }
            conversation.answer(1);
        }
    });
    let report = until_answered(20, &server.url(), closed(1, 3));
    assert_eq!(report.errors.get("head-protocol"), Some(&1), "{:?}", report.errors);
    let failed = &report.timeline.failed_calls;
    let late = failed.iter().filter(|call| call.class != "head-protocol" && call.waited_s > 0.25);
    let late = late.count() as u64;
    assert_eq!(report.counts.failed, 1 + late, "{:?}", report.errors);
    assert!((1..=2).contains(&(report.counts.reconnects + late)), "{:?}", report.counts);
}

/// Whatever the pieces are that replies come in, and wherever the server ends: no
/// call is lost or counted twice, and no byte either.
#[test]
fn pieces_of_any_size_and_ends_at_any_place() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for round in 0..12 {
        let (piece, limit, ending) = (1 + random(120), 1 + random(40), random(4));
        let server = OddServer::start(move |conversation| {
            let mut answered = 0;
            let mut left = Vec::new();
            while conversation.requests(1) {
                left.extend_from_slice(OK);
                answered += 1;
                // Replies lie about until there are some, so that pieces hold several.
                if answered % 3 == 0 || answered >= limit || conversation.come.is_empty() {
                    for part in left.chunks(piece as usize) {
                        conversation.say(std::str::from_utf8(part).unwrap());
                    }
                    left.clear();
                }
                if answered >= limit {
                    match ending {
                        0 => return,
                        1 => return conversation.reset(),
                        2 => return conversation.say("HTTP/1.1 200 OK\r\nContent-Le"),
                        _ => {
                            conversation.say("HTTP/1.1 200 OK\r\n\r\nuntil the end");
                            return;
                        }
                    }
                }
            }
        });
        let load = if round % 2 == 0 { open(500.0, 3, 5) } else { closed(3, 5) };
        let report = until_answered(30, &server.url(), load);
        let counts = report.counts;
        assert_eq!(counts.unfinished, 0, "round {round}: {counts:?}");
        assert!(
            server.asked() <= counts.started + counts.reconnects,
            "round {round}: {counts:?}, asked {}",
            server.asked()
        );
    }
}
