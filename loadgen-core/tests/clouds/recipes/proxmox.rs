//! Proxmox VE, faked from its API: a task with an exit status, and a machine at one of two nodes.

use std::fs;
use std::iter::repeat_with;
use std::time::Duration;

use loadgen_core::migration::{Ending, RecipeOptions, RecipeTrigger, Settled, Trigger};
use serde_json::{Value, json};

use super::api::{Api, Call, Fake, Reply};
use super::flights::{SECRET, fired, flown, names, reason, recipe, refusal, until, while_not};

const AT_SOURCE: &str = "/api2/json/nodes/pve1/qemu/100/status/current";
const AT_TARGET: &str = "/api2/json/nodes/pve2/qemu/100/status/current";
const MIGRATE: &str = "/api2/json/nodes/pve1/qemu/100/migrate";
const UPID: &str = "UPID:pve1:0003A2B1:01C2D3E4:65F0A1B2:qmigrate:100:root@pam!loadgen:";
const LOG: [&str; 5] = [
    "starting migration of VM 100 to node 'pve2' (192.0.2.2)",
    "migration active, transferred 1.2 GiB of 2.0 GiB VM-state, 110.1 MiB/s",
    "auto-increased downtime to continue migration: 200 ms",
    "average migration speed: 1.0 GiB/s - downtime 57 ms",
    "migration finished successfully (duration 00:00:12)",
];

fn task() -> String {
    format!("/api2/json/nodes/pve1/tasks/{UPID}")
}

fn looks() -> String {
    format!("GET {}/status", task())
}

struct Proxmox {
    node: &'static str,
    status: &'static str,
    qmpstatus: &'static str,
    lock: Option<&'static str>,
    ha: Option<u8>,
    /// `None`: there is no task. Its exit status; `None`: it runs.
    exit: Option<Option<&'static str>>,
    /// An interrupt comes too late.
    is_deaf: bool,
    /// Looks at the task are answered with these statuses first.
    faults: Vec<u16>,
    /// Nobody may look at the target, or read logs.
    hides: bool,
    /// The token is deleted, or has expired.
    expired: bool,
}

impl Proxmox {
    fn new() -> Self {
        Self {
            node: "pve1",
            status: "running",
            qmpstatus: "running",
            lock: None,
            ha: Some(0),
            exit: None,
            is_deaf: false,
            faults: Vec::new(),
            hides: false,
            expired: false,
        }
    }

    fn end(&mut self, exit: &'static str, node: &'static str) {
        (self.exit, self.node) = (Some(Some(exit)), node);
    }

    fn machine(&self, node: &str) -> Reply {
        if self.node != node {
            let file = format!("nodes/{node}/qemu-server/100.conf");
            return error(500, &format!("Configuration file '{file}' does not exist"));
        }
        data(&json!({
            "vmid": 100, "name": "web1", "status": self.status, "qmpstatus": self.qmpstatus,
            "maxmem": 2_147_483_648_u64, "lock": self.lock, "ha": { "managed": self.ha },
        }))
    }
}

fn data(data: &Value) -> Reply {
    Reply::json(200, &json!({ "data": data }))
}

fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "data": null, "message": format!("{message}\n") }))
}

