//! What a prediction is made from, with the units in the names: so much that it can be made again.

use serde::{Deserialize, Serialize};

use crate::model::migration::{Dirtying, Pattern};
use crate::model::strategies::{Population, Scenario};
use crate::model::users::{Connections, Users};

/// A machine, the link and the users that a prediction is made for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictionInput {
    /// Memory to send: pages that are not empty.
    pub memory_bytes: f64,
    /// Memory that is written to in a second; a page counts as a whole.
    pub dirty_bytes_per_s: f64,
    /// Memory that is written to at all; `None`: without an end.
    pub working_set_bytes: Option<f64>,
    /// `random` or `round-robin`: in which order.
    pub pattern: String,
    /// A small set that each pass finds dirty again.
    pub base_bytes: f64,
    /// After which it is dirty again to 63 %.
    pub base_time_s: f64,
    /// While the machine runs at its source.
    pub bandwidth_bytes_per_s: f64,
    /// While it stands still.
    pub stop_bandwidth_bytes_per_s: f64,
    /// While memory follows it.
    pub push_bandwidth_bytes_per_s: f64,
    /// Bytes on the wire for a byte of memory, in the first pass.
    pub first_ratio: f64,
    /// In later ones.
    pub later_ratio: f64,
    /// The limit on the downtime that pre-copy is told.
    pub downtime_limit_s: f64,
    /// The state of the machine's devices.
    pub device_state_bytes: f64,
    /// From the order to the first byte of memory.
    pub prepare_s: f64,
    /// What the target needs to resume.
    pub resume_s: f64,
    /// From then until the service answers, where all memory is at the target.
    pub settle_s: f64,
    /// Whether it is known to be no less than that, and maybe longer.
    #[serde(default)]
    pub settle_is_least: bool,
    /// The same where memory follows: of post-copy and hybrid. `None`: it is not known.
    pub faulting_s: Option<f64>,
    /// Its users.
    pub populations: Vec<PredictedPopulation>,
}

/// Some of the users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PredictedPopulation {
    /// What they are called: `established` or `fresh`, or as the user says.
    pub name: String,
    /// Calls a second.
    pub rate_per_s: f64,
    /// Connections that are kept open; `None`: a new one for each call.
    pub connections: Option<u32>,
    /// After which a call is given up.
    pub timeout_s: f64,
    /// From which on an answer is late; `None`: twice its usual time, and 1 ms at least.
    pub late_beyond_s: Option<f64>,
    /// What a call takes where nothing is wrong.
    pub usual_s: f64,
    /// Calls that the service can answer in a second; `None`: as many as come.
    pub capacity_per_s: Option<f64>,
    /// When the kernel of the clients sends a SYN again, from the first time.
    pub syn_steps_s: Vec<f64>,
    /// The same of data.
    pub data_steps_s: Vec<f64>,
}

impl PredictionInput {
    /// What a scenario has.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let dirtying = &scenario.dirtying;
        Self {
            memory_bytes: scenario.memory,
            dirty_bytes_per_s: dirtying.rate,
            working_set_bytes: dirtying.working_set.is_finite().then_some(dirtying.working_set),
            pattern: match dirtying.pattern {
                Pattern::RoundRobin => "round-robin".to_owned(),
                Pattern::Random => "random".to_owned(),
            },
            base_bytes: dirtying.base,
            base_time_s: dirtying.base_time_s,
            bandwidth_bytes_per_s: scenario.bandwidth,
            stop_bandwidth_bytes_per_s: scenario.stop_bandwidth,
            push_bandwidth_bytes_per_s: scenario.push_bandwidth,
            first_ratio: scenario.ratios.0,
            later_ratio: scenario.ratios.1,
            downtime_limit_s: scenario.limit_s,
            device_state_bytes: scenario.device_state,
            prepare_s: scenario.prepare_s,
            resume_s: scenario.resume_s,
            settle_s: scenario.settle_s,
            settle_is_least: scenario.settle_is_least,
            faulting_s: scenario.faulting_s,
            populations: scenario.populations.iter().map(PredictedPopulation::of).collect(),
        }
    }

    /// The scenario that it was.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        let pattern =
            if self.pattern == "round-robin" { Pattern::RoundRobin } else { Pattern::Random };
        let dirtying = Dirtying::new(self.dirty_bytes_per_s)
            .within(self.working_set_bytes.unwrap_or(f64::INFINITY), pattern)
            .with_base(self.base_bytes)
            .with_base_time_s(self.base_time_s);
        let scenario = Scenario::new(self.memory_bytes, self.bandwidth_bytes_per_s, dirtying)
            .with_bandwidths(self.stop_bandwidth_bytes_per_s, self.push_bandwidth_bytes_per_s)
            .with_ratios(self.first_ratio, self.later_ratio)
            .with_limit_s(self.downtime_limit_s)
            .with_device_state(self.device_state_bytes)
            .with_times_s(self.prepare_s, self.resume_s)
            .with_settle_s(self.settle_s, self.faulting_s)
            .with_settle_is_least(self.settle_is_least);
        let populations = self.populations.iter().map(PredictedPopulation::population);
        populations.fold(scenario, Scenario::with_population)
    }
}

impl PredictedPopulation {
    fn of(population: &Population) -> Self {
        let users = &population.users;
        Self {
            name: population.name.clone(),
            rate_per_s: users.rate_per_s,
            connections: match users.connections {
                Connections::KeptAlive(connections) => Some(connections),
                Connections::Fresh => None,
            },
            timeout_s: users.timeout_s,
            late_beyond_s: users.late_beyond_s,
            usual_s: users.usual_s,
            capacity_per_s: users.capacity_per_s,
            syn_steps_s: users.syn_steps_s.clone(),
            data_steps_s: users.data_steps_s.clone(),
        }
    }

    fn population(&self) -> Population {
        let connections = self.connections.map_or(Connections::Fresh, Connections::KeptAlive);
        let mut users = Users::new(self.rate_per_s, connections)
            .with_timeout_s(self.timeout_s)
            .with_usual_s(self.usual_s)
            .with_steps_s(&self.syn_steps_s, &self.data_steps_s);
        users.capacity_per_s = self.capacity_per_s;
        users.late_beyond_s = self.late_beyond_s;
        Population::new(self.name.clone(), users)
    }
}
