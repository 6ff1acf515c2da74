//! One side of a comparison: trials, wherever they come from.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::experiment::design::{Cell, Design, Factor};
use crate::experiment::error::ExperimentError;
use crate::experiment::metric::Figures;
use crate::experiment::plan::differing;
use crate::experiment::store::is_experiment;
use crate::experiment::summary::Summary;
use crate::experiment::trial::{Trial, TrialStatus, is_degraded};
use crate::report::{Report, ReportError, reports_in};

/// Settings of a run in which two sides may differ: each trial may have a seed of its own, and
/// the server of a simulated machine an address.
const MAY_DIFFER: [&str; 2] = ["plan.seed", "plan.shard"];

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Side {
    /// What it is called.
    pub name: String,
    /// What was varied in it; none if it is made of reports.
    pub factors: Vec<Factor>,
    /// What holds for all of its trials, such as `load.rate`.
    pub settings: BTreeMap<String, String>,
    /// Its trials, in the order of time.
    pub trials: Vec<Trial>,
}

/// What cannot be a side of a comparison.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SideError {
    /// It is an experiment that cannot be read.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// The system refuses to read it.
    #[error("cannot read '{}': {cause}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A file in it is no report.
    #[error("'{}': {reason}", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: ReportError,
    },
    /// There is nothing in it.
    #[error("'{}' holds neither an experiment nor a report (*.json)", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// Its reports are of different plans: they are no trials of the same thing.
    #[error(
        "the reports of '{}' have different plans, and are no trials of one thing:\n{}",
        path.display(),
        differences.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
    )]
    Mixed {
        /// The directory.
        path: PathBuf,
        /// A line for each setting that differs.
        differences: Vec<String>,
    },
}

impl Side {
    /// Reads the directory of an experiment, a directory of reports, or one report.
    ///
    /// # Errors
    /// [`SideError`] if it is none of these.
    pub fn read(path: &Path) -> Result<Self, SideError> {
        let name = path.display().to_string();
        if is_experiment(path) {
            return Ok(Self::of_experiment(&name, Summary::read(path)?));
        }
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |cause| SideError::Read { path, cause }
        };
        let files = reports_in(path).map_err(unreadable(path))?;
        if files.is_empty() {
            return Err(SideError::Empty { path: path.to_owned() });
        }
        let mut side: Option<Self> = None;
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(unreadable(&file))?;
            let report = Report::from_json(&text)
                .map_err(|reason| SideError::Report { path: file.clone(), reason })?;
            let settings = settings(&report);
            let side = side.get_or_insert_with(|| Self {
                name: name.clone(),
                factors: Vec::new(),
                settings: settings.clone(),
                trials: Vec::new(),
            });
            let differences = differing(&side.settings, &settings);
            if !differences.is_empty() {
                return Err(SideError::Mixed { path: path.to_owned(), differences });
            }
            side.add(&report);
        }
        side.ok_or_else(|| SideError::Empty { path: path.to_owned() })
    }

    /// That of an experiment.
    #[must_use]
    pub fn of_experiment(name: &str, summary: Summary) -> Self {
        let Summary { plan, trials, .. } = summary;
        Self { name: name.to_owned(), factors: plan.factors, settings: plan.settings, trials }
    }

    /// That of reports of one plan, in the order of time.
    #[must_use]
    pub fn of_reports<'a>(name: &str, reports: impl IntoIterator<Item = &'a Report>) -> Self {
        let mut side = Self {
            name: name.to_owned(),
            factors: Vec::new(),
            settings: BTreeMap::new(),
            trials: Vec::new(),
        };
        for report in reports {
            if side.trials.is_empty() {
                side.settings = settings(report);
            }
            side.add(report);
        }
        side
    }

    fn add(&mut self, report: &Report) {
        let index = u32::try_from(self.trials.len() + 1).unwrap_or(u32::MAX);
        let (status, reason) = TrialStatus::of(report);
        self.trials.push(Trial {
            index,
            block: index,
            position: 1,
            cell: BTreeMap::new(),
            repeats: 0,
            warm_up: false,
            status,
            reason,
            degraded: is_degraded(report),
            boot: None,
            since_boot: None,
            started_at: report.started_at.clone(),
            took_s: report.duration_s,
            load_average: report.environment.load_average,
            values: BTreeMap::new(),
            report: None,
            figures: Figures::of(report),
        });
    }

    /// Trials that count.
    pub(super) fn counting(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(|trial| trial.counts())
    }

    /// The cells that it was to have, whether they were tried or not.
    pub(super) fn planned_cells(&self) -> Vec<BTreeMap<String, String>> {
        let all = self.factors.iter().cloned().fold(Design::new(1), Design::with_factor).cells();
        match all {
            Ok(all) if !self.factors.is_empty() => all.iter().map(Cell::to_levels).collect(),
            _ => self.cells(),
        }
    }

    /// The cells that were tried, in the order of its factors' levels.
    pub(super) fn cells(&self) -> Vec<BTreeMap<String, String>> {
        let mut cells: Vec<BTreeMap<String, String>> = Vec::new();
        for trial in &self.trials {
            if !cells.contains(&trial.cell) {
                cells.push(trial.cell.clone());
            }
        }
        let place = |cell: &BTreeMap<String, String>| -> Vec<usize> {
            let of = |factor: &Factor| {
                let level = cell.get(&factor.name);
                let is_it =
                    |other: &super::super::Level| Some(other.as_str()) == level.map(String::as_str);
                factor.levels.iter().position(is_it).unwrap_or(usize::MAX)
            };
            self.factors.iter().map(of).collect()
        };
        cells.sort_by_key(place);
        cells
    }
}

/// What a run was, a line each: its plan, and how its machine was moved.
fn settings(report: &Report) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    flatten("plan", &serde_json::to_value(&report.plan).unwrap_or_default(), &mut settings);
    if let Some(migration) = &report.migration {
        settings.insert("trigger".to_owned(), migration.trigger.clone());
        if migration.simulated {
            // It brings its own server, at a port of its own.
            settings.remove("plan.target.url");
        }
    }
    settings.retain(|name, _| !MAY_DIFFER.contains(&name.as_str()));
    settings
}

fn flatten(at: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| flatten(&format!("{at}.{name}"), value, into));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(place, item)| flatten(&format!("{at}[{place}]"), item, into));
        }
        Value::Null => {}
        Value::String(text) => drop(into.insert(at.to_owned(), text.clone())),
        other => drop(into.insert(at.to_owned(), other.to_string())),
    }
}
