//! Triggers that tell something without pause: a migration has its limit nevertheless.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use super::{Context, MigrationRun, ReachCheck, Trigger, TriggerError, VmFacts};
use crate::event::{Event, EventKind};
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

/// The reasons of the verdict of a run with a trigger that is never silent.
fn reasons(obeys: bool, limit: Duration, interrupt_after: u32) -> String {
    let target = Target::parse(&format!("http://{}/", server())).unwrap();
    let stream = Load::established(Schedule::constant(50.0)).with_connections(1);
    let told = Arc::new(AtomicU32::new(0));
    let chatty = Chatty { obeys, told: Arc::clone(&told), ..Chatty::default() };
    let interrupt = AtomicBool::new(false);
    let report = MigrationRun::new(Plan::new(target, stream), Box::new(chatty))
        .with_before(Duration::from_millis(50))
        .with_after(Duration::from_millis(50))
        .with_limit(limit)
        .with_reach_check(ReachCheck::Off, 200.0)
        .run(&interrupt, &mut |_| {
            if told.load(SeqCst) >= interrupt_after {
                interrupt.store(true, SeqCst);
            }
        })
        .unwrap();
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
