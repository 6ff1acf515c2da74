//! Sessions against real sockets: the built-in server where it does, hand-made
//! misbehaving servers where it does not.

mod as_calls;
mod courses;
mod failing;
mod limits;
mod settings;

use std::time::Duration;

use loadgen_core::report::SessionsReport;
use loadgen_core::session::{Limits, Script, Sessions};
use loadgen_core::{Engine, GapLaw, Gaps, Load, Plan, Report, Schedule, Target};

const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";

/// No server needs so long, on whatever machine.
fn limits() -> Limits {
    Limits::new(Duration::from_secs(30), Duration::ZERO)
}

fn every(gap_s: f64) -> Schedule {
    Schedule::Drawn(Gaps { law: GapLaw::Constant { gap_s }, client: 0 })
}

fn plan(port: u16, schedule: Schedule, sessions: Sessions) -> Plan {
    let target = Target::host_port("127.0.0.1", port, false).unwrap();
    let is_closed = schedule == Schedule::Closed;
    let load = Load::established(schedule);
    // One after the other.
    let at_once = if is_closed { 1 } else { load.connections() };
    Plan::new(target, load.with_connections(at_once)).with_sessions(sessions)
}

fn run(plan: Plan) -> (SessionsReport, Report) {
    checked(Engine::new(plan).unwrap().run().unwrap())
}

/// The sums that hold whatever happens, and what sessions counted.
fn checked(report: Report) -> (SessionsReport, Report) {
    let c = &report.counts;
    assert_eq!(c.offered, c.started + c.shed, "{c:?}");
    assert_eq!(c.started, c.answered + c.failed + c.unfinished, "{c:?}");
    assert_eq!(c.failed, report.errors.values().sum::<u64>(), "{c:?}");
    (report.sessions.clone().unwrap(), report)
}

fn connections(count: u64, calls: u64) -> Sessions {
    Sessions::connections(calls).with_count(count).with_limits(limits()).without_preflight()
}

fn scripted(count: u64, script: Script) -> Sessions {
    Sessions::scripted(script).with_count(count).with_limits(limits()).without_preflight()
}
