//! Readers of standard output that go away: no program panics, none hangs, none does
//! half of its work and calls it done.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::common::{CONF, but_lateness, home, web_server, words};

/// The status of a program that has nobody to write for.
const READER_GONE: Option<i32> = Some(141);

/// What becomes of a program whose reader goes away after so many bytes.
fn run(program: &str, line: &str, takes: u64) -> (Option<i32>, String) {
    let port = web_server().port().to_string();
    let conf = CONF.replace("8090", &port).replace("timeout   = 2", "timeout = 30");
    let home = home(&conf.replace("/1k.html", "/"));
    let log = "h - - [d] \"GET /a HTTP/1.1\" 200 1\n".repeat(20_000);
    std::fs::write(home.path().join("access.log"), log).unwrap();
    let mut command = Command::new(program);
    command.args(words(line)).current_dir(home.path()).env("HOME", home.path()).env("PATH", "");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut taken = Vec::new();
    // The pipe is closed when this statement is over.
    child.stdout.take().unwrap().take(takes).read_to_end(&mut taken).unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (child.wait().unwrap().code(), but_lateness(&stderr))
}

#[test]
fn a_sweep_ends_with_its_reader() {
    let sweep = "--single_host --low 200 --high 100000 --rate_step 200 --output_fmt csv";
    for (more, takes) in [(" --quiet", 0), (" --quiet", 1), (" --quiet", 300), ("", 0), ("", 5)] {
        let ended = run(env!("CARGO_BIN_EXE_autobench"), &format!("{sweep}{more}"), takes);
        assert_eq!(ended, (READER_GONE, String::new()), "{more:?} after {takes} bytes");
    }
}

#[test]
fn a_sweep_into_a_file_goes_on() {
    let sweep = "--single_host --quiet --low 200 --high 200 --output_fmt csv --file out.csv";
    let (status, stderr) = run(env!("CARGO_BIN_EXE_autobench"), sweep, 0);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_log_of_20000_lines_ends_with_its_reader() {
    for takes in [0, 1, 5000, 70_000] {
        let ended = run(env!("CARGO_BIN_EXE_sesslog"), "access.log", takes);
        assert_eq!(ended, (READER_GONE, String::new()), "after {takes} bytes");
    }
}

#[test]
fn what_is_made_is_made_though_nobody_reads_of_it() {
    for line in ["-f made -s 10", "-f other -s 100000 -w"] {
        let ended = run(env!("CARGO_BIN_EXE_crfile"), line, 0);
        assert_eq!(ended, (Some(0), String::new()), "{line}");
    }
}

#[test]
fn help_and_usage_do_not_panic() {
    for (program, line) in [
        (env!("CARGO_BIN_EXE_autobench"), "--help"),
        (env!("CARGO_BIN_EXE_autobench"), "--version"),
        (env!("CARGO_BIN_EXE_autobench_admin"), "--help"),
        (env!("CARGO_BIN_EXE_autobenchd"), "--help"),
        (env!("CARGO_BIN_EXE_bench2graph"), "--help"),
        (env!("CARGO_BIN_EXE_bench2graph"), "--version"),
        (env!("CARGO_BIN_EXE_bench2graph"), "nofile out.svg"),
        (env!("CARGO_BIN_EXE_crfile"), "--help"),
        (env!("CARGO_BIN_EXE_sesslog"), "--help"),
        (env!("CARGO_BIN_EXE_sesslog"), "--version"),
    ] {
        let (status, stderr) = run(program, line, 0);
        assert!(status.is_some_and(|status| status < 126), "{program} {line}: {status:?}");
        assert!(!stderr.contains("panicked"), "{program} {line}: {stderr}");
    }
}
