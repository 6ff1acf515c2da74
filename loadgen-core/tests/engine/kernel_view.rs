//! Why calls were slow, against causes that are known because the tests make them:
//! lost packets, a frozen server, too few connections, a stopped generator.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Engine, Load, Plan, Report, Schedule, Target};

use crate::common::{LIMIT, gated_server, run_and};
use crate::require::require;

/// Tells a copy of this program which load to put on which server.
const CLIENT: &str = "LOADGEN_TEST_CLIENT";
/// Tells a copy of this program to be the server.
const SERVER: &str = "LOADGEN_TEST_SERVER";

/// Ends its process, which is of no use without the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Calls by their main cause.
fn calls(report: &Report, cause: &str) -> u64 {
    report.slow_calls.as_ref().unwrap().causes.get(cause).map_or(0, |cause| cause.calls)
}

fn plan(url: &str, load: Load, seconds: f64) -> Plan {
    Plan::new(Target::parse(url).unwrap(), load)
        .with_duration(Duration::from_secs_f64(seconds))
        .with_timeout(Duration::from_secs(6))
}

fn constant(rate: f64) -> Load {
    Load::established(Schedule::constant(rate))
}

/// The counts and times of the report agree with each other.
fn assert_adds_up(report: &Report) {
    let slow = report.slow_calls.as_ref().unwrap();
    assert_eq!(slow.count, slow.causes.values().map(|cause| cause.calls).sum::<u64>());
    let in_windows = report.timeline.windows.iter().flat_map(|w| w.slow_calls.values());
    assert_eq!(slow.count, in_windows.sum::<u64>());
    let least_s = slow.count as f64 * slow.threshold_ms / 1e3;
    assert!(slow.causes.values().map(|cause| cause.time_s).sum::<f64>() >= least_s);
}

#[test]
fn a_frozen_server_is_told_from_lost_packets() {
    let freeze = (Duration::from_millis(700), Duration::from_millis(1000));
    let options = TargetOptions::new().with_freeze(freeze.0, freeze.1);
    let server = TargetServer::bind(options).unwrap().spawn().unwrap();
    let report = Engine::new(plan(&server.url(), constant(50.0), 4.5)).unwrap().run().unwrap();
    server.stop().unwrap();
    assert_adds_up(&report);
    assert!(calls(&report, "server") >= 10, "{:?}", report.slow_calls);
    // Four freezes, with 25 slow calls in each. A machine that stands still itself may
    // make its kernel send a segment again that was under way just then.
    let again = calls(&report, "data-retransmission");
    assert!(again * 4 <= calls(&report, "server"), "{:?}", report.slow_calls);
    let sampled = report.timeline.windows.iter().filter_map(|w| w.kernel);
    assert!(sampled.clone().map(|kernel| kernel.samples).sum::<u64>() > 10);
    assert!(sampled.clone().any(|kernel| kernel.rtt_mean_us.is_some_and(|rtt| rtt > 0.0)));
}

/// Nothing is answered before all have arrived, and a second after it.
#[test]
fn too_few_connections_are_the_queue() {
    let (gate, server) = gated_server();
    let plan = plan(&server.url(), constant(60.0).with_connections(1), 0.5);
    let hold = || {
        sleep(Duration::from_secs(1));
        gate.open();
    };
    let report = run_and(plan.with_timeout(LIMIT), |so_far| so_far.offered == 30, hold);
    assert_adds_up(&report);
    assert!(calls(&report, "queue") >= 25, "{:?}", report.slow_calls);
    assert_eq!(report.counts.answered, 30);
}

/// Not a test: the client of those below.
#[test]
fn is_the_client() {
    let Ok(url) = std::env::var(CLIENT) else { return };
    let (url, rate) = url.split_once(' ').unwrap();
    let rate: f64 = rate.parse().unwrap();
    let probe = Load::fresh(Schedule::constant(rate));
    let plan = plan(url, constant(rate).with_warm_connections(32), 3.5).with_probe(probe);
    let handle = Engine::new(plan).unwrap().start().unwrap();
    handle.clock().unwrap();
    println!("started");
    println!("{}", handle.join().unwrap().to_json_pretty().unwrap());
    println!("ended");
}

/// Not a test: a server in a network of its own.
#[test]
fn is_the_server() {
    if std::env::var_os(SERVER).is_none() {
        return;
    }
    let options = TargetOptions::new().with_listen("0.0.0.0:0".parse().unwrap());
    let server = TargetServer::bind(options).unwrap().spawn().unwrap();
    println!("port {}", server.local_addr().port());
    // Until the test ends it, or is gone itself.
    let _ = std::io::stdin().read(&mut [0]);
}

