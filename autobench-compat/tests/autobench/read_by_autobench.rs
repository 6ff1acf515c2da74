//! The original autobench is a script that reads httperf's report line by line. Another
//! script that reads the same lines in the same way must find every figure in ours.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use autobench_compat::tester::{EngineTester, Tester};
use loadgen_core::target_server::{TargetOptions, TargetServer};

/// What is read of which line, by pattern; a figure of a rate has a point and one digit.
const SCRIPT: &str = r#"
function number(text) { return match(text, /^[0-9]+\.[0-9]/) ? substr(text, 1, RLENGTH) : "" }
function after(word) {
    return match($0, word) ? number(substr($0, RSTART + RLENGTH)) : ""
}
function found(name, value) { if (value != "" && !(name in seen)) { seen[name]; print name, value } }
/^Total: .*replies [0-9]/ { match($0, /replies [0-9]+/); found("replies", substr($0, RSTART + 8, RLENGTH - 8)) }
/^Connection rate: / { found("conn_rate", after("^Connection rate: ")) }
/^Request rate: / { found("req_rate", after("^Request rate: ")) }
/^Reply rate .*min [0-9]+\.[0-9] avg [0-9]+\.[0-9] max [0-9]+\.[0-9] stddev [0-9]+\.[0-9]/ {
    found("rep_rate_min", after("min ")); found("rep_rate_avg", after("avg "))
    found("rep_rate_max", after("max ")); found("rep_rate_stdv", after("stddev "))
}
/^Reply time .* response / { found("rep_time", after(" response ")) }
/^Net I\/O: / { found("net_io", after("^Net I/O: ")) }
/^Errors: total [0-9]/ { found("errors", $3) }
"#;

/// What the script finds in the report of a test of 20 connections of 2 calls, with these
/// options of httperf, and of what status the replies are.
fn found(options: &str, status: u16) -> Vec<(String, String)> {
    let target = TargetOptions::new().with_status(status);
    let target = TargetServer::bind(target).unwrap().spawn().unwrap();
    let port = target.local_addr().port();
    let line = format!("--server 127.0.0.1 --port {port} --num-conn 20 --num-call 2 {options}");
    let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let mut awk = Command::new("awk")
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut report = awk.stdin.take().unwrap();
    EngineTester.test(&arguments, &mut report, &AtomicBool::new(false)).unwrap();
    report.flush().unwrap();
    drop(report);
    let output = String::from_utf8(awk.wait_with_output().unwrap().stdout).unwrap();
    let pair = |line: &str| line.split_once(' ').map(|(name, value)| (name.into(), value.into()));
    output.lines().filter_map(pair).collect()
}

const NAMES: [&str; 10] = [
    "replies",
    "conn_rate",
    "req_rate",
    "rep_rate_min",
    "rep_rate_avg",
    "rep_rate_max",
    "rep_rate_stdv",
    "rep_time",
    "net_io",
    "errors",
];

#[test]
fn every_figure_is_found_where_the_original_looks() {
    for (options, status) in [
        ("--timeout 30 --rate 200", 200),
        ("--timeout 30 --rate 200 --verbose --hog", 200),
        ("--rate 0", 503),
        ("--rate 200 --print-reply=header", 200),
    ] {
        let found = found(options, status);
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, NAMES, "{options}");
        assert_eq!(found[0].1, "40", "{options}");
        assert!(found[2].1.parse::<f64>().unwrap() > 0.0, "{options}: {found:?}");
        assert_eq!(found[9].1, "0", "{options}");
    }
}
