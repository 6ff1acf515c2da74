//! SIGINT, SIGTERM and SIGHUP at any moment: the report of what was measured is
//! saved, the exit code tells the signal. Twice: the process ends at once.

use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::common::{self, Target, Watched, is_alive, loadgen, saved};

/// A migration that takes a minute and more.
const LONG: &str = "simulated:memory=2GiB,dirty=8MiB/s,bandwidth=32MiB/s";

/// One that takes two seconds.
const SHORT: &str = "simulated:memory=64MiB,dirty=4MiB/s,bandwidth=32MiB/s";

/// Interrupts a simulated migration once stderr has the word. The part of the run
/// that is interrupted is given a minute, which no delay of the signal uses up.
fn interrupt_migration(
    [warmup, before, migration, after]: [&str; 4],
    word: &str,
    signal: &str,
    code: i32,
) -> serde_json::Value {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let args = ["migrate", "--warmup", warmup, "--before", before, "--after", after, "--trigger"];
    let args = args.into_iter().chain([migration, "-o", file.to_str().unwrap()]);
    // Somebody may run the tests under nohup, which is inherited: then SIGHUP says nothing.
    let mut command = std::process::Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_loadgen")]).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Watched::spawn(command);
    running.wait_for(word);
    running.signal(signal);
    running.finish().exits_with(code).says(&["report written to"]);
    let report = saved(&file);
    assert_eq!(report["interrupted"], true);
    report
}

#[test]
fn ctrl_c_before_the_load() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    // A QMP socket that is accepted and never greets: the preparation hangs in it.
    let socket = dir.path().join("qmp.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let spec = format!("qmp:{},to=tcp:127.0.0.1:4444", socket.display());
    let running = Watched::spawn(loadgen(["migrate", &target.url, "--trigger", &spec]));
    let silent = listener.accept().unwrap();
    running.signal("INT");
    running.finish().exits_with(130).says(&["stopping", "nothing was measured"]);
    drop(silent);
    assert_eq!(target.end().json()["requests_read"], 0);
}

/// A server whose backlog is full: no handshake ends. It is full for as long as both
/// of these live.
fn full() -> (Socket, TcpStream, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let waiting = TcpStream::connect(address).unwrap();
    (socket, waiting, address)
}

/// Whether somebody waits for a port of this machine to take up the handshake.
fn connecting_to(port: u16) -> bool {
    let to = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|line| {
        let mut columns = line.split_whitespace().skip(2);
        columns.next().is_some_and(|remote| remote.ends_with(&to)) && columns.next() == Some("02")
    })
}

/// Interrupts a command in its first connect, which has ten minutes: ten times what
/// the test waits for its end.
fn interrupt_first_connect(args: &[&str]) {
    let (_listener, _waiting, address) = full();
    let url = format!("http://{address}/");
    let args = args.iter().map(|arg| if *arg == "URL" { &url } else { *arg });
    let running = Watched::spawn(loadgen(args.chain(["--timeout", "10m"])));
    common::wait_until("loadgen connects", || connecting_to(address.port()));
    running.signal("INT");
    let outcome = running.finish().exits_with(130);
    let outcome = outcome.says(&["stopping", "before the load began, nothing was measured"]);
    assert_eq!(outcome.stdout, "");
}

#[test]
fn ctrl_c_in_the_first_connect_of_a_run() {
    interrupt_first_connect(&["run", "URL", "-r", "10"]);
    interrupt_first_connect(&["run", "URL", "--closed", "--threads", "1"]);
}

#[test]
fn ctrl_c_in_the_first_connect_of_a_sweep() {
    interrupt_first_connect(&["sweep", "URL", "--rates", "10,20"]);
}

#[test]
fn ctrl_c_in_the_first_connect_of_a_migration() {
    interrupt_first_connect(&["migrate", "URL", "--trigger", "command:true"]);
}

#[test]
fn ctrl_c_while_warming_up() {
    let report = interrupt_migration(["60s", "2s", SHORT, "2s"], "warm-up", "INT", 130);
    assert_eq!(report["verdict"]["status"], "invalid");
    assert!(report["migration"]["ending"].is_null(), "{}", report["migration"]);
}

#[test]
fn ctrl_c_before_the_migration() {
    let report = interrupt_migration(["1s", "60s", SHORT, "2s"], "before", "INT", 130);
    assert!(report["migration"]["ending"].is_null(), "{}", report["migration"]);
    assert_eq!(report["verdict"]["status"], "invalid");
}

#[test]
fn ctrl_c_in_the_migration() {
    let report = interrupt_migration(["1s", "2s", LONG, "2s"], "round 1", "INT", 130);
    assert_ne!(report["migration"]["ending"], "completed");
    assert!(report["counts"]["answered"].as_u64().unwrap() > 100);
    assert!(report["events"].as_array().unwrap().iter().any(|e| e["name"] == "round"));
}

