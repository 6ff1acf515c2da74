//! A move that was checked, by positions in place of names.

use std::collections::HashMap;

use super::course::Traits;
use super::error::{Place, PlanningError};
use super::evacuation::{Evacuation, Host, Machine, Strategies};
use crate::model::error::{ModelError, not_negative, positive};
use crate::printable::printable;

/// So many are planned: more take long.
pub(super) const MOST_MACHINES: usize = 1000;
const MOST_HOSTS: usize = 100;

/// The migrations that have to be, and what they share.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) hosts: Vec<Room>,
    pub(super) tasks: Vec<Task>,
    /// Of the tasks.
    pub(super) kinds: Vec<Kind>,
    /// Infinite: no limit. So are the following.
    pub(super) network: f64,
    pub(super) at_once: f64,
    pub(super) total_s: f64,
    pub(super) lost_calls: f64,
}

/// A host.
#[derive(Debug, Clone)]
pub(super) struct Room {
    pub(super) link: f64,
    /// Memory that is free at the begin.
    pub(super) free: f64,
    /// Memory that is free when all that leaves it has left.
    pub(super) free_at_last: f64,
    pub(super) is_target: bool,
}

/// One migration.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// The machine.
    pub(super) machine: usize,
    pub(super) from: usize,
    pub(super) memory: f64,
    pub(super) kind: usize,
    /// Tasks whose machines must not meet this one where it goes.
    pub(super) apart: Vec<usize>,
}

/// Tasks that are alike but for their names and neighbours.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kind {
    pub(super) traits: Traits,
    pub(super) from: usize,
    pub(super) memory: f64,
    /// Hosts that it can go to: with enough memory at last, and no machine that stays there and
    /// must not meet it.
    pub(super) targets: Vec<usize>,
}

impl Problem {
    /// What two hosts and the network have for one migration.
    pub(super) fn between(&self, from: usize, to: usize) -> f64 {
        let link = |host: usize| self.hosts.get(host).map_or(0.0, |host| host.link);
        link(from).min(link(to)).min(self.network)
    }

    /// The kind of a task.
    pub(super) fn kind(&self, task: usize) -> &Kind {
        &self.kinds[self.tasks[task].kind]
    }

    /// The most that a kind of machine can have: from its host to the best of its targets.
    pub(super) fn fastest(&self, kind: &Kind) -> f64 {
        let each = kind.targets.iter().map(|to| self.between(kind.from, *to));
        each.fold(0.0, f64::max)
    }

    /// Checks all of a move.
    ///
    /// # Errors
    /// [`PlanningError::Content`].
    pub(super) fn of(evacuation: &Evacuation) -> Result<Self, PlanningError> {
        let names = Names::of(evacuation)?;
        check_numbers(evacuation)?;
        let apart = apart(evacuation, &names)?;
        let mut hosts = evacuation.hosts.iter().map(room).collect::<Vec<_>>();
        let mut task_of = vec![None; evacuation.machines.len()];
        let mut tasks = Vec::new();
        let places = (0..).zip(&evacuation.machines);
        for (machine, of) in places.clone() {
            let from = names.host(&of.host).unwrap_or(0);
            hosts[from].free -= of.memory;
            let moves =
                evacuation.hosts[from].empty || of.to.as_ref().is_some_and(|to| *to != of.host);
            if moves {
                task_of[machine] = Some(tasks.len());
                tasks.push(Task { machine, from, memory: of.memory, kind: 0, apart: Vec::new() });
            } else {
                hosts[from].free_at_last -= of.memory;
            }
        }
        check_room(evacuation, &hosts)?;
        let mut kinds: Vec<Kind> = Vec::new();
        for task in &mut tasks {
            let of = &evacuation.machines[task.machine];
            let neighbours = &apart[task.machine];
            task.apart = neighbours.iter().filter_map(|other| task_of[*other]).collect();
            let stays = |other: &&usize| task_of[**other].is_none();
            let met = neighbours.iter().filter(stays);
            let met: Vec<_> =
                met.filter_map(|other| names.host(&evacuation.machines[*other].host)).collect();
            let can_take = |to: &usize| {
                let room = &hosts[*to];
                let asked = of.to.as_ref().is_none_or(|name| names.host(name) == Some(*to));
                asked
                    && room.is_target
                    && *to != task.from
                    && !met.contains(to)
                    && of.memory <= room.free_at_last
            };
            let targets = (0..hosts.len()).filter(can_take).collect();
            let traits = Traits::of(of, evacuation);
            let kind = Kind { traits, from: task.from, memory: of.memory, targets };
            task.kind = kinds.iter().position(|other| *other == kind).unwrap_or_else(|| {
                kinds.push(kind);
                kinds.len() - 1
            });
        }
        let limits = &evacuation.limits;
        let limit = |value: Option<f64>| value.unwrap_or(f64::INFINITY);
        Ok(Self {
            hosts,
            tasks,
            kinds,
            network: limit(evacuation.network),
            at_once: limit(limits.at_once.map(f64::from)),
            total_s: limit(limits.total_s),
            lost_calls: limit(limits.lost_calls),
        })
    }
}

fn room(host: &Host) -> Room {
    let memory = if host.empty { f64::INFINITY } else { host.memory.unwrap_or(0.0) };
    Room { link: host.link, free: memory, free_at_last: memory, is_target: !host.empty }
}

fn host_at(index: usize, host: &Host) -> Place {
    Place::Host { index, name: host.name.clone() }
}

fn machine_at(index: usize, machine: &Machine) -> Place {
    Place::Machine { index, name: machine.name.clone() }
}

