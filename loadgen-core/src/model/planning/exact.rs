//! The best plan of few machines, by branch and bound.

use super::error::PlanningError;
use super::problem::Problem;
use super::schedule::{Begun, Schedule};
use super::ways::Ways;

/// So many machines are solved exactly.
pub(super) const MOST_MACHINES: usize = 6;

/// So many partial plans are looked at.
const MOST_STEPS: u64 = 20_000_000;

/// The best schedule within the same bandwidths as the search, not worse than `known`; `None`:
/// there is none.
///
/// Schedules are built in the order of their begins, each as soon as it fits beside those begun
/// before: among these is a best one, since any schedule can be shifted to the left until none can
/// begin sooner (an active schedule), and it is found when its migrations are taken in the order of
/// their begins. As nothing begins later than the next one, what is in use only falls from its
/// begin on: it is enough to look at that moment.
pub(super) fn solve(
    problem: &Problem,
    ways: &Ways,
    known: Option<Schedule>,
    least_s: f64,
) -> Result<Option<Schedule>, PlanningError> {
    let all = problem.tasks.len();
    if all > MOST_MACHINES {
        return Err(PlanningError::TooLarge { machines: all, at_most: MOST_MACHINES });
    }
    let least = |of: fn(&super::course::Course) -> f64| -> Vec<f64> {
        problem.tasks.iter().map(|task| ways.least(task.kind, of)).collect()
    };
    let known = known.filter(|known| known.lost_calls <= problem.lost_calls);
    let mut search = Search {
        problem,
        ways,
        least_area: least(|course| course.bandwidth * course.total_s),
        least_total_s: least(|course| course.total_s),
        least_lost: least(|course| course.lost_calls),
        least_s,
        begun: Vec::with_capacity(all),
        is_begun: vec![false; all],
        best: known,
        steps: 0,
    };
    search.go_on();
    if search.steps > MOST_STEPS {
        return Err(PlanningError::TooManySteps { steps: MOST_STEPS });
    }
    Ok(search.best)
}

struct Search<'a> {
    problem: &'a Problem,
    ways: &'a Ways,
    /// Of each task, over all of its ways.
    least_area: Vec<f64>,
    least_total_s: Vec<f64>,
    least_lost: Vec<f64>,
    least_s: f64,
    begun: Vec<Begun>,
    is_begun: Vec<bool>,
    best: Option<Schedule>,
    steps: u64,
}

