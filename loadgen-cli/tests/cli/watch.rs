//! `loadgen watch`: freezes of a server, and pauses of loadgen itself, by SIGSTOP; a machine that
//! nobody reaches for a while, in a network namespace.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::common::{Outcome, Target, finish, loadgen, run, signal, stop, wait_until};
use crate::reach::{Net, SERVER, Server, ip};

/// No line is waited for longer than this.
const LIMIT: Duration = Duration::from_secs(60);

/// Loadgen, watching, with its lines.
struct Watching {
    child: Child,
    lines: Receiver<Value>,
}

impl Watching {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = send.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, lines }
    }

    /// On a server, with these options beside `--format json`.
    fn of(url: &str, options: &[&str]) -> Self {
        let args = ["watch", url, "--format", "json", "--warmup", "500ms"];
        Self::start(loadgen(args.iter().chain(options)))
    }

    /// The next line of this type for which it is so.
    #[track_caller]
    fn wait_for(&self, kind: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) if line["type"] == kind && is_it(&line) => return line,
                Ok(_) => {}
                Err(error) => panic!("no such line: {error}"),
            }
        }
    }

    /// Ends it as users do: the summary, and the lines that nobody waited for.
    fn end(self) -> (Value, Vec<Value>) {
        signal(self.child.id(), "INT");
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it did not end"),
            }
        }
        finish(self.child).exits_with(0);
        let summary = lines.pop().unwrap();
        assert_eq!(
            (&summary["type"], &summary["schema"]),
            (&"summary".into(), &"loadgen-watch/1".into())
        );
        (summary, lines)
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A moment of a line, in seconds since 1970: milliseconds are cut off.
fn moment(text: &Value) -> f64 {
    let time = humantime::parse_rfc3339(text.as_str().unwrap()).unwrap();
    time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Waits until it asks, and knows what is normal.
fn settle(target: &Target) {
    // It has connected to it: its connections are in the table of sockets.
    let port = target.address().rsplit(':').next().unwrap();
    let port = format!(":{:04X} ", port.parse::<u16>().unwrap());
    wait_until("connections to the target", || {
        fs::read_to_string("/proc/net/tcp")
            .unwrap()
            .lines()
            .any(|line| line.contains(&port) && line.split_whitespace().nth(3) == Some("01"))
    });
    sleep(Duration::from_secs(2));
}

#[test]
fn a_freeze_is_told_with_the_interval_that_holds_it() {
    let target = Target::start(&[]);
    let watch = Watching::of(&target.url, &[]);
    settle(&target);
    stop(target.pid());
    let stopped = now();
    sleep(Duration::from_millis(700));
    let continuing = now();
    signal(target.pid(), "CONT");
    let held = |freeze: &Value| {
        moment(&freeze["from"]) <= stopped
            && freeze["until"].is_string()
            && moment(&freeze["until"]) + 0.001 >= continuing
    };
    let freeze = watch.wait_for("freeze", held);
    let length = &freeze["length_ms"];
    assert!(number(&length["at_most"]) >= (continuing - stopped) * 1e3, "{freeze}");
    // A busy machine may have kept it longer, but the clients saw no more than they saw.
    let seen = (moment(&freeze["until"]) - moment(&freeze["from"])) * 1e3 + 2.0;
    assert!(number(&length["at_least"]) <= seen, "{freeze}");
    assert!(number(&length["at_least"]) > 0.0, "{freeze}");
    assert_eq!(freeze["kind"], "unknown", "its kernel is ours");
    assert!(freeze["kind_because"].as_str().unwrap().contains("is an address of this machine"));
    let (summary, _) = watch.end();
    assert!(number(&summary["freezes"]) >= 1.0, "{summary}");
    assert!(number(&summary["availability"]["at_least"]) < 1.0, "{summary}");
    assert!(number(&summary["calls"]["answered"]) > 0.0, "{summary}");
}

#[test]
fn its_own_pause_is_no_freeze() {
    let target = Target::start(&[]);
    let watch = Watching::of(&target.url, &[]);
    settle(&target);
    let pid = watch.child.id();
    stop(pid);
    let stopped = now();
    sleep(Duration::from_millis(1_500));
    let length = now() - stopped;
    signal(pid, "CONT");
    // It would be told within three seconds.
    sleep(Duration::from_secs(4));
    let (summary, lines) = watch.end();
    // On a busy machine the server may stand still for a moment, but not for as long.
    let told = |line: &&Value| {
        line["type"] == "freeze" && number(&line["length_ms"]["at_least"]) > length * 500.0
    };
    assert_eq!(lines.iter().find(told), None);
    assert!(number(&summary["own"]["silences"]) >= 1.0, "{summary}");
    assert!(number(&summary["own"]["sum_s"]) >= length, "{summary}");
    assert!(number(&summary["own"]["longest_ms"]) >= length * 1e3, "{summary}");
}

#[test]
fn a_program_is_run_for_each_freeze_and_a_file_has_the_lines() {
    let target = Target::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (lines, told, notices) = (path("freezes.jsonl"), path("told"), path("notices"));
    let hook = format!(
        "sh -c 'env | grep ^LOADGEN_FREEZE > {told}.new; cat >> {told}.new; \
                        echo to stdout; mv {told}.new {told}'"
    );
    let mut command = loadgen(["watch", &target.url, "--warmup", "500ms", "-o", &lines]);
    command.args(["--on-freeze", &hook, "--notices", &notices]);
    let child = command.spawn().unwrap();
    let pid = child.id();
    settle(&target);
    fs::write(&notices, "somebody drains the host\n").unwrap();
    stop(target.pid());
    sleep(Duration::from_millis(700));
    signal(target.pid(), "CONT");
    wait_until("the program has been run", || fs::exists(&told).unwrap());
    // A line is in the file before the watch ends.
    let is_there = |word: &str| fs::read_to_string(&lines).unwrap().contains(word);
    wait_until("a freeze in the file", || is_there(r#""type":"freeze""#));
    wait_until("a notice in the file", || is_there(r#""name":"somebody drains the host""#));
    signal(pid, "TERM");
    let outcome = finish(child).exits_with(0).says(&["to stdout", "not there yet"]);
    assert_eq!(outcome.stdout, "");
    let text = fs::read_to_string(&told).unwrap();
    let line = text.lines().find(|line| line.starts_with('{')).unwrap();
    let freeze: Value = serde_json::from_str(line).unwrap();
    let names = ["FROM", "UNTIL", "KIND", "AT_LEAST_MS", "AT_MOST_MS"];
    assert!(names.iter().all(|name| text.contains(&format!("LOADGEN_FREEZE_{name}="))), "{text}");
    assert!(text.contains(&format!("LOADGEN_FREEZE_FROM={}\n", freeze["from"].as_str().unwrap())));
    let all = fs::read_to_string(&lines).unwrap();
    let last: Value = serde_json::from_str(all.lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["notices"]), (&"summary".into(), &1.into()));
}

#[test]
fn lines_that_cannot_be_written_go_elsewhere() {
    let target = Target::start(&["--freeze", "400ms/1500ms"]);
    let args = ["watch", &target.url, "--format", "json", "-o", "/dev/full", "--duration", "6s"];
    let outcome = run(args).exits_with(1);
    let outcome = outcome.says(&["cannot write to '/dev/full'", "the lines go to stdout"]);
    assert!(outcome.stdout.lines().count() >= 2, "{outcome:?}");
    assert!(outcome.stdout.lines().last().unwrap().contains(r#""type":"summary""#));
}

#[test]
fn nobody_reads_is_an_end() {
    let target = Target::start(&["--freeze", "400ms/1500ms"]);
    let loadgen = env!("CARGO_BIN_EXE_loadgen");
    let watch = format!("{loadgen} watch {} --quiet", target.url);
    let script = format!("{{ {watch}; echo exit code $? >&2; }} | head -n 1");
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let outcome = finish(command.spawn().unwrap()).says(&["exit code 0"]);
    assert!(outcome.stdout.contains("  froze for "), "{outcome:?}");
    assert_eq!(outcome.stdout.lines().count(), 1);
}

#[test]
fn what_it_cannot_watch_is_told_before() {
    let target = Target::start(&[]);
    let refused = |args: &[&str]| -> Outcome {
        let start = ["watch", &target.url, "--duration", "100ms"];
        run(start.iter().chain(args))
    };
    refused(&["--slo", "p99<20ms"]).exits_with(2).says(&["a watch tells freezes and availability"]);
    refused(&["--abort-if", "failed>3"]).exits_with(2).says(&["use --on-freeze"]);
    refused(&["--stages", "0..100/1s"]).exits_with(2).says(&["never comes down to 0"]);
    refused(&["--rate", "0.5"]).exits_with(2).says(&["1 to 10,000 times a second"]);
    refused(&["--replay", "Cargo.toml"]).exits_with(2).says(&["add --rate"]);
    refused(&["--neighbour", "http://h/"])
        .exits_with(2)
        .says(&["HOST or HOST:PORT, not 'http://h/'"]);
    let own = ["is an address of this machine", "the neighbour cannot be asked"];
    refused(&["--neighbour", "127.0.0.1"]).exits_with(1).says(&own);
    refused(&["--on-freeze", "'"]).exits_with(2).says(&["--on-freeze ''': a quotation"]);
    refused(&["--on-freeze", " "]).exits_with(2).says(&["--on-freeze needs a program"]);
    refused(&["--notices", "/nowhere/at/all"]).exits_with(1).says(&["notices cannot be read"]);
    refused(&["-o", "/nowhere/x"]).exits_with(2).says(&["the directory '/nowhere' does not exist"]);
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("session.toml");
    fs::write(&script, "[[burst]]\n[[burst.call]]\npath = \"/\"\n").unwrap();
    let sessions = refused(&["--session", script.to_str().unwrap(), "--rate", "2"]).exits_with(2);
    assert!(!sessions.stderr.contains("panicked"), "{sessions:?}");
    let url = target.url.clone();
    target.end();
    run(["watch", &url, "--duration", "1s"]).exits_with(1).says(&["refused"]);
}

/// A machine in a namespace, a neighbour in another, and what takes them away from the client.
struct Away {
    net: Net,
    neighbour: String,
}

const NEIGHBOUR: &str = "10.78.1.1";

impl Away {
    fn require() -> Option<Self> {
        let net = Net::require("watch")?;
        let neighbour = format!("{}-n", net.server);
        let client = &net.client;
        for line in [
            format!("netns add {neighbour}"),
            format!("link add eth0 netns {neighbour} type veth peer name eth1 netns {client}"),
            format!("-n {neighbour} address add {NEIGHBOUR}/30 dev eth0"),
            format!("-n {client} address add 10.78.1.2/30 dev eth1"),
            format!("-n {neighbour} link set eth0 up"),
            format!("-n {client} link set eth1 up"),
        ] {
            assert!(ip(&line), "ip {line}");
        }
        Some(Self { net, neighbour })
    }

    /// Both are away for a second, or the machine alone.
    fn for_a_second(&self, both: bool) {
        let routes = [(&self.net.server, "10.78.0.2"), (&self.neighbour, "10.78.1.2")];
        let away = |action: &str| {
            for (namespace, client) in routes.iter().take(1 + usize::from(both)) {
                assert!(ip(&format!("-n {namespace} route {action} blackhole {client}/32")));
            }
        };
        away("add");
        sleep(Duration::from_secs(1));
        away("del");
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        ip(&format!("netns delete {}", self.neighbour));
    }
}

#[test]
fn service_machine_and_network_are_told_apart() {
    let Some(away) = Away::require() else { return };
    let server = Server::start(&away.net);
    let url = format!("http://{SERVER}:{}/", server.port);
    let watching = |options: &[&str]| {
        let mut command = Net::exec(&away.net.client, env!("CARGO_BIN_EXE_loadgen"));
        command.args(["watch", &url, "--format", "json", "--warmup", "500ms"]).args(options);
        let watch = Watching::start(command);
        // Reach checks are asked for two seconds before the load begins.
        sleep(Duration::from_secs(4));
        watch
    };
    // A busy machine may have kept the checks from being made: then it is not known.
    let freeze = |watch: &Watching, kind: &str, freeze: &dyn Fn()| {
        for _ in 0..10 {
            let from = now();
            freeze();
            let until = now();
            let of_it = |freeze: &Value| {
                moment(&freeze["from"]) < until && moment(&freeze["until"]) > from + 0.5
            };
            let told = watch.wait_for("freeze", of_it);
            if told["kind"] != "unknown" {
                assert_eq!(told["kind"], kind, "{told}");
                return told;
            }
        }
        panic!("never known")
    };
    let alone = watching(&[]);
    freeze(&alone, "service", &|| {
        stop(server.child.id());
        sleep(Duration::from_secs(1));
        signal(server.child.id(), "CONT");
    });
    let lost = freeze(&alone, "machine-or-network", &|| away.for_a_second(false));
    assert!(number(&lost["kernel"]["lost"]) > 0.0, "{lost}");
    assert!(number(&lost["kernel"]["silent_at_most_ms"]) >= 1000.0, "{lost}");
    let (summary, _) = alone.end();
    assert!(summary["reach_check"].as_str().unwrap().contains(SERVER), "{summary}");

    let beside = watching(&["--neighbour", NEIGHBOUR]);
    freeze(&beside, "machine", &|| away.for_a_second(false));
    freeze(&beside, "network", &|| away.for_a_second(true));
    beside.end();
}
