//! A machine of tests, which does what its script says.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use super::trigger::{Context, Ending, Settled, Trigger, TriggerError};
use crate::clock::Clock;
use crate::event::{Event, EventKind};

/// What all machines did, in the order of time.
pub(super) type Log = Arc<Mutex<Vec<String>>>;

/// Stops, resumes and completes at once, or waits until it is cancelled.
#[derive(Clone)]
pub(super) struct Invented {
    name: &'static str,
    log: Log,
    clock: Option<Clock>,
    pub(super) script: Vec<EventKind>,
    refuses: Option<&'static str>,
    pub(super) is_cancellable: bool,
    pub(super) ended: Arc<AtomicU32>,
    /// Told that it may be armed.
    pub(super) gate: Option<Arc<Mutex<Receiver<()>>>>,
    /// What the machine's manager says in the end, whatever its events said.
    pub(super) ending: Option<Ending>,
}

impl Invented {
    pub(super) fn new(name: &'static str, log: &Log) -> Self {
        let script = vec![EventKind::Stop, EventKind::Resume, EventKind::Completed];
        Self {
            name,
            log: Arc::clone(log),
            clock: None,
            script,
            refuses: None,
            is_cancellable: true,
            ended: Arc::default(),
            gate: None,
            ending: None,
        }
    }

    pub(super) fn that(mut self, script: &[EventKind]) -> Self {
        self.script = script.to_vec();
        self
    }

    pub(super) fn that_refuses(mut self, what: &'static str) -> Self {
        self.refuses = Some(what);
        self
    }

    fn did(&self, what: &str) {
        self.log.lock().unwrap().push(format!("{} {what}", self.name));
    }

    fn refused(&self, what: &str) -> Result<(), TriggerError> {
        match self.refuses {
            Some(refused) if refused == what => Err(TriggerError::refused(what, "not today")),
            _ => Ok(()),
        }
    }
}

impl Trigger for Invented {
    fn name(&self) -> &str {
        self.name
    }

    fn check(&mut self) -> Result<(), TriggerError> {
        self.refused("check")
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.clock = Some(context.clock);
        if let Some(gate) = &self.gate {
            // Told nothing, it is armed too early, and the test fails.
            let _ = gate.lock().unwrap().recv_timeout(Duration::from_secs(60));
            self.did("armed");
        }
        self.refused("arm")
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        self.refused("fire")?;
        self.did("fired");
        Ok(())
    }

    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        self.refused("next_event")?;
        if self.script.is_empty() {
            sleep(timeout.min(Duration::from_millis(1)));
            return Ok(None);
        }
        let kind = self.script.remove(0);
        self.did(kind.name());
        let now = self.clock.unwrap().now();
        Ok(Some(Event::new(kind, now, 7, self.name)))
    }

    fn cancel(&mut self) -> Result<(), TriggerError> {
        self.did("asked to cancel");
        if !self.is_cancellable {
            return Err(TriggerError::Unsupported("post-copy has begun"));
        }
        self.script = vec![EventKind::Cancelled];
        Ok(())
    }

    fn settle(&mut self, last: &Event) -> Result<Settled, TriggerError> {
        let mut settled = Settled::of(last);
        settled.ending = self.ending.unwrap_or(settled.ending);
        settled.transferred_bytes = Some(100);
        settled.hypervisor_total = Some(Duration::from_millis(9));
        Ok(settled)
    }
}

impl Drop for Invented {
    fn drop(&mut self) {
        self.ended.fetch_add(1, SeqCst);
    }
}
