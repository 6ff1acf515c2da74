//! Several machines that are moved together or one after the other, as when a host is emptied:
//! one migration for the load, which is that of one of them.

mod follower;
mod machine;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::lists::spec;
use super::milestone;
use super::trigger::{Context, Ending, Settled, Strategy, Trigger, TriggerError, VmFacts};
use crate::clock::{Clock, Nanos};
use crate::event::{Event, EventKind};
use follower::{Orders, Told, What};
use machine::{Machine, OURSELVES, State};

/// How long those under way have for an answer to a request to cancel: more than a trigger of ours
/// takes, and less than we have ourselves.
const CANCEL_LIMIT: Duration = Duration::from_secs(25);
/// How long followers may need to give up migrations that nobody waits for any more.
const LEAVE_LIMIT: Duration = Duration::from_secs(15);

/// When the other machines are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum EvacuationOrder {
    /// All at the same time.
    #[default]
    Parallel,
    /// One after the other, the machine under load last.
    Before,
    /// One after the other, the machine under load first.
    After,
}

impl FromStr for EvacuationOrder {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        match text {
            "parallel" => Ok(Self::Parallel),
            "before" => Ok(Self::Before),
            "after" => Ok(Self::After),
            _ => Err(spec(format!(
                "the others are moved in parallel, before or after the machine under load, not '{}'",
                text.escape_debug()
            ))),
        }
    }
}

/// Moves several machines as one migration: the one under load and others.
///
/// The migration begins with the first of them and is complete when all are. Rounds, downtime
/// and the hypervisor's figures are those of the machine under load; what happens to the others
/// is marked (`machine 2 stop`), and what became of each is in [`Settled::machines`]. If one
/// fails, those that follow it stay where they are, and the migration failed.
pub struct Evacuation {
    /// The one under load first, then the others in their order.
    machines: Vec<Machine>,
    order: EvacuationOrder,
    /// Machines that are still to be fired, the next one first.
    left: VecDeque<usize>,
    /// The one that was fired first.
    first: usize,
    told: Receiver<Told>,
    tell: Sender<Told>,
    out: VecDeque<Event>,
    clock: Option<Clock>,
    is_cancelled: bool,
    is_over: bool,
}

impl Evacuation {
    /// The machine under load, alone.
    #[must_use]
    pub fn new(under_load: Box<dyn Trigger>) -> Self {
        let (tell, told) = mpsc::channel();
        Self {
            machines: vec![Machine::new(under_load)],
            order: EvacuationOrder::default(),
            left: VecDeque::new(),
            first: 0,
            told,
            tell,
            out: VecDeque::new(),
            clock: None,
            is_cancelled: false,
            is_over: false,
        }
    }

    /// Adds a machine that is moved, too.
    #[must_use]
    pub fn with_other(mut self, other: Box<dyn Trigger>) -> Self {
        self.machines.push(Machine::new(other));
        self
    }

    /// When the others are moved.
    #[must_use]
    pub fn in_order(mut self, order: EvacuationOrder) -> Self {
        self.order = order;
        self
    }

    /// Asks all triggers; what fails names its machine.
    fn all<T>(
        &mut self,
        ask: impl Fn(&mut dyn Trigger) -> Result<T, TriggerError>,
    ) -> Result<Vec<T>, TriggerError> {
        let several = self.machines.len() > 1;
        let mut answers = Vec::with_capacity(self.machines.len());
        for (number, machine) in (1..).zip(&mut self.machines) {
            let State::Ready(trigger) = &mut machine.state else {
                return Err(TriggerError::Unsupported("the migration was started already"));
            };
            let answer = ask(&mut **trigger);
            answers.push(answer.map_err(|error| match several {
                true => of_machine(number, error),
                false => error,
            })?);
        }
        Ok(answers)
    }

    /// Starts the migration of a machine, and the thread that follows it.
    fn fire_one(&mut self, place: usize) -> Result<(), TriggerError> {
        let machine = &mut self.machines[place];
        let State::Ready(mut trigger) = std::mem::replace(&mut machine.state, State::Over) else {
            return Err(TriggerError::Unsupported("the migration was started already"));
        };
        // Who knows better says so itself.
        machine.note(&Event::new(EventKind::Fired, now(self.clock), 0, OURSELVES));
        trigger.fire()?;
        let accepted = Event::new(EventKind::Accepted, now(self.clock), 0, OURSELVES);
        machine.note(&accepted);
        if place == self.first {
            // The same moment for the whole and for the first of its parts.
            self.out.push_back(accepted);
        } else {
            self.mark(place, accepted);
        }
        let orders = Orders::default();
        follower::follow(place, trigger, orders.clone(), self.tell.clone())?;
        self.machines[place].state = State::Flying(orders);
        Ok(())
    }

