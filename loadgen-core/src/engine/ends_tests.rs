//! Whether the log of a run has the end of every kept-alive connection, however it came.

use super::Engine;
use crate::clock::Nanos;
use crate::record::ConnectionEnd;
use crate::session::{Script, Sessions};
use crate::target_server::{TargetOptions, TargetServer};
use crate::{Load, Plan, Schedule, Target};

fn ends(sessions: Sessions) -> (Vec<ConnectionEnd>, bool) {
    let server = TargetServer::bind(TargetOptions::new()).unwrap().spawn().unwrap();
    let load = Load::established(Schedule::constant(100.0));
    let plan = Plan::new(Target::parse(&server.url()).unwrap(), load)
        .with_sessions(sessions)
        .with_call_log(1000);
    let finished = Engine::new(plan).unwrap().start().unwrap().finish().unwrap();
    server.stop().unwrap();
    (finished.connections.iter().copied().collect(), finished.connections.is_whole())
}

/// The built-in server closes after its reply to HTTP/1.0; of two calls that were sent
/// together one is left.
#[test]
fn a_session_tells_how_many_calls_it_sends_again() {
    let mut old = Sessions::scripted(Script::Bursts { calls: 3, burst: 3, think_s: 0.0 });
    old.head.minor_version = 0;
    let (ends, _) = ends(Sessions { count: Some(4), ..old });
    let lost: Vec<u32> =
        ends.iter().filter(|end| end.loss.is_some()).map(|end| end.again).collect();
    assert_eq!(lost, [1; 4], "{ends:?}");
}

#[test]
fn sessions_close_their_connections_as_planned() {
    let bursts = Script::Bursts { calls: 3, burst: 3, think_s: 0.0 };
    let mut wide = Sessions::scripted(bursts);
    wide.calls_in_flight = 1;
    // One each. The later two of three calls find no room on one.
    for (sessions, each) in [(Sessions::connections(2), 1), (wide, 2)] {
        let (ends, is_whole) = ends(Sessions { count: Some(4), ..sessions });
        assert!(is_whole);
        let planned = |end: &&ConnectionEnd| end.loss.is_none() && end.ended < Nanos::MAX;
        assert_eq!(ends.iter().filter(planned).count(), 4 * each, "{ends:?}");
        assert_eq!(ends.len(), 4 * each);
    }
}
