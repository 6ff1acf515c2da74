//! Errors of usage: exit code 2, and a message that names the cause and the mend.

use crate::common::run;

#[track_caller]
fn refused(args: &[&str], words: &[&str]) {
    let outcome = run(args).exits_with(2).says(words);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.starts_with("error: "), "{}", outcome.stderr);
}

#[test]
fn run_names_the_offending_value() {
    let url = "http://127.0.0.1:9/";
    refused(&["run"], &["URL|REPORT.json"]);
    refused(&["run", url], &["--rate", "--closed"]);
    refused(&["run", url, "--rate", "0"], &["rate", "above 0", "0"]);
    refused(&["run", url, "--rate", "-5"], &["-5"]);
    refused(&["run", url, "--rate", "fast"], &["fast", "a rate", "1000/s"]);
    refused(&["run", url, "--rate", "5", "--closed"], &["--closed", "--rate"]);
    refused(&["run", url, "-r", "5", "-d", "10x"], &["10x", "a duration", "250ms"]);
    refused(&["run", url, "-r", "5", "-d", "0"], &["duration", "above 0 s"]);
    refused(&["run", url, "-r", "5", "-d", "1s", "--warmup", "2s"], &["warm-up", "shorter"]);
    refused(&["run", url, "-r", "5", "-c", "0"], &["connections", "1 to 1,000,000"]);
    refused(&["run", url, "-r", "5", "-c", "1", "--threads", "2"], &["--connections", "--threads"]);
    refused(&["run", url, "-r", "5", "--header", "no colon"], &["NAME: VALUE"]);
    refused(&["run", url, "-r", "5", "--header", "a b: c"], &["header name", "a b"]);
    refused(&["run", url, "-r", "5", "--slo", "p99>1ms"], &["p99>1ms", "METRIC<LIMIT"]);
    refused(&["run", url, "-r", "5", "--connect-to", "here"], &["--connect-to", "here"]);
    refused(&["run", url, "-r", "5", "--body", "a", "--body-file", "b"], &["--body-file"]);
    refused(&["run", url, "-r", "5", "--body-file", "/no/such"], &["/no/such", "No such file"]);
    refused(&["run", url, "-r", "5", "-k"], &["URL is http", "make it https"]);
    refused(&["run", "https://a/", "-r", "5", "-k", "--ca", "x"], &["--insecure", "--ca"]);
    refused(&["run", "https://a/", "-r", "5", "--key", "x"], &["--cert"]);
    refused(&["run", "https://a/", "-r", "5", "--tls-version", "1.1"], &["1.2", "1.3"]);
    refused(&["run", url, "-r", "5", "--precision", "very"], &["low", "normal", "high"]);
    refused(&["run", url, "-r", "5", "--close", "hard"], &["server", "client", "reset"]);
    refused(&["run", url, "-r", "5", "--close", "reset"], &["--calls-per-connection"]);
    let newcomers = ["run", url, "-r", "5", "--calls-per-connection", "1", "--probe-rate", "5"];
    refused(&newcomers, &["leave out the probe", "--probe-rate"]);
    refused(&["run", url, "-r", "5", "--pipeline", "0"], &["--pipeline", "1 to 1024"]);
    refused(&["run", url, "-r", "5", "--pipeline", "1025"], &["1025"]);
    refused(
        &["run", url, "-r", "5", "--pipeline", "2", "--calls-per-connection", "1"],
        &["nothing to pipeline"],
    );
    refused(&["run", url, "-r", "5", "--max-connecting", "0"], &["--max-connecting", "at least 1"]);
    refused(&["run", url, "-r", "5", "--connect-rate", "0"], &["--connect-rate", "0.001"]);
    refused(&["run", url, "-r", "5", "--read-rate", "0"], &["--read-rate", "1 byte"]);
    refused(&["run", url, "-r", "5", "--read-rate", "slow"], &["slow", "bytes per second"]);
}

#[test]
fn strategy_is_for_programs() {
    for trigger in ["simulated", "qmp:/no.sock,to=tcp:a:1"] {
        let args = ["migrate", "http://127.0.0.1:9/", "--strategy", "post-copy"];
        let args = [&args[..], &["--trigger", trigger]].concat();
        refused(&args, &["--strategy is for command:", "strategy=post-copy"]);
    }
}

#[test]
fn places_that_cannot_be_written_are_found_before_the_run() {
    // Nobody listens at this URL: had the run begun, the exit code would be 1.
    let run_to = |out: &'static str| ["run", "http://127.0.0.1:9/", "-r", "5", "-o", out];
    refused(&run_to("/no/such/dir/r.json"), &["/no/such/dir/r.json", "does not exist"]);
    refused(&run_to("/tmp"), &["'/tmp'", "it is a directory"]);
    refused(&run_to("/proc/r.json"), &["/proc/r.json"]);
    refused(&run_to("r.html"), &["--html r.html", "-o report.json"]);
    for option in ["--arrivals", "--calls"] {
        refused(&["target", option, "/no/such/dir/a"], &["/no/such/dir/a"]);
    }
    let both = ["target", "--calls", "/dev/null", "-o", "/dev/null"];
    refused(&both, &["cannot take the ground truth and times", "--output another file"]);
    let twice = ["target", "--arrivals", "/dev/null", "--calls", "/dev/null"];
    refused(&twice, &["the file for the times of calls must be another one", "/dev/null"]);
    refused(&["target", "-o", "/no/such/dir/a"], &["/no/such/dir/a"]);
}

#[test]
fn target_names_the_offending_value() {
    refused(&["target", "--listen", "nowhere"], &["--listen", "nowhere"]);
    refused(&["target", "--freeze", "5s"], &["5s", "500ms/5s"]);
    refused(&["target", "--freeze", "5s/1s"], &["5s"]);
    refused(&["target", "--status", "42"], &["status", "42"]);
    refused(&["target", "--body", "many"], &["many", "bytes"]);
    refused(&["target", "--chunked", "0"], &["chunk", "at least 1 byte"]);
}

#[test]
fn report_names_what_is_wrong_with_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.json");
    let name = path.to_str().unwrap();
    refused(&["report", name], &["x.json", "No such file"]);
    std::fs::write(&path, "{\"schema\": ").unwrap();
    refused(&["report", name], &["x.json", "not JSON", "line 1"]);
    std::fs::write(&path, "{\"schema\": \"loadgen-report/99\"}").unwrap();
    refused(&["report", name], &["loadgen-report/99", "loadgen-report/1"]);
    let empty = tempfile::tempdir().unwrap();
    refused(&["report", empty.path().to_str().unwrap()], &["holds no report"]);
}

#[test]
fn nobody_listens() {
    run(["run", "http://127.0.0.1:9/", "-r", "5"])
        .exits_with(1)
        .says(&["cannot connect to 127.0.0.1:9", "is the server running?"]);
    run(["run", "http://no-such-host.invalid/", "-r", "5"])
        .exits_with(1)
        .says(&["cannot resolve", "no-such-host.invalid"]);
}
