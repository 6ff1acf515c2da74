//! What the users of a migration lost: calls, connections, time.

use super::super::{LostConnections, Migration, Report};
use super::cell;
use super::guest::guest_rows;
use super::load::class_list;

/// Calls lost, degradation and memory sent.
pub(super) fn losses(report: &Report, migration: &Migration) -> Vec<Vec<String>> {
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
        connections_row(migration),
        number(
            "calls late",
            count(migration.calls_late),
            "of the same span, answered well, but above the band of before",
        ),
        number(
            "error replies",
            count(migration.error_replies),
            if report.plan.expects() {
                "of the same span, answered, but not as expected"
            } else {
                "of the same span, answered with a status of 400 and above"
            },
        ),
        number(
            "replies outstanding",
            migration
                .degradation_calls
                .map_or_else(|| cell::NONE.to_owned(), |n| format!("{} calls", cell::fixed(n, 1))),
            "offered calls less good replies at the end of the same span",
        ),
        number(
            "response degradation",
            migration
                .degradation_response_s2
                .map_or_else(|| cell::NONE.to_owned(), |n| format!("{} s²", cell::fixed(n, 3))),
            "response time above its mean before, summed over the same span (seconds of waiting × \
             seconds): to compare runs",
        ),
    ];
    rows.extend(guest_rows(migration));
    let rounds = match migration.rounds {
        Some(1) => "by the hypervisor, in 1 pre-copy round".to_owned(),
        Some(n) => format!("by the hypervisor, in {n} pre-copy rounds"),
        None => "by the hypervisor".to_owned(),
    };
    let sent = migration.transferred_bytes.map_or_else(|| cell::NONE.to_owned(), cell::bytes);
    rows.push(number("memory sent", sent, &rounds));
    rows
}

/// Connections lost, in the words of a cell: how many, and by cause.
pub(in crate::report) fn connections_lost(migration: &Migration) -> Option<(String, String)> {
    let lost = &migration.connections_lost;
    let populations: Vec<(&str, &LostConnections)> =
        [("established", &lost.established), ("fresh", &lost.fresh)]
            .into_iter()
            .filter_map(|(name, lost)| Some((name, lost.as_ref()?)))
            .collect();
    let (first, main) = populations.first()?;
    let more = if main.is_lower_bound { "≥ " } else { "" };
    let of = main.of.map_or_else(String::new, |of| format!(" of {}", cell::count(of)));
    let figure = format!("{more}{}{of}", cell::count(main.count));
    let mut how = vec![match main.count {
        0 => format!("{first}: none"),
        _ => format!("{first}: {}", class_list(&main.causes)),
    }];
    if main.opened_since > 0 {
        let n = cell::count(main.opened_since);
        how.push(format!("and {n} that were opened after the firing"));
    }
    let ours: u64 = populations.iter().map(|(_, lost)| lost.closed_while_paused).sum();
    if ours > 0 {
        how.push(format!("and {} closed while loadgen itself stood still", cell::count(ours)));
    }
    for (name, lost) in populations.iter().skip(1).filter(|(_, lost)| lost.count > 0) {
        how.push(format!(
            "{name}: {} during a call, {}",
            cell::count(lost.count),
            class_list(&lost.causes)
        ));
    }
    Some((figure, how.join("; ")))
}

fn connections_row(migration: &Migration) -> Vec<String> {
    let (figure, mut how) = connections_lost(migration)
        .unwrap_or_else(|| (cell::NONE.to_owned(), "not known".to_owned()));
    let lost = &migration.connections_lost;
    if lost.established.as_ref().is_some_and(|lost| lost.of.is_some()) {
        how.push_str("; of those open at the firing, ended without a plan or an announcement");
    }
    let again: u64 =
        [&lost.established, &lost.fresh].into_iter().flatten().map(|l| l.calls_sent_again).sum();
    if again > 0 {
        let calls = if again == 1 { "call was" } else { "calls were" };
        how.push_str(&format!(
            "; {} {calls} sent again on new connections, which the users' own client may not do: \
             it would have shown an error",
            cell::count(again)
        ));
    }
    vec!["connections lost".to_owned(), figure, cell::NONE.to_owned(), how]
}