    fn mark(&mut self, place: usize, event: Event) {
        let kind = milestone::of_machine(place + 1, &event.kind);
        self.out.push_back(Event { kind, ..event });
    }

    fn fail(&mut self, place: usize, reason: String) {
        self.machines[place].fail(reason, now(self.clock));
    }

    fn flying(&self) -> impl Iterator<Item = &Orders> {
        self.machines.iter().filter_map(|machine| match &machine.state {
            State::Flying(orders) => Some(orders),
            _ => None,
        })
    }

    fn take(&mut self, Told { machine: place, what }: Told) {
        match what {
            What::Event(event) => self.take_event(place, event),
            What::Settled(settled) => {
                self.machines[place].state = State::Over;
                self.machines[place].settled = Some(*settled);
                self.go_on();
            }
            What::Broke(error) => {
                self.machines[place].state = State::Over;
                self.fail(place, format!("the trigger broke down: {error}"));
                self.go_on();
            }
            // It was too late for whoever asked.
            What::Cancel(_) => {}
        }
    }

    /// What happens to the machine under load is told as it is; of the others the milestones
    /// are marked. What begins and ends the whole is told once.
    fn take_event(&mut self, place: usize, event: Event) {
        self.machines[place].note(&event);
        match &event.kind {
            EventKind::Fired | EventKind::Accepted if place == self.first => {
                self.out.push_back(event);
            }
            EventKind::Fired | EventKind::Accepted => {}
            kind if kind.is_final() => self.mark(place, event),
            _ if place == 0 => self.out.push_back(event),
            EventKind::Stop | EventKind::Resume => self.mark(place, event),
            _ => {}
        }
    }

    /// When a machine is done: the next one, or the end.
    fn go_on(&mut self) {
        while self.flying().next().is_none() {
            let failed = self.machines.iter().any(|machine| machine.went_wrong());
            let next = (!failed && !self.is_cancelled).then(|| self.left.pop_front()).flatten();
            let Some(next) = next else {
                self.finish();
                return;
            };
            if let Err(error) = self.fire_one(next) {
                self.fail(next, error.to_string());
            }
        }
    }

