//! A migration that was ordered: what is looked at becomes events, and the end is found.

use std::collections::{BTreeMap, VecDeque};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::file::{Poll, RecipeFile};
use super::session::{Session, Told};
use super::template::Values;
use crate::clock::{Clock, Nanos, monotonic_ns};
use crate::event::{Event, EventKind};
use crate::migration::api_client::{ApiAnswer, ApiClient, Failure};
use crate::migration::patience::Patience;
use crate::migration::trigger::TriggerError;

/// How long a server may be out of reach in the middle of a migration.
const LOST_LIMIT: Duration = Duration::from_secs(60);
/// Looks that are made at the least before anything is given up.
const LEAST_LOOKS: u32 = 3;
/// How long an order whose answer was lost may still come.
const LATE_ORDER: Duration = Duration::from_secs(15);
/// How often it is looked for the machine at its new place, at the least.
const CONFIRM_EVERY: Duration = Duration::from_millis(500);
/// How long it may take until the machine is seen at its new place, unless a recipe says otherwise.
const CONFIRM_LIMIT: Duration = Duration::from_secs(30);

/// A migration that was ordered.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) clock: Clock,
    pub(super) source: String,
    pub(super) out: VecDeque<Event>,
    /// `CLOCK_MONOTONIC` from when on something new may have happened.
    pub(super) since_ns: u64,
    pub(super) next_look: Instant,
    pub(super) stage: Stage,
    /// The state that was told last, and the numbers.
    pub(super) state: Option<String>,
    pub(super) progress: BTreeMap<String, Value>,
    pub(super) details: Map<String, Value>,
    /// The first failure of looks that fail in a row, their number, and how long they may go on.
    pub(super) failing: Option<(TriggerError, u32, Patience)>,
    /// Why the answer to the order was lost, and how long it may still come.
    pub(super) unanswered: Option<(String, Patience)>,
    pub(super) cancelled: bool,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// The order itself is answered at the end.
    Ordered(Box<ApiClient>),
    /// It is looked for the end.
    Moving,
    /// It is over; whether the machine is elsewhere is looked for.
    Arriving(Arrival),
    /// It was cancelled and is gone; whether that came too late is looked for.
    Leaving(Event),
    Over,
}

/// A machine that should be elsewhere.
#[derive(Debug)]
pub(super) struct Arrival {
    /// `None`: nobody said when, so it is when the machine is seen there.
    completed: Option<Event>,
    /// Why it should be there.
    because: String,
    patience: Patience,
    looks: u32,
    unmet: String,
}

impl Flight {
    /// The answer to the order was lost: whether it was taken, the looks find out.
    pub(super) fn lose_order(&mut self, error: &TriggerError) {
        let error = error.to_string();
        self.details.insert("order_unanswered".to_owned(), error.as_str().into());
        self.unanswered = Some((error, Patience::new(LATE_ORDER)));
    }

    /// An event that came about since the look before, and was there when this one was answered.
    pub(super) fn between(&self, kind: EventKind, answered_ns: u64) -> Event {
        let [from, to] = [self.since_ns, answered_ns].map(|at| self.clock.from_monotonic(at));
        let half: Nanos = to.saturating_sub(from) / 2;
        Event::new(kind, from + half, to.saturating_sub(from + half), &self.source)
    }

    /// Waits for `timeout` at the most for what comes next.
    pub(super) fn go_on(
        &mut self,
        file: &RecipeFile,
        session: &mut Session,
        every: Duration,
        timeout: Duration,
    ) -> Result<(), TriggerError> {
        self.tick()?;
        if let Stage::Ordered(client) = &mut self.stage {
            if let Some(answer) = client.wait(timeout) {
                self.on_end(file, session, answer)?;
            }
            return Ok(());
        }
        let (request, every) = match (&self.stage, &file.poll, &file.confirm) {
            (Stage::Moving, Some(poll), _) => (&poll.request, every),
            (Stage::Arriving(_) | Stage::Leaving(_), _, Some(confirm)) => {
                (&confirm.request, every.min(CONFIRM_EVERY))
            }
            _ => {
                thread::sleep(timeout);
                return Ok(());
            }
        };
        if !session.is_asking(request) {
            let left = self.next_look.saturating_duration_since(Instant::now());
            thread::sleep(left.min(timeout));
            if left > timeout {
                return Ok(());
            }
            self.next_look = Instant::now() + every;
            session.start("looking at the migration", request)?;
        }
        match (session.wait(request, timeout), &file.poll) {
            (None, _) => Ok(()),
            (Some(Err(failure)), _) => {
                self.on_failure(failure.error);
                Ok(())
            }
            (Some(Ok(told)), Some(poll)) if matches!(self.stage, Stage::Moving) => {
                self.on_look(file, session, poll, &told)
            }
            (Some(Ok(told)), _) => {
                self.on_arrival(file, session, &told);
                Ok(())
            }
        }
    }

