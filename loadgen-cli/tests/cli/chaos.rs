//! The other side breaks: servers that die, triggers that hang, fail or talk
//! nonsense. Each ends with a clear message, the exit code of the contract, and
//! the measured part saved.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::common::{self, Target, Watched, is_alive, loadgen, run, saved};

#[test]
fn a_server_killed_and_restarted_in_mid_run() {
    // At an address of its own nobody else takes the port while the server is away.
    let mut target = Target::start(&["--delay", "1ms", "--listen", "127.77.0.2:0"]);
    let address = target.address().to_owned();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let args = ["run", &target.url, "-r", "200", "-d", "60s", "--timeout", "5s", "-o"];
    let mut running = Watched::spawn(loadgen(args.into_iter().chain([file.to_str().unwrap()])));
    running.wait_for_second(1.0);
    target.kill();
    let number = |line: &str, word| common::number_after(line, word).unwrap_or(0);
    running.wait_for_line("lost calls", |line| number(line, "failed ") >= 100);
    let restarted = Target::start(&["--delay", "1ms", "--listen", &address]);
    // The rate of the first such line may be from before.
    for _ in 0..2 {
        running.wait_for_line("answers again", |line| number(line, "answered ") > 0);
    }
    running.signal("INT");
    running.finish().exits_with(130).says(&["report written to"]);
    let report = saved(&file);
    let count = |name: &str| report["counts"][name].as_u64().unwrap();
    let ended = count("answered") + count("failed") + count("shed") + count("unfinished");
    assert_eq!(count("offered"), ended, "{}", report["counts"]);
    assert!(report["errors"]["connect-refused"].as_u64().unwrap() >= 50, "{}", report["errors"]);
    let windows = report["timeline"]["windows"].as_array().unwrap();
    let has = |window: &Value, name: &str| window[name].as_u64().unwrap() > 0;
    let lost = windows.iter().position(|window| has(window, "failed")).unwrap();
    let last = windows.iter().rposition(|window| has(window, "answered")).unwrap();
    assert!(last > lost, "not answered after the restart: windows {lost} and {last}");
    let truth = restarted.end().exits_with(0).json();
    assert!(truth["replies_sent"].as_u64().unwrap() > 0, "{truth}");
}

