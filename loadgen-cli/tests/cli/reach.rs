//! The reach check of `loadgen migrate`, against a machine in a network namespace that
//! goes dark for a time which the trigger takes by its own clock.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::require::require;

/// Tells the copy of this program that it is the server.
const SERVES: &str = "LOADGEN_TEST_SERVES";

pub(crate) const SERVER: &str = "10.78.0.1";
const CLIENT: &str = "10.78.0.2";

pub(crate) fn ip(line: &str) -> bool {
    let run = Command::new("ip").args(line.split(' ')).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// A client and a server with a link between them; they go when it is dropped.
pub(crate) struct Net {
    pub(crate) client: String,
    pub(crate) server: String,
}

impl Net {
    /// `None` where namespaces cannot be made, which is only allowed outside of CI.
    pub(crate) fn require(name: &str) -> Option<Self> {
        let role = |role: &str| format!("loadgen-{}-{name}-{role}", std::process::id());
        let net = Self { client: role("c"), server: role("s") };
        let (client, server) = (&net.client, &net.server);
        let made = ip(&format!("netns add {client}"))
            && ip(&format!("netns add {server}"))
            && ip(&format!("link add eth0 netns {server} type veth peer name eth0 netns {client}"))
            && ip(&format!("-n {server} address add {SERVER}/30 dev eth0"))
            && ip(&format!("-n {client} address add {CLIENT}/30 dev eth0"))
            && ip(&format!("-n {server} link set eth0 up"))
            && ip(&format!("-n {client} link set eth0 up"));
        let what = "root, and ip that may make network namespaces";
        require(made, what, "iproute2").then_some(net)
    }

    pub(crate) fn exec(namespace: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(program);
        command
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        ip(&format!("netns delete {}", self.client));
        ip(&format!("netns delete {}", self.server));
    }
}

/// The server; it ends with its stdin.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(net: &Net) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = Net::exec(&net.server, program)
            .args(["--exact", "reach::serves", "--nocapture"])
            .env(SERVES, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port = lines.find_map(|line| line.strip_prefix("port ").map(str::to_owned)).unwrap();
        Self { child, port: port.parse().unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: the server, run in its namespace by the tests below.
#[test]
fn serves() {
    if std::env::var_os(SERVES).is_none() {
        return;
    }
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "\nport {}", listener.local_addr().unwrap().port()).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut requests = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")?;
    }
}

/// A migration in which the machine is taken away by `away` and brought back by `back`,
/// lines of shell in which @SERVER is the namespace and @PID the process of the server:
/// `unreachable_ms`, and the least and the most time, in ms, that it was away.
fn migrate(name: &str, check: &str, away: &str, back: &str) -> Option<(Value, f64, f64)> {
    let net = Net::require(name)?;
    let server = Server::start(&net);
    let dir = tempfile::tempdir().unwrap();
    let truth = dir.path().join("truth");
    let fill = |line: &str| {
        line.replace("@SERVER", &net.server).replace("@PID", &server.child.id().to_string())
    };
    let script = format!(
        "a=$(date +%s%N); {}; b=$(date +%s%N); sleep 1; c=$(date +%s%N); {}; d=$(date +%s%N)\n\
         echo $a $b $c $d > {}",
        fill(away),
        fill(back),
        truth.display()
    );
    let file = dir.path().join("trigger.sh");
    fs::write(&file, script).unwrap();
    let report = dir.path().join("report.json");
    let output = Net::exec(&net.client, env!("CARGO_BIN_EXE_loadgen"))
        .args(["migrate", "--format", "json", "--quiet", "--before", "2s", "--after", "2s"])
        .args(["--rate", "50", "--probe-rate", "20", "--timeout", "20s", "--threads", "1"])
        .args(["--reach-check", check, "-o"])
        .arg(&report)
        .args(["--trigger", &format!("command:sh {}", file.display())])
        .arg(format!("http://{SERVER}:{}/", server.port))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let text = fs::read_to_string(&report).unwrap_or_else(|_| panic!("{said}"));
    let report: Value = serde_json::from_str(&text).unwrap();
    let times: Vec<f64> = fs::read_to_string(&truth)
        .unwrap()
        .split_whitespace()
        .map(|ns| ns.parse::<f64>().unwrap() / 1e6)
        .collect();
    let unreachable = report["migration"]["unreachable_ms"].clone();
    Some((unreachable, times[2] - times[1], times[3] - times[0]))
}

/// Takes the way back to the client from the server: it is there, and nobody sees it.
const AWAY: &str = "ip -n @SERVER route add blackhole 10.78.0.2/32";
const BACK: &str = "ip -n @SERVER route del blackhole 10.78.0.2/32";

/// The fields that are asserted on.
fn number(seen: &Value, field: &str) -> f64 {
    seen[field].as_f64().unwrap_or_else(|| panic!("{field}: {seen}"))
}

#[track_caller]
fn holds(check: &str, name: &str, method: &str) {
    let Some((seen, least, most)) = migrate(name, check, AWAY, BACK) else { return };
    assert!(seen["method"].as_str().unwrap().starts_with(method), "{seen}");
    let at_least = number(&seen, "at_least");
    assert!(at_least <= most, "{at_least} {most}: {seen}");
    assert!(number(&seen, "at_most") >= least, "{least}: {seen}");
    // A check that was itself awake cannot have missed it.
    if method != "syn" && number(&seen, "longest_pause_ms") < least / 4.0 {
        assert!(at_least >= least / 2.0 - 20.0, "{at_least} {least}: {seen}");
        assert!(number(&seen, "lost") >= 2.0, "{seen}");
    }
    if method == "syn" {
        assert_eq!(at_least, 0.0, "a full accept queue looks the same: {seen}");
    }
}

#[test]
fn a_closed_port_tells_for_how_long_a_machine_was_dark() {
    holds("auto", "rst", "rst:");
}

#[test]
fn echo_tells_for_how_long_a_machine_was_dark() {
    holds("icmp", "icmp", "icmp");
}

#[test]
fn the_port_of_the_service_tells_for_how_long_a_machine_was_dark_at_most() {
    holds("syn", "syn", "syn");
}

#[test]
fn a_service_that_stands_still_is_not_unreachable() {
    let away = "kill -STOP @PID";
    let Some((seen, ..)) = migrate("still", "auto", away, "kill -CONT @PID") else { return };
    assert_eq!((number(&seen, "lost"), number(&seen, "at_least")), (0.0, 0.0), "{seen}");
    assert!(seen["at_most"].is_f64(), "{seen}");
}

#[test]
fn a_machine_that_is_silent_from_the_start_switches_the_check_off() {
    let Some(net) = Net::require("mute") else { return };
    let mute = "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all";
    assert!(Net::exec(&net.server, "sh").args(["-c", mute]).status().unwrap().success());
    let server = Server::start(&net);
    let output = Net::exec(&net.client, env!("CARGO_BIN_EXE_loadgen"))
        .args(["migrate", "--quiet", "--before", "4s", "--after", "1s", "--rate", "50"])
        .args(["--reach-check", "icmp", "--trigger", "command:true", "--threads", "1"])
        .arg(format!("http://{SERVER}:{}/", server.port))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.contains("packets lost")).unwrap();
    assert!(line.contains("not measured: ") && line.contains('–'), "{text}");
    assert!(text.contains("checks was answered") || text.contains("0 of "), "{text}");
}

#[test]
fn an_own_standstill_is_not_that_of_the_machine() {
    let (away, back) = ("kill -STOP $PPID", "kill -CONT $PPID");
    let Some((seen, least, _)) = migrate("own", "auto", away, back) else { return };
    assert_eq!((number(&seen, "lost"), number(&seen, "at_least")), (0.0, 0.0), "{seen}");
    assert!(number(&seen, "longest_pause_ms") >= least - 10.0, "{least}: {seen}");
    // Nobody asked meanwhile: it may have been dark for all of that time.
    assert!(number(&seen, "at_most") >= least, "{least}: {seen}");
}
