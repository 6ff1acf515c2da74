//! What the migrations of several machines came to: of each its report, and of all a few figures.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::{MILLISECOND, rfc3339};
use crate::migration::driver::MigrationError;
use crate::migration::turns::MigrationOrder;
use crate::record::Population;
use crate::report::json::{document, read_planless, written};
use crate::report::{Migration, OutageReport, Report, ReportError, Tool, Verdict, VerdictStatus};
use crate::vm::Ending;

/// The schema of the document.
const SCHEMA: &str = "loadgen-migrations/1";

/// One of several machines.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MachineReport {
    /// Its number, from 1, in the order in which they were given.
    pub machine: u64,
    /// What was loaded.
    pub url: String,
    /// What was measured; `None`: its run broke.
    pub report: Option<Report>,
    /// Why its run broke.
    pub error: Option<String>,
}

/// The longest outage of some machines.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorstOutage {
    /// The machine that had it.
    pub machine: u64,
    /// The gap that its clients saw, in ms.
    pub gap_ms: f64,
    /// The end of the load cut the outage of this machine, or of another: the longest one may have
    /// been longer.
    pub is_lower_bound: bool,
}

/// What several migrations came to. Sums of what is not known of each machine are `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WholeMigration {
    /// Machines that were to be moved.
    pub machines: u64,
    /// Those whose migration completed.
    pub completed: u64,
    /// From the first migration that was accepted to the end of the last one, in ms; `None` unless
    /// all completed.
    pub total_migration_time_ms: Option<f64>,
    /// The longest outage of kept-alive clients of any machine by its own migration; `None` unless
    /// it is known of each.
    pub worst_outage_established: Option<WorstOutage>,
    /// The same of newcomers.
    pub worst_outage_fresh: Option<WorstOutage>,
    /// Downtime by events, of all machines together, in ms.
    pub sum_of_downtimes_ms: Option<f64>,
    /// Calls of all machines that were not answered between the firing of each and its recovery.
    pub calls_lost: Option<u64>,
    /// Connections of all machines that were lost in the same spans; `None` where the log of one of
    /// them was cut.
    pub connections_lost: Option<u64>,
    /// Memory sent for all machines, by their hypervisors.
    pub transferred_bytes: Option<u64>,
}

/// Several migrations: the document of [`Migrations::run`](super::Migrations::run).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MigrationsReport {
    /// `loadgen-migrations/1`.
    pub schema: String,
    /// What made it.
    pub tool: Tool,
    /// When it was complete: RFC 3339.
    pub ended_at: String,
    /// In which order machines were moved.
    pub order: MigrationOrder,
    /// What all of it came to.
    pub whole: WholeMigration,
    /// As bad as the worst of the machines, with the reasons of all.
    pub verdict: Verdict,
    /// The run was broken off.
    pub interrupted: bool,
    /// Each machine, in the order in which they were given.
    pub machines: Vec<MachineReport>,
}

impl MigrationsReport {
    pub(super) fn of(
        order: MigrationOrder,
        urls: Vec<String>,
        results: Vec<Result<Report, MigrationError>>,
        accepted: &[Option<u64>],
    ) -> Self {
        let machines: Vec<MachineReport> = (1..)
            .zip(urls.into_iter().zip(results))
            .map(|(machine, (url, result))| {
                let (report, error) = match result {
                    Ok(report) => (Some(report), None),
                    Err(error) => (None, Some(error.to_string())),
                };
                MachineReport { machine, url, report, error }
            })
            .collect();
        Self {
            schema: SCHEMA.to_owned(),
            tool: Tool::this(),
            ended_at: rfc3339(std::time::SystemTime::now()),
            order,
            whole: whole(&machines, accepted),
            verdict: verdict(&machines),
            interrupted: machines.iter().filter_map(|m| m.report.as_ref()).any(|r| r.interrupted),
            machines,
        }
    }

    /// Reads one back.
    ///
    /// # Errors
    /// [`ReportError`], as of [`Report::from_json`].
    pub fn from_json(text: &str) -> Result<Self, ReportError> {
        let mut document = document(text, SCHEMA)?;
        // Each as a report by itself, whose plan may have settings of a later version.
        let machines = document.get_mut("machines").and_then(Value::as_array_mut);
        let mut reports = Vec::new();
        for machine in machines.into_iter().flatten() {
            let report = machine.get_mut("report").map(Value::take).filter(|r| !r.is_null());
            reports.push(report.map(Report::from_document).transpose()?);
        }
        let mut several: Self = read_planless(document)?;
        for (machine, report) in several.machines.iter_mut().zip(reports) {
            machine.report = report;
        }
        Ok(several)
    }

