//! What became of sessions.

use super::super::Report;
use super::{Section, cell};

/// `None` for a load whose arrivals are calls, or mere connections.
pub(super) fn section(report: &Report) -> Option<Section> {
    let figures = report.sessions.as_ref()?;
    let outcomes = figures.outcomes.as_ref()?;
    let row = |name: &str, count: u64, mean_s: Option<f64>, connections: Option<u64>| {
        let each = connections.filter(|_| count > 0).map(|n| n as f64 / count as f64);
        vec![
            name.to_owned(),
            cell::count(count),
            mean_s.map_or_else(|| cell::NONE.to_owned(), cell::seconds),
            each.map_or_else(|| cell::NONE.to_owned(), |each| cell::fixed(each, 2)),
        ]
    };
    let ended = outcomes.succeeded + outcomes.failed;
    let replies: u64 = (0..).zip(&outcomes.by_replies).map(|(k, n): (u64, &u64)| k * n).sum();
    let mut notes = vec![
        "a session fails with the first of its calls that brings no reply and is not sent again"
            .to_owned(),
    ];
    if ended > 0 {
        let each = cell::fixed(replies as f64 / ended as f64, 2);
        notes.push(format!("{each} replies a session, over those that ended"));
    }
    if figures.arrivals_shed > 0 {
        notes.push(format!(
            "{} shed: as many connections were open as may be",
            cell::counted(figures.arrivals_shed, "session")
        ));
    }
    let warmup = if report.plan.warmup_s > 0.0 { ", without the warm-up" } else { "" };
    Some(Section {
        title: "Sessions".to_owned(),
        scope: format!(
            "{} that ended in the {} from the start of the load to its end, drain included{warmup}",
            cell::counted(ended, "session"),
            cell::seconds(figures.test_duration_s)
        ),
        columns: vec!["", "sessions", "mean length", "connections each"],
        rows: vec![
            row(
                "through",
                outcomes.succeeded,
                outcomes.lifetime_mean_s,
                Some(outcomes.connections_of_succeeded),
            ),
            row("failed", outcomes.failed, outcomes.failtime_mean_s, None),
        ],
        text_columns: 0,
        notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{SessionOutcomes, SessionsReport, sample};

    #[test]
    fn sessions_by_their_end() {
        let mut report = sample::plain();
        assert_eq!(section(&report), None);
        let outcomes = SessionOutcomes {
            succeeded: 8,
            failed: 2,
            connections_of_succeeded: 12,
            lifetime_mean_s: Some(1.5),
            failtime_mean_s: None,
            by_replies: vec![1, 1, 8],
        };
        let figures = SessionsReport {
            test_duration_s: 10.0,
            arrivals_shed: 1,
            outcomes: Some(outcomes),
            ..SessionsReport::default()
        };
        report.sessions = Some(figures);
        let section = section(&report).unwrap();
        assert_eq!(section.rows[0], ["through", "8", "1.500 s", "1.50"]);
        assert_eq!(section.rows[1], ["failed", "2", cell::NONE, cell::NONE]);
        assert!(section.scope.starts_with("10 sessions that ended in the 10.000 s"), "{section:?}");
        assert_eq!(section.notes[1], "1.70 replies a session, over those that ended");
        assert!(section.notes[2].starts_with("1 session shed"), "{section:?}");
        // Mere connections have no outcome.
        report.sessions.as_mut().unwrap().outcomes = None;
        assert_eq!(super::section(&report), None);
    }
}