    /// A look did not come about: a migration goes on without it.
    fn on_failure(&mut self, error: TriggerError) {
        if let Stage::Arriving(arrival) = &mut self.stage {
            arrival.looks += 1;
            arrival.unmet = error.to_string();
            return;
        }
        let failing = self.failing.get_or_insert_with(|| (error, 0, Patience::new(LOST_LIMIT)));
        failing.1 += 1;
    }

    /// The machine is not where it should be.
    fn not_arrived(&mut self, now: Event, because: &str, unmet: &str) {
        let reason = format!("{because}, but the machine is not seen at its new place: {unmet}");
        let failed = Event { kind: EventKind::Failed, ..now };
        self.end(failed.with("reason", reason));
    }

    /// Lets time pass for what is waited for, whatever it brings.
    fn tick(&mut self) -> Result<(), TriggerError> {
        if let Some((_, patience)) = &mut self.unanswered {
            patience.tick();
        }
        if let Stage::Arriving(arrival) = &mut self.stage {
            if arrival.patience.tick() && arrival.looks >= LEAST_LOOKS {
                let (because, unmet) = (arrival.because.clone(), arrival.unmet.clone());
                let told = arrival.completed.clone();
                let now = told.unwrap_or_else(|| self.between(EventKind::Failed, monotonic_ns()));
                self.not_arrived(now, &because, &unmet);
            }
            return Ok(());
        }
        let is_lost = |failing: &mut (TriggerError, u32, Patience)| {
            let is_over = failing.2.tick();
            is_over && failing.1 >= LEAST_LOOKS
        };
        match self.failing.take_if(is_lost) {
            None => Ok(()),
            Some((error, ..)) => Err(TriggerError::protocol(
                "looking at the migration",
                format!(
                    "{error}; nothing was learnt for {} s, and the migration may still be going on",
                    LOST_LIMIT.as_secs()
                ),
            )),
        }
    }

    /// Whether an answer that knows nothing of the migration is waited for another one: the order may
    /// come late whose own answer was lost.
    fn waits_for_order(&mut self, told: &Told) -> bool {
        let Some((lost, patience)) = &self.unanswered else { return false };
        if patience.is_over() {
            let reason =
                format!("the answer to the order was lost ({lost}), and nobody knows of it yet");
            let failed = self.between(EventKind::Failed, told.answered_ns);
            self.end(failed.with("reason", reason));
        }
        true
    }

    fn on_look(
        &mut self,
        file: &RecipeFile,
        session: &Session,
        poll: &Poll,
        told: &Told,
    ) -> Result<(), TriggerError> {
        let (answer, what) = (&told.answer, "looking at the migration");
        let gone = file.cancel.as_ref().filter(|_| self.cancelled).map(|cancel| &cancel.gone);
        if gone.is_some_and(|gone| gone.contains(&answer.status)) {
            let ended = self.between(EventKind::Cancelled, told.answered_ns);
            if file.confirm.is_none() {
                self.end(ended);
                return Ok(());
            }
            self.next_look = Instant::now();
            self.failing = None;
            self.stage = Stage::Leaving(ended);
            return Ok(());
        }
        if answer.status == 404 && self.waits_for_order(told) {
            return Ok(());
        }
        if poll.over.contains(&answer.status) {
            let because = format!("{} says that it is over", file.name);
            self.arrive(file, because, None);
            return Ok(());
        }
        if !poll.request.accepts(answer.status) {
            let refused = TriggerError::refused(what, session.refusal(told, &poll.reason));
            if !poll.tolerate.contains(&answer.status) {
                return Err(refused);
            }
            self.on_failure(refused);
            return Ok(());
        }
        if answer.json.is_null() {
            let reason = format!("the answer is no JSON: '{}'", session.values.shown(&told.text));
            self.on_failure(TriggerError::protocol(what, reason));
            return Ok(());
        }
        self.failing = None;
        if poll.ignore.as_ref().is_some_and(|one| session.values_hold(one, answer)) {
            if !self.waits_for_order(told) {
                self.since_ns = told.asked_ns;
            }
            return Ok(());
        }
        if let Some((lost, _)) = self.unanswered.take() {
            let note = format!("its answer was lost: {lost}");
            let accepted = self.between(EventKind::Accepted, told.answered_ns);
            self.out.push_back(accepted.with("note", note));
        }
        self.tell(poll, told, &session.values);
        let holds = |predicate| session.values_hold(predicate, answer);
        // What looks like success may be a failure, and not the other way round.
        if poll.cancelled.as_ref().is_some_and(holds) {
            let ended = self.between(EventKind::Cancelled, told.answered_ns);
            self.end(ended);
            return Ok(());
        }
        if poll.failure.as_ref().is_some_and(holds) {
            let kind = if self.cancelled { EventKind::Cancelled } else { EventKind::Failed };
            let reason = poll.reason.iter().find_map(|pointer| pointer.text_of(answer));
            let reason = reason.map_or_else(
                || format!("{} says that it failed, and not why", file.name),
                |reason| session.values.shown(&reason),
            );
            let ended = self.between(kind, told.answered_ns).with("reason", reason);
            self.end(ended);
            return Ok(());
        }
        if holds(&poll.success) {
            let completed = self.between(EventKind::Completed, told.answered_ns);
            self.arrive(file, says_so(file), Some(completed));
            return Ok(());
        }
        self.since_ns = told.asked_ns;
        Ok(())
    }

