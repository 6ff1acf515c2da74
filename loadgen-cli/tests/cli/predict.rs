//! `loadgen predict`: numbers in, a prediction out; nothing is moved.

use std::fs;

use serde_json::Value;

use crate::common::{Outcome, run, saved};

const MACHINE: [&str; 7] =
    ["predict", "--memory", "2GiB", "--dirty", "40MiB/s", "--working-set", "200MiB"];

fn predict(more: &[&str]) -> Outcome {
    run(MACHINE.iter().chain(more))
}

fn strategies(document: &Value) -> &Vec<Value> {
    document["predictions"][0]["strategies"].as_array().unwrap()
}

#[test]
fn numbers_give_every_strategy() {
    let users = ["--rate", "500", "--probe-rate", "50", "--max-lost", "0", "--timeout", "5s"];
    let outcome = predict(&[&["--bandwidth", "1Gbit/s", "--format", "json"], &users[..]].concat());
    let document = outcome.exits_with(0).json();
    let names: Vec<&str> =
        strategies(&document).iter().map(|of| of["strategy"].as_str().unwrap()).collect();
    assert_eq!(names, ["stop-and-copy", "pre-copy", "hybrid", "post-copy"]);
    // 2 GiB and 1 MiB of devices over 125 MB/s, and 20 ms to resume.
    let total = strategies(&document)[0]["total_s"].as_f64().unwrap();
    assert!((total - (2049.0 * 1_048_576.0 / 125e6 + 0.02)).abs() < 1e-9, "{total}");
    let lost = strategies(&document)[0]["users"]["fresh"]["failed"].as_u64().unwrap();
    assert!(lost > 500, "{lost}");
    assert_eq!(strategies(&document)[0]["breaks"][0]["figure"], "lost_calls");
    assert_ne!(document["predictions"][0]["best"]["strategy"], "stop-and-copy");
}

/// What it says would help does.
#[test]
fn what_does_not_converge_is_said_with_what_would_help() {
    let asked = ["--dirty", "190MiB/s", "--strategy", "pre-copy"];
    let at = |bandwidth: &str| {
        let machine =
            ["predict", "--memory", "2GiB", "--working-set", "400MiB", "--format", "json"];
        run(machine.iter().chain(&asked).chain(&["--bandwidth", bandwidth]))
    };
    let outcome = at("1Gbit/s").exits_with(3);
    assert!(outcome.stderr.contains("no strategy holds the limits"), "{}", outcome.stderr);
    let document = outcome.json();
    assert_eq!(strategies(&document)[0]["total_s"], Value::Null);
    let enough =
        document["predictions"][0]["thresholds"]["bandwidth_bytes_per_s"].as_f64().unwrap();
    at(&format!("{}B/s", (enough * 1.01).ceil())).exits_with(0);
}

#[test]
fn a_prediction_is_kept_and_rendered() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    let (json, html, again) = (path("p.json"), path("p.html"), path("again.html"));
    predict(&["--bandwidth", "1Gbit/s", "-o", &json, "--html", &html]).exits_with(0);
    let text = run(["report", &json]).exits_with(0).stdout;
    assert_eq!(text, predict(&["--bandwidth", "1Gbit/s"]).exits_with(0).stdout);
    run(["report", &json, "--html", &again]).exits_with(0);
    assert_eq!(fs::read(&html).unwrap(), fs::read(&again).unwrap());
    assert_eq!(saved(json.as_ref())["schema"], "loadgen-prediction/1");
    let outcome = run(["report", &json, "--csv", "-"]).exits_with(2);
    assert!(outcome.stderr.contains("there is no --csv"), "{}", outcome.stderr);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let cases: [(&[&str], &str); 8] = [
        (&[], "without --bandwidth"),
        (&["--bandwidth", "0"], "the bandwidth must be a number above 0"),
        (&["--bandwidth", "1Gb/s"], "Gbit"),
        (&["--bandwidth", "1Gbit/s", "--compression", "0%"], "share above 0"),
        (&["--bandwidth", "1Gbit/s", "--strategy", "magic"], "stop-and-copy"),
        (&["--bandwidth", "1Gbit/s", "--rate", "10", "--syn-steps", "3s,1s"], "must rise"),
        (&["--bandwidth", "1Gbit/s", "--rate", "10", "--connections", "0"], "connections must be"),
        (&["--bandwidth", "1Gbit/s", "-o", "missing/p.json"], "does not exist"),
    ];
    for (more, words) in cases {
        let outcome = predict(more).exits_with(2);
        assert!(outcome.stderr.contains(words), "{more:?}: {}", outcome.stderr);
        assert!(outcome.stdout.is_empty());
    }
}
