//! Nova with Keystone, faked from their APIs: a token, a server with a host, and a list of migrations
//! that has the new one only after a while.

use std::iter::repeat_with;
use std::time::Duration;

use loadgen_core::migration::{Ending, RecipeOptions, RecipeTrigger, Trigger};
use serde_json::{Value, json};

use super::api::{Api, Call, Fake, Reply};
use super::flights::{SECRET, fired, flown, names, reason, recipe, refusal, secret_in, while_not};

const VM: &str = "6d4e0f0c-1b0a-4a52-9f0e-2f6a8f3f1f11";
const LOOK: &str = "GET /v2.1/os-migrations";

struct Nova {
    status: &'static str,
    task: Option<&'static str>,
    /// `None`: it is not shown to who asks.
    host: Option<&'static str>,
    /// Ids and statuses, the newest last.
    migrations: Vec<(u32, &'static str)>,
    /// The highest microversion is 2 and this.
    level: u32,
    /// Looks at migrations are answered with these statuses first.
    faults: Vec<u16>,
    refuses: Option<(u16, &'static str)>,
    /// The answer to the order is lost.
    loses: bool,
    expired: bool,
    /// The server may not be looked at.
    hides: bool,
}

impl Nova {
    fn new() -> Self {
        Self {
            status: "ACTIVE",
            task: None,
            host: Some("node1"),
            migrations: vec![(6, "error"), (7, "completed")],
            level: 96,
            faults: Vec::new(),
            refuses: None,
            loses: false,
            expired: false,
            hides: false,
        }
    }

    /// There is a migration at last.
    fn begin(&mut self) {
        self.migrations.push((8, "running"));
        (self.status, self.task) = ("MIGRATING", Some("migrating"));
    }

    fn end(&mut self, status: &'static str, host: &'static str) {
        self.migrations.last_mut().unwrap().1 = status;
        (self.status, self.task, self.host) = ("ACTIVE", None, Some(host));
    }

    fn server(&self) -> Reply {
        let mut server = json!({
            "id": VM, "status": self.status, "OS-EXT-STS:task_state": self.task,
            "OS-EXT-STS:vm_state": "active", "flavor": { "ram": 2048, "vcpus": 1 },
        });
        if let Some(host) = self.host {
            server["OS-EXT-SRV-ATTR:host"] = host.into();
        }
        Reply::json(200, &json!({ "server": server }))
    }

    fn under_way(&self) -> Reply {
        let newest = self.migrations.last().filter(|(_, status)| *status == "running");
        let list: Vec<Value> = newest.iter().map(|(id, _)| json!({ "id": id })).collect();
        Reply::json(200, &json!({ "migrations": list }))
    }

    fn list(&self) -> Reply {
        let of = |&(id, status): &(u32, &str)| {
            json!({
                "id": id, "status": status, "migration_type": "live-migration",
                "instance_uuid": VM, "source_compute": "node1", "dest_compute": "node2",
            })
        };
        let newest: Vec<Value> = self.migrations.iter().rev().take(1).map(of).collect();
        Reply::json(200, &json!({ "migrations": newest }))
    }
}

fn token() -> String {
    format!("gAAAAAB{SECRET}")
}

fn fault(status: u16, message: &str) -> Reply {
    let name = match status {
        400 => "badRequest",
        401 => "error",
        403 => "forbidden",
        404 => "itemNotFound",
        409 => "conflictingRequest",
        _ => "computeFault",
    };
    Reply::json(status, &json!({ name: { "code": status, "message": message } }))
}

impl Fake for Nova {
    fn answer(&mut self, call: &Call) -> Reply {
        let (server, action) =
            (format!("/v2.1/servers/{VM}"), format!("/v2.1/servers/{VM}/action"));
        if call.line() == "POST /v3/auth/tokens" {
            let credential = json!({ "id": "c0ffee", "secret": SECRET });
            let methods = ["application_credential"];
            let identity = json!({ "methods": methods, "application_credential": credential });
            if call.json() != json!({ "auth": { "identity": identity } }) {
                return fault(401, "The request you have made requires authentication.");
            }
            let body = json!({ "token": { "methods": methods } });
            return Reply::json(201, &body).with("X-Subject-Token", &token());
        }
        if self.expired || call.header("x-auth-token") != Some(&token()) {
            // As by a proxy in between that tells too much.
            let told = call.header("x-auth-token").unwrap_or_default();
            return fault(401, &format!("The request requires authentication, not {told}."));
        }
        let version = call.header("openstack-api-version").unwrap_or_default();
        let level = version.strip_prefix("compute 2.").and_then(|level| level.parse::<u32>().ok());
        if level.is_none_or(|level| level > self.level) {
            let most = format!("Minimum is 2.1 and maximum is 2.{}.", self.level);
            return fault(406, &format!("Version {version} is not supported by the API. {most}"));
        }
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", path) if path == server && self.hides => fault(403, "Policy does not allow it"),
            ("GET", path) if path == server => self.server(),
            ("GET", "/v2.1/os-migrations") => {
                let query = format!("instance_uuid={VM}&migration_type=live-migration&limit=1");
                match self.faults.pop() {
                    Some(status) => fault(status, "not now"),
                    None if call.query == query => self.list(),
                    None => fault(400, "Invalid query"),
                }
            }
            ("POST", path) if path == action => match self.refuses {
                Some((status, why)) => fault(status, why),
                None if call.json()["os-migrateLive"]["block_migration"] != "auto" => {
                    fault(400, "Invalid input for field/attribute os-migrateLive")
                }
                None if self.loses => Reply::Close,
                None => Reply::empty(202),
            },
            ("GET", path) if path == format!("{server}/migrations") => self.under_way(),
            ("DELETE", path) if path == format!("{server}/migrations/8") && self.task.is_some() => {
                self.end("cancelled", "node1");
                Reply::empty(202)
            }
            _ => fault(404, "The resource could not be found."),
        }
    }
}

fn options(api: &Api<Nova>, folder: &tempfile::TempDir) -> RecipeOptions {
    recipe("nova")
        .with("auth-url", api.url.as_str())
        .with("compute-url", format!("{}/v2.1", api.url))
        .with("credential-id", "c0ffee")
        .with("secret-file", secret_in(folder).display().to_string())
        .with("vm", VM)
}

/// Ordered, and looked at a few times; there is no migration yet.
fn ordered(api: &Api<Nova>, options: RecipeOptions) -> RecipeTrigger {
    let mut trigger = fired(options).unwrap();
    let before = api.count(LOOK);
    let events = while_not(&mut trigger, || api.count(LOOK) >= before + 3);
    assert!(!events.iter().any(|event| event.kind.is_final()), "{events:?}");
    trigger
}

#[test]
fn it_is_moved_and_seen_there() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start(Nova::new());
    let options = options(&api, &folder);
    let facts = RecipeTrigger::new(options.clone()).unwrap().inspect().unwrap();
    assert_eq!(facts.memory_bytes, Some(2 << 30));
    // The one that is completed is another, and the server runs as if nothing was ordered.
    let mut trigger = ordered(&api, options.with("to", "node2"));
    api.edit(Nova::begin);
    api.edit(|nova| nova.faults = vec![503, 500, 502]);
    let seen = api.count(LOOK);
    let told = while_not(&mut trigger, || api.count(LOOK) >= seen + 5);
    assert_eq!(names(&told), ["state running"]);
    // The migration may be completed before the server is free.
    api.edit(|nova| {
        nova.end("completed", "node2");
        nova.task = Some("migrating");
    });
    let line = format!("GET /v2.1/servers/{VM}");
    let seen = api.count(&line);
    let told = while_not(&mut trigger, || api.count(&line) >= seen + 3);
    assert_eq!(names(&told), ["state completed"]);
    api.edit(|nova| nova.task = None);
    let (events, settled) = flown(&mut trigger);
    assert_eq!(names(&events), ["completed"]);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
    assert_eq!(settled.details["migration"], 8);
    let order = api.calls().into_iter().find(|call| call.path.ends_with("/action")).unwrap();
    let wanted = json!({ "os-migrateLive": { "host": "node2", "block_migration": "auto" } });
    assert_eq!(order.json(), wanted);
}

