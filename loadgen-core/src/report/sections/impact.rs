//! The answer: what the migration did to the users, and, for a simulation, how
//! near that came to the truth.

use super::super::{Migration, OutageReport, Report};
use super::{Section, cell, darks};
use crate::migration::Ending;

/// Outages, downtimes, total migration time and what followed.
pub(super) fn answer(report: &Report, migration: &Migration) -> Section {
    let mut rows = Vec::new();
    let populations =
        [("established", &migration.outage_ms.established), ("fresh", &migration.outage_ms.fresh)];
    for (name, outage) in populations {
        rows.push(match outage {
            Some(outage) => outage_row(name, outage),
            None => row(
                &format!("outage, {name}"),
                None,
                None,
                "no calls of this population in the run".to_owned(),
            ),
        });
    }
    let down = &migration.downtime_ms;
    rows.push(row(
        "downtime STOP→RESUME",
        down.events,
        down.bound,
        "no virtual CPU ran, by the events".to_owned(),
    ));
    rows.push(row(
        "downtime reported",
        down.reported,
        None,
        "by the hypervisor's own account; often only a part of the truth".to_owned(),
    ));
    rows.extend(darks::rows(migration));
    let total = &migration.total_migration_time_ms;
    rows.push(row(
        "total migration time",
        total.trigger,
        None,
        format!("by the trigger ({}): accepted until completed and resumed", migration.trigger),
    ));
    rows.push(row("", total.hypervisor, None, "by the hypervisor".to_owned()));
    rows.push(row(
        "recovery",
        migration.recovery_ms,
        None,
        match migration.recovery_ms {
            Some(_) => "until response times were back in the band of before",
            None => "response times were not seen to come back to the band of before",
        }
        .to_owned(),
    ));
    rows.push(row(
        "brownout",
        migration.brownout_ms,
        None,
        match migration.brownout_share_before {
            Some(share) => format!(
                "time outside of outages with response times above the band of before (by the \
                 same rule {:.1} % of the time before the firing)",
                share * 100.0
            ),
            None => "time outside of outages with response times above the band of before".into(),
        },
    ));
    rows.extend(losses(report, migration));
    Section {
        title: "What the users felt".to_owned(),
        scope: format!(
            "{}; from firing to the end of the load; a gap is the time between two successive good \
             replies (status below 400) of one population",
            ending(migration)
        ),
        columns: vec!["", "measured", "bound", "how"],
        rows,
        text_columns: 1,
        notes: darks::notes(migration),
    }
}

/// Calls lost, degradation and memory sent.
fn losses(report: &Report, migration: &Migration) -> Vec<Vec<String>> {
    let number = |name: &str, value: String, how: &str| {
        vec![name.to_owned(), value, cell::NONE.to_owned(), how.to_owned()]
    };
    let count = |n: Option<u64>| n.map_or_else(|| cell::NONE.to_owned(), cell::count);
    let share = migration.calls_lost.map_or_else(String::new, |lost| {
        let share = cell::share(lost, report.counts.offered);
        format!("; {share} of the run's {}", cell::count(report.counts.offered))
    });
    let mut rows = vec![
        number(
            "calls lost",
            count(migration.calls_lost),
            &format!(
                "not answered, intended between firing and recovery (else the end of the load)\
                 {share}"
            ),
        ),
        number(
            "calls late",
            count(migration.calls_late),
            "of the same span, answered well, but above the band of before",
        ),
        number(
            "error replies",
            count(migration.error_replies),
            "of the same span, answered with a status of 400 and above",
        ),
        number(
            "replies missing",
            migration
                .degradation_calls
                .map_or_else(|| cell::NONE.to_owned(), |n| format!("{n:.1} calls")),
            "at the end of the same span: area between offered rate and goodput",
        ),
        number(
            "response degradation",
            migration
                .degradation_response_s2
                .map_or_else(|| cell::NONE.to_owned(), |n| format!("{n:.3} s²")),
            "area between response time and its mean before, over the same span",
        ),
    ];
    let rounds = match migration.rounds {
        Some(1) => "by the hypervisor, in 1 pre-copy round".to_owned(),
        Some(n) => format!("by the hypervisor, in {n} pre-copy rounds"),
        None => "by the hypervisor".to_owned(),
    };
    let sent = migration.transferred_bytes.map_or_else(|| cell::NONE.to_owned(), cell::bytes);
    rows.push(number("memory sent", sent, &rounds));
    rows
}

fn row(name: &str, ms: Option<f64>, bound: Option<f64>, how: String) -> Vec<String> {
    vec![name.to_owned(), cell::millis_or_none(ms), cell::bound(bound), how]
}

