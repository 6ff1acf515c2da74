//! Harvester, faked from its API: a migration is an action of a machine, and has no object that
//! could be asked for. What the machine says of its migrations is of the last one that was handed over.

use loadgen_core::migration::{RecipeOptions, RecipeTrigger};
use serde_json::{Value, json};

use super::api::{Api, Call, Fake, Reply};
use super::flights::{SECRET, fired, hurried, names, recipe, secret_in, until, while_not};

/// Harvester as it is reached through Rancher.
pub(crate) const RANCHER: &str = "/k8s/clusters/c-m-1";
pub(crate) const MACHINE: &str =
    "/apis/kubevirt.io/v1/namespaces/shop/virtualmachineinstances/web1";
pub(crate) const ACTIONS: &str = "/v1/harvester/kubevirt.io.virtualmachines/shop/web1";

pub(crate) struct Harvester {
    pub(crate) phase: &'static str,
    pub(crate) node: &'static str,
    pub(crate) is_migratable: bool,
    /// Annotations of the machine: where it goes, and how far it is.
    pub(crate) target: Option<String>,
    pub(crate) progress: Option<&'static str>,
    /// Of the last migration that was handed over.
    pub(crate) state: Value,
    /// It moves when the migration succeeds.
    pub(crate) moves: bool,
    /// Answers about the machine with these statuses first.
    pub(crate) faults: Vec<u16>,
    /// Why it takes no order.
    pub(crate) refuses: Option<&'static str>,
    /// The key is not valid any more.
    pub(crate) expired: bool,
    /// The action is not served.
    pub(crate) is_old: bool,
}

/// What is left of a migration to the same node that was aborted.
pub(crate) fn earlier() -> Value {
    json!({
        "migrationUid": "uid-0", "sourceNode": "node1", "targetNode": "node2", "mode": "PostCopy",
        "startTimestamp": "2025-01-01T00:00:00Z", "endTimestamp": "2025-01-01T00:00:09Z",
        "completed": true, "failed": true, "failureReason": "an earlier failure",
    })
}

impl Harvester {
    pub(crate) fn new() -> Self {
        Self {
            phase: "Running",
            node: "node1",
            is_migratable: true,
            target: None,
            progress: None,
            state: Value::Null,
            moves: true,
            faults: Vec::new(),
            refuses: None,
            expired: false,
            is_old: false,
        }
    }

    /// The target is ready, and the machine is told of it.
    pub(crate) fn hand_over(&mut self) {
        self.progress = Some("Migrating");
        self.state = json!({
            "migrationUid": "uid-1", "sourceNode": "node1", "targetNode": self.target,
            "mode": "PreCopy", "startTimestamp": "2025-01-02T00:00:00Z",
        });
    }

    /// KubeVirt is done.
    pub(crate) fn complete(&mut self) {
        self.state["completed"] = true.into();
        self.state["endTimestamp"] = "2025-01-02T00:00:07Z".into();
        if self.moves {
            self.node = "node2";
        }
    }

    /// KubeVirt failed.
    pub(crate) fn fail(&mut self, why: &str) {
        (self.state["completed"], self.state["failed"]) = (true.into(), true.into());
        self.state["failureReason"] = why.into();
    }

    /// Harvester has seen the end.
    pub(crate) fn clear(&mut self) {
        (self.target, self.progress) = (None, None);
    }

    fn machine(&self) -> Value {
        let can = if self.is_migratable { "True" } else { "False" };
        let annotations = json!({
            "harvesterhci.io/migrationTargetNodeName": self.target,
            "harvesterhci.io/migrationState": self.progress,
        });
        json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance",
            "metadata": { "name": "web1", "namespace": "shop", "annotations": annotations },
            "spec": { "domain": { "memory": { "guest": "4Gi" } } },
            "status": {
                "phase": self.phase, "nodeName": self.node, "migrationState": self.state,
                "conditions": [
                    { "type": "Ready", "status": "True", "lastProbeTime": null },
                    { "type": "LiveMigratable", "status": can, "lastProbeTime": null },
                ],
            },
        })
    }

    fn migrate(&mut self, order: &Value) -> Reply {
        if let Some(text) = self.refuses {
            return text_of(500, text);
        }
        let Some(to) = order["nodeName"].as_str() else { return text_of(422, "no body") };
        self.target = Some(to.to_owned());
        Reply::empty(204)
    }

    fn abort(&mut self) -> Reply {
        if !matches!(self.progress, Some("Migrating" | "Pending migration")) {
            return text_of(500, "The VM is not in migrating state");
        }
        self.progress = Some("Aborting migration");
        Reply::empty(204)
    }
}

/// Harvester's own errors are plain text.
fn text_of(status: u16, text: &str) -> Reply {
    Reply::Answer(status, Vec::new(), text.to_owned())
}

fn status(code: u16, message: &str) -> Reply {
    let body = json!({ "kind": "Status", "status": "Failure", "message": message, "code": code });
    Reply::json(code, &body)
}

impl Fake for Harvester {
    fn answer(&mut self, call: &Call) -> Reply {
        if call.header("authorization") != Some(&format!("Bearer {SECRET}")) || self.expired {
            let message = "Unauthorized 401: must authenticate";
            return Reply::json(401, &json!({ "type": "error", "message": message }));
        }
        let Some(path) = call.path.strip_prefix(RANCHER) else { return status(404, "not found") };
        match (call.method.as_str(), path, call.query.as_str()) {
            ("GET", MACHINE, _) => match self.faults.pop() {
                Some(fault) => status(fault, "not now"),
                None => Reply::json(200, &self.machine()),
            },
            ("POST", ACTIONS, _) if self.is_old => text_of(404, "404 page not found"),
            ("POST", ACTIONS, "action=migrate") => self.migrate(&call.json()),
            ("POST", ACTIONS, "action=abortMigration") => self.abort(),
            (_, path, _) => status(404, &format!("{path} not found")),
        }
    }
}

pub(crate) struct Set {
    pub(crate) api: Api<Harvester>,
    pub(crate) folder: tempfile::TempDir,
}

impl Set {
    pub(crate) fn new() -> Self {
        Self { api: Api::start(Harvester::new()), folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn options(&self) -> RecipeOptions {
        let file = secret_in(&self.folder).display().to_string();
        let options = recipe("harvester").with("namespace", "shop").with("vm", "web1");
        let server = format!("{}{RANCHER}", self.api.url);
        options.with("to", "node2").with("server", server).with("token-file", file)
    }

    /// Not waited long for at its new place.
    pub(crate) fn hurried(&self) -> RecipeOptions {
        hurried(self.options(), &self.folder)
    }

    /// With a migration that runs.
    pub(crate) fn running(&self, options: RecipeOptions) -> RecipeTrigger {
        let mut trigger = fired(options).unwrap();
        self.api.edit(Harvester::hand_over);
        let events = until(&mut trigger, "state Migrating");
        assert_eq!(names(&events), ["fired", "accepted", "state Migrating"]);
        trigger
    }

    /// Until there were so many looks more.
    pub(crate) fn looks(&self, trigger: &mut RecipeTrigger, more: usize) -> Vec<String> {
        let line = format!("GET {RANCHER}{MACHINE}");
        let wanted = self.api.count(&line) + more;
        names(&while_not(trigger, || self.api.count(&line) >= wanted))
    }
}
