//! Where the numbers of a prediction come from, if not from the command line: recordings, or a
//! running machine.

use std::collections::BTreeMap;
use std::path::Path;

use loadgen_core::Report;
use loadgen_core::experiment::is_experiment;
use loadgen_core::migration::look::{self, LookSpec};
use loadgen_core::model::Strategy;
use loadgen_core::model::fit::{Fit, Recording, Validation};
use loadgen_core::model::migration::Dirtying;
use loadgen_core::prediction::MeasuredOutages;
use loadgen_core::recordings::{recorded_cells, recording};
use loadgen_core::report::reports_in;
use loadgen_core::units::{format_byte_rate, format_bytes};

use super::super::{parsed, read};
use crate::exit::Failure;
use crate::messages::note;

/// The factor of an experiment that is no part of what a machine is.
const STRATEGY: &str = "strategy";

/// Recordings of one machine under one load: those of all strategies.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) cell: BTreeMap<String, String>,
    pub(super) recordings: Vec<Recording>,
    /// Trials that are no recordings, and why not.
    pub(super) left_out: Vec<(String, String)>,
}

impl Recorded {
    /// What the recordings tell, and how near predictions from them are.
    pub(super) fn fit(&self) -> (Fit, Validation) {
        (Fit::of(&self.recordings), Validation::leave_one_out(&self.recordings))
    }

    /// What their users felt.
    pub(super) fn outages(&self) -> Vec<MeasuredOutages> {
        Strategy::ALL.map(|moved| MeasuredOutages::of(moved, &self.recordings)).into()
    }
}

/// The recordings of an experiment, a directory with reports, or a report.
pub(super) fn recorded(path: &Path) -> Result<Vec<Recorded>, Failure> {
    if is_experiment(path) {
        let mut machines: BTreeMap<BTreeMap<String, String>, Recorded> = BTreeMap::new();
        for mut cell in recorded_cells(path).map_err(Failure::usage)? {
            let strategy = cell.factors.remove(STRATEGY).unwrap_or_default();
            let machine = machines.entry(cell.factors.clone()).or_default();
            machine.cell = cell.factors;
            machine.left_out.extend(cell.left_out);
            // What helps a strategy changes how memory is sent.
            match strategy.contains('+') {
                true => machine.left_out.extend(
                    cell.recordings
                        .into_iter()
                        .map(|one| (one.name, format!("there is no model of {strategy}"))),
                ),
                false => machine.recordings.extend(cell.recordings),
            }
        }
        let machines: Vec<Recorded> = machines.into_values().collect();
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
    let mut memories: Vec<f64> = recordings.iter().filter_map(|one| one.machine_memory).collect();
    memories.sort_by(f64::total_cmp);
    memories.dedup();
    if let [least, .., most] = memories[..] {
        return Err(Failure::usage(format!(
            "'{}' holds reports of machines of {} to {}: a fit is of one machine; give those of one",
            path.display(),
            format_bytes(least as u64),
            format_bytes(most as u64)
        )));
    }
    Ok(vec![Recorded { recordings, ..Recorded::default() }])
}

/// What a running machine says of itself.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) name: String,
    pub(super) memory: Option<f64>,
    /// `None`: it said nothing of it that could be used.
    pub(super) dirtying: Option<Dirtying>,
    pub(super) bandwidth: Option<f64>,
    pub(super) push_bandwidth: Option<f64>,
    pub(super) limit_s: Option<f64>,
    /// All that it said.
    pub(super) said: serde_json::Value,
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
    let dirtying = fit.dirtying().ok();
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
        let mut notes: Vec<&str> = fit.notes().map(|(_, said)| said).collect();
        notes.sort_unstable();
        notes.dedup();
        notes.into_iter().for_each(note);
        if now.max_bandwidth_bytes_per_s.is_some() {
            note(
                "its limit of bandwidth is taken for the link: if that is slower, say --bandwidth",
            );
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
    Ok(Live {
        said: serde_json::to_value(&now).map_err(anyhow::Error::from)?,
        name: now.source,
        memory: memory.map(|bytes| bytes as f64),
        dirtying,
        bandwidth: now.max_bandwidth_bytes_per_s.map(|rate| rate as f64),
        push_bandwidth: now.max_postcopy_bandwidth_bytes_per_s.map(|rate| rate as f64),
        limit_s: now.downtime_limit_s,
    })
}
