//! The simulated migration from end to end, with the machine in its own process.
//!
//! This program is both the test and the machine: with [`CHILD`] in its environment it
//! is the machine. `cargo test -p loadgen-core --test simulated NAME` runs the cases
//! whose name holds NAME.
#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use loadgen_core::clock::{Clock, Nanos};
use loadgen_core::migration::simulated::serve_child;
use loadgen_core::migration::{
    Context, Ending, MigrationRun, Settled, SimulatedTrigger, SimulatedVm, Strategy, Trigger,
    TriggerError,
};
use loadgen_core::session::{Script, Sessions};
use loadgen_core::{Event, EventKind, Load, Plan, Schedule, Target};

const CHILD: &str = "LOADGEN_TEST_SIMULATED_CHILD";

fn main() -> ExitCode {
    if std::env::var_os(CHILD).is_some() {
        return match serve_child(std::io::stdin(), std::io::stdout()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{error}");
                ExitCode::FAILURE
            }
        };
    }
    let cases: [(&str, fn()); 12] = [
        ("outage_agrees_with_the_truth_pre_copy", || outage(Strategy::PreCopy)),
        ("outage_agrees_with_the_truth_post_copy", || outage(Strategy::PostCopy)),
        ("outage_agrees_with_the_truth_stop_and_copy", || outage(Strategy::StopAndCopy)),
        ("sessions_of_one_call_see_the_true_outage", || sessions(1, Strategy::StopAndCopy)),
        ("sessions_of_five_calls_see_the_true_outage", || sessions(5, Strategy::PreCopy)),
        ("a_load_with_a_migration_within_it_needs_an_end", endless),
        ("cancelled_before_the_switch_over", cancelled),
        ("not_cancelled_after_the_switch_over", not_cancelled),
        ("a_killed_machine_is_an_error_with_its_cause", killed),
        ("no_machine_outlives_its_parent", no_orphan),
        ("a_machine_without_descriptors_serves_on", without_descriptors),
        ("programs_that_are_no_machine_are_named", wrong_programs),
    ];
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let chosen = cases.iter().filter(|(name, _)| filter.as_ref().is_none_or(|f| name.contains(f)));
    for (name, case) in chosen {
        case();
        let _ = writeln!(std::io::stdout(), "test {name} ... ok");
    }
    ExitCode::SUCCESS
}

fn program() -> Command {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.env(CHILD, "1");
    program
}

fn start(pairs: &[(&str, &str)]) -> (SimulatedTrigger, Clock) {
    let vm = SimulatedVm::from_pairs(pairs.iter().copied()).unwrap();
    let mut trigger = SimulatedTrigger::start(program(), vm).unwrap();
    assert_eq!(trigger.inspect().unwrap().running, Some(true));
    let clock = Clock::start();
    trigger.arm(&Context::new("test", clock)).unwrap();
    (trigger, clock)
}

fn events_to_the_end(trigger: &mut SimulatedTrigger) -> Vec<Event> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut events: Vec<Event> = Vec::new();
    while !events.last().is_some_and(|event| event.kind.is_final()) {
        assert!(Instant::now() < deadline, "no end: {events:?}");
        events.extend(trigger.next_event(Duration::from_millis(100)).unwrap());
    }
    events
}

/// Calls one after the other on one connection: (sent, answered).
fn client(url: &str, clock: Clock, stop: Arc<AtomicBool>) -> JoinHandle<Vec<(Nanos, Nanos)>> {
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    thread::spawn(move || {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut calls = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let sent = clock.now();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: vm\r\n\r\n").unwrap();
            let mut reply = Vec::new();
            while !reply.ends_with(b"x") {
                let mut buffer = [0; 4096];
                // A process that is stopped and goes on is interrupted in its reads.
                let n = loop {
                    match stream.read(&mut buffer) {
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        other => break other.unwrap(),
                    }
                };
                assert!(n > 0, "the machine closed the connection");
                reply.extend_from_slice(&buffer[..n]);
                if reply.windows(4).any(|w| w == b"\r\n\r\n") && reply.ends_with(&[b'x'; 100]) {
                    break;
                }
            }
            calls.push((sent, clock.now()));
        }
        calls
    })
}

fn migrate(pairs: &[(&str, &str)]) -> (Vec<Event>, Settled, Vec<(Nanos, Nanos)>) {
    let (mut trigger, clock) = start(pairs);
    let stop = Arc::new(AtomicBool::new(false));
    let client = client(trigger.url(), clock, Arc::clone(&stop));
    thread::sleep(Duration::from_millis(200));
    trigger.fire().unwrap();
    let events = events_to_the_end(&mut trigger);
    let settled = trigger.settle(events.last().unwrap()).unwrap();
    thread::sleep(Duration::from_millis(200));
    stop.store(true, Ordering::Relaxed);
    (events, settled, client.join().unwrap())
}

