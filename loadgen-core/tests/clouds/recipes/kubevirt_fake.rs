//! KubeVirt, faked from its API: a migration is an object with a phase, which a finalizer keeps
//! while it is deleted; the rest that it says is of an earlier migration until its end.

use loadgen_core::migration::{RecipeOptions, RecipeTrigger};
use serde_json::{Value, json};

use super::api::{Api, Call, Fake, Reply};
use super::flights::{SECRET, fired, hurried, names, recipe, secret_in, until, while_not};

pub(crate) const MACHINE: &str =
    "/apis/kubevirt.io/v1/namespaces/shop/virtualmachineinstances/web1";
pub(crate) const ALL: &str =
    "/apis/kubevirt.io/v1/namespaces/shop/virtualmachineinstancemigrations";
pub(crate) const OURS: &str = "loadgen-00000000000000a1-1";

pub(crate) struct KubeVirt {
    /// The API that is served.
    pub(crate) version: &'static str,
    pub(crate) phase: &'static str,
    pub(crate) node: &'static str,
    pub(crate) is_migratable: bool,
    pub(crate) memory: Value,
    pub(crate) migration: Option<Migration>,
    /// It moves when the migration succeeds.
    pub(crate) moves: bool,
    /// Answers about the migration with these statuses first.
    pub(crate) faults: Vec<u16>,
    /// Why it does not take orders.
    pub(crate) refuses: Option<&'static str>,
    /// Whether it takes an order whose answer is lost then.
    pub(crate) loses: Option<bool>,
    /// The token is not valid any more.
    pub(crate) expired: bool,
}

#[derive(Default)]
pub(crate) struct Migration {
    pub(crate) phase: &'static str,
    pub(crate) is_deleted: bool,
    pub(crate) state: Value,
    pub(crate) times: Vec<Value>,
}

/// What is left of the migration before, which was aborted.
fn earlier() -> Value {
    json!({
        "migrationUid": "uid-0", "sourceNode": "node1", "targetNode": "node3", "mode": "PostCopy",
        "startTimestamp": "2025-01-01T00:00:00Z", "endTimestamp": "2025-01-01T00:00:09Z",
        "completed": true, "failed": true, "abortRequested": true, "abortStatus": "Succeeded",
        "failureReason": "Live migration aborted",
    })
}

/// What is told of ours in the end.
fn state(more: &Value) -> Value {
    let mut state = json!({
        "migrationUid": "uid-1", "sourceNode": "node1", "targetNode": "node2", "mode": "PreCopy",
        "startTimestamp": "2025-01-02T00:00:00Z", "endTimestamp": "2025-01-02T00:00:07Z",
        "completed": true,
    });
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    state
}

impl KubeVirt {
    pub(crate) fn new() -> Self {
        Self {
            version: "v1",
            phase: "Running",
            node: "node1",
            is_migratable: true,
            memory: json!({ "memory": { "guest": "2Gi" } }),
            migration: None,
            moves: true,
            faults: Vec::new(),
            refuses: None,
            loses: None,
            expired: false,
        }
    }

    pub(crate) fn enter(&mut self, phase: &'static str) {
        let migration = self.migration.as_mut().unwrap();
        migration.phase = phase;
        let time = json!({ "phase": phase, "phaseTransitionTimestamp": "2025-01-02T00:00:01Z" });
        migration.times.push(time);
    }

    pub(crate) fn end(&mut self, phase: &'static str, more: &Value) {
        self.enter(phase);
        self.migration.as_mut().unwrap().state = state(more);
        if phase == "Succeeded" && self.moves {
            self.node = "node2";
        }
    }

