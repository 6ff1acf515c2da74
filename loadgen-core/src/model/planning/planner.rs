//! From a move to its plan.

use super::bound::LowerBound;
use super::course::Traits;
use super::error::PlanningError;
use super::evacuation::{Evacuation, Strategies};
use super::exact;
use super::plan::{HostLeft, Move, Outcome, Plan, Planned};
use super::problem::{Kind, Problem};
use super::proofs;
use super::schedule::{Begun, Schedule};
use super::search::search;
use super::ways::Ways;
use crate::model::strategy::Strategy;

/// Parts of the highest limits on the downtime that are tried one after the other, if too many
/// calls are lost with all of it.
const PARTS: [f64; 5] = [1.0, 0.5, 0.25, 0.125, 0.0625];

impl Evacuation {
    /// Plans the move: the target of each machine, its begin, its bandwidth and its strategy, so
    /// that all limits are held at every moment and the hosts are empty soon.
    ///
    /// Lists of machines are begun as there is room (Graham 1969; machines take the more bandwidth
    /// the shorter they are: Turek, Wolf & Yu 1992; both from memory), with several orders and
    /// several divisions of the links, and the best of them are changed in small steps. It is not
    /// always the best plan: [`Plan::gap`] says how far from it it is at the most. The same move
    /// has the same plan on each machine: steps are counted, and no clock is looked at.
    ///
    /// The plan is [simulated](Self::simulate) before it is returned; one that fails there is
    /// [`Outcome::NotFound`].
    ///
    /// # Errors
    /// [`PlanningError::Content`], if the move contradicts itself.
    pub fn plan(&self) -> Result<Planned, PlanningError> {
        self.planned(false)
    }

    /// The best plan of up to 6 machines within the same bandwidths, by branch and bound: each
    /// order, each target, and each bandwidth that is a link or the network, divided by 1, 2, … up
    /// to the number of machines, constant for each migration.
    ///
    /// # Errors
    /// [`PlanningError::Content`], if the move contradicts itself;
    /// [`PlanningError::TooLarge`] with more machines, and [`PlanningError::TooManySteps`].
    pub fn solve_exactly(&self) -> Result<Planned, PlanningError> {
        self.planned(true)
    }

    /// Below which time no plan is, whatever the limits on outages and calls.
    ///
    /// # Errors
    /// [`PlanningError::Content`], if the move contradicts itself.
    pub fn lower_bound(&self) -> Result<LowerBound, PlanningError> {
        Ok(LowerBound::of(&Problem::of(self)?, self))
    }

    fn planned(&self, is_exact: bool) -> Result<Planned, PlanningError> {
        let problem = Problem::of(self)?;
        let lower_bound = LowerBound::of(&problem, self);
        let reasons = proofs::reasons(&problem, self, &lower_bound);
        let outcome = if reasons.is_empty() {
            let schedule = best(&problem, &lower_bound, is_exact)?;
            let plan = schedule.map(|schedule| self.told(&problem, &schedule, &lower_bound));
            self.judged(plan)?
        } else {
            Outcome::Impossible { reasons }
        };
        let (name, machines) = (self.name.clone(), problem.tasks.len());
        Ok(Planned { name, machines, lower_bound, is_exact, outcome })
    }

    fn judged(&self, plan: Option<Plan>) -> Result<Outcome, PlanningError> {
        let Some(plan) = plan else {
            return Ok(Outcome::NotFound { best: None, violations: Vec::new() });
        };
        let violations = self.simulate(&plan)?.violations;
        Ok(match violations.is_empty() {
            true => Outcome::Found { plan },
            false => Outcome::NotFound { best: Some(plan), violations },
        })
    }

    fn told(&self, problem: &Problem, schedule: &Schedule, lower_bound: &LowerBound) -> Plan {
        let least: Vec<_> =
            problem.kinds.iter().map(|kind| least_bandwidth(problem, kind)).collect();
        let host = |index: usize| self.hosts[index].name.clone();
        let to_move = |of: &Begun| {
            let (task, course) = (&problem.tasks[of.task], &of.course);
            let limit_s = course.downtime_limit_s;
            Move {
                machine: self.machines[task.machine].name.clone(),
                from: host(task.from),
                to: host(of.target),
                start_s: of.start_s,
                end_s: of.end_s(),
                bandwidth: course.bandwidth,
                least_bandwidth: least[task.kind].min(course.bandwidth),
                strategy: course.strategy,
                downtime_limit_s: (course.strategy == Strategy::PreCopy).then_some(limit_s),
                downtime_s: course.downtime_s,
                outage_s: course.outage_s,
                pulling_s: course.pulling_s,
                sent: course.sent,
                lost_calls: course.lost_calls,
            }
        };
        let left = |index: usize| {
            let out = schedule.begun.iter().filter(|of| problem.tasks[of.task].from == index);
            let at_s = out.map(Begun::end_s).max_by(f64::total_cmp)?;
            Some(HostLeft { host: host(index), empty: self.hosts[index].empty, at_s })
        };
        let empty_s = schedule.empty_s;
        Plan {
            moves: schedule.begun.iter().map(to_move).collect(),
            empty_s,
            hosts: (0..self.hosts.len()).filter_map(left).collect(),
            sent: schedule.sent,
            lost_calls: schedule.lost_calls,
            lower_bound: lower_bound.clone(),
            gap: if lower_bound.s > 0.0 { (empty_s / lower_bound.s - 1.0).max(0.0) } else { 0.0 },
        }
    }
}

/// By pre-copy, if it may be: for a machine that it brings to no end, by post-copy.
fn least_bandwidth(problem: &Problem, kind: &Kind) -> f64 {
    let fastest = problem.fastest(kind);
    let by = |strategies| Traits { strategies, ..kind.traits }.least_bandwidth(fastest);
    let least = match kind.traits.strategies {
        Strategies::Any => by(Strategies::PreCopy).filter(|least| *least <= fastest),
        _ => None,
    };
    least.or_else(|| by(kind.traits.strategies)).unwrap_or(fastest)
}

/// With the highest limits on downtimes with which no more calls are lost than may be; if there are
/// none, the schedule with which fewest are.
fn best(
    problem: &Problem,
    bound: &LowerBound,
    is_exact: bool,
) -> Result<Option<Schedule>, PlanningError> {
    if problem.tasks.is_empty() {
        return Ok(Some(Schedule::of(Vec::new())));
    }
    let mut best: Option<Schedule> = None;
    for part in PARTS {
        let ways = Ways::of(problem, part);
        let least = problem.tasks.iter().map(|task| ways.least(task.kind, |of| of.lost_calls));
        let may_be = least.sum::<f64>() <= problem.lost_calls;
        // With the last part it is seen by how much it fails.
        if !may_be && part > PARTS[PARTS.len() - 1] && problem.lost_calls.is_finite() {
            continue;
        }
        let mut found = search(problem, &ways, bound.s);
        if is_exact {
            let solved = exact::solve(problem, &ways, found.clone(), bound.s)?;
            found = solved.or(found);
        }
        let Some(found) = found else { continue };
        if found.lost_calls <= problem.lost_calls {
            return Ok(Some(found));
        }
        if best.as_ref().is_none_or(|best| found.lost_calls < best.lost_calls) {
            best = Some(found);
        }
    }
    Ok(best)
}
