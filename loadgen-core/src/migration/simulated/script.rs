//! What happens when: the migration of a machine as a list of steps, made before
//! it starts.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::super::trigger::Strategy;
use super::model;
use super::vm::SimulatedVm;
use crate::clock::{MILLISECOND, Nanos, SECOND};
use crate::random::unit;

/// State of CPUs and devices, sent when post-copy switches over.
const DEVICE_STATE_BYTES: f64 = 2.0 * 1024.0 * 1024.0;

/// From acceptance to the first round, and from the end to the completion.
const SETUP: Nanos = 50 * MILLISECOND;
const CLEANUP: Nanos = 10 * MILLISECOND;

/// Between two reports of progress; more when a migration is long.
const PROGRESS_S: f64 = 0.5;
const PROGRESS_REPORTS: f64 = 1000.0;

/// What slows requests down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Slowness {
    /// Nothing.
    None,
    /// Rounds run: the same for every request.
    Brownout,
    /// Pages are missing: `share` of the memory at the start, all there after
    /// `length`.
    Faults { share: f64, length: Nanos },
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// An event is told.
    Tell { name: &'static str, attributes: Map<String, Value> },
    /// Requests take another time from now on.
    Slow(Slowness),
    /// The machine stops for this long. Its events are told by who does it.
    Stop { length: Nanos, forced: bool },
    /// The end.
    Complete,
}

/// The steps of a migration, each with the time since the one before it, and the
/// model's figures.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Script {
    pub(super) steps: VecDeque<(Nanos, Step)>,
    pub(super) rounds: u32,
    pub(super) transferred_bytes: u64,
    /// What the simulated hypervisor says of its downtime: copying alone.
    pub(super) hypervisor_downtime: Nanos,
    /// The dirty rate that the seed drew.
    pub(super) dirty_bytes_per_s: f64,
}

impl Script {
    /// The migration of a machine that [checks](SimulatedVm::check).
    pub(super) fn of(vm: &SimulatedVm) -> Self {
        let memory = vm.memory_bytes as f64;
        let per_s = vm.bandwidth_bytes_per_s;
        let working_set = vm.working_set_bytes.map_or(memory, |w| (w as f64).min(memory));
        let dirty = vm.dirty_bytes_per_s * (0.8 + 0.4 * unit(vm.seed, 0));
        let resume = nanos(0.010 + 0.030 * unit(vm.seed, 1));
        let mut script = Self {
            steps: VecDeque::new(),
            rounds: 0,
            transferred_bytes: 0,
            hypervisor_downtime: 0,
            dirty_bytes_per_s: dirty,
        };
        script.tell(0, "setup", json!({}));
        match vm.strategy {
            Strategy::PreCopy => {
                let limit = vm.downtime_limit_s;
                let plan = model::pre_copy(memory, per_s, dirty, working_set, limit, vm.max_rounds);
                script.push(SETUP, Step::Slow(Slowness::Brownout));
                let all = plan.rounds.iter().sum::<f64>() + plan.rest;
                for bytes in &plan.rounds {
                    script.round(*bytes, bytes / per_s, per_s, all);
                }
                script.tell(0, "pre-switchover", json!({ "remaining_bytes": plan.rest as u64 }));
                script.stop(plan.rest, per_s, resume, plan.forced);
                script.push(0, Step::Slow(Slowness::None));
            }
            Strategy::StopAndCopy => {
                script.tell(SETUP, "pre-switchover", json!({ "remaining_bytes": vm.memory_bytes }));
                script.stop(memory, per_s, resume, false);
            }
            Strategy::PostCopy => {
                let plan =
                    model::post_copy(memory, per_s, dirty, working_set, vm.post_copy_after_s);
                script.push(SETUP, Step::Slow(Slowness::Brownout));
                let all = plan.sent + DEVICE_STATE_BYTES + plan.rest;
                if plan.sent > 0.0 {
                    script.round(plan.sent, plan.pre_s, per_s, all);
                }
                script.tell(0, "pre-switchover", json!({ "remaining_bytes": plan.rest as u64 }));
                script.stop(DEVICE_STATE_BYTES, per_s, resume, false);
                let seconds = plan.rest / per_s;
                let faults = Slowness::Faults { share: plan.rest / memory, length: nanos(seconds) };
                script.push(0, Step::Slow(faults));
                script.tell(0, "post-copy", json!({ "remaining_bytes": plan.rest as u64 }));
                script.copy(plan.rest, seconds, per_s, all);
                script.push(0, Step::Slow(Slowness::None));
            }
        }
        script.push(CLEANUP, Step::Complete);
        script
    }

    /// From the acceptance to the completion.
    pub(super) fn total_ns(&self) -> Nanos {
        self.steps.iter().map(|(after, _)| after).sum::<Nanos>() + self.downtime_ns()
    }

    /// How long the machine is stopped.
    pub(super) fn downtime_ns(&self) -> Nanos {
        let stops = self.steps.iter().map(|(_, step)| match step {
            Step::Stop { length, .. } => *length,
            _ => 0,
        });
        stops.sum()
    }

    fn push(&mut self, after: Nanos, step: Step) {
        self.steps.push_back((after, step));
    }

    fn tell(&mut self, after: Nanos, name: &'static str, attributes: Value) {
        let attributes = match attributes {
            Value::Object(attributes) => attributes,
            _ => Map::new(),
        };
        self.push(after, Step::Tell { name, attributes });
    }

