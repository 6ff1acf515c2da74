//! One migration under load: load, fire, watch, settle, report.
//!
//! Whatever happens after the load has begun — a trigger that dies or hangs, an
//! interrupt — what was measured so far becomes a report; its verdict says what
//! went wrong. Only what happens before the load is an error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::course::{CANCEL_GRACE, Course, Times, drain};
use super::guarded::{About, Guarded};
use super::impact::{ImpactInput, impact};
use super::patience::Patience;
use super::reach::{self, Reach, ReachLog};
use super::stage::MigrationProgress;
use super::turns::Place;
use super::waiting::Watch;
use super::{Context, ReachCheck, Trigger, TriggerError, VmFacts};
use crate::clock::{Clock, Nanos};
use crate::engine::{Engine, Finished, RunHandle, unless_stopped};
use crate::error::{PlanError, RunError};
use crate::event::{EventKind, EventReport};
use crate::panicked::said;
use crate::plan::{Load, Plan, nanos};
use crate::record::{CallSink, Population, SinkContext};
use crate::report::{Report, VerdictStatus};
use crate::schedule::Schedule;

/// Calls that are kept one by one when the plan does not say: 400 MB at the most.
const CALL_LOG: u64 = 8_000_000;

/// A migration that could not even be tried; nothing has been measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// The load cannot run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The trigger cannot start a migration as things stand.
    #[error("cannot prepare the migration: {0}")]
    Trigger(TriggerError),
}

// By hand, as its words are in ours: it is no source that would say them once more.
impl From<TriggerError> for MigrationError {
    fn from(error: TriggerError) -> Self {
        Self::Trigger(error)
    }
}

/// A load with one migration in the middle.
pub struct MigrationRun {
    plan: Plan,
    trigger: Box<dyn Trigger>,
    before: Duration,
    after: Duration,
    limit: Duration,
    /// The load ends by itself.
    within: bool,
    run_id: String,
    trial: u32,
    reach: (ReachCheck, f64),
    /// Makes what calls are handed out to.
    sinks: Option<Box<SinkOf>>,
    /// Its place among several machines.
    place: Option<Place>,
}

