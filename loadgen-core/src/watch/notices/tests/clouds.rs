//! What each cloud tells, from nothing to the end of a maintenance.

use proptest::prelude::*;

use super::super::aws::Aws;
use super::super::azure::Azure;
use super::super::cloud::{Cloud, Said, answer};
use super::super::gcp::Gcp;
use super::fake::{Kind, Mode};
use super::*;

#[test]
fn a_live_migration_at_google() {
    let fake = Fake::start(Kind::Gcp, "NONE");
    let mut heard = Heard::of(&format!("gcp={}", fake.base));
    for (value, name) in [
        ("MIGRATE_ON_HOST_MAINTENANCE", "migrate-on-host-maintenance"),
        ("NONE", "host-maintenance-over"),
        ("TERMINATE_ON_HOST_MAINTENANCE", "terminate-on-host-maintenance"),
    ] {
        // It does hang in a question when it changes.
        let asked = fake.set(|state| state.requests.len());
        fake.until(|state| {
            state.requests.len() > asked + 1
                && state.requests[asked..].iter().any(|r| r.contains("last_etag="))
        });
        heard.change(name, || fake.value(value));
        assert_eq!(heard.last().source, "gcp");
        assert_eq!(heard.last().attributes["maintenance-event"], value);
        assert!(!heard.last().attributes.contains_key("already_so"));
    }
    assert_eq!(heard.notices.trouble(), None);
}

#[test]
fn what_is_going_on_at_the_start_is_told_as_such() {
    let fake = Fake::start(Kind::Gcp, "MIGRATE_ON_HOST_MAINTENANCE");
    let mut heard = Heard::of(&format!("gcp={}", fake.base));
    assert_eq!(heard.next(1), ["migrate-on-host-maintenance"]);
    assert_eq!(heard.last().attributes["already_so"], true);
    heard.change("host-maintenance-over", || fake.value("NONE"));
}

fn azure(id: &str, kind: &str, status: &str) -> String {
    format!(
        r#"{{"EventId":"{id}","EventType":"{kind}","ResourceType":"VirtualMachine",
           "Resources":["web-1"],"EventStatus":"{status}","NotBefore":"{}",
           "Description":"maintenance","EventSource":"Platform","DurationInSeconds":5}}"#,
        if status == "Started" { "" } else { "Mon, 19 Sep 2016 18:29:47 GMT" }
    )
}

#[test]
fn a_freeze_at_azure_and_two_events_at_once() {
    let fake = Fake::start(Kind::Azure, "");
    let mut heard = Heard::of(&format!("azure={}", fake.base));
    heard.change("freeze-scheduled", || fake.value(&azure("a", "Freeze", "Scheduled")));
    let said = &heard.last().attributes;
    assert_eq!(said["NotBefore"], "Mon, 19 Sep 2016 18:29:47 GMT");
    assert_eq!((&said["Resources"][0], &said["DurationInSeconds"]), (&"web-1".into(), &5.into()));
    heard.change("freeze-started", || fake.value(&azure("a", "Freeze", "Started")));
    heard.change("freeze-over", || fake.value(""));
    let both = [azure("b", "Reboot", "Scheduled"), azure("c", "Preempt", "Scheduled")].join(",");
    fake.value(&both);
    assert_eq!(heard.next(2), ["reboot-scheduled", "preempt-scheduled"]);
    fake.value("");
    assert_eq!(heard.next(2), ["reboot-over", "preempt-over"]);
    // Nothing is ever acknowledged.
    let requests = fake.set(|state| state.requests.clone());
    assert!(requests.iter().all(|request| request.starts_with("GET ")), "{requests:?}");
    assert_eq!(heard.notices.trouble(), None);
}

#[test]
fn a_reboot_at_amazon_with_tokens_that_expire() {
    let fake = Fake::start(Kind::Aws, "");
    let mut heard = Heard::of(&format!("aws={}", fake.base));
    let reboot = |state: &str| {
        format!(
            r#"{{"NotBefore":"21 Jan 2019 09:00:43 GMT","Code":"system-reboot","Description":"so",
               "EventId":"instance-event-0d59937288b749b32","NotAfter":"21 Jan 2019 09:17:23 GMT",
               "State":"{state}"}}"#
        )
    };
    heard.change("system-reboot-scheduled", || fake.value(&reboot("active")));
    assert_eq!(heard.last().attributes["NotBefore"], "21 Jan 2019 09:00:43 GMT");
    fake.set(|state| state.tokens.clear());
    heard.change("system-reboot-over", || fake.value(&reboot("completed")));
    fake.set(|state| state.tokens.clear());
    fake.value("");
    heard.change("system-reboot-scheduled", || fake.value(&reboot("active")));
    assert_eq!(heard.notices.trouble(), None);
    // The token is in nothing that is said, not even where the server repeats it.
    fake.mode(Mode::Answer("HTTP/1.1 200 OK\r\n\r\n[{\"EventId\":\"AQAEhunter3==\"}]"));
    let trouble = heard.trouble("repeats the token");
    let all = format!("{trouble} {:?} {:?}", heard.events, heard.notices);
    assert!(!all.contains("hunter"), "{all}");
    let requests = fake.set(|state| state.requests.clone());
    let of_token = requests.iter().filter(|request| request.starts_with("PUT ")).count();
    assert_eq!(of_token, 3, "{requests:?}");
    assert!(requests.iter().all(|request| !request.starts_with("POST ")));
}

#[test]
fn a_proxy_has_a_path_of_its_own() {
    let fake = Fake::start(Kind::Azure, "");
    let error = refusal(&format!("azure={}/through/", fake.base));
    assert!(error.contains("status 404"), "{error}");
    let requests = fake.set(|state| state.requests.clone());
    assert_eq!(requests, ["GET /through/metadata/scheduledevents?api-version=2020-07-01"]);
}

/// JSON that is nearly what a cloud says.
fn nearly_json() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("Events"),
        Just("EventId"),
        Just("EventType"),
        Just("EventStatus"),
        Just("Code"),
        Just("State"),
        Just("NotBefore"),
        Just("note"),
        Just(""),
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        Just("\"Scheduled\"".to_owned()),
        Just("\"completed\"".to_owned()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        "[\"{}\\[\\],:a]{0,9}",
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        let pair =
            (name.clone(), inner.clone()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..8).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(pair, 0..8).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_answers(bodies in prop::collection::vec(nearly_json(), 1..4), status in 200_u16..600) {
        let clouds: [Box<dyn Cloud>; 3] =
            [Box::<Gcp>::default(), Box::<Azure>::default(), Box::<Aws>::default()];
        for mut cloud in clouds {
            // For Amazon, a token first.
            let _ = cloud.read(&answer(200, &[], "AQAEx=="));
            for body in &bodies {
                let headers = [("metadata-flavor", "Google"), ("etag", "a")];
                for status in [200, status] {
                    let said = cloud.read(&answer(status, &headers, body));
                    if let Ok(Said::Changes { changes, .. }) = said {
                        prop_assert!(changes.iter().all(|change| change.name.len() < 300));
                    }
                }
            }
        }
    }
}
