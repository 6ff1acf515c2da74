//! Sweeps and migrations on threads of their own: watched, stopped, awaited; and code of the
//! embedding program that panics in them.

use std::time::Duration;

use loadgen_core::migration::{Context, MigrationRun, Stage, Trigger, TriggerError};
use loadgen_core::report::VerdictStatus;
use loadgen_core::session::{Observer, Script, Sessions, Uris};
use loadgen_core::sweep::{Steps, Sweep, SweepError};
use loadgen_core::target_server::{RunningTarget, TargetOptions};
use loadgen_core::{Engine, Event, EventKind, Load, Plan, Schedule};

use crate::common::{millis, target, wait_until};

fn plan(server: &RunningTarget, rate: f64) -> Plan {
    Plan::new(server.url().parse().unwrap(), Load::established(Schedule::constant(rate)))
}

fn steps(text: &str) -> Steps {
    text.parse().unwrap()
}

#[test]
fn a_sweep_is_watched_and_stopped() {
    let server = target(TargetOptions::new());
    let sweep = Sweep::new(plan(&server, 1.0).with_duration(millis(300))).unwrap();
    let sweep = sweep.start(steps("100..900/100")).unwrap();
    wait_until("the second step goes on", || {
        let now = sweep.snapshot();
        assert!(now.of.is_none_or(|of| of == 9));
        now.index >= 1 && now.load.answered > 0
    });
    let so_far = sweep.so_far().points.len();
    assert!(so_far >= 1 && !sweep.is_finished());
    sweep.stop();
    let report = sweep.join().unwrap();
    assert!(report.interrupted && report.points.len() >= so_far);
    assert!(report.points.len() < 9, "{}", report.points.len());
}

#[test]
fn what_a_sweep_measured_before_it_broke_is_kept() {
    let server = target(TargetOptions::new());
    let sweep = Sweep::new(plan(&server, 1.0).with_duration(millis(200))).unwrap();
    let sweep = sweep.with_pause(millis(200)).start(steps("50,60")).unwrap();
    wait_until("the first step is over", || !sweep.so_far().points.is_empty());
    drop(server);
    let broken = sweep.join().unwrap_err();
    assert!(matches!(broken.reason, SweepError::Run { .. }), "{broken}");
    assert_eq!(broken.to_string(), broken.reason.to_string());
    assert_eq!(broken.so_far.points.len(), 1);
}

/// Completes when it is asked for the second time; may panic in between.
struct Quick {
    asked: u32,
    panics: bool,
    clock: Option<loadgen_core::clock::Clock>,
}

impl Trigger for Quick {
    fn name(&self) -> &str {
        "quick"
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.clock = Some(context.clock);
        Ok(())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        Ok(())
    }

    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        std::thread::sleep(timeout);
        self.asked += 1;
        assert!(!self.panics, "out of order");
        let at = self.clock.as_ref().unwrap().now();
        Ok((self.asked > 1).then(|| Event::new(EventKind::Completed, at, 0, "quick")))
    }
}

fn quick(panics: bool) -> Box<Quick> {
    Box::new(Quick { asked: 0, panics, clock: None })
}

#[test]
fn a_migration_is_watched_to_its_end_or_stopped() {
    let server = target(TargetOptions::new());
    let run = MigrationRun::new(plan(&server, 100.0), quick(false));
    let run = run.with_before(millis(300)).with_after(millis(300)).start().unwrap();
    assert_eq!(run.snapshot().events.min(1), 0);
    let report = run.join().unwrap();
    assert!(report.migration.is_some());
    let run = MigrationRun::new(plan(&server, 100.0), quick(false));
    let run = run.with_before(Duration::from_secs(600)).start().unwrap();
    wait_until("the load goes on", || run.snapshot().load.answered > 10);
    assert_eq!(run.snapshot().stage, Stage::Before);
    assert!(!run.is_finished());
    run.stop();
    let report = run.join().unwrap();
    assert!(report.interrupted && report.counts.answered > 10);
}

#[test]
fn a_trigger_that_panics_costs_no_report() {
    let server = target(TargetOptions::new());
    let run = MigrationRun::new(plan(&server, 100.0), quick(true));
    let run = run.with_before(millis(300)).with_after(millis(300));
    let report = run.start().unwrap().join().unwrap();
    assert!(report.counts.answered > 50, "{:?}", report.counts);
    assert_eq!(report.verdict.status, VerdictStatus::Invalid);
    let reasons = report.verdict.reasons.join("; ");
    let why = "the trigger broke down: the program's trigger panicked: out of order";
    assert!(reasons.contains(why), "{reasons}");
}

struct Clumsy(u32);

impl Observer for Clumsy {
    fn uri(&mut self, _: &[u8]) {
        self.0 += 1;
        assert!(self.0 < 3, "lost count");
    }
}

#[test]
fn an_observer_that_panics_costs_no_report() {
    let server = target(TargetOptions::new());
    let mut sessions = Sessions::scripted(Script::Bursts { calls: 1, burst: 1, think_s: 0.0 });
    sessions.uris = Uris::List { uris: vec!["/".into()], wrap: true };
    sessions.count = Some(1_000_000);
    let plan = plan(&server, 50.0).with_sessions(sessions);
    let run = Engine::new(plan).unwrap().start_observed(Box::new(Clumsy(0))).unwrap();
    let report = run.join().unwrap();
    assert_eq!(report.workers_lost, 1);
    let reasons = report.verdict.reasons.join("; ");
    let why = "the program's observer of sessions panicked: lost count";
    assert!(reasons.contains(why) && !reasons.contains("defect of loadgen"), "{reasons}");
}
