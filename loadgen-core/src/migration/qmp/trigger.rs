//! [`QmpTrigger`]: puts the parts together. Before the migration is
//! [`super::prepare`], the migration itself [`super::flight`], the totals here.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::client::event_source;
use super::flight::{Flight, Setup};
use super::options::QmpOptions;
use super::session::Session;
use super::settings::{self, Changed};
use super::{prepare, progress};
use crate::clock::Clock;
use crate::event::{Event, EventKind};
use crate::migration::foreign_clock::Mapping;
use crate::migration::side::Side;
use crate::migration::trigger::{
    Context, Ending, Settled, Strategy, Trigger, TriggerError, VmFacts,
};

/// How long the totals may need to appear after the end. QEMU 7.2 may say
/// `completed` with a total time of 0 at first.
const TOTALS_LIMIT: Duration = Duration::from_secs(3);
/// How long the target may need to say that it runs.
const RUNNING_LIMIT: Duration = Duration::from_secs(2);
/// How long between two of these questions.
const AGAIN: Duration = Duration::from_millis(100);
/// How long an abandoned migration is waited for, all in all: the report waits.
const ABANDON_LIMIT: Duration = Duration::from_secs(2);

/// Migrates a QEMU virtual machine through QMP.
///
/// The source must run. The target, if its socket is given, must wait for a
/// migration: start it with `-incoming defer`, so that its capabilities can be
/// set before it listens.
///
/// A trigger that is dropped in mid-migration gives the migration up, as far as
/// that is possible, so that no stopped machine is left behind.
#[derive(Debug)]
pub struct QmpTrigger {
    options: QmpOptions,
    session: Option<Session>,
    ready: Option<Setup>,
    flight: Option<Flight>,
    /// What was set, for the report.
    details: Map<String, Value>,
    /// What is to be put back at the end, at the source and at the target.
    changed: [Changed; 2],
}

const NOT_FIRED: TriggerError = TriggerError::Unsupported("the migration was not started yet");

impl QmpTrigger {
    /// A trigger; nothing is connected before [`Trigger::inspect`].
    ///
    /// # Errors
    /// [`TriggerError::Spec`] if the options do not go together.
    pub fn new(options: QmpOptions) -> Result<Self, TriggerError> {
        options.validate()?;
        let changed = Default::default();
        Ok(Self { options, session: None, ready: None, flight: None, details: Map::new(), changed })
    }

    /// Connects unless that was done.
    fn connect(&mut self) -> Result<&mut Session, TriggerError> {
        let options = &self.options;
        match &mut self.session {
            Some(session) => Ok(session),
            none => Ok(none.insert(Session::open(options)?)),
        }
    }

    fn prepare(&mut self, clock: Clock) -> Result<Setup, TriggerError> {
        self.connect()?;
        let Self { options, session: Some(session), details, changed, .. } = self else {
            return Err(NOT_FIRED);
        };
        let mut events = true;
        let mut mappings = [Mapping::Local; 2];
        for side in prepare::sides(session) {
            let changed = &mut changed[*side as usize];
            let set = settings::set_capabilities(session, *side, options, changed)?;
            events &= set.on.iter().any(|name| name == "events");
            let (of, address) = match (side, &options.peer) {
                (Side::Target, Some(peer)) => ("target_", peer),
                _ => ("", &options.socket),
            };
            details.insert(format!("{of}capabilities"), set.on.into());
            if !set.switched_off.is_empty() {
                details.insert(format!("{of}capabilities_switched_off"), set.switched_off.into());
            }
            if !set.left_on.is_empty() {
                details.insert(format!("{of}capabilities_left_on"), set.left_on.into());
            }
            let parameters = settings::set_parameters(session, *side, options, changed)?;
            if *side == Side::Source || !options.parameters.is_empty() {
                details.insert(format!("{of}parameters"), parameters.into());
            }
            mappings[*side as usize] = prepare::mapping(session, *side, address, options.clock)?;
        }
        if session.has_target() {
            let told = prepare::listen(session, options)?;
            details.insert("target_listened_already".to_owned(), (!told).into());
        }
        let (strategy, postcopy_after) = (options.strategy, options.postcopy_after);
        Ok(Setup { clock, mappings, strategy, postcopy_after, events })
    }
}

impl Trigger for QmpTrigger {
    fn name(&self) -> &str {
        "qmp"
    }

    fn strategy(&self) -> Option<Strategy> {
        Some(self.options.strategy)
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        prepare::look(self.connect()?)
    }

