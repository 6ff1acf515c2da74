//! What a migration did to the users: a pure function from what was recorded
//! (calls and events) to [`Migration`](crate::report::Migration) and the reasons
//! why the run may not say what it seems to say.
//!
//! It reads no clock and does no input or output, so that it can be run again on
//! a stored log and tested with invented times. What it measures is defined at
//! the fields of [`Migration`](crate::report::Migration).
//!
//! Invariants: a figure that was not measured is `None`, never 0; every call of
//! the run lies in exactly one phase, if its intended start is before the end of
//! the load; a client's outage always comes with the interval in which the true
//! interruption lies, from evidence of single calls ([`bound`]).

mod bound;
mod calls;
mod catch_up;
mod connections;
mod darks;
mod foreign;
mod gap;
mod guest_clock;
mod headline;
mod marks;
mod other_gaps;
mod outage;
pub(crate) mod own;
mod pauses;
mod phases;
mod recovery;
pub(crate) mod silence;
#[cfg(test)]
mod simulated_faults;
#[cfg(test)]
mod simulated_outage;
#[cfg(test)]
mod simulated_pauses;
#[cfg(test)]
mod simulated_pile_up;
mod tags;
#[cfg(test)]
mod tests;
mod untimed;
mod verdict;
mod view;

use std::time::Duration;

use serde_json::Value;

use crate::clock::{Nanos, as_millis, as_seconds};
use crate::event::{Event, EventKind};
use crate::record::kernel::SlowCall;
use crate::record::{CallLog, ConnectionLog, DateSample, PauseLog, Population};
use crate::report::{
    Downtime, Migration, Outages, Silent, Throttle, TotalTime, Unreachable, VerdictStatus,
};

use super::reach::ReachLog;
use super::{Ending, Settled, Strategy, VmFacts};
use view::View;

/// What was recorded of a migration under load. All times in ns from the start
/// of the load. Make one with [`ImpactInput::new`] and set what else is known.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImpactInput<'a> {
    /// Every call of the run, in any order.
    pub calls: &'a CallLog,
    /// The events of the trigger, in any order.
    pub events: &'a [Event],
    /// What the trigger said when all was over.
    pub settled: Option<&'a Settled>,
    /// What was known of the machine before.
    pub vm: VmFacts,
    /// Kind of the trigger.
    pub trigger: String,
    /// No virtual machine is moved: a simulation.
    pub simulated: bool,
    /// How the machine is moved.
    pub strategy: Option<Strategy>,
    /// End of the warm-up; 0: there was none.
    pub warmup_end: Nanos,
    /// Until when it is quiet: what comes later is not normal, also if it is before the firing.
    /// `Nanos::MAX`: all of the time until the firing is.
    pub quiet_until: Nanos,
    /// When the schedules ended or were stopped: no call starts after it.
    pub load_end: Nanos,
    /// Intended calls a second of kept-alive clients; `None`: no such load, or
    /// a closed loop.
    pub established_per_s: Option<f64>,
    /// Intended calls a second of newcomers; `None`: no such load, or a closed
    /// loop.
    pub fresh_per_s: Option<f64>,
    /// How connections ended, if that was kept.
    pub connections: Option<&'a ConnectionLog>,
    /// What the `Date` of replies told of the clock of the guest.
    pub dates: &'a [DateSample],
    /// When the generator itself stood still, if that was kept.
    pub pauses: Option<&'a PauseLog>,
    /// Slow calls and their causes, as far as they are known.
    pub(crate) slow: &'a [SlowCall],
    /// Names of the tags of requests, by their numbers in the calls.
    pub tags: &'a [String],
    /// What the reach check saw; `None`: there was none.
    pub(crate) reach: Option<&'a ReachLog>,
}

impl<'a> ImpactInput<'a> {
    /// The least that is needed; the rest is unknown until it is set.
    #[must_use]
    pub fn new(trigger: &str, calls: &'a CallLog, events: &'a [Event], load_end: Nanos) -> Self {
        Self {
            calls,
            events,
            settled: None,
            vm: VmFacts::default(),
            trigger: trigger.to_owned(),
            simulated: false,
            strategy: None,
            warmup_end: 0,
            quiet_until: Nanos::MAX,
            load_end,
            established_per_s: None,
            fresh_per_s: None,
            connections: None,
            dates: &[],
            pauses: None,
            slow: &[],
            tags: &[],
            reach: None,
        }
    }

    /// Intended calls a second of a population.
    fn rate(&self, population: Population) -> Option<f64> {
        match population {
            Population::Established => self.established_per_s,
            Population::Fresh => self.fresh_per_s,
        }
        .filter(|rate| rate.is_finite() && *rate > 0.0)
    }

    /// Mean time between two intended starts of a population.
    fn interval(&self, population: Population) -> Option<Nanos> {
        self.rate(population).map(|rate| (1e9 / rate).round() as Nanos)
    }
}

