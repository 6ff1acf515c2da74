//! Raw clients against the server.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{RunningTarget, TargetOptions, TargetServer};
use crate::clock::{MILLISECOND, monotonic_ns};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn start(options: TargetOptions) -> RunningTarget {
    TargetServer::bind(options).unwrap().spawn().unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// One reply: its head, and its body by Content-Length.
fn reply(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .split("Content-Length: ")
        .nth(1)
        .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

fn everything(stream: &mut TcpStream) -> String {
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    all
}

#[test]
fn split_requests_are_answered_on_one_connection() {
    let server = start(TargetOptions::new().with_body_bytes(5));
    let mut client = connect(server.local_addr());
    for _ in 0..3 {
        for piece in GET.chunks(9) {
            client.write_all(piece).unwrap();
        }
        let (head, body) = reply(&mut client);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(!head.contains("Connection"), "{head}");
        assert_eq!(body, b"xxxxx");
    }
    let truth = server.stop().unwrap();
    assert_eq!((truth.connections_accepted, truth.requests_read, truth.replies_sent), (1, 3, 3));
    assert_eq!(truth.bytes_received, 3 * GET.len() as u64);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = start(TargetOptions::new().with_delay(Duration::from_millis(2)));
    let mut client = connect(server.local_addr());
    let head = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    client.write_all(&[GET, post, head, last].concat()).unwrap();
    assert_eq!(reply(&mut client).1.len(), 100);
    assert_eq!(reply(&mut client).1.len(), 100);
    let rest = everything(&mut client);
    // The reply to HEAD has a length and no body.
    let heads: Vec<_> = rest.match_indices("HTTP/1.1 200 OK").map(|(at, _)| at).collect();
    assert_eq!(heads.len(), 2, "{rest}");
    assert!(rest[..heads[1]].ends_with("\r\n\r\n"), "{rest}");
    assert!(rest[heads[1]..].contains("Connection: close\r\n"), "{rest}");
    assert!(rest.ends_with(&"x".repeat(100)), "{rest}");
    assert_eq!(server.stop().unwrap().replies_sent, 4);
}

#[test]
fn thousands_of_pipelined_requests_pass_the_limit_of_one_connection() {
    let server = start(TargetOptions::new().with_body_bytes(0));
    let mut client = connect(server.local_addr());
    let mut sender = client.try_clone().unwrap();
    let n = 20_000;
    let thread = std::thread::spawn(move || {
        sender.write_all(&GET.repeat(n)).unwrap();
        // The replies must come although the sending side is closed.
        sender.shutdown(Shutdown::Write).unwrap();
    });
    let all = everything(&mut client);
    thread.join().unwrap();
    assert_eq!(all.matches("HTTP/1.1 200 OK").count(), n);
    let truth = server.stop().unwrap();
    assert_eq!((truth.requests_read, truth.replies_unsent), (n as u64, 0));
}

#[test]
fn bad_requests_are_refused_and_the_connection_ends() {
    let server = start(TargetOptions::new());
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let long = [b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec(), vec![b'y'; 200_000]].concat();
    let cases: [(&[u8], &str); 3] = [(b"rubbish\r\n\r\n", "400"), (chunked, "411"), (&long, "431")];
    for (bytes, status) in cases {
        let mut client = connect(server.local_addr());
        client.write_all(bytes).unwrap();
        let all = everything(&mut client);
        assert!(all.starts_with(&format!("HTTP/1.1 {status} ")), "{all}");
        assert!(all.contains("Connection: close\r\n"), "{all}");
    }
    let truth = server.stop().unwrap();
    assert_eq!((truth.requests_refused, truth.requests_read, truth.replies_sent), (3, 0, 0));
}

#[test]
fn http10_closes_unless_asked_not_to() {
    let server = start(TargetOptions::new().with_status(503));
    let mut client = connect(server.local_addr());
    client.write_all(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").unwrap();
    let (head, _) = reply(&mut client);
    assert!(head.contains(" 503 ") && head.contains("Connection: keep-alive\r\n"), "{head}");
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert!(everything(&mut client).contains("Connection: close\r\n"));
}

#[test]
fn the_keepalive_limit_ends_the_connection() {
    let server = start(TargetOptions::new().with_keepalive_limit(2));
    let mut client = connect(server.local_addr());
    client.write_all(&GET.repeat(3)).unwrap();
    let all = everything(&mut client);
    assert_eq!(all.matches("HTTP/1.1 200").count(), 2, "{all}");
    assert_eq!(all.matches("Connection: close").count(), 1, "{all}");
}

#[test]
fn slow_readers_and_large_bodies_hurt_nobody() {
    let body = 40_000_000;
    let server = start(TargetOptions::new().with_body_bytes(body));
    let mut slow = connect(server.local_addr());
    slow.write_all(GET).unwrap();
    let mut other = connect(server.local_addr());
    other.write_all(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut head = [0; 15];
    other.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    let (_, bytes) = reply(&mut slow);
    assert_eq!(bytes.len() as u64, body);
    assert!(bytes.iter().all(|b| *b == b'x'));
}

/// Waits until the server has seen all that came so far: it takes things in the order
/// in which they come, and refuses rubbish at once.
fn await_what_came(server: &RunningTarget) {
    let mut last = connect(server.local_addr());
    last.write_all(b"rubbish\r\n\r\n").unwrap();
    assert!(everything(&mut last).starts_with("HTTP/1.1 400 "));
}

#[test]
fn gone_clients_leave_unsent_replies() {
    let server = start(TargetOptions::new().with_delay(Duration::from_secs(60)));
    let mut client = connect(server.local_addr());
    client.write_all(GET).unwrap();
    let mut reset = connect(server.local_addr());
    reset.write_all(GET).unwrap();
    await_what_came(&server);
    socket2::SockRef::from(&reset).set_linger(Some(Duration::ZERO)).unwrap();
    drop(reset);
    await_what_came(&server);
    let truth = server.stop().unwrap();
    assert_eq!((truth.requests_read, truth.replies_sent, truth.replies_unsent), (2, 0, 2));
    assert_eq!(truth.connections_reset, 1);
}

/// The times of a file, line by line.
fn times<const N: usize>(file: &Path) -> Vec<[u64; N]> {
    let text = std::fs::read_to_string(file).unwrap();
    let row = |line: &str| {
        let times: Vec<u64> = line.split(' ').map(|time| time.parse().unwrap()).collect();
        times.try_into().unwrap()
    };
    text.lines().map(row).collect()
}

#[test]
fn replies_come_after_the_delay_and_the_times_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let (arrivals, calls) = (folder.path().join("arrivals"), folder.path().join("calls"));
    let options = TargetOptions::new()
        .with_delay(Duration::from_millis(20))
        .with_arrivals(&arrivals)
        .with_arrivals_limit(4)
        .with_calls(&calls)
        .with_calls_limit(3);
    let server = start(options);
    let mut client = connect(server.local_addr());
    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.push(monotonic_ns());
        client.write_all(GET).unwrap();
        reply(&mut client);
        let took = monotonic_ns() - sent.last().unwrap();
        assert!(took >= 20 * MILLISECOND, "{took} ns");
    }
    let truth = server.stop().unwrap();
    assert_eq!((truth.arrivals_kept, truth.arrivals_not_kept), (4, 1));
    assert_eq!((truth.calls_kept, truth.calls_not_kept), (3, 2));
    assert_eq!(truth.send_lateness.count, 5);
    let (arrivals, calls) = (times(&arrivals), times(&calls));
    assert_eq!((arrivals.len(), calls.len()), (4, 3));
    for ([arrival], pair) in arrivals.iter().zip(sent.windows(2)) {
        assert!((pair[0]..pair[1]).contains(arrival), "{arrival} {pair:?}");
    }
    for ([arrival], [came, reply]) in arrivals.iter().zip(&calls) {
        assert!(
            came <= arrival && *reply >= arrival + 20 * MILLISECOND,
            "{came} {arrival} {reply}"
        );
    }
}

/// Those who wait in the backlog are not all accepted before the first is answered, or
/// the first would wait for the last. By the share of the time that it takes, since
/// nothing else tells; a machine that stands still may spoil some tries, not all.
#[test]
fn who_came_first_is_answered_before_the_last_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls");
    let fair = (0..20).any(|_| {
        let server = TargetServer::bind(TargetOptions::new().with_calls(&file)).unwrap();
        let mut clients: Vec<TcpStream> = (0..400).map(|_| connect(server.local_addr())).collect();
        for client in &mut clients {
            client.write_all(GET).unwrap();
        }
        let server = server.spawn().unwrap();
        for client in &mut clients {
            reply(client);
        }
        let truth = server.stop().unwrap();
        let calls = times(&file);
        assert_eq!(calls.len(), clients.len());
        let took = |n: usize| calls[n][1] - truth.started_monotonic_ns;
        // The kernel had them before any was read, as in a freeze. (It begins to stamp a
        // little after it is first asked to.)
        let came_before = calls.iter().all(|[came, _]| *came < truth.started_monotonic_ns);
        came_before && 5 * took(31) < took(399)
    });
    assert!(fair);
}

/// When exactly it freezes is tested with invented times, in `behaviour`.
#[test]
fn in_a_freeze_nothing_is_answered_and_after_it_everything() {
    let (length, every) = (Duration::from_millis(300), Duration::from_millis(500));
    let server = start(TargetOptions::new().with_freeze(length, every));
    let mut client = connect(server.local_addr());
    let end = Instant::now() + Duration::from_millis(2200);
    let mut calls = Vec::new();
    while Instant::now() < end {
        let sent = monotonic_ns();
        client.write_all(GET).unwrap();
        reply(&mut client);
        calls.push((sent, monotonic_ns()));
    }
    let truth = server.stop().unwrap();
    // Four, but one may be missed where the machine stands still.
    assert!(truth.freezes.len() >= 2, "{truth:?}");
    let mut met = 0;
    for (n, freeze) in (1..).zip(&truth.freezes) {
        let (from, to) = (freeze.start_monotonic_ns, freeze.end_monotonic_ns);
        let planned = truth.started_monotonic_ns + n * 500 * MILLISECOND;
        assert!(planned <= from && from <= to, "{truth:?}");
        // It ends on the grid too, however late it began. The last one may be cut short by
        // the end of the server.
        let is_last = n == truth.freezes.len() as u64;
        assert!(is_last || planned + 300 * MILLISECOND <= to, "{truth:?}");
        // Nothing was answered in it. The call that met it was answered after it; there is
        // none only if the client did not run just then.
        assert!(!calls.iter().any(|(sent, got)| *sent > from && *got < to), "{freeze:?}");
        met += calls.iter().filter(|(sent, got)| *sent < to && *got > to).count();
    }
    assert!(met > 0, "{truth:?}");
}

#[test]
fn options_out_of_range_are_refused() {
    let second = Duration::from_secs(1);
    for options in [
        TargetOptions::new().with_status(100),
        TargetOptions::new().with_freeze(second, second),
        TargetOptions::new().with_freeze(Duration::ZERO, second),
        TargetOptions::new().with_delay(1000 * second),
        TargetOptions::new().with_arrivals("a").with_calls("a"),
    ] {
        assert!(TargetServer::bind(options).is_err());
    }
}

#[test]
fn two_workers_answer_two_requests_at_a_time() {
    let delay = Duration::from_millis(30);
    let server = start(TargetOptions::new().with_delay(delay).with_workers(2));
    let mut clients: Vec<TcpStream> = (0..6).map(|_| connect(server.local_addr())).collect();
    let sent = Instant::now();
    for client in &mut clients {
        client.write_all(GET).unwrap();
    }
    for (client, turn) in clients.iter_mut().zip([1, 1, 2, 2, 3, 3]) {
        reply(client);
        assert!(sent.elapsed() >= delay * turn, "turn {turn}: {:?}", sent.elapsed());
    }
    let truth = server.stop().unwrap();
    assert_eq!((truth.workers, truth.replies_sent), (Some(2), 6));
}

#[test]
fn workers_without_work_are_refused() {
    let error = TargetServer::bind(TargetOptions::new().with_workers(2)).unwrap_err().to_string();
    assert!(error.contains("the delay must be above 0"), "{error}");
}
