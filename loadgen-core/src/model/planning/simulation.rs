//! A plan gone through moment by moment, by other means than those that made it.

use std::collections::BTreeMap;

use super::error::PlanningError;
use super::evacuation::{Evacuation, Host, Machine, Strategies};
use super::plan::{Move, Plan};
use super::problem::Problem;
use super::violation::Violation;
use crate::model::migration::{PostCopy, PreCopy};
use crate::model::strategy::Strategy;

/// Figures agree, and shares add up to a whole, but for rounding.
const ROUNDING: f64 = 1e-8;

/// What came of a simulation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Simulation {
    /// All that is wrong with the plan; nothing: it holds all limits.
    pub violations: Vec<Violation>,
    /// When the last migration ends, in s.
    pub empty_s: f64,
    /// The most that goes over the network at a time, in bytes a second.
    pub most_network: f64,
    /// Most migrations at the same time.
    pub most_at_once: u32,
}

impl Evacuation {
    /// Goes through a plan, moment by moment, and looks after each limit; and computes each
    /// migration again by [`PreCopy::by_slots`] and [`PostCopy`]. It shares nothing with what makes
    /// plans but the models and the move itself, so that it also judges plans of others.
    ///
    /// # Errors
    /// [`PlanningError::Content`], if the move contradicts itself.
    pub fn simulate(&self, plan: &Plan) -> Result<Simulation, PlanningError> {
        Problem::of(self)?;
        let mut found = Vec::new();
        let moves = self.known(plan, &mut found);
        for of in &moves {
            self.check_move(of, &mut found);
        }
        let mut simulation = Simulation {
            violations: Vec::new(),
            empty_s: moves.iter().map(|of| of.of.end_s).fold(0.0, f64::max),
            most_network: 0.0,
            most_at_once: 0,
        };
        // What is in use rises only where one begins.
        let mut moments: Vec<f64> = moves.iter().map(|of| of.of.start_s).collect();
        moments.sort_by(f64::total_cmp);
        moments.dedup();
        for at_s in moments {
            self.check_moment(at_s, &moves, &mut simulation, &mut found);
        }
        self.check_whole(plan, &moves, &mut found);
        simulation.violations = found;
        Ok(simulation)
    }

    /// The moves of machines that have to move, each once.
    fn known<'a>(&'a self, plan: &'a Plan, found: &mut Vec<Violation>) -> Vec<Known<'a>> {
        let host = |name: &str| self.hosts.iter().find(|host| host.name == name);
        let mut waiting: BTreeMap<&str, &Machine> = BTreeMap::new();
        for machine in &self.machines {
            let is_emptied = host(&machine.host).is_some_and(|host| host.empty);
            if is_emptied || machine.to.as_ref().is_some_and(|to| *to != machine.host) {
                waiting.insert(&machine.name, machine);
            }
        }
        let mut known = Vec::new();
        for of in &plan.moves {
            let Some(machine) = waiting.remove(of.machine.as_str()) else {
                found.push(Violation::Unasked { machine: of.machine.clone() });
                continue;
            };
            let numbers = [of.start_s, of.end_s, of.bandwidth];
            let is_number = |value: &f64| value.is_finite() && *value >= 0.0;
            if !numbers.iter().all(is_number) || of.end_s < of.start_s || of.bandwidth == 0.0 {
                found.push(Violation::Number { machine: of.machine.clone() });
                continue;
            }
            known.push(Known { of, machine });
        }
        let still = waiting.into_values().map(|machine| machine.name.clone());
        found.extend(still.map(|machine| Violation::NotMoved { machine }));
        known
    }