#[test]
fn the_first_one_of_a_server_goes_where_nova_likes() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start(Nova { migrations: Vec::new(), ..Nova::new() });
    let mut trigger = ordered(&api, options(&api, &folder));
    api.edit(Nova::begin);
    api.edit(|nova| nova.end("completed", "node3"));
    assert_eq!(flown(&mut trigger).1.ending, Ending::Completed);
    let order = api.calls().into_iter().find(|call| call.path.ends_with("/action")).unwrap();
    assert_eq!(order.json()["os-migrateLive"]["host"], Value::Null);
}

#[test]
fn failures_are_told_though_the_server_looks_as_ever() {
    let folder = tempfile::tempdir().unwrap();
    for (status, ending) in [
        ("error", Ending::Failed),
        ("failed", Ending::Failed),
        ("cancelled", Ending::Cancelled), // By somebody else.
    ] {
        let api = Api::start(Nova::new());
        let mut trigger = ordered(&api, options(&api, &folder));
        api.edit(Nova::begin);
        api.edit(|nova| nova.end(status, "node1"));
        assert_eq!(flown(&mut trigger).1.ending, ending, "{status}");
    }
}

#[test]
fn it_is_cancelled_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start(Nova::new());
    let mut trigger = ordered(&api, options(&api, &folder));
    api.edit(Nova::begin);
    trigger.cancel().unwrap();
    assert_eq!(flown(&mut trigger).1.ending, Ending::Cancelled);
    // One that is dropped is cancelled, too.
    api.edit(|nova| *nova = Nova::new());
    let trigger = ordered(&api, options(&api, &folder));
    api.edit(Nova::begin);
    drop(trigger);
    assert_eq!(api.edit(|nova| nova.migrations.last().copied()), Some((8, "cancelled")));
}

