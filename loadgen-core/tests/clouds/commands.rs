//! The scripts of `examples/commands`, with programs that play `onevm`, `kubectl`, … The time limits
//! only keep a broken test from hanging.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use loadgen_core::clock::Clock;
use loadgen_core::migration::{CommandTrigger, Context, Ending, Settled, Trigger};
use loadgen_core::{Event, EventKind};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

/// Programs that are played, in a folder where they keep what they know.
struct Stage(TempDir);

impl Stage {
    /// Programs by name, and what they do (in sh; `$here` is the folder).
    fn new(programs: &[(&str, &str)]) -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        let here = stage.0.path().display().to_string();
        for (name, script) in programs {
            let path = stage.0.path().join(name);
            let all = format!(
                "#!/bin/sh\nhere='{here}'\necho \"{name} $*\" >>\"$here/asked\"\n\
                 next() {{ [ ! -e \"$here/$1.2\" ] || [ ! -e \"$here/$1.seen\" ] || \
                 mv \"$here/$1.2\" \"$here/$1\"; touch \"$here/$1.seen\"; cat \"$here/$1\"; }}\n\
                 {script}\n"
            );
            fs::write(&path, all).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        stage
    }

    fn with(self, file: &str, text: &str) -> Self {
        fs::write(self.0.path().join(file), text).unwrap();
        self
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.0.path().join("asked")).unwrap_or_default()
    }

    /// The script, started.
    fn fired(&self, script: &str, words: &[&str]) -> CommandTrigger {
        let commands = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/commands");
        let here = self.0.path().display();
        let mut argv =
            vec!["env".to_owned(), format!("PATH={here}:/usr/bin:/bin"), "EVERY=0.01".to_owned()];
        argv.push(commands.join(script).display().to_string());
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        let mut trigger = CommandTrigger::new(argv).unwrap();
        trigger.inspect().unwrap();
        trigger.arm(&Context::new("run", Clock::start())).unwrap();
        trigger.fire().unwrap();
        trigger
    }

    fn run(&self, script: &str, words: &[&str]) -> (Vec<Event>, Settled) {
        flown(&mut self.fired(script, words))
    }

    /// Waits until a program was asked for this.
    fn await_asked(&self, line: &str) {
        let deadline = Instant::now() + LIMIT;
        while !self.asked().contains(line) {
            assert!(Instant::now() < deadline, "nobody asked '{line}': {}", self.asked());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn flown(trigger: &mut CommandTrigger) -> (Vec<Event>, Settled) {
    let deadline = Instant::now() + LIMIT;
    let mut events = Vec::new();
    loop {
        assert!(Instant::now() < deadline, "no end after {events:#?}");
        if let Some(event) = trigger.next_event(Duration::from_millis(100)).unwrap() {
            let last = event.kind.is_final().then(|| event.clone());
            events.push(event);
            if let Some(last) = last {
                return (events, trigger.settle(&last).unwrap());
            }
        }
    }
}

fn cancelled(trigger: &mut CommandTrigger) {
    let (events, settled) = flown(trigger);
    assert_eq!(settled.ending, Ending::Cancelled, "{settled:?} {events:#?}");
}

fn names(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.kind.to_string()).collect()
}

fn completed(flown: &(Vec<Event>, Settled)) {
    let (events, settled) = flown;
    assert_eq!(names(events), ["fired", "accepted", "completed"], "{settled:?}");
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
}

fn failed(flown: &(Vec<Event>, Settled), why: &str) {
    let (_, settled) = flown;
    assert_eq!(settled.ending, Ending::Failed, "{settled:?}");
    assert!(settled.reason.as_deref().unwrap_or_default().contains(why), "{settled:?}");
}

#[test]
fn onevm() {
    let program = "case $1 in show) [ -e $here/xml ] && next xml ;; migrate) cat $here/refusal 2>/dev/null \
                   && exit 1; mv $here/trap $here/xml; rm -f $here/xml.seen; mv $here/end $here/xml.2 ;; esac";
    let record = |seq: u32, host: &str, rstime: u32| {
        format!(
            "<HISTORY>\n<SEQ>{seq}</SEQ>\n<HOSTNAME>{host}</HOSTNAME>\n<RSTIME>{rstime}</RSTIME>\n\
             </HISTORY>\n"
        )
    };
    let xml =
        |records: &[String]| format!("<VM>\n<LCM_STATE>3</LCM_STATE>\n{}</VM>\n", records.concat());
    let before = record(0, "node1", 5);
    let stage = |end: &[String]| {
        Stage::new(&[("onevm", program)])
            .with("xml", &xml(std::slice::from_ref(&before)))
            .with("trap", &xml(&[before.clone(), record(1, "node2", 0)]))
            .with("end", &xml(end))
    };
    let good = stage(&[before.clone(), record(1, "node2", 9)]);
    completed(&good.run("onevm.sh", &["web1", "node2"]));
    assert!(good.asked().contains("onevm migrate --live web1 node2"));
    let silent = stage(&[before.clone(), record(1, "node2", 0), record(2, "node1", 9)]);
    failed(&silent.run("onevm.sh", &["web1", "node2"]), "it runs on node1");
    let refused = stage(&[]).with("refusal", "[one.vm.migrate] \"no\"");
    failed(&refused.run("onevm.sh", &["web1", "node2"]), "[one.vm.migrate] \"no\"");
    let off = stage(&[]).with("xml", "<VM>\n<LCM_STATE>0</LCM_STATE>\n</VM>\n");
    failed(&off.run("onevm.sh", &["web1", "node2"]), "not RUNNING");
}

/// A `kubectl` that has `status.PATH` of the machine in the file PATH, or in PATH.2 after one look.
const KUBECTL: &str = "case $1 in get) file=${*##*jsonpath=\\{.status.}; file=${file%\\}}; \
                       [ ! -e $here/$file ] || next $file ;; drain) . $here/drain ;; esac";

#[test]
fn virtctl() {
    let stage = |virtctl: &str| {
        Stage::new(&[("kubectl", KUBECTL), ("virtctl", virtctl)])
            .with("nodeName", "node1")
            .with("phase", "Running")
            // Of an earlier migration.
            .with("migrationState.migrationUid", "old")
            .with("migrationState.completed", "true")
            .with("migrationState.failed", "true")
    };
    let moves = "echo new >$here/migrationState.migrationUid; echo node2 >$here/nodeName; \
                 rm $here/migrationState.failed";
    let good = stage(moves);
    completed(&good.run("virtctl.sh", &["web1", "shop"]));
    assert!(good.asked().contains("virtctl migrate web1 --namespace shop"));
    let aborts = "echo new >$here/migrationState.migrationUid; \
                  echo 'was aborted' >$here/migrationState.failureReason";
    failed(&stage(aborts).run("virtctl.sh", &["web1"]), "was aborted");
    let refuses = "echo 'cannot migrate' >&2; exit 1";
    failed(&stage(refuses).run("virtctl.sh", &["web1"]), "cannot migrate");
    // It never ends, and is given up.
    let stays = stage(":");
    let mut trigger = stays.fired("virtctl.sh", &["web1"]);
    stays.await_asked("virtctl migrate web1");
    trigger.cancel().unwrap();
    cancelled(&mut trigger);
    assert!(stays.asked().contains("virtctl migrate-cancel web1 --namespace default"));
}

#[test]
fn a_drained_node_takes_machines_again() {
    let stage = |drain: &str| {
        Stage::new(&[("kubectl", KUBECTL)])
            .with("nodeName", "node1")
            .with("phase", "Running")
            .with("drain", drain)
    };
    let good = stage("echo node2 >$here/nodeName");
    completed(&good.run("kubectl-drain.sh", &["node1", "web1"]));
    let refused = stage("echo 'cannot evict pod' >&2; exit 1");
    failed(&refused.run("kubectl-drain.sh", &["node1", "web1"]), "cannot evict pod");
    let stays = stage(":");
    failed(&stays.run("kubectl-drain.sh", &["node1", "web1"]), "is Running on 'node1'");
    for stage in [good, refused, stays] {
        assert!(stage.asked().ends_with("kubectl uncordon node1\n"), "{}", stage.asked());
    }
    let other = stage(":");
    failed(&other.run("kubectl-drain.sh", &["node3", "web1"]), "not on the node node3");
    assert!(!other.asked().contains("drain"));
}

#[test]
fn qm() {
    let log = "average migration speed: 1.0 GiB/s - downtime 57 ms";
    let qm = format!("echo '{log}'; cat $here/refusal 2>/dev/null && exit 255; exit 0");
    let stage =
        |state: &str| Stage::new(&[("qm", &qm), ("pvesh", "cat $here/state")]).with("state", state);
    let running = r#"{"status":"running","qmpstatus":"running"}"#;
    let flown = stage(running).run("qm.sh", &["100", "pve2"]);
    completed(&flown);
    assert_eq!(flown.1.hypervisor_downtime, Some(Duration::from_millis(57)));
    let paused = r#"{"status":"running","qmpstatus":"paused"}"#;
    failed(&stage(paused).run("qm.sh", &["100", "pve2"]), "does not run on pve2");
    let refused = stage(running).with("refusal", "migration aborted");
    failed(&refused.run("qm.sh", &["100", "pve2"]), "migration aborted");
    let stays = Stage::new(&[("qm", "exec sleep 600"), ("pvesh", "exit 1")]);
    let mut trigger = stays.fired("qm.sh", &["100", "pve2"]);
    stays.await_asked("qm migrate 100 pve2 --online");
    trigger.cancel().unwrap();
    cancelled(&mut trigger);
}

#[test]
fn openstack() {
    let program = "case \"$*\" in *'--column OS-EXT-SRV-ATTR:host') cat $here/host ;; *'--column status') \
                   cat $here/status ;; 'server migrate '*) . $here/migrate ;; *'migration list'*) echo 42 ;; esac";
    let stage = |migrate: &str| {
        Stage::new(&[("openstack", program)])
            .with("host", "node1")
            .with("status", "ACTIVE")
            .with("migrate", migrate)
    };
    let good = stage("echo node2 >$here/host");
    completed(&good.run("openstack.sh", &["web1", "node2"]));
    assert!(good.asked().contains("--wait --host node2 web1"), "{}", good.asked());
    let silent = stage(":");
    failed(&silent.run("openstack.sh", &["web1"]), "on node1 as before");
    let refused = stage("echo 'No valid host' >&2; exit 1");
    failed(&refused.run("openstack.sh", &["web1"]), "No valid host");
    failed(&stage(":").with("host", "").run("openstack.sh", &["web1"]), "for administrators");
    let stays = stage("exec sleep 600");
    let mut trigger = stays.fired("openstack.sh", &["web1"]);
    stays.await_asked("server migrate");
    trigger.cancel().unwrap();
    cancelled(&mut trigger);
    assert!(stays.asked().contains("openstack server migration abort web1 42"));
}

#[test]
fn gcloud_moves_what_may_be_moved_and_nobody_can_confirm_it() {
    let program = "case \"$*\" in *onHostMaintenance*) cat $here/policy ;; *'value(status)'*) cat $here/status ;; \
                   *simulate-maintenance-event*) cat $here/refusal 2>/dev/null && exit 1; exit 0 ;; esac";
    let stage = |policy: &str| {
        Stage::new(&[("gcloud", program)]).with("policy", policy).with("status", "RUNNING")
    };
    let (events, settled) = stage("MIGRATE").run("gcloud.sh", &["web1", "europe-west4-a"]);
    assert_eq!(names(&events), ["fired", "accepted", "completed"]);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, None));
    let stopped = stage("TERMINATE");
    failed(&stopped.run("gcloud.sh", &["web1", "z"]), "is TERMINATE, not MIGRATE");
    assert!(!stopped.asked().contains("simulate"));
    let refused = stage("MIGRATE").with("refusal", "quota");
    failed(&refused.run("gcloud.sh", &["web1", "z"]), "quota");
}