/// Migrates by a program; gives the report and what was said. A run that completed
/// (code 0) may still have been late.
fn by_program(script: &str, more: &[&str], code: i32) -> (Value, String) {
    let target = Target::start(&["--delay", "1ms"]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let program = dir.path().join("migrate.sh");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    let spec = format!("command:sh {}", program.display());
    let args = ["migrate", &target.url, "--before", "1s", "--after", "1s", "-o"];
    let args = args.into_iter().chain([file.to_str().unwrap(), "--trigger", &spec]);
    let outcome = run(args.chain(more.iter().copied()));
    let outcome = if code == 0 { outcome.ran() } else { outcome.exits_with(code) };
    let report = saved(&file);
    assert!(report["counts"]["answered"].as_u64().unwrap() >= 300, "{}", report["counts"]);
    (report, outcome.stderr)
}

#[track_caller]
fn reasons_say(report: &Value, words: &[&str]) {
    let reasons = report["verdict"]["reasons"].to_string();
    for word in words {
        assert!(reasons.contains(word), "'{word}' is not in {reasons}");
    }
}

#[test]
fn a_program_that_migrates() {
    let script = "sleep 0.5; test \"$LOADGEN_STRATEGY\" = stop-and-copy";
    let (report, _) = by_program(script, &["--strategy", "stop-and-copy"], 0);
    assert_eq!(report["migration"]["ending"], "completed");
    assert_eq!(report["migration"]["strategy"], "stop-and-copy");
    let total = report["migration"]["total_migration_time_ms"]["trigger"].as_f64().unwrap();
    assert!(total >= 500.0, "{total}");
}

#[test]
fn a_program_that_exits_with_1() {
    let (report, stderr) = by_program("echo no such machine >&2; exit 1", &[], 4);
    assert_eq!(report["migration"]["ending"], "failed");
    assert_eq!(report["verdict"]["status"], "invalid");
    assert!(report["migration"]["reason"].to_string().contains("no such machine"));
    assert!(stderr.contains("not valid"), "{stderr}");
}

#[test]
fn a_program_that_prints_garbage() {
    let (report, stderr) = by_program("echo '}{ not json'; exit 1", &[], 4);
    assert_eq!(report["verdict"]["status"], "invalid");
    assert_ne!(report["migration"]["ending"], "completed");
    assert!(stderr.contains("not valid"), "{stderr}");
}

#[test]
fn a_program_that_hangs_is_asked_then_killed() {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    // It may be asked before it has said that it will not listen: then once more.
    let script =
        format!("trap '' TERM; echo $$ > {}; while :; do sleep 0.1; done", pid_file.display());
    let hung = || by_program(&script, &["--migration-limit", "1s"], 4);
    let mut tries = (0..10).map(|_| hung());
    let (report, stderr) = tries.find(|_| pid_file.exists()).unwrap();
    reasons_say(&report, &["did not end within 1 s", "asked to be cancelled"]);
    assert_ne!(report["migration"]["ending"], "completed");
    assert!(stderr.contains("did not end within 1 s, its limit"), "{stderr}");
    let pid: u32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    common::wait_until("the program is gone", || !is_alive(pid));
}

#[test]
fn a_program_that_heeds_the_cancelling() {
    let script = "trap 'exit 1' TERM; while :; do sleep 0.1; done";
    let (report, _) = by_program(script, &["--migration-limit", "1s"], 4);
    assert_eq!(report["migration"]["ending"], "cancelled");
    reasons_say(&report, &["did not end within 1 s"]);
}

#[test]
fn a_program_that_does_not_exist_is_found_before_the_load() {
    let target = Target::start(&[]);
    let args = ["migrate", &target.url, "--trigger", "command:/no/such/program"];
    let outcome = run(args);
    assert!(matches!(outcome.code(), Some(1 | 2)), "{outcome:?}");
    assert!(outcome.stderr.contains("/no/such/program"), "{outcome:?}");
    assert_eq!(target.end().json()["requests_read"], 0);
}

#[test]
fn a_server_that_dies_in_the_migration() {
    let mut target = Target::start(&["--delay", "1ms", "--listen", "127.77.0.3:0"]);
    let dir = tempfile::tempdir().unwrap();
    let (file, dead) = (dir.path().join("report.json"), dir.path().join("dead"));
    let program = dir.path().join("migrate.sh");
    // It goes on for a second after the server's end, whenever that is.
    let script = format!("while [ ! -e {} ]; do sleep 0.1; done; sleep 1\n", dead.display());
    std::fs::write(&program, script).unwrap();
    let spec = format!("command:sh {}", program.display());
    let args = ["migrate", &target.url, "--before", "1s", "--after", "1s", "--timeout", "1s"];
    let args = args.into_iter().chain(["--trigger", &spec, "-o"]);
    let mut running = Watched::spawn(loadgen(args.chain([file.to_str().unwrap()])));
    running.wait_for("migrating");
    target.kill();
    std::fs::write(&dead, "").unwrap();
    let outcome = running.finish();
    assert!(Path::new(&file).exists(), "{outcome:?}");
    let report = saved(&file);
    assert!(report["errors"]["connect-refused"].as_u64().unwrap() > 0, "{}", report["errors"]);
    // Nobody answers again: the outage is as long as the rest of the load.
    let outage = report["migration"]["outage_ms"]["established"]["longest_gap"].as_f64().unwrap();
    assert!(outage > 1000.0, "{outage}");
    assert!(report["migration"]["recovery_ms"].is_null());
    assert!(matches!(outcome.code(), Some(0 | 4)), "{outcome:?}");
}

/// A QEMU as far as its socket goes: accepts the migration, tells of its first
/// pass, and is gone half a second later.
fn qemu_that_dies(listener: &UnixListener) {
    let (stream, _) = listener.accept().unwrap();
    let mut out = stream.try_clone().unwrap();
    let mut say = |line: Value| writeln!(out, "{line}").unwrap();
    let event = |name: &str, data: Value| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let at = json!({"seconds": now.as_secs(), "microseconds": now.subsec_micros()});
        json!({"event": name, "data": data, "timestamp": at})
    };
    let version = json!({"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""});
    say(json!({"QMP": {"version": version, "capabilities": []}}));
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let request: Value = serde_json::from_str(&line).unwrap();
        let answer = match request["execute"].as_str().unwrap() {
            "query-status" => json!({"status": "running", "running": true}),
            "query-migrate-capabilities" => json!([{"capability": "events", "state": false}]),
            "query-migrate-parameters" => json!({"max-bandwidth": 1 << 25, "downtime-limit": 300}),
            _ => json!({}),
        };
        say(json!({"return": answer, "id": request["id"]}));
        if request["execute"] == "migrate" {
            say(event("MIGRATION", json!({"status": "setup"})));
            say(event("MIGRATION", json!({"status": "active"})));
            say(event("MIGRATION_PASS", json!({"pass": 1})));
            std::thread::sleep(Duration::from_millis(500));
            return;
        }
    }
}

#[test]
fn a_qmp_socket_that_closes_in_mid_migration() {
    let target = Target::start(&["--delay", "1ms"]);
    let dir = tempfile::tempdir().unwrap();
    let (file, socket) = (dir.path().join("report.json"), dir.path().join("qmp.sock"));
    let listener = UnixListener::bind(&socket).unwrap();
    let qemu = std::thread::spawn(move || qemu_that_dies(&listener));
    let spec = format!("qmp:{},to=tcp:127.0.0.1:4444", socket.display());
    let args = ["migrate", &target.url, "--before", "1s", "--after", "1s", "-o"];
    let args = args.into_iter().chain([file.to_str().unwrap(), "--trigger", &spec]);
    run(args).exits_with(4).says(&["not valid", "report written to"]);
    qemu.join().unwrap();
    let report = saved(&file);
    assert_eq!(report["verdict"]["status"], "invalid");
    assert_ne!(report["migration"]["ending"], "completed");
    let events = report["events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["name"] == "round"), "{events:?}");
    assert!(report["counts"]["answered"].as_u64().unwrap() >= 300, "{}", report["counts"]);
}

#[test]
fn a_qmp_socket_that_is_not_there_is_found_before_the_load() {
    let target = Target::start(&[]);
    let spec = "qmp:/no/such/qmp.sock,to=tcp:127.0.0.1:4444";
    run(["migrate", &target.url, "--trigger", spec]).exits_with(1).says(&["/no/such/qmp.sock"]);
    assert_eq!(target.end().json()["requests_read"], 0);
}
