//! What each process of a merged report ran on.

use super::super::Report;
use super::{Section, cell};

/// Shards that are listed; there may be thousands.
const MOST: usize = 100;

/// `None` where one process did everything.
pub(super) fn section(report: &Report) -> Option<Section> {
    if report.shards.is_empty() {
        return None;
    }
    let row = |shard: &super::super::ShardReport| {
        let on = &shard.environment;
        vec![
            shard.index.to_string(),
            shard.started_at.clone(),
            cell::seconds(shard.duration_s),
            on.threads.to_string(),
            format!("{:?}", shard.verdict.status).to_lowercase(),
            if shard.is_partial { "no" } else { "yes" }.to_owned(),
            format!("kernel {}, {}", on.kernel, cell::counted(on.cpus.into(), "CPU")),
        ]
    };
    let beyond = report.shards.len().saturating_sub(MOST);
    let beyond = (beyond > 0).then(|| format!("{beyond} more are in the JSON."));
    let missing = report.shards_missing.len();
    let missing = (missing > 0).then(|| {
        let of = cell::counted((report.shards.len() + missing) as u64, "shard");
        format!("{missing} of {of} are missing: less load was put on than the plan says.")
    });
    Some(Section {
        title: "Shards".to_owned(),
        scope: format!(
            "the {} that this report was merged from",
            cell::counted(report.shards.len() as u64, "shard")
        ),
        columns: vec!["shard", "load began", "duration", "threads", "verdict", "whole", "on"],
        rows: report.shards.iter().take(MOST).map(row).collect(),
        text_columns: 2,
        notes: beyond.into_iter().chain(missing).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_row_a_shard() {
        assert_eq!(section(&sample::plain()), None);
        let mut report = sample::merged();
        let found = section(&report).unwrap();
        assert_eq!(found.rows.len(), 2);
        let row = &found.rows[1];
        assert_eq!((&*row[0], &*row[1], &*row[4]), ("1", "2026-11-22T15:00:00.000Z", "degraded"));
        assert_eq!([&*found.rows[0][5], &*row[5]], ["yes", "no"]);
        let missing = "1 of 3 shards are missing: less load was put on than the plan says.";
        assert_eq!(found.notes, [missing]);
        report.shards_missing.clear();
        assert!(section(&report).unwrap().notes.is_empty());
        report.shards = vec![report.shards[0].clone(); 102];
        let found = section(&report).unwrap();
        assert_eq!((found.rows.len(), &*found.notes[0]), (100, "2 more are in the JSON."));
    }
}
