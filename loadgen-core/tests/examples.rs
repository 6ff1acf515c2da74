//! The examples for embedders run, and say what they should.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::process::Command;

fn millis(ms: u64) -> std::time::Duration {
    std::time::Duration::from_millis(ms)
}

fn example(name: &str) -> String {
    example_of(name, &[])
}

fn example_of(name: &str, arguments: &[&str]) -> String {
    // target/PROFILE/deps/this-test → target/PROFILE/examples/NAME
    let this = std::env::current_exe().unwrap();
    let path: PathBuf = this.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing: run cargo test without --test", path.display());
    let output = Command::new(path).args(arguments).output().unwrap();
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
fn several_loads_have_figures_of_their_own() {
    let stdout = example("several_loads");
    // The built-in server sells nothing.
    assert!(stdout.contains("buy: 40 answered, 40 wrong, p90 None"), "{stdout}");
    assert!(stdout.contains("newcomers: 100 answered, 0 wrong, p90 Some("), "{stdout}");
    assert!(stdout.contains("load: ") && stdout.contains("{\"200\": "), "{stdout}");
}

#[test]
fn replies_are_checked() {
    let stdout = example("checked_replies");
    assert!(stdout.contains("1000 answered, "), "{stdout}");
}

#[test]
fn a_watched_run_is_stopped() {
    let stdout = example("watched");
    let (windows, rest) = stdout.split_once(" answered in ").unwrap();
    assert!(windows.lines().count() > 3, "{stdout}");
    assert_eq!(rest.matches("Answered(200)").count(), 3, "{stdout}");
}

#[test]
fn two_processes_carry_out_one_plan() {
    let stdout = example("merge");
    // A Poisson process of 500 a second, with the seed of a plan that says none.
    assert!(stdout.starts_with("520 of 520 calls answered by 2 processes; p90 Some("), "{stdout}");
}

#[test]
fn a_sweep_is_watched() {
    let stdout = example("sweep");
    assert!(stdout.contains("step 1 at 200/s: "), "{stdout}");
    assert!(["200/s", "400/s", "600/s", "800/s"].iter().all(|rate| stdout.contains(rate)));
    assert_eq!(stdout.matches(": p90 Some(").count(), 4, "{stdout}");
}

#[test]
fn freezes_are_told_as_they_come() {
    let stdout = example("freezes");
    assert!(stdout.matches("  froze for ").count() >= 2, "{stdout}");
    assert!(stdout.contains("availability  "), "{stdout}");
}

#[test]
fn slow_calls_are_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let server = loadgen_core::target_server::TargetOptions::new().with_delay(millis(60));
    let server = loadgen_core::target_server::TargetServer::bind(server).unwrap().spawn().unwrap();
    let stdout = example_of("raw_calls", &[&server.url(), folder.path().to_str().unwrap()]);
    assert!(stdout.starts_with("100 slow calls in "), "{stdout}");
    let text = std::fs::read_to_string(folder.path().join("worker-1.csv")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 50, "{text}");
    lines.sort_unstable();
    assert!(lines[0].starts_with("0.010,") && lines[0].ends_with(",Answered(200)"), "{text}");
    // By itself it finds the server's own freezes.
    assert!(!example("raw_calls").starts_with("0 slow calls"));
}

#[test]
fn an_experiment_tells_its_cells_apart() {
    let kept = tempfile::tempdir().unwrap();
    let stdout = example_of("experiment", &[kept.path().join("out").to_str().unwrap()]);
    let trials: u32 = stdout.split(' ').next().unwrap().parse().unwrap();
    assert!(trials >= 6 && stdout.contains(" trials, 0 left"), "{stdout}");
    assert!(stdout.contains("Response time, p50"), "{stdout}");
    assert!(stdout.contains("delay_ms: 2 → 20"), "{stdout}");
}

#[cfg(feature = "tokio")]
#[test]
fn a_run_is_awaited_and_another_given_up() {
    let stdout = example("in_tokio");
    assert!(stdout.contains("500 of 500 calls answered\ngiven up\n"), "{stdout}");
    assert!(stdout.lines().count() > 5, "{stdout}");
}

/// What an embedder does is short.
#[test]
fn examples_are_short() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut examples = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        let most = if path.ends_with("own_trigger.rs") { 100 } else { 60 };
        assert!(lines <= most, "{}: {lines} lines", path.display());
        examples += 1;
    }
    assert!(examples >= 12, "{examples}");
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
