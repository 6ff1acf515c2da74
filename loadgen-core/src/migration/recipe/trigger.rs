//! [`RecipeTrigger`]: orders a migration as a recipe says, and looks until it is known what became of
//! it.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::condition::Answer;
use super::file::{Figure, RecipeFile};
use super::flight::{Flight, Stage};
use super::options::RecipeOptions;
use super::session::Session;
use crate::clock::{Clock, monotonic_ns};
use crate::event::{Event, EventKind};
use crate::migration::api_client::Failure;
use crate::migration::overheard::Overheard;
use crate::migration::trigger::{Context, Ending, Settled, Trigger, TriggerError, VmFacts};

/// How long between two looks, unless a recipe says otherwise.
const EVERY: Duration = Duration::from_millis(500);
/// How long an answer may take where the report waits: to an order to cancel, and to a question when
/// all is over.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// Bytes that no machine has.
const MOST_BYTES: f64 = (1_u64 << 60) as f64;

const NOT_FIRED: TriggerError = TriggerError::Unsupported("the migration was not started yet");

/// Migrates a machine over HTTP, as a recipe says.
///
/// A trigger that is dropped in mid-migration cancels the migration, if the recipe says how.
#[derive(Debug)]
pub struct RecipeTrigger {
    options: RecipeOptions,
    /// Its name, once it was read.
    name: String,
    ready: Option<(RecipeFile, Session)>,
    clock: Option<Clock>,
    flight: Option<Flight>,
}

impl RecipeTrigger {
    /// A trigger; the recipe is read by [`Trigger::inspect`], and nothing is asked before.
    ///
    /// # Errors
    /// [`TriggerError::Spec`] if the options do not go together.
    pub fn new(options: RecipeOptions) -> Result<Self, TriggerError> {
        options.validate()?;
        Ok(Self { options, name: "http".to_owned(), ready: None, clock: None, flight: None })
    }

    /// The same with what the hypervisors beneath tell, if that is to be heard.
    pub(crate) fn with_events(options: RecipeOptions) -> Result<Box<dyn Trigger>, TriggerError> {
        let events = options.events.clone();
        Ok(Overheard::beside(Box::new(Self::new(options)?), events))
    }

    fn ready(&mut self) -> Result<&mut (RecipeFile, Session), TriggerError> {
        match &mut self.ready {
            Some(ready) => Ok(ready),
            none => {
                let ready = none.insert(Session::read(&self.options)?);
                self.name = format!("http:{}", ready.0.name);
                Ok(ready)
            }
        }
    }
}

/// The run's name, as a part of the names of objects: one that loadgen makes is that already; of
/// another one, which may be the same for several runs, a number stands in its place.
fn run_name(run_id: &str) -> String {
    let is_one = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_short = (1..=40).contains(&run_id.len());
    if is_short && run_id.chars().all(is_one) {
        return run_id.to_owned();
    }
    format!("{:016x}", monotonic_ns())
}

impl Trigger for RecipeTrigger {
    fn name(&self) -> &str {
        &self.name
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        // Values of an earlier look do not count.
        self.ready = None;
        let (file, session) = self.ready()?;
        let mut facts = VmFacts { hypervisor: Some(file.name.clone()), ..VmFacts::default() };
        for step in &file.inspect {
            facts.memory_bytes = session.follow(step)?.or(facts.memory_bytes);
        }
        // A recipe that expects nothing has not looked.
        let looks = file.inspect.iter().any(|step| step.expect.is_some());
        facts.running = looks.then_some(true);
        Ok(facts)
    }

