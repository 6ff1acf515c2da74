//! Where connections go: unix sockets and IPv6 in every command, proxies, and names whose
//! addresses change. What the engine does with each is in its own tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use serde_json::Value;

use crate::common::{Outcome, finish, run};
use crate::require::require;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Answers the requests of one connection; `call` is told of each.
fn converse(stream: impl Read + Write, call: impl Fn(&str)) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(stream.read_line(&mut head), Ok(1..)) {
                return;
            }
        }
        call(&head);
        if stream.get_mut().write_all(OK).is_err() || head.contains("Connection: close") {
            return;
        }
    }
}

fn serve_tcp(listener: TcpListener, call: impl Fn(&str) + Send + Sync + 'static) {
    let call = Arc::new(call);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let call = Arc::clone(&call);
            std::thread::spawn(move || converse(stream, |head| call(head)));
        }
    });
}

fn serve_unix(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || converse(stream, |_| ()));
        }
    });
}

/// `run`, `sweep` and `migrate` of a URL, in this order.
fn in_every_command(url: &str) -> [Value; 3] {
    let json = ["--format", "json"];
    let load = ["run", url, "-r", "50", "-d", "500ms", "--probe-rate", "20"];
    let sweep = ["sweep", url, "--rates", "40,80", "-d", "500ms", "--pause", "0s"];
    let migrate = ["migrate", url, "-r", "50", "--before", "500ms", "--after", "500ms"];
    let trigger = ["--warmup", "0s", "--trigger", "command:true"];
    [
        run(load.into_iter().chain(json)).ran().json(),
        run(sweep.into_iter().chain(json)).json(),
        run(migrate.into_iter().chain(trigger).chain(json)).ran().json(),
    ]
}

#[track_caller]
fn all_answered(counts: &Value) {
    assert!(counts["offered"].as_u64().unwrap() > 0, "{counts}");
    assert_eq!(counts["answered"], counts["offered"], "{counts}");
}

#[test]
fn every_command_loads_unix_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.sock");
    serve_unix(&path);
    let [ran, swept, migrated] = in_every_command(&format!("unix:{}:/x", path.display()));
    let address = format!("unix:{}", path.display());
    all_answered(&ran["counts"]);
    assert_eq!(ran["environment"]["address"], address);
    assert_eq!(ran["connected_to"]["addresses"][0]["address"], address);
    for point in swept["points"].as_array().unwrap() {
        all_answered(&point["counts"]);
    }
    all_answered(&migrated["counts"]);
    let reach = &migrated["migration"]["unreachable_ms"];
    assert!(reach["reason"].as_str().unwrap().contains("unix socket"), "{reach}");
    assert!(reach["at_least"].is_null(), "{reach}");
}

#[test]
fn every_command_loads_ipv6_literals() {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    serve_tcp(listener, |_| ());
    let [ran, swept, migrated] = in_every_command(&format!("http://{address}/"));
    all_answered(&ran["counts"]);
    assert_eq!(ran["environment"]["address"], address);
    for point in swept["points"].as_array().unwrap() {
        all_answered(&point["counts"]);
    }
    all_answered(&migrated["counts"]);
    let there = format!("--connect-to={address}");
    let args = ["run", "http://service.test/", &there, "-r", "50", "-d", "500ms"];
    all_answered(&run(args.into_iter().chain(["--format", "json"])).ran().json()["counts"]);
}

#[test]
fn a_proxys_kernel_is_not_taken_for_the_machines() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    serve_tcp(listener, |head| assert!(head.starts_with("GET http://service.test/ HTTP/1.1")));
    let args = ["migrate", "http://service.test/", "--proxy", &proxy, "-r", "50", "--warmup"];
    let rest = ["0s", "--before", "500ms", "--after", "500ms", "--trigger", "command:true"];
    let report = run(args.into_iter().chain(rest).chain(["--format", "json"])).ran().json();
    all_answered(&report["counts"]);
    let reach = &report["migration"]["unreachable_ms"];
    assert!(reach["reason"].as_str().unwrap().contains("proxy"), "{reach}");
}

#[test]
fn a_report_has_no_password_of_a_proxy_and_asks_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    serve_tcp(listener, |_| ());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let saved = file.to_str().unwrap();
    let proxy = format!("http://user:hunter2@{address}");
    let load = ["run", "http://service.test/", "--proxy", &proxy, "-r", "50", "-d", "200ms"];
    run(load.into_iter().chain(["-o", saved])).ran();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("dXNlcjpodW50ZXIy"), "{text}");
    run(["run", saved]).exits_with(2).says(&["Proxy-Authorization"]);
    let again = run(["run", saved, "-H", "Proxy-Authorization: Basic dXNlcjpodW50ZXIy"]).ran();
    assert!(again.stdout.contains("through the proxy http://127.0.0.1:"), "{}", again.stdout);
}

