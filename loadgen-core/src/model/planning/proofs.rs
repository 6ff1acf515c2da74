//! What proves that there is no plan.

use super::bound::LowerBound;
use super::evacuation::{Evacuation, Strategies};
use super::problem::{Problem, Task};
use super::reason::Reason;

/// Into so many steps the way down from the whole bandwidth to a thousandth is divided: by whole
/// slots the model jumps, and a machine might come to an end at less where it does not at more.
const STEPS: i32 = 40;

/// All reasons why no plan holds the limits; none: there may be one.
pub(super) fn reasons(
    problem: &Problem,
    evacuation: &Evacuation,
    bound: &LowerBound,
) -> Vec<Reason> {
    let mut reasons = machines(problem, evacuation);
    reasons.extend(memory(problem));
    reasons.extend(large(problem));
    reasons.extend(apart(problem, evacuation));
    if bound.s > problem.total_s {
        let (limit_s, lower_bound) = (problem.total_s, bound.clone());
        reasons.push(Reason::Total { limit_s, lower_bound });
    }
    let overhead = &evacuation.overhead;
    let calls = |task: &Task| {
        let of = &problem.kinds[task.kind].traits;
        let faulting_s = overhead.faulting_s.unwrap_or(overhead.settle_s);
        let then_s = match of.strategies {
            Strategies::PreCopy => overhead.settle_s,
            Strategies::PostCopy => faulting_s,
            Strategies::Any => overhead.settle_s.min(faulting_s),
        };
        of.requests * (overhead.load_s + then_s)
    };
    let at_least: f64 = problem.tasks.iter().map(calls).sum();
    if at_least > problem.lost_calls {
        reasons.push(Reason::LostCalls { at_least, at_most: problem.lost_calls });
    }
    reasons
}

/// Each machine by itself; of those that are alike, the first.
fn machines(problem: &Problem, evacuation: &Evacuation) -> Vec<Reason> {
    let of_kind = |(index, kind): (usize, &super::problem::Kind)| {
        let task = problem.tasks.iter().find(|task| task.kind == index)?;
        let machine = evacuation.machines[task.machine].name.clone();
        let bandwidth = problem.fastest(kind);
        if bandwidth <= 0.0 {
            let rooms = problem.hosts.iter().filter(|room| room.is_target);
            let at_most = rooms.map(|room| room.free_at_last).fold(0.0, f64::max);
            return Some(Reason::NoTarget { machine, memory: task.memory, at_most });
        }
        let down = |step: i32| bandwidth * 10_f64.powf(-3.0 * f64::from(step) / f64::from(STEPS));
        let traits = &kind.traits;
        if (0..=STEPS).any(|step| traits.course(down(step), 1.0).is_some()) {
            return None;
        }
        Some(Reason::Outage {
            machine,
            bandwidth,
            limit_s: Some(traits.outage_s).filter(|limit| limit.is_finite()),
            needs: traits.least_bandwidth(bandwidth),
            by_post_copy: traits.strategies != Strategies::PreCopy,
        })
    };
    problem.kinds.iter().enumerate().filter_map(of_kind).collect()
}

fn memory(problem: &Problem) -> Option<Reason> {
    let needed: f64 = problem.tasks.iter().map(|task| task.memory).sum();
    let rooms = problem.hosts.iter().filter(|room| room.is_target);
    let room: f64 = rooms.map(|room| room.free_at_last).sum();
    (needed > room * (1.0 + 1e-12)).then_some(Reason::Memory { needed, room })
}

/// For each size, machines at least as large against how many of the size the hosts take.
fn large(problem: &Problem) -> Option<Reason> {
    let sizes = problem.kinds.iter().map(|kind| kind.memory);
    sizes
        .filter_map(|memory| {
            let machines = problem.tasks.iter().filter(|task| task.memory >= memory).count() as u64;
            let rooms = problem.hosts.iter().filter(|room| room.is_target);
            let whole =
                rooms.map(|room| (room.free_at_last / memory * (1.0 + 1e-12)).floor() as u64);
            let at_most = whole.fold(0, u64::saturating_add);
            (machines > at_most).then_some(Reason::Large { memory, machines, at_most })
        })
        .next()
}

/// A set of machines of which each must not meet any other, gathered from each machine on.
fn apart(problem: &Problem, evacuation: &Evacuation) -> Option<Reason> {
    let tasks = &problem.tasks;
    let mut most: Vec<usize> = Vec::new();
    for (first, task) in tasks.iter().enumerate() {
        if task.apart.len() < most.len() {
            continue;
        }
        let mut set = vec![first];
        for other in &task.apart {
            let meets_none = |of: &usize| tasks[*other].apart.binary_search(of).is_ok();
            if set.iter().all(meets_none) {
                set.push(*other);
            }
        }
        if set.len() > most.len() {
            most = set;
        }
    }
    let takes = |host: &usize| most.iter().any(|task| problem.kind(*task).targets.contains(host));
    let hosts = (0..problem.hosts.len()).filter(takes).count();
    let name = |task: &Task| evacuation.machines[task.machine].name.clone();
    let machines = || most.iter().map(|task| name(&tasks[*task])).collect();
    (most.len() > hosts && most.len() > 1)
        .then(|| Reason::Apart { machines: machines(), hosts: hosts as u64 })
}
