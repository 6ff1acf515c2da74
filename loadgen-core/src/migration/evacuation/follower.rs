//! A trigger on a thread of its own, so that the orders of one migration never wait for another.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use crate::event::Event;
use crate::migration::trigger::{Settled, Trigger, TriggerError};
use crate::panicked::said;

/// How soon a request to cancel is seen.
const TURN: Duration = Duration::from_millis(50);

/// What a follower tells, with the number of its machine.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) machine: usize,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// Its event; the final one is followed by what was settled.
    Event(Event),
    Settled(Box<Settled>),
    /// What came of the request to cancel.
    Cancel(Result<(), TriggerError>),
    /// Nothing more is known of it.
    Broke(TriggerError),
}

/// How a follower is asked to stop.
#[derive(Debug, Clone, Default)]
pub(super) struct Orders {
    cancel: Arc<AtomicBool>,
    leave: Arc<AtomicBool>,
}

impl Orders {
    pub(super) fn cancel(&self) {
        self.cancel.store(true, Relaxed);
    }

    /// Gives the migration up: nobody wants to know its end.
    pub(super) fn leave(&self) {
        self.leave.store(true, Relaxed);
    }
}

/// Follows a migration that was fired to its end, and settles it.
///
/// # Errors
/// [`TriggerError::Io`] if the kernel refuses a thread; the trigger is dropped then.
pub(super) fn follow(
    machine: usize,
    trigger: Box<dyn Trigger>,
    orders: Orders,
    tell: Sender<Told>,
) -> Result<(), TriggerError> {
    let body = move || {
        let followed =
            catch_unwind(AssertUnwindSafe(|| to_the_end(machine, trigger, &orders, &tell)));
        let broke = match followed {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(panic) => TriggerError::Panicked { said: said(&*panic).to_owned() },
        };
        // Nobody may listen any more.
        let _ = tell.send(Told { machine, what: What::Broke(broke) });
    };
    let thread = thread::Builder::new().name(format!("machine {}", machine + 1)).spawn(body);
    thread.map(drop).map_err(|cause| TriggerError::io("starting a thread", cause))
}

fn to_the_end(
    machine: usize,
    mut trigger: Box<dyn Trigger>,
    orders: &Orders,
    tell: &Sender<Told>,
) -> Result<(), TriggerError> {
    let tell = |what: What| tell.send(Told { machine, what }).is_ok();
    while !orders.leave.load(Relaxed) {
        if orders.cancel.swap(false, Relaxed) && !tell(What::Cancel(trigger.cancel())) {
            break;
        }
        let Some(event) = trigger.next_event(TURN)? else { continue };
        let last = event.kind.is_final().then(|| event.clone());
        if !tell(What::Event(event)) {
            break;
        }
        if let Some(last) = last {
            tell(What::Settled(Box::new(trigger.settle(&last)?)));
            break;
        }
    }
    Ok(())
}
