//! Where machines go, chosen before any of them begins.

use super::problem::Problem;
use super::ways::Ways;

/// By what a host is chosen among those that have room at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// The one whose link would be done first.
    Balanced,
    /// The one that is left with the least memory (best fit).
    Tight,
}

/// A target for each task, the largest memory first; `None`: this way of packing finds none for
/// some. (Best fit decreasing needs at most 11/9 of the fewest hosts; from memory.)
pub(super) fn packed(
    problem: &Problem,
    ways: &Ways,
    packing: Packing,
) -> Option<Vec<Option<usize>>> {
    let tasks = &problem.tasks;
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    let choices = |task: usize| problem.kind(task).targets.len();
    // Those that can go to one place only take it before others do.
    order.sort_by(|a, b| {
        let forced = |task: usize| choices(task) > 1;
        let memory = || tasks[*b].memory.total_cmp(&tasks[*a].memory);
        forced(*a).cmp(&forced(*b)).then_with(memory)
    });
    let mut free: Vec<f64> = problem.hosts.iter().map(|room| room.free_at_last).collect();
    let mut busy_s = vec![0.0; problem.hosts.len()];
    let mut target: Vec<Option<usize>> = vec![None; tasks.len()];
    for task in order {
        let of = &tasks[task];
        let bytes = ways.least(of.kind, |course| course.sent);
        let cost = |to: usize| match packing {
            Packing::Balanced => busy_s[to] + bytes / problem.hosts[to].link,
            Packing::Tight => free[to],
        };
        let is_free = |to: &usize| {
            of.memory <= free[*to]
                && !ways.between(of.kind, *to).is_empty()
                && !of.apart.iter().any(|other| target[*other] == Some(*to))
        };
        let hosts = problem.kind(task).targets.iter().copied().filter(is_free);
        let to = hosts.min_by(|a, b| cost(*a).total_cmp(&cost(*b)))?;
        free[to] -= of.memory;
        busy_s[to] += bytes / problem.hosts[to].link;
        target[task] = Some(to);
    }
    Some(target)
}