    fn machine(&self) -> Value {
        let can = if self.is_migratable { "True" } else { "False" };
        json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance",
            "metadata": { "name": "web1", "namespace": "shop" },
            "spec": { "domain": self.memory },
            "status": {
                "phase": self.phase, "nodeName": self.node, "migrationState": earlier(),
                "conditions": [
                    { "type": "Ready", "status": "True", "lastProbeTime": null },
                    { "type": "LiveMigratable", "status": can, "lastProbeTime": null },
                    { "type": "StorageLiveMigratable", "status": "True", "lastProbeTime": null },
                ],
            },
        })
    }

    fn order(&mut self, order: &Value) -> Reply {
        if let Some(message) = self.refuses {
            return status(400, message);
        }
        if order["metadata"]["name"] != OURS || order["spec"] != json!({ "vmiName": "web1" }) {
            return status(422, "it is invalid");
        }
        if self.migration.is_some() {
            return status(409, &format!("migrations.kubevirt.io \"{OURS}\" already exists"));
        }
        if self.loses != Some(false) {
            self.migration = Some(Migration { state: earlier(), ..Migration::default() });
        }
        match self.loses {
            Some(_) => Reply::Close,
            None => Reply::json(201, order),
        }
    }

    fn about(&mut self, method: &str) -> Reply {
        if let Some(fault) = self.faults.pop() {
            return status(fault, "not now");
        }
        let Some(migration) = &mut self.migration else { return status(404, "not found") };
        migration.is_deleted |= method == "DELETE";
        let deleted = migration.is_deleted.then_some("2025-01-02T00:00:05Z");
        let body = json!({
            "kind": "VirtualMachineInstanceMigration",
            "metadata": { "name": OURS, "uid": "uid-1", "deletionTimestamp": deleted },
            "status": {
                "phase": migration.phase, "migrationState": migration.state,
                "phaseTransitionTimestamps": migration.times,
            },
        });
        Reply::json(200, &body)
    }
}

fn status(code: u16, message: &str) -> Reply {
    let body = json!({ "kind": "Status", "status": "Failure", "message": message, "code": code });
    Reply::json(code, &body)
}

impl Fake for KubeVirt {
    fn answer(&mut self, call: &Call) -> Reply {
        if call.header("authorization") != Some(&format!("Bearer {SECRET}")) || self.expired {
            return status(401, "Unauthorized");
        }
        if !call.path.starts_with(&format!("/apis/kubevirt.io/{}/", self.version)) {
            return Reply::Answer(404, Vec::new(), "404 page not found\n".to_owned());
        }
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", MACHINE) => Reply::json(200, &self.machine()),
            ("POST", ALL) => self.order(&call.json()),
            ("GET" | "DELETE", path) if path == format!("{ALL}/{OURS}") => self.about(&call.method),
            (_, path) => status(404, &format!("{path} not found")),
        }
    }
}

pub(crate) struct Set {
    pub(crate) api: Api<KubeVirt>,
    pub(crate) folder: tempfile::TempDir,
}

impl Set {
    pub(crate) fn new() -> Self {
        Self { api: Api::start(KubeVirt::new()), folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn options(&self) -> RecipeOptions {
        let file = secret_in(&self.folder).display().to_string();
        let options = recipe("kubevirt").with("namespace", "shop").with("vm", "web1");
        options.with("server", self.api.url.as_str()).with("token-file", file)
    }

    /// Not waited long for at its new place.
    pub(crate) fn hurried(&self) -> RecipeOptions {
        hurried(self.options(), &self.folder)
    }

    /// With a migration that runs.
    pub(crate) fn running(&self, options: RecipeOptions) -> RecipeTrigger {
        let mut trigger = fired(options).unwrap();
        self.api.edit(|fake| fake.enter("Running"));
        assert_eq!(names(&until(&mut trigger, "state Running")).last().unwrap(), "state Running");
        trigger
    }

    /// Until there were so many looks more.
    pub(crate) fn looks(&self, trigger: &mut RecipeTrigger, more: usize) -> Vec<String> {
        let line = format!("GET {ALL}/{OURS}");
        let wanted = self.api.count(&line) + more;
        names(&while_not(trigger, || self.api.count(&line) >= wanted))
    }
}
