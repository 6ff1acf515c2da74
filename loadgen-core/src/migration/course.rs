//! The course of a migration under load: wait, fire, follow, wait, drain.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::guarded::{About, Guarded};
use super::milestone;
use super::patience::Patience;
use super::stage::{MigrationProgress, Stage};
use super::turns::{Place, Turn};
use super::waiting::{TURN, Watch};
use super::{Context, Ending, Settled, TriggerError, convergence};
use crate::clock::Clock;
use crate::engine::RunHandle;
use crate::event::{Event, EventKind, KeptEvents};

/// Events that are read although a time limit has passed: they may have come before it.
const MOST_EVENTS: u32 = 10_000;

/// How long they are read: if we were stopped meanwhile, that is the time to catch up.
/// Who goes on to talk after it is late.
const CATCH_UP: Duration = Duration::from_millis(500);

/// The source of the events that we saw ourselves.
const OURSELVES: &str = "loadgen";

/// How long a migration that is to be cancelled has for it.
pub(super) const CANCEL_GRACE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

/// The times of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) warmup: Duration,
    /// From the end of the warm-up to the firing.
    pub(super) before: Duration,
    /// From the end of the migration to that of the load; `None`: the load ends by
    /// itself.
    pub(super) after: Option<Duration>,
    /// After how long a migration is cancelled.
    pub(super) limit: Duration,
}

/// What happened to the migration.
#[derive(Default)]
pub(super) struct Course {
    /// On the trigger's clock until [`Course::map_to`].
    pub(super) events: KeptEvents,
    pub(super) settled: Option<Settled>,
    /// What the trigger says of itself.
    pub(super) about: About,
    /// What went wrong with the trigger.
    pub(super) trouble: Vec<String>,
    pub(super) interrupted: bool,
    /// The load came to its migration, whatever became of that.
    pub(super) is_through: bool,
}

impl Course {
    pub(super) fn follow(
        &mut self,
        mut watch: Watch<'_>,
        trigger: &mut Guarded,
        context: &Context,
        times: Times,
        place: Option<&Place>,
    ) {
        self.go(&mut watch, trigger, context, (times, place));
        if let Some(place) = place {
            if watch.is_broken() {
                place.is_broken();
            }
            let settled = self.settled.as_ref();
            place.is_over(settled.is_some_and(|settled| settled.ending == Ending::Completed));
            watch.wait_for_all(place);
        }
        if !watch.interrupted() && self.is_through {
            watch.wait(Stage::After, times.after.unwrap_or(Duration::MAX));
        }
        self.interrupted = watch.interrupted();
    }

    /// Waits for the time to come, and for its turn, and migrates.
    fn go(
        &mut self,
        watch: &mut Watch<'_>,
        trigger: &mut Guarded,
        context: &Context,
        (times, place): (Times, Option<&Place>),
    ) {
        let Some(clock) = watch.started() else { return };
        let fire_at = times.warmup + times.before;
        let left = |at: Duration| at.saturating_sub(Duration::from_nanos(clock.now()));
        let ready = watch.wait(Stage::WarmingUp, left(times.warmup));
        if !(ready && watch.wait(Stage::Before, left(fire_at))) {
            return;
        }
        match place.map_or(Some(Turn::Go), |place| watch.turn(place)) {
            Some(Turn::Go) => self.is_through = true,
            Some(Turn::Stay(why)) => {
                self.trouble.push(format!("the machine was not moved: {why}"));
                self.is_through = true;
                return;
            }
            Some(Turn::Wait) | None => return,
        }
        if let Err(error) = self.migrate(watch, trigger, context, times.limit) {
            let is_over = self.events.iter().any(|event| event.kind.is_final());
            let after = match &error {
                TriggerError::Unanswered { .. } if !is_over => {
                    "; the migration may still be going on"
                }
                _ => "",
            };
            self.trouble.push(format!("the trigger broke down: {error}{after}"));
        }
    }

