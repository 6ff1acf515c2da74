//! The `qmp` trigger against a pair of real QEMUs, without a guest: the firmware
//! is all that runs, and it migrates like any machine.
//!
//! Runs where `qemu-system-x86_64` is on the PATH. Where `CI` is set it must be. The chain
//! runs with the QEMU that `LOADGEN_NEWER_QEMU` names, too, if it does.

// A test that fails panics, and tells the log what it saw.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "engine/require.rs"]
mod require;

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use loadgen_core::clock::Clock;
use loadgen_core::migration::look::{self, DirtyMode, LookError, LookSpec};
use loadgen_core::migration::{
    Context, Ending, Evacuation, EvacuationOrder, MigrationOrder, MigrationRun, Migrations,
    QmpTrigger, Settled, Trigger, TriggerError, TriggerSpec,
};
use loadgen_core::target_server::{TargetOptions, TargetServer};
use loadgen_core::{Event, EventKind, Load, Plan, Schedule};

const LIMIT: Duration = Duration::from_secs(60);
const QEMU: &str = "qemu-system-x86_64";

/// Killed when the test ends, however it ends.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Pair {
    dir: tempfile::TempDir,
    source: Machine,
    _target: Machine,
}

fn qemu_is_there() -> bool {
    let there = Command::new(QEMU).arg("--version").stdout(Stdio::null()).status().is_ok();
    require::require(there, QEMU, "qemu-system-x86")
}

fn machine(socket: &Path, extra: &[&str]) -> Machine {
    machine_of(QEMU, socket, extra)
}

fn machine_of(qemu: &str, socket: &Path, extra: &[&str]) -> Machine {
    let child = Command::new(qemu)
        .args(["-machine", "q35,accel=tcg", "-nodefaults", "-no-user-config"])
        .args(["-display", "none", "-m", "64", "-qmp"])
        .arg(format!("unix:{},server=on,wait=off", socket.display()))
        .args(extra)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let machine = Machine(child);
    let deadline = Instant::now() + LIMIT;
    // The file is there before anybody listens at it.
    while UnixStream::connect(socket).is_err() {
        assert!(Instant::now() < deadline, "QEMU made no socket");
        std::thread::sleep(Duration::from_millis(20));
    }
    machine
}

fn pair() -> Pair {
    let dir = tempfile::tempdir().unwrap();
    let source = machine(&dir.path().join("src"), &[]);
    let target = machine(&dir.path().join("dst"), &["-incoming", "defer"]);
    Pair { dir, source, _target: target }
}

impl Pair {
    /// A trigger from this source to this target.
    fn trigger(&self, rest: &str) -> QmpTrigger {
        let dir = self.dir.path().display();
        self.spec(&format!("qmp:{dir}/src,to=unix:{dir}/mig,peer={dir}/dst{rest}"))
    }

    fn spec(&self, spec: &str) -> QmpTrigger {
        let TriggerSpec::Qmp(options) = spec.parse().unwrap() else { panic!("not qmp") };
        QmpTrigger::new(options).unwrap()
    }
}

fn fire(trigger: &mut QmpTrigger) -> Result<(), TriggerError> {
    let facts = trigger.inspect()?;
    assert_eq!(facts.memory_bytes, Some(64 << 20));
    assert!(facts.hypervisor.unwrap().starts_with("QEMU "));
    trigger.arm(&Context::new("real", Clock::start()))?;
    trigger.fire()
}

fn until(trigger: &mut QmpTrigger, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
    let deadline = Instant::now() + LIMIT;
    let mut events = Vec::new();
    loop {
        assert!(Instant::now() < deadline, "{events:#?}");
        if let Some(event) = trigger.next_event(Duration::from_millis(100)).unwrap() {
            let done = wanted(&event) || event.kind.is_final();
            events.push(event);
            if done {
                return events;
            }
        }
    }
}

fn finish(trigger: &mut QmpTrigger) -> (Vec<Event>, Settled) {
    let events = until(trigger, |_| false);
    let settled = trigger.settle(events.last().unwrap()).unwrap();
    for event in &events {
        println!(
            "{:>9.3} ms ±{:>7} ns {:<10} {} {:?}",
            event.at as f64 / 1e6,
            event.uncertainty,
            event.source,
            event.kind,
            event.attributes
        );
    }
    println!("{settled:#?}");
    (events, settled)
}

