//! A list of migrations, each begun as soon as it fits.

use super::course::Course;
use super::problem::Problem;
use super::ways::Ways;

/// What is over all limits but for rounding is within them.
const ROUNDING: f64 = 1e-9;

/// When which machine goes where, and how.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Schedule {
    /// In the order in which they begin.
    pub(super) begun: Vec<Begun>,
    /// When the last one has ended, in s.
    pub(super) empty_s: f64,
    pub(super) sent: f64,
    pub(super) lost_calls: f64,
}

/// A migration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Begun {
    pub(super) task: usize,
    pub(super) target: usize,
    /// Its place among the [`Ways`] of its kind to its target.
    pub(super) way: usize,
    pub(super) course: Course,
    pub(super) start_s: f64,
}

impl Begun {
    pub(super) fn end_s(&self) -> f64 {
        self.start_s + self.course.total_s
    }
}

impl Schedule {
    pub(super) fn of(begun: Vec<Begun>) -> Self {
        let courses = || begun.iter().map(|of| &of.course);
        Self {
            empty_s: begun.iter().map(Begun::end_s).fold(0.0, f64::max),
            sent: courses().map(|of| of.sent).sum(),
            lost_calls: courses().map(|of| of.lost_calls).sum(),
            begun,
        }
    }

    /// The sooner it is empty the better, then the less is sent.
    pub(super) fn is_better_than(&self, other: &Self) -> bool {
        (self.empty_s, self.sent) < (other.empty_s, other.sent)
    }
}

/// How machines are to be moved, as far as there is room.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    /// Which goes first, if both can.
    pub(super) order: Vec<usize>,
    /// Whether none begins before all that are ahead of it have begun. It takes longer as a rule,
    /// but a best schedule may need it: then something waits that would be in the way.
    pub(super) in_turn: bool,
    /// How fast each goes.
    pub(super) paces: Vec<Pace>,
    /// Where each goes; `None`: where most bandwidth is to be had when it begins.
    pub(super) targets: Vec<Option<usize>>,
}

/// How fast a machine goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pace {
    /// With the least bandwidth that holds its limits and is not below these shares.
    #[non_exhaustive]
    Shares {
        /// Of the link out.
        out: f64,
        /// Of the link in.
        into: f64,
        /// Of the network.
        network: f64,
    },
    /// This of its ways.
    Way(usize),
}

/// What is counted in place of time.
#[derive(Debug)]
pub(super) struct Work {
    left: u64,
}

impl Work {
    pub(super) fn new(steps: u64) -> Self {
        Self { left: steps }
    }

    pub(super) fn take(&mut self, steps: usize) {
        self.left = self.left.saturating_sub(steps as u64);
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }
}

/// What is in use at some moment.
struct Use<'a> {
    problem: &'a Problem,
    out: Vec<f64>,
    into: Vec<f64>,
    at_once: Vec<f64>,
    free: Vec<f64>,
    network: f64,
    /// Where the machine of each task goes or has gone.
    target: Vec<Option<usize>>,
    /// Whether it has left its source.
    left: Vec<bool>,
}

impl<'a> Use<'a> {
    fn new(problem: &'a Problem) -> Self {
        let hosts = problem.hosts.len();
        Self {
            problem,
            out: vec![0.0; hosts],
            into: vec![0.0; hosts],
            at_once: vec![0.0; hosts],
            free: problem.hosts.iter().map(|room| room.free).collect(),
            network: 0.0,
            target: vec![None; problem.tasks.len()],
            left: vec![false; problem.tasks.len()],
        }
    }

    /// Whether a host can send anything at all.
    fn can_send(&self, from: usize) -> bool {
        let link = self.problem.hosts[from].link;
        self.at_once[from] < self.problem.at_once && self.out[from] < link * (1.0 - ROUNDING)
    }

    fn fits(&self, task: usize, to: usize, bandwidth: f64) -> bool {
        let (problem, of) = (self.problem, &self.problem.tasks[task]);
        let has = |used: f64, all: f64| used + bandwidth <= all * (1.0 + ROUNDING);
        let meets = |other: &usize| match self.target[*other] {
            Some(target) if target == to => true,
            _ => problem.tasks[*other].from == to && !self.left[*other],
        };
        has(self.out[of.from], problem.hosts[of.from].link)
            && has(self.into[to], problem.hosts[to].link)
            && has(self.network, problem.network)
            && self.at_once[to] < problem.at_once
            && of.memory <= self.free[to]
            && !of.apart.iter().any(meets)
    }

