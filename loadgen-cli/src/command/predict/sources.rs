//! Where the numbers of a prediction come from, if not from the command line: recordings, or a
//! running machine.

use std::collections::BTreeMap;
use std::path::Path;

use loadgen_core::Report;
use loadgen_core::experiment::is_experiment;
use loadgen_core::migration::look::{self, LookSpec};
use loadgen_core::model::fit::{Fit, Known, Parameter, Recording, Validation};
use loadgen_core::model::migration::Dirtying;
use loadgen_core::recordings::{recorded_cells, recording};
use loadgen_core::report::reports_in;
use loadgen_core::units::{format_byte_rate, format_bytes};

use super::super::{parsed, read};
use crate::exit::Failure;
use crate::messages::{note, warning};

/// The factor of an experiment that is no part of what a machine is.
const STRATEGY: &str = "strategy";

/// Recordings of one machine under one load: those of all strategies.
pub(super) struct Recorded {
    pub(super) cell: BTreeMap<String, String>,
    pub(super) recordings: Vec<Recording>,
}

impl Recorded {
    /// What the recordings tell, and how near predictions from them are.
    pub(super) fn fit(&self) -> (Fit, Validation) {
        (Fit::of(&self.recordings), Validation::leave_one_out(&self.recordings))
    }
}

/// The recordings of an experiment, a directory with reports, or a report.
pub(super) fn recorded(path: &Path) -> Result<Vec<Recorded>, Failure> {
    if is_experiment(path) {
        let mut machines: BTreeMap<BTreeMap<String, String>, Vec<Recording>> = BTreeMap::new();
        for mut cell in recorded_cells(path).map_err(Failure::usage)? {
            let strategy = cell.factors.remove(STRATEGY).unwrap_or_default();
            // What helps a strategy changes how memory is sent, and a hybrid is told as post-copy.
            if strategy.contains('+') || strategy == "hybrid" {
                let trials = cell.recordings.len();
                warning(&format!(
                    "left out: {trials} trials by {strategy}, to which no model is fitted"
                ));
                continue;
            }
            machines.entry(cell.factors).or_default().extend(cell.recordings);
        }
        let machines = machines.into_iter();
        let machines: Vec<Recorded> =
            machines.map(|(cell, recordings)| Recorded { cell, recordings }).collect();
        if machines.is_empty() {
            let path = path.display();
            return Err(Failure::usage(format!("no trial in '{path}' counts: nothing to fit to")));
        }
        return Ok(machines);
    }
    let unreadable = |e| Failure::usage(format!("cannot read '{}': {e}", path.display()));
    let paths = reports_in(path).map_err(unreadable)?;
    if paths.is_empty() {
        return Err(Failure::usage(format!("'{}' holds no report (*.json)", path.display())));
    }
    let one = |path: &std::path::PathBuf| {
        let report: Report = parsed(path, &read(path)?)?;
        recording(&path.display().to_string(), &report).map_err(Failure::usage)
    };
    let recordings = paths.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    Ok(vec![Recorded { cell: BTreeMap::new(), recordings }])
}

/// What a running machine says of itself.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) name: String,
    pub(super) memory: Option<f64>,
    pub(super) dirtying: Dirtying,
    pub(super) bandwidth: Option<f64>,
    pub(super) limit_s: Option<f64>,
}

/// Asks a running machine; nothing is changed.
pub(super) fn live(spec: &LookSpec, quiet: bool) -> Result<Live, Failure> {
    if !quiet {
        let all: u32 = spec.over_s.iter().sum::<u32>() * spec.repeats.max(1);
        note(&format!("asking the machine what is written to: about {all} s"));
    }
    let now = look::ask(spec).map_err(|error| Failure::Run(error.into()))?;
    let samples: Vec<(f64, f64)> =
        now.dirty.iter().map(|sample| (sample.over_s, sample.distinct_bytes())).collect();
    let fit = Fit::of_dirtied(&samples);
    let rate = fit.value(Parameter::DirtyRate).unwrap_or(0.0);
    // Of a set of which only a lower bound is known the largest is on the safe side.
    let is_bound =
        fit.known.get(&Parameter::WorkingSet).is_some_and(|of| of.known == Known::AtLeast);
    let set = fit.value(Parameter::WorkingSet).ok().filter(|_| !is_bound);
    let set = set.unwrap_or(f64::INFINITY);
    let dirtying = fit.dirtying().unwrap_or_else(|_| Dirtying::new(rate));
    let memory = now.resident_bytes.or(now.balloon_bytes).or(now.memory_bytes);
    if !quiet {
        for sample in &now.dirty {
            note(&format!(
                "{} written to within {} s: {} (to {})",
                format_bytes(sample.distinct_bytes() as u64),
                sample.over_s,
                format_byte_rate(sample.bytes_per_s),
                format_byte_rate(sample.resolution_bytes_per_s)
            ));
        }
        for (_, said) in fit.notes() {
            note(said);
        }
        let most = match (now.resident_bytes, memory) {
            (Some(bytes), _) => Some((bytes, "that its process has in memory")),
            (None, Some(bytes)) => Some((bytes, "that it was assigned: empty pages cost nothing")),
            (None, None) => None,
        };
        if let Some((bytes, which)) = most {
            let bytes = format_bytes(bytes);
            note(&format!("to send: at most the {bytes} {which}; --memory says how much of it"));
        }
    }
    let set = memory.map_or(set, |memory| set.min(memory as f64));
    Ok(Live {
        name: now.source,
        memory: memory.map(|bytes| bytes as f64),
        dirtying: dirtying.within(set, dirtying.pattern),
        bandwidth: now.max_bandwidth_bytes_per_s.map(|rate| rate as f64),
        limit_s: now.downtime_limit_s,
    })
}