    /// Fires and follows the migration to its final event.
    fn migrate(
        &mut self,
        watch: &mut Watch<'_>,
        trigger: &mut Guarded,
        context: &Context,
        limit: Duration,
    ) -> Result<(), TriggerError> {
        let moment = |kind, at| Event::new(kind, at, 0, OURSELVES);
        self.take(watch, moment(EventKind::Fired, context.clock.now()));
        let (clock, give_up, mut grace) = (context.clock, Instant::now() + limit, None);
        let mut waits = || watch.waits(give_up, &mut grace);
        let (fired, accepted) = trigger.ask("fire", &mut waits, move |trigger| {
            let fired = clock.now();
            trigger.fire()?;
            Ok((fired, clock.now()))
        })?;
        // Until the trigger's thread was there, nothing was fired.
        if let Some(event) = self.events.iter_mut().find(|event| event.kind == EventKind::Fired) {
            event.at = fired;
        }
        self.take(watch, moment(EventKind::Accepted, accepted));
        let mut give_up = Instant::now() + limit;
        let (mut cancelling, mut late_at_all, mut over_limit) = (false, false, false);
        let mut stuck: Option<String> = None;
        let (mut read_late, mut over_since) = (0, None::<Patience>);
        loop {
            watch.show(Stage::Migrating, None);
            let was_late = Instant::now() >= give_up;
            let mut grace = None;
            let mut waits = || watch.waits(give_up, &mut grace);
            let event = trigger.ask("next_event", &mut waits, |t| t.next_event(TURN))?;
            let dry = event.is_none();
            if let Some(event) = event {
                let last = event.kind.is_final().then(|| event.clone());
                self.take(watch, event);
                if let Some(last) = last {
                    self.trouble.extend(stuck.filter(|_| late_at_all));
                    let mut waits = watch.waits_in_the_end();
                    let (mut settled, about) = trigger
                        .ask("settle", &mut waits, move |t| Ok((t.settle(&last)?, About::of(t))))?;
                    self.about = about;
                    if over_limit && settled.ending == Ending::Cancelled {
                        let why = convergence::explain(&self.events, &settled.details);
                        settled.reason = settled.reason.take().or(why);
                    }
                    self.settled = Some(settled);
                    return Ok(());
                }
            }
            // If we were stopped meanwhile, what came is read before anybody is late.
            let late = was_late && {
                read_late += 1;
                let caught_up = match &mut over_since {
                    Some(patience) => patience.tick(),
                    None => {
                        over_since = Some(Patience::new(CATCH_UP));
                        false
                    }
                };
                dry || caught_up || read_late > MOST_EVENTS
            };
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
                over_limit = late;
                give_up = Instant::now() + CANCEL_GRACE;
                (read_late, over_since) = (0, None);
                let why = if late {
                    let limit = limit.as_secs_f64();
                    format!("the migration did not end within {limit} s, its limit")
                } else {
                    "the run was interrupted in the migration".to_owned()
                };
                let mut waits = watch.waits_in_the_end();
                match trigger.ask("cancel", &mut waits, |t| t.cancel()) {
                    Ok(()) if late => {
                        self.trouble.push(format!("{why}: it was asked to be cancelled"));
                    }
                    Ok(()) => {}
                    Err(error) => {
                        let told = format!("{why}: it could not be cancelled ({error})");
                        use TriggerError::{NotCancelled, Unsupported};
                        if !matches!(error, Unsupported(_) | NotCancelled(_)) {
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
            self.events.forget(&event.kind);
        }
        watch.show(Stage::Migrating, Some(&event));
        self.events.push(event);
    }

    /// Sorts the events by time. Where the trigger has no word for when the migration was
    /// accepted, we know only when its call came back: the migration may be under way, or
    /// over, by then. And another clock may put its end before the firing, which it was not.
    /// The moment is moved to where it can have been, and less is known of it then.
    fn put_in_order(&mut self) {
        let fired = self.events.iter().find(|e| e.kind == EventKind::Fired).map(|e| e.at);
        let fired = fired.unwrap_or(0);
        for end in self.events.iter_mut().filter(|e| e.kind.is_final() && e.at < fired) {
            end.uncertainty = end.uncertainty.saturating_add(fired - end.at);
            end.at = fired;
        }
        let begins = |event: &Event| match event.kind {
            EventKind::Fired | EventKind::Accepted => false,
            EventKind::Mark(_) if !milestone::is_one(&event.kind) => false,
            _ => event.at >= fired,
        };
        let first = self.events.iter().filter(|e| begins(e)).map(|e| e.at).min();
        let last = self.events.iter().filter(|e| e.kind.is_final()).map(|e| e.at).min();
        if let Some(accepted) = self.events.iter_mut().find(|e| e.kind == EventKind::Accepted) {
            // Who tells it may stop the machine before it asks for the migration.
            let latest = if accepted.source == OURSELVES { first } else { last };
            if let Some(latest) = latest.filter(|latest| *latest < accepted.at) {
                accepted.uncertainty = accepted.uncertainty.saturating_add(accepted.at - latest);
                accepted.at = latest;
            }
        }
        let rank = |kind: &EventKind| match kind {
            EventKind::Fired => 0,
            EventKind::Accepted => 1,
            kind if kind.is_final() => 3,
            _ => 2,
        };
        self.events.sort_by_key(|event| (event.at, rank(&event.kind)));
    }

    /// Maps all times from the trigger's clock to that of the load.
    pub(super) fn map_to(&mut self, trigger: &Clock, load: &Clock) {
        for event in self.events.iter_mut() {
            event.at = load.from_monotonic(trigger.to_monotonic(event.at));
        }
        self.put_in_order();
        if let Some(truth) = self.settled.as_mut().and_then(|s| s.truth.as_mut()) {
            let shift = load.seconds_after(trigger);
            truth.stop_s -= shift;
            truth.resume_s -= shift;
        }
    }
}

/// Waits for the replies under way; a further interrupt cuts that short.
pub(super) fn drain(
    handle: &RunHandle,
    interrupt: &AtomicBool,
    observe: &mut dyn FnMut(MigrationProgress<'_>),
) {
    let was_interrupted = interrupt.load(Relaxed);
    let mut cut = false;
    while !handle.is_finished() {
        observe(MigrationProgress {
            stage: Stage::Draining,
            snapshot: handle.snapshot(),
            event: None,
        });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Nanos;

    /// The events, in this order, as they stand in a report.
    fn ordered(events: &[(EventKind, Nanos)]) -> Vec<Event> {
        let mut course = Course::default();
        for (kind, at) in events {
            course.events.push(Event::new(kind.clone(), *at, 10, "test"));
        }
        course.put_in_order();
        course.events.events
    }

    fn names(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.kind.name()).collect()
    }

    /// We took its word only when it was over: it was accepted before, and how much
    /// sooner is not known.
    #[test]
    fn accepted_never_stands_behind_the_end() {
        for last in [EventKind::Completed, EventKind::Failed, EventKind::Cancelled] {
            let events = [(EventKind::Fired, 100), (EventKind::Accepted, 190), (last.clone(), 150)];
            let events = ordered(&events);
            assert_eq!(names(&events), ["fired", "accepted", last.name()]);
            let accepted = (events[1].at, events[1].uncertainty);
            assert_eq!(accepted, (150, 10 + 40), "the moment told lies within");
        }
    }

    /// A program may stop the machine before its start has been reported to us: else the
    /// machine would stand still for longer than it was migrated.
    #[test]
    fn our_own_accepted_never_stands_behind_the_first_event() {
        let told = |source: &str| {
            let mut course = Course::default();
            course.events.push(Event::new(EventKind::Fired, 100, 0, OURSELVES));
            course.events.push(Event::new(EventKind::Accepted, 190, 10, source));
            course.events.push(Event::new(EventKind::Mark("m".to_owned()), 120, 10, "test"));
            course.events.push(Event::new(EventKind::Setup, 90, 10, "test"));
            course.events.push(Event::new(EventKind::Stop, 150, 10, "test"));
            course.events.push(Event::new(EventKind::Completed, 200, 10, "test"));
            course.put_in_order();
            let is_accepted = |event: &&Event| event.kind == EventKind::Accepted;
            course.events.iter().find(is_accepted).map(|e| (e.at, e.uncertainty)).unwrap()
        };
        assert_eq!(told(OURSELVES), (150, 10 + 40));
        // Of several machines, what happened to another one is part of it, too.
        let mut course = Course::default();
        course.events.push(Event::new(EventKind::Accepted, 190, 0, OURSELVES));
        course.events.push(Event::new(EventKind::Mark("machine 2 stop".to_owned()), 170, 1, "t"));
        course.put_in_order();
        assert_eq!((course.events.events[0].at, course.events.events[0].uncertainty), (170, 20));
        assert_eq!(told("qmp"), (190, 10), "whoever tells it knows");
    }

    #[test]
    fn an_end_that_another_clock_puts_before_the_firing_came_after_it() {
        let events = [(EventKind::Fired, 100), (EventKind::Accepted, 190), (EventKind::Failed, 90)];
        let events = ordered(&events);
        assert_eq!(names(&events), ["fired", "accepted", "failed"]);
        let times: Vec<_> = events.iter().map(|e| (e.at, e.uncertainty)).collect();
        assert_eq!(times, [(100, 10), (100, 10 + 90), (100, 10 + 10)]);
        // Only the end is moved, and only then.
        let events = [(EventKind::Fired, 100), (EventKind::Stop, 95), (EventKind::Completed, 101)];
        let times: Vec<_> = ordered(&events).iter().map(|e| (e.at, e.uncertainty)).collect();
        assert_eq!(times, [(95, 10), (100, 10), (101, 10)]);
    }

    #[test]
    fn at_the_same_moment_the_course_orders() {
        let events = [
            (EventKind::Failed, 5),
            (EventKind::Mark("m".to_owned()), 5),
            (EventKind::Accepted, 5),
            (EventKind::Setup, 4),
            (EventKind::Fired, 5),
        ];
        let events = ordered(&events);
        assert_eq!(names(&events), ["setup", "fired", "accepted", "m", "failed"]);
        // What is in order keeps its time.
        assert!(events.iter().all(|event| event.uncertainty == 10));
        let events = [(EventKind::Fired, 1), (EventKind::Accepted, 2), (EventKind::Completed, 3)];
        let times: Vec<_> = ordered(&events).iter().map(|e| (e.at, e.uncertainty)).collect();
        assert_eq!(times, [(1, 10), (2, 10), (3, 10)]);
    }
}
