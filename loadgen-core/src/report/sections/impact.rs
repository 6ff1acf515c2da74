//! The answer: what the migration did to the users, and, for a simulation, how
//! near that came to the truth.

use super::super::{GapOf, GapWhen, Migration, OtherGap, OutageReport, PausedTime, Report};
use super::{Section, cell, darks, losses};
use crate::vm::{Ending, Strategy};

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
    let mut how = "no virtual CPU ran, by the events".to_owned();
    if down.events.is_some() && down.bound.is_none() {
        how.push_str(
            "; how far off is not known: the program told no t, and how late it printed is not \
             known",
        );
    }
    rows.push(row("downtime STOP→RESUME", down.events, down.bound, how));
    rows.push(row(
        "downtime reported",
        down.reported,
        None,
        "by the hypervisor's own account; often only a part of the truth".to_owned(),
    ));
    rows.extend(migration.paused_ms.as_ref().map(paused_row));
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
    rows.extend(losses::losses(report, migration));
    Section {
        title: "What the users felt".to_owned(),
        scope: format!(
            "{}; from firing to the end of the load; a gap is the time between two successive good \
             replies ({}) of one population; the outage is the gap of the migration",
            ending(migration),
            if report.plan.expects() { "as expected" } else { "status below 400" }
        ),
        columns: vec!["", "measured", "bound", "how"],
        rows,
        text_columns: 1,
        notes: notes(migration),
    }
}

/// What is to be known beside the figures: other gaps, and an outage that is longer
/// than the downtime explains.
fn notes(migration: &Migration) -> Vec<String> {
    let mut notes = darks::notes(migration);
    let outages = &migration.outage_ms;
    for (name, outage) in [("established", &outages.established), ("fresh", &outages.fresh)] {
        let Some(outage) = outage else { continue };
        notes.extend(longer_than_the_downtime(migration, name, outage));
        if !outage.other_gaps.is_empty() {
            notes.push(other_gaps(name, outage));
        }
    }
    notes
}

/// Gaps that are not the outage of the migration.
fn other_gaps(name: &str, outage: &OutageReport) -> String {
    let mut longest: Vec<&OtherGap> = outage.other_gaps.iter().collect();
    longest.sort_by(|a, b| b.length_ms.total_cmp(&a.length_ms));
    let shown = longest.len().min(GAPS_SHOWN);
    let all = longest.len() as u64 + outage.other_gaps_left_out;
    let told: Vec<String> = longest[..shown]
        .iter()
        .map(|gap| {
            let more = if gap.is_lower_bound { "more than " } else { "" };
            let length = cell::millis(gap.length_ms);
            let when = match gap.when {
                GapWhen::Before => "before it",
                GapWhen::Switchover => "also at the switch-over",
                GapWhen::After => "after it",
                GapWhen::Own => "loadgen itself stood still",
            };
            format!("{more}{length} from {} ({when})", cell::seconds(gap.start_s))
        })
        .collect();
    let (are, rest) = match all - shown as u64 {
        0 => ("besides its outage", String::new()),
        rest => ("besides its outage, the longest", format!("; {} more", cell::count(rest))),
    };
    format!("{name}: other gaps above the threshold {are}: {}{rest}", told.join(", "))
}

/// Other gaps that a person is told of one by one; the JSON has more.
const GAPS_SHOWN: usize = 5;

/// An interruption that the downtime does not explain: the machine ran, and was not
/// found, or was not ready.
fn longer_than_the_downtime(
    migration: &Migration,
    name: &str,
    outage: &OutageReport,
) -> Option<String> {
    let down = migration.downtime_ms.events?;
    let most = down + migration.downtime_ms.bound?;
    let beyond = outage.interruption_at_least? - most;
    // Less than this is told by the figures themselves.
    if beyond < 20.0_f64.max(most) || outage.gap_of != Some(GapOf::Switchover) {
        return None;
    }
    let memory = match migration.strategy {
        Some(Strategy::PostCopy) => ", or it waited for its memory (post-copy)",
        _ => "",
    };
    Some(format!(
        "{name}: the service was away for at least {} longer than no virtual CPU ran ({}): the \
         machine ran, but the network had not found it at its new place yet (bridges and switches \
         learn it from ARP or RARP), or the service was not ready{memory}",
        cell::millis(beyond),
        cell::millis(down)
    ))
}

fn row(name: &str, ms: Option<f64>, bound: Option<f64>, how: String) -> Vec<String> {
    vec![name.to_owned(), cell::millis_or_none(ms), cell::bound(bound), how]
}

/// Post-copy that stood still.
fn paused_row(paused: &PausedTime) -> Vec<String> {
    let mut how = "post-copy stood still, since the path between the sides was cut".to_owned();
    if let Some(why) = &paused.reason {
        how.push_str(&format!(" ({why})"));
    }
    if paused.pauses > 1 {
        how.push_str(&format!("; {} pauses together", cell::count(paused.pauses)));
    }
    how.push_str(if paused.recovered { "; it was recovered" } else { "; it was NOT RECOVERED" });
    let mut row = row("post-copy paused", Some(paused.events), Some(paused.bound), how);
    if !paused.recovered {
        row[1].insert_str(0, "≥ ");
    }
    row
}

fn outage_row(name: &str, outage: &OutageReport) -> Vec<String> {
    let mut how = match outage.gap_of {
        Some(GapOf::Switchover) => "gap at the switch-over",
        Some(GapOf::Migration) => "longest gap in the migration",
        Some(GapOf::Longest) | None => "longest gap",
    }
    .to_owned();
    if let Some(at) = outage.headline_start_s() {
        how.push_str(&format!(", from {}", cell::seconds(at)));
    }
    if outage.headline_is_lower_bound() {
        how.push_str(", cut by the end of the load");
    }
    if outage.headline().is_some() && !outage.stands_out() {
        how.push_str(", not above what counts as an outage");
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
    let mut row = row(&format!("outage, {name}"), outage.headline(), outage.bound, how);
    if outage.headline_is_lower_bound() {
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
        Some(reason) => format!("{ending} ({})", crate::printable::one_line(reason)),
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
            compare(name, outage.headline(), outage.bound, truth.downtime_ms);
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
        outage.gap_is_lower_bound = true;
        let row = outage_row("established", outage);
        assert!(row[1].starts_with("≥ 2987.1") && row[3].contains("cut by the end"), "{row:?}");
        migration.downtime_ms.events = None;
        assert_eq!(verdicts(&migration), ["NO", "NO", "–", "–", "–"]);
    }
}
