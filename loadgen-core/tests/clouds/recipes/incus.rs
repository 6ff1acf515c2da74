//! Incus, faked from its REST API: an operation in the background, which ends in a success, a failure
//! or a cancellation, and an instance with a location.

use loadgen_core::migration::{Ending, RecipeOptions, Trigger, TriggerError};
use serde_json::{Value, json};

use super::api::{Api, Call, Fake, Reply};
use super::flights::{fired, flown, hurried, names, reason, recipe, refusal, until, while_not};

const INSTANCE: &str = "/1.0/instances/web1";
const OPERATION: &str = "/1.0/operations/0a1b";

struct Incus {
    status: &'static str,
    location: &'static str,
    /// Of the operation; `None`: there is none.
    code: Option<u16>,
    err: &'static str,
    /// It moves when the operation succeeds.
    moves: bool,
    /// Answers with these statuses first.
    faults: Vec<u16>,
    refuses: Option<&'static str>,
    /// The instance may not be looked at any more.
    hides: bool,
}

impl Incus {
    fn new() -> Self {
        Self {
            status: "Running",
            location: "node1",
            code: None,
            err: "",
            moves: true,
            faults: Vec::new(),
            refuses: None,
            hides: false,
        }
    }

    fn end(&mut self, code: u16, err: &'static str) {
        (self.code, self.err) = (Some(code), err);
        if code == 200 && self.moves {
            self.location = "node2";
        }
    }
}

fn sync(metadata: &Value) -> Reply {
    Reply::json(200, &json!({ "type": "sync", "status_code": 200, "metadata": metadata }))
}

fn error(code: u16, text: &str) -> Reply {
    Reply::json(code, &json!({ "type": "error", "error_code": code, "error": text }))
}

impl Fake for Incus {
    fn answer(&mut self, call: &Call) -> Reply {
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", INSTANCE) if self.hides => error(403, "not authorized"),
            ("GET", INSTANCE) => {
                sync(&json!({ "status": self.status, "location": self.location, "type": "vm" }))
            }
            ("POST", INSTANCE) => {
                let json = call.json();
                if !call.query.contains("target=node2") || json["migration"] != true {
                    return error(400, "Invalid move");
                }
                if let Some(text) = self.refuses {
                    return error(400, text);
                }
                self.code = Some(103);
                let body = json!({ "type": "async", "operation": OPERATION, "metadata": {} });
                Reply::json(202, &body).with("Location", OPERATION)
            }
            (method, OPERATION) if self.code.is_some() => {
                if let Some(status) = self.faults.pop() {
                    return error(status, "not now");
                }
                let code = self.code.unwrap();
                if method == "DELETE" {
                    return error(400, "This operation can't be cancelled");
                }
                let status = match code {
                    103 => "Running",
                    200 => "Success",
                    401 => "Cancelled",
                    _ => "Failure",
                };
                sync(&json!({ "status": status, "status_code": code, "err": self.err }))
            }
            _ => error(404, "Not Found"),
        }
    }
}

fn options(api: &Api<Incus>) -> RecipeOptions {
    recipe("incus").with("instance", "web1").with("to", "node2").with("server", api.url.as_str())
}

#[test]
fn it_is_moved_and_seen_there() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::at(&folder.path().join("incus.socket"), Incus::new());
    let mut trigger = fired(options(&api)).unwrap();
    assert_eq!(trigger.name(), "http:incus");
    assert_eq!(
        names(&until(&mut trigger, "state Running")),
        ["fired", "accepted", "state Running"]
    );
    // A server that is started anew in the middle.
    api.edit(|incus| incus.faults = vec![503, 500]);
    while_not(&mut trigger, || api.count(&format!("GET {OPERATION}")) >= 5);
    api.edit(|incus| incus.end(200, ""));
    let (events, settled) = flown(&mut trigger);
    assert_eq!(names(&events), ["state Success", "completed"]);
    assert_eq!((settled.ending, settled.on_target), (Ending::Completed, Some(true)));
    let order = api.calls().into_iter().find(|call| call.method == "POST").unwrap();
    assert_eq!(order.json(), json!({ "migration": true, "live": true }));
    assert_eq!(order.query, "project=default&target=node2");
}

#[test]
fn a_success_that_is_none_is_a_failure() {
    let api = Api::start(Incus { moves: false, ..Incus::new() });
    let mut trigger = fired(options(&api)).unwrap();
    api.edit(|incus| incus.end(200, ""));
    let before = while_not(&mut trigger, || api.count(&format!("GET {INSTANCE}")) >= 4);
    assert_eq!(names(&before).last().unwrap(), "state Success");
    // That is asked for half a minute; a server that will not say so is not waited for.
    api.edit(|incus| incus.hides = true);
    let (_, settled) = flown(&mut trigger);
    assert_eq!(settled.ending, Ending::Failed);
    assert!(reason(&settled).contains("not seen at its new place"), "{settled:?}");
}

#[test]
fn failures_and_refusals_are_told() {
    let api = Api::start(Incus::new());
    let mut trigger = fired(options(&api)).unwrap();
    api.edit(|incus| incus.end(400, "Failed migration on target: CRIU is not there"));
    let (_, settled) = flown(&mut trigger);
    assert_eq!((settled.ending, settled.on_target), (Ending::Failed, None));
    assert_eq!(reason(&settled), "Failed migration on target: CRIU is not there");

    api.edit(|incus| *incus = Incus { refuses: Some("Instance is busy"), ..Incus::new() });
    assert!(refusal(options(&api)).contains("HTTP 400 Bad Request: Instance is busy"));
    api.edit(|incus| *incus = Incus { status: "Stopped", ..Incus::new() });
    let error = refusal(options(&api));
    assert!(error.contains("it is 'Stopped'; it must run, and on another member"), "{error}");
    let error = refusal(options(&api).with("instance", "web9"));
    assert!(error.contains("HTTP 404 Not Found"), "{error}");
}

/// Incus forgets operations: where the instance is, tells how it ended.
#[test]
fn an_operation_that_is_forgotten_is_over() {
    for (location, ending) in [("node2", Ending::Completed), ("node1", Ending::Failed)] {
        let api = Api::start(Incus::new());
        let folder = tempfile::tempdir().unwrap();
        let options = hurried(options(&api), &folder);
        let mut trigger = fired(options).unwrap();
        until(&mut trigger, "state Running");
        api.edit(|incus| (incus.location, incus.code) = (location, None));
        let (_, settled) = flown(&mut trigger);
        assert_eq!(settled.ending, ending, "{settled:?}");
        let told = reason(&settled).contains("says that it is over, but the machine");
        assert_eq!(told, ending == Ending::Failed, "{settled:?}");
    }
}

#[test]
fn it_cannot_be_cancelled() {
    let api = Api::start(Incus::new());
    let mut trigger = fired(options(&api)).unwrap();
    let error = trigger.cancel().unwrap_err();
    assert!(matches!(error, TriggerError::Unsupported(_)), "{error}");
}