#[test]
fn terminate_after_the_migration() {
    let report =
        interrupt_migration(["1s", "2s", SHORT, "60s"], "simulated: completed", "TERM", 143);
    assert_eq!(report["migration"]["ending"], "completed");
    assert!(report["migration"]["downtime_ms"]["events"].as_f64().is_some());
}

#[test]
fn ctrl_c_in_a_run_keeps_its_first_part() {
    let target = Target::start(&["--delay", "1ms"]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let args = ["run", &target.url, "-r", "200", "-d", "60s", "--slo", "p50<1us", "-o"];
    let mut running = Watched::spawn(loadgen(args.into_iter().chain([file.to_str().unwrap()])));
    running.wait_for_second(1.0);
    running.signal("INT");
    running.finish().exits_with(130).says(&["stopping", "objectives were not judged"]);
    let report = saved(&file);
    assert_eq!(report["interrupted"], true);
    assert_ne!(report["verdict"]["status"], "valid");
    let count = |name: &str| report["counts"][name].as_u64().unwrap();
    // Of the 12,000 of a minute.
    assert!((1..6000).contains(&count("answered")), "{}", report["counts"]);
    assert_eq!(count("offered"), count("answered") + count("unfinished"), "{}", report["counts"]);
    let truth = target.end().exits_with(0).json();
    assert!(truth["replies_sent"].as_u64().unwrap() >= count("answered"), "{truth}");
}

#[test]
fn ctrl_c_in_the_drain_of_a_silent_server() {
    let target = Target::start(&["--delay", "50s"]);
    let args = ["run", &target.url, "-r", "100", "-d", "2s", "--timeout", "40s"];
    let mut running = Watched::spawn(loadgen(args.into_iter().chain(["--format", "json"])));
    running.wait_for("drain");
    let asked = Instant::now();
    running.signal("INT");
    let outcome = running.finish().exits_with(130);
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    let report = outcome.json();
    assert!(report["counts"]["unfinished"].as_u64().unwrap() > 0, "{}", report["counts"]);
}

#[test]
fn a_terminal_that_goes_away_in_the_migration() {
    let report = interrupt_migration(["1s", "2s", LONG, "2s"], "round 1", "HUP", 129);
    assert_ne!(report["migration"]["ending"], "completed");
}

#[test]
fn nohup_outlives_the_terminal() {
    let target = Target::start(&[]);
    let script = format!(
        "trap '' HUP; exec {} run {} -r 100 -d 60s --format json",
        env!("CARGO_BIN_EXE_loadgen"),
        target.url
    );
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Watched::spawn(command);
    let at = running.wait_for_second(0.0);
    running.signal("HUP");
    running.wait_for_second(at + 2.0);
    running.signal("TERM");
    let outcome = running.finish().exits_with(143);
    assert!(outcome.json()["counts"]["answered"].as_u64().unwrap() > 0);
}

/// `timeout` signals its child and then its whole group.
#[test]
fn two_signals_at_once_are_one_request() {
    let args = ["migrate", "--before", "60s", "--format", "json", "--trigger", LONG];
    let mut running = Watched::spawn(loadgen(args));
    running.wait_for("before");
    common::signals(running.child.id(), &["STOP", "INT", "TERM", "CONT"]);
    let outcome = running.finish();
    assert!(matches!(outcome.code(), Some(130 | 143)), "{outcome:?}");
    assert_eq!(outcome.json()["interrupted"], true);
}

#[test]
fn twice_leaves_at_once_and_takes_the_machine_along() {
    let args = ["migrate", "--before", "1s", "--trigger", LONG];
    let mut running = Watched::spawn(loadgen(args));
    running.wait_for("round 1");
    let children = children_of(running.child.id());
    assert_eq!(children.len(), 1, "{children:?}");
    // It then answers no cancelling, which is waited for until the second signal.
    common::signal(children[0], "STOP");
    running.signal("INT");
    running.wait_for("stopping");
    std::thread::sleep(Duration::from_millis(600));
    running.signal("TERM");
    let outcome = running.finish().exits_with(143);
    assert_eq!(outcome.stdout, "");
    common::signal(children[0], "CONT");
    common::wait_until("the simulated machine ends", || !is_alive(children[0]));
}

#[test]
fn a_target_ends_with_its_truth() {
    // A freeze that begins too late is left out: these may begin up to 90 ms late.
    let target = Target::start(&["--freeze", "90ms/100ms"]);
    common::run(["run", &target.url, "-r", "50", "-d", "1s", "-q"]).ran();
    let outcome = target.end().exits_with(0);
    assert_eq!(outcome.stderr, "loadgen: ending the server (again to leave at once)\n");
    let truth = outcome.json();
    assert_eq!(truth["requests_read"], 50);
    assert!(!truth["freezes"].as_array().unwrap().is_empty());
}

fn children_of(pid: u32) -> Vec<u32> {
    let list = format!("/proc/{pid}/task/{pid}/children");
    let text = std::fs::read_to_string(list).unwrap();
    text.split_whitespace().map(|child| child.parse().unwrap()).collect()
}
