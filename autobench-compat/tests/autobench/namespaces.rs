//! Two machines that load a third: a network namespace for each. Runs as root where
//! `ip` may make namespaces; where `CI` is set it must.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use crate::common::{home, words};
use crate::require::require;

/// Tells the copy of this program that it is the server.
const SERVES: &str = "LOADGEN_TEST_SERVES";

/// Address of the server, on the link to the first client.
const SERVER: &str = "10.77.1.1";

fn ip(line: &str) -> bool {
    let run = Command::new("ip").args(words(line)).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// Namespaces of this process; they and what links them go when it is dropped.
struct Net {
    made: Vec<String>,
}

impl Net {
    /// A server and two clients, each client with a link of its own to the server.
    fn make() -> Option<Self> {
        let mut net = Self { made: Vec::new() };
        for role in ["server", "first", "second"] {
            let name = format!("loadgen-{}-{role}", std::process::id());
            if !ip(&format!("netns add {name}")) {
                return None;
            }
            net.made.push(name);
        }
        let [server, clients @ ..] = &net.made[..] else { return None };
        let linked = clients.iter().zip(1..).all(|(client, link)| {
            let here = format!("10.77.{link}.1");
            let ends = format!("to{link} netns {server} type veth peer name eth0 netns {client}");
            ip(&format!("link add {ends}"))
                && ip(&format!("-n {server} address add {here}/30 dev to{link}"))
                && ip(&format!("-n {server} link set to{link} up"))
                && ip(&format!("-n {client} address add 10.77.{link}.2/30 dev eth0"))
                && ip(&format!("-n {client} link set eth0 up"))
                && ip(&format!("-n {client} route add default via {here}"))
        });
        linked.then_some(net)
    }

    fn command(&self, machine: usize, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.made[machine]]).arg(program.as_ref());
        command
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.made {
            ip(&format!("netns delete {name}"));
        }
    }
}

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The line that begins so.
fn line_of(out: &mut impl BufRead, start: &str) -> String {
    let mut lines = out.lines().map(Result::unwrap);
    lines.find_map(|line| line.strip_prefix(start).map(str::to_owned)).unwrap()
}

/// What the server knows of its clients.
#[derive(Default)]
struct Clients {
    seen: Mutex<HashSet<IpAddr>>,
    more: Condvar,
    requests: AtomicU64,
}

impl Clients {
    /// Answers nobody until both machines have come: clients that took turns would
    /// wait in vain, and tell errors.
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let client = stream.peer_addr()?.ip();
        let mut requests = BufReader::new(stream.try_clone()?);
        loop {
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                if requests.read_line(&mut line)? == 0 {
                    return Ok(());
                }
            }
            self.requests.fetch_add(1, Ordering::SeqCst);
            let mut seen = self.seen.lock().unwrap();
            seen.insert(client);
            self.more.notify_all();
            drop(self.more.wait_while(seen, |seen| seen.len() < 2).unwrap());
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")?;
        }
    }
}

/// Not a test: the server, run in its namespace by the test below. It serves until its
/// stdin ends, then tells how many requests it has read.
#[test]
fn serves() {
    if std::env::var_os(SERVES).is_none() {
        return;
    }
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "\nport {}", listener.local_addr().unwrap().port()).unwrap();
    let clients = Arc::new(Clients::default());
    let shared = Arc::clone(&clients);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let clients = Arc::clone(&shared);
            std::thread::spawn(move || clients.serve(stream));
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    writeln!(out, "\nrequests {}", clients.requests.load(Ordering::SeqCst)).unwrap();
}

fn start_server(net: &Net) -> (Running, BufReader<ChildStdout>, u16) {
    let mut child = net
        .command(0, std::env::current_exe().unwrap())
        .args(["--exact", "namespaces::serves", "--nocapture"])
        .env(SERVES, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let server = Running(child);
    let port = line_of(&mut out, "port ").parse().unwrap();
    (server, out, port)
}

fn start_daemon(net: &Net, machine: usize) -> Running {
    let mut child = net
        .command(machine, env!("CARGO_BIN_EXE_autobenchd"))
        .args(["--bindaddr", "0.0.0.0", "--verbose"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let daemon = Running(child);
    line_of(&mut log, "Listening on ");
    // Nobody else reads it.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    daemon
}

fn admin(net: &Net, port: u16, line: &str) -> Output {
    let conf = format!(
        "host1 = {SERVER}\nuri1 = /\nport1 = {port}\ntimeout = 30\noutput_fmt = tsv\n\
         single_host = 1\nclients = 10.77.1.2:4600,10.77.2.2:4600\n"
    );
    let home = home(&conf);
    net.command(0, env!("CARGO_BIN_EXE_autobench_admin"))
        .args(words(line))
        .env("HOME", home.path())
        .output()
        .unwrap()
}

#[test]
fn two_machines_load_a_server_with_the_demanded_rate_together() {
    let net = Net::make();
    require(net.is_some(), "root, and ip that may make network namespaces", "iproute2");
    let Some(net) = net else { return };
    let (mut server, mut told, port) = start_server(&net);
    let (_first, _second) = (start_daemon(&net, 1), start_daemon(&net, 2));

    let line = "--low_rate 60 --high_rate 60 --rate_step 60 --num_conn 240 --num_call 2";
    let output = admin(&net, port, line);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let out = String::from_utf8(output.stdout).unwrap();
    let row: Vec<&str> = out.lines().last().unwrap().split('\t').collect();
    assert_eq!((row[0], row[9], row[11]), ("120", "0", "480"), "{row:?}");
    let connections: f64 = row[2].parse().unwrap();
    // No client may start its 120 faster than 30 a second, and neither has both rates.
    assert!((31.0..61.0).contains(&connections), "the sum of two rates: {row:?}");

    drop(server.0.stdin.take());
    assert_eq!(line_of(&mut told, "requests "), "480");
    server.0.wait().unwrap();
}