/// Makes a sink of a worker by its number and the names of tags.
type SinkOf = dyn FnMut(&SinkContext<'_>) -> Box<dyn CallSink> + Send;

impl MigrationRun {
    /// Puts `plan`'s load on its target and lets `trigger` migrate the machine:
    /// 10 s before, 10 s after, the migration given up after 10 minutes.
    ///
    /// The plan's duration must be unset, since the migration decides the length.
    /// Its schedules must be open loops: a closed loop waits together with a
    /// stopped server and hides the outage.
    #[must_use]
    pub fn new(plan: Plan, trigger: Box<dyn Trigger>) -> Self {
        Self {
            plan,
            trigger,
            before: Duration::from_secs(10),
            after: Duration::from_secs(10),
            limit: Duration::from_secs(600),
            within: false,
            run_id: format!("{:016x}", crate::clock::monotonic_ns()),
            trial: 1,
            reach: (ReachCheck::Auto, reach::DEFAULT_RATE),
            sinks: None,
            place: None,
        }
    }

    /// How long the baseline is measured, after the plan's warm-up.
    #[must_use]
    pub fn with_before(mut self, before: Duration) -> Self {
        self.before = before;
        self
    }

    /// How long the load goes on after the migration.
    #[must_use]
    pub fn with_after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    /// After how long a migration that does not end is cancelled.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// For a load that ends by itself, such as a number of sessions: the migration is
    /// fired at `fire_at` (after the plan's warm-up), and the load goes on to its own
    /// end, which may come before that of the migration; the verdict says so then.
    #[must_use]
    pub fn within_load(mut self, fire_at: Duration) -> Self {
        self.before = fire_at;
        self.within = true;
        self
    }

    /// How the reach check asks whether the machine's kernel answers at all, and how
    /// often a second: [`ReachCheck::Auto`] and 200 unless told otherwise, 1 to 1000.
    #[must_use]
    pub fn with_reach_check(mut self, check: ReachCheck, rate_per_s: f64) -> Self {
        self.reach = (check, rate_per_s);
        self
    }

    /// Hands out each call as it ends: see [`Engine::with_call_sinks`].
    #[must_use]
    pub fn with_call_sinks(
        mut self,
        sinks: impl FnMut(&SinkContext<'_>) -> Box<dyn CallSink> + Send + 'static,
    ) -> Self {
        self.sinks = Some(Box::new(sinks));
        self
    }

    /// Names the run and its repetition to the trigger.
    #[must_use]
    pub fn with_run_id(mut self, run_id: impl Into<String>, trial: u32) -> Self {
        self.run_id = run_id.into();
        self.trial = trial;
        self
    }

    /// The plan of its load.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// One of several: it is moved when it is its turn, and loaded until all are done.
    pub(super) fn in_place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Runs it. `interrupt`, once true, cancels a migration under way, ends the
    /// load and gives the report of what was measured until then. `observe` is
    /// called ten times a second, and at every event, in this thread; if it panics, the
    /// report says so, and it is not called any more.
    ///
    /// # Errors
    /// [`MigrationError`] if the migration could not be prepared or the load not
    /// be started; nothing is lost then, since nothing was measured.
    pub fn run(
        mut self,
        interrupt: &AtomicBool,
        observe: &mut dyn FnMut(MigrationProgress<'_>),
    ) -> Result<Report, MigrationError> {
        let sinks = self.sinks.take();
        let start = |plan| {
            let engine = Engine::prepare(plan, interrupt)?;
            match sinks {
                Some(sinks) => engine.with_call_sinks(sinks).start(),
                None => engine.start(),
            }
        };
        self.run_started(start, interrupt, observe)
    }

    /// As [`Self::run`], with the load started by `start`.
    pub(crate) fn run_started(
        mut self,
        start: impl FnOnce(Plan) -> Result<RunHandle, RunError>,
        interrupt: &AtomicBool,
        observe: &mut dyn FnMut(MigrationProgress<'_>),
    ) -> Result<Report, MigrationError> {
        let mut panic = None;
        let observe = &mut |now: MigrationProgress<'_>| {
            if panic.is_none() {
                let observed = catch_unwind(AssertUnwindSafe(|| observe(now)));
                panic = observed.err().map(|panic| said(&*panic).to_owned());
            }
        };
        self.check().map_err(RunError::from)?;
        if self.plan.call_log == 0 {
            let machines = self.place.as_ref().map_or(1, Place::machines);
            self.plan.call_log = CALL_LOG / machines as u64;
        }
        // The trigger is made ready before the load, so that this does not disturb
        // the baseline. Its clock is mapped to that of the load afterwards.
        let mut trigger = Guarded::start(self.trigger)?;
        let mut waits = unless(interrupt);
        let about = trigger.ask("name", &mut waits, |trigger| Ok(About::of(trigger)));
        let about = about.map_err(not_ready)?;
        let vm = trigger.ask("inspect", &mut waits, |trigger| trigger.inspect());
        let vm = vm.map_err(not_ready)?;
        let ((how, rate), target) = (self.reach, self.plan.target().clone());
        let mut reach = unless_stopped(interrupt, move || Reach::prepare(how, rate, &target))?;
        let mut context = Context::new(self.run_id.clone(), Clock::start());
        context.trial = self.trial;
        let given = context.clone();
        trigger.ask("arm", &mut waits, move |trigger| trigger.arm(&given)).map_err(not_ready)?;

        let times = Times {
            warmup: Duration::from_secs_f64(self.plan.warmup_s),
            before: self.before,
            after: (!self.within).then_some(self.after),
            limit: self.limit,
        };
        // Whatever breaks from here on, no load is left behind.
        let handle = start(self.plan.clone())?.stop_on_drop();
        reach.start(most_descriptors(&self.plan));
        let watch = Watch { handle: &handle, interrupt, observe };
        let mut course = Course { about, ..Course::default() };
        let place = self.place.take();
        course.follow(watch, &mut trigger, &context, times, place.as_ref());
        // Given up, it is stopped already.
        if handle.aborted().is_none() {
            handle.stop();
        }
        let mut reach = reach.finish();
        drain(&handle, interrupt, observe);
        course.interrupted |= interrupt.load(Relaxed);
        let origin = handle.started_clock();
        let mut finished = handle.finish()?;
        if let Some(clock) = origin {
            course.map_to(&context.clock, &clock);
            reach.map_to(&clock);
            let accepted = course.events.iter().find(|event| event.kind == EventKind::Accepted);
            if let Some((place, accepted)) = place.as_ref().zip(accepted) {
                place.was_accepted(clock.to_monotonic(accepted.at));
            }
        }
        // While it waits for its turn others are moved.
        let quiet = times.warmup.saturating_add(times.before).as_nanos();
        let quiet = place.map_or(Nanos::MAX, |_| Nanos::try_from(quiet).unwrap_or(Nanos::MAX));
        add_impact(&self.plan, &mut finished, &course, (vm, quiet), &reach);
        if let Some(said) = panic {
            let why = format!("the program's observer panicked: {said}; it was shown nothing more");
            finished.report.verdict.add([(VerdictStatus::Invalid, why)]);
        }
        Ok(finished.report)
    }

    fn check(&self) -> Result<(), PlanError> {
        let own_end = self.plan.has_end();
        if own_end && !self.within {
            return Err(PlanError::Conflict(
                "the duration of a migration run follows from the migration: leave it (and a \
                 number of calls or sessions) unset",
            ));
        }
        if self.within && !own_end {
            return Err(PlanError::Conflict(
                "a load with a migration within it needs an end of its own: a duration, or a \
                 number of calls or sessions",
            ));
        }
        if self.plan.loads().any(|load| load.schedule().lowest_per_s() == Some(0.0)) {
            return Err(PlanError::Conflict(
                "where the rate comes down to 0 nobody asks, and the silence could not be told \
                 from an outage: let no stage of a load with a migration begin or end with 0",
            ));
        }
        if !reach::RATES.contains(&self.reach.1) {
            return Err(PlanError::Conflict(
                "the rate of the reach check is from 1 to 1000 a second (or switch it off)",
            ));
        }
        if self.plan.loads().any(|load| *load.schedule() == Schedule::Closed) {
            return Err(PlanError::Conflict(
                "a migration needs an open loop (a rate): in a closed loop the clients wait \
                 together with the stopped server, and the outage hides itself",
            ));
        }
        self.plan.validate()
    }
}

/// Whether an answer of the trigger is waited for before the load.
fn unless(interrupt: &AtomicBool) -> impl FnMut() -> bool {
    let mut grace = None::<Patience>;
    move || match &mut grace {
        Some(patience) => !patience.tick(),
        None => {
            // It may be about to change something, and then to leave it half done.
            grace = interrupt.load(Relaxed).then(|| Patience::new(CANCEL_GRACE));
            true
        }
    }
}

/// Why there is no migration. A trigger that does not answer is waited for until an interrupt.
fn not_ready(error: TriggerError) -> MigrationError {
    match error {
        TriggerError::Unanswered { .. } => RunError::Stopped.into(),
        error => error.into(),
    }
}

/// When the last of a number of calls or sessions was to come. A run waits for the slowest
/// of them, but from then on nobody asks any more, and silence is no outage.
fn last_arrival(plan: &Plan) -> Option<Nanos> {
    let arrivals = match plan.sessions() {
        Some(sessions) => sessions.count,
        None => plan.call_limit(),
    };
    let last = arrivals?.checked_sub(1)?;
    let mut starts = plan.load.schedule.starts(plan.seed, 0, 1);
    starts.nth(usize::try_from(last).ok()?)
}

/// Adds what the migration did to what the run measured.
fn add_impact(
    plan: &Plan,
    finished: &mut Finished,
    course: &Course,
    known: (VmFacts, Nanos),
    reach: &ReachLog,
) {
    let (vm, quiet_until) = known;
    let Finished { report, log, slow, connections, dates, pauses, load_end } = finished;
    let rate = |population| {
        let of = |load: &&Load| load.population() == population;
        let rates = plan.loads().filter(of).filter_map(|s| plan.calls_per_s(s));
        rates.reduce(|all: f64, rate| all + rate)
    };
    let load_end = (*load_end).min(last_arrival(plan).unwrap_or(Nanos::MAX));
    let mut input = ImpactInput::new(&course.about.name, log, &course.events, load_end);
    input.slow = slow;
    input.connections = Some(connections);
    input.dates = dates;
    let tags: Vec<String> = report.tags.iter().map(|tag| tag.tag.clone()).collect();
    input.tags = &tags;
    input.pauses = Some(pauses);
    input.reach = Some(reach);
    input.settled = course.settled.as_ref();
    input.vm = vm;
    input.simulated = course.about.is_simulated;
    input.strategy = course.about.strategy;
    input.warmup_end = nanos(plan.warmup_s);
    input.quiet_until = quiet_until;
    input.established_per_s = rate(Population::Established);
    input.fresh_per_s = rate(Population::Fresh);
    let impact = impact(&input);
    report.events.extend(course.events.iter().map(EventReport::from));
    report.events_dropped += course.events.dropped;
    report.events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    report.migration = Some(impact.migration);
    report.verdict.add(impact.reasons);
    if course.events.dropped_stops > 0 {
        let why = format!(
            "the trigger told of more stops and resumes than are kept ({} are left out): the \
             downtime by events is not known; let it tell each of them once",
            course.events.dropped_stops
        );
        report.verdict.add([(VerdictStatus::Invalid, why)]);
    }
    report.verdict.add(course.trouble.iter().map(|t| (VerdictStatus::Invalid, t.clone())));
    if course.interrupted {
        report.set_interrupted();
    }
}

/// The most descriptors that a load may have open: its connections, as many more that close, and
/// what the process has beside them. Sessions without a limit of their own have as many as
/// they can get: of those the few of a reach check are no matter.
pub(crate) fn most_descriptors(plan: &Plan) -> u64 {
    let main = match plan.sessions() {
        None => plan.load.connections,
        Some(sessions) => sessions.open_connections.unwrap_or(0),
    };
    let beside = plan.loads().skip(1).map(|load| u64::from(load.connections));
    let connections = u64::from(main) + beside.sum::<u64>();
    2 * connections + u64::from(plan.threads) + crate::net::limits::SPARE_DESCRIPTORS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Schedule, Sessions, Target};

    #[test]
    fn sessions_leave_descriptors_for_the_reach_check() {
        let load = Load::established(Schedule::constant(1.0)).with_connections(1_000_000);
        let plan = Plan::new(Target::parse("http://h/").unwrap(), load);
        let sessions = Sessions::connections(2);
        assert!(most_descriptors(&plan) > 2_000_000);
        assert!(most_descriptors(&plan.clone().with_sessions(sessions.clone())) < 1_000);
        let limited = Sessions { open_connections: Some(5_000), ..sessions };
        assert!((10_000..11_000).contains(&most_descriptors(&plan.with_sessions(limited))));
    }
}