    fn round(&mut self, bytes: f64, seconds: f64, per_s: f64, all: f64) {
        self.rounds += 1;
        let attributes = json!({ "round": self.rounds, "bytes": bytes as u64 });
        self.tell(0, "round", attributes);
        self.copy(bytes, seconds, per_s, all);
    }

    /// Sending `bytes`, with reports of progress; ends with one.
    fn copy(&mut self, bytes: f64, seconds: f64, per_s: f64, all: f64) {
        let before = self.transferred_bytes as f64;
        let interval = PROGRESS_S.max(seconds / PROGRESS_REPORTS);
        let whole = (seconds / interval).ceil().max(1.0) as u32;
        let mut told = 0;
        for k in 1..=whole {
            let at = (f64::from(k) * interval).min(seconds);
            let sent = (at * per_s).min(bytes);
            let attributes = json!({
                "transferred_bytes": (before + sent) as u64,
                "remaining_bytes": (bytes - sent) as u64,
                "planned_share": (before + sent) / all.max(1.0),
            });
            self.tell(nanos(at) - told, "progress", attributes);
            told = nanos(at);
        }
        self.transferred_bytes = (before + bytes) as u64;
    }

    fn stop(&mut self, bytes: f64, per_s: f64, resume: Nanos, forced: bool) {
        self.hypervisor_downtime = nanos(bytes / per_s);
        self.transferred_bytes += bytes as u64;
        self.push(0, Step::Stop { length: self.hypervisor_downtime + resume, forced });
    }
}

fn nanos(seconds: f64) -> Nanos {
    (seconds * SECOND as f64).round() as Nanos
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(script: &Script) -> Vec<&'static str> {
        let names = script.steps.iter().filter_map(|(_, step)| match step {
            Step::Tell { name: "progress", .. } | Step::Slow(_) => None,
            Step::Tell { name, .. } => Some(*name),
            Step::Stop { .. } => Some("STOP"),
            Step::Complete => Some("END"),
        });
        names.collect()
    }

    fn machine(strategy: &str) -> SimulatedVm {
        SimulatedVm::from_pairs([("strategy", strategy)]).unwrap()
    }

    #[test]
    fn steps_come_in_the_order_of_a_migration() {
        let pre = Script::of(&machine("pre-copy"));
        assert_eq!(names(&pre), ["setup", "round", "round", "pre-switchover", "STOP", "END"]);
        assert_eq!(pre.rounds, 2);
        let stop = Script::of(&machine("stop-and-copy"));
        assert_eq!(names(&stop), ["setup", "pre-switchover", "STOP", "END"]);
        let post = Script::of(&machine("post-copy"));
        assert_eq!(names(&post), ["setup", "round", "pre-switchover", "STOP", "post-copy", "END"]);
    }

    #[test]
    fn times_are_those_of_the_formulas() {
        let vm = machine("stop-and-copy");
        let script = Script::of(&vm);
        let resume = nanos(0.010 + 0.030 * unit(1, 1));
        assert_eq!(script.downtime_ns(), 8 * SECOND + resume);
        assert_eq!(script.total_ns(), 8 * SECOND + resume + SETUP + CLEANUP);
        assert_eq!(script.hypervisor_downtime, 8 * SECOND);
        assert_eq!(script.transferred_bytes, 512 << 20);

        let vm = machine("pre-copy");
        let script = Script::of(&vm);
        // Two rounds of 8 s and 8 λ s, then a stop of 8 λ² s.
        let lambda = script.dirty_bytes_per_s / vm.bandwidth_bytes_per_s;
        let copying = nanos(8.0 * (1.0 + lambda + lambda * lambda));
        assert!(script.total_ns().abs_diff(copying + resume + SETUP + CLEANUP) < 100);
        assert!(script.hypervisor_downtime.abs_diff(nanos(8.0 * lambda * lambda)) < 100);
    }

    #[test]
    fn seeds_differ_and_repeat() {
        let vm = SimulatedVm::default();
        let downtimes: std::collections::BTreeSet<_> =
            (0..50).map(|seed| vm.clone().with_seed(seed).planned_downtime()).collect();
        assert_eq!(downtimes.len(), 50);
        assert_eq!(Script::of(&vm), Script::of(&vm));
    }

    #[test]
    fn progress_ends_with_all_that_was_sent() {
        let script = Script::of(&machine("post-copy"));
        let last = script.steps.iter().rev().find_map(|(_, step)| match step {
            Step::Tell { name: "progress", attributes } => Some(attributes.clone()),
            _ => None,
        });
        let last = last.unwrap();
        assert_eq!(last["remaining_bytes"], 0);
        let told = last["transferred_bytes"].as_u64().unwrap();
        assert!(told.abs_diff(script.transferred_bytes) <= 1, "{last:?}");
    }

    #[test]
    fn long_migrations_have_few_steps() {
        let pairs = [("memory", "64GiB"), ("bandwidth", "1MiB/s"), ("dirty", "0")];
        let script = Script::of(&SimulatedVm::from_pairs(pairs).unwrap());
        assert!(script.total_ns() > 18 * 3600 * SECOND);
        assert!((1000..1020).contains(&script.steps.len()), "{}", script.steps.len());
    }
}
