//! The engine against real sockets: the built-in server where it does, hand-made
//! misbehaving servers where it does not. A file each for a part of what it does.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod background;
mod calls;
mod checks;
mod closing;
mod common;
mod ends;
mod failing;
mod guest_clock;
mod handed_out;
mod handles;
#[cfg(feature = "tls")]
mod https;
#[cfg(feature = "tokio")]
mod in_tokio;
mod kernel_view;
mod large_replies;
mod limits;
mod loads;
mod lost_connections;
mod opening;
mod own_process;
mod own_requests;
mod pipelining;
mod places;
mod replay;
mod requests;
mod require;
mod schedules;
#[cfg(feature = "tls")]
mod secure_server;
mod sessions;
mod shards;
mod slow_reader;
#[cfg(feature = "tls")]
mod tunnels;

use std::time::Duration;

use loadgen_core::{Engine, Load, Plan, Report, Schedule, Target};

use crate::common::millis;

/// Half a second of load. The time limits are for servers that do not answer; none
/// of those that do needs so long, on whatever machine.
fn plan(url: &str, load: Load) -> Plan {
    endless(url, load).with_duration(millis(500))
}

fn endless(url: &str, load: Load) -> Plan {
    Plan::new(Target::parse(url).unwrap(), load).with_timeout(Duration::from_secs(30))
}

fn run(plan: Plan) -> Report {
    Engine::new(plan).unwrap().run().unwrap()
}

fn at(rate: f64) -> Load {
    Load::established(Schedule::constant(rate))
}

fn fresh_at(rate: f64) -> Load {
    Load::fresh(Schedule::constant(rate))
}

/// The sums that hold whatever happens (in runs without a warm-up).
fn assert_adds_up(report: &Report) {
    let c = &report.counts;
    assert_eq!(c.offered, c.started + c.shed, "{c:?}");
    assert_eq!(c.started, c.answered + c.failed + c.unfinished, "{c:?}");
    assert_eq!(c.failed, report.errors.values().sum::<u64>(), "{c:?} {:?}", report.errors);
    assert_eq!(c.answered, report.status.values().sum::<u64>(), "{c:?}");
    assert_eq!(report.response_time.count, c.answered);
    assert_eq!(report.service_time.count, c.answered);
    let windows = &report.timeline.windows;
    assert_eq!(windows.iter().map(|w| w.answered).sum::<u64>(), c.answered);
    assert_eq!(windows.iter().map(|w| w.offered).sum::<u64>(), c.offered);
    assert_eq!(windows.iter().map(|w| w.bytes_received).sum::<u64>(), report.bytes.received);
}
