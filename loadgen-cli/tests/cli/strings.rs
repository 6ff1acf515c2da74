//! Nothing from outside steers the terminal: escape sequences, bells, C1 controls and
//! marks of direction, fed in through every source of text.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{Outcome, Target, finish, loadgen, run};

/// ESC, BEL, CSI as one character (C1), DEL, a line that overwrites, marks of direction.
const BAD: &str = "\u{1b}[2J\u{7}\u{9b}31m\u{7f}\r\u{202e}\u{2066}\u{200f}";

#[track_caller]
fn is_harmless(text: &str, what: &str) {
    let acts = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(acts), "{what}: {text:?}");
}

/// Asserts that nothing acts, and that the text got as far as the output at all.
#[track_caller]
fn escaped(outcome: &Outcome, what: &str) {
    is_harmless(&outcome.stdout, what);
    is_harmless(&outcome.stderr, what);
    // clap leaves out whole sequences that begin with ESC, in its own messages.
    let seen =
        |text: &str| ["\\u{9b}31m", "\\u009b31m", "\\u{1b}["].iter().any(|bad| text.contains(bad));
    assert!(seen(&outcome.stdout) || seen(&outcome.stderr), "{what}: {outcome:#?}");
}

#[test]
fn the_command_line_and_the_environment() {
    let bad = |text: &str| text.replace("BAD", BAD);
    for args in [
        &["BAD"][..],
        &["run", "http://BAD/", "-r", "5"],
        &["run", "http://127.0.0.1:9/", "-r", "BAD"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "-d", "BAD"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "--BAD"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "BAD"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "--slo", "BAD"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "-H", "BAD: x"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "-H", "A: env:BAD"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "-H", "@BAD"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "--secret-header", "BAD"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "--method", "BAD"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "--body-file", "BAD"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "--connect-to", "BAD"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "--precision", "BAD"],
        &["run", "http://127.0.0.1:9/", "-r", "5", "-o", "/no/BAD/x.json"],
        &["run", "BAD.json"],
        &["run", "http://[fe80::1%25BAD]/", "-r", "5"],
        &["sweep", "http://127.0.0.1:9/", "--rates", "BAD"],
        &["sweep", "http://127.0.0.1:9/", "--rates", "5", "--resume", "BAD"],
        &["migrate", "http://127.0.0.1:9/", "--trigger", "BAD"],
        &["migrate", "http://127.0.0.1:9/", "--trigger", "command:BAD"],
        &["migrate", "http://127.0.0.1:9/", "--trigger", "qmp:/no/BAD,to=tcp:h:1"],
        &["migrate", "--trigger", "simulated:BAD=1"],
        &["migrate", "--trigger", "simulated:memory=BAD"],
        &["report", "BAD"],
        &["report", "BAD", "--html", "/no/BAD"],
        &["target", "--listen", "BAD"],
        &["target", "--calls", "/no/BAD/x"],
        &["completions", "BAD"],
        &["man", "--dir", "/proc/BAD"],
    ] {
        let outcome = run(args.iter().map(|arg| bad(arg)));
        assert_ne!(outcome.code(), Some(0), "{args:?}");
        escaped(&outcome, &args.join(" "));
    }
    // What is no text at all.
    let outcome = run([OsStr::from_bytes(b"report"), OsStr::from_bytes(b"\x9b1m\xff\x1b[2J")]);
    is_harmless(&outcome.stderr, "bytes");
}

#[test]
fn the_names_of_files_and_folders() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join(BAD);
    std::fs::create_dir(&inner).unwrap();
    escaped(&run([OsStr::new("report"), inner.as_os_str()]), "an empty folder");
    for name in ["a", "b"] {
        std::fs::write(inner.join(format!("{name}{BAD}.json")), "{\"schema\": 1}").unwrap();
    }
    escaped(&run([OsStr::new("report"), inner.as_os_str()]), "files in a folder");
}