/// A copy of this program that runs one of the above.
fn copy(mut command: Command, role: &str) -> (Running, BufReader<std::process::ChildStdout>) {
    let mut child = command
        .args(["--exact", role, "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (Running(child), out)
}

/// Reads up to a line with this in it, and gives what follows it.
fn line_of(out: &mut impl BufRead, word: &str) -> String {
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        if let Some((_, rest)) = line.trim_end().split_once(word) {
            return rest.to_owned();
        }
        line.clear();
    }
    panic!("the copy ended before it said '{word}'");
}

/// The report of a client, once its load is over.
fn report_of(out: &mut impl BufRead) -> Report {
    let mut json = String::new();
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 && line.trim_end() != "ended" {
        json.push_str(&line);
        line.clear();
    }
    Report::from_json(&json).unwrap()
}

fn signal(client: &Running, name: &str) {
    let id = client.0.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
}

#[test]
fn a_stopped_generator_blames_itself() {
    let server = TargetServer::bind(TargetOptions::new()).unwrap().spawn().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(CLIENT, format!("{} 200", server.url()));
    let (client, mut out) = copy(command, "kernel_view::is_the_client");
    line_of(&mut out, "started");
    sleep(Duration::from_millis(500));
    signal(&client, "-STOP");
    sleep(Duration::from_millis(1200));
    signal(&client, "-CONT");
    let report = report_of(&mut out);
    server.stop().unwrap();
    assert_adds_up(&report);
    let slow = report.slow_calls.as_ref().unwrap();
    // About 400 arrivals a second, one second of which waited longer than 200 ms.
    assert!(calls(&report, "own-lag") >= 300, "{slow:?}");
    assert!(calls(&report, "own-lag") * 10 >= slow.count * 9, "{slow:?}");
    assert_ne!(report.verdict.status, loadgen_core::report::VerdictStatus::Valid);
}

fn ip(line: &str) -> bool {
    let run = Command::new("ip").args(line.split(' ')).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// A client and a server with a router between them, which can lose all packets.
/// They go when this is dropped.
struct Net([String; 3]);

impl Net {
    fn make() -> Option<Self> {
        let id = std::process::id();
        let net = Self(["client", "router", "server"].map(|role| format!("loadgen-{id}-{role}")));
        let [client, router, server] = &net.0;
        let made = net.0.iter().all(|name| ip(&format!("netns add {name}")));
        let link = |machine: &str, end: &str, subnet: u32| {
            ip(&format!(
                "link add to-{end} netns {router} type veth peer name eth0 netns {machine}"
            )) && ip(&format!("-n {router} address add 10.78.{subnet}.1/30 dev to-{end}"))
                && ip(&format!("-n {router} link set to-{end} up"))
                && ip(&format!("-n {machine} address add 10.78.{subnet}.2/30 dev eth0"))
                && ip(&format!("-n {machine} link set eth0 up"))
                && ip(&format!("-n {machine} route add default via 10.78.{subnet}.1"))
        };
        let linked = made && link(client, "client", 1) && link(server, "server", 2);
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        let forwards = linked
            && net
                .inside(1, "sh")
                .args(["-c", forward])
                .status()
                .is_ok_and(|status| status.success());
        forwards.then_some(net)
    }

    fn inside(&self, machine: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0[machine]]).arg(program);
        command
    }

    /// Loses all packets, either way, for so long.
    fn lose(&self, time: Duration) {
        let router = &self.0[1];
        let ends = ["10.78.1.2", "10.78.2.2"];
        for end in ends {
            assert!(ip(&format!("-n {router} route add blackhole {end}/32")));
        }
        sleep(time);
        for end in ends {
            assert!(ip(&format!("-n {router} route del blackhole {end}/32")));
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.0 {
            ip(&format!("netns del {name}"));
        }
    }
}

#[test]
fn lost_packets_are_sent_again() {
    let net = Net::make();
    require(net.is_some(), "root, and ip that may make network namespaces", "iproute2");
    let Some(net) = net else { return };
    let own = std::env::current_exe().unwrap();
    let mut command = net.inside(2, &own);
    command.env(SERVER, "1");
    let (_server, mut told) = copy(command, "kernel_view::is_the_server");
    let port = line_of(&mut told, "port ");
    let mut command = net.inside(0, &own);
    command.env(CLIENT, format!("http://10.78.2.2:{port}/ 20"));
    let (_client, mut out) = copy(command, "kernel_view::is_the_client");
    line_of(&mut out, "started");
    sleep(Duration::from_millis(500));
    net.lose(Duration::from_millis(1400));
    let report = report_of(&mut out);
    assert_adds_up(&report);
    let slow = report.slow_calls.as_ref().unwrap();
    // 28 calls of each population fell into it.
    assert!(calls(&report, "data-retransmission") >= 8, "{slow:?}");
    assert!(calls(&report, "syn-retransmission") >= 8, "{slow:?}");
    for cause in ["data-retransmission", "syn-retransmission"] {
        let slowest = slow.causes[cause].slowest.as_ref().unwrap();
        assert!(slowest.connection.unwrap().total_retransmits > 0, "{slowest:?}");
    }
    let syn = slow.causes["syn-retransmission"].slowest.as_ref().unwrap();
    assert!(syn.population == "fresh" && syn.took_ms > 900.0, "{syn:?}");
    let windows = report.timeline.windows.iter().filter_map(|window| window.kernel);
    assert!(windows.map(|kernel| kernel.retransmitting).sum::<u64>() > 0);
}