/// A load of sessions: 200 a second over connections of their own.
fn load_of_sessions(url: &str, calls: u64, count: Option<u64>) -> Plan {
    let mut sessions = Sessions::scripted(Script::Connection { calls, burst: 1 });
    sessions.count = count;
    sessions.limits.timeout_s = 10.0;
    let schedule = Schedule::constant(200.0);
    let load = if calls == 1 { Load::fresh(schedule) } else { Load::established(schedule) };
    Plan::new(Target::parse(url).unwrap(), load).with_sessions(sessions)
}

/// The true interruption lies in the interval that the report gives, though only the
/// first call of a session keeps to the schedule.
///
/// That it was not shorter than the client says takes a client and a machine that did
/// not stand still just when it was stopped, nor until the load was over. Such a run
/// tells nothing, and there is another one.
fn sessions(calls: u64, strategy: Strategy) {
    for seed in ["1", "2", "3"] {
        let runs = (0..10).map(|_| sessions_over_a_migration(calls, strategy, seed));
        let mut disturbed = runs.map_while(Result::err).collect::<Vec<_>>();
        assert!(disturbed.len() < 10, "{}", disturbed.pop().unwrap());
    }
}

/// What was wrong, if it may be the fault of the host.
fn sessions_over_a_migration(calls: u64, strategy: Strategy, seed: &str) -> Result<(), String> {
    let vm = SimulatedVm::from_pairs([
        ("strategy", strategy.name()),
        ("memory", "20MiB"),
        ("bandwidth", "64MiB/s"),
        ("dirty", "40MiB/s"),
        ("downtime", "250ms"),
        ("seed", seed),
    ]);
    let trigger = SimulatedTrigger::start(program(), vm.unwrap()).unwrap();
    let plan = load_of_sessions(trigger.url(), calls, Some(500));
    let run = MigrationRun::new(plan, Box::new(trigger)).within_load(Duration::from_secs(1));
    let report = run.run(&AtomicBool::new(false), &mut |_| {}).unwrap();
    let migration = report.migration.unwrap();
    let truth = migration.truth.unwrap();
    assert_eq!(migration.ending, Some(Ending::Completed), "{:?}", report.verdict);
    assert_eq!(migration.calls_lost, Some(0), "{:?}", report.verdict);
    assert_eq!(report.counts.answered, 500 * calls);
    // It ran to its own end.
    assert!(report.duration_s >= 2.49, "{}", report.duration_s);
    assert!(truth.stop_s >= 1.0, "{truth:?}");
    let outages = migration.outage_ms;
    let outage = if calls == 1 { outages.fresh } else { outages.established };
    let told = format!("{truth:?} {outage:?} {:?} {:?}", report.verdict, report.events);
    let outage = outage.ok_or(&told)?;
    let least = outage.interruption_at_least.ok_or(&told)?;
    let most = outage.interruption_at_most.ok_or(&told)?;
    // Somebody was answered before it and somebody after it, whatever the host did. The
    // clocks of the two processes are one.
    assert!(truth.downtime_ms <= most + 5.0, "{told}");
    // The migration was in the load; what is left between the processes is scheduling.
    if truth.stop_s < 2.5 && least <= truth.downtime_ms + 5.0 { Ok(()) } else { Err(told) }
}

fn endless() {
    let vm = SimulatedVm::from_pairs([("memory", "20MiB")]).unwrap();
    let run = |within: bool, count| {
        let trigger = SimulatedTrigger::start(program(), vm.clone()).unwrap();
        let plan = load_of_sessions(trigger.url(), 1, count);
        let run = MigrationRun::new(plan, Box::new(trigger));
        let run = if within { run.within_load(Duration::from_secs(1)) } else { run };
        run.run(&AtomicBool::new(false), &mut |_| {}).unwrap_err().to_string()
    };
    assert!(run(true, None).contains("an end of its own"));
    assert!(run(false, Some(10)).contains("unset"));
}

fn outage(strategy: Strategy) {
    let mut seen = 0;
    for seed in ["1", "2", "3"] {
        let (events, settled, calls) = migrate(&[
            ("strategy", strategy.name()),
            ("memory", "20MiB"),
            ("bandwidth", "64MiB/s"),
            ("dirty", "40MiB/s"),
            ("downtime", "150ms"),
            ("post-copy-after", "100ms"),
            ("seed", seed),
        ]);
        let truth = settled.truth.unwrap();
        assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));

        let time = |kind: EventKind| events.iter().find(|e| e.kind == kind).unwrap().at;
        let (stop, resume) = (time(EventKind::Stop), time(EventKind::Resume));
        assert_eq!(truth.stop_s, stop as f64 / 1e9);
        assert_eq!(truth.downtime_ms, (resume - stop) as f64 / 1e6);
        assert!(events.is_sorted_by_key(|event| event.at), "{events:?}");
        assert_eq!(events[0].kind, EventKind::Fired);
        assert_eq!(events[1].kind, EventKind::Accepted);
        let has = |kind: &EventKind| events.iter().any(|e| e.kind == *kind);
        assert_eq!(has(&EventKind::PostCopy), strategy == Strategy::PostCopy);
        assert_eq!(has(&EventKind::Round(1)), strategy != Strategy::StopAndCopy);

        // The hypervisor leaves out the time to resume: 10 to 40 ms.
        let reported_ms = settled.hypervisor_downtime.unwrap().as_secs_f64() * 1e3;
        let left_out = truth.downtime_ms - reported_ms;
        assert!(left_out >= 9.9, "{left_out} ms of {truth:?}");

        // Nothing that was asked while the machine stood still was answered before
        // it ran again; and the call that met the stop was answered after it.
        assert!(!calls.iter().any(|(sent, end)| *sent > stop && *end < resume), "{truth:?}");
        let met: Vec<_> =
            calls.iter().filter(|(sent, end)| *sent < resume && *end >= resume).collect();
        // There is none only if the client did not run just then.
        assert!(met.len() <= 1, "{truth:?}");
        seen += met.len();
    }
    assert!(seen > 0, "the client never asked in the downtime");
}

