//! [`OpenNebulaTrigger`]: orders a migration, and looks at the machine until it is known what became
//! of it.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::machine::{Machine, Standing};
use super::oned::{Oned, Refusal, Told};
use super::options::OpenNebulaOptions;
use crate::clock::{Clock, Nanos};
use crate::event::{Event, EventKind};
use crate::migration::overheard::Overheard;
use crate::migration::patience::Patience;
use crate::migration::trigger::{
    Context, Ending, Settled, Strategy, Trigger, TriggerError, VmFacts,
};

/// Who says so, in events.
const SOURCE: &str = "opennebula";
/// How long daemons that elect a leader are asked again, and how often.
const ELECTION: (Duration, u32) = (Duration::from_millis(500), 20);
/// How long the daemon may be out of reach in the middle of a migration.
const LOST_LIMIT: Duration = Duration::from_secs(60);
/// How long an order whose answer was lost may still come, and how often it is looked for at least.
const LATE_ORDER: (Duration, u32) = (Duration::from_secs(15), 5);

/// Migrates a machine of OpenNebula.
///
/// OpenNebula cannot cancel a live migration: one that is to end goes on, and the report says so.
#[derive(Debug)]
pub struct OpenNebulaTrigger {
    options: OpenNebulaOptions,
    oned: Option<Oned>,
    /// Numbers of the machine and of the host.
    found: Option<(i32, i32)>,
    clock: Option<Clock>,
    flight: Option<Flight>,
    details: Map<String, Value>,
}

/// A migration that was ordered.
#[derive(Debug)]
struct Flight {
    clock: Clock,
    id: i32,
    host: i32,
    /// The last record of the machine's history before the order.
    seq: i32,
    out: VecDeque<Event>,
    /// `CLOCK_MONOTONIC` from when on something new may have happened.
    since_ns: u64,
    next_look: Instant,
    /// What was seen last.
    standing: Standing,
    /// Why the answer to the order was lost, and how often its traces were looked for.
    unanswered: Option<Unanswered>,
    /// The first failure of looks that fail in a row, and how long they may go on.
    failing: Option<(TriggerError, Patience)>,
    is_over: bool,
    /// The machine was not moved while it ran.
    cold: bool,
    /// By the daemon's own account, when it began to be moved and to run.
    moved_s: Option<[i64; 2]>,
}

/// An order whose answer was lost.
#[derive(Debug)]
struct Unanswered {
    error: TriggerError,
    looks: u32,
    patience: Patience,
}

const NOT_FIRED: TriggerError = TriggerError::Unsupported("the migration was not started yet");

impl OpenNebulaTrigger {
    /// A trigger; nothing is asked before [`Trigger::inspect`].
    ///
    /// # Errors
    /// [`TriggerError::Spec`] if the options do not go together.
    pub fn new(options: OpenNebulaOptions) -> Result<Self, TriggerError> {
        options.validate()?;
        Ok(Self {
            options,
            oned: None,
            found: None,
            clock: None,
            flight: None,
            details: Map::new(),
        })
    }

    /// The same with what the hypervisors beneath tell, if that is to be heard.
    pub(crate) fn with_events(
        options: OpenNebulaOptions,
    ) -> Result<Box<dyn Trigger>, TriggerError> {
        let events = options.events.clone();
        Ok(Overheard::beside(Box::new(Self::new(options)?), events))
    }

    fn oned(&mut self) -> Result<&mut Oned, TriggerError> {
        match &mut self.oned {
            Some(oned) => Ok(oned),
            none => Ok(none.insert(Oned::new(&self.options)?)),
        }
    }

    /// Finds the numbers of the machine and the host.
    fn find(&mut self) -> Result<(i32, i32), TriggerError> {
        if let Some(found) = self.found {
            return Ok(found);
        }
        let (vm, host) = (self.options.vm.clone(), self.options.host.clone());
        let oned = self.oned()?;
        let id = match vm.parse() {
            Ok(id) => id,
            Err(_) => {
                let named = persist(oned, |oned| oned.machines_named(&vm))?;
                one_of(oned, &named, "machine", &vm, "onevm list")?
            }
        };
        let host = match host.parse() {
            Ok(id) => id,
            Err(_) => {
                let named = persist(oned, |oned| oned.hosts_named(&host))?;
                one_of(oned, &named, "host", &host, "onehost list")?
            }
        };
        self.found = Some((id, host));
        Ok((id, host))
    }

    /// The machine as it is now, if it can be moved as it is to be.
    fn ready(&mut self) -> Result<Machine, TriggerError> {
        let (id, host) = self.find()?;
        let live = self.options.live;
        let oned = self.oned()?;
        let machine = persist(oned, |oned| oned.machine(id))?.result;
        let refused = |reason: String| {
            let what = format!("migrating the machine {id} ({})", machine.name);
            Err(TriggerError::refused(what, reason))
        };
        if !machine.is_running() {
            let state = machine.state_name();
            return refused(match live {
                true => format!(
                    "it is {state}: only a RUNNING machine can be moved live, and newer \
                     releases would move it cold without a word"
                ),
                false => format!("it is {state}, so nobody can be asking it: start it first"),
            });
        }
        match machine.record() {
            Some(record) if record.host == host => {
                refused(format!("it is on the host {host} ({}) already", record.hostname))
            }
            _ => Ok(machine),
        }
    }
}