    /// The end of the whole: that of the machine that was last.
    fn finish(&mut self) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        let ends = self.machines.iter().filter_map(|machine| machine.end.as_ref());
        let last = ends.max_by_key(|event| event.at).cloned();
        let ending = self.ending();
        let kind = match ending {
            Ending::Completed => EventKind::Completed,
            Ending::Cancelled => EventKind::Cancelled,
            _ => EventKind::Failed,
        };
        let (at, uncertainty, source) = match &last {
            Some(last) => (last.at, last.uncertainty, last.source.clone()),
            None => (now(self.clock), 0, OURSELVES.to_owned()),
        };
        let mut event = Event::new(kind, at, uncertainty, &source);
        // What is said of the machine under load, such as that its memory is lost.
        if let Some(own) = &self.machines[0].end {
            event.attributes.clone_from(&own.attributes);
        }
        if let Some(reason) = self.reason() {
            event.attributes.insert("reason".to_owned(), reason.into());
        }
        self.out.push_back(event);
    }

    /// That of the whole: as bad as the worst of its parts.
    fn ending(&self) -> Ending {
        let endings = || self.machines.iter().map(Machine::ending);
        if endings().any(|ending| ending == Some(Ending::Failed)) {
            Ending::Failed
        } else if self.is_cancelled && endings().any(|ending| ending != Some(Ending::Completed)) {
            Ending::Cancelled
        } else if endings().all(|ending| ending == Some(Ending::Completed)) {
            Ending::Completed
        } else {
            endings().flatten().find(|e| *e != Ending::Completed).unwrap_or(Ending::Failed)
        }
    }

    /// Why not all were moved.
    fn reason(&self) -> Option<String> {
        if let [only] = self.machines.as_slice() {
            return only.reason();
        }
        let of_each = (1..).zip(&self.machines);
        let all: Vec<String> = of_each
            .filter_map(|(number, machine)| {
                Some(format!("machine {number}: {}", machine.reason()?))
            })
            .collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

impl Trigger for Evacuation {
    fn name(&self) -> &str {
        &self.machines[0].name
    }

    fn strategy(&self) -> Option<Strategy> {
        self.machines[0].strategy
    }

    fn is_simulated(&self) -> bool {
        self.machines.iter().any(|machine| machine.is_simulated)
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        let facts = self.all(|trigger| trigger.inspect())?;
        Ok(facts.into_iter().next().unwrap_or_default())
    }

    fn check(&mut self) -> Result<(), TriggerError> {
        self.all(|trigger| trigger.check()).map(drop)
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.clock = Some(context.clock);
        self.all(|trigger| trigger.arm(context)).map(drop)
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        let others = 1..self.machines.len();
        self.left = match self.order {
            EvacuationOrder::Before => others.chain([0]).collect(),
            _ => std::iter::once(0).chain(others).collect(),
        };
        let together =
            if self.order == EvacuationOrder::Parallel { self.machines.len() } else { 1 };
        for k in 0..together {
            let Some(place) = self.left.pop_front() else { break };
            if k == 0 {
                self.first = place;
            }
            match self.fire_one(place) {
                Ok(()) => {}
                // Nothing has begun yet.
                Err(error) if k == 0 => return Err(of_machine(place + 1, error)),
                Err(error) => self.fail(place, error.to_string()),
            }
        }
        Ok(())
    }

    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        let until = Instant::now() + timeout;
        loop {
            if let Some(event) = self.out.pop_front() {
                return Ok(Some(event));
            }
            if self.is_over {
                return Ok(None);
            }
            match self.told.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(told) => self.take(told),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }

    fn cancel(&mut self) -> Result<(), TriggerError> {
        self.is_cancelled = true;
        self.left.clear();
        self.flying().for_each(Orders::cancel);
        let until = Instant::now() + CANCEL_LIMIT;
        let is_flying = |place: &usize| {
            let machine = &self.machines[*place];
            // One that told its end is being settled, and is not asked.
            matches!(machine.state, State::Flying(_)) && machine.end.is_none()
        };
        let mut waited: Vec<usize> = (0..self.machines.len()).filter(is_flying).collect();
        let mut refused = None;
        while !waited.is_empty() {
            match self.told.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Told { what: What::Cancel(outcome), machine }) => {
                    waited.retain(|place| *place != machine);
                    refused = refused.or(outcome.err());
                }
                Ok(told) => {
                    // It was over before it was asked.
                    let is_over = match &told.what {
                        What::Event(event) => event.kind.is_final(),
                        What::Settled(_) | What::Broke(_) => true,
                        What::Cancel(_) => false,
                    };
                    if is_over {
                        waited.retain(|place| *place != told.machine);
                    }
                    self.take(told);
                }
                Err(_) => {
                    let what = "cancelling the migrations".to_owned();
                    return Err(TriggerError::Silent { what, waited: CANCEL_LIMIT });
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn settle(&mut self, last: &Event) -> Result<Settled, TriggerError> {
        let mut whole = self.machines[0].settled.clone().unwrap_or_else(|| Settled::of(last));
        if self.machines.len() > 1 {
            whole.ending = self.ending();
            whole.reason = self.reason();
            // The hypervisor knows of one machine, and the whole took longer.
            whole.hypervisor_total = None;
            let sent = self.machines.iter().map(|m| m.settled.as_ref()?.transferred_bytes);
            whole.transferred_bytes = sent.sum();
            whole.machines = self.machines.iter().map(Machine::moved).collect();
        }
        Ok(whole)
    }
}

impl Drop for Evacuation {
    /// Migrations that nobody follows any more are given up by their triggers.
    fn drop(&mut self) {
        self.flying().for_each(Orders::leave);
        let until = Instant::now() + LEAVE_LIMIT;
        // A follower has dropped its trigger when its sender is gone.
        drop(std::mem::replace(&mut self.tell, mpsc::channel().0));
        while self.told.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok() {}
    }
}

fn now(clock: Option<Clock>) -> Nanos {
    clock.map_or(0, |clock| clock.now())
}

/// An error of one of several.
fn of_machine(number: usize, error: TriggerError) -> TriggerError {
    let what = format!("moving machine {number}");
    TriggerError::refused(what, error.to_string())
}