#[test]
fn a_container_stops_and_runs_at_known_times() {
    let podman =
        "case \"$*\" in *restore*) touch $here/back ;; *checkpoint*) touch $here/stopped ;; esac";
    let ssh = "case \"$*\" in *restore*) cat $here/refusal 2>/dev/null && exit 1; exit 0 ;; *inspect*) echo true ;; esac";
    let stage = || Stage::new(&[("podman", podman), ("scp", ":"), ("ssh", ssh)]);
    let (events, settled) = stage().run("podman.sh", &["web1", "node2"]);
    assert_eq!(names(&events), ["fired", "stop", "resume", "completed"]);
    assert!(events[1].at <= events[2].at && events[1].uncertainty > 0, "{events:#?}");
    assert_eq!(settled.on_target, Some(true));
    // It runs again where it was.
    let refused = stage().with("refusal", "CRIU says no");
    let (events, settled) = refused.run("podman.sh", &["web1", "node2"]);
    assert!(events.iter().any(|event| event.kind == EventKind::Resume), "{events:#?}");
    assert_eq!(settled.reason.as_deref(), Some("CRIU says no"));
    assert!(refused.0.path().join("back").exists());
}

#[test]
fn wrong_words_are_an_error_of_usage() {
    for script in
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/commands")).unwrap()
    {
        let name = script.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".sh") && name != "lib.sh" {
            failed(&Stage::new(&[]).run(&name, &[]), "usage: ");
        }
    }
}
