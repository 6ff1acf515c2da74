//! Servers that break off, and what is made of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use loadgen_core::target_server::TargetOptions;
use loadgen_core::{Engine, Load, Request, RunError, Schedule};

use super::{assert_adds_up, at, endless, fresh_at, plan, run};
use crate::common::{LIMIT, OddServer, millis, nobody, run_until, target, wait_until};

#[test]
fn failures_are_told_apart() {
    let replying = |text: &'static str| {
        OddServer::start(move |conversation| {
            if conversation.requests(1) {
                conversation.say(text);
            }
        })
        .url()
    };
    for (text, class) in [
        ("", "head-closed-early"),
        ("HTTP/1.1 200 OK\r\nContent-Le", "head-closed-early"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "body-closed-early"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "head-protocol"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "body-protocol"),
    ] {
        let report = run(plan(&replying(text), fresh_at(20.0)));
        assert_adds_up(&report);
        assert_eq!(report.errors.get(class), Some(&10), "{class}: {:?}", report.errors);
        assert_eq!(report.error_examples[0].class, class);
    }
}

#[test]
fn a_reset_names_its_errno() {
    let server = OddServer::start(|conversation| {
        if conversation.requests(1) {
            conversation.reset();
        }
    });
    let report = run(plan(&server.url(), fresh_at(20.0)));
    assert_adds_up(&report);
    assert_eq!(report.errors.get("head-reset"), Some(&10), "{:?}", report.errors);
    assert_eq!(report.error_examples[0].errno, Some(104));
}

/// The server answers the first call of a connection and closes it at the second. The
/// client takes that for a close that crossed its call only if it hears of it within
/// 250 ms: where the machine stands still, a call may have failed instead.
#[test]
fn a_stale_connection_is_tried_again_on_a_new_one() {
    let closed = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&closed);
    let server = OddServer::start(move |conversation| {
        if conversation.requests(1) {
            conversation.answer(1);
            if conversation.requests(1) {
                count.fetch_add(1, SeqCst);
            }
        }
    });
    let one = || at(40.0).with_connections(1);
    let report = run(plan(&server.url(), one()));
    assert_adds_up(&report);
    let c = report.counts;
    let late = report.timeline.failed_calls.iter().filter(|call| call.waited_s > 0.25).count();
    assert_eq!((c.answered + c.failed, c.failed), (20, late as u64), "{:?}", report.errors);
    assert_eq!(c.reconnects + c.failed, closed.swap(0, SeqCst), "{c:?}");
    assert!(c.reconnects > 0 && c.reconnects + c.failed >= 10, "{c:?}");
    // A POST may have had its effect already: it is not sent twice.
    let post = Request::get().with_method("POST");
    let report = run(plan(&server.url(), one()).with_request(post));
    assert_adds_up(&report);
    assert_eq!(report.counts.reconnects, 0);
    assert_eq!(report.errors["head-closed-early"], closed.load(SeqCst));
    assert!(report.counts.failed >= 8, "{:?}", report.errors);
}

#[test]
fn a_call_that_was_reset_late_has_failed() {
    // The server had the second call for half a second before it broke off.
    let server = OddServer::start(|conversation| {
        if conversation.requests(1) {
            conversation.answer(1);
            if conversation.requests(1) {
                thread::sleep(millis(500));
                conversation.reset();
            }
        }
    });
    let report = run(plan(&server.url(), at(10.0).with_connections(1)).with_drain(LIMIT));
    assert_adds_up(&report);
    assert_eq!(report.counts.reconnects, 0);
    assert!(report.errors["head-reset"] >= 1, "{:?}", report.errors);
}

#[test]
fn a_server_that_closes_with_its_reply_parks_nobody() {
    // No `Connection: close` is said, and the other direction stays open: nothing
    // but the FIN tells that no second call can be made.
    let server = OddServer::start(|conversation| {
        if conversation.requests(1) {
            socket2::SockRef::from(&conversation.stream).set_tcp_cork(true).unwrap();
            conversation.answer(1);
            conversation.stream.shutdown(std::net::Shutdown::Write).unwrap();
            conversation.until_the_end();
        }
    });
    let load = Load::established(Schedule::Closed).with_connections(2);
    let report = run_until(endless(&server.url(), load), |so_far| so_far.answered > 20, || ());
    assert_adds_up(&report);
    assert_eq!(report.counts.failed, 0, "{:?}", report.errors);
}

#[test]
fn a_dead_server_is_named_before_anything_is_measured() {
    let (_nobody, address) = nobody();
    let error = Engine::new(plan(&format!("http://{address}/"), at(1.0))).unwrap_err();
    assert!(matches!(error, RunError::Connect { .. }), "{error:?}");
    assert!(error.to_string().contains("is the server running?"), "{error}");
}

#[test]
fn an_attempt_to_connect_is_no_connection_opened() {
    let server = target(TargetOptions::new().with_listen(SocketAddr::from(([127, 0, 0, 78], 0))));
    let load = Load::fresh(Schedule::constant(200.0));
    let handle = Engine::new(endless(&server.url(), load)).unwrap().start().unwrap();
    wait_until("it answers", || handle.snapshot().answered >= 20);
    server.stop().unwrap();
    wait_until("calls fail", || handle.snapshot().failed >= 20);
    handle.stop();
    let report = handle.join().unwrap();
    let in_connect = report.errors.iter().filter(|(class, _)| class.starts_with("connect-"));
    let in_connect: u64 = in_connect.map(|(_, calls)| calls).sum();
    let counts = &report.counts;
    assert!(in_connect > 0, "{:?}", report.errors);
    assert_eq!(counts.connections_opened + in_connect, counts.started, "{:?}", report.errors);
    let to: u64 = report.connected_to.unwrap().addresses.iter().map(|one| one.opened).sum();
    assert_eq!(to, counts.connections_opened);
}

/// On an address of its own, where nobody else takes the port meanwhile, and no
/// connection to it starts from it.
#[test]
fn a_server_that_dies_and_comes_back() {
    let listen = SocketAddr::from(([127, 0, 0, 77], 0));
    let server = target(TargetOptions::new().with_listen(listen));
    let address = server.local_addr();
    let handle = Engine::new(endless(&server.url(), at(200.0))).unwrap().start().unwrap();
    handle.clock().unwrap();
    wait_until("it answers", || handle.snapshot().answered >= 20);
    server.stop().unwrap();
    wait_until("calls fail", || handle.snapshot().failed >= 20);
    let again = target(TargetOptions::new().with_listen(address));
    let before = handle.snapshot().answered;
    wait_until("it answers again", || handle.snapshot().answered >= before + 20);
    handle.stop();
    let report = handle.join().unwrap();
    assert_adds_up(&report);
    let refused = report.errors.get("connect-refused").copied().unwrap_or(0);
    assert!(refused >= 10, "{:?}", report.errors);
    assert!(again.stop().unwrap().requests_read >= 20);
}

#[test]
fn thousands_of_failures_do_not_fill_the_report() {
    let server = OddServer::start(|_| ());
    let load = fresh_at(22_000.0).with_connections(8000);
    let report = run(plan(&server.url(), load).with_drain(Duration::from_secs(20)));
    assert_adds_up(&report);
    let timeline = &report.timeline;
    assert_eq!(timeline.failed_calls.len(), 10_000);
    let bad = report.counts.failed + report.counts.shed + report.counts.unfinished;
    assert_eq!(timeline.failed_calls_total, bad);
}
