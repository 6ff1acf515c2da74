//! A migration under way: turns what QEMU says into events, gives the orders that
//! a strategy needs on the way, and finds the end.
//!
//! The end of a completed migration is told only when the source is done *and*
//! the target, if we see it, has resumed and is done: so RESUME always comes
//! before it. Nothing here waits for a reply while the migration runs: an order
//! that must follow an event is sent as soon as the event is read.

mod asking;
mod ending;
mod pause;
mod status;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::client::{QmpError, Received, What, event_source};
use super::progress::{progress, sync_count};
use super::session::Session;
use crate::clock::{Clock, Nanos, monotonic_ns};
use crate::event::{Event, EventKind};
use crate::migration::foreign_clock::{Mapping, Stamp};
use crate::migration::patience::{Patience, Turn};
use crate::migration::side::Side;
use crate::migration::strategy::PostcopyAfter;
use crate::migration::trigger::{Strategy, TriggerError};
use asking::Asked;

/// How late a timer may be before it counts as ours: we were held up, and what those
/// who read the sockets have not handed on yet comes first, for as long again.
const HELD_UP: Duration = Duration::from_millis(100);
/// How long an event may lag behind a state that a reply told already.
const EVENT_LAG: Duration = Duration::from_millis(250);
/// How long the target may need to run after the source is done, and the source
/// to notice that its target is gone.
const OTHER_SIDE: Duration = Duration::from_secs(if cfg!(test) { 3 } else { 10 });

/// What is needed to fly.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) clock: Clock,
    pub(crate) mappings: [Mapping; 2],
    pub(crate) strategy: Strategy,
    pub(crate) postcopy_after: PostcopyAfter,
    /// Both sides send `MIGRATION` events.
    pub(crate) events: bool,
}

/// When something was, and how sure that is.
type Moment = (Nanos, Nanos);

/// See the module.
#[derive(Debug)]
pub(crate) struct Flight {
    setup: Setup,
    out: VecDeque<Event>,
    /// With the time at which each was asked (`CLOCK_MONOTONIC`).
    asked: Vec<(Side, u64, Asked, u64)>,
    next_state: Instant,
    last_state: Instant,
    /// How often the state was to be asked for, but the last question was still open.
    unanswered: u32,
    status: [String; 2],
    /// When the state was asked for that the last reply told (`CLOCK_MONOTONIC`): it was
    /// still so then, but perhaps not any more when the reply came.
    state_asked_ns: [u64; 2],
    /// A final state that a reply told, before its event came.
    told_end: Option<(String, Stamp, Instant)>,
    source_stopped: bool,
    postcopy_due: Option<Instant>,
    /// Post-copy was ordered, or has begun.
    postcopy: bool,
    /// Post-copy has begun: neither side has all of the memory.
    switched: bool,
    pause: pause::Pause,
    /// The last round that was told.
    round: u32,
    /// The target said that it failed.
    target_failed: bool,
    source_done: Option<(Moment, Instant)>,
    target_done: Option<Moment>,
    resumed: Option<Moment>,
    target_gone: Option<(String, Instant)>,
    /// Why we gave the migration up ourselves.
    given_up: Option<String>,
    end: Option<ending::End>,
    over: bool,
    /// Since a timer was found to be late: how long what arrives still comes before it.
    late: Option<Patience>,
}

impl Flight {
    pub(crate) fn new(setup: Setup, first: impl IntoIterator<Item = Event>) -> Self {
        Self {
            setup,
            out: first.into_iter().collect(),
            asked: Vec::new(),
            next_state: Instant::now(),
            last_state: Instant::now(),
            unanswered: 0,
            status: [String::new(), String::new()],
            state_asked_ns: [monotonic_ns(); 2],
            told_end: None,
            source_stopped: false,
            postcopy_due: None,
            postcopy: false,
            switched: false,
            pause: pause::Pause::default(),
            round: 0,
            target_failed: false,
            source_done: None,
            target_done: None,
            resumed: None,
            target_gone: None,
            given_up: None,
            end: None,
            over: false,
            late: None,
        }
    }

