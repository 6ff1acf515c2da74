//! Triggers that talk without pause, or never come back, and observers that panic: a migration
//! has its limit and its report nevertheless.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::{
    Context, MigrationError, MigrationProgress, MigrationRun, ReachCheck, Settled, Stage, Trigger,
    TriggerError, VmFacts,
};
use crate::error::RunError;
use crate::event::{Event, EventKind};
use crate::report::{Report, VerdictStatus};
use crate::{Load, Plan, Schedule, Target};

/// A trigger that is never silent ends by itself after so many events, 5 ms apart. A
/// limit that holds is there long before, however slow the machine is: what is counted
/// are looks.
const ENOUGH: u32 = 2000;

#[derive(Debug, Default)]
struct Chatty {
    obeys: bool,
    cancelled: bool,
    told: Arc<AtomicU32>,
}

impl Trigger for Chatty {
    fn name(&self) -> &str {
        "test"
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        Ok(VmFacts::default())
    }

    fn arm(&mut self, _: &Context) -> Result<(), TriggerError> {
        Ok(())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        Ok(())
    }

    fn next_event(&mut self, _: Duration) -> Result<Option<Event>, TriggerError> {
        thread::sleep(Duration::from_millis(5));
        let kind = match self.told.fetch_add(1, SeqCst) {
            ENOUGH.. => EventKind::Completed,
            _ if self.cancelled && self.obeys => EventKind::Cancelled,
            _ => EventKind::Progress,
        };
        Ok(Some(Event::new(kind, 0, 0, "test")))
    }

    fn cancel(&mut self) -> Result<(), TriggerError> {
        self.cancelled = true;
        Ok(())
    }
}

fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    if stream.write_all(reply).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn run(
    trigger: Box<dyn Trigger>,
    limit: Duration,
    interrupt: &AtomicBool,
    observe: &mut dyn FnMut(MigrationProgress<'_>),
) -> Result<Report, MigrationError> {
    let target = Target::parse(&format!("http://{}/", server())).unwrap();
    let load = Load::established(Schedule::constant(50.0)).with_connections(1);
    MigrationRun::new(Plan::new(target, load), trigger)
        .with_before(Duration::from_millis(50))
        .with_after(Duration::from_millis(50))
        .with_limit(limit)
        .with_reach_check(ReachCheck::Off, 200.0)
        .run(interrupt, observe)
}

/// The reasons of the verdict of a run with a trigger that is never silent.
fn reasons(obeys: bool, limit: Duration, interrupt_after: u32) -> String {
    let told = Arc::new(AtomicU32::new(0));
    let chatty = Chatty { obeys, told: Arc::clone(&told), ..Chatty::default() };
    let interrupt = AtomicBool::new(false);
    let report = run(Box::new(chatty), limit, &interrupt, &mut |_| {
        if told.load(SeqCst) >= interrupt_after {
            interrupt.store(true, SeqCst);
        }
    });
    let report = report.unwrap();
    assert!(told.load(SeqCst) < ENOUGH, "the limit did not hold");
    report.verdict.reasons.join("; ")
}

#[test]
fn the_limit_holds_while_the_trigger_talks() {
    let why = reasons(true, Duration::from_millis(20), u32::MAX);
    assert!(why.contains("its limit: it was asked to be cancelled"), "{why}");
    assert!(why.contains("the migration was cancelled"), "{why}");
}

#[test]
fn the_grace_of_a_cancel_holds_while_the_trigger_talks() {
    let why = reasons(false, Duration::from_millis(20), u32::MAX);
    assert!(why.contains("cancelling the migration"), "{why}");
    let why = reasons(false, Duration::from_secs(600), 5);
    assert!(why.contains("cancelling the migration"), "{why}");
}

/// Does not come back from one of its methods before its other side is dropped.
struct Stuck {
    method: &'static str,
    until: Receiver<()>,
    cancelled: bool,
}

impl Stuck {
    fn at(method: &'static str) -> (Box<dyn Trigger>, Sender<()>) {
        let (let_go, until) = channel();
        (Box::new(Self { method, until, cancelled: false }), let_go)
    }

    fn at_method(&self, method: &str) {
        if self.method == method {
            let _ = self.until.recv();
        }
    }
}

impl Trigger for Stuck {
    fn name(&self) -> &str {
        "stuck"
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        self.at_method("inspect");
        Ok(VmFacts::default())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        self.at_method("fire");
        Ok(())
    }

    fn next_event(&mut self, _: Duration) -> Result<Option<Event>, TriggerError> {
        self.at_method("next_event");
        let is_over = self.method == "settle" || self.cancelled;
        thread::sleep(Duration::from_millis(1));
        Ok(is_over.then(|| Event::new(EventKind::Completed, 0, 0, "test")))
    }

    fn cancel(&mut self) -> Result<(), TriggerError> {
        self.at_method("cancel");
        self.cancelled = true;
        Ok(())
    }

    fn settle(&mut self, last: &Event) -> Result<Settled, TriggerError> {
        self.at_method("settle");
        Ok(Settled::of(last))
    }
}

#[test]
fn a_trigger_that_does_not_come_back_costs_neither_the_end_nor_the_report() {
    let (short, long) = (Duration::from_millis(20), Duration::from_secs(600));
    for (method, limit) in [
        ("fire", short),
        ("next_event", short),
        ("cancel", short),
        ("settle", short),
        ("fire", long),
        ("next_event", long),
        ("cancel", long),
    ] {
        let (stuck, _let_go) = Stuck::at(method);
        let interrupt = AtomicBool::new(false);
        let mut shown = 0;
        let report = run(stuck, limit, &interrupt, &mut |now| {
            // Progress goes on meanwhile.
            shown += u32::from(now.stage == Stage::Migrating);
            if shown > 3 {
                interrupt.fetch_or(limit == long, SeqCst);
            }
        });
        let report = report.unwrap();
        let why = report.verdict.reasons.join("; ");
        let case = format!("{method}, {limit:?}: {why}");
        assert_eq!(report.verdict.status, VerdictStatus::Invalid, "{case}");
        assert!(why.contains(&format!("did not come back from '{method}'")), "{case}");
        assert_eq!(why.contains("may still be going on"), method != "settle", "{case}");
        assert_eq!(report.interrupted, limit == long, "{case}");
        assert!(report.counts.answered > 0 && shown > 3, "{case}");
        assert_eq!(report.migration.unwrap().trigger, "stuck");
    }
}

#[test]
fn a_trigger_that_is_never_ready_is_given_up_by_an_interrupt() {
    let (stuck, _let_go) = Stuck::at("inspect");
    let interrupt = AtomicBool::new(true);
    let error = run(stuck, Duration::from_secs(600), &interrupt, &mut |_| {}).unwrap_err();
    assert!(matches!(error, MigrationError::Run(RunError::Stopped)), "{error}");
}

#[test]
fn a_trigger_that_answers_late_is_waited_for() {
    let (stuck, let_go) = Stuck::at("next_event");
    let (mut let_go, mut shown) = (Some(let_go), 0);
    let interrupt = AtomicBool::new(false);
    let report = run(stuck, Duration::from_millis(20), &interrupt, &mut |now| {
        shown += u32::from(now.stage == Stage::Migrating);
        if shown > 3 {
            let_go = None;
        }
    });
    let why = report.unwrap().verdict.reasons.join("; ");
    assert!(why.contains("its limit: it was asked to be cancelled"), "{why}");
    assert!(!why.contains("come back from"), "{why}");
}

#[test]
fn an_observer_that_panics_costs_no_report() {
    let (trigger, _let_go) = Stuck::at("nowhere");
    let interrupt = AtomicBool::new(false);
    let mut shown = 0;
    let report = run(trigger, Duration::from_millis(20), &interrupt, &mut |now| {
        shown += u32::from(now.stage == Stage::Migrating);
        assert!(shown < 2, "its own fault");
    });
    let report = report.unwrap();
    let why = report.verdict.reasons.join("; ");
    assert!(why.contains("the program's observer panicked: its own fault"), "{why}");
    // The migration went on, and was told to the end.
    assert!(why.contains("its limit: it was asked to be cancelled"), "{why}");
    assert_eq!((report.verdict.status, shown), (VerdictStatus::Invalid, 2));
}