/// The only number of a name.
fn one_of(
    oned: &Oned,
    named: &[i32],
    what: &str,
    name: &str,
    list: &str,
) -> Result<i32, TriggerError> {
    let name = name.escape_debug();
    let reason = match named {
        [id] => return Ok(*id),
        [] => format!("there is none that this user may see ({list} shows which there are)"),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            format!("there are {}: give the number of one, of {}", ids.len(), ids.join(", "))
        }
    };
    Err(TriggerError::protocol(format!("finding the {what} '{name}' ({})", oned.url()), reason))
}

/// Asks again while the daemons elect a leader.
fn persist<T>(
    oned: &mut Oned,
    mut ask: impl FnMut(&mut Oned) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let (pause, times) = ELECTION;
    for _ in 0..times {
        match ask(oned) {
            Err(Refusal { error: TriggerError::Refused { .. }, is_passing: true, .. }) => {
                thread::sleep(pause);
            }
            other => return other,
        }
    }
    ask(oned)
}

impl Trigger for OpenNebulaTrigger {
    fn name(&self) -> &str {
        SOURCE
    }

    fn strategy(&self) -> Option<Strategy> {
        // How a live one is made is for the driver on the host.
        let cold = !self.options.live || self.flight.as_ref().is_some_and(|flight| flight.cold);
        cold.then_some(Strategy::StopAndCopy)
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        let machine = self.ready()?;
        // Not told by all releases.
        let version = self.oned()?.version().ok();
        let mut facts = VmFacts {
            hypervisor: Some(match version {
                Some(version) => format!("OpenNebula {version}"),
                None => "OpenNebula".to_owned(),
            }),
            memory_bytes: machine.memory_bytes(),
            running: Some(true),
            ..VmFacts::default()
        };
        let domain = match machine.deploy_id.as_str() {
            "" => format!("one-{}", machine.id),
            deployed => deployed.to_owned(),
        };
        facts.details.insert("domain".to_owned(), domain.into());
        if let Some(record) = machine.record() {
            self.details.insert("source_host".to_owned(), record.hostname.clone().into());
        }
        Ok(facts)
    }

    fn check(&mut self) -> Result<(), TriggerError> {
        let (id, _) = self.find()?;
        persist(self.oned()?, |oned| oned.machine(id))?;
        Ok(())
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.clock = Some(context.clock);
        Ok(())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        let Some(clock) = self.clock else {
            return Err(TriggerError::Unsupported("the trigger must be armed before it is fired"));
        };
        // What it was a while ago does not count.
        let (seq, (id, host)) = (self.ready()?.seq(), self.find()?);
        let (live, enforce) = (self.options.live, self.options.enforce);
        let oned = self.oned()?;
        let mut since_ns = crate::clock::monotonic_ns();
        let ordered = persist(oned, |oned| {
            since_ns = crate::clock::monotonic_ns();
            oned.migrate(id, host, live, enforce)
        });
        let mut flight = Flight {
            clock,
            id,
            host,
            seq,
            out: VecDeque::new(),
            since_ns,
            next_look: Instant::now(),
            standing: Standing::Unknown,
            unanswered: None,
            failing: None,
            is_over: false,
            cold: !live,
            moved_s: None,
        };
        let fired = clock.from_monotonic(since_ns);
        flight.out.push_back(Event::new(EventKind::Fired, fired, 0, SOURCE));
        match ordered {
            Ok(Told { answered_ns, .. }) => {
                let accepted = between(clock, since_ns, answered_ns, EventKind::Accepted);
                flight.out.push_back(accepted);
            }
            Err(Refusal { error, may_be_done: true, .. }) => {
                let patience = Patience::new(LATE_ORDER.0);
                flight.unanswered = Some(Unanswered { error, looks: 0, patience });
            }
            Err(refusal) => return Err(refusal.error),
        }
        self.flight = Some(flight);
        Ok(())
    }

    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        let (Some(flight), Some(oned)) = (&mut self.flight, &mut self.oned) else {
            return Err(NOT_FIRED);
        };
        if let Some(event) = flight.out.pop_front() {
            return Ok(Some(event));
        }
        if flight.is_over {
            thread::sleep(timeout);
            return Ok(None);
        }
        flight.tick()?;
        if !oned.is_looking() {
            let left = flight.next_look.saturating_duration_since(Instant::now());
            if left > timeout {
                thread::sleep(timeout);
                return Ok(None);
            }
            thread::sleep(left);
            oned.look(flight.id);
            flight.next_look = Instant::now() + self.options.poll;
        }
        match oned.looked(timeout) {
            None => {}
            Some(Ok(told)) => flight.on_look(&told, self.options.live),
            Some(Err(refusal)) => flight.on_failure(refusal)?,
        }
        Ok(flight.out.pop_front())
    }

    fn cancel(&mut self) -> Result<(), TriggerError> {
        Err(TriggerError::Unsupported(
            "OpenNebula has no order to cancel a migration; virsh domjobabort on the machine's \
             host has",
        ))
    }

    fn settle(&mut self, last: &Event) -> Result<Settled, TriggerError> {
        let flight = self.flight.as_ref().ok_or(NOT_FIRED)?;
        let mut settled = Settled::of(last);
        settled.details.clone_from(&self.details);
        let mut detail = |name: &str, value: Value| {
            settled.details.insert(name.to_owned(), value);
        };
        detail("vm_id", flight.id.into());
        detail("host_id", flight.host.into());
        detail("live", (!flight.cold).into());
        if let Some([began, ran]) = flight.moved_s {
            // Of its own clock, in whole seconds.
            detail("began_unix_s", began.into());
            detail("ran_unix_s", ran.into());
        }
        // Of a failure it only assumes where the machine is.
        settled.on_target = (settled.ending == Ending::Completed).then_some(true);
        if settled.ending == Ending::Completed && flight.cold && self.options.live {
            settled.reason = Some(
                "but cold: it did not run meanwhile, though a live migration was ordered (newer \
                 releases do that to a machine that is not RUNNING just then)"
                    .to_owned(),
            );
        }
        Ok(settled)
    }
}

