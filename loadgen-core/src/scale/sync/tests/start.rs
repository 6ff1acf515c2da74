//! The way to the start.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::{LONG, TOKEN, host, host_at, join, join_at, started, token};
use crate::clock::monotonic_ns;
use crate::scale::sync::{MeetingGuest, Refusal, SyncError};

#[test]
fn all_agree_on_a_start() {
    let host = host(3);
    let guests = [2, 1].map(|index| join(&host, index, 3).unwrap());
    let (start, theirs) = started(&host, &guests);
    assert_eq!(start.bound_ns, 0);
    assert!(start.at_ns > monotonic_ns());
    for (guest, its) in guests.iter().zip(theirs) {
        let offset = guest.offset();
        assert_eq!(offset.exchanges, 32);
        assert!(offset.ns.unsigned_abs() <= offset.bound_ns, "{offset:?}");
        assert!(its.at_ns.abs_diff(start.at_ns) <= its.bound_ns, "{its:?} {start:?}");
        // It was decided once.
        assert_eq!(guest.ready().unwrap(), its);
    }
    assert_eq!(host.ready().unwrap(), start);
    assert!(host.lost().is_empty());
}

#[test]
fn one_shard_alone_waits_for_nobody() {
    assert_eq!(host(1).ready().unwrap().bound_ns, 0);
}

#[test]
fn the_clock_is_measured_again() {
    let host = host(2);
    let guest = join(&host, 1, 2).unwrap();
    assert_eq!(guest.clock_map().end, None);
    let between = monotonic_ns();
    let again = guest.measure_again().unwrap();
    let map = guest.clock_map();
    assert_eq!((map.begin, map.end), (guest.offset(), Some(again)));
    for own_ns in [map.begin.at_ns, between, again.at_ns, monotonic_ns()] {
        let mapped = map.to_host(own_ns);
        assert!(mapped.ns.abs_diff(own_ns) <= mapped.bound_ns, "{mapped:?} {map:?}");
    }
}

#[test]
fn a_guest_waits_until_somebody_listens() {
    // An address of its own: nobody else takes its port meanwhile.
    let early = TcpListener::bind("127.0.37.2:0").unwrap();
    let place = early.local_addr().unwrap().to_string();
    thread::scope(|scope| {
        let guest = scope.spawn(|| join_at(&place, 1, 2));
        // It came, and there was nobody behind the door; then there is not even a door.
        drop(early.accept().unwrap());
        drop(early);
        let host = host_at(&place, 2, LONG);
        let guest = guest.join().unwrap().unwrap();
        started(&host, &[guest]);
    });
}

#[test]
fn a_guest_does_not_wait_for_ever() {
    let nobody = TcpListener::bind("127.0.37.3:0").unwrap().local_addr().unwrap().to_string();
    let shard = "1/2".parse().unwrap();
    let joined = MeetingGuest::join(&nobody, shard, "plan", &token(), Duration::ZERO);
    let error = joined.unwrap_err();
    assert!(matches!(error, SyncError::NobodyListens { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&nobody) && text.contains("time-out"), "{text}");
}

#[test]
fn whoever_is_missing_is_named() {
    let host = host_at("127.0.0.1:0", 4, Duration::ZERO);
    let guest = join(&host, 1, 4).unwrap();
    let place = host.local_addr().to_string();
    let other = MeetingGuest::join(&place, "3/4".parse().unwrap(), "other", &token(), LONG);
    assert!(other.is_err());
    let error = host.ready().unwrap_err();
    let text = error.to_string();
    let SyncError::Missing { absent, unready, .. } = error else { panic!("{text}") };
    assert_eq!((absent, unready), (vec![2, 3], vec![1]));
    assert!(text.contains("shards 2, 3 were not there and shard 1 was not ready"), "{text}");
    assert!(text.contains("127.0.0.1 (shard 3/4): its plan is another one"), "{text}");
    // The others are told, and do not wait themselves.
    let error = guest.ready().unwrap_err();
    assert!(matches!(error, SyncError::Refused { refusal: Refusal::Missing, .. }), "{error:?}");
}

#[test]
fn nobody_waits_for_a_host_that_is_gone() {
    for is_waiting in [false, true] {
        let host = host(3);
        let guest = join(&host, 1, 3).unwrap();
        let error = thread::scope(|scope| {
            if !is_waiting {
                drop(host);
                return guest.ready().unwrap_err();
            }
            let waiting = scope.spawn(|| guest.ready().unwrap_err());
            drop(host);
            waiting.join().unwrap()
        });
        assert!(matches!(error, SyncError::HostGone { .. }), "{error:?}");
        assert!(guest.measure_again().is_err());
    }
}

/// A way to the host on which all is written down.
fn overheard(host: SocketAddr) -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let record = Arc::new(Mutex::new(Vec::new()));
    let (there, back) = (Arc::clone(&record), Arc::clone(&record));
    thread::spawn(move || {
        let (guest, _) = listener.accept().unwrap();
        let host = TcpStream::connect(host).unwrap();
        let ends = (guest.try_clone().unwrap(), host.try_clone().unwrap());
        thread::spawn(move || pass(guest, host, &there));
        pass(ends.1, ends.0, &back);
    });
    (place, record)
}

fn pass(mut from: TcpStream, mut to: TcpStream, record: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 512];
    while let Ok(n) = from.read(&mut bytes) {
        record.lock().unwrap().extend_from_slice(&bytes[..n]);
        if n == 0 || to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn the_token_is_never_sent() {
    let host = host(2);
    let (place, record) = overheard(host.local_addr());
    let guests = [join_at(&place, 1, 2).unwrap()];
    started(&host, &guests);
    guests.into_iter().for_each(MeetingGuest::goodbye);
    assert_eq!(host.wait_for_goodbyes(LONG), [0; 0]);
    let record = String::from_utf8(record.lock().unwrap().clone()).unwrap();
    for said in ["loadgen-sync/1 ", "join 1/2 plan ", "welcome ", "ready", "start ", "goodbye"] {
        assert!(record.contains(said), "{said}: {record}");
    }
    assert!(record.lines().all(|line| line.len() < 256));
    let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
    for word in TOKEN.split(' ').chain([hex.as_str()]) {
        assert!(!record.contains(word), "{word}: {record}");
    }
}
