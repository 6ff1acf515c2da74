//! What the program says of itself, kept as snapshots: a change of the help is a
//! change that users see. `INSTA_UPDATE=always cargo test --test cli help` renews them.

use crate::common::run;

#[track_caller]
fn snapshot(name: &str, args: &[&str]) {
    let outcome = run(args).exits_with(0);
    assert_eq!(outcome.stderr, "");
    insta::assert_snapshot!(name, outcome.stdout);
}

#[test]
fn short_help() {
    snapshot("loadgen", &["-h"]);
    snapshot("run", &["run", "-h"]);
    snapshot("sweep", &["sweep", "-h"]);
    snapshot("migrate", &["migrate", "-h"]);
    snapshot("watch", &["watch", "-h"]);
    snapshot("target", &["target", "-h"]);
    snapshot("report", &["report", "-h"]);
    snapshot("merge", &["merge", "-h"]);
    snapshot("experiment", &["experiment", "-h"]);
    snapshot("compare", &["compare", "-h"]);
}

#[test]
fn long_help() {
    snapshot("loadgen_long", &["--help"]);
    snapshot("run_long", &["run", "--help"]);
    snapshot("sweep_long", &["sweep", "--help"]);
    snapshot("migrate_long", &["migrate", "--help"]);
    snapshot("watch_long", &["watch", "--help"]);
    snapshot("target_long", &["target", "--help"]);
    snapshot("report_long", &["report", "--help"]);
    snapshot("merge_long", &["merge", "--help"]);
    snapshot("experiment_long", &["experiment", "--help"]);
    snapshot("compare_long", &["compare", "--help"]);
}

#[test]
fn nothing_given_shows_the_help_and_is_an_error_of_usage() {
    let outcome = run::<&str>([]).exits_with(2);
    assert!(outcome.stderr.contains("Usage: loadgen <COMMAND>"), "{}", outcome.stderr);
}

#[test]
fn version_completions_and_manual() {
    let version = run(["--version"]).exits_with(0).stdout;
    assert_eq!(version, format!("loadgen {}\n", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(["completions", shell]).exits_with(0).stdout;
        assert!(script.contains("migrate") && script.contains("probe-rate"), "{shell}");
    }
    let page = run(["man"]).exits_with(0).stdout;
    assert!(page.starts_with(".ie") && page.contains(".TH loadgen 1"), "{page}");
    let dir = tempfile::tempdir().unwrap();
    run(["man", "--dir", dir.path().to_str().unwrap()]).exits_with(0);
    for name in
        ["loadgen.1", "loadgen-run.1", "loadgen-sweep.1", "loadgen-migrate.1", "loadgen-target.1"]
    {
        assert!(dir.path().join(name).exists(), "{name}");
    }
}
