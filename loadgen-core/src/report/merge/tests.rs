//! What can be merged and what cannot, and what the sum says of its parts.

use super::super::sample;
use super::*;
use crate::report::{Verdict, VerdictStatus};

/// The sample as that of a shard.
fn shard(index: u32, of: u32) -> Report {
    let mut report = sample::plain();
    report.plan.shard = Some(Shard::new(index, of).unwrap());
    for window in &mut report.timeline.windows {
        window.populations.clear();
    }
    report
}

fn error(parts: impl IntoIterator<Item = Report>) -> String {
    Report::merge(parts).unwrap_err().to_string()
}

#[test]
fn only_all_shards_of_one_plan_are_merged() {
    let two = || [shard(1, 2), shard(0, 2)];
    assert!(Report::merge(two()).is_ok());
    assert_eq!(Report::merge([]), Err(MergeError::Nothing));
    assert_eq!(Report::merge([sample::plain()]).unwrap(), sample::plain());
    let text = error([shard(0, 2), sample::plain()]);
    assert!(text.starts_with("report 2 of those to merge is not that of a shard"), "{text}");
    let text = error([shard(1, 2), shard(0, 2), shard(1, 2)]);
    assert!(text.starts_with("two reports are of shard 1/2"), "{text}");
    let text = error([shard(0, 20), shard(3, 20)]);
    assert!(text.contains("18 of 20 shards are missing: 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, …"));
    let text = error([shard(1, 3)]);
    assert_eq!(text, "the reports of 2 of 3 shards are missing: 0, 2");
    let text = error([shard(0, 2), shard(0, 3)]);
    assert!(text.contains("'shard.of' differs"), "{text}");
    let [mut other, first] = two();
    other.plan = other.plan.with_seed(7);
    assert!(error([other, first]).contains("shards 0/2 and 1/2"));
    let [mut other, first] = two();
    other.plan.load = other.plan.load.with_connections(9);
    assert!(error([other, first]).contains("'load.connections' differs"));
    // Only the names are known, not whether the shards have the same.
    let later = two().map(|report| {
        let mut report = serde_json::to_value(report).unwrap();
        report["plan"]["load"]["shape"] = 7.into();
        Report::from_json(&report.to_string()).unwrap()
    });
    assert!(error(later).contains("does not know: load.shape;"));
    let [mut other, first] = two();
    other.migration = sample::pre_copy().migration;
    assert!(error([other, first]).contains("the report of shard 1/2 is that of a migration"));
}

#[test]
fn what_has_no_whole_distribution_is_refused() {
    let [mut other, first] = [shard(1, 2), shard(0, 2)];
    other.service_time.histogram = None;
    assert!(
        error([other, first.clone()])
            .contains("shard 1/2 has no whole distribution of its service_time")
    );
    for buckets in [vec![], vec![(9, 1), (8, 1)], vec![(u16::MAX, 2)], vec![(9, 1)]] {
        let mut other = shard(1, 2);
        let window = super::super::PopulationWindow { count: 2, buckets, ..Default::default() };
        other.timeline.windows[3].populations = [("fresh".to_owned(), window)].into();
        assert!(error([other, first.clone()]).contains("its timeline.windows"));
    }
}

/// The one that lacks something is named, whichever it is.
#[test]
fn a_distribution_that_is_not_whole_is_that_of_its_shard() {
    for which in [0, 1] {
        let mut parts = [0, 1].map(|index| shard(index, 2));
        parts[which].lag.histogram = None;
        let text = error(parts);
        let named = format!("the report of shard {which}/2 has no whole distribution of its lag");
        assert_eq!(text, named);
        let mut parts = [0, 1].map(|index| shard(index, 2));
        parts[which].response_time.count += 1;
        assert!(error(parts).contains(&format!("shard {which}/2")));
        // Nobody else has such times: they must be whole all the same.
        let mut parts = [0, 1].map(|index| shard(index, 2));
        let times = parts[which].response_time.clone();
        parts[which].response_time_wrong = Some(Latency { histogram: None, ..times });
        if which == 1 {
            assert!(error(parts).ends_with("its response_time_wrong"));
        }
    }
}

#[test]
fn shards_of_other_versions_and_other_files_are_refused() {
    let [mut other, first] = [shard(1, 2), shard(0, 2)];
    other.tool.version = "0.2.0".to_owned();
    assert!(error([other, first]).contains("different versions of loadgen"));
    let [mut other, first] = [shard(1, 2), shard(0, 2)];
    other.tags = vec![crate::report::TagReport::default()];
    assert!(error([other, first]).contains("different tags"));
}

#[test]
fn the_whole_says_what_it_was_made_of() {
    let mut parts = [0, 1, 2].map(|index| shard(index, 3));
    parts[1].started_at = "2026-11-22T15:00:01.500Z".to_owned();
    parts[2].environment.threads = 4;
    let reasons = vec!["too busy".to_owned()];
    parts[2].verdict = Verdict { status: VerdictStatus::Invalid, reasons };
    let whole = Report::merge(parts).unwrap();
    assert_eq!(whole.verdict.status, VerdictStatus::Invalid);
    let [busy, apart] = whole.verdict.reasons.as_slice() else { panic!("{:?}", whole.verdict) };
    assert_eq!(busy, "shard 2: too busy");
    assert!(apart.contains("1.5 s after"), "{apart}");
    let text = crate::report::render_text(&whole);
    assert!(text.contains("3 shards with 6 threads in all"), "{text}");
    assert_eq!((whole.environment.threads, whole.plan.threads), (6, 6));
    assert_eq!(whole.plan.shard(), None);
    let threads: Vec<u32> = whole.shards.iter().map(|s| s.environment.threads).collect();
    assert_eq!(threads, [1, 1, 4]);
    let one = sample::plain();
    assert_eq!(whole.counts.offered, 3 * one.counts.offered);
    let rates = (whole.rates.offered_per_s.unwrap(), one.rates.offered_per_s.unwrap());
    assert!((rates.0 - 3.0 * rates.1).abs() < 1e-9);
    // It can be read by whoever reads reports.
    let json = whole.to_json_pretty().unwrap();
    assert_eq!(Report::from_json(&json).unwrap(), whole);
}

#[test]
fn numbers_that_nobody_measured_do_not_wrap_around() {
    let mut parts = [0, 1].map(|index| shard(index, 2));
    for part in &mut parts {
        part.counts.offered = u64::MAX;
        part.timeline.counters.offered[0] = u32::MAX;
        part.timeline.windows[0].offered = u64::MAX;
        part.measured_s = f64::NAN;
    }
    let whole = Report::merge(parts).unwrap();
    assert_eq!(whole.counts.offered, u64::MAX);
    assert_eq!(whole.timeline.counters.offered[0], u32::MAX);
}
