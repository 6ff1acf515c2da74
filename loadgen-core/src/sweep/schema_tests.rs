//! The published JSON Schema against real sweeps, and both against the model.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::migrations::tests::sample_with_migrations;
use super::sections::tests::{sample, searched};
use super::{SweepReport, Verdict};
use crate::report::schema_tests::{Schema, plans};

fn schema() -> Schema {
    Schema::read("sweep.schema.json")
}

fn samples() -> Vec<Value> {
    let held =
        |limit: f64| move |rate: f64| if rate <= limit { Verdict::Held } else { Verdict::Breached };
    let mut sweeps = vec![
        sample(),
        sample_with_migrations(),
        searched(held(700.0)),
        searched(held(9000.0)),
        searched(held(1.0)),
        searched(|_| Verdict::Invalid("late".to_owned())),
    ];
    sweeps[0].points[0].generator = Some(crate::report::GeneratorReport {
        longest_pause_ms: Some(100.0),
        longest_pause_at_s: Some(1.5),
        response_time_without: Some(sweeps[0].points[0].response_time.clone()),
        ..Default::default()
    });
    sweeps[0].calls_file = Some(crate::report::CallsFileReport {
        file: "calls.csv".into(),
        format: crate::report::CallsFormat::Csv,
        written: 9,
        left_out: 1,
        error: Some("full".to_owned()),
    });
    // Plans of every kind, before the first step.
    sweeps.extend(plans().into_iter().map(SweepReport::new));
    sweeps.into_iter().map(|sweep| serde_json::to_value(sweep).unwrap()).collect()
}

#[test]
fn sweeps_keep_to_the_schema_and_have_no_field_that_it_lacks() {
    let (schema, strict) = (schema(), schema().strict());
    for sweep in samples() {
        schema.validate(&sweep);
        strict.validate(&sweep);
    }
}

#[test]
fn the_schema_refuses_what_is_no_sweep() {
    let schema = schema();
    let good = serde_json::to_value(searched(|_| Verdict::Held)).unwrap();
    schema.validate(&good);
    let changes: [fn(&mut Value); 6] = [
        |v| v["schema"] = json!("loadgen-sweep/2"),
        |v| v["points"][0]["kind"] = json!("guess"),
        |v| v["points"][0]["left_over"] = json!(1.5),
        |v| v["search"]["end"]["ending"] = json!("lost"),
        |v| v["points"][0]["migration"] = json!({}),
        |v| {
            v["points"][0].as_object_mut().unwrap().remove("counts");
        },
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(!schema.takes(&bad), "change {i}");
    }
}

#[test]
fn the_schema_has_no_field_that_sweeps_lack() {
    let all = schema().paths();
    assert!(all.len() > 150, "{}", all.len());
    let mut missing = schema().not_in(&samples());
    // A part shared with reports; points leave it to those.
    missing.retain(|path| !path.ends_with(".histogram"));
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn what_the_schema_lets_be_left_out_reading_does_without() {
    for name in ["search", "interrupted"] {
        let mut value = serde_json::to_value(searched(|_| Verdict::Held)).unwrap();
        value.as_object_mut().unwrap().remove(name);
        schema().validate(&value);
        SweepReport::from_json(&value.to_string()).unwrap();
    }
    for name in ["interrupted", "held", "objectives", "migration"] {
        let mut value = serde_json::to_value(sample_with_migrations()).unwrap();
        value["points"][0].as_object_mut().unwrap().remove(name);
        schema().validate(&value);
        SweepReport::from_json(&value.to_string()).unwrap();
    }
}

/// What stands in both schemas is the same in both.
#[test]
fn it_shares_its_parts_with_the_schema_of_reports() {
    let report = Schema::read("report.schema.json");
    let ours = schema();
    let own = BTreeSet::from(["point", "migration", "verdict", "rates"]);
    let parts = |schema: &Schema| schema.root()["$defs"].as_object().unwrap().clone();
    let theirs = parts(&report);
    for (name, part) in parts(&ours).iter().filter(|(name, _)| !own.contains(name.as_str())) {
        assert_eq!(theirs.get(name), Some(part), "{name}");
    }
    for name in ["verdict", "rates", "tool"] {
        let here = ours.root()["$defs"].get(name).unwrap_or(&ours.root()["properties"][name]);
        assert_eq!(here, &report.root()["properties"][name], "{name}");
    }
}
