//! `autobench --migrate`: a server of its own process, really stopped by a program in
//! the middle of every test.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use loadgen_core::target_server::{TargetOptions, TargetServer};

use crate::common::{CONF, home, words};
use crate::script;

/// Names of the columns that a migration adds, without the host.
const COLUMNS: [&str; 7] = [
    "migration_time_ms",
    "reported_migration_time_ms",
    "downtime_ms",
    "reported_downtime_ms",
    "outage_ms",
    "outage_bound_ms",
    "migration_errors",
];

/// The server, in a copy of this program.
#[test]
#[ignore = "serves the other tests until its input ends"]
fn serve() {
    let target = TargetServer::bind(TargetOptions::new()).unwrap().spawn().unwrap();
    println!("\nserving at port {}", target.local_addr().port());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// A server that can be stopped, and a directory for programs that do so.
struct Lab {
    server: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let mut server = Command::new(std::env::current_exe().unwrap())
            .args(["migrate::serve", "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| line.unwrap().strip_prefix("serving at port ")?.parse().ok())
            .unwrap();
        Self { server, port, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program of this name; `$SERVER` is the server's process, `at` tells an event
    /// with its time.
    fn program(&self, name: &str, script: &str) -> String {
        let path = self.path(name);
        let script = format!(
            "#!/bin/sh\nSERVER={}\n\
             at() {{ echo '{{\"event\":\"'$1'\",\"t\":'$(date +%s.%N)'}}'; }}\n{script}\n",
            self.server.id()
        );
        script::write(&path, &script);
        path.display().to_string()
    }

    /// One that stops the server for so many seconds.
    fn stopping(&self, name: &str, seconds: f64) -> String {
        self.program(
            name,
            &format!(
                "echo \"$AUTOBENCH_STEP $AUTOBENCH_SERVER $AUTOBENCH_HOST $AUTOBENCH_RATE \
                 $LOADGEN_TRIAL $*\" >> {}\n\
                 at stop; kill -STOP $SERVER; sleep {seconds}; kill -CONT $SERVER; at resume\n\
                 echo '{{\"event\":\"completed\",\"downtime_ms\":123.4,\
                 \"total_migration_time_ms\":567.8,\"on_target\":true}}'",
                self.path("told").display()
            ),
        )
    }

    /// Runs autobench with tests of 2 s, unless `line` says, and a migration by `spec`.
    fn run(&self, spec: &str, line: &str) -> Output {
        let conf = CONF
            .replace("8090", &self.port.to_string())
            .replace("num_conn  = 40", "num_conn = 400")
            .replace("num_call  = 2", "num_call = 1");
        let home = home(&format!("{conf}migrate = {spec}\n"));
        Command::new(env!("CARGO_BIN_EXE_autobench"))
            .args(words(&format!("--quiet --low 200 --high 200 {line}")))
            .env("HOME", home.path())
            .output()
            .unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn table(output: &Output) -> Vec<Vec<&str>> {
    text(&output.stdout).lines().map(|row| row.split('\t').collect()).collect()
}

/// The cells that a migration of the only server added.
fn added<'a>(row: &[&'a str]) -> Vec<&'a str> {
    assert_eq!(row.len(), 10 + COLUMNS.len(), "{row:?}");
    row[10..].to_vec()
}

fn number(cell: &str) -> f64 {
    cell.parse().unwrap_or_else(|_| panic!("no number: '{cell}'"))
}

#[test]
fn every_step_has_a_migration_and_its_figures() {
    let lab = Lab::new();
    let program = lab.stopping("move", 0.5);
    let (json, page) = (lab.path("steps.json"), lab.path("page.html"));
    let line = format!(
        "--single_host --high 250 --rate_step 50 --num_conn 1000 --timeout 30 --json {} --html {}",
        json.display(),
        page.display()
    );
    let output = lab.run(&format!("command:{program} to vm{{next}}"), &line);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let table = table(&output);
    let names: Vec<String> = COLUMNS.iter().map(|name| format!("{name}_127.0.0.1")).collect();
    assert_eq!(table[0][10..], names);
    assert_eq!(table.len(), 3);
    for row in &table[1..] {
        let cells: Vec<f64> = added(row).into_iter().map(number).collect();
        let [total, told_total, downtime, told_downtime, outage, bound, errors] = cells[..] else {
            panic!("{row:?}");
        };
        assert_eq!((told_total, told_downtime), (567.8, 123.4), "as the trigger told it");
        // Much more only on a machine that is too busy to end a sleep.
        assert!((500.0..15_000.0).contains(&downtime), "{row:?}");
        assert!((downtime..30_000.0).contains(&total), "{row:?}");
        // A client that stands still as the server stops sees the silence in two parts.
        assert!((250.0..30_000.0).contains(&outage) && bound > 0.0, "{row:?}");
        assert_eq!(errors, 0.0, "httperf waits for 30 s: {row:?}");
    }
    let told = fs::read_to_string(lab.path("told")).unwrap();
    assert_eq!(told, "1 1 127.0.0.1 200 1 to vm2\n2 1 127.0.0.1 250 2 to vm3\n");

    let document: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let server = &document["steps"][1]["servers"][0];
    let (outage, cell) = (server["figures"]["outage_ms"].as_f64().unwrap(), table[2][14]);
    // The cell has one digit behind the point.
    assert!((outage - number(cell)).abs() < 0.051, "{outage} {cell}");
    let migration = &server["report"]["migration"];
    assert_eq!(migration["ending"], "completed");
    // In the middle: half of 1000 connections at 250 a second, or later, and then more.
    let phases = migration["phases"].as_array().unwrap();
    let end_s = |phase: &serde_json::Value| phase["end_s"].as_f64().unwrap();
    let (before, last) = (end_s(&phases[0]), end_s(phases.last().unwrap()));
    assert!((1.99..last).contains(&before), "{before} {last}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("2 of 2 migrations completed"), "{page}");
}

#[test]
fn calls_that_a_migration_costs_are_counted() {
    let lab = Lab::new();
    let program = lab.stopping("move", 2.5);
    let line = "--single_host --timeout 1 --num_conn 1600";
    let output = lab.run(&format!("command:{program}"), line);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let table = table(&output);
    let cells = added(&table[1]);
    // Those of the first 1.5 s, at 200 a second; on a slow machine, others.
    assert!((1.0..=1600.0).contains(&number(cells[6])), "{table:?}");
    assert!(number(table[1][9]) > 0.0, "percent of errors: {table:?}");
    assert!(number(cells[4]) >= 1250.0, "{table:?}");
}

#[test]
fn two_servers_have_a_migration_each() {
    let lab = Lab::new();
    let program = lab.stopping("move", 0.3);
    let output = lab.run(&format!("command:{program} {{server}}"), "--num_conn 800");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let table = table(&output);
    assert_eq!(table[0].len(), 19 + 14);
    assert_eq!(table[0][19], "migration_time_ms_127.0.0.1");
    assert_eq!(table[0][26], "migration_time_ms_localhost");
    for first in [19, 26] {
        assert!(number(table[1][first + 2]) >= 300.0, "{table:?}");
        assert!(number(table[1][first + 4]) >= 150.0, "{table:?}");
    }
    let told = fs::read_to_string(lab.path("told")).unwrap();
    assert_eq!(told, "1 1 127.0.0.1 200 1 1\n1 2 localhost 200 1 2\n");
}

#[test]
fn a_migration_that_fails_leaves_its_row_and_the_sweep_goes_on() {
    let lab = Lab::new();
    let program = lab.program("fails", "echo no room at the target >&2; exit 3");
    let line = "--single_host --high 300 --rate_step 100";
    let output = lab.run(&format!("command:{program}"), line);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let table = table(&output);
    assert_eq!(table.len(), 3, "{table:?}");
    for row in &table[1..] {
        assert!(number(row[1]) > 0.0, "the test itself was made: {row:?}");
        assert_eq!(added(row)[0], "", "no total time of a migration that failed");
    }
    let told = text(&output.stderr);
    assert!(told.contains("autobench: rate 200: the migration failed"), "{told}");
    assert!(told.contains("no room at the target"), "{told}");
    assert!(told.contains("autobench: rate 300: "), "{told}");
}

#[test]
fn a_trigger_that_cannot_be_set_up_ends_the_sweep_before_its_test() {
    let lab = Lab::new();
    let output = lab.run("command:/no/such/program", "--single_host");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(table(&output).len(), 1, "only the names: {output:?}");
    let told = text(&output.stderr);
    assert!(told.contains("autobench: rate 200: cannot prepare the migration: "), "{told}");
    assert!(told.contains("/no/such/program"), "{told}");
}

#[test]
fn what_was_measured_before_that_is_kept() {
    let lab = Lab::new();
    lab.stopping("1", 0.3);
    let spec = format!("command:{}/{{server}}", lab.folder.path().display());
    let output = lab.run(&spec, "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let table = table(&output);
    assert_eq!(table.len(), 2, "{table:?}");
    assert!(number(table[1][21]) >= 300.0, "{table:?}");
    assert!(table[1][10..19].iter().chain(&table[1][26..]).all(|cell| cell.is_empty()));
}

#[test]
fn a_trigger_that_breaks_down_ends_the_sweep_after_its_row() {
    let lab = Lab::new();
    // Executable, but nothing that the kernel can run.
    let program = lab.path("broken");
    fs::write(&program, [0x7f, b'E', b'L', b'F', 0, 0]).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let line = "--single_host --high 300 --rate_step 100";
    let output = lab.run(&format!("command:{}", program.display()), line);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let table = table(&output);
    assert_eq!(table.len(), 2, "{table:?}");
    assert!(number(table[1][1]) > 0.0, "{table:?}");
    assert_eq!(added(&table[1])[0], "");
    let told = text(&output.stderr);
    assert!(told.contains("the trigger broke down"), "{told}");
    assert!(told.contains("may still be going on"), "{told}");
}

#[test]
fn a_test_that_ends_before_its_migration_says_so() {
    let lab = Lab::new();
    let program = lab.program("slow", "at stop; sleep 5; at resume");
    let output = lab.run(&format!("command:{program}"), "--single_host");
    assert_eq!(output.status.code(), Some(0), "the migration went well: {output:?}");
    let table = table(&output);
    assert!(number(added(&table[1])[0]) >= 4900.0, "it was waited for: {table:?}");
    assert!(text(&output.stderr).contains("lengthen the load"), "{output:?}");
}

#[test]
fn an_outage_that_the_end_of_the_test_cuts_has_no_figure() {
    let lab = Lab::new();
    // From 2 s to 7 s; the last connection comes at 4 s. No silence of this machine's own
    // is as long as what is seen of that.
    let program = lab.stopping("move", 5.0);
    let output = lab.run(&format!("command:{program}"), "--single_host --num_conn 800");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let table = table(&output);
    let cells = added(&table[1]);
    assert_eq!((cells[4], cells[5]), ("", ""), "{table:?}");
    assert!(number(cells[2]) >= 5000.0, "the downtime is known: {table:?}");
    assert!(text(&output.stderr).contains("was not over when the load ended"), "{output:?}");
}

#[test]
fn a_test_that_is_over_before_its_middle_has_no_migration() {
    let lab = Lab::new();
    let program = lab.stopping("move", 0.3);
    // The middle is at 0.5 s and 0.25 s. A test that still goes on then, since the machine
    // stands still, has its migration: then once more.
    let line = "--single_host --num_conn 1 --low 1 --high 2 --rate_step 1";
    let run = || {
        let _ = fs::remove_file(lab.path("told"));
        lab.run(&format!("command:{program}"), line)
    };
    let output = (0..10).map(|_| run()).find(|_| !lab.path("told").exists()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let table = table(&output);
    assert_eq!(table.len(), 3, "the sweep goes on: {table:?}");
    assert_eq!(added(&table[1]), [""; COLUMNS.len()]);
    assert!(text(&output.stderr).contains("the migration was never fired"), "{output:?}");
    assert!(!lab.path("told").exists(), "the program was not started");
}

fn refused(line: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.tsv");
    fs::write(&file, "older\n").unwrap();
    let home = home(CONF);
    let output = Command::new(env!("CARGO_BIN_EXE_autobench"))
        .args(words(&format!("--single_host --file {} {line}", file.display())))
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(255), "{output:?}");
    assert_eq!(read(&file), "older\n", "nothing was overwritten");
    text(&output.stderr).to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn combinations_without_sense_are_refused_before_anything_is_written() {
    assert!(refused("--migrate simulated").contains("brings a server of its own"));
    assert!(refused("--migrate simulated:memory=1GiB").contains("loadgen migrate"));
    assert!(refused("--migrate command:true --httperf sh").contains("leave out --httperf"));
    assert!(refused("--migrate command:true --slo p99<20ms").contains("--slo has no steps"));
    assert!(refused("--migrate qmp:/run/a.sock").contains("to="));
    assert!(refused("--migrate command:true --migration-limit 0").contains("give seconds"));
}
