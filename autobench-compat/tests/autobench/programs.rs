//! The programs themselves, with loadgen's engine against a small web server, and no
//! program in reach. One test is with the real httperf, where that is on the `PATH`;
//! where `CI` is set it must be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use autobench_compat::tester::ProcessTester;
use loadgen_core::target_server::{TargetOptions, TargetServer};

use crate::common::{CONF, but_lateness, closed_port, eventually, home, web_server, words};
use crate::require::require;

/// For a server at this port, with time for a machine that stands still.
fn conf_of(port: u16) -> String {
    CONF.replace("8090", &port.to_string()).replace("timeout   = 2", "timeout = 30")
}

fn conf() -> String {
    conf_of(web_server().port()).replace("/1k.html", "/")
}

fn run(program: &str, conf: &str, line: &str) -> Output {
    let home = home(conf);
    Command::new(program)
        .args(words(line))
        .env("HOME", home.path())
        .env("PATH", "")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The rows of a sweep of two steps, without the line of names.
fn rows(output: &Output) -> Vec<Vec<&str>> {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let rows: Vec<Vec<&str>> =
        text(&output.stdout).lines().map(|row| row.split('\t').collect()).collect();
    assert_eq!(rows.len(), 3, "{rows:?}");
    rows[1..].to_vec()
}

const STEPS: &str = "--single_host --quiet --low 200 --high 400 --rate_step 200";

fn is_sound(rows: &[Vec<&str>]) {
    assert!(rows.iter().all(|row| row.len() == 10), "{rows:?}");
    assert_eq!((rows[0][0], rows[1][0]), ("400", "800"));
    assert_eq!((rows[0][9], rows[1][9]), ("0", "0"), "no errors");
    assert!(rows[0][1].parse::<f64>().unwrap() > 0.0, "a request rate: {rows:?}");
}

#[test]
fn a_sweep_loads_the_server_with_what_it_says() {
    let target = TargetServer::bind(TargetOptions::new()).unwrap().spawn().unwrap();
    let conf = conf_of(target.local_addr().port());
    let output = run(env!("CARGO_BIN_EXE_autobench"), &conf, STEPS);
    is_sound(&rows(&output));
    assert_eq!(but_lateness(text(&output.stderr)), "");
    let truth = target.stop().unwrap();
    assert_eq!(truth.connections_accepted, 2 * 40);
    assert_eq!((truth.requests_read, truth.replies_sent), (2 * 80, 2 * 80));
}

#[test]
fn every_step_is_in_the_json_with_its_report() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("steps.json");
    let line = format!("{STEPS} --json {}", file.display());
    let output = run(env!("CARGO_BIN_EXE_autobench"), &conf(), &line);
    let rows = rows(&output);
    let text = std::fs::read_to_string(&file).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let steps = document["steps"].as_array().unwrap();
    assert_eq!(steps.len(), rows.len());
    for (step, row) in steps.iter().zip(rows) {
        let cell = |n: usize| row[n].parse::<f64>().unwrap();
        assert_eq!(step["dem_req_rate"], cell(0));
        let server = &step["servers"][0];
        assert_eq!(server["host"], "127.0.0.1");
        assert_eq!(server["figures"]["req_rate"], cell(1));
        assert_eq!(server["figures"]["errors"], cell(9));
        let report = loadgen_core::Report::from_json(&server["report"].to_string()).unwrap();
        assert_eq!(report.sessions.unwrap().replies.completed, 80);
    }
}

#[test]
fn a_json_file_that_cannot_be() {
    let output = run(env!("CARGO_BIN_EXE_autobench"), &conf(), "--single_host --json /no/where");
    assert_eq!(output.status.code(), Some(2), "ENOENT");
    assert_eq!(text(&output.stdout), "", "before anything is measured");
    assert!(text(&output.stderr).starts_with("Cannot write /no/where: "), "{output:?}");
}

#[test]
fn the_page_has_the_curves_and_says_whether_the_server_kept_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sweep.html");
    let line = format!("{STEPS} --num_conn 100 --html {}", file.display());
    rows(&run(env!("CARGO_BIN_EXE_autobench"), &conf(), &line));
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.contains("<svg") && page.contains("2 of 2 steps"), "{page}");

    // One connection at a time takes 100 ms: at 200 a second most are late.
    let delay = TargetOptions::new().with_delay(Duration::from_millis(50));
    let target = TargetServer::bind(delay).unwrap().spawn().unwrap();
    let conf = conf_of(target.local_addr().port());
    let line = format!("{line} --num_conn 20 --high 200");
    let conf = format!("{conf}httperf_rate = 0\n");
    let output = run(env!("CARGO_BIN_EXE_autobench"), &conf, &line);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.contains("saturation below 400"), "{page}");
}