    /// Sets what the migration needs on both sides, which QEMU refuses if it cannot do it, and
    /// puts it back.
    fn check(&mut self) -> Result<(), TriggerError> {
        let Self { options, changed, .. } = self;
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(Session::open(options)?),
        };
        // Whether the machine runs just now is for the migration itself.
        let checked = prepare::sides(session).iter().try_for_each(|side| {
            let changed = &mut changed[*side as usize];
            settings::set_capabilities(session, *side, options, changed)?;
            settings::set_parameters(session, *side, options, changed).map(drop)
        });
        self.put_back(&mut Map::new());
        checked
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.ready = Some(self.prepare(context.clock)?);
        Ok(())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        let (Some(session), Some(setup)) = (&mut self.session, self.ready.take()) else {
            return Err(TriggerError::Unsupported("the trigger must be armed before it is fired"));
        };
        session.forget();
        session.check_open()?;
        let clock = setup.clock;
        let source = event_source(Side::Source);
        let fired = Event::new(EventKind::Fired, clock.now(), 0, source);
        let stops = setup.strategy == Strategy::StopAndCopy;
        if stops {
            session.execute(Side::Source, "stop", Value::Null)?;
        }
        let sent = clock.now();
        let migrate = json!({ "uri": self.options.to });
        if let Err(error) = session.execute(Side::Source, "migrate", migrate) {
            // We stopped the machine, and nobody else will start it again.
            if stops && let Err(stays) = session.execute(Side::Source, "cont", Value::Null) {
                let reason = format!("{error}; and the source stays stopped: {stays}");
                return Err(TriggerError::refused("migrate", reason));
            }
            return Err(error);
        }
        let replied = clock.now();
        let accepted = Event::new(EventKind::Accepted, replied, replied - sent, source);
        self.flight = Some(Flight::new(setup, [fired, accepted]));
        Ok(())
    }

    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        match (&mut self.session, &mut self.flight) {
            (Some(session), Some(flight)) => flight.next_event(session, timeout),
            _ => Err(NOT_FIRED),
        }
    }

    fn cancel(&mut self) -> Result<(), TriggerError> {
        match (&mut self.session, &mut self.flight) {
            (Some(session), Some(flight)) => flight.cancel(session),
            _ => Err(NOT_FIRED),
        }
    }

    fn settle(&mut self, last: &Event) -> Result<Settled, TriggerError> {
        let Some(session) = &mut self.session else { return Err(NOT_FIRED) };
        let mut settled = Settled::of(last);
        settled.details.clone_from(&self.details);
        // A side that is gone cannot be asked; the rest is still worth having.
        if let Some(state) = final_state(session, settled.ending) {
            let ms = |name: &str| state[name].as_u64().map(Duration::from_millis);
            settled.hypervisor_total = ms("total-time").filter(|total| !total.is_zero());
            if settled.hypervisor_total.is_some() {
                settled.hypervisor_downtime = ms("downtime");
            }
            settled.transferred_bytes = state["ram"]["transferred"].as_u64();
            settled.details.insert("query_migrate".to_owned(), progress::totals(&state).into());
        }
        if session.has_target() {
            let status = status_at_target(session, settled.ending);
            let runs = status.as_deref() == Ok("running");
            settled.on_target = Some(runs);
            if settled.ending == Ending::Completed && !runs {
                let is = match status {
                    Ok(status) => format!("the target does not run the machine (it is {status})"),
                    Err(why) if session.is_gone(Side::Target) => {
                        format!("the target went away then ({why}): the machine is lost")
                    }
                    Err(why) => format!("the target could not be asked whether it runs ({why})"),
                };
                settled.ending = Ending::Failed;
                settled.reason = Some(format!("both sides told of a complete migration, but {is}"));
            }
            if let Ok(Ok(state)) = session.ask(Side::Target, "query-migrate", Value::Null) {
                let kept = progress::totals(&state);
                settled.details.insert("target_query_migrate".to_owned(), kept.into());
            }
        }
        self.put_back(&mut settled.details);
        Ok(settled)
    }
}

impl QmpTrigger {
    /// Puts back what was changed, and tells in `details` what came of it.
    fn put_back(&mut self, details: &mut Map<String, Value>) {
        let Some(session) = &mut self.session else { return };
        for side in prepare::sides(session) {
            let name = match side {
                Side::Source => "put_back",
                Side::Target => "target_put_back",
            };
            let changed = &mut self.changed[*side as usize];
            let (done, refused) = settings::put_back(session, *side, changed);
            if !done.is_empty() {
                details.insert(name.to_owned(), done.into());
            }
            if let Some(why) = refused {
                details.insert(format!("not_{name}"), why.into());
            }
        }
    }
}

/// The source's own account, asked for until it is there.
fn final_state(session: &mut Session, ending: Ending) -> Option<Value> {
    let deadline = Instant::now() + TOTALS_LIMIT;
    loop {
        let state = session.ask(Side::Source, "query-migrate", Value::Null).ok()?.ok()?;
        let there = state["total-time"].as_u64().is_some_and(|ms| ms > 0);
        if there || ending != Ending::Completed || Instant::now() >= deadline {
            return Some(state);
        }
        thread::sleep(AGAIN);
    }
}

/// The state of the target's machine, or why it is not known. After a completed
/// migration it may need a moment to run.
fn status_at_target(session: &mut Session, ending: Ending) -> Result<String, String> {
    let deadline = Instant::now() + RUNNING_LIMIT;
    loop {
        let late = Instant::now() >= deadline;
        let state = match session.ask(Side::Target, "query-status", Value::Null) {
            Ok(Ok(state)) => state,
            Ok(Err(error)) => return Err(error.desc),
            Err(error) => return Err(error.to_string()),
        };
        let runs = state["running"].as_bool() == Some(true);
        let status = if runs { "running" } else { state["status"].as_str().unwrap_or("unknown") };
        if runs || ending != Ending::Completed || late {
            return Ok(status.to_owned());
        }
        thread::sleep(AGAIN);
    }
}

impl Drop for QmpTrigger {
    fn drop(&mut self) {
        self.abandon();
        if let Some(session) = &mut self.session {
            session.end_within(ABANDON_LIMIT);
        }
        self.put_back(&mut Map::new());
    }
}

impl QmpTrigger {
    /// Gives up a migration that is under way.
    fn abandon(&mut self) {
        let (Some(session), Some(flight)) = (&mut self.session, &mut self.flight) else { return };
        if flight.is_over() {
            return;
        }
        let deadline = Instant::now() + ABANDON_LIMIT;
        session.end_within(ABANDON_LIMIT);
        if flight.cancel(session).is_err() {
            return;
        }
        while !flight.is_over() && Instant::now() < deadline {
            if flight.next_event(session, AGAIN).is_err() {
                return;
            }
        }
    }
}