/// An event that came about after one moment and before another, both of `CLOCK_MONOTONIC`.
fn between(clock: Clock, since_ns: u64, until_ns: u64, kind: EventKind) -> Event {
    let [from, to] = [since_ns, until_ns].map(|at| clock.from_monotonic(at));
    let half: Nanos = to.saturating_sub(from) / 2;
    Event::new(kind, from + half, to.saturating_sub(from + half), SOURCE)
}

impl Flight {
    fn on_look(&mut self, told: &Told<Machine>, live: bool) {
        self.failing = None;
        let standing = told.result.standing(self.seq, self.host);
        let (clock, since_ns) = (self.clock, self.since_ns);
        let event = |kind| between(clock, since_ns, told.answered_ns, kind);
        let name = told.result.state_name();
        let mut events = Vec::new();
        let is_new = standing != self.standing;
        match &standing {
            Standing::Unknown => {
                if let Some(lost) = &mut self.unanswered {
                    lost.looks += 1;
                    if lost.patience.is_over() && lost.looks >= LATE_ORDER.1 {
                        let reason = format!(
                            "the answer to the order was lost ({}), and the machine's history \
                             knows of no order yet",
                            lost.error
                        );
                        events.push(event(EventKind::Failed).with("reason", reason));
                    }
                }
            }
            Standing::Taken => {}
            Standing::Live if is_new => {
                events.push(event(EventKind::Setup).with("status", name));
            }
            Standing::Live => {}
            Standing::Cold(state) => {
                self.cold = true;
                if is_new {
                    events.push(event(EventKind::State(state.clone())).with("status", name));
                }
            }
            Standing::Arrived => {
                self.cold |= live && told.result.left_cold(self.seq);
                self.moved_s = told.result.moved_s();
                events.push(event(EventKind::Completed).with("on_target", true));
            }
            Standing::Failed(reason) => {
                events.push(event(EventKind::Failed).with("reason", reason.as_str()));
            }
        }
        if standing != Standing::Unknown
            && let Some(lost) = self.unanswered.take()
        {
            let note = format!("its answer was lost: {}", lost.error);
            events.insert(0, event(EventKind::Accepted).with("note", note));
        }
        self.is_over = events.iter().any(|event| event.kind.is_final());
        self.out.extend(events);
        self.standing = standing;
        // What is not there yet may come any time from when this look was begun.
        self.since_ns = told.asked_ns;
    }

    /// The daemon did not answer, or made no sense: a migration goes on without it. One that says
    /// no to a look will say so again.
    fn on_failure(&mut self, refusal: Refusal) -> Result<(), TriggerError> {
        let says_no = matches!(refusal.error, TriggerError::Refused { .. });
        if says_no && !refusal.is_passing {
            return Err(refusal.error);
        }
        self.failing.get_or_insert_with(|| (refusal.error, Patience::new(LOST_LIMIT)));
        Ok(())
    }

    /// Lets time pass for what is waited for, whatever it brings.
    fn tick(&mut self) -> Result<(), TriggerError> {
        if let Some(lost) = &mut self.unanswered {
            lost.patience.tick();
        }
        match self.failing.take_if(|(_, patience)| patience.tick()) {
            None => Ok(()),
            Some((error, _)) => Err(TriggerError::protocol(
                "looking at the machine",
                format!(
                    "{error}; nothing was learnt for {} s, and the migration may still be going on",
                    LOST_LIMIT.as_secs()
                ),
            )),
        }
    }
}
