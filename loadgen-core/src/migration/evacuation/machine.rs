//! One of the machines that are moved: what it is, how it stands, and what became of it.

use std::time::Duration;

use super::follower::Orders;
use crate::clock::Nanos;
use crate::event::{Event, EventKind};
use crate::migration::trigger::{Ending, MovedMachine, Settled, Strategy, Trigger};

/// The source of what we saw ourselves.
pub(super) const OURSELVES: &str = "loadgen";

/// How it stands.
pub(super) enum State {
    /// Not fired yet.
    Ready(Box<dyn Trigger>),
    /// Followed by a thread of its own.
    Flying(Orders),
    /// Done, or given up.
    Over,
}

/// A machine.
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) strategy: Option<Strategy>,
    pub(super) is_simulated: bool,
    pub(super) state: State,
    pub(super) end: Option<Event>,
    pub(super) settled: Option<Settled>,
    fired: Option<Nanos>,
    /// And whether only we say so, who know when the trigger's call came back.
    accepted: Option<(Nanos, bool)>,
    stopped: Option<Nanos>,
    /// Time between each STOP and the RESUME after it.
    downtime: Option<Nanos>,
    /// Why there is no more to tell of it.
    failure: Option<String>,
}

impl Machine {
    pub(super) fn new(trigger: Box<dyn Trigger>) -> Self {
        Self {
            name: trigger.name().to_owned(),
            strategy: trigger.strategy(),
            is_simulated: trigger.is_simulated(),
            state: State::Ready(trigger),
            end: None,
            settled: None,
            fired: None,
            accepted: None,
            stopped: None,
            downtime: None,
            failure: None,
        }
    }

    /// Remembers what its figures are made of.
    pub(super) fn note(&mut self, event: &Event) {
        self.hold_accepted_before(event);
        match &event.kind {
            EventKind::Fired => self.fired = Some(event.at),
            EventKind::Accepted => self.accepted = Some((event.at, event.source == OURSELVES)),
            EventKind::Stop => self.stopped = Some(event.at),
            EventKind::Resume => {
                if let Some(stopped) = self.stopped.take() {
                    let down = event.at.saturating_sub(stopped);
                    self.downtime = Some(self.downtime.unwrap_or(0) + down);
                }
            }
            kind if kind.is_final() => self.end = Some(event.clone()),
            _ => {}
        }
    }

    /// Its migration may be under way before the trigger's call has come back to us.
    fn hold_accepted_before(&mut self, event: &Event) {
        let begins = !matches!(event.kind, EventKind::Fired | EventKind::Accepted);
        let fired = self.fired.unwrap_or(0);
        if let Some((accepted, true)) = &mut self.accepted
            && begins
            && event.at >= fired
        {
            *accepted = (*accepted).min(event.at);
        }
    }

    /// Nothing more is known of it since `at`.
    pub(super) fn fail(&mut self, reason: String, at: Nanos) {
        self.failure = Some(reason);
        self.end.get_or_insert(Event::new(EventKind::Failed, at, 0, OURSELVES));
    }

    /// `None`: it was not moved, or is under way.
    pub(super) fn ending(&self) -> Option<Ending> {
        let settled = self.settled.as_ref().map(|settled| settled.ending);
        if self.failure.is_some() { Some(Ending::Failed) } else { settled }
    }

    pub(super) fn went_wrong(&self) -> bool {
        self.ending().is_some_and(|ending| ending != Ending::Completed)
    }

    /// Why it is not at its target; `None`: it is.
    pub(super) fn reason(&self) -> Option<String> {
        let own = || self.settled.as_ref()?.reason.clone();
        let why = self.failure.clone().or_else(own);
        match self.ending() {
            Some(Ending::Completed) => None,
            Some(Ending::Cancelled) => Some(why.unwrap_or_else(|| "it was cancelled".to_owned())),
            Some(_) => Some(why.unwrap_or_else(|| "it failed".to_owned())),
            None => Some("it was not moved".to_owned()),
        }
    }

    /// What became of it.
    pub(super) fn moved(&self) -> MovedMachine {
        let ms = |ns: Nanos| ns as f64 / 1e6;
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let begin = self.accepted.map(|(accepted, _)| accepted);
        let total = begin.zip(self.end.as_ref()).map(|(begin, end)| end.at.saturating_sub(begin));
        let settled = self.settled.as_ref();
        MovedMachine {
            trigger: self.name.clone(),
            strategy: self.strategy,
            ending: self.ending(),
            reason: self.reason(),
            total_ms: total.map(ms),
            downtime_ms: self.downtime.map(ms),
            hypervisor_total_ms: settled.and_then(|s| s.hypervisor_total).map(millis),
            hypervisor_downtime_ms: settled.and_then(|s| s.hypervisor_downtime).map(millis),
            transferred_bytes: settled.and_then(|s| s.transferred_bytes),
            on_target: settled.and_then(|s| s.on_target),
        }
    }
}
