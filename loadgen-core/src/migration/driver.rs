//! One migration under load: load, fire, watch, settle, report.
//!
//! Whatever happens after the load has begun — a trigger that dies or hangs, an
//! interrupt — what was measured so far becomes a report; its verdict says what
//! went wrong. Only what happens before the load is an error.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::impact::{ImpactInput, impact};
use super::{Context, Settled, Trigger, TriggerError, VmFacts};
use crate::clock::{Clock, Nanos};
use crate::engine::{Engine, RunHandle, Snapshot};
use crate::error::{PlanError, RunError};
use crate::event::{Event, EventKind, EventReport};
use crate::plan::{Plan, Stream, nanos};
use crate::record::Population;
use crate::record::kernel::SlowCall;
use crate::report::{Report, VerdictStatus};

/// Calls that are kept one by one when the plan does not say: 400 MB at the most.
const CALL_LOG: u64 = 8_000_000;

/// How often progress is shown and an interrupt is looked for.
const TURN: Duration = Duration::from_millis(100);

/// How long a migration that is to be cancelled has for it.
const CANCEL_GRACE: Duration = Duration::from_secs(10);

/// A migration that could not even be tried; nothing has been measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// The load cannot run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The trigger cannot start a migration as things stand.
    #[error("cannot prepare the migration: {0}")]
    Trigger(#[from] TriggerError),
}

/// Where a migration under load stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Connections are opened, or the warm-up runs.
    WarmingUp,
    /// The baseline is measured.
    Before,
    /// The migration is under way.
    Migrating,
    /// The migration is over; the recovery is measured.
    After,
    /// No calls are started any more; replies are awaited.
    Draining,
}

impl Stage {
    /// The name in progress displays.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WarmingUp => "warm-up",
            Self::Before => "before",
            Self::Migrating => "migrating",
            Self::After => "after",
            Self::Draining => "draining",
        }
    }
}

/// What an observer of a migration run is shown: ten times a second, and at every
/// event.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// Where the run stands.
    pub stage: Stage,
    /// Counters of the load.
    pub snapshot: Snapshot,
    /// The event that has just come, if this is shown because of one.
    pub event: Option<&'a Event>,
}