/// Puts the bad text behind every string and every name of a document, one at a time.
fn spoilt(value: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let mut put = |pointer: String, change: &dyn Fn(&mut Value)| {
        let mut whole = value.clone();
        change(whole.pointer_mut(&pointer).unwrap());
        all.push((pointer, whole));
    };
    let mut open = vec![(String::new(), value)];
    while let Some((at, part)) = open.pop() {
        match part {
            Value::String(text) => put(at, &|value| *value = format!("{text}{BAD}").into()),
            Value::Array(parts) => {
                // One of many alike will do.
                open.extend(parts.first().map(|part| (format!("{at}/0"), part)));
            }
            Value::Object(parts) => {
                for (name, part) in parts {
                    put(at.clone(), &|value| {
                        let object = value.as_object_mut().unwrap();
                        let part = object.remove(name).unwrap();
                        object.insert(format!("{name}{BAD}"), part);
                    });
                    open.push((format!("{at}/{name}"), part));
                }
            }
            _ => {}
        }
    }
    all
}

#[test]
fn files_of_reports_and_sweeps() {
    let target = Target::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (report, sweep) = (file("report.json"), file("sweep.json"));
    let load = ["-d", "300ms", "-q", "-H", "X-A: b"];
    run([&["run", &target.url, "-r", "50", "--probe-rate", "20", "-o", &report][..], &load]
        .concat())
    .ran();
    let sweep_line = ["sweep", &target.url, "--rates", "20", "-o", &sweep];
    run([&sweep_line[..], &load].concat()).ran();
    let read = |path: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let mut document = read(&report);
    // A bell in the middle of an event, as a trigger may have told it.
    document["events"] = serde_json::json!([
        {"name": "mark", "at_s": 0.1, "uncertainty_s": 0, "source": "user", "attributes": {"a": "b"}}
    ]);
    let (spoilt_file, spoilt_html) = (file("spoilt.json"), file("spoilt.html"));
    let mut shown = 0;
    for (at, value) in spoilt(&document) {
        std::fs::write(&spoilt_file, value.to_string()).unwrap();
        let forms = [
            &["report", &*spoilt_file, "--csv", "-"][..],
            &["report", &spoilt_file, "--format", "text", "-o", "-", "--html", &spoilt_html],
        ];
        for args in forms {
            let outcome = run(args);
            is_harmless(&outcome.stdout, &at);
            is_harmless(&outcome.stderr, &at);
            shown += usize::from(outcome.stdout.contains("[2J") || outcome.stderr.contains("[2J"));
        }
        if let Ok(html) = std::fs::read_to_string(&spoilt_html) {
            is_harmless(&html, &at);
        }
    }
    assert!(shown >= 20, "the text got nowhere: {shown}");
    let mut shown = 0;
    for (at, value) in spoilt(&read(&sweep)) {
        std::fs::write(&spoilt_file, value.to_string()).unwrap();
        let args = ["sweep", &target.url, "--rates", "20", "--resume", &spoilt_file];
        // All runs are there: nothing is measured.
        let outcome = run([&args[..], &load].concat());
        is_harmless(&outcome.stdout, &at);
        is_harmless(&outcome.stderr, &at);
        shown += usize::from(outcome.stdout.contains("[2J") || outcome.stderr.contains("[2J"));
    }
    assert!(shown >= 5, "the text got nowhere: {shown}");
    // JSON has other escapes, and means the same.
    let mut value = document.clone();
    value["environment"]["cpu"] = BAD.into();
    std::fs::write(&spoilt_file, value.to_string()).unwrap();
    let outcome = run(["report", &spoilt_file, "--format", "json"]).exits_with(0);
    escaped(&outcome, "JSON");
    assert_eq!(outcome.json()["environment"]["cpu"], BAD);
}

/// Migrates by this script; the report goes to stdout as text.
fn by_program(script: &str, what: &str) {
    let target = Target::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("migrate.sh");
    std::fs::write(&program, script.replace("BAD", BAD)).unwrap();
    let spec = format!("command:sh {}", program.display());
    let args = ["migrate", &target.url, "--warmup", "0s", "--before", "300ms", "--after", "300ms"];
    escaped(&run(args.into_iter().chain(["--trigger", &spec])), what);
}