fn at(events: &[Event], kind: &EventKind, source: &str) -> u64 {
    let found: Vec<_> = events.iter().filter(|e| e.kind == *kind && e.source == source).collect();
    assert_eq!(found.len(), 1, "{kind} of {source}: {events:#?}");
    assert!(!found[0].attributes.contains_key("note"), "{:?}", found[0]);
    assert!(found[0].uncertainty < 50_000_000, "{:?}", found[0]);
    found[0].at
}

/// What holds for each migration that arrives.
fn assert_arrived(events: &[Event], settled: &Settled) {
    assert_eq!(settled.ending, Ending::Completed, "{settled:?}");
    assert_eq!(settled.on_target, Some(true));
    assert!(settled.hypervisor_total.unwrap() > Duration::ZERO);
    assert!(settled.hypervisor_downtime.is_some());
    assert!(settled.transferred_bytes.unwrap() > 100_000, "at least a byte for each page");
    let stop = at(events, &EventKind::Stop, "qmp:source");
    let resume = at(events, &EventKind::Resume, "qmp:target");
    let last = events.last().unwrap();
    let fired = at(events, &EventKind::Fired, "qmp:source");
    assert!(fired <= stop && stop < resume && resume <= last.at, "{events:#?}");
    assert!(events.iter().any(|e| e.kind == EventKind::Round(1)));
}

#[test]
fn pre_copy() {
    if !qemu_is_there() {
        return;
    }
    let pair = pair();
    let mut trigger = pair.trigger(",max-bandwidth=256KiB/s,downtime-limit=200ms");
    fire(&mut trigger).unwrap();
    let (events, settled) = finish(&mut trigger);
    assert_arrived(&events, &settled);
    assert_eq!(settled.details["parameters"]["max-bandwidth"], 1 << 18);
    assert_eq!(settled.details["parameters"]["downtime-limit"], 200);
    assert!(events.iter().any(|e| e.attributes.contains_key("remaining_bytes")), "progress");
}

#[test]
fn stop_and_copy() {
    if !qemu_is_there() {
        return;
    }
    let pair = pair();
    let mut trigger = pair.trigger(",strategy=stop-and-copy,max-bandwidth=1MiB/s");
    fire(&mut trigger).unwrap();
    let (events, settled) = finish(&mut trigger);
    assert_arrived(&events, &settled);
    let stop = at(&events, &EventKind::Stop, "qmp:source");
    let resume = at(&events, &EventKind::Resume, "qmp:target");
    let downtime = Duration::from_nanos(resume - stop);
    assert!(downtime > settled.hypervisor_downtime.unwrap(), "QEMU does not count the copy");
    assert!(downtime + Duration::from_millis(5) > settled.hypervisor_total.unwrap());
}

#[test]
fn post_copy() {
    if !qemu_is_there() {
        return;
    }
    let pair = pair();
    let mut trigger =
        pair.trigger(",strategy=post-copy,max-bandwidth=100KiB/s,postcopy-after=300ms");
    match fire(&mut trigger) {
        Ok(()) => {}
        // A host that does not let us use userfaultfd says so before the load.
        Err(error @ TriggerError::Refused { .. }) => {
            let text = error.to_string();
            assert!(text.to_lowercase().contains("postcopy"), "{text}");
            eprintln!("no post-copy on this host: {text}");
            return;
        }
        Err(other) => panic!("{other}"),
    }
    let (events, settled) = finish(&mut trigger);
    assert_arrived(&events, &settled);
    let begun = at(&events, &EventKind::PostCopy, "qmp:source");
    assert!(begun < at(&events, &EventKind::Resume, "qmp:target"));
    assert!(settled.details["target_query_migrate"].get("postcopy-blocktime").is_some());
}

