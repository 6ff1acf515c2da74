//! Why calls were slow.

use super::super::{PhaseReport, Report, SlowCalls};
use super::{Section, cell};

/// The causes in the order of the table, with what they mean.
const CAUSES: [(&str, &str); 10] = [
    ("syn-retransmission", "no answer to the SYN"),
    ("data-retransmission", "request not acknowledged"),
    ("server", "server, or a long reply"),
    ("handshake", "connecting, one SYN"),
    ("tls-handshake", "agreeing on TLS"),
    ("resolution", "name resolved again"),
    ("reconnect", "connection was closed"),
    ("queue", "no free connection"),
    ("own-lag", "generator late"),
    ("unsampled", "not looked into"),
];

/// The table of causes; `None` if nothing was slow or nobody looked.
pub(super) fn section(report: &Report) -> Option<Section> {
    let slow = report.slow_calls.as_ref().filter(|slow| slow.count > 0)?;
    let phases = report.migration.as_ref().map(|migration| &migration.phases[..]);
    let mut columns = vec!["cause", "calls", "share", "time"];
    if phases.is_some() {
        columns.extend(["before", "during", "after"]);
    }
    columns.push("meaning");
    let known = CAUSES.iter().filter_map(|(name, meaning)| {
        let cause = slow.causes.get(*name)?;
        let mut row = vec![
            (*name).to_owned(),
            cell::count(cause.calls),
            cell::share(cause.calls, slow.count),
            cell::seconds(cause.time_s),
        ];
        row.extend(phases.into_iter().flat_map(|phases| by_phase(phases, name)));
        row.push((*meaning).to_owned());
        Some(row)
    });
    Some(Section {
        title: "Why calls were slow".to_owned(),
        scope: format!(
            "{} calls that took longer than {}, answered or not; the kernel was asked about {}",
            cell::count(slow.count),
            cell::millis(slow.threshold_ms),
            cell::count(slow.sampled),
        ),
        columns,
        rows: known.collect(),
        text_columns: 1,
        notes: notes(slow, phases.is_some()),
    })
}

/// Calls before, during and after the migration.
fn by_phase(phases: &[PhaseReport], cause: &str) -> [String; 3] {
    let mut calls = [0; 3];
    for phase in phases {
        let column = match phase.name.as_str() {
            "warm-up" => continue,
            "before" => 0,
            "after" => 2,
            _ => 1,
        };
        calls[column] += phase.slow_calls.get(cause).copied().unwrap_or(0);
    }
    calls.map(cell::count)
}

fn notes(slow: &SlowCalls, migration: bool) -> Vec<String> {
    let mut notes = vec![
        "calls: by what the longest part of their time went into; time: that part of all slow calls \
         together; docs/what-is-measured.md defines the parts"
            .to_owned(),
    ];
    if migration {
        notes.push("before, during, after: calls by intended start".to_owned());
    }
    for (name, _) in CAUSES {
        let Some(call) = slow.causes.get(name).and_then(|cause| cause.slowest.as_ref()) else {
            continue;
        };
        let mut parts: Vec<_> = call.parts_ms.iter().collect();
        parts.sort_by(|a, b| b.1.total_cmp(a.1));
        let parts: Vec<_> =
            parts.iter().map(|(name, ms)| format!("{name} {}", cell::millis(**ms))).collect();
        let kernel = call.connection.map_or_else(String::new, |of| {
            format!(
                "; {} sent again on its connection, RTT {}, RTO {}",
                cell::counted(u64::from(of.total_retransmits), "segment"),
                cell::micros_or_none(of.rtt_us),
                cell::millis(of.rto_ms),
            )
        });
        notes.push(format!(
            "slowest by {name}: {} at {} ({}): {}{kernel}",
            cell::millis(call.took_ms),
            cell::seconds(call.at_s),
            call.population,
            parts.join(", "),
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_run_without_slow_calls_has_no_table() {
        let mut report = sample::plain();
        report.slow_calls = Some(SlowCalls::default());
        assert_eq!(section(&report), None);
        report.slow_calls = None;
        assert_eq!(section(&report), None);
    }

    #[test]
    fn causes_are_told_by_phase() {
        let section = section(&sample::stop_and_copy()).unwrap();
        let row = section.rows.iter().find(|row| row[0] == "data-retransmission").unwrap();
        assert_eq!(row[1..7], ["310", "88.6 %", "521.400 s", "0", "310", "0"].map(str::to_owned));
        assert!(section.notes.iter().any(|note| note.contains("RTO")), "{section:?}");
    }
}