#[test]
fn the_highest_rate_that_holds_is_searched() {
    // Every reply takes 2 s: the one objective holds at any rate, the other at none.
    let delay = TargetOptions::new().with_delay(Duration::from_secs(2));
    let target = TargetServer::bind(delay).unwrap().spawn().unwrap();
    let conf = conf_of(target.local_addr().port());
    let line = "--single_host --quiet --num_call 1 --low 100 --high 110 --slo";
    // A machine that stands still makes tests that are not valid, or servers that seem
    // to fall behind, and so another answer: then once more.
    let answered = |objective: &str, answer: &str| {
        let line = format!("{line} {objective}");
        let search = || run(env!("CARGO_BIN_EXE_autobench"), &conf, &line);
        let mut outputs = (0..10).map(|_| search());
        // A machine that is too busy for its own schedule is told of before it.
        outputs.find(|output| text(&output.stderr).ends_with(answer)).unwrap()
    };
    let answer = "autobench: p50<20s holds at high_rate, 110 connections per second\n";
    let output = answered("p50<20s", answer);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let last = text(&output.stdout).lines().last().unwrap();
    assert!(last.starts_with("110\t"), "a row each: {last}");

    let answer = "autobench: p50<1s does not hold at low_rate, 100 connections per second\n";
    answered("p50<1s", answer);
}

#[test]
fn a_page_of_two_servers_cannot_be() {
    let output = run(env!("CARGO_BIN_EXE_autobench"), &conf(), "--html /no/where");
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).ends_with("add --single_host, leave out --httperf\n"));
}

#[test]
fn options_that_httperf_does_not_have_are_told_once() {
    let conf = format!("{}httperf_hogg = NULL\n", conf());
    let line = "--single_host --quiet --low 200 --high 200";
    let output = run(env!("CARGO_BIN_EXE_autobench"), &conf, line);
    assert_eq!(output.status.code(), Some(0));
    let warning = "autobench: warning: httperf_hogg: httperf has no such option\n";
    assert_eq!(text(&output.stderr).matches(warning).count(), 1, "{output:?}");
    assert!(text(&output.stdout).ends_with("400\t\t\t\t\t\t\t\t\t101\n"), "{output:?}");
}

#[test]
fn a_sweep_with_the_real_httperf() {
    if !require(ProcessTester::find("httperf").is_some(), "httperf", "httperf") {
        return;
    }
    let home = home(&conf());
    let output = Command::new(env!("CARGO_BIN_EXE_autobench"))
        .args(words(&format!("{STEPS} --httperf httperf")))
        .env("HOME", home.path())
        .output()
        .unwrap();
    is_sound(&rows(&output));
}

#[test]
fn reports_are_shown_unless_quiet_and_go_before_their_row() {
    let program = env!("CARGO_BIN_EXE_autobench");
    let line = "--single_host --low 200 --high 200 --output_fmt csv";
    let output = run(program, &conf(), line);
    let out = text(&output.stdout);
    assert!(out.starts_with("dem_req_rate,"), "{out}");
    let report = out.find("\nTotal: connections 40 requests 80 replies 80 ").unwrap();
    assert!(report < out.find("\n400,").unwrap(), "{out}");
}

#[test]
fn a_server_that_is_not_there() {
    let program = env!("CARGO_BIN_EXE_autobench");
    let (_held, port) = closed_port();
    let line = format!("--single_host --quiet --low 200 --high 200 --port1 {port}");
    let output = run(program, CONF, &line);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).ends_with("\t101\n"), "{output:?}");
    assert!(text(&output.stderr).ends_with("Zero replies received, test invalid: rate 200\n"));
}

#[test]
fn a_program_that_is_not_there() {
    let program = env!("CARGO_BIN_EXE_autobench");
    let output = run(program, CONF, "--single_host --httperf no-such-httperf");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("Cannot find httperf in $PATH; "), "{output:?}");
}