/// Two machines, as when a host is emptied: together, and one after the other.
#[test]
fn several_machines() {
    if !qemu_is_there() {
        return;
    }
    for order in [EvacuationOrder::Parallel, EvacuationOrder::Before] {
        let (ours, theirs) = (pair(), pair());
        let of = |pair: &Pair| Box::new(pair.trigger(",max-bandwidth=1MiB/s"));
        let mut all = Evacuation::new(of(&ours)).with_other(of(&theirs)).in_order(order);
        all.inspect().unwrap();
        all.check().unwrap();
        all.arm(&Context::new("real", Clock::start())).unwrap();
        all.fire().unwrap();
        let mut events: Vec<Event> = Vec::new();
        let deadline = Instant::now() + LIMIT;
        while events.last().is_none_or(|event| !event.kind.is_final()) {
            assert!(Instant::now() < deadline, "{events:#?}");
            events.extend(all.next_event(Duration::from_millis(100)).unwrap());
        }
        let settled = all.settle(events.last().unwrap()).unwrap();
        assert_eq!(settled.ending, Ending::Completed, "{settled:#?}");
        assert_eq!(settled.machines.len(), 2);
        for machine in &settled.machines {
            assert_eq!((machine.ending, machine.on_target), (Some(Ending::Completed), Some(true)));
            assert!(machine.downtime_ms.unwrap() > 0.0, "{machine:?}");
        }
        let when = |name: &str| {
            let found = events.iter().find(|event| event.kind.name() == name);
            found.unwrap_or_else(|| panic!("{name}: {events:#?}")).at
        };
        // The whole begins with the first and ends with the last of them.
        let last = events.last().unwrap().at;
        assert!(when("fired") <= when("stop") && when("resume") <= last);
        let done = when("machine 1 completed").max(when("machine 2 completed"));
        assert_eq!(done, last, "{events:#?}");
        if order == EvacuationOrder::Before {
            assert!(when("machine 2 completed") <= when("machine 1 accepted"), "{events:#?}");
        }
    }
}

/// Two machines, each under a load of its own: together, and one after the other.
#[test]
fn several_machines_under_load() {
    if !qemu_is_there() {
        return;
    }
    let second = Duration::from_secs(1);
    for order in [MigrationOrder::Parallel, MigrationOrder::Sequential] {
        let pairs = [pair(), pair()];
        let servers = [(); 2]
            .map(|()| TargetServer::bind(TargetOptions::default()).unwrap().spawn().unwrap());
        let mut all = Migrations::in_order(order);
        for (pair, server) in pairs.iter().zip(&servers) {
            let load = Load::established(Schedule::constant(100.0));
            let plan = Plan::new(server.url().parse().unwrap(), load);
            let trigger = Box::new(pair.trigger(",max-bandwidth=1MiB/s"));
            let run = MigrationRun::new(plan, trigger).with_before(second).with_after(second);
            all = all.with_machine(run.with_limit(LIMIT));
        }
        let report = all.run(&AtomicBool::new(false), &mut |_| {}).unwrap();
        assert_eq!(report.whole.completed, 2, "{:#?}", report.verdict);
        let times = report.machines.iter().map(|machine| {
            let migration = machine.report.as_ref().unwrap().migration.as_ref().unwrap();
            assert!(migration.downtime_ms.events.unwrap() > 0.0);
            assert!(migration.transferred_bytes.unwrap() > 0);
            migration.total_migration_time_ms.trigger.unwrap()
        });
        let least = match order {
            MigrationOrder::Sequential => times.sum(),
            _ => times.fold(0.0, f64::max),
        };
        let whole = report.whole.total_migration_time_ms.unwrap();
        println!("{order:?}: {whole} ms, of which at least {least}");
        assert!(whole >= least, "{whole} {least}");
    }
}

#[test]
fn cancelled_on_the_way() {
    if !qemu_is_there() {
        return;
    }
    let pair = pair();
    let mut trigger = pair.trigger(",max-bandwidth=20KiB/s,downtime-limit=1ms");
    fire(&mut trigger).unwrap();
    until(&mut trigger, |e| e.attributes.get("status").is_some_and(|s| s == "active"));
    trigger.cancel().unwrap();
    let (events, settled) = finish(&mut trigger);
    assert_eq!(settled.ending, Ending::Cancelled, "{events:#?}");
    assert_eq!(settled.on_target, Some(false));
    assert!(!events.iter().any(|e| e.kind == EventKind::Stop));
    drop(trigger);
    // The source runs on: it can be migrated again (if there were a target).
    let dir = pair.dir.path().display();
    let mut again = pair.spec(&format!("qmp:{dir}/src,to=unix:{dir}/nobody"));
    fire(&mut again).unwrap();
    let (_, settled) = finish(&mut again);
    assert_eq!((settled.ending, settled.on_target), (Ending::Failed, None));
}

