//! Several migrations for a terminal: a line for each machine, and what all came to.

use super::report::{MachineReport, MigrationsReport, WholeMigration, WorstOutage};
use crate::migration::turns::MigrationOrder;
use crate::report::sections::{Section, cell};
use crate::report::text::{paragraph, render_section};
use crate::report::{Migration, OutageReport};

/// What all came to, and a line for each machine. The report of a machine is rendered by
/// [`render_text`](crate::report::render_text).
#[must_use]
pub fn render_migrations_text(report: &MigrationsReport) -> String {
    let mut out = String::new();
    paragraph(&mut out, "", &title(report));
    for machine in &report.machines {
        let name = format!("machine {}", machine.machine);
        paragraph(&mut out, &format!("  {name:<12}"), &machine.url);
    }
    let verdict = report.verdict.status.name().to_uppercase();
    paragraph(&mut out, &format!("  {:<12}", "verdict"), &verdict);
    for reason in &report.verdict.reasons {
        paragraph(&mut out, "    - ", reason);
    }
    render_section(&mut out, &together(&report.whole));
    render_section(&mut out, &each(&report.machines));
    out
}

fn title(report: &MigrationsReport) -> String {
    let migrations = || report.machines.iter().filter_map(migration);
    let kind = match migrations().filter(|migration| migration.simulated).count() {
        0 => "Live migration under load",
        all if all == report.machines.len() => {
            "SIMULATED live migration under load (no virtual machine was moved)"
        }
        _ => "Live migration under load, of some machines only SIMULATED",
    };
    let order = match report.order {
        MigrationOrder::Parallel => "moved together",
        MigrationOrder::Sequential => "moved one after the other",
    };
    let machines = cell::counted(report.whole.machines, "machine");
    format!("{kind}: {machines}, {order}; {} completed", report.whole.completed)
}

fn migration(machine: &MachineReport) -> Option<&Migration> {
    machine.report.as_ref()?.migration.as_ref()
}

/// A gap that may have been longer than what was seen of it.
fn at_least(gap_ms: f64, is_lower_bound: bool) -> String {
    let least = if is_lower_bound { "> " } else { "" };
    format!("{least}{}", cell::millis(gap_ms))
}

fn each(machines: &[MachineReport]) -> Section {
    let gap = |outage: Option<&OutageReport>| {
        let gap = |outage: &OutageReport| Some(at_least(outage.gap?, outage.gap_is_lower_bound));
        outage.and_then(gap).unwrap_or_else(|| cell::NONE.to_owned())
    };
    let row = |machine: &MachineReport| {
        let none = || cell::NONE.to_owned();
        let of =
            |figure: &dyn Fn(&Migration) -> String| migration(machine).map_or_else(none, figure);
        let verdict = machine.report.as_ref().map(|report| report.verdict.status.name());
        vec![
            machine.machine.to_string(),
            of(&|of| cell::millis_or_none(of.total_migration_time_ms.trigger)),
            of(&|of| cell::millis_or_none(of.downtime_ms.events)),
            of(&|of| gap(of.outage_ms.established.as_ref())),
            of(&|of| gap(of.outage_ms.fresh.as_ref())),
            of(&|of| of.calls_lost.map_or_else(none, cell::count)),
            of(&|of| of.ending.map_or("not moved", |ending| ending.name()).to_owned()),
            verdict.unwrap_or("no report").to_owned(),
            of(&|of| of.trigger.clone()),
        ]
    };
    Section {
        title: "Machines".to_owned(),
        scope: "total: accepted until completed and resumed, by the trigger; downtime: STOP to RESUME; \
                outages of established and of fresh connections: the gap between good replies at the \
                switch-over, up to its own load's end; calls lost: between firing and recovery"
            .to_owned(),
        columns: vec![
            "machine",
            "total",
            "downtime",
            "established",
            "fresh",
            "calls lost",
            "ending",
            "verdict",
            "trigger",
        ],
        rows: machines.iter().map(row).collect(),
        text_columns: 3,
        notes: Vec::new(),
    }
}

fn together(whole: &WholeMigration) -> Section {
    let worst = |worst: &WorstOutage| {
        let least = if worst.is_lower_bound { "at least " } else { "" };
        format!("{least}{} (machine {})", cell::millis(worst.gap_ms), worst.machine)
    };
    let rows = [
        (
            "total migration time",
            whole.total_migration_time_ms.map(cell::millis),
            "from the first acceptance to the last end",
        ),
        (
            "longest outage, established",
            whole.worst_outage_established.as_ref().map(worst),
            "of any machine, by its own migration",
        ),
        (
            "longest outage, fresh",
            whole.worst_outage_fresh.as_ref().map(worst),
            "the same of newcomers",
        ),
        ("downtimes", whole.sum_of_downtimes_ms.map(cell::millis), "sum of all machines"),
        (
            "calls lost",
            whole.calls_lost.map(cell::count),
            "sum; of each between its firing and its recovery",
        ),
        ("connections lost", whole.connections_lost.map(cell::count), "sum over the same spans"),
        (
            "memory sent",
            whole.transferred_bytes.map(cell::bytes),
            "sum, by the hypervisors' accounts",
        ),
    ];
    let row = |(name, value, how): (&str, Option<String>, &str)| {
        vec![name.to_owned(), value.unwrap_or_else(|| cell::NONE.to_owned()), how.to_owned()]
    };
    Section {
        title: "All machines".to_owned(),
        scope: "what is not known of each machine is not told of all".to_owned(),
        columns: vec!["", "measured", "how"],
        rows: rows.map(row).to_vec(),
        text_columns: 1,
        notes: Vec::new(),
    }
}
