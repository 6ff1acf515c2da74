//! The calls by the tags of their requests.

use super::super::{Migration, Report, TagImpact, TagSpan};
use super::load::{NAMED_COLUMNS, NAMED_NOTE, measured, named_row, time_row};
use super::{Section, cell};

/// The whole run; `None` unless requests have tags.
pub(super) fn section(report: &Report) -> Option<Section> {
    if report.tags.is_empty() {
        return None;
    }
    // Where every request has a tag, none is untagged.
    let rows = report.tags.iter().filter(|tag| tag.offered > 0).map(|tag| {
        let lost = tag.failed + tag.unfinished + tag.shed;
        let counts = [tag.offered, tag.answered, lost, tag.censored];
        named_row([tag.tag.clone()], counts, &tag.response_time)
    });
    Some(Section {
        title: "By tag".to_owned(),
        scope: format!("{}, by the tags of their requests", measured(report)),
        columns: ["tag"].into_iter().chain(NAMED_COLUMNS).collect(),
        rows: rows.collect(),
        text_columns: 0,
        notes: vec![format!("{NAMED_NOTE}, 2 significant digits")],
    })
}

/// Before, during and after the migration; `None` unless requests have tags.
pub(super) fn of_migration(migration: &Migration) -> Option<Section> {
    if migration.tags.is_empty() {
        return None;
    }
    let mut rows = Vec::new();
    let is_made = |tag: &&TagImpact| {
        [&tag.before, &tag.during, &tag.after].into_iter().any(|span| span.offered > 0)
    };
    for tag in migration.tags.iter().filter(is_made) {
        for (name, span) in
            [("before", &tag.before), ("during", &tag.during), ("after", &tag.after)]
        {
            rows.push(row(&tag.tag, name, span));
        }
    }
    Some(Section {
        title: "By tag, before, during and after".to_owned(),
        scope: "calls by intended start and by the tags of their requests, all populations"
            .to_owned(),
        columns: vec!["tag", "", "offered", "lost", "errors", "mean", "p50", "p99", "max"],
        rows,
        text_columns: 0,
        notes: vec![
            "lost: failed, unfinished or shed; errors: answered with a status of 400 and above, or \
             not as expected; times: intended start to reply complete, of good replies"
                .to_owned(),
        ],
    })
}

fn row(tag: &str, name: &str, span: &TagSpan) -> Vec<String> {
    let [_, _, mean, p50, _, p99, .., max] = &time_row("", &span.response_time, span.lost)[..]
    else {
        return vec![tag.to_owned()];
    };
    let counts = [span.offered, span.lost, span.error_replies].map(cell::count);
    let times = [mean, p50, p99, max].map(String::clone);
    [vec![tag.to_owned(), name.to_owned()], counts.to_vec(), times.to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Latency, TagReport, sample};

    fn latency() -> Latency {
        Latency {
            count: 90,
            mean_us: Some(1_500.0),
            p50_us: Some(1_000.0),
            max_us: Some(9_000.0),
            ..Latency::default()
        }
    }

    #[test]
    fn a_row_a_tag() {
        let mut report = sample::plain();
        assert_eq!(section(&report), None);
        report.tags = vec![TagReport {
            tag: "cart".to_owned(),
            offered: 100,
            started: 98,
            answered: 95,
            failed: 3,
            shed: 2,
            censored: 2,
            response_time: latency(),
            ..TagReport::default()
        }];
        let found = section(&report).unwrap();
        assert_eq!(
            found.rows[0],
            ["cart", "100", "95", "5", "5", "1.50 ms", "1.00 ms", "–", "–", "≥ 9.00 ms"]
        );
    }

    #[test]
    fn three_rows_a_tag_of_a_migration() {
        let mut report = sample::pre_copy();
        let migration = report.migration.as_mut().unwrap();
        assert_eq!(of_migration(migration), None);
        let span = TagSpan { offered: 92, lost: 1, error_replies: 1, response_time: latency() };
        migration.tags = vec![TagImpact {
            tag: "cart".to_owned(),
            before: span.clone(),
            during: TagSpan::default(),
            after: span,
        }];
        let rows = of_migration(migration).unwrap().rows;
        assert_eq!(
            rows[0],
            ["cart", "before", "92", "1", "1", "1.50 ms", "1.00 ms", "–", "≥ 9.00 ms"]
        );
        assert_eq!(rows[1], ["cart", "during", "0", "0", "0", "–", "–", "–", "–"]);
        assert_eq!(rows.len(), 3);
    }
}