#[test]
fn a_refused_port_leaves_the_source_running() {
    if !qemu_is_there() {
        return;
    }
    let pair = pair();
    let dir = pair.dir.path().display();
    for strategy in ["pre-copy", "stop-and-copy"] {
        // The target listens elsewhere than where the source is sent. The second
        // time it listens already, which is taken as it is.
        let mut trigger = pair.spec(&format!(
            "qmp:{dir}/src,to=tcp:127.0.0.1:1,peer={dir}/dst,listen=unix:{dir}/x,\
             strategy={strategy}"
        ));
        fire(&mut trigger).unwrap();
        let (events, settled) = finish(&mut trigger);
        assert_eq!(settled.ending, Ending::Failed);
        let reason = settled.reason.unwrap();
        assert!(reason.contains("refused"), "{reason}");
        if strategy == "stop-and-copy" {
            at(&events, &EventKind::Resume, "qmp:source");
        }
    }
}

#[test]
fn a_source_that_dies_is_a_failure_with_its_name() {
    if !qemu_is_there() {
        return;
    }
    let mut pair = pair();
    let mut trigger = pair.trigger(",max-bandwidth=20KiB/s,downtime-limit=1ms");
    fire(&mut trigger).unwrap();
    until(&mut trigger, |e| e.attributes.get("status").is_some_and(|s| s == "active"));
    pair.source.0.kill().unwrap();
    let (_, settled) = finish(&mut trigger);
    assert_eq!(settled.ending, Ending::Failed);
    let reason = settled.reason.unwrap();
    assert!(reason.contains("the QMP socket of the source") && reason.contains("/src"), "{reason}");
}

/// A boot sector that writes to 448 KiB of its memory for ever, a word to each page:
/// `mov ds,cx; inc word [bx]` for segments from 0x2000 to 0x9000.
const BUSY: [u8; 23] = [
    0xfa, 0x31, 0xdb, 0xb9, 0x00, 0x20, 0x8e, 0xd9, 0xff, 0x07, 0x81, 0xc1, 0x00, 0x01, 0x81, 0xf9,
    0x00, 0x90, 0x72, 0xf2, 0xeb, 0xed, 0x00,
];