    fn check(&mut self) -> Result<(), TriggerError> {
        self.ready().map(drop)
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        let (file, session) = self.ready()?;
        session.values.set("run", run_name(&context.run_id));
        session.values.set("trial", context.trial.to_string());
        for step in &file.prepare {
            session.follow(step)?;
        }
        self.clock = Some(context.clock);
        Ok(())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        let source = self.name.clone();
        let (Some((file, session)), Some(clock)) = (&mut self.ready, self.clock) else {
            return Err(TriggerError::Unsupported("the trigger must be armed before it is fired"));
        };
        let (start, what) = (&file.start, format!("ordering the migration of {}", file.name));
        let mut flight = Flight {
            clock,
            source,
            out: VecDeque::new(),
            since_ns: monotonic_ns(),
            next_look: Instant::now(),
            stage: Stage::Moving,
            state: None,
            progress: BTreeMap::new(),
            details: Map::new(),
            failing: None,
            unanswered: None,
            cancelled: false,
        };
        let fired = clock.from_monotonic(flight.since_ns);
        flight.out.push_back(Event::new(EventKind::Fired, fired, 0, &flight.source));
        if start.answers_at_the_end {
            flight.stage = Stage::Ordered(Box::new(session.start_long(&what, &start.request)?));
        } else {
            match session.ask(&what, &start.request) {
                Ok(told) if start.request.accepts(told.answer.status) => {
                    session.save(&start.save, &told.answer, false).map_err(|reason| {
                        TriggerError::protocol(
                            what.as_str(),
                            format!("{reason}, and the migration may be going on"),
                        )
                    })?;
                    let accepted = flight.between(EventKind::Accepted, told.answered_ns);
                    flight.out.push_back(accepted);
                    flight.since_ns = told.asked_ns;
                }
                Ok(told) if !is_of_a_gateway(told.answer.status) => {
                    let reason = session.refusal(&told, &start.reason);
                    return Err(TriggerError::refused(what, reason));
                }
                // Whether it was taken is for the looks to find out, if they know what to look for.
                lost => {
                    let error = match lost {
                        Ok(told) => TriggerError::refused(
                            what.as_str(),
                            session.refusal(&told, &start.reason),
                        ),
                        Err(Failure { may_be_done: false, error }) => return Err(error),
                        Err(Failure { error, .. }) => error,
                    };
                    if !start.save.is_empty() {
                        return Err(TriggerError::protocol(
                            what,
                            format!("{error}; it may have been carried out all the same"),
                        ));
                    }
                    flight.lose_order(&error);
                }
            }
        }
        self.flight = Some(flight);
        Ok(())
    }

    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        let (Some(flight), Some((file, session))) = (&mut self.flight, &mut self.ready) else {
            return Err(NOT_FIRED);
        };
        if flight.out.is_empty() {
            let poll = file.poll.as_ref().and_then(|poll| poll.every);
            let every = self.options.poll.or(poll).unwrap_or(EVERY);
            flight.go_on(file, session, every, timeout)?;
        }
        Ok(flight.out.pop_front())
    }

    fn cancel(&mut self) -> Result<(), TriggerError> {
        let (Some(flight), Some((file, session))) = (&mut self.flight, &mut self.ready) else {
            return Err(NOT_FIRED);
        };
        let Some(cancel) = &file.cancel else {
            return Err(TriggerError::Unsupported(
                "the recipe has no [cancel]: this manager's migrations are not cancelled here",
            ));
        };
        if flight.cancelled
            || matches!(flight.stage, Stage::Over | Stage::Arriving(_) | Stage::Leaving(_))
        {
            return Ok(());
        }
        let what = format!("cancelling the migration of {}", file.name);
        let cancelled = session.hurried(CANCEL_LIMIT, |session| {
            for step in &cancel.first {
                session.follow(step)?;
            }
            let told = session.ask(&what, &cancel.request).map_err(|failure| failure.error)?;
            let gone = cancel.gone.contains(&told.answer.status);
            if !gone && !cancel.request.accepts(told.answer.status) {
                let reason = session.refusal(&told, &file.start.reason);
                return Err(TriggerError::refused(what.as_str(), reason));
            }
            Ok(())
        });
        // It may be over by now, which the looks find out.
        if let Err(error) = cancelled {
            return Err(TriggerError::NotCancelled(error.to_string()));
        }
        flight.cancelled = true;
        flight.next_look = Instant::now();
        Ok(())
    }

    fn settle(&mut self, last: &Event) -> Result<Settled, TriggerError> {
        let (Some(flight), Some((file, session))) = (&self.flight, &mut self.ready) else {
            return Err(NOT_FIRED);
        };
        let mut settled = Settled::of(last);
        settled.details.clone_from(&flight.details);
        let completed = settled.ending == Ending::Completed;
        settled.on_target = (completed && file.confirm.is_some()).then_some(true);
        let sent = flight.progress.get("transferred_bytes");
        settled.transferred_bytes = sent.and_then(Value::as_u64);
        if let Some(figures) = file.figures.as_ref().filter(|_| completed) {
            // They are beside what was measured: without them the report is whole.
            let asked = session.hurried(CANCEL_LIMIT, |session| {
                session.ask("asking for the figures", &figures.request)
            });
            match asked {
                Ok(told) if figures.request.accepts(told.answer.status) => {
                    let number = |figure: &Option<Figure>| figure.as_ref()?.number(&told.answer);
                    let millis = |figure: &Option<Figure>| {
                        Duration::try_from_secs_f64(number(figure)? / 1e3).ok()
                    };
                    settled.hypervisor_downtime = millis(&figures.downtime_ms);
                    settled.hypervisor_total = millis(&figures.total_ms);
                    let bytes = number(&figures.transferred_bytes)
                        .filter(|n| (0.0..MOST_BYTES).contains(n));
                    let bytes = bytes.map(|bytes| bytes as u64);
                    settled.transferred_bytes = bytes.or(settled.transferred_bytes);
                }
                Ok(told) => {
                    let why = session.refusal(&told, &[]);
                    settled.details.insert("no_figures".to_owned(), why.into());
                }
                Err(Failure { error, .. }) => {
                    settled.details.insert("no_figures".to_owned(), error.to_string().into());
                }
            }
        }
        Ok(settled)
    }
}