/// What a migration did, and how far that can be trusted.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Impact {
    /// The figures.
    pub migration: Migration,
    /// Why they may not say what they seem to say: what, how much, what to do.
    pub reasons: Vec<Reason>,
}

/// How much a doubt takes from the figures, and what it is.
type Reason = (VerdictStatus, String);

/// Computes what a migration did to the calls.
///
/// Time and memory: the calls are copied and sorted, about 100 bytes and a µs
/// for each of them.
#[must_use]
pub fn impact(input: &ImpactInput<'_>) -> Impact {
    let view = View::new(input);
    let marks = &view.marks;
    let darks = darks::Darks::new(&view);
    let [established, fresh] = Population::ALL.map(|p| {
        let mut outage = outage::outage(&view, p)?;
        let found = outage.gap().zip(outage.interruption);
        outage.interruption = found.map(|(gap, found)| darks.relaxed(gap, found));
        Some(outage)
    });
    let recovery = recovery::recovery(&view, &[established.as_ref(), fresh.as_ref()]);
    let clock_step = guest_clock::step(&view);
    let settled = input.settled;
    let reported = |pick: fn(&Settled) -> Option<Duration>| {
        settled.and_then(pick).map(|duration| duration.as_secs_f64() * 1e3)
    };
    let mut migration = Migration {
        trigger: input.trigger.clone(),
        strategy: input.strategy,
        simulated: input.simulated,
        ending: ending(&view),
        reason: settled.and_then(|s| s.reason.clone()),
        vm: input.vm.clone(),
        total_migration_time_ms: TotalTime {
            trigger: marks
                .total()
                .filter(|_| ending(&view) == Some(Ending::Completed))
                .map(as_millis),
            hypervisor: reported(|s| s.hypervisor_total),
        },
        downtime_ms: Downtime {
            reported: reported(|s| s.hypervisor_downtime),
            events: marks.downtime().map(as_millis),
            bound: marks.downtime_bound().map(as_millis),
        },
        paused_ms: pauses::pauses(input.events, input.load_end),
        outage_ms: Outages::default(),
        unreachable_ms: Unreachable::default(),
        silent_ms: Silent::default(),
        recovery_ms: recovery.time.map(as_millis),
        brownout_ms: recovery.brownout.map(as_millis),
        brownout_share_before: recovery.brownout_share_before,
        calls_lost: recovery.lost,
        connections_lost: connections::connections_lost(&view, recovery.end),
        calls_late: recovery.late,
        error_replies: recovery.error_replies,
        degradation_calls: recovery.degradation_calls,
        degradation_response_s2: recovery.degradation_response_s2,
        guest_clock_step_s: clock_step.map(|(step, _)| step),
        guest_clock_step_bound_s: clock_step.map(|(_, bound)| bound),
        throttle: throttle(input.events),
        transferred_bytes: settled.and_then(|s| s.transferred_bytes),
        rounds: marks.rounds,
        phases: phases::phases(&view),
        tags: tags::tags(&view),
        truth: settled.and_then(|s| s.truth),
        machines: settled.map(|s| s.machines.clone()).unwrap_or_default(),
        details: settled.map(|s| s.details.clone()).unwrap_or_default(),
    };
    let report = |outage: &Option<outage::Outage>| {
        outage.as_ref().map(|o| {
            let mut report = outage::report(o, marks, recovery.end);
            darks.tell(o.gap(), &mut report);
            report
        })
    };
    migration.outage_ms.established = report(&established);
    migration.outage_ms.fresh = report(&fresh);
    migration.unreachable_ms = darks.unreachable;
    migration.silent_ms = darks.silent;
    let reasons = verdict::reasons(&view, &migration, &[established, fresh]);
    Impact { migration, reasons }
}

/// How far the hypervisor slowed the machine down, by the progress that it told.
fn throttle(events: &[Event]) -> Option<Throttle> {
    let mut throttle: Option<Throttle> = None;
    for event in events {
        let told = event.attributes.get("cpu_throttle_percent").and_then(Value::as_f64);
        let Some(percent) = told.filter(|percent| *percent > 0.0) else { continue };
        let at = as_seconds(event.at);
        let all = throttle.get_or_insert(Throttle { most_percent: percent, from_s: at, to_s: at });
        all.most_percent = all.most_percent.max(percent);
        (all.from_s, all.to_s) = (all.from_s.min(at), all.to_s.max(at));
    }
    throttle
}

/// How it ended: by the trigger's last word, else by the final event.
fn ending(view: &View<'_>) -> Option<Ending> {
    view.input.settled.map(|s| s.ending).or_else(|| {
        view.marks.last.map(|(_, kind)| match kind {
            EventKind::Completed => Ending::Completed,
            EventKind::Cancelled => Ending::Cancelled,
            _ => Ending::Failed,
        })
    })
}