/// A load with one migration in the middle.
pub struct MigrationRun {
    plan: Plan,
    trigger: Box<dyn Trigger>,
    before: Duration,
    after: Duration,
    limit: Duration,
    run_id: String,
    trial: u32,
}

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
            run_id: format!("{:016x}", crate::clock::monotonic_ns()),
            trial: 1,
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

    /// Names the run and its repetition to the trigger.
    #[must_use]
    pub fn with_run_id(mut self, run_id: impl Into<String>, trial: u32) -> Self {
        self.run_id = run_id.into();
        self.trial = trial;
        self
    }

    /// Runs it. `interrupt`, once true, cancels a migration under way, ends the
    /// load and gives the report of what was measured until then. `observe` is
    /// called ten times a second, and at every event, in this thread.
    ///
    /// # Errors
    /// [`MigrationError`] if the migration could not be prepared or the load not
    /// be started; nothing is lost then, since nothing was measured.
    pub fn run(
        mut self,
        interrupt: &AtomicBool,
        observe: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Report, MigrationError> {
        self.check().map_err(RunError::from)?;
        if self.plan.call_log == 0 {
            self.plan.call_log = CALL_LOG;
        }
        // The trigger is made ready before the load, so that this does not disturb
        // the baseline. Its clock is mapped to that of the load afterwards.
        let vm = self.trigger.probe()?;
        let mut context = Context::new(self.run_id.clone(), Clock::start());
        context.trial = self.trial;
        self.trigger.arm(&context)?;

        let warmup = Duration::from_secs_f64(self.plan.warmup_s);
        let handle = Engine::new(self.plan.clone())?.start()?;
        let watch = Watch { handle: &handle, interrupt, observe };
        let mut course = Course::default();
        let trigger = self.trigger.as_mut();
        course.follow(watch, trigger, &context, warmup, self.before, self.after, self.limit);
        handle.stop();
        drain(&handle, interrupt, observe);
        course.interrupted |= interrupt.load(Relaxed);
        let origin = handle.started_clock();
        let finished = handle.finish()?;
        let mut report = finished.report;
        if let Some(clock) = origin {
            course.map_to(&context.clock, &clock);
        }
        self.add_impact(&mut report, &course, vm, &finished.log, &finished.slow, finished.load_end);
        Ok(report)
    }

    fn check(&self) -> Result<(), PlanError> {
        if self.plan.duration_s.is_some() {
            return Err(PlanError::Conflict(
                "the duration of a migration run follows from the migration: leave it unset",
            ));
        }
        if self.plan.offered_per_s().is_none() {
            return Err(PlanError::Conflict(
                "a migration needs an open loop (a rate): in a closed loop the clients wait \
                 together with the stopped server, and the outage hides itself",
            ));
        }
        self.plan.validate()
    }

    fn add_impact(
        &self,
        report: &mut Report,
        course: &Course,
        vm: VmFacts,
        log: &crate::CallLog,
        slow: &[SlowCall],
        load_end: Nanos,
    ) {
        let rate = |population| {
            let rates: Vec<f64> = self
                .plan
                .streams()
                .filter(|stream| stream.population() == population)
                .filter_map(|stream: &Stream| stream.schedule().rate_per_s())
                .collect();
            (!rates.is_empty()).then(|| rates.iter().sum())
        };
        let mut input = ImpactInput::new(self.trigger.name(), log, &course.events, load_end);
        input.slow = slow;
        input.settled = course.settled.as_ref();
        input.vm = vm;
        input.simulated = self.trigger.is_simulated();
        input.strategy = self.trigger.strategy();
        input.warmup_end = nanos(self.plan.warmup_s);
        input.established_per_s = rate(Population::Established);
        input.fresh_per_s = rate(Population::Fresh);
        let impact = impact(&input);
        report.events.extend(course.events.iter().map(EventReport::from));
        report.events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        report.migration = Some(impact.migration);
        report.verdict.add(impact.reasons);
        report.verdict.add(course.trouble.iter().map(|t| (VerdictStatus::Invalid, t.clone())));
        if course.interrupted {
            report.set_interrupted();
        }
    }
}

/// The load, and those who watch it.
struct Watch<'a> {
    handle: &'a RunHandle,
    interrupt: &'a AtomicBool,
    observe: &'a mut dyn FnMut(Progress<'_>),
}

impl Watch<'_> {
    fn show(&mut self, stage: Stage, event: Option<&Event>) {
        (self.observe)(Progress { stage, snapshot: self.handle.snapshot(), event });
    }

    fn interrupted(&self) -> bool {
        self.interrupt.load(Relaxed)
    }

    /// Lets the load run for `duration`; `false` when interrupted, or when the
    /// load has broken down by itself.
    fn wait(&mut self, stage: Stage, duration: Duration) -> bool {
        let end = Instant::now() + duration;
        loop {
            self.show(stage, None);
            if self.interrupted() || self.handle.is_finished() {
                return false;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(TURN));
        }
    }
}

/// What happened to the migration.
#[derive(Default)]
struct Course {
    /// On the trigger's clock until [`Course::map_to`].
    events: Vec<Event>,
    settled: Option<Settled>,
    /// What went wrong with the trigger.
    trouble: Vec<String>,
    interrupted: bool,
}

impl Course {
    #[expect(clippy::too_many_arguments, reason = "the five times of a run, called once")]
    fn follow(
        &mut self,
        mut watch: Watch<'_>,
        trigger: &mut dyn Trigger,
        context: &Context,
        warmup: Duration,
        before: Duration,
        after: Duration,
        limit: Duration,
    ) {
        while watch.handle.started_clock().is_none() {
            if !watch.wait(Stage::WarmingUp, TURN) {
                self.interrupted = watch.interrupted();
                return;
            }
        }
        if !(watch.wait(Stage::WarmingUp, warmup) && watch.wait(Stage::Before, before)) {
            self.interrupted = watch.interrupted();
            return;
        }
        if let Err(error) = self.migrate(&mut watch, trigger, context, limit) {
            self.trouble.push(format!("the trigger broke down: {error}"));
        }
        if !watch.interrupted() {
            watch.wait(Stage::After, after);
        }
        self.interrupted = watch.interrupted();
    }

