//! Local ports that run out, and do not. In a network namespace with few of them;
//! runs as root where `ip` may make namespaces; where `CI` is set it must.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::require::require;

/// Local ports for one address.
const PORTS: &str = "40000 40399";

/// A namespace with 400 ports an address, whose TIME_WAIT lasts its full minute.
struct Net(String);

impl Net {
    fn make(name: &str) -> Option<Self> {
        let name = format!("loadgen-{}-{name}", std::process::id());
        let ip = |line: &str| {
            let run = Command::new("ip").args(line.split(' ')).stderr(Stdio::null()).status();
            run.is_ok_and(|status| status.success())
        };
        let made = ip(&format!("netns add {name}"));
        if !require(made, "root, and ip that may make network namespaces", "iproute2") {
            return None;
        }
        let net = Self(name);
        assert!(ip(&format!("-n {} link set lo up", net.0)));
        let set =
            "cd /proc/sys/net/ipv4 && echo \"$0\" >ip_local_port_range && echo 0 >tcp_tw_reuse";
        let set = net.command("sh").args(["-c", set, PORTS]).status().unwrap();
        assert!(set.success());
        Some(net)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

/// A server that ends with the test.
struct Server(Child, String);

impl Server {
    fn start(net: &Net) -> Self {
        let mut command = net.command(env!("CARGO_BIN_EXE_loadgen"));
        command.args(["target", "--listen", "127.0.0.1:8080", "-q"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self(child, url.trim_end().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// 1000 connections of one call each; the exit code and the report.
fn churn(net: &Net, url: &str, options: &[&str]) -> (Option<i32>, Value) {
    let mut command = net.command(env!("CARGO_BIN_EXE_loadgen"));
    command.args(["run", url, "--rate", "1000", "--duration", "1s", "--format", "json", "-q"]);
    command.args(["--calls-per-connection", "1", "--connections", "100"]).args(options);
    let output = command.output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn ports_of_one_address_run_out_and_those_of_several_do_not() {
    let Some(net) = Net::make("ports") else { return };
    let server = Server::start(&net);
    let four = "127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5";
    let close = ["--close", "client"];

    // 400 ports for 1000 connections.
    let (code, report) = churn(&net, &server.1, &close);
    assert_eq!(code, Some(4), "{report:#}");
    let lost = report["errors"]["connect-address-unavailable"].as_u64().unwrap();
    assert!((590..=610).contains(&lost), "{lost}");
    assert_eq!(report["verdict"]["status"], "invalid");
    let reasons = report["verdict"]["reasons"].to_string();
    assert!(reasons.contains("give more source addresses"), "{reasons}");

    // Four times as many, and the one address that has none left does not matter.
    let five = format!("127.0.0.1,{four}");
    let (_, report) = churn(&net, &server.1, &[&close[..], &["--source-address", &five]].concat());
    assert_eq!(report["errors"].as_object().unwrap().len(), 0, "{}", report["errors"]);
    assert_eq!(report["counts"]["answered"], 1000);
    assert_eq!(report["counts"]["connections_opened"], 1000);
    drop(server);
}

#[test]
fn closes_that_leave_no_port_behind_need_one_address() {
    let Some(net) = Net::make("closes") else { return };
    for how in ["server", "reset"] {
        let server = Server::start(&net);
        let (_, report) = churn(&net, &server.1, &["--close", how]);
        assert_eq!(report["errors"].as_object().unwrap().len(), 0, "{how}: {}", report["errors"]);
        assert_eq!(report["counts"]["answered"], 1000, "{how}");
    }
}