#[test]
fn help_needs_no_configuration() {
    for (program, name) in [
        (env!("CARGO_BIN_EXE_autobench"), "autobench"),
        (env!("CARGO_BIN_EXE_autobench_admin"), "autobench_admin"),
        (env!("CARGO_BIN_EXE_autobenchd"), "autobenchd"),
    ] {
        let output = Command::new(program).arg("--help").env("HOME", "/none").output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).starts_with(&format!("Usage: {name} ")), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

/// A daemon of its own process, which ends with the test.
struct Daemon {
    child: Child,
    port: u16,
}

impl Daemon {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_autobenchd"))
            .args(["--listen", "127.0.0.1:0", "--verbose"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        log.read_line(&mut first).unwrap();
        let port = first.trim().rsplit_once(':').unwrap().1.parse().unwrap();
        // Nobody else reads it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, port }
    }

    fn end(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        let mut status = None;
        eventually("the daemon ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn two_daemons_and_an_admin() {
    let (mut first, mut second) = (Daemon::start(), Daemon::start());
    let line = format!(
        "--single_host --low 100 --high 100 --num_conn 41 --clients 127.0.0.1:{},localhost:{}",
        first.port, second.port
    );
    let output = run(env!("CARGO_BIN_EXE_autobench_admin"), &conf(), &line);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let row: Vec<&str> = text(&output.stdout).lines().last().unwrap().split('\t').collect();
    assert_eq!((row[0], row[9], row[11]), ("200", "0", "82"), "{row:?}");
    assert_eq!((first.end().code(), second.end().code()), (Some(0), Some(0)));
}

#[test]
fn sigterm_ends_the_test_and_tells_the_admin() {
    let mut daemon = Daemon::start();
    let mut admin = TcpStream::connect(("127.0.0.1", daemon.port)).unwrap();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let port = web_server().port();
    let line = format!("--server 127.0.0.1 --port {port} --rate 1 --num-conns 600\n");
    admin.write_all(format!("{line}{now_s}\nEND_AB\n").as_bytes()).unwrap();
    let mut accepted = [0; 9];
    admin.read_exact(&mut accepted).unwrap();
    assert_eq!(daemon.end().code(), Some(0));
    let mut rest = String::new();
    admin.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "BENCH_FAILED\n\n");
}

#[test]
fn a_port_that_is_taken() {
    let daemon = Daemon::start();
    let output = Command::new(env!("CARGO_BIN_EXE_autobenchd"))
        .args(["--port", &daemon.port.to_string()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(98), "EADDRINUSE");
    let told = format!(
        "autobenchd: Couldn't bind to port {}: Address already in use (127.0.0.1)\n",
        daemon.port
    );
    assert_eq!(text(&output.stderr), told);
}

/// Escape sequences in the configuration, on the command line and in names of files act
/// on nobody's terminal.
#[test]
fn nothing_steers_the_terminal() {
    const BAD: &str = "\u{1b}[2J\u{7}\u{9b}31m\u{202e}";
    let conf = format!("{CONF}\n{BAD} = 1\n{BAD}\nhost1 = {BAD}\noutput_fmt = {BAD}\n");
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    std::fs::write(&results, format!("rate\ta{BAD}\n{BAD}\n1\t2\n")).unwrap();
    let results = results.to_str().unwrap();
    let existing = folder.path().join(BAD);
    std::fs::write(&existing, "").unwrap();
    let existing = existing.to_str().unwrap();
    let cases: [(&str, &[&str]); 8] = [
        (env!("CARGO_BIN_EXE_autobench"), &["--single_host"]),
        (env!("CARGO_BIN_EXE_autobench"), &["--single_host", "--output_fmt", BAD, "--BAD", BAD]),
        (env!("CARGO_BIN_EXE_autobench_admin"), &["--clients", BAD]),
        (env!("CARGO_BIN_EXE_autobenchd"), &["--bindaddr", BAD]),
        (env!("CARGO_BIN_EXE_bench2graph"), &[results, existing]),
        (env!("CARGO_BIN_EXE_bench2graph"), &[results, "/no/such/x.svg", BAD]),
        (env!("CARGO_BIN_EXE_sesslog"), &[BAD]),
        (env!("CARGO_BIN_EXE_crfile"), &["-f", BAD, "-s", BAD]),
    ];
    let mut shown = 0;
    for (program, args) in cases {
        let home = home(&conf);
        let output = Command::new(program)
            .args(args)
            .current_dir(home.path())
            .env("HOME", home.path())
            .env("PATH", "")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        for said in [&output.stdout, &output.stderr] {
            let said = text(said);
            let acts = |c: char| c.is_control() && !"\n\t".contains(c) || c == '\u{202e}';
            assert!(!said.contains(acts), "{program} {args:?}: {said:?}");
            shown += usize::from(said.contains("\\u{1b}[2J"));
        }
    }
    assert!(shown >= 3, "the text got nowhere: {shown}");
}
