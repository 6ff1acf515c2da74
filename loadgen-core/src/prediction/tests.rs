//! Predictions as documents: there and back, against the schema, and as people read them.

use roxmltree::{Document, ParsingOptions};
use serde_json::Value;

use super::*;
use crate::model::Strategy;
use crate::model::availability::ModelFile;
use crate::model::fit::{Fit, Parameter, Recording, Validation};
use crate::model::migration::{Dirtying, Pattern};
use crate::model::planning::Evacuation;
use crate::model::strategies::{Limits, Population, Scenario};
use crate::model::users::{Connections, Users};
use crate::report::schema_tests::Schema;

mod bounds;

const MIB: f64 = 1_048_576.0;

fn scenario(dirty_mib: f64) -> Scenario {
    let dirtying = Dirtying::new(dirty_mib * MIB)
        .within(200.0 * MIB, Pattern::RoundRobin)
        .with_base(2.0 * MIB);
    let established = Users::new(500.0, Connections::KeptAlive(50)).with_timeout_s(5.0);
    let fresh = Users::new(50.0, Connections::Fresh).with_timeout_s(5.0);
    Scenario::new(2048.0 * MIB, 119.0 * MIB, dirtying)
        .with_device_state(MIB)
        .with_times_s(0.05, 0.02)
        .with_population(Population::new("established", established.with_capacity_per_s(900.0)))
        .with_population(Population::new("fresh", fresh))
}

fn report(dirty_mib: f64, limits: &Limits) -> PredictionReport {
    let prediction = CellPrediction::of(&scenario(dirty_mib), &Strategy::ALL, limits).unwrap();
    let mut report = PredictionReport::new(PredictionSource::numbers(), limits).with(prediction);
    report.made_at = "2026-11-28T20:00:00Z".to_owned();
    report.tool.version = "0.0.0".to_owned();
    report
}

fn none_lost() -> Limits {
    Limits { lost_calls: Some(0.0), ..Limits::default() }
}