fn outage_row(name: &str, outage: &OutageReport) -> Vec<String> {
    let mut how = "longest gap".to_owned();
    if let Some(at) = outage.longest_gap_start_s {
        how.push_str(&format!(", from {}", cell::seconds(at)));
    }
    if outage.longest_gap_is_lower_bound {
        how.push_str(", cut by the end of the load");
    }
    if let (Some(least), Some(most)) = (outage.interruption_at_least, outage.interruption_at_most) {
        how.push_str(&format!(
            "; the service was interrupted for {} to {}",
            cell::millis(least),
            cell::millis(most)
        ));
    }
    if let (Some(threshold), Some(count)) = (outage.threshold, outage.gaps) {
        let gaps = if count == 1 { "gap" } else { "gaps" };
        let n = cell::count(count);
        how.push_str(&format!("; {n} {gaps} above {}", cell::millis(threshold)));
        if let (Some(sum), true) = (outage.sum_of_gaps, count > 0) {
            how.push_str(&format!(", in all {}", cell::millis(sum)));
        }
        if let (Some(sum), true) = (outage.switchover_sum_of_gaps, count > 1) {
            how.push_str(&format!(", around the switch-over {}", cell::millis(sum)));
        }
    }
    if let Some(normal) = outage.baseline_longest_gap {
        how.push_str(&format!("; longest before firing {}", cell::millis(normal)));
    }
    let mut row = row(&format!("outage, {name}"), outage.longest_gap, outage.bound, how);
    if outage.longest_gap_is_lower_bound {
        row[1].insert_str(0, "≥ ");
    }
    row
}

fn ending(migration: &Migration) -> String {
    let ending = match migration.ending {
        Some(Ending::Completed) => "the migration completed",
        Some(Ending::Failed) => "the migration FAILED",
        Some(Ending::Cancelled) => "the migration was CANCELLED",
        None => "how the migration ended was NOT LEARNT",
    };
    match &migration.reason {
        Some(reason) => format!("{ending} ({reason})"),
        None => ending.to_owned(),
    }
}

/// Measured against ground truth (simulations only).
pub(super) fn truth(migration: &Migration) -> Option<Section> {
    let truth = migration.truth.as_ref()?;
    let mut rows = Vec::new();
    let mut compare = |name: &str, measured: Option<f64>, bound: Option<f64>, truth_ms: f64| {
        let error = measured.map(|ms| ms - truth_ms);
        let within = match (error, bound) {
            (Some(error), Some(bound)) if error.abs() <= bound => "yes",
            (Some(_), Some(_)) => "NO",
            _ => cell::NONE,
        };
        rows.push(vec![
            name.to_owned(),
            cell::millis_or_none(measured),
            cell::millis(truth_ms),
            error.map_or_else(|| cell::NONE.to_owned(), signed),
            cell::bound(bound),
            within.to_owned(),
        ]);
    };
    let outages = &migration.outage_ms;
    for (name, outage) in
        [("outage, established", &outages.established), ("outage, fresh", &outages.fresh)]
    {
        if let Some(outage) = outage {
            compare(name, outage.longest_gap, outage.bound, truth.downtime_ms);
        }
    }
    let down = &migration.downtime_ms;
    compare("downtime STOP→RESUME", down.events, down.bound, truth.downtime_ms);
    compare("downtime reported", down.reported, None, truth.downtime_ms);
    compare(
        "total migration time",
        migration.total_migration_time_ms.trigger,
        None,
        truth.total_migration_time_ms,
    );
    Some(Section {
        title: "Measured against the truth".to_owned(),
        scope: format!(
            "ground truth of the simulation: stopped from {} to {}",
            cell::seconds(truth.stop_s),
            cell::seconds(truth.resume_s)
        ),
        columns: vec!["", "measured", "truth", "error", "bound", "within the bound"],
        rows,
        text_columns: 1,
        notes: Vec::new(),
    })
}

fn signed(ms: f64) -> String {
    if ms < 0.0 { cell::millis(ms) } else { format!("+{}", cell::millis(ms)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn an_error_beyond_the_bound_is_said() {
        let mut migration = sample::stop_and_copy().migration.unwrap();
        let verdicts = |migration: &Migration| -> Vec<String> {
            truth(migration).unwrap().rows.iter().map(|row| row[5].clone()).collect()
        };
        // 2987.1 ± 12 and 3021 ± 28 against 2980; the last two have no bound.
        assert_eq!(verdicts(&migration), ["yes", "NO", "yes", "–", "–"]);
        let outage = migration.outage_ms.established.as_mut().unwrap();
        outage.bound = Some(7.0);
        outage.longest_gap_is_lower_bound = true;
        let row = outage_row("established", outage);
        assert!(row[1].starts_with("≥ 2987.1") && row[3].contains("cut by the end"), "{row:?}");
        migration.downtime_ms.events = None;
        assert_eq!(verdicts(&migration), ["NO", "NO", "–", "–", "–"]);
    }
}