    /// One move by itself: its hosts, its strategy, its figures.
    fn check_move(&self, Known { of, machine }: &Known<'_>, found: &mut Vec<Violation>) {
        let name = || machine.name.clone();
        let is_target = |host: &Host| host.name == of.to && !host.empty && of.to != of.from;
        let is_asked = machine.to.as_ref().is_none_or(|to| *to == of.to);
        if of.from != machine.host {
            found.push(Violation::WrongHost { machine: name(), host: of.from.clone() });
        }
        if !is_asked || !self.hosts.iter().any(is_target) {
            found.push(Violation::WrongHost { machine: name(), host: of.to.clone() });
        }
        let overhead = &self.overhead;
        let is_allowed = match of.strategy {
            Strategy::PreCopy => machine.strategies != Strategies::PostCopy,
            Strategy::PostCopy => machine.strategies != Strategies::PreCopy,
            Strategy::StopAndCopy | Strategy::Hybrid => false,
        };
        if !is_allowed {
            found.push(Violation::WrongStrategy { machine: name() });
        }
        let prediction = match (of.strategy, of.downtime_limit_s) {
            (Strategy::PreCopy, Some(limit_s)) => {
                self.check_downtime_limit(machine, limit_s, found);
                PreCopy::new(machine.to_send, of.bandwidth, machine.dirtying)
                    .with_limit_s(limit_s)
                    .with_load_s(overhead.load_s)
                    .by_slots()
                    .ok()
            }
            (Strategy::PostCopy, _) => {
                PostCopy::new(machine.to_send, of.bandwidth, overhead.device_state)
                    .with_resume_s(overhead.load_s)
                    .predict()
                    .ok()
            }
            _ => None,
        };
        let Some(prediction) = prediction else {
            found.push(Violation::Number { machine: name() });
            return;
        };
        if !prediction.converges {
            let bandwidth = of.bandwidth;
            found.push(Violation::DoesNotConverge { machine: name(), bandwidth });
        }
        let Some(outage_s) = overhead.outage_s(of.strategy, prediction.downtime_s) else {
            found.push(Violation::WrongStrategy { machine: name() });
            return;
        };
        let figures = [
            ("end_s", of.end_s, of.start_s + overhead.prepare_s + prediction.total_s),
            ("downtime_s", of.downtime_s, prediction.downtime_s),
            ("outage_s", of.outage_s, outage_s),
            ("pulling_s", of.pulling_s, prediction.pulling_s),
            ("sent", of.sent, prediction.sent),
            ("lost_calls", of.lost_calls, machine.requests * outage_s),
        ];
        for (figure, told, is) in figures {
            check_figure(&machine.name, figure, told, is, found);
        }
        if let Some(limit_s) = machine.outage_s.or(self.limits.outage_s)
            && outage_s > limit_s * (1.0 + ROUNDING)
        {
            found.push(Violation::Outage { machine: name(), outage_s, limit_s });
        }
    }

    fn check_downtime_limit(&self, machine: &Machine, told_s: f64, found: &mut Vec<Violation>) {
        if let Some(at_most_s) = self.limits.downtime_s
            && told_s > at_most_s * (1.0 + ROUNDING)
        {
            let machine = machine.name.clone();
            found.push(Violation::DowntimeLimit { machine, told_s, at_most_s });
        }
    }