#[test]
fn there_and_back() {
    for dirty in [40.0, 300.0] {
        let report = report(dirty, &none_lost());
        let json = report.to_json_pretty().unwrap();
        assert_eq!(PredictionReport::from_json(&json).unwrap(), report);
        // It can be made again from what it says of itself.
        let input = report.predictions[0].input.as_ref().unwrap();
        assert_eq!(PredictionInput::of(&input.scenario()), *input);
        let again = CellPrediction::of(&input.scenario(), &Strategy::ALL, &report.limits.limits());
        assert_eq!(again.unwrap(), report.predictions[0]);
    }
    let other = PredictionReport::from_json(r#"{"schema": "loadgen-report/1"}"#).unwrap_err();
    assert!(other.to_string().contains("loadgen-prediction/1"), "{other}");
}

/// Three migrations by pre-copy, and one by post-copy, of the same machine.
fn recordings() -> Vec<Recording> {
    let text = include_str!("../model/fit/tests/recordings.json");
    let cells: Vec<Value> = serde_json::from_str(text).unwrap();
    let of_cell = |cell: &Value| -> Vec<Recording> {
        serde_json::from_value(cell["recordings"].clone()).unwrap()
    };
    let all: Vec<Recording> = cells.iter().flat_map(of_cell).collect();
    let of = |moved: Strategy| all.iter().filter(move |one| one.moved == moved).cloned();
    of(Strategy::PreCopy).take(2).chain(of(Strategy::PostCopy).take(2)).collect()
}

fn outages(recordings: &[Recording]) -> Vec<MeasuredOutages> {
    [Strategy::PreCopy, Strategy::PostCopy]
        .map(|moved| MeasuredOutages::of(moved, recordings))
        .into()
}

fn fitted() -> PredictionReport {
    fitted_to(&recordings(), &Limits::default())
}

fn fitted_to(recordings: &[Recording], limits: &Limits) -> PredictionReport {
    let fit = Fit::of(recordings);
    let validation = Validation::leave_one_out(recordings);
    let pilot = Pilot {
        cell: [("memory".to_owned(), "512".to_owned())].into(),
        fit: &fit,
        validation: &validation,
        left_out: &[("trial 9".to_owned(), "it was helped".to_owned())],
        said: [(Parameter::StopBandwidth, 1e9)].into(),
    };
    let of = CellPrediction::of_fit(&pilot, &Strategy::ALL, limits).unwrap();
    let ageing = Ageing { ages_h: 720.0, fails_h: 168.0, repair_h: 65.0 / 60.0 };
    let of = of.moved_every(24.0, Some(ageing), &outages(recordings)).unwrap();
    PredictionReport::new(PredictionSource::recordings("pilot"), limits).with(of)
}

/// With every outage of post-copy cut by the end of its load.
fn cut() -> Vec<Recording> {
    let mut recordings = recordings();
    for of in recordings.iter_mut().filter(|of| of.moved == Strategy::PostCopy) {
        let populations = &mut of.felt.as_mut().unwrap().populations;
        populations.iter_mut().for_each(|of| of.outage_is_least = true);
    }
    recordings
}

/// A document of before there were bounds does not tell which of its outages are known.
#[test]
fn a_document_that_does_not_tell_what_is_known_is_refused() {
    let mut old = serde_json::to_value(report(40.0, &Limits::default())).unwrap();
    let strategy = old["predictions"][0]["strategies"][2].as_object_mut().unwrap();
    strategy.remove("outage_is_least");
    let error = PredictionReport::from_json(&old.to_string()).unwrap_err().to_string();
    assert!(error.contains("outage_is_least"), "{error}");
}

/// What was recorded is predicted by its own recordings, with users; what was not by what is known.
#[test]
fn recordings_become_predictions() {
    let report = fitted();
    let of = &report.predictions[0];
    assert!(of.left_out.is_empty() && of.input.is_some(), "{:?}", of.left_out);
    for strategy in &of.strategies {
        assert!(strategy.total_s.is_some() && !strategy.users.is_empty(), "{strategy:?}");
        let is_recorded = ["pre-copy", "post-copy"].contains(&strategy.strategy.as_str());
        assert_eq!(strategy.expected_late_calls.is_some(), is_recorded, "{strategy:?}");
    }
    let json = report.to_json_pretty().unwrap();
    assert_eq!(PredictionReport::from_json(&json).unwrap(), report);
    let text = render_prediction_text(&report);
    for words in
        ["What the recordings tell", "Held against the recordings", "every 24.00 h", "pilot"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// Of post-copy alone nobody can tell what pre-copy would do; that is said, not guessed.
#[test]
fn what_cannot_be_told_is_left_out_with_the_reason() {
    let recordings: Vec<Recording> =
        recordings().into_iter().filter(|one| one.moved == Strategy::PostCopy).collect();
    let fit = Fit::of(&recordings);
    let (validation, limits) = (Validation::default(), Limits::default());
    let (cell, said) = ([].into(), [].into());
    let pilot = Pilot { cell, fit: &fit, validation: &validation, left_out: &[], said };
    let of = CellPrediction::of_fit(&pilot, &Strategy::ALL, &limits).unwrap();
    assert!(of.left_out["pre-copy"].contains("no recording of pre-copy"), "{:?}", of.left_out);
    assert!(of.input.is_none() && of.thresholds.is_none());
    let report = PredictionReport::new(PredictionSource::recordings("p"), &limits).with(of);
    assert!(render_prediction_text(&report).contains("nothing can be said of pre-copy"));
    assert!(!render_prediction_html(&report).contains("<svg"));
    let none = CellPrediction::of_fit(&pilot, &[Strategy::PreCopy], &limits).unwrap();
    assert!(none.strategies.is_empty() && none.best.is_none());
}

#[test]
fn documents_are_of_the_schema() {
    let schema = Schema::read("prediction.schema.json");
    let limits = Limits { total_s: Some(1.0), ..none_lost() };
    let all = [(40.0, Limits::default()), (300.0, none_lost()), (40.0, limits)];
    let mut documents: Vec<Value> = all
        .iter()
        .map(|(dirty, limits)| serde_json::to_value(report(*dirty, limits)).unwrap())
        .collect();
    documents.push(serde_json::to_value(fitted()).unwrap());
    let limits = Limits { outage_s: Some(30.0), ..Limits::default() };
    documents.push(serde_json::to_value(fitted_to(&cut(), &limits)).unwrap());
    for document in &documents {
        schema.validate(document);
        schema.strict().validate(document);
    }
    assert_eq!(schema.not_in(&documents), Vec::<String>::new());
    // Nothing holds a second.
    assert_eq!(documents[2]["predictions"][0]["best"], Value::Null);
}

#[test]
fn what_does_not_converge_has_no_figures() {
    let report = report(300.0, &Limits::default());
    let pre_copy = &report.predictions[0].strategies[1];
    assert!(!pre_copy.converges && pre_copy.strategy == "pre-copy");
    assert_eq!((pre_copy.total_s, pre_copy.downtime_s, pre_copy.sent_bytes), (None, None, None));
    assert!(pre_copy.users.is_empty() && pre_copy.rounds.len() == 100);
    // With what would help it converges.
    let edges = report.predictions[0].thresholds.clone().unwrap();
    let value = |edge: &PredictedEdge| edge.value.unwrap();
    let scenario = scenario(300.0);
    let helped = [
        scenario.over(value(&edges.bandwidth_bytes_per_s)),
        scenario.dirtied_at(value(&edges.dirty_bytes_per_s)),
        scenario.with_limit_s(value(&edges.downtime_limit_s)),
    ];
    for helped in helped {
        let forecast = helped.forecast(Strategy::PreCopy).unwrap();
        assert!(forecast.prediction.converges, "{edges:?}");
    }
}

#[test]
fn as_text() {
    insta::assert_snapshot!("numbers", render_prediction_text(&report(40.0, &none_lost())));
    insta::assert_snapshot!("endless", render_prediction_text(&report(300.0, &none_lost())));
}

#[test]
fn several_machines_have_their_cells() {
    let mut report = report(40.0, &Limits::default());
    report.predictions[0].cell.insert("dirty".to_owned(), "40".to_owned());
    let mut other = report.predictions[0].clone();
    other.cell.insert("dirty".to_owned(), "a<b\u{1b}".to_owned());
    let text = render_prediction_text(&report.clone().with(other.clone()));
    assert!(text.contains("dirty=40: ") && !text.contains('\u{1b}'), "{text}");
    let html = render_prediction_html(&report.with(other));
    assert!(html.contains("a&lt;b") && !html.contains('\u{1b}'));
}

/// One page that is XML, with its three charts, and with nothing from elsewhere.
#[test]
fn as_html() {
    let limits = Limits { outage_s: Some(0.5), ..none_lost() };
    for dirty in [40.0, 300.0, 0.0] {
        let html = render_prediction_html(&report(dirty, &limits));
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        let page = Document::parse_with_options(&html, options).unwrap();
        let charts = page.descendants().filter(|node| node.has_tag_name("svg")).count();
        assert_eq!(charts, if cfg!(feature = "charts") { 3 } else { 0 });
        assert!(!html.contains("src=") && !html.contains("NaN"), "{dirty}");
    }
}

/// Of what cannot be gone through nothing is said, with the reason; the machine is predicted.
#[test]
fn too_many_calls_cost_one_strategy_its_users() {
    let users = Users::new(20_000.0, Connections::Fresh).with_timeout_s(60.0);
    let scenario = scenario(40.0).with_population(Population::new("crowd", users));
    let of = CellPrediction::of(&scenario, &Strategy::ALL, &Limits::default());
    // Not even without an outage: there it is an error.
    assert!(of.unwrap_err().to_string().contains("1,000,000"));
    let users = Users::new(40_000.0, Connections::Fresh).with_timeout_s(10.0);
    let scenario = self::scenario(40.0).with_population(Population::new("crowd", users));
    let of = CellPrediction::of(&scenario, &Strategy::ALL, &Limits::default()).unwrap();
    assert_eq!((of.left_out.len(), of.strategies.len()), (0, 4));
    for of in &of.strategies {
        let is_too_long = of.strategy == "stop-and-copy";
        assert_eq!(of.users_unknown.is_some(), is_too_long, "{of:?}");
        assert!(of.users.is_empty() == is_too_long && of.total_s.is_some(), "{of:?}");
    }
}

/// A document can have any number of strategies and users: what is drawn of them has an end.
#[test]
fn a_chart_has_an_end() {
    let mut report = report(40.0, &Limits::default());
    let prediction = &mut report.predictions[0];
    let again = prediction.strategies.clone();
    (0..200).for_each(|_| prediction.strategies.extend(again.clone()));
    let charts = |report: &PredictionReport| {
        let html = render_prediction_html(report);
        let labels = html.replace(['\n', ' '], "");
        let names = labels.matches(">post-copy</text>").count();
        (html.contains("Map of strategies"), names)
    };
    let drawn = if cfg!(feature = "charts") { 2 } else { 0 };
    assert_eq!(charts(&report), (drawn > 0, drawn));
    let input = report.predictions[0].input.as_mut().unwrap();
    let users = input.populations[0].clone();
    (0..500).for_each(|_| input.populations.push(users.clone()));
    assert!(!charts(&report).0);
}

/// A document from elsewhere can have any numbers: it is rendered, or refused.
#[test]
fn numbers_that_cannot_be_drawn_are_not() {
    let good = serde_json::to_value(report(40.0, &Limits::default())).unwrap();
    for key in ["bandwidth_bytes_per_s", "dirty_bytes_per_s", "memory_bytes", "first_ratio"] {
        for number in [0.0, 1e-320, 1e308] {
            let mut document = good.clone();
            document["predictions"][0]["input"][key] = number.into();
            let report = PredictionReport::from_json(&document.to_string()).unwrap();
            let html = render_prediction_html(&report);
            assert!(!html.contains("NaN"), "{key} {number}");
        }
    }
}

/// Two hosts, of which one is emptied: with a plan, without any, and with one that breaks a limit.
#[test]
fn planned_moves_are_of_the_schema() {
    let schema = Schema::read("evacuation.schema.json");
    let of = |limits: &str, apart: &str| {
        let text = format!(
            "limits = {{ {limits} }}\n\
             [[host]]\nname = \"a\"\nlink = \"10Gbit/s\"\nempty = true\n\
             [[host]]\nname = \"b\"\nlink = \"10Gbit/s\"\nmemory = \"64GiB\"\n\
             [[machine]]\nname = \"web\"\nhost = \"a\"\nmemory = \"4GiB\"\n\
             dirty = \"20MiB/s\"\ncount = 3\n{apart}"
        );
        let evacuation = Evacuation::parse(&text, "move.toml".as_ref()).unwrap();
        EvacuationReport::new(evacuation.plan().unwrap())
    };
    let all = [
        (of("outage = \"1s\"", ""), "found"),
        (of("outage = \"1s\", total = \"1s\"", ""), "impossible"),
        (of("outage = \"1s\"", "apart_from = [\"web\"]"), "impossible"),
    ];
    for (report, kind) in all {
        let document = serde_json::to_value(&report).unwrap();
        assert_eq!(document["planned"]["outcome"]["kind"], kind);
        schema.validate(&document);
        schema.strict().validate(&document);
        let again = EvacuationReport::from_json(&report.to_json_pretty().unwrap()).unwrap();
        assert_eq!(render_evacuation_text(&again), render_evacuation_text(&report));
        assert_eq!(again, report);
    }
}

#[test]
fn availabilities_are_of_the_schema() {
    let schema = Schema::read("availability.schema.json");
    let net = "[net]\nup = \"disks > 0\"\nplaces = { disks = 2, broken = 0 }\n\
               rewards = { spares = \"disks - 1\" }\n\
               [[net.timed]]\nname = \"fails\"\ntakes = { disks = 1 }\n\
               gives = { broken = 1 }\nmean = \"1000h\"\n\
               [[net.timed]]\nname = \"replaced\"\ntakes = { broken = 1 }\n\
               gives = { disks = 1 }\nmean = 10\n";
    let model = ModelFile::parse(net, "net.toml".as_ref()).unwrap();
    let report = AvailabilityReport::of(&model, "net.toml").unwrap();
    let document = serde_json::to_value(&report).unwrap();
    schema.validate(&document);
    schema.strict().validate(&document);
    let again = AvailabilityReport::from_json(&report.to_json_pretty().unwrap()).unwrap();
    assert_eq!(again, report);
}