impl Fake for Proxmox {
    fn answer(&mut self, call: &Call) -> Reply {
        let token = format!("PVEAPIToken=root@pam!loadgen={SECRET}");
        if self.expired || call.header("authorization") != Some(token.as_str()) {
            // As by a proxy in between that tells too much.
            let told = call.header("authorization").unwrap_or_default();
            return error(401, &format!("permission denied - invalid PVE ticket ({told})"));
        }
        let (task, log) = (task(), format!("{}/log", task()));
        let status = format!("{task}/status");
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", AT_SOURCE) => self.machine("pve1"),
            ("GET", AT_TARGET) if self.hides => error(403, "Permission check failed (VM.Audit)"),
            ("GET", AT_TARGET) => self.machine("pve2"),
            ("POST", MIGRATE) => {
                if call.form("target").as_deref() != Some("pve2") {
                    let errors = json!({ "target": "target is local node." });
                    let message = "Parameter verification failed.\n";
                    let body = json!({ "data": null, "errors": errors, "message": message });
                    return Reply::json(400, &body);
                }
                if call.form("online").as_deref() != Some("1") {
                    return error(500, "can't migrate running VM without --online");
                }
                self.exit = Some(None);
                data(&json!(UPID))
            }
            ("GET", path) if path == status && self.exit.is_some() => {
                if let Some(status) = self.faults.pop() {
                    return error(status, "Connection refused");
                }
                match self.exit.unwrap() {
                    Some(exit) => {
                        data(&json!({ "upid": UPID, "status": "stopped", "exitstatus": exit }))
                    }
                    None => data(&json!({ "upid": UPID, "status": "running", "type": "qmigrate" })),
                }
            }
            ("GET", path) if path == log && self.hides => error(403, "Permission check failed"),
            ("GET", path) if path == log && call.query == "limit=5000" => {
                let lines = LOG.iter().zip(1..);
                data(&lines.map(|(text, n)| json!({ "n": n, "t": text })).collect())
            }
            ("DELETE", path) if path == task => {
                if !self.is_deaf {
                    self.exit = Some(Some("migration aborted"));
                }
                data(&Value::Null)
            }
            _ => error(501, "Method not implemented"),
        }
    }
}

fn options(api: &Api<Proxmox>, folder: &tempfile::TempDir) -> RecipeOptions {
    let token = folder.path().join("token");
    fs::write(&token, format!("root@pam!loadgen={SECRET}\n")).unwrap();
    recipe("proxmox")
        .with("server", api.url.as_str())
        .with("token-file", token.display().to_string())
        .with("vmid", "100")
        .with("node", "pve1")
        .with("to", "pve2")
}

/// The task has ended; what became of it, if the machine was at this node then.
fn ended(exit: &'static str, node: &'static str) -> Settled {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start(Proxmox::new());
    let mut trigger = fired(options(&api, &folder)).unwrap();
    api.edit(|proxmox| proxmox.end(exit, node));
    flown(&mut trigger).1
}

#[test]
fn it_is_moved_and_seen_there() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start(Proxmox::new());
    let options = options(&api, &folder).with("with-local-disks", "1");
    let facts = RecipeTrigger::new(options.clone()).unwrap().inspect().unwrap();
    assert_eq!(facts.memory_bytes, Some(2 << 30));
    let mut trigger = fired(options).unwrap();
    let begin = names(&until(&mut trigger, "state running"));
    assert_eq!(begin, ["fired", "accepted", "state running"]);
    // Its node is out of reach for the one that is asked.
    api.edit(|proxmox| proxmox.faults = vec![503, 596, 595]);
    let seen = api.count(&looks());
    let before = while_not(&mut trigger, || api.count(&looks()) >= seen + 5);
    assert_eq!(names(&before), [""; 0]);
    // The task is done before the target knows the machine, and before that runs.
    api.edit(|proxmox| proxmox.end("OK", "pve1"));
    let line = format!("GET {AT_TARGET}");
    let before = while_not(&mut trigger, || api.count(&line) >= 3);
    assert_eq!(names(&before), ["state stopped"]);
    api.edit(|proxmox| (proxmox.node, proxmox.qmpstatus) = ("pve2", "paused"));
    let seen = api.count(&line);
    assert!(while_not(&mut trigger, || api.count(&line) >= seen + 3).is_empty());
    api.edit(|proxmox| proxmox.qmpstatus = "running");
    let (events, settled) = flown(&mut trigger);
    assert_eq!(names(&events), ["completed"]);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
    assert_eq!(settled.hypervisor_downtime, Some(Duration::from_millis(57)));
    assert_eq!(settled.details["task"], UPID);
    let order = api.calls().into_iter().find(|call| call.method == "POST").unwrap();
    assert_eq!(order.body, "online=1&target=pve2&with-local-disks=1");
}