#[test]
fn what_cannot_be_is_told_and_no_password_with_it() {
    let load = |args: &[&str]| -> Outcome {
        run(args.iter().copied().chain(["-r", "1", "-d", "1s"])).exits_with(2)
    };
    let url = "http://127.0.0.1:9/";
    for (args, words) in [
        (&["run", url, "--proxy", "https://u:hunter2@h"][..], &["proxy", "without TLS"][..]),
        (&["run", url, "--proxy", "socks5://u:hunter2@h"], &["only http:// proxies"]),
        (&["run", url, "--connect-to", "h"], &["names no port"]),
        (&["run", url, "--connect-to", "h:1", "--proxy", "h:1"], &["--proxy", "--connect-to"]),
        (&["run", url, "--resolve-again"], &["needs a name"]),
        (&["run", url, "--addresses", "all"], &["needs a name"]),
        (&["run", "unix:/a/b.json", "--kernel-timestamps"], &["--kernel-timestamps"]),
        (&["run", "unix:/a", "--source-address", "127.0.0.2"], &["no source address"]),
        (&["run", "unix:a"], &["begins with '/'"]),
    ] {
        let outcome = load(args).says(words);
        assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    }
}

/// Two servers on one port, at 127.0.0.1 and 127.0.0.2.
fn pair(call: impl Fn(&str) + Send + Sync + 'static) -> u16 {
    loop {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = one.local_addr().unwrap().port();
        if let Ok(other) = TcpListener::bind(("127.0.0.2", port)) {
            serve_tcp(one, call);
            serve_tcp(other, |_| ());
            return port;
        }
    }
}

/// Runs the program in a mount namespace of its own, in which this file is /etc/hosts.
/// `None`: this machine allows none.
fn with_hosts(hosts: &Path, args: &[&str]) -> Option<Value> {
    let allowed = Command::new("unshare")
        .args(["--map-root-user", "--mount", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let what = "a mount namespace (unshare, as root or with unprivileged user namespaces)";
    if !require(allowed, what, "util-linux") {
        return None;
    }
    let script = format!("mount --bind {} /etc/hosts && exec \"$@\"", hosts.display());
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_loadgen")).args(args).args(["--format", "json"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(finish(command.spawn().unwrap()).ran().json())
}

#[test]
fn a_service_that_moves_to_another_address_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let hosts = dir.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 service.test\n").unwrap();
    // In place, so that nobody sees half of it.
    let file = std::fs::File::options().write(true).open(&hosts).unwrap();
    let calls = AtomicU64::new(0);
    let port = pair(move |_| {
        if calls.fetch_add(1, SeqCst) == 30 {
            file.write_at(b"127.0.0.2", 0).unwrap();
        }
    });
    let url = format!("http://service.test:{port}/");
    let args = ["run", &url, "-r", "100", "-d", "2s", "--calls-per-connection", "1"];
    let args: Vec<&str> = args.into_iter().chain(["--resolve-again"]).collect();
    let Some(report) = with_hosts(&hosts, &args) else { return };
    all_answered(&report["counts"]);
    let to = &report["connected_to"];
    let addresses = to["addresses"].as_array().unwrap();
    let [old, new] = &addresses[..] else { panic!("{to}") };
    assert_eq!(old["address"], format!("127.0.0.1:{port}"));
    assert_eq!(new["address"], format!("127.0.0.2:{port}"));
    assert!(old["last_s"].as_f64().unwrap() <= new["first_s"].as_f64().unwrap(), "{to}");
    let count = |of: &Value| of["connections"].as_u64().unwrap();
    assert_eq!(count(old) + count(new), 200, "{to}");
    assert!(count(old) >= 31 && count(new) > 0, "{to}");
    assert_eq!(to["lookups_failed"], 0);
}

#[test]
fn all_addresses_of_a_name_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let hosts = dir.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 service.test\n127.0.0.2 service.test\n").unwrap();
    let port = pair(|_| ());
    let place = format!("service.test:{port}");
    let args = ["run", "http://other.test/", "--connect-to", &place, "--addresses", "all"];
    let load = ["-r", "50", "-d", "1s", "--calls-per-connection", "1"];
    let args: Vec<&str> = args.into_iter().chain(load).collect();
    let Some(report) = with_hosts(&hosts, &args) else { return };
    all_answered(&report["counts"]);
    let to = report["connected_to"]["addresses"].as_array().unwrap();
    let counts: Vec<_> = to.iter().map(|address| address["connections"].as_u64()).collect();
    assert_eq!(counts, [Some(25), Some(25)], "{to:?}");
}
