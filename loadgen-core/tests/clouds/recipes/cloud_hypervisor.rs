//! Two VMMs of Cloud Hypervisor, faked from its API: each answers one request after the other, so that
//! nothing else is answered while it sends or receives. The process of the source ends after a
//! success.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use loadgen_core::Event;
use loadgen_core::clock::Clock;
use loadgen_core::migration::{
    Context, Ending, RecipeOptions, RecipeTrigger, Trigger, TriggerError,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::api::{Api, Call, Fake, Reply};
use super::flights::{fired, flown, names, reason, recipe, refusal, while_not};

const INFO: &str = "GET /api/v1/vm.info";
const RECEIVE: &str = "PUT /api/v1/vm.receive-migration";
const SEND: &str = "PUT /api/v1/vm.send-migration";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Idle,
    Moving,
    Done,
    Failed(&'static str),
}

/// What both VMMs do.
struct World {
    version: &'static str,
    /// Their machines, by state.
    source: Option<&'static str>,
    target: Option<&'static str>,
    /// The port that the target listens at.
    listening: Option<String>,
    phase: Phase,
    /// Why the target does not receive.
    refuses: Option<&'static str>,
    /// The source's process ends before its answer is written.
    ends_early: bool,
    /// The target's answers do not come.
    is_mute: bool,
}

/// One of them.
struct Vmm {
    world: Arc<Mutex<World>>,
    is_source: bool,
}

impl World {
    fn new() -> Self {
        Self {
            version: "v52.0",
            source: Some("Running"),
            target: None,
            listening: None,
            phase: Phase::Idle,
            refuses: None,
            ends_early: false,
            is_mute: false,
        }
    }

    fn end(&mut self, phase: Phase) {
        self.phase = phase;
        self.listening = None;
        if phase == Phase::Done {
            self.target = self.source.take();
        }
    }

    fn of_source(&mut self, call: &Call) -> Reply {
        let is_send = call.line() == SEND;
        match self.phase {
            Phase::Moving => Reply::Later,
            Phase::Done if is_send && !self.ends_early => Reply::empty(204),
            Phase::Done => Reply::Close,
            Phase::Failed(why) if is_send => errors(&["The migration failed", why]),
            Phase::Idle if is_send => self.send(call),
            _ => answer(call, self.version, self.source),
        }
    }

    fn send(&mut self, call: &Call) -> Reply {
        let url = call.json()["destination_url"].as_str().unwrap_or_default().to_owned();
        match url.strip_prefix("tcp:").and_then(|place| place.rsplit_once(':')) {
            None => errors(&["The migration failed", "invalid URL"]),
            _ if self.source.is_none() => errors(&["VM is not running"]),
            Some((_, port)) if self.listening.as_deref() != Some(port) => {
                errors(&["The migration failed", "Connection refused (os error 111)"])
            }
            Some(_) => {
                self.phase = Phase::Moving;
                Reply::Later
            }
        }
    }

    fn of_target(&mut self, call: &Call) -> Reply {
        if self.is_mute {
            return Reply::Later;
        }
        if call.line() != RECEIVE {
            return match self.listening {
                Some(_) => Reply::Later,
                None => answer(call, self.version, self.target),
            };
        }
        match (self.phase, self.refuses) {
            (_, Some(why)) => errors(&["The VM could not receive the migration", why]),
            (Phase::Done, _) => Reply::empty(204),
            (Phase::Failed(why), _) => errors(&["The migration failed", why]),
            _ => {
                let url = call.json()["receiver_url"].as_str().unwrap_or_default().to_owned();
                self.listening = url.rsplit_once(':').map(|(_, port)| port.to_owned());
                Reply::Later
            }
        }
    }
}

/// Causes, the outermost first.
fn errors(causes: &[&str]) -> Reply {
    let all: Vec<&str> = ["Error from API"].iter().chain(causes).copied().collect();
    Reply::json(500, &json!(all))
}

fn answer(call: &Call, version: &str, machine: Option<&str>) -> Reply {
    match (call.line().as_str(), machine) {
        ("GET /api/v1/vmm.ping", _) => {
            Reply::json(200, &json!({ "build_version": version, "pid": 7 }))
        }
        (INFO, Some(state)) => {
            let config = json!({ "memory": { "size": 1 << 30 } });
            let info = json!({ "state": state, "memory_actual_size": 1 << 30, "config": config });
            Reply::json(200, &info)
        }
        (INFO, None) => Reply::json(404, &json!(["Error from API", "VM is not created"])),
        _ => Reply::json(404, &json!(["Not Found"])),
    }
}

impl Fake for Vmm {
    fn answer(&mut self, call: &Call) -> Reply {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        match self.is_source {
            true => world.of_source(call),
            false => world.of_target(call),
        }
    }
}

/// Both VMMs, at sockets.
struct Hosts {
    world: Arc<Mutex<World>>,
    source: Api<Vmm>,
    target: Api<Vmm>,
    _folder: TempDir,
}

impl Hosts {
    fn new(world: World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Arc::new(Mutex::new(world));
        let vmm = |name: &str, is_source| {
            let vmm = Vmm { world: Arc::clone(&world), is_source };
            Api::at(&folder.path().join(name), vmm)
        };
        let (source, target) = (vmm("source", true), vmm("target", false));
        Self { world, source, target, _folder: folder }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn edit(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world());
        // Those who wait look again.
        self.source.edit(|_| ());
        self.target.edit(|_| ());
    }

    fn options(&self) -> RecipeOptions {
        options(&self.source.url, &self.target.url)
    }

    /// A migration that goes on.
    fn moving(&self) -> RecipeTrigger {
        let mut trigger = RecipeTrigger::new(self.options()).unwrap();
        trigger.inspect().unwrap();
        trigger.arm(&Context::new("run-1", Clock::start())).unwrap();
        // However long the way there takes, beside the recipe's pause.
        self.target.wait_for(RECEIVE, 1);
        trigger.fire().unwrap();
        self.source.wait_for(SEND, 1);
        assert_eq!(self.world().phase, Phase::Moving);
        trigger
    }
}

fn options(source: &str, target: &str) -> RecipeOptions {
    let options = recipe("cloud-hypervisor").with("source", source).with("target", target);
    options.with("send", "tcp:node2:9000")
}

#[test]
fn it_is_moved_and_seen_there() {
    let hosts = Hosts::new(World::new());
    let mut trigger = RecipeTrigger::new(hosts.options()).unwrap();
    let facts = trigger.inspect().unwrap();
    assert_eq!((facts.running, facts.memory_bytes), (Some(true), Some(1 << 30)));
    let mut trigger = hosts.moving();
    assert_eq!(trigger.name(), "http:cloud-hypervisor");
    assert_eq!(names(&until_quiet(&mut trigger)), ["fired"]);
    let looks = (hosts.source.count(INFO), hosts.target.count(INFO));
    hosts.edit(|world| world.end(Phase::Done));
    let (events, settled) = flown(&mut trigger);
    assert_eq!(names(&events), ["completed"]);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
    // Nobody was asked in the middle, and the source, which has ended, not after it.
    assert_eq!(looks, (2, 2));
    assert_eq!((hosts.source.count(INFO), hosts.target.count(INFO)), (2, 3));
    let json = |api: &Api<Vmm>, line: &str| -> Value {
        api.calls().iter().find(|call| call.line() == line).unwrap().json()
    };
    assert_eq!(json(&hosts.target, RECEIVE), json!({ "receiver_url": "tcp:0.0.0.0:9000" }));
    assert_eq!(json(&hosts.source, SEND), json!({ "destination_url": "tcp:node2:9000" }));
}

/// What is told until a look brings nothing.
fn until_quiet(trigger: &mut RecipeTrigger) -> Vec<Event> {
    std::iter::from_fn(|| trigger.next_event(Duration::from_millis(20)).unwrap()).collect()
}

#[test]
fn a_failure_is_told_with_its_causes() {
    let hosts = Hosts::new(World::new());
    let mut trigger = hosts.moving();
    hosts.edit(|world| world.end(Phase::Failed("Timeout while migrating: 3600 s")));
    let (events, settled) = flown(&mut trigger);
    assert_eq!(names(&events), ["fired", "failed"]);
    assert_eq!((settled.ending, settled.on_target), (Ending::Failed, None));
    assert!(reason(&settled).contains("HTTP 500"), "{settled:?}");
    assert!(reason(&settled).contains("Timeout while migrating: 3600 s"), "{settled:?}");
}

#[test]
fn a_target_that_answers_late_is_waited_for() {
    let hosts = Hosts::new(World::new());
    let mut trigger = hosts.moving();
    let before = hosts.target.count(INFO);
    hosts.edit(|world| {
        world.end(Phase::Done);
        (world.is_mute, world.target) = (true, Some("Paused"));
    });
    let events = while_not(&mut trigger, || hosts.target.count(INFO) > before);
    assert_eq!(names(&events), ["fired"]);
    // It is paused at first, and asked again.
    hosts.edit(|world| world.is_mute = false);
    let events = while_not(&mut trigger, || hosts.target.count(INFO) > before + 2);
    assert!(events.is_empty(), "{events:?}");
    hosts.edit(|world| world.target = Some("Running"));
    let (_, settled) = flown(&mut trigger);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
}

#[test]
fn it_cannot_be_cancelled() {
    let hosts = Hosts::new(World::new());
    let mut trigger = hosts.moving();
    let error = trigger.cancel().unwrap_err();
    assert!(matches!(error, TriggerError::Unsupported(_)), "{error}");
    // Neither does it end with whoever ordered it.
    drop(trigger);
    assert_eq!(hosts.world().phase, Phase::Moving);
}

#[test]
fn what_cannot_be_moved_is_told_before() {
    let hosts = Hosts::new(World::new());
    for version in ["v53.0", "v54.1", "v42.0", ""] {
        hosts.edit(|world| world.version = version);
        let error = refusal(hosts.options());
        assert!(error.contains("this recipe is for v43 to v52"), "{version}: {error}");
    }
    hosts.edit(|world| (world.version, world.source) = ("v43.0", Some("Paused")));
    let error = refusal(hosts.options());
    assert!(error.contains("it is 'Paused'; it must run"), "{error}");
    hosts.edit(|world| (world.source, world.target) = (Some("Running"), Some("Running")));
    let error = refusal(hosts.options());
    assert!(error.contains("start a VMM without one"), "{error}");
    assert_eq!((hosts.target.count(RECEIVE), hosts.source.count(SEND)), (0, 0));
}

#[test]
fn nobody_at_a_socket_is_told() {
    let hosts = Hosts::new(World::new());
    let nowhere = Path::new(hosts.source.url.trim_start_matches("unix:").trim_end_matches(':'));
    let nowhere = format!("unix:{}:", nowhere.with_file_name("nobody").display());
    for both in [[&nowhere, &hosts.target.url], [&hosts.source.url, &nowhere]] {
        let error = refusal(options(both[0], both[1]));
        assert!(error.contains("nobody") && error.contains("os error 2"), "{error}");
    }
    // A target that is there, does not answer, and ends.
    hosts.edit(|world| world.is_mute = true);
    let before = hosts.target.count(INFO);
    let options = hosts.options();
    let asking = thread::spawn(move || refusal(options));
    hosts.target.wait_for(INFO, before + 1);
    hosts.target.kill();
    let error = asking.join().unwrap();
    assert!(error.contains("closed before the answer was whole"), "{error}");
    assert_eq!(hosts.source.count(SEND), 0);
}

#[test]
fn a_send_that_is_refused_at_once_is_a_failure() {
    let hosts = Hosts::new(World::new());
    let refused = match fired(hosts.options().with("send", "tcp:node2:9001")) {
        Err(error) => error.to_string(),
        Ok(mut trigger) => reason(&flown(&mut trigger).1).to_owned(),
    };
    assert!(refused.contains("Connection refused"), "{refused}");
}

#[test]
fn a_target_that_refuses_to_receive_is_told() {
    let hosts = Hosts::new(World { refuses: Some("Address already in use"), ..World::new() });
    let mut trigger = RecipeTrigger::new(hosts.options()).unwrap();
    trigger.inspect().unwrap();
    // At once, or, on a machine that is slow just then, as why the order came to nothing.
    let told = match trigger.arm(&Context::new("run-1", Clock::start())) {
        Err(error) => error.to_string(),
        Ok(()) => {
            hosts.target.wait_for(RECEIVE, 1);
            trigger.fire().unwrap();
            reason(&flown(&mut trigger).1).to_owned()
        }
    };
    assert!(told.contains("Address already in use"), "{told}");
}

#[test]
fn a_source_that_ends_before_it_answers_has_moved_its_machine() {
    let hosts = Hosts::new(World { ends_early: true, ..World::new() });
    let mut trigger = hosts.moving();
    until_quiet(&mut trigger);
    hosts.edit(|world| world.end(Phase::Done));
    let (_, settled) = flown(&mut trigger);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
}
