//! The examples for embedders run, and say what they should.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::process::Command;

fn example(name: &str) -> String {
    // target/PROFILE/deps/this-test → target/PROFILE/examples/NAME
    let this = std::env::current_exe().unwrap();
    let path: PathBuf = this.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing: run cargo test without --test", path.display());
    let output = Command::new(path).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    stdout
}

#[test]
fn embed_answers_every_call() {
    let stdout = example("embed");
    assert!(stdout.contains("400 of 400 calls answered"), "{stdout}");
}

#[test]
fn sessions_all_succeed() {
    let stdout = example("sessions");
    assert!(stdout.contains("10 sessions succeeded, 0 failed; 50 replies"), "{stdout}");
}

#[test]
fn own_requests_are_told_by_tag() {
    let stdout = example("own_requests");
    assert!(stdout.contains("read: 900 answered"), "{stdout}");
    assert!(stdout.contains("write: 100 answered"), "{stdout}");
}

#[test]
fn own_trigger_shows_the_outage() {
    let stdout = example("own_trigger");
    assert!(stdout.contains("pause"), "{stdout}");
    assert!(stdout.contains("outage, established"), "{stdout}");
    // Stopped for at least 300 ms: the outage has three digits before the point.
    let line = stdout.lines().find(|line| line.contains("outage, established")).unwrap();
    let gap: f64 = line.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!(gap >= 250.0, "{line}");
}

/// The promise is a trigger of one's own in under 30 lines of `impl Trigger`, and
/// under 45 with its state.
#[test]
fn own_trigger_is_short() {
    let source = include_str!("../examples/own_trigger.rs");
    let implementation = source.split("impl Trigger for Pause").nth(1).unwrap();
    let lines = implementation.split("// End of the trigger.").next().unwrap().lines().count();
    assert!(lines < 30, "{lines}");
}
