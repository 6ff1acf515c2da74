//! Reports become recordings.

use std::path::Path;

use super::*;
use crate::model::fit::{Fit, Parameter};
use crate::report::{Report, sample};

#[test]
fn a_report_of_pre_copy_is_a_recording_of_it() {
    let report = sample::pre_copy();
    let recording = recording("a report", &report).unwrap();
    assert_eq!((recording.name.as_str(), recording.moved), ("a report", Strategy::PreCopy));
    let migration = report.migration.as_ref().unwrap();
    let at = |name: &str| report.events.iter().find(|e| e.name == name).map(|e| e.at_s);
    let begin = at("accepted").or(at("fired")).unwrap();
    assert_eq!(recording.stop_s, at("stop").map(|stop| stop - begin));
    let downtime_ms = recording.downtime_s().unwrap() * 1e3;
    assert!((downtime_ms - migration.downtime_ms.events.unwrap()).abs() < 1e-6);
    assert_eq!(recording.end_s, migration.total_migration_time_ms.trigger.map(|ms| ms / 1e3));
    let felt = recording.felt.unwrap();
    assert_eq!(felt.late, migration.calls_late.map(|calls| calls as f64));
    let names: Vec<&str> = felt.populations.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["established", "fresh"]);
    assert!(felt.populations.iter().all(|p| p.rate_per_s > 0.0 && p.usual_s < p.late_beyond_s));
    assert!(felt.populations[0].connections.is_some() && felt.populations[1].connections.is_none());
}

/// An outage that the end of the load cut is known to be no less; one that was not seen is not there.
#[test]
fn what_the_end_of_the_load_cut_is_the_least() {
    let mut report = sample::pre_copy();
    let outages = &mut report.migration.as_mut().unwrap().outage_ms;
    let established = outages.established.as_mut().unwrap();
    (established.gap, established.gap_is_lower_bound) = (Some(1500.0), true);
    outages.fresh = None;
    let felt = recording("cut", &report).unwrap().felt.unwrap();
    let outages: Vec<_> =
        felt.populations.iter().map(|of| (of.outage_s, of.outage_is_least)).collect();
    assert_eq!(outages, [(Some(1.5), true), (None, false)]);
}

/// The example's report is of QEMU 7.2: 1 GiB, of which 369 MiB are sent at 32 MiB/s.
#[test]
fn the_report_of_the_example_is_fitted() {
    let path = "../examples/migration-lab/sample/report.json";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    // The package has no examples of the workspace.
    let Ok(text) = fs::read_to_string(path) else { return };
    let recording = recording("the example", &Report::from_json(&text).unwrap()).unwrap();
    let fit = Fit::of(std::slice::from_ref(&recording));
    let mib = f64::from(1 << 20);
    assert!((fit.value(Parameter::Memory).unwrap() / mib - 369.0).abs() < 8.0, "{fit:#?}");
    assert!((fit.value(Parameter::Bandwidth).unwrap() / mib - 32.0).abs() < 0.5, "{fit:#?}");
    let prediction = fit.predict(Strategy::PreCopy).unwrap();
    let (total_s, downtime_s) = (recording.end_s.unwrap(), recording.downtime_s().unwrap());
    assert!((prediction.total_s - total_s).abs() < 0.05 * total_s, "{prediction:?}");
    assert!((prediction.downtime_s - downtime_s).abs() < 0.005, "{prediction:?}");
}

#[test]
fn what_is_no_recording_is_said() {
    let error = recording("plain", &sample::plain()).unwrap_err().to_string();
    assert!(error.starts_with("'plain' has no migration: "), "{error}");
    let mut report = sample::pre_copy();
    report.migration.as_mut().unwrap().strategy = None;
    let error = recording("x", &report).unwrap_err().to_string();
    assert!(error.contains("how the machine was moved"), "{error}");
    let mut report = sample::pre_copy();
    report.events.clear();
    assert!(matches!(recording("x", &report), Err(RecordingError::NotFired { .. })));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(recorded_cells(folder.path()), Err(RecordingError::Experiment(_))));
}

/// One trial that counts and one that does not, as an experiment keeps them.
#[test]
fn trials_that_count_are_read_by_cell() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "trials = 2\n[factors]\nstrategy = [\"pre-copy\"]\n[load]\nurl = \"http://10.0.0.1/\"\n\
                rate = \"10\"\n[trigger]\nspec = \"simulated\"\n";
    fs::write(folder.path().join("plan.toml"), plan).unwrap();
    for (index, status) in [(1, "completed"), (2, "failed")] {
        let trial = folder.path().join(format!("trials/{index:04}"));
        fs::create_dir_all(&trial).unwrap();
        let report = sample::pre_copy().to_json_pretty().unwrap();
        fs::write(trial.join("report.json"), report).unwrap();
        let record = serde_json::json!({
            "index": index, "block": index, "position": 1, "cell": {"strategy": "pre-copy"},
            "repeats": 0, "warm_up": false, "status": status,
            "started_at": "2026-11-28T20:00:06.347Z", "took_s": 1.0,
            "report": format!("trials/{index:04}/report.json"), "metrics": {},
        });
        fs::write(trial.join("trial.json"), record.to_string()).unwrap();
    }
    let cells = recorded_cells(folder.path()).unwrap();
    assert_eq!(cells.len(), 1);
    assert_eq!(cells[0].factors["strategy"], "pre-copy");
    let names: Vec<&str> = cells[0].recordings.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["trial 1"]);
}
