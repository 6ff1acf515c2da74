//! Many lists, and small changes to the best of them.

use super::problem::Problem;
use super::schedule::{Pace, Schedule, Wish, Work, schedule};
use super::targets::{Packing, packed};
use super::ways::Ways;
use crate::random::SplitMix64;

/// What is looked at in the search: a task that waits, or a host that it might go to.
const MOST_STEPS: u64 = 8_000_000;

/// Small changes that are tried: so many for one machine, fewer with more of them, within limits.
const CHANGES_OF_ONE: usize = 24_000;
const FEWEST_CHANGES: usize = 600;
const MOST_CHANGES: usize = 3000;

/// By this share a change may make it worse at first.
const MOST_WORSE: f64 = 0.1;

/// So many of the best lists are changed.
const BEGINNINGS: usize = 3;

/// Parts into which the links out, the links in and the network are divided.
const DIVISIONS: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0];

/// The best schedule that is found; `None`: none was. It is done when one takes `least_s`.
pub(super) fn search(problem: &Problem, ways: &Ways, least_s: f64) -> Option<Schedule> {
    let mut work = Work::new(MOST_STEPS);
    let mut found = beginnings(problem, ways, &mut work);
    // The sort is stable: the same file has the same plan.
    found.sort_by(|(_, a), (_, b)| {
        a.empty_s.total_cmp(&b.empty_s).then_with(|| a.sent.total_cmp(&b.sent))
    });
    found.dedup_by(|(_, a), (_, b)| a == b);
    found.truncate(BEGINNINGS);
    let mut best: Option<Schedule> = None;
    for (wish, schedule) in found {
        let improved = improved(problem, ways, wish, schedule, least_s, &mut work);
        if best.as_ref().is_none_or(|best| improved.is_better_than(best)) {
            best = Some(improved);
        }
    }
    best
}

/// A schedule for each order, each division of the links, and each choice of targets.
fn beginnings(problem: &Problem, ways: &Ways, work: &mut Work) -> Vec<(Wish, Schedule)> {
    let all = problem.tasks.len();
    let mut targets = vec![vec![None; all]];
    targets.extend(packed(problem, ways, Packing::Balanced));
    targets.extend(packed(problem, ways, Packing::Tight));
    let mut found = Vec::new();
    for pace in paces(problem) {
        for order in orders(problem, ways) {
            for targets in &targets {
                let (order, paces) = (order.clone(), vec![pace; all]);
                let wish = Wish { order, in_turn: false, paces, targets: targets.clone() };
                if let Some(schedule) = schedule(problem, ways, &wish, work) {
                    found.push((wish, schedule));
                }
                if work.is_done() {
                    return found;
                }
            }
        }
    }
    found
}

fn paces(problem: &Problem) -> Vec<Pace> {
    let mut paces = Vec::new();
    for by in DIVISIONS {
        let part = 1.0 / by;
        for (out, into, network) in [
            (part, 1.0, 1.0),
            (1.0, part, 1.0),
            (part, part, 1.0),
            (1.0, 1.0, part),
            (part, part, part),
        ] {
            let is_there = network == 1.0 || problem.network.is_finite();
            let pace = Pace::Shares { out, into, network };
            if is_there && !paces.contains(&pace) {
                paces.push(pace);
            }
        }
    }
    paces
}

/// The longest first, those that send most, that dirty most, that take most memory, the host with
/// most to send, and as they stand.
fn orders(problem: &Problem, ways: &Ways) -> Vec<Vec<usize>> {
    let of_kinds =
        |of: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..problem.kinds.len()).map(of).collect() };
    let longest = of_kinds(&|kind| ways.least(kind, |course| course.total_s));
    let sent = of_kinds(&|kind| ways.least(kind, |course| course.sent));
    let dirty = of_kinds(&|kind| problem.kinds[kind].traits.dirtying.rate);
    let memory = of_kinds(&|kind| problem.kinds[kind].memory);
    let mut of_host = vec![0.0; problem.hosts.len()];
    problem.tasks.iter().for_each(|task| of_host[task.from] += sent[task.kind]);
    let busiest = of_kinds(&|kind| {
        let from = problem.kinds[kind].from;
        of_host[from] / problem.hosts[from].link
    });
    let given: Vec<usize> = (0..problem.tasks.len()).collect();
    let by = |keys: &[f64]| {
        let key = |task: usize| keys[problem.tasks[task].kind];
        let mut order = given.clone();
        order.sort_by(|a, b| key(*b).total_cmp(&key(*a)));
        order
    };
    vec![by(&longest), by(&sent), by(&dirty), by(&memory), by(&busiest), given]
}

/// The best after small changes: two change places in the order or one goes elsewhere in it, one
/// goes faster or slower, one goes to another host, two change hosts. What is not worse is kept.
fn improved(
    problem: &Problem,
    ways: &Ways,
    mut wish: Wish,
    mut best: Schedule,
    least_s: f64,
    work: &mut Work,
) -> Schedule {
    let all = problem.tasks.len();
    wish.order = best.begun.iter().map(|of| of.task).collect();
    for of in &best.begun {
        wish.paces[of.task] = Pace::Way(of.way);
        wish.targets[of.task] = Some(of.target);
    }
    // Any seed: it is the same for all, so that a file has one plan.
    let mut random = SplitMix64::new(all as u64);
    let mut at = best.clone();
    let changes = (CHANGES_OF_ONE / all.max(1)).clamp(FEWEST_CHANGES, MOST_CHANGES) / BEGINNINGS;
    for step in 0..changes {
        if work.is_done() || best.empty_s <= least_s {
            break;
        }
        let mut changed = wish.clone();
        // One after the other may be worse where both together are better.
        for _ in 0..=random.draw() % 3 {
            change(problem, ways, &mut changed, &mut random);
        }
        let Some(schedule) = schedule(problem, ways, &changed, work) else { continue };
        let allowed = MOST_WORSE * (1.0 - (step + 1) as f64 / changes as f64);
        if schedule.empty_s <= at.empty_s * (1.0 + allowed) {
            if schedule.is_better_than(&best) {
                best = schedule.clone();
            }
            (wish, at) = (changed, schedule);
        }
    }
    best
}

fn change(problem: &Problem, ways: &Ways, wish: &mut Wish, random: &mut SplitMix64) {
    let all = problem.tasks.len();
    let mut any = |of: usize| (random.draw() % of.max(1) as u64) as usize;
    let (what, one, other) = (any(6), any(all), any(all));
    match what {
        0 => wish.order.swap(one, other),
        1 => {
            let task = wish.order.remove(one);
            wish.order.insert(other, task);
        }
        2 => {
            let to = wish.targets[one].unwrap_or(0);
            let courses = ways.between(problem.tasks[one].kind, to).len();
            wish.paces[one] = Pace::Way(any(courses));
        }
        3 => {
            let targets = &problem.kind(one).targets;
            wish.targets[one] = targets.get(any(targets.len())).copied();
        }
        4 => wish.targets.swap(one, other),
        _ => wish.in_turn = !wish.in_turn,
    }
}
