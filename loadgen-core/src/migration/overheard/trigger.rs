//! [`Overheard`]: a trigger, with what the hypervisors beneath it tell.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use super::by_libvirt::ByLibvirt;
use super::by_qmp::ByQmp;
use super::heard::Listener;
use super::options::HypervisorEvents;
use crate::clock::{Clock, Nanos};
use crate::event::{Event, EventKind};
use crate::migration::patience::Patience;
use crate::migration::side::Side;
use crate::migration::trigger::{Context, Settled, Strategy, Trigger, TriggerError, VmFacts};

/// How long what the hypervisors told may be under way when the manager says that all is over: with
/// a RESUME still to come, and without.
const LAST_WORDS: [Duration; 2] =
    [Duration::from_secs(if cfg!(test) { 60 } else { 2 }), Duration::from_millis(300)];
/// How often the hypervisors are heard while the manager is waited for.
const TURN: Duration = Duration::from_millis(50);

/// See the module.
pub(crate) struct Overheard {
    manager: Box<dyn Trigger>,
    events: HypervisorEvents,
    domain: Option<String>,
    listener: Option<Box<dyn Listener>>,
    clock: Option<Clock>,
    out: VecDeque<Event>,
    /// When it was fired, on the clock of the run.
    fired: Nanos,
    /// Whether the manager's first event, which may say that better, was looked for.
    begun: bool,
    /// The machine was heard to stop, and not yet to run again.
    is_stopped: bool,
    /// When it was heard to run again last.
    resumed: Nanos,
    /// The manager's last event, kept until the hypervisors' last words are heard.
    last: Option<(Event, Patience)>,
}

impl Overheard {
    /// The manager's trigger, with the events of the hypervisors beneath it.
    pub(crate) fn beside(manager: Box<dyn Trigger>, events: HypervisorEvents) -> Box<dyn Trigger> {
        if events.is_none() {
            return manager;
        }
        Box::new(Self {
            manager,
            events,
            domain: None,
            listener: None,
            out: VecDeque::new(),
            clock: None,
            fired: 0,
            begun: false,
            is_stopped: false,
            resumed: 0,
            last: None,
        })
    }

    fn keep(&mut self, heard: Vec<Event>) {
        for event in heard {
            // What is heard late of something earlier is none of this migration.
            if is_before(&event, self.fired) {
                continue;
            }
            match event.kind {
                EventKind::Stop => self.is_stopped = true,
                EventKind::Resume => {
                    self.is_stopped = false;
                    self.resumed = self.resumed.max(event.at);
                    // That was what the end was kept for.
                    if let Some((_, patience)) = &mut self.last {
                        *patience = Patience::new(LAST_WORDS[1]);
                    }
                }
                _ => {}
            }
            self.out.push_back(event);
        }
    }

    /// What can be told now.
    fn ready(&mut self) -> Option<Event> {
        let is_over = self.last.as_mut().is_some_and(|(_, patience)| patience.tick());
        if let Some(listener) = &mut self.listener {
            // Once it is over, nobody can hold up the end who goes on to talk.
            let heard = if is_over { listener.last_words() } else { listener.hear() };
            self.keep(heard);
        }
        if let Some(event) = self.out.pop_front() {
            return Some(event);
        }
        let (last, _) = self.last.take_if(|_| is_over)?;
        Some(not_before(last, self.resumed))
    }

    /// Takes an event of the manager; the last one is kept for a while.
    fn take(&mut self, event: Event) -> Option<Event> {
        if event.kind == EventKind::Fired {
            self.fired = event.at;
        }
        if !event.kind.is_final() {
            return Some(event);
        }
        let [stopped, running] = LAST_WORDS;
        let limit = if self.is_stopped { stopped } else { running };
        self.last = Some((event, Patience::new(limit)));
        None
    }
}

/// Whether an event is certainly of an earlier time.
fn is_before(event: &Event, fired: Nanos) -> bool {
    event.at.saturating_add(event.uncertainty) < fired
}

/// The manager's last event: a migration did not complete before the machine ran again. Where that
/// leaves less time for it, it is known better.
fn not_before(mut last: Event, resumed: Nanos) -> Event {
    let earliest = last.at.saturating_sub(last.uncertainty);
    if last.kind == EventKind::Completed && earliest < resumed {
        let latest = last.at.saturating_add(last.uncertainty).max(resumed);
        let half = (latest - resumed) / 2;
        (last.at, last.uncertainty) = (resumed + half, latest - resumed - half);
    }
    last
}

impl Trigger for Overheard {
    fn name(&self) -> &str {
        self.manager.name()
    }

    fn strategy(&self) -> Option<Strategy> {
        self.manager.strategy()
    }

    fn is_simulated(&self) -> bool {
        self.manager.is_simulated()
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        let facts = self.manager.inspect()?;
        let told = facts.details.get("domain").and_then(|domain| domain.as_str());
        self.domain = self.events.domain.clone().or_else(|| told.map(str::to_owned));
        Ok(facts)
    }

    fn check(&mut self) -> Result<(), TriggerError> {
        self.manager.check()
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.manager.arm(context)?;
        let clock = context.clock;
        self.clock = Some(clock);
        self.listener = Some(if self.events.libvirt.is_empty() {
            Box::new(ByQmp::open(&self.events, clock)?)
        } else {
            let Some(domain) = &self.domain else {
                return Err(TriggerError::protocol(
                    "listening to libvirt",
                    "it is not known by which name libvirt has the machine: give domain=NAME",
                ));
            };
            Box::new(ByLibvirt::open(&self.events, domain, clock)?)
        });
        Ok(())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        self.fired = self.clock.map_or(0, |clock| clock.now());
        if let Some(listener) = &mut self.listener {
            listener.begin();
        }
        self.manager.fire()
    }

    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        let deadline = Instant::now() + timeout;
        // It says when it was fired, if it knows better than we do.
        if !std::mem::replace(&mut self.begun, true)
            && let Some(event) = self.manager.next_event(Duration::ZERO)?
            && let Some(event) = self.take(event)
        {
            return Ok(Some(event));
        }
        loop {
            if let Some(event) = self.ready() {
                return Ok(Some(event));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if self.last.is_some() {
                thread::sleep(left.min(TURN));
            } else if let Some(event) = self.manager.next_event(left.min(TURN))?
                && let Some(event) = self.take(event)
            {
                return Ok(Some(event));
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }

    fn cancel(&mut self) -> Result<(), TriggerError> {
        self.manager.cancel()
    }

    fn settle(&mut self, last: &Event) -> Result<Settled, TriggerError> {
        let mut settled = self.manager.settle(last)?;
        for side in Side::BOTH {
            let deaf = self.listener.as_ref().and_then(|listener| listener.deaf(side));
            if let Some(why) = deaf {
                let name = format!("{}_qemu_events_not_heard", side.name());
                settled.details.insert(name, why.into());
            }
        }
        Ok(settled)
    }
}
