//! Runs whose name is resolved again for each connection, by an invented resolver.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::Engine;
use crate::net::endpoint::Endpoint;
use crate::net::lookups::Lookup;
use crate::report::Report;
use crate::target_server::{RunningTarget, TargetOptions, TargetServer};
use crate::{ConnectTo, Load, Plan, Schedule, Snapshot, Target};

fn server() -> RunningTarget {
    TargetServer::bind(TargetOptions::new()).unwrap().spawn().unwrap()
}

fn endpoint(server: &RunningTarget) -> Endpoint {
    let url = server.url();
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    Endpoint::Tcp(address.parse().unwrap())
}

/// A load on a name, which leads to the server when the run begins.
fn plan(server: &RunningTarget, load: Load) -> Plan {
    let port = endpoint(server).tcp().unwrap().port();
    let place: ConnectTo = format!("localhost:{port}").parse().unwrap();
    let target = Target::parse("http://service.test/").unwrap().with_connect_to(place);
    Plan::new(target.with_resolve_again(), load).with_timeout(Duration::from_secs(30))
}

/// Goes on until enough has happened.
fn run(
    plan: Plan,
    lookup: impl FnMut() -> io::Result<Vec<Endpoint>> + Send + 'static,
    enough: impl Fn(&Snapshot) -> bool,
) -> Report {
    let mut engine = Engine::new(plan).unwrap();
    assert!(engine.lookup.replace(Lookup::new(lookup)).is_some());
    let handle = engine.start().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !enough(&handle.snapshot()) {
        assert!(Instant::now() < deadline, "in vain: {:?}", handle.snapshot());
        std::thread::sleep(Duration::from_millis(2));
    }
    handle.stop();
    handle.join().unwrap()
}

#[test]
fn a_service_that_moves_is_followed() {
    for (threads, load) in [
        (1, Load::fresh(Schedule::constant(500.0))),
        (2, Load::fresh(Schedule::Closed).with_connections(4)),
        (1, Load::established(Schedule::constant(500.0)).with_calls_per_connection(3)),
    ] {
        let (old, new) = (server(), server());
        let (here, there) = (endpoint(&old), endpoint(&new));
        let has_moved = Arc::new(AtomicBool::new(false));
        let moved = Arc::clone(&has_moved);
        let (a, b) = (here.clone(), there.clone());
        let lookup = move || Ok(vec![if moved.load(SeqCst) { b.clone() } else { a.clone() }]);
        let report = run(plan(&old, load).with_threads(threads), lookup, |now| {
            if now.answered >= 50 {
                has_moved.store(true, SeqCst);
            }
            now.answered >= 150 && has_moved.load(SeqCst)
        });
        assert!(report.errors.is_empty() && report.counts.answered >= 150, "{:?}", report.errors);
        let to = report.connected_to.unwrap();
        let [first, last] = &to.addresses[..] else { panic!("{to:?}") };
        assert_eq!([&first.address, &last.address], [&here.to_string(), &there.to_string()]);
        // Of two threads one may still begin a connection by the lookup before, while the
        // other has the next one already.
        assert!(threads > 1 || first.last_s <= last.first_s, "{to:?}");
        assert!(first.first_s <= last.first_s && first.last_s <= last.last_s, "{to:?}");
        let begun = first.connections + last.connections;
        assert_eq!(begun, first.opened + last.opened);
        assert_eq!(begun, report.counts.connections_opened, "{to:?}");
        // One lookup may serve several connections, never the other way round.
        assert!((2..=begun).contains(&to.lookups.unwrap()), "{to:?}");
        assert_eq!((to.lookups_failed, to.lookup_error), (Some(0), None));
    }
}

#[test]
fn a_name_that_cannot_be_resolved_is_failed_calls_and_no_end_of_the_run() {
    let server = server();
    let there = endpoint(&server);
    let mut lookups = 0;
    let lookup = move || {
        lookups += 1;
        let fails = (3..9).contains(&lookups);
        if fails { Err(io::Error::other("no such name")) } else { Ok(vec![there.clone()]) }
    };
    let load = Load::fresh(Schedule::constant(500.0));
    let report = run(plan(&server, load), lookup, |now| now.failed >= 6 && now.answered >= 50);
    assert!(report.errors["connect-resolve"] >= 6, "{:?}", report.errors);
    assert_eq!(report.errors.len(), 1, "{:?}", report.errors);
    let to = report.connected_to.unwrap();
    assert_eq!((to.lookups_failed, to.lookup_error), (Some(6), Some("no such name".to_owned())));
    assert_eq!(to.addresses[0].opened, report.counts.answered);
    let example = report.error_examples.iter().find(|e| e.class == "connect-resolve").unwrap();
    assert_eq!(example.errno, None);
}

#[test]
fn calls_that_wait_for_the_resolver_run_out_of_time_and_the_run_ends() {
    let server = server();
    let there = endpoint(&server);
    let (release, held) = mpsc::channel::<()>();
    let lookup = move || {
        // Until the run is over.
        let _ = held.recv();
        Ok(vec![there.clone()])
    };
    let load = Load::fresh(Schedule::constant(200.0));
    let plan = plan(&server, load).with_timeout(Duration::from_millis(50));
    let report = run(plan, lookup, |now| now.failed >= 10);
    drop(release);
    assert_eq!(report.counts.answered, 0);
    assert!(report.errors["connect-timeout"] >= 10, "{:?}", report.errors);
    let to = report.connected_to.unwrap();
    assert!(to.addresses.is_empty(), "{to:?}");
}

#[test]
fn the_wait_for_the_resolver_is_part_of_the_response_time_and_told_as_its_cause() {
    let server = server();
    let there = endpoint(&server);
    let mut first = true;
    let lookup = move || {
        if std::mem::take(&mut first) {
            std::thread::sleep(Duration::from_millis(400));
        }
        Ok(vec![there.clone()])
    };
    let load = Load::fresh(Schedule::constant(50.0));
    let report = run(plan(&server, load), lookup, |now| now.answered >= 20);
    assert!(report.response_time.max_us.is_some_and(|us| us >= 390_000.0), "{report:?}");
    let slow = report.slow_calls.unwrap();
    assert!(slow.causes["resolution"].calls >= 1, "{slow:?}");
}