fn cancelled() {
    let (mut trigger, _) = start(&[]);
    trigger.fire().unwrap();
    while trigger.next_event(Duration::from_secs(60)).unwrap().unwrap().kind != EventKind::Round(1)
    {
    }
    trigger.cancel().unwrap();
    let events = events_to_the_end(&mut trigger);
    assert_eq!(events.last().unwrap().kind, EventKind::Cancelled);
    let settled = trigger.settle(events.last().unwrap()).unwrap();
    assert_eq!((settled.ending, settled.on_target), (Ending::Cancelled, Some(false)));
    assert!(settled.truth.is_none());
}

fn not_cancelled() {
    let (mut trigger, _) = start(&[("strategy", "stop-and-copy"), ("memory", "64MiB")]);
    trigger.fire().unwrap();
    while trigger.next_event(Duration::from_secs(60)).unwrap().unwrap().kind != EventKind::Stop {}
    let error = trigger.cancel().unwrap_err();
    assert!(matches!(error, TriggerError::Unsupported(_)), "{error}");
    let events = events_to_the_end(&mut trigger);
    assert_eq!(events.last().unwrap().kind, EventKind::Completed);
    let error = trigger.fire().unwrap_err();
    assert!(error.to_string().contains("once"), "{error}");
}

fn killed() {
    let (mut trigger, _) = start(&[]);
    trigger.fire().unwrap();
    let kill = format!("kill -9 {}", trigger.pid());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let error = loop {
        match trigger.next_event(Duration::from_secs(60)) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the machine's end was not noticed"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("ended") && error.contains("signal: 9"), "{error}");
}

fn no_orphan() {
    let (trigger, _) = start(&[]);
    let process = format!("/proc/{}", trigger.pid());
    assert!(std::path::Path::new(&process).exists());
    drop(trigger);
    assert!(!std::path::Path::new(&process).exists());

    // A parent that is killed closes the pipe and does nothing else.
    let mut child = program().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let vm = serde_json::to_string(&SimulatedVm::default()).unwrap();
    writeln!(input, "{{\"do\":\"be\",\"vm\":{vm}}}").unwrap();
    writeln!(input, "{{\"do\":\"fire\"}}").unwrap();
    let mut ready = [0; 8];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert!(child.try_wait().unwrap().is_none());
    drop(input);
    let deadline = Instant::now() + Duration::from_secs(30);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the machine outlives its parent");
        thread::sleep(Duration::from_millis(10));
    }
}

fn wrong_programs() {
    let refused = |program: Command| {
        SimulatedTrigger::start(program, SimulatedVm::default()).unwrap_err().to_string()
    };
    let missing = refused(Command::new("/nonexistent/machine"));
    assert!(missing.contains("/nonexistent/machine"), "{missing}");
    let shell = |script: &str| {
        let mut program = Command::new("sh");
        program.args(["-c", script]);
        program
    };
    let garbage = refused(shell("echo hello; read line; read line"));
    assert!(garbage.contains("hello"), "{garbage}");
    let failing = refused(shell("read line; echo no memory >&2; exit 3"));
    assert!(failing.contains("exit status: 3") && failing.contains("no memory"), "{failing}");
    let endless = refused(shell("read line; yes | tr -d '\\n'"));
    assert!(endless.contains("unexpected line"), "{endless}");
}

fn without_descriptors() {
    let (trigger, _) = start(&[]);
    let limit = format!("prlimit --pid {} --nofile=24:24", trigger.pid());
    assert!(Command::new("sh").args(["-c", &limit]).status().unwrap().success());
    let address = trigger.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let connect = || {
        let stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    };
    let call = |mut stream: &TcpStream| {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: vm\r\n\r\n").unwrap();
        let mut start = [0; 15];
        stream.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"HTTP/1.1 200 OK");
    };
    let crowd: Vec<_> = (0..60).map(|_| connect()).collect();
    // The first is served although the last cannot be accepted.
    call(&crowd[0]);
    let waiting = crowd.last().unwrap().try_clone().unwrap();
    waiting.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    (&waiting).write_all(b"GET / HTTP/1.1\r\nHost: vm\r\n\r\n").unwrap();
    assert!((&waiting).read(&mut [0; 15]).is_err(), "24 descriptors are not 60 connections");
    drop((crowd, waiting));
    call(&connect());
}