    fn begin(&mut self, task: usize, to: usize, bandwidth: f64) {
        self.share(task, to, bandwidth, 1.0);
        self.free[to] -= self.problem.tasks[task].memory;
        self.target[task] = Some(to);
    }

    fn end(&mut self, task: usize, to: usize, bandwidth: f64) {
        self.share(task, to, -bandwidth, -1.0);
        let of = &self.problem.tasks[task];
        self.free[of.from] += of.memory;
        self.left[task] = true;
    }

    fn share(&mut self, task: usize, to: usize, bandwidth: f64, migrations: f64) {
        let from = self.problem.tasks[task].from;
        self.out[from] += bandwidth;
        self.into[to] += bandwidth;
        self.network += bandwidth;
        self.at_once[from] += migrations;
        self.at_once[to] += migrations;
    }
}

/// Begins each migration as soon as it fits: at the begin, and whenever one has ended, all that
/// wait are tried in their order. `None`: some never fit.
pub(super) fn schedule(
    problem: &Problem,
    ways: &Ways,
    wish: &Wish,
    work: &mut Work,
) -> Option<Schedule> {
    let mut used = Use::new(problem);
    let mut waiting = wish.order.clone();
    let (mut begun, mut running): (Vec<Begun>, Vec<Begun>) = (Vec::new(), Vec::new());
    let mut now_s = 0.0;
    loop {
        work.take(waiting.len());
        let mut waits = false;
        waiting.retain(|task| {
            if (waits && wish.in_turn) || !used.can_send(problem.tasks[*task].from) {
                waits = true;
                return true;
            }
            let Some(mut next) = best(problem, ways, wish, *task, &used, work) else {
                waits = true;
                return true;
            };
            next.start_s = now_s;
            used.begin(*task, next.target, next.course.bandwidth);
            running.push(next);
            begun.push(next);
            false
        });
        let next = running.iter().map(Begun::end_s).min_by(f64::total_cmp);
        let Some(next) = next else {
            return waiting.is_empty().then(|| Schedule::of(begun));
        };
        now_s = next;
        running.retain(|of| {
            let runs = of.end_s() > now_s;
            if !runs {
                used.end(of.task, of.target, of.course.bandwidth);
            }
            runs
        });
    }
}

/// Where a task would best go now: with most bandwidth, then to the host with most memory left.
fn best(
    problem: &Problem,
    ways: &Ways,
    wish: &Wish,
    task: usize,
    used: &Use<'_>,
    work: &mut Work,
) -> Option<Begun> {
    let kind = problem.tasks[task].kind;
    let targets = problem.kind(task).targets.iter().copied();
    let asked = wish.targets[task];
    let mut best: Option<Begun> = None;
    for target in targets.filter(|to| asked.is_none_or(|asked| asked == *to)) {
        work.take(1);
        let courses = ways.between(kind, target);
        let way = wish.paces[task].of(problem, courses, problem.tasks[task].from, target);
        let Some(course) = way.and_then(|way| courses.get(way)) else { continue };
        let is_better = best.as_ref().is_none_or(|best| {
            let of = |target: usize, course: &Course| (course.bandwidth, used.free[target]);
            of(target, course) > of(best.target, &best.course)
        });
        if is_better && used.fits(task, target, course.bandwidth) {
            let way = way.unwrap_or(0);
            best = Some(Begun { task, target, way, course: *course, start_s: 0.0 });
        }
    }
    best
}

impl Pace {
    /// Which of these ways, from the most bandwidth to the least.
    fn of(self, problem: &Problem, ways: &[Course], from: usize, to: usize) -> Option<usize> {
        let last = ways.len().checked_sub(1)?;
        match self {
            Self::Way(way) => Some(way.min(last)),
            Self::Shares { out, into, network } => {
                let link = |host: usize| problem.hosts[host].link;
                let wanted = (link(from) * out).min(link(to) * into).min(problem.network * network);
                let enough = wanted * (1.0 - ROUNDING);
                Some(ways.partition_point(|way| way.bandwidth >= enough).saturating_sub(1))
            }
        }
    }
}