    /// What is in use just after a moment.
    fn check_moment(
        &self,
        at_s: f64,
        moves: &[Known<'_>],
        simulation: &mut Simulation,
        found: &mut Vec<Violation>,
    ) {
        let running: Vec<&Known<'_>> =
            moves.iter().filter(|of| of.of.start_s <= at_s && at_s < of.of.end_s).collect();
        let sum = |taken: &dyn Fn(&Move) -> bool| -> f64 {
            running.iter().filter(|of| taken(of.of)).map(|of| of.of.bandwidth).sum()
        };
        let is_over = |used: f64, all: f64| used > all * (1.0 + ROUNDING);
        let used = sum(&|_| true);
        simulation.most_network = simulation.most_network.max(used);
        simulation.most_at_once = simulation.most_at_once.max(running.len() as u32);
        if let Some(network) = self.network.filter(|network| is_over(used, *network)) {
            found.push(Violation::Network { at_s, used, network });
        }
        for host in &self.hosts {
            let (name, link) = (|| host.name.clone(), host.link);
            let used = sum(&|of| of.from == host.name);
            if is_over(used, link) {
                found.push(Violation::OutOf { host: name(), at_s, used, link });
            }
            let used = sum(&|of| of.to == host.name);
            if is_over(used, link) {
                found.push(Violation::Into { host: name(), at_s, used, link });
            }
            let here = |of: &&&Known<'_>| of.of.from == host.name || of.of.to == host.name;
            let migrations = running.iter().filter(here).count() as u32;
            if let Some(at_most) = self.limits.at_once.filter(|at_most| migrations > *at_most) {
                found.push(Violation::AtOnce { host: name(), at_s, migrations, at_most });
            }
            self.check_host(host, at_s, moves, found);
        }
    }

    /// Who is on a host just after a moment: memory, and who must not meet.
    fn check_host(&self, host: &Host, at_s: f64, moves: &[Known<'_>], found: &mut Vec<Violation>) {
        let begins: Vec<_> =
            moves.iter().filter(|of| of.of.to == host.name && of.of.start_s == at_s).collect();
        if begins.is_empty() || host.empty {
            return;
        }
        let around = moves.iter().filter(|of| of.of.to == host.name || of.of.from == host.name);
        let moved: BTreeMap<&str, &Move> =
            around.map(|of| (of.machine.name.as_str(), of.of)).collect();
        let is_here = |machine: &&Machine| {
            let moved = moved.get(machine.name.as_str());
            let comes = moved.is_some_and(|of| of.to == host.name && of.start_s <= at_s);
            let stays = machine.host == host.name && moved.is_none_or(|of| at_s < of.end_s);
            stays || comes
        };
        let here: Vec<&Machine> = self.machines.iter().filter(is_here).collect();
        let needed: f64 = here.iter().map(|machine| machine.memory).sum();
        let memory = host.memory.unwrap_or(0.0);
        if needed > memory * (1.0 + ROUNDING) {
            found.push(Violation::Memory { host: host.name.clone(), at_s, needed, memory });
        }
        for Known { machine, .. } in begins {
            let must_not_meet = |other: &&&Machine| {
                let names = |one: &Machine, other: &Machine| one.apart_from.contains(&other.name);
                names(machine, other) || names(other, machine)
            };
            found.extend(here.iter().filter(must_not_meet).map(|other| Violation::Together {
                machine: machine.name.clone(),
                other: other.name.clone(),
                host: host.name.clone(),
                at_s,
            }));
        }
    }

    /// What is said of all of it.
    fn check_whole(&self, plan: &Plan, moves: &[Known<'_>], found: &mut Vec<Violation>) {
        let sum = |of: fn(&Move) -> f64| moves.iter().map(|known| of(known.of)).sum::<f64>();
        let takes_s = moves.iter().map(|of| of.of.end_s).fold(0.0, f64::max);
        let lost = sum(|of| of.lost_calls);
        check_figure("", "empty_s", plan.empty_s, takes_s, found);
        check_figure("", "sent", plan.sent, sum(|of| of.sent), found);
        check_figure("", "lost_calls", plan.lost_calls, lost, found);
        if let Some(limit_s) = self.limits.total_s
            && takes_s > limit_s * (1.0 + ROUNDING)
        {
            found.push(Violation::Total { takes_s, limit_s });
        }
        if let Some(at_most) = self.limits.lost_calls
            && lost > at_most * (1.0 + ROUNDING)
        {
            found.push(Violation::LostCalls { lost, at_most });
        }
    }
}

/// A move of a machine that has to move.
struct Known<'a> {
    of: &'a Move,
    machine: &'a Machine,
}

fn check_figure(machine: &str, figure: &str, told: f64, is: f64, found: &mut Vec<Violation>) {
    let is_close = (told - is).abs() <= ROUNDING * is.abs().max(1e-3);
    if !is_close {
        let (machine, figure) = (machine.to_owned(), figure.to_owned());
        found.push(Violation::Figure { machine, figure, told, is });
    }
}