#[test]
fn what_a_program_that_migrates_says() {
    // In JSON control characters are written as escapes, and read as what they mean.
    let bad = "\\\\u001b[2J\\\\u0007\\\\u009b\\\\u202e";
    let line = |json: &str| format!("printf '{}\\n'\n", json.replace("JSON", bad));
    let events = line(r#"{"event":"mark","name":"m JSON","JSON":"a JSON"}"#)
        + &line(r#"{"event":"failed","reason":"JSON"}"#);
    by_program(&events, "marks, attributes, reasons");
    by_program(&line(r#"{"event":"JSON"}"#), "an event that there is none");
    by_program("printf 'BAD\\n'\n", "no event at all");
    by_program("printf 'BAD\\n' >&2\nexit 3\n", "standard error");
}

/// A QMP server that says these lines, one before and one after each request.
fn qmp(folder: &Path, greeting: String, reply: String) -> String {
    let path = folder.join("qmp.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = writeln!(stream, "{greeting}");
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                let asked: Value = serde_json::from_str(&line).unwrap();
                let answer = match asked["execute"].as_str() {
                    Some("qmp_capabilities") => r#"{"return":{},"id":ID}"#,
                    _ => &reply,
                };
                let _ = writeln!(stream, "{}", answer.replace("ID", &asked["id"].to_string()));
                line.clear();
            }
        }
    });
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_a_hypervisor_says() {
    let bad = BAD.chars().map(|c| format!("\\u{:04x}", c as u32)).collect::<String>();
    let greeting = r#"{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":0},"package":"BAD"},"capabilities":[]}}"#;
    let error = r#"{"error":{"class":"GenericError","desc":"no BAD"},"id":ID}"#;
    for (what, greeting, reply) in
        [("an error", greeting, error), ("no QMP", "BAD", error), ("nonsense", greeting, "BAD")]
    {
        let folder = tempfile::tempdir().unwrap();
        // Raw bytes are no JSON: with them it cannot go on.
        let of = |text: &str| text.replace("BAD", if text == "BAD" { BAD } else { &bad });
        let socket = qmp(folder.path(), of(greeting), of(reply));
        let spec = format!("qmp:{socket},to=tcp:127.0.0.1:9");
        let outcome = run(["migrate", "http://127.0.0.1:9/", "--trigger", &spec]);
        assert_ne!(outcome.code(), Some(0));
        escaped(&outcome, what);
    }
}

#[test]
fn what_a_server_says() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let reply =
                format!("HTTP/1.1 200 {BAD}\r\nX{BAD}: {BAD}\r\nContent-Length: {BAD}\r\n\r\n");
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    let url = format!("http://{address}/");
    let outcome = run(["run", &url, "-r", "20", "-d", "300ms"]);
    is_harmless(&outcome.stdout, "run");
    is_harmless(&outcome.stderr, "run");
    let port = address.port().to_string();
    let outcome = httperf(&["--server", "127.0.0.1", "--port", &port, "--num-conns", "1"]);
    is_harmless(&outcome.stdout, "httperf");
    is_harmless(&outcome.stderr.replace('\t', ""), "httperf");
}

fn httperf(args: &[&str]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_httperf"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command.spawn().unwrap())
}

/// Its stdout repeats the command line as the original does, and with --print-reply
/// what a server sent.
#[test]
fn messages_of_httperf() {
    let bad = |text: &str| text.replace("BAD", BAD);
    for args in [
        &["--server", "BAD"][..],
        &["--wlog=y,BAD"],
        &["--wsesslog=1,0,BAD"],
        &["--servers=BAD"],
        &["--add-header-file=BAD"],
        &["--BAD"],
        &["--rate=BAD"],
        &["--server", "127.0.0.1", "--port", "9", "--num-conns", "1", "--json", "/no/BAD/x"],
    ] {
        let args: Vec<String> = args.iter().map(|arg| bad(arg)).collect();
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let outcome = httperf(&words);
        is_harmless(&outcome.stderr.replace('\t', ""), &args.join(" "));
    }
}

#[test]
fn help_keeps_its_form() {
    let outcome = finish(loadgen(["run", "--help"]).spawn().unwrap()).exits_with(0);
    assert!(outcome.stdout.contains("--secret-header"), "{}", outcome.stdout);
    is_harmless(&outcome.stdout, "help");
}