/// One machine that works, moved from each QEMU to the next: what the move before has left
/// behind at what is now the source must not matter.
fn chain(qemu: &str) {
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    let mut sector = vec![0; 1 << 20];
    sector[..BUSY.len()].copy_from_slice(&BUSY);
    sector[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(&disk, sector).unwrap();
    let drive = format!("if=none,id=boot,format=raw,readonly=on,file={}", disk.display());
    let disk = ["-drive", &drive, "-device", "virtio-blk-pci,drive=boot"];
    let start = |name: &str, more: &[&str]| {
        let options: Vec<&str> = disk.iter().chain(more).copied().collect();
        machine_of(qemu, &dir.path().join(name), &options)
    };
    let mut source = start("0", &[]);
    let moves = [
        ("post-copy", ",postcopy-after=300ms,max-bandwidth=100KiB/s,downtime-limit=1ms"),
        ("pre-copy+auto-converge", ",max-bandwidth=4MiB/s"),
        ("stop-and-copy", ""),
        ("hybrid", ",max-bandwidth=4MiB/s,downtime-limit=1ms"),
        ("pre-copy+xbzrle", ",max-bandwidth=8MiB/s"),
        ("pre-copy+multifd", ",max-bandwidth=8MiB/s,parameter=multifd-channels:3"),
        ("stop-and-copy+multifd-zlib", ""),
        ("pre-copy+multifd-zstd", ",max-bandwidth=8MiB/s"),
        ("post-copy+preempt", ",postcopy-after=300ms,max-bandwidth=100KiB/s,downtime-limit=1ms"),
        ("pre-copy", ",max-bandwidth=8MiB/s"),
    ];
    let mut moved = Vec::new();
    let mut from = "0".to_owned();
    for (i, (strategy, more)) in moves.into_iter().enumerate() {
        let to = (i + 1).to_string();
        let target = start(&to, &["-incoming", "defer"]);
        let place = dir.path().display();
        let spec = format!(
            "qmp:{place}/{from},to=unix:{place}/m{to},peer={place}/{to},strategy={strategy}{more}"
        );
        let TriggerSpec::Qmp(options) = spec.parse().unwrap() else { panic!("not qmp") };
        let mut trigger = QmpTrigger::new(options).unwrap();
        // What this QEMU or this host cannot do, it says before anything is moved.
        if let Err(error) = trigger.check() {
            let text = error.to_string().to_lowercase();
            let named = ["postcopy", "multifd", "xbzrle"].iter().any(|name| text.contains(name));
            let may =
                strategy.contains('+') || strategy.starts_with("post-copy") || strategy == "hybrid";
            assert!(may && named, "{strategy}: {text}");
            eprintln!("not moved by {strategy}: {text}");
            continue;
        }
        fire(&mut trigger).unwrap();
        let (events, settled) = finish(&mut trigger);
        assert_arrived(&events, &settled);
        let pulls = strategy.starts_with("post-copy") || strategy.starts_with("hybrid");
        assert_eq!(events.iter().any(|e| e.kind == EventKind::PostCopy), pulls, "{strategy}");
        // All of the memory was sent once before hybrid lets the target run.
        let rounds = events.iter().filter(|e| matches!(e.kind, EventKind::Round(_))).count();
        assert!(!strategy.starts_with("hybrid") || rounds >= 2, "{events:#?}");
        let capabilities = settled.details["capabilities"].to_string();
        for (word, capability) in
            [("multifd", "multifd"), ("xbzrle", "xbzrle"), ("preempt", "postcopy-preempt")]
        {
            let is_on = capabilities.contains(&format!("\"{capability}\""));
            assert_eq!(is_on, strategy.contains(word), "{strategy}: {capabilities}");
        }
        // What was changed at the machine that runs now is as it was.
        assert!(settled.details.contains_key("target_put_back"), "{settled:#?}");
        assert!(!settled.details.keys().any(|key| key.contains("switched_off")), "{settled:#?}");
        source = target;
        from = to;
        moved.push(strategy);
    }
    drop(source);
    // These every QEMU and every host can do.
    for strategy in ["pre-copy+auto-converge", "stop-and-copy", "pre-copy+multifd"] {
        assert!(moved.contains(&strategy), "{moved:?}");
    }
    println!("moved by {moved:?}");
}

#[test]
fn a_chain_of_post_copy_pre_copy_and_stop_and_copy() {
    if !qemu_is_there() {
        return;
    }
    chain(QEMU);
}

/// A machine that is asked what it is and what is written to. The firmware writes to nothing.
fn asked(qemu: &str) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("qmp");
    let _machine = machine_of(qemu, &socket, &["-name", "asked"]);
    let spec: LookSpec = format!("qmp:{}", socket.display()).parse().unwrap();
    let now = look::ask(&spec.clone().with_over_s([1])).unwrap();
    println!("{now:#?}");
    assert_eq!((now.memory_bytes, now.name.as_deref()), (Some(64 << 20), Some("asked")));
    assert!(now.max_bandwidth_bytes_per_s.is_some_and(|limit| limit >= 32 << 20));
    assert_eq!(now.downtime_limit_s, Some(0.3));
    assert_eq!(now.capabilities, Some(Vec::new()), "none is on");
    assert_eq!((now.dirty.len(), now.dirty[0].over_s), (1, 1.0));
    assert!(now.dirty[0].bytes_per_s < 16e6, "{now:#?}");
    // It would crash of it, and lives.
    let error = look::ask(&spec.clone().with_mode(DirtyMode::DirtyBitmap)).unwrap_err();
    assert!(matches!(error, LookError::NeedsKvm { .. }), "{error}");
    let now = look::ask(&spec.with_over_s([1]).with_pages_per_gib(512)).unwrap();
    assert_eq!(now.dirty[0].pages_per_gib, Some(512));
}

#[test]
fn a_machine_is_asked_and_not_changed() {
    if !qemu_is_there() {
        return;
    }
    asked(QEMU);
}

#[test]
fn a_newer_machine_is_asked() {
    match std::env::var("LOADGEN_NEWER_QEMU") {
        Ok(newer) => asked(&newer),
        Err(_) => eprintln!("not run: LOADGEN_NEWER_QEMU names no QEMU"),
    }
}

#[test]
fn the_same_chain_with_a_newer_qemu() {
    match std::env::var("LOADGEN_NEWER_QEMU") {
        Ok(newer) => chain(&newer),
        Err(_) => eprintln!("not run: LOADGEN_NEWER_QEMU names no QEMU"),
    }
}
