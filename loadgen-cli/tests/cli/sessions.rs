//! `--session FILE` in run, sweep and migrate.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::common::{Target, in_time, run, saved};

/// Requests as a server read them, those of a connection together.
type Seen = Arc<Mutex<Vec<Vec<String>>>>;

/// A server that sets a cookie with every reply, and its address.
fn server() -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let all = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, all) = (stream.unwrap(), Arc::clone(&all));
            std::thread::spawn(move || converse(stream, &all));
        }
    });
    (url, seen)
}

fn converse(stream: TcpStream, all: &Mutex<Vec<Vec<String>>>) {
    let place = {
        let mut all = all.lock().unwrap();
        all.push(Vec::new());
        all.len() - 1
    };
    let mut reader = BufReader::new(stream);
    loop {
        let (mut request, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = n.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            request.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        request.push_str(&String::from_utf8(body).unwrap());
        all.lock().unwrap()[place].push(request);
        let reply = "HTTP/1.1 200 OK\r\nSet-Cookie: id=7\r\nContent-Length: 2\r\n\r\nok";
        if reader.get_mut().write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

const SHOP: &str = r#"
[[session]]
[[session.burst]]
calls = ["/"]
think = "10ms"
[[session.burst]]
calls = [{ path = "/cart", body = "item=1", headers = { X-Own = "yes", X-All = "mine" } }]
[[session]]
burst = [{ calls = ["/second"] }]
"#;

/// A file in a folder that lasts as long as what is returned.
fn file(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn the_server_is_asked_for_what_the_file_says() {
    let (url, seen) = server();
    let (_folder, path) = file("shop.toml", SHOP);
    let path = path.to_str().unwrap();
    let args = ["run", &url, "--session", path, "-r", "20", "-d", "200ms", "--threads", "2"];
    let more = ["--session-cookies", "-H", "X-All: all", "-H", "Authorization: Bearer hunter2"];
    let outcome = run(args.iter().chain(&more).chain(&["--format", "json"])).ran();
    let report = outcome.json();
    assert_eq!(report["counts"]["answered"], 6, "{}", report["errors"]);
    let outcomes = &report["sessions"]["outcomes"];
    assert_eq!((outcomes["succeeded"].as_u64(), outcomes["failed"].as_u64()), (Some(4), Some(0)));
    assert!(!outcome.stdout.contains("hunter2"));
    let seen = seen.lock().unwrap();
    // The check before the load asks nothing.
    let talks: Vec<&Vec<String>> = seen.iter().filter(|talk| !talk.is_empty()).collect();
    let firsts = |first: &str| talks.iter().filter(|talk| talk[0].starts_with(first)).count();
    assert_eq!((firsts("GET / HTTP/1.1\r\n"), firsts("GET /second HTTP/1.1\r\n")), (2, 2));
    let shop = talks.iter().find(|talk| talk[0].starts_with("GET / ")).unwrap();
    assert!(shop[0].contains("\r\nUser-Agent: loadgen/"), "{shop:?}");
    assert!(shop[0].contains("\r\nX-All: all\r\nAuthorization: Bearer hunter2\r\n"), "{shop:?}");
    assert!(!shop[0].contains("Cookie"), "{shop:?}");
    assert!(shop[1].starts_with("POST /cart HTTP/1.1\r\n") && shop[1].ends_with("item=1"));
    for line in ["X-Own: yes\r\n", "X-All: mine\r\n", "Cookie: id=7\r\n", "hunter2"] {
        assert!(shop[1].contains(line), "{line}: {shop:?}");
    }
    assert!(!shop[1].contains("X-All: all"), "{shop:?}");
}

#[test]
fn a_wsesslog_does_too_and_its_report_can_be_repeated() {
    let target = Target::start(&[]);
    let (folder, path) = file("shop.log", "/ think=0.01\n /a\n/b method=HEAD\n\n/c\n");
    let saved_at = folder.path().join("report.json");
    let (path, report) = (path.to_str().unwrap(), saved_at.to_str().unwrap());
    let args = ["run", &target.url, "--session", path, "-r", "50", "-d", "200ms", "-o", report];
    run(args).ran();
    let first = saved(&saved_at);
    assert_eq!(first["counts"]["answered"], 5 * 3 + 5, "{}", first["errors"]);
    let again = run(["run", report, "--format", "json"]).ran().json();
    assert_eq!(again["plan"], first["plan"]);
    assert_eq!(again["counts"]["answered"], first["counts"]["answered"]);
    let text = run(["report", report]).exits_with(0).stdout;
    assert!(text.contains("sessions of a log of 2"), "{text}");
    assert!(text.contains("Sessions") && text.contains("through"), "{text}");
}

#[test]
fn a_sweep_is_over_sessions_a_second() {
    let target = Target::start(&[]);
    let (_folder, path) = file("shop.toml", SHOP);
    let path = path.to_str().unwrap();
    let args = ["sweep", &target.url, "--session", path, "--rates", "20,40", "-d", "500ms"];
    let outcome = in_time(|| run(args)).exits_with(0);
    assert!(outcome.stdout.contains("sessions demanded"), "{}", outcome.stdout);
    let json = run(args.iter().chain(&["--format", "json", "--pause", "0s"])).ran().json();
    // 10 sessions, half of them of two calls.
    assert_eq!(json["points"][0]["counts"]["offered"], 15, "{json}");
    assert_eq!(json["points"][1]["counts"]["offered"], 30, "{json}");
}

#[test]
fn a_migration_has_them_and_newcomers_beside() {
    let (_folder, path) = file("shop.toml", SHOP);
    let path = path.to_str().unwrap();
    let trigger = "simulated:strategy=stop-and-copy,memory=16MiB,bandwidth=64MiB/s";
    let args = ["migrate", "--session", path, "--rate", "40", "--trigger", trigger];
    let more = ["--before", "1s", "--after", "1s", "--format", "json"];
    let report = in_time(|| run(args.iter().chain(&more))).ran().json();
    let outages = &report["migration"]["outage_ms"];
    for population in ["established", "fresh"] {
        assert!(outages[population]["gap"].as_f64().unwrap() > 100.0, "{outages}");
    }
    assert!(report["sessions"]["outcomes"]["succeeded"].as_u64().unwrap() > 40, "{report}");
    assert_eq!(report["plan"]["request"]["method"], "GET");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_sent() {
    let (url, seen) = server();
    let (_folder, path) = file("shop.toml", SHOP);
    let (_other, wrong) = file("wrong.toml", "[[session]]\n[[session.burst]]\ncalls = [\"a\"]\n");
    let path = path.to_str().unwrap();
    let wrong = wrong.to_str().unwrap();
    let refused = |args: &[&str], words: &[&str]| {
        let base = ["run", &url, "-r", "10", "-d", "100ms"];
        run(base.iter().chain(args)).exits_with(2).says(words);
    };
    refused(&["--session", wrong], &["wrong.toml:3: 'a' is no path"]);
    refused(&["--session", "/nowhere/x"], &["cannot read /nowhere/x", "No such file"]);
    refused(&["--session", path, "--method", "PUT"], &["--method", "--probe-rate"]);
    refused(&["--session", path, "--body", "x"], &["--body", "of their own"]);
    refused(&["--session", path, "--warm-connections", "2"], &["--warm-connections"]);
    refused(&["--session", path, "--connect-rate", "2"], &["--connect-rate"]);
    refused(&["--session", path, "--kernel-timestamps"], &["kernel timestamps"]);
    refused(&["--session", path, "--session-connections", "0"], &["at least 1"]);
    refused(&["--session-cookies"], &["--session <FILE>"]);
    assert!(seen.lock().unwrap().is_empty());
    // A server that is not there is no result.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let args = ["run", &format!("http://{free}/"), "-r", "10", "--session", path];
    run(args).exits_with(1).says(&["cannot connect", "refused"]);
}