#[test]
fn warnings_are_a_success_and_problems_are_none() {
    let settled = ended("WARNINGS: 1", "pve2");
    assert_eq!(settled.ending, Ending::Completed);
    assert_eq!(settled.details["exitstatus"], "WARNINGS: 1");
    for exit in ["migration aborted", "migration problems", "unexpected status"] {
        let settled = ended(exit, "pve1");
        assert_eq!((settled.ending, reason(&settled)), (Ending::Failed, exit));
    }
}

#[test]
fn a_success_that_is_none_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start(Proxmox::new());
    let mut trigger = fired(options(&api, &folder)).unwrap();
    api.edit(|proxmox| proxmox.end("OK", "pve1"));
    while_not(&mut trigger, || api.count(&format!("GET {AT_TARGET}")) >= 3);
    // That is asked for half a minute; a server that will not say so is not waited for.
    api.edit(|proxmox| proxmox.hides = true);
    let (_, settled) = flown(&mut trigger);
    assert_eq!(settled.ending, Ending::Failed);
    assert!(reason(&settled).contains("not seen at its new place"), "{settled:?}");
}

#[test]
fn what_cannot_be_begun_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start(Proxmox::new());
    let told = |proxmox: Proxmox| {
        api.edit(|known| *known = proxmox);
        refusal(options(&api, &folder))
    };
    for (proxmox, part) in [
        (Proxmox { status: "stopped", ..Proxmox::new() }, "it is 'stopped'; it must run at node="),
        (Proxmox { qmpstatus: "paused", ..Proxmox::new() }, "it is 'paused'; it must run at node="),
        (Proxmox { lock: Some("backup"), ..Proxmox::new() }, "it is 'backup'; it must run"),
        (Proxmox { ha: Some(1), ..Proxmox::new() }, "take it out of HA"),
        (Proxmox { node: "pve3", ..Proxmox::new() }, "100.conf' does not exist"),
        (Proxmox { expired: true, ..Proxmox::new() }, "the credentials are wrong, or have expired"),
    ] {
        let error = told(proxmox);
        assert!(error.contains(part), "{error}");
    }
    api.edit(|known| *known = Proxmox { ha: None, ..Proxmox::new() });
    let error = refusal(options(&api, &folder).with("to", "pve1"));
    assert!(error.contains("target is local node."), "{error}");
    let error = refusal(options(&api, &folder).with("token-file", ""));
    assert!(error.contains("set PVE_TOKEN, or give token-file=FILE"), "{error}");
}

#[test]
fn it_is_cancelled_unless_it_is_too_late() {
    let folder = tempfile::tempdir().unwrap();
    for (is_deaf, ending) in [(false, Ending::Cancelled), (true, Ending::Completed)] {
        let api = Api::start(Proxmox { is_deaf, ..Proxmox::new() });
        let mut trigger = fired(options(&api, &folder)).unwrap();
        until(&mut trigger, "state running");
        trigger.cancel().unwrap();
        if is_deaf {
            api.edit(|proxmox| proxmox.end("OK", "pve2"));
        }
        assert_eq!(flown(&mut trigger).1.ending, ending);
    }
    // One that is dropped is cancelled, too.
    let api = Api::start(Proxmox::new());
    drop(fired(options(&api, &folder)).unwrap());
    assert_eq!(api.edit(|proxmox| proxmox.exit), Some(Some("migration aborted")));
}

#[test]
fn a_token_that_expires_ends_the_looks_and_a_node_that_dies_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start(Proxmox::new());
    let mut trigger = fired(options(&api, &folder)).unwrap();
    until(&mut trigger, "state running");
    api.edit(|proxmox| proxmox.expired = true);
    let mut turns = repeat_with(|| trigger.next_event(Duration::from_millis(100))).take(1_000);
    let error = turns.find_map(Result::err).unwrap().to_string();
    assert!(error.contains("invalid PVE ticket") && !error.contains(SECRET), "{error}");

    // The socket stays nobody else's, as a port would not.
    let api = Api::at(&folder.path().join("pve.socket"), Proxmox::new());
    let mut trigger = fired(options(&api, &folder)).unwrap();
    until(&mut trigger, "state running");
    api.kill();
    for _ in 0..20 {
        assert_eq!(trigger.next_event(Duration::from_millis(20)).unwrap(), None);
    }
}