#[test]
fn a_success_that_is_none_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start(Nova::new());
    let mut trigger = ordered(&api, options(&api, &folder));
    let line = format!("GET /v2.1/servers/{VM}");
    let seen = api.count(&line);
    api.edit(Nova::begin);
    api.edit(|nova| nova.end("completed", "node1"));
    while_not(&mut trigger, || api.count(&line) >= seen + 3);
    // That is asked for half a minute; a server that will not say so is not waited for.
    api.edit(|nova| nova.hides = true);
    let (_, settled) = flown(&mut trigger);
    assert_eq!(settled.ending, Ending::Failed);
    assert!(reason(&settled).contains("not seen at its new place"), "{settled:?}");
}

#[test]
fn what_cannot_be_begun_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start(Nova::new());
    for (nova, part) in [
        (Nova { level: 53, ..Nova::new() }, "is not supported by the API. Minimum is 2.1"),
        (Nova { host: None, ..Nova::new() }, "Nova shows hosts to administrators only"),
        (Nova { host: Some("node2"), ..Nova::new() }, "it must be another host than to="),
        (Nova { status: "SHUTOFF", ..Nova::new() }, "it is 'SHUTOFF'; it must be there and run"),
        (Nova { migrations: vec![(7, "running")], ..Nova::new() }, "the server is being migrated"),
        (Nova { refuses: Some((400, "No host")), ..Nova::new() }, "400 Bad Request: No host"),
        (Nova { refuses: Some((404, "No such")), ..Nova::new() }, "404 Not Found: No such"),
        (Nova { refuses: Some((409, "Is locked")), ..Nova::new() }, "409 Conflict: Is locked"),
        (Nova { expired: true, ..Nova::new() }, "the credentials are wrong, or have expired"),
    ] {
        api.edit(|known| *known = nova);
        let error = refusal(options(&api, &folder).with("to", "node2"));
        assert!(error.contains(part), "{error}");
    }
    let error = refusal(options(&api, &folder).with("credential-id", "c0c0a"));
    assert!(
        error.contains("requires authentication") && error.contains("credential-id"),
        "{error}"
    );
}

#[test]
fn what_breaks_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    // Whether the order was heard is found out by looking.
    let api = Api::start(Nova { loses: true, ..Nova::new() });
    let mut trigger = ordered(&api, options(&api, &folder));
    // Nova knows of none yet.
    let error = trigger.cancel().unwrap_err().to_string();
    assert!(error.contains("it may be over already"), "{error}");
    api.edit(Nova::begin);
    api.edit(|nova| nova.end("completed", "node2"));
    let (_, settled) = flown(&mut trigger);
    assert_eq!(settled.ending, Ending::Completed);
    assert!(settled.details.contains_key("order_unanswered"), "{settled:?}");

    api.edit(|nova| *nova = Nova::new());
    let mut trigger = ordered(&api, options(&api, &folder));
    api.edit(|nova| nova.expired = true);
    let mut turns = repeat_with(|| trigger.next_event(Duration::from_millis(100))).take(1_000);
    let error = turns.find_map(Result::err).unwrap().to_string();
    assert!(error.contains("have expired") && !error.contains(SECRET), "{error}");

    // The socket stays nobody else's, as a port would not.
    let api = Api::at(&folder.path().join("nova.socket"), Nova::new());
    let mut trigger = ordered(&api, options(&api, &folder));
    api.kill();
    for _ in 0..20 {
        assert_eq!(trigger.next_event(Duration::from_millis(20)).unwrap(), None);
    }
}
