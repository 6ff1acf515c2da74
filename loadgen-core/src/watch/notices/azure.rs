//! Azure: scheduled events of the instance metadata service, as
//! <https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events> has them.
//!
//! The first question of a machine switches the service on, which may take two minutes. An event is
//! scheduled, then started; when it is over, it is not listed any more. What machines it is about is
//! in `Resources`: all machines of an availability set or a placement group are told of it.
//!
//! Events are never acknowledged: that would begin them at once.

use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use serde_json::Value;

use super::cloud::{Cloud, Said, Unread, readable, request, status};
use super::listed::{List, Words};
use crate::migration::{ApiAnswer, ApiRequest};

const EVENTS: &str = "/metadata/scheduledevents?api-version=2020-07-01";
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The first answer, with which the service is switched on.
const FIRST_LIMIT: Duration = Duration::from_secs(150);
/// As often as the documentation says.
const INTERVAL: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 1000 });

/// See the module.
#[derive(Debug)]
pub(super) struct Azure {
    list: List,
    has_answered: bool,
}

impl Default for Azure {
    fn default() -> Self {
        let words = Words { id: "EventId", kind: "EventType", state: "EventStatus" };
        Self { list: List::new(words), has_answered: false }
    }
}

impl Cloud for Azure {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn home(&self) -> &'static str {
        "an Azure virtual machine"
    }

    fn request(&self) -> ApiRequest {
        request(Method::GET, EVENTS, "metadata", HeaderValue::from_static("true"))
    }

    fn limit(&self) -> Duration {
        if self.has_answered { ANSWER_LIMIT } else { FIRST_LIMIT }
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn read(&mut self, answer: &ApiAnswer) -> Result<Said, Unread> {
        readable(answer)?;
        if answer.status != StatusCode::OK {
            return Err(status(answer));
        }
        let mut document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let incarnation = document.get("DocumentIncarnation").cloned();
        let Some(Value::Array(events)) = document.get_mut("Events").map(Value::take) else {
            return Err(Unread::Wrong(
                "its answer is not a document of Azure's scheduled events".to_owned(),
            ));
        };
        self.has_answered = true;
        let (mut changes, odd) = self.list.changes(events);
        if let Some(incarnation) = incarnation.filter(Value::is_number) {
            for change in &mut changes {
                change.attributes.insert("DocumentIncarnation".to_owned(), incarnation.clone());
            }
        }
        Ok(Said::Changes { changes, odd })
    }
}

#[cfg(test)]
mod tests {
    use super::super::cloud::{answer, names};
    use super::*;

    #[test]
    fn documents_as_azure_writes_them() {
        let mut azure = Azure::default();
        assert_eq!(azure.limit(), FIRST_LIMIT);
        let none = answer(200, &[], r#"{"DocumentIncarnation":1,"Events":[]}"#);
        assert!(names(&mut azure, &none).is_empty());
        assert_eq!(azure.limit(), ANSWER_LIMIT);
        let freeze = answer(
            200,
            &[],
            r#"{"DocumentIncarnation":2,"Events":[{"EventId":"C7061BAC","EventStatus":"Scheduled",
               "EventType":"Freeze","ResourceType":"VirtualMachine","Resources":["web-1","web-2"],
               "NotBefore":"Mon, 11 Apr 2022 22:26:58 GMT","Description":"Host maintenance.",
               "EventSource":"Platform","DurationInSeconds":5}]}"#,
        );
        let Ok(Said::Changes { changes, odd: None }) = azure.read(&freeze) else { panic!() };
        let [change] = &changes[..] else { panic!("{changes:?}") };
        assert_eq!(change.name, "freeze-scheduled");
        assert_eq!(change.attributes["NotBefore"], "Mon, 11 Apr 2022 22:26:58 GMT");
        assert_eq!(change.attributes["Resources"][1], "web-2");
        assert_eq!(change.attributes["DurationInSeconds"], 5);
        assert_eq!(change.attributes["DocumentIncarnation"], 2);
        assert_eq!(names(&mut azure, &none), ["freeze-over"]);
    }

    #[test]
    fn other_answers_are_told() {
        let mut azure = Azure::default();
        for body in
            ["", "<html>", "[]", "7", "{}", r#"{"Events":{}}"#, "{\"Events\":[", &"[".repeat(9000)]
        {
            let why = azure.read(&answer(200, &[], body)).unwrap_err();
            assert!(matches!(why, Unread::Wrong(why) if why.contains("not a document")), "{body}");
        }
        let why = azure.read(&answer(404, &[], "")).unwrap_err();
        assert_eq!(why, Unread::Wrong("it answers with status 404".to_owned()));
        for busy in [410, 429, 500, 503] {
            assert!(matches!(azure.read(&answer(busy, &[], "")), Err(Unread::Busy(_))));
        }
    }
}