    /// Whether the final event was made.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    pub(crate) fn next_event(
        &mut self,
        session: &mut Session,
        timeout: Duration,
    ) -> Result<Option<Event>, TriggerError> {
        let mut patience = Patience::new(timeout);
        loop {
            if let Some(event) = self.out.pop_front() {
                return Ok(Some(event));
            }
            if self.over {
                return Ok(None);
            }
            let (timer, now) = (self.next_timer(), Instant::now());
            let late = now.saturating_duration_since(timer) > HELD_UP;
            let until = if late {
                self.late.get_or_insert_with(|| Patience::new(HELD_UP)).turn()
            } else {
                self.late = None;
                timer.saturating_duration_since(now)
            };
            // What has arrived comes first: a timer must not overtake an event. But who
            // talks without pause must not hold it up.
            let turn = patience.wait(|turn| session.next(until.min(turn)));
            let due = match &mut self.late {
                Some(late) => late.tick(),
                None => !matches!(turn, Turn::Brought(_)),
            };
            let over = matches!(turn, Turn::Over);
            if let Turn::Brought(received) = turn {
                self.take(session, received);
            }
            if due {
                self.late = None;
                self.on_timers(session)?;
            }
            if over && self.out.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Asks QEMU to give the migration up.
    pub(crate) fn cancel(&mut self, session: &mut Session) -> Result<(), TriggerError> {
        if self.over || self.source_done.is_some() {
            return Ok(());
        }
        if let Some(reason) = self.pause.never_recovered() {
            self.begin_end(session, EventKind::Failed, Stamp::now(), Some(reason));
            return Ok(());
        }
        if self.postcopy {
            return Err(TriggerError::Unsupported(
                "a migration cannot be cancelled once post-copy has begun: neither side has all \
                 of the machine's memory",
            ));
        }
        session.execute(Side::Source, "migrate_cancel", Value::Null).map(|_| ())
    }

    fn next_timer(&self) -> Instant {
        let timers = [
            self.postcopy_due,
            self.told_end.as_ref().map(|told| told.2),
            self.source_done.map(|done| done.1),
            self.target_gone.as_ref().map(|gone| gone.1),
            self.end.as_ref().map(|end| end.until),
        ];
        timers.into_iter().flatten().fold(self.next_state, Instant::min)
    }

    fn on_timers(&mut self, session: &mut Session) -> Result<(), TriggerError> {
        let now = Instant::now();
        let due = |at: Instant| at <= now;
        if self.end.as_ref().is_some_and(|end| due(end.until)) {
            self.finish();
            return Ok(());
        }
        if self.postcopy_due.is_some_and(due) {
            self.start_postcopy(session);
        }
        if let Some((status, stamp, _)) = self.told_end.take_if(|told| due(told.2)) {
            self.on_status(session, Side::Source, &status, stamp);
        }
        if self.source_done.is_some_and(|done| due(done.1)) {
            self.source_done_but_not_target(session);
        } else if let Some((why, _)) = self.target_gone.take_if(|gone| due(gone.1)) {
            self.target_stays_gone(session, why);
        }
        if due(self.next_state) {
            self.ask_state(session)?;
        }
        Ok(())
    }

    fn start_postcopy(&mut self, session: &mut Session) {
        self.postcopy_due = None;
        self.postcopy = true;
        self.order(session, Side::Source, Asked::StartPostcopy);
    }

    fn take(&mut self, session: &mut Session, received: Received) {
        let Received { side, at_ns, what } = received;
        match what {
            What::Greeting(_) => {}
            What::Closed(why) => self.on_closed(session, side, Stamp::received(at_ns), &why),
            What::Reply { id, result } => {
                let asked = self
                    .asked
                    .iter()
                    .position(|(s, asked, ..)| *s == side && Some(*asked) == id)
                    .map(|i| self.asked.swap_remove(i));
                if let Some((_, _, asked, asked_ns)) = asked {
                    let stamp = Stamp::received(at_ns);
                    self.on_reply(session, side, stamp, (asked, asked_ns), result);
                }
            }
            What::Event { name, data, timestamp } => {
                let stamp = Stamp { at_ns, timestamp, slack: 0 };
                self.on_event(session, side, stamp, &name, &data);
            }
        }
    }

    fn on_event(
        &mut self,
        session: &mut Session,
        side: Side,
        stamp: Stamp,
        name: &str,
        data: &Map<String, Value>,
    ) {
        match (name, side) {
            ("STOP", Side::Source) => {
                self.source_stopped = true;
                self.tell(EventKind::Stop, side, stamp);
            }
            ("STOP", Side::Target) => {
                let kind = EventKind::Mark("target-stop".to_owned());
                self.tell(kind, side, stamp);
            }
            ("RESUME", _) => self.on_resume(side, stamp),
            ("MIGRATION", _) => {
                let status = data.get("status").and_then(Value::as_str).unwrap_or_default();
                self.on_status(session, side, status, stamp);
            }
            ("MIGRATION_PASS", Side::Source) => {
                let pass = data.get("pass").and_then(Value::as_u64);
                if let Some(pass) = pass.and_then(|pass| u32::try_from(pass).ok()) {
                    self.on_pass(session, pass, stamp);
                }
            }
            // Devices, disks and what newer versions tell.
            _ => {}
        }
    }

    fn on_reply(
        &mut self,
        session: &mut Session,
        side: Side,
        stamp: Stamp,
        (asked, asked_ns): (Asked, u64),
        result: Result<Value, QmpError>,
    ) {
        match (asked, result) {
            (Asked::State, Ok(state)) => self.on_state(session, side, stamp, asked_ns, &state),
            (Asked::RunAtTarget, Err(error)) => {
                let reason = format!("the target cannot run the machine: {}", error.desc);
                self.begin_end(session, EventKind::Failed, stamp, Some(reason));
            }
            (Asked::StartPostcopy, Err(error)) if self.is_flying() => {
                // What now goes on is a pre-copy, and would pass for a post-copy.
                self.postcopy = false;
                self.given_up = Some(format!("post-copy was refused: {}", error.desc));
                self.order(session, Side::Source, Asked::GiveUp);
            }
            (Asked::PassSwitchover, Err(error)) if self.is_flying() => {
                self.given_up = Some(format!("the switch-over was refused: {}", error.desc));
                self.order(session, Side::Source, Asked::GiveUp);
            }
            _ => {}
        }
    }

    fn is_flying(&self) -> bool {
        self.end.is_none() && !self.over && self.source_done.is_none()
    }

    /// A reply to `query-migrate`.
    fn on_state(
        &mut self,
        session: &mut Session,
        side: Side,
        stamp: Stamp,
        asked_ns: u64,
        state: &Value,
    ) {
        // No field before the first migration.
        let status = state["status"].as_str().unwrap_or_default();
        let is_final = matches!(status, "completed" | "failed" | "cancelled");
        let flying = side == Side::Source && !is_final && self.is_flying();
        if flying && state.get("ram").is_some() {
            let event = self.event(EventKind::Progress, side, stamp);
            self.out.push_back(progress(event, status, state));
        }
        // It changed at some time since the question before.
        let before = std::mem::replace(&mut self.state_asked_ns[side as usize], asked_ns);
        let changed = Stamp { slack: stamp.at_ns.saturating_sub(before), ..stamp };
        if flying
            && !self.setup.events
            && status == "active"
            && let Some(pass) = sync_count(state)
        {
            self.on_pass(session, pass, changed);
        }
        if status.is_empty() || status == self.status[side as usize] {
            return;
        }
        if !self.setup.events {
            self.on_status(session, side, status, changed);
        } else if side == Side::Source && is_final && self.told_end.is_none() {
            self.told_end = Some((status.to_owned(), changed, Instant::now() + EVENT_LAG));
        }
    }

    fn on_resume(&mut self, side: Side, stamp: Stamp) {
        let moment = self.moment(side, stamp);
        self.tell(EventKind::Resume, side, stamp);
        match side {
            Side::Target => {
                self.resumed.get_or_insert(moment);
                self.complete_if_done(true);
            }
            Side::Source => {
                self.source_stopped = false;
                if self.end.is_some() {
                    self.finish();
                }
            }
        }
    }

    fn on_closed(&mut self, session: &mut Session, side: Side, stamp: Stamp, why: &str) {
        if self.over || self.end.is_some() {
            return;
        }
        match side {
            Side::Source if self.source_done.is_some() => {}
            Side::Source => {
                let reason = format!(
                    "the QMP socket of {} ended in mid-migration: {why}",
                    session.place(side)
                );
                self.begin_end(session, EventKind::Failed, stamp, Some(reason));
            }
            // A cancelled target ends its process: what the source says counts.
            // Nor has a paused source anything to say any more.
            Side::Target if self.source_done.is_none() && !self.pause.is_open() => {
                self.target_gone = Some((why.to_owned(), Instant::now() + OTHER_SIDE));
            }
            Side::Target => self.lost_target(session, why),
        }
    }

    fn event(&self, kind: EventKind, side: Side, stamp: Stamp) -> Event {
        let mapping = self.setup.mappings[side as usize];
        mapping.event(kind, event_source(side), &self.setup.clock, stamp)
    }

    fn moment(&self, side: Side, stamp: Stamp) -> Moment {
        let event = self.event(EventKind::Progress, side, stamp);
        (event.at, event.uncertainty)
    }

    fn tell(&mut self, kind: EventKind, side: Side, stamp: Stamp) {
        let event = self.event(kind, side, stamp);
        self.out.push_back(event);
    }
}