    /// The document, indented, with a newline at its end.
    ///
    /// # Errors
    /// [`ReportError::Write`] if a value cannot stand in JSON, which is a defect.
    pub fn to_json_pretty(&self) -> Result<String, ReportError> {
        written(self)
    }
}

/// The migration of a machine, if its run came to one.
fn migration(machine: &MachineReport) -> Option<&Migration> {
    machine.report.as_ref()?.migration.as_ref()
}

/// `accepted`: when each migration was accepted, on one clock, in ns.
pub(super) fn whole(machines: &[MachineReport], accepted: &[Option<u64>]) -> WholeMigration {
    let migrations = || machines.iter().map(migration);
    let completed = migrations()
        .filter(|migration| migration.is_some_and(|m| m.ending == Some(Ending::Completed)))
        .count();
    // When each was done, by its own figures, from the first acceptance.
    let first = accepted.iter().flatten().min();
    let end = |(migration, accepted): (Option<&Migration>, &Option<u64>)| {
        // As whole numbers: the clock has run for longer than an f64 has digits.
        let waited = accepted.as_ref()? - first?;
        Some(waited as f64 / MILLISECOND as f64 + migration?.total_migration_time_ms.trigger?)
    };
    let ends: Option<Vec<f64>> = migrations().zip(accepted).map(end).collect();
    let total = ends.map(|ends| ends.into_iter().fold(0.0, f64::max));
    let connections = |migration: &Migration| {
        let lost = &migration.connections_lost;
        let each = [lost.established.as_ref(), lost.fresh.as_ref()];
        let each = || each.into_iter().flatten();
        // Of a log that was cut nobody knows the rest.
        let is_known = each().next().is_some() && !each().any(|lost| lost.is_lower_bound);
        is_known.then(|| each().map(|lost| lost.count).sum::<u64>())
    };
    WholeMigration {
        machines: machines.len() as u64,
        completed: completed as u64,
        total_migration_time_ms: total.filter(|_| completed == machines.len()),
        worst_outage_established: worst(machines, Population::Established),
        worst_outage_fresh: worst(machines, Population::Fresh),
        sum_of_downtimes_ms: migrations().map(|m| m?.downtime_ms.events).sum(),
        calls_lost: migrations().map(|m| m?.calls_lost).sum(),
        connections_lost: migrations().map(|m| m.and_then(connections)).sum(),
        transferred_bytes: migrations().map(|m| m?.transferred_bytes).sum(),
    }
}

fn worst(machines: &[MachineReport], population: Population) -> Option<WorstOutage> {
    let of = |machine: &MachineReport| {
        let outages = &migration(machine)?.outage_ms;
        let outage: &OutageReport = match population {
            Population::Established => outages.established.as_ref()?,
            Population::Fresh => outages.fresh.as_ref()?,
        };
        let gap_ms = outage.gap?;
        let is_lower_bound = outage.gap_is_lower_bound;
        Some(WorstOutage { machine: machine.machine, gap_ms, is_lower_bound })
    };
    // Of a machine without one, nothing is known: it may have had the longest.
    let all: Vec<WorstOutage> = machines.iter().map(of).collect::<Option<_>>()?;
    let is_lower_bound = all.iter().any(|outage| outage.is_lower_bound);
    let longest = all.into_iter().max_by(|one, other| one.gap_ms.total_cmp(&other.gap_ms))?;
    Some(WorstOutage { is_lower_bound, ..longest })
}

fn verdict(machines: &[MachineReport]) -> Verdict {
    let mut verdict = Verdict { status: VerdictStatus::Valid, reasons: Vec::new() };
    for machine in machines {
        let number = machine.machine;
        if let Some(report) = &machine.report {
            let of = &report.verdict;
            verdict
                .add(of.reasons.iter().map(|why| (of.status, format!("machine {number}: {why}"))));
        }
        if let Some(error) = &machine.error {
            let why = format!("machine {number}: its run broke: {error}");
            verdict.add([(VerdictStatus::Invalid, why)]);
        }
    }
    verdict
}