impl Drop for RecipeTrigger {
    fn drop(&mut self) {
        let is_moving = |flight: &Flight| {
            !flight.cancelled && matches!(flight.stage, Stage::Moving | Stage::Ordered(_))
        };
        if self.flight.as_ref().is_some_and(is_moving)
            && let Some((file, session)) = &mut self.ready
            && let Some(cancel) = &file.cancel
        {
            // The report waits.
            let _ = session.hurried(CANCEL_LIMIT, |session| {
                cancel.first.iter().try_for_each(|step| session.follow(step).map(drop))?;
                session.ask("cancelling the migration", &cancel.request).map_err(|f| f.error)
            });
        }
    }
}

impl Figure {
    fn number(&self, answer: &Answer) -> Option<f64> {
        let text = self.within.text_of(answer)?;
        let mut rest = text.as_str();
        if let Some(after) = &self.after {
            // The last one is of the end.
            (_, rest) = rest.rsplit_once(after.as_str())?;
        }
        if let Some(before) = &self.before {
            (rest, _) = rest.split_once(before.as_str())?;
        }
        let number: f64 = rest.trim().parse().ok()?;
        (number.is_finite() && number >= 0.0).then_some(number)
    }
}

/// What those say who stand before a manager and have had no answer of it in time: it may have done
/// what it was told.
fn is_of_a_gateway(status: u16) -> bool {
    matches!(status, 502..=504 | 595..=599)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_runs_are_parts_of_names() {
        assert_eq!(run_name("00a1b2c3d4e5f607"), "00a1b2c3d4e5f607");
        for other in ["trial 3-3", "", "Run", "é", &"a".repeat(41)] {
            let name = run_name(other);
            assert!(name.len() == 16 && name.chars().all(|c| c.is_ascii_hexdigit()), "{name}");
        }
    }
}