impl Search<'_> {
    fn go_on(&mut self) {
        self.steps += 1;
        if self.steps > MOST_STEPS || self.cannot_be_better() {
            return;
        }
        if self.begun.len() == self.problem.tasks.len() {
            self.best = Some(Schedule::of(self.begun.clone()));
            return;
        }
        for task in 0..self.problem.tasks.len() {
            if self.is_begun[task] || self.has_an_equal_before(task) {
                continue;
            }
            let (problem, ways, kind) = (self.problem, self.ways, self.problem.tasks[task].kind);
            for &target in &problem.kinds[kind].targets {
                for (way, course) in ways.between(kind, target).iter().enumerate() {
                    let next = Begun { task, target, way, course: *course, start_s: 0.0 };
                    if let Some(next) = self.as_soon_as_it_fits(next) {
                        self.begun.push(next);
                        self.is_begun[task] = true;
                        self.go_on();
                        self.is_begun[task] = false;
                        self.begun.pop();
                    }
                }
            }
        }
    }

    /// Of those that are alike the first goes first.
    fn has_an_equal_before(&self, task: usize) -> bool {
        let tasks = &self.problem.tasks;
        let is_equal = |other: usize| {
            tasks[other].kind == tasks[task].kind && tasks[other].apart == tasks[task].apart
        };
        (0..task).any(|other| !self.is_begun[other] && is_equal(other))
    }

    fn as_soon_as_it_fits(&self, mut next: Begun) -> Option<Begun> {
        let (last_s, last) =
            self.begun.last().map_or((0.0, None), |of| (of.start_s, Some(of.task)));
        let ends = self.begun.iter().map(Begun::end_s).filter(|end_s| *end_s > last_s);
        let mut moments: Vec<f64> = ends.collect();
        // Those that begin together do so in one order only.
        if last.is_none_or(|last| last < next.task) {
            moments.push(last_s);
        } else {
            next.start_s = last_s;
            if self.fits(&next) {
                return None;
            }
        }
        moments.sort_by(f64::total_cmp);
        moments.into_iter().find_map(|start_s| {
            next.start_s = start_s;
            self.fits(&next).then_some(next)
        })
    }

    fn fits(&self, next: &Begun) -> bool {
        let problem = self.problem;
        let from = problem.tasks[next.task].from;
        let runs = |of: &&Begun| of.end_s() > next.start_s;
        let source = |of: &Begun| problem.tasks[of.task].from;
        let sum = |taken: &dyn Fn(&Begun) -> bool, all: f64| {
            let others = self.begun.iter().filter(runs).filter(|of| taken(of));
            let used: f64 = others.map(|of| of.course.bandwidth).sum();
            used + next.course.bandwidth <= all * (1.0 + 1e-9)
        };
        let at_once = |host: usize| {
            let here = |of: &&Begun| source(of) == host || of.target == host;
            (self.begun.iter().filter(runs).filter(here).count() as f64) < problem.at_once
        };
        let here = |memory: f64, of: &Begun| {
            let task = &problem.tasks[of.task];
            let came = if of.target == next.target { task.memory } else { 0.0 };
            let left = task.from == next.target && of.end_s() <= next.start_s;
            memory - came + if left { task.memory } else { 0.0 }
        };
        let meets = |other: &usize| {
            let of = self.begun.iter().find(|of| of.task == *other);
            let came = of.is_some_and(|of| of.target == next.target);
            let left = of.is_some_and(|of| of.end_s() <= next.start_s);
            came || (problem.tasks[*other].from == next.target && !left)
        };
        let task = &problem.tasks[next.task];
        sum(&|of| source(of) == from, problem.hosts[from].link)
            && sum(&|of| of.target == next.target, problem.hosts[next.target].link)
            && sum(&|_| true, problem.network)
            && at_once(from)
            && at_once(next.target)
            && task.memory <= self.begun.iter().fold(problem.hosts[next.target].free, here)
            && !task.apart.iter().any(meets)
    }

    /// Whether all that this can become takes as long as the best that is known, or loses too much.
    fn cannot_be_better(&self) -> bool {
        let tasks = 0..self.problem.tasks.len();
        let waiting = || tasks.clone().filter(|task| !self.is_begun[*task]);
        let lost = self.begun.iter().map(|of| of.course.lost_calls).sum::<f64>()
            + waiting().map(|task| self.least_lost[task]).sum::<f64>();
        if lost > self.problem.lost_calls {
            return true;
        }
        let Some(best) = &self.best else { return false };
        let enough = best.empty_s * (1.0 - 1e-9);
        if best.empty_s <= self.least_s {
            return true;
        }
        let now_s = self.begun.last().map_or(0.0, |of| of.start_s);
        let begun = self.begun.iter().map(Begun::end_s).fold(0.0, f64::max);
        let longest = waiting().map(|task| now_s + self.least_total_s[task]).fold(begun, f64::max);
        if longest >= enough {
            return true;
        }
        let problem = self.problem;
        // None that still waits begins before now: from now on all of its area is to come.
        let over = |link: f64, of: &dyn Fn(usize) -> bool| {
            let runs = self.begun.iter().filter(|begun| of(problem.tasks[begun.task].from));
            let rest = |of: &Begun| (of.end_s() - now_s).max(0.0) * of.course.bandwidth;
            let to_come = waiting().filter(|task| of(problem.tasks[*task].from));
            let area = runs.map(rest).sum::<f64>()
                + to_come.map(|task| self.least_area[task]).sum::<f64>();
            now_s + area / link >= enough
        };
        let links: f64 = problem.hosts.iter().filter(|room| room.is_target).map(|of| of.link).sum();
        over(problem.network.min(links), &|_| true)
            || (0..problem.hosts.len())
                .any(|host| over(problem.hosts[host].link, &|from| from == host))
    }
}