    /// Fires and follows the migration to its final event.
    fn migrate(
        &mut self,
        watch: &mut Watch<'_>,
        trigger: &mut dyn Trigger,
        context: &Context,
        limit: Duration,
    ) -> Result<(), TriggerError> {
        let moment = |kind| Event::new(kind, context.clock.now(), 0, "loadgen");
        self.take(watch, moment(EventKind::Fired));
        trigger.fire()?;
        self.take(watch, moment(EventKind::Accepted));
        let mut give_up = Instant::now() + limit;
        let (mut cancelling, mut late_at_all) = (false, false);
        let mut stuck: Option<String> = None;
        loop {
            watch.show(Stage::Migrating, None);
            if let Some(event) = trigger.next_event(TURN)? {
                let last = event.kind.is_final().then(|| event.clone());
                self.take(watch, event);
                if let Some(last) = last {
                    self.trouble.extend(stuck.filter(|_| late_at_all));
                    self.settled = Some(trigger.settle(&last)?);
                    return Ok(());
                }
            }
            let late = Instant::now() >= give_up;
            if late && cancelling {
                if let Some(stuck) = stuck {
                    self.trouble.push(format!("{stuck} and may still be going on"));
                    return Ok(());
                }
                return Err(TriggerError::Silent {
                    what: "cancelling the migration".to_owned(),
                    waited: CANCEL_GRACE,
                });
            }
            if (late || watch.interrupted()) && !cancelling {
                cancelling = true;
                give_up = Instant::now() + CANCEL_GRACE;
                let why = if late {
                    let limit = limit.as_secs_f64();
                    format!("the migration did not end within {limit} s (--migration-limit)")
                } else {
                    "the run was interrupted in the migration".to_owned()
                };
                match trigger.cancel() {
                    Ok(()) if late => {
                        self.trouble.push(format!("{why}: it was asked to be cancelled"));
                    }
                    Ok(()) => {}
                    Err(error) => {
                        let told = format!("{why}: it could not be cancelled ({error})");
                        if !matches!(error, TriggerError::Unsupported(_)) {
                            self.trouble.push(format!("{told} and may still be going on"));
                            return Ok(());
                        }
                        // Past the point of no return: its end is near.
                        stuck = Some(told);
                        late_at_all = late;
                    }
                }
            }
        }
    }

    /// Keeps an event. A trigger that knows better than we do when the migration
    /// was fired or accepted says so itself; its word replaces ours.
    fn take(&mut self, watch: &mut Watch<'_>, event: Event) {
        if matches!(event.kind, EventKind::Fired | EventKind::Accepted) {
            self.events.retain(|known| known.kind != event.kind);
        }
        watch.show(Stage::Migrating, Some(&event));
        self.events.push(event);
    }

    /// Maps all times from the trigger's clock to that of the load.
    fn map_to(&mut self, trigger: &Clock, load: &Clock) {
        for event in &mut self.events {
            event.at = load.from_monotonic(trigger.to_monotonic(event.at));
        }
        self.events.sort_by_key(|event| event.at);
        if let Some(truth) = self.settled.as_mut().and_then(|s| s.truth.as_mut()) {
            let shift = load.seconds_after(trigger);
            truth.stop_s -= shift;
            truth.resume_s -= shift;
        }
    }
}

/// Waits for the replies under way; a further interrupt cuts that short.
fn drain(handle: &RunHandle, interrupt: &AtomicBool, observe: &mut dyn FnMut(Progress<'_>)) {
    let was_interrupted = interrupt.load(Relaxed);
    let mut cut = false;
    while !handle.is_finished() {
        observe(Progress { stage: Stage::Draining, snapshot: handle.snapshot(), event: None });
        if interrupt.load(Relaxed) && !cut {
            // Someone who interrupts does not want to wait for a dead server.
            if was_interrupted {
                std::thread::sleep(TURN);
            }
            handle.stop();
            cut = true;
        }
        std::thread::sleep(TURN / 10);
    }
}