/// Where names are.
struct Names<'a> {
    hosts: HashMap<&'a str, usize>,
    machines: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn of(evacuation: &'a Evacuation) -> Result<Self, PlanningError> {
        let Evacuation { hosts, machines, .. } = evacuation;
        for (what, is, most) in
            [("machines", machines.len(), MOST_MACHINES), ("hosts", hosts.len(), MOST_HOSTS)]
        {
            if is > most {
                let reason = format!("there are {is} {what}: at most {most} are planned at once");
                return Err(PlanningError::new(Place::Whole, reason));
            }
        }
        let twice = |place| PlanningError::new(place, "there are two of this name: rename one");
        let mut names = Self { hosts: HashMap::new(), machines: HashMap::new() };
        for (index, host) in hosts.iter().enumerate() {
            if names.hosts.insert(&host.name, index).is_some() {
                return Err(twice(host_at(index, host)));
            }
        }
        for (index, machine) in machines.iter().enumerate() {
            let place = || machine_at(index, machine);
            if names.machines.insert(&machine.name, index).is_some() {
                return Err(twice(place()));
            }
            for (key, host) in [("host", Some(&machine.host)), ("to", machine.to.as_ref())] {
                let Some(host) = host else { continue };
                let Some(known) = names.host(host) else {
                    let told = printable(host);
                    let reason = format!("its {key} '{told}' is none of the hosts: add it there");
                    return Err(PlanningError::new(place(), reason));
                };
                if key == "to" && hosts[known].empty {
                    let told = printable(host);
                    let reason = format!("it must go to '{told}', which is emptied itself");
                    return Err(PlanningError::new(place(), reason));
                }
            }
        }
        Ok(names)
    }

    fn host(&self, name: &str) -> Option<usize> {
        self.hosts.get(name).copied()
    }
}

/// The neighbours that each machine must not have, in both directions.
fn apart(evacuation: &Evacuation, names: &Names<'_>) -> Result<Vec<Vec<usize>>, PlanningError> {
    let mut apart = vec![Vec::new(); evacuation.machines.len()];
    for (index, machine) in evacuation.machines.iter().enumerate() {
        for other in &machine.apart_from {
            let known = names.machines.get(other.as_str()).copied();
            let reason = match known {
                Some(known) if known != index => {
                    apart[index].push(known);
                    apart[known].push(index);
                    continue;
                }
                Some(_) => "it cannot be apart from itself".to_owned(),
                None => format!("it is apart from '{}', which is no machine", printable(other)),
            };
            return Err(PlanningError::new(machine_at(index, machine), reason));
        }
    }
    for neighbours in &mut apart {
        neighbours.sort_unstable();
        neighbours.dedup();
    }
    Ok(apart)
}

fn check_numbers(evacuation: &Evacuation) -> Result<(), PlanningError> {
    let at = |place: Place| move |error: ModelError| PlanningError::new(place, error.to_string());
    let Evacuation { limits, overhead, network, .. } = evacuation;
    let whole = || -> Result<(), ModelError> {
        let maybe = |what, value: Option<f64>| value.map_or(Ok(0.0), |value| positive(what, value));
        maybe("the bandwidth of the network", *network)?;
        maybe("the limit on the outage", limits.outage_s)?;
        maybe("the limit on the downtime", limits.downtime_s)?;
        maybe("the limit on the total time", limits.total_s)?;
        maybe("the number of migrations at once", limits.at_once.map(f64::from))?;
        not_negative("the number of lost calls", limits.lost_calls.unwrap_or(0.0))?;
        not_negative("the time to prepare", overhead.prepare_s)?;
        not_negative("the time to load", overhead.load_s)?;
        not_negative("the time to settle", overhead.settle_s)?;
        let faulting_s = overhead.faulting_s.unwrap_or(0.0);
        not_negative("the time to settle of post-copy", faulting_s)?;
        not_negative("the state of devices", overhead.device_state)?;
        Ok(())
    };
    whole().map_err(at(Place::Whole))?;
    for (index, host) in evacuation.hosts.iter().enumerate() {
        let place = || host_at(index, host);
        positive("its link", host.link).map_err(at(place()))?;
        not_negative("its memory", host.memory.unwrap_or(0.0)).map_err(at(place()))?;
        if host.memory.is_none() && !host.empty {
            let reason = "it has no memory: say how much room it has for machines";
            return Err(PlanningError::new(place(), reason));
        }
    }
    for (index, machine) in evacuation.machines.iter().enumerate() {
        let place = || machine_at(index, machine);
        let numbers = || -> Result<(), ModelError> {
            positive("its memory", machine.memory)?;
            not_negative("what it has to send", machine.to_send)?;
            not_negative("its requests", machine.requests)?;
            positive("its limit on the outage", machine.outage_s.unwrap_or(1.0))?;
            machine.dirtying.check()
        };
        numbers().map_err(at(place()))?;
        if machine.strategies != Strategies::PreCopy && overhead.faulting_s.is_none() {
            let reason = "it may be moved by post-copy, and nobody says how long its users wait then \
                          for the first pages: give faulting of the overhead, as a migration shows it";
            return Err(PlanningError::new(place(), reason));
        }
        if machine.to_send > machine.memory {
            let reason = "it has more to send than memory: give to_send without empty pages";
            return Err(PlanningError::new(place(), reason));
        }
    }
    Ok(())
}

fn check_room(evacuation: &Evacuation, hosts: &[Room]) -> Result<(), PlanningError> {
    let full = (0..).zip(hosts).find(|(_, room)| room.free < 0.0);
    full.map_or(Ok(()), |(index, room)| {
        let over = crate::units::format_bytes(-room.free as u64);
        let reason = format!("its machines need {over} more than its memory: correct either");
        Err(PlanningError::new(host_at(index, &evacuation.hosts[index]), reason))
    })
}