    /// Tells of states and numbers that have changed.
    fn tell(&mut self, poll: &Poll, told: &Told, values: &Values) {
        let state = poll.state.as_ref().and_then(|pointer| pointer.text_of(&told.answer));
        let state = state.map(|state| values.shown(&state));
        if state.is_some() && state != self.state {
            let name = state.clone().unwrap_or_default();
            let event = self.between(EventKind::State(name.clone()), told.answered_ns);
            self.out.push_back(event.with("status", name));
            self.state = state;
        }
        let numbers = poll.progress.iter().filter_map(|(name, pointer)| {
            Some((name.clone(), values.shown_value(pointer.of(&told.answer)?)))
        });
        let numbers: BTreeMap<String, Value> = numbers.collect();
        if !numbers.is_empty() && numbers != self.progress {
            let mut event = self.between(EventKind::Progress, told.answered_ns);
            event.attributes.extend(numbers.clone());
            self.out.push_back(event);
            self.progress = numbers;
        }
        for (name, pointer) in &poll.details {
            if let Some(value) = pointer.of(&told.answer) {
                self.details.insert(name.clone(), values.shown_value(value));
            }
        }
    }

    /// The order was answered, which it is at the end.
    fn on_end(
        &mut self,
        file: &RecipeFile,
        session: &mut Session,
        answer: Result<ApiAnswer, Failure>,
    ) -> Result<(), TriggerError> {
        let told = match answer {
            Ok(answer) => session.told(answer),
            // Who is done may end before it says so: whether the machine is elsewhere tells.
            Err(Failure { error, may_be_done: true }) if file.confirm.is_some() => {
                self.details.insert("order_unanswered".to_owned(), error.to_string().into());
                self.since_ns = monotonic_ns();
                let because = format!("the order's answer was lost ({error})");
                self.arrive(file, because, None);
                return Ok(());
            }
            Err(failure) => return Err(failure.error),
        };
        let at = self.clock.from_monotonic(told.answered_ns);
        let now = |kind| Event::new(kind, at, 0, &self.source);
        if file.start.request.accepts(told.answer.status) {
            let completed = now(EventKind::Completed);
            self.arrive(file, says_so(file), Some(completed));
            return Ok(());
        }
        let reason = session.refusal(&told, &file.start.reason);
        let kind = if self.cancelled { EventKind::Cancelled } else { EventKind::Failed };
        let beside = session.background_trouble(Duration::ZERO);
        let reason = beside.map_or_else(|| reason.clone(), |other| format!("{reason}; {other}"));
        let ended = now(kind).with("reason", reason);
        self.end(ended);
        Ok(())
    }

    /// It is over, and the machine should be elsewhere.
    fn arrive(&mut self, file: &RecipeFile, because: String, completed: Option<Event>) {
        let Some(confirm) = &file.confirm else {
            // Without one nobody is taken at less than his word: recipes are checked before.
            if let Some(completed) = completed {
                self.end(completed);
            }
            return;
        };
        let patience = Patience::new(confirm.within.unwrap_or(CONFIRM_LIMIT));
        let unmet = "nobody answered".to_owned();
        self.next_look = Instant::now();
        self.failing = None;
        self.stage = Stage::Arriving(Arrival { completed, because, patience, looks: 0, unmet });
    }

    /// Whether the machine is where it should be.
    fn on_arrival(&mut self, file: &RecipeFile, session: &Session, told: &Told) {
        let Some(confirm) = &file.confirm else { return };
        let accepted = confirm.request.accepts(told.answer.status);
        let is_passing = !accepted && confirm.tolerate.contains(&told.answer.status);
        let arrived = accepted && confirm.success.holds(&told.answer, &session.values);
        let seen = self.between(EventKind::Completed, told.answered_ns);
        match &mut self.stage {
            Stage::Leaving(_) if is_passing => {}
            Stage::Leaving(cancelled) => {
                let kind = if arrived { EventKind::Completed } else { EventKind::Cancelled };
                let ended = Event { kind, ..cancelled.clone() };
                self.end(if arrived { ended.with("on_target", true) } else { ended });
            }
            Stage::Arriving(arrival) if arrived => {
                let completed = arrival.completed.take().unwrap_or(seen);
                self.end(completed.with("on_target", true));
            }
            Stage::Arriving(arrival) => {
                arrival.looks += 1;
                arrival.unmet = match accepted {
                    true => {
                        confirm.success.unmet(&told.answer, &session.values).unwrap_or_default()
                    }
                    false => session.refusal(told, &[]),
                };
                if !accepted && !is_passing {
                    let (because, unmet) = (arrival.because.clone(), arrival.unmet.clone());
                    let now = arrival.completed.take().unwrap_or(seen);
                    self.not_arrived(now, &because, &unmet);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, last: Event) {
        self.out.push_back(last);
        self.stage = Stage::Over;
    }
}

fn says_so(file: &RecipeFile) -> String {
    format!("{} says that it completed", file.name)
}
