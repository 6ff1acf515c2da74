//! Servers that are not there, or not what they should be, or not all the time.

use std::time::Instant;

use super::fake::{Kind, Mode};
use super::*;

#[test]
fn a_mistyped_source_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = folder.path().join("nobody");
    for (cloud, home) in [("gcp", "Google Compute Engine"), ("azure", "Azure"), ("aws", "EC2")] {
        let error = refusal(&format!("{cloud}=unix:{}", nobody.display()));
        assert!(error.contains("nobody") && error.contains("answers (No such file"), "{error}");
        assert!(error.contains("only inside of") && error.contains(home), "{error}");
    }
    let page = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>";
    for (cloud, kind, answer, why) in [
        ("gcp", Kind::Gcp, page, "'Metadata-Flavor: Google' is missing"),
        ("azure", Kind::Azure, page, "not a document of Azure"),
        ("aws", Kind::Aws, page, "no token of EC2"),
        ("aws", Kind::Aws, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "status 404"),
        ("gcp", Kind::Gcp, "", "closed before the answer was whole"),
        ("gcp", Kind::Gcp, "SSH-2.0-OpenSSH_9.2\r\n", "only inside of"),
        ("azure", Kind::Azure, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "asked 10 times"),
    ] {
        let fake = Fake::start(kind, "");
        fake.mode(Mode::Answer(answer));
        let error = refusal(&format!("{cloud}={}", fake.base));
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("html"), "{error}");
    }
    // One cloud's server is not another's.
    for (asked, kind) in [("gcp", Kind::Azure), ("azure", Kind::Aws), ("aws", Kind::Gcp)] {
        let fake = Fake::start(kind, "NONE");
        let error = refusal(&format!("{asked}={}", fake.base));
        assert!(error.contains("only inside of"), "{error}");
    }
}

#[test]
fn a_server_that_is_busy_at_the_start_is_asked_again() {
    let fake = Fake::start(Kind::Azure, "");
    fake.mode(Mode::Times(3, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"));
    let mut heard = Heard::of(&format!("azure={}", fake.base));
    assert_eq!(heard.notices.trouble(), None);
}

#[test]
fn each_trouble_is_told_once_and_asking_goes_on() {
    let fake = Fake::start(Kind::Gcp, "NONE");
    let mut heard = Heard::of(&format!("gcp={}", fake.base));
    let values = ["MIGRATE_ON_HOST_MAINTENANCE", "NONE"];
    let names = ["migrate-on-host-maintenance", "host-maintenance-over"];
    for (i, (mode, why)) in [
        (Mode::Answer("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), "status 503"),
        (
            Mode::Answer("HTTP/1.1 404 No\r\nMetadata-Flavor: Google\r\nContent-Length: 0\r\n\r\n"),
            "status 404",
        ),
        (Mode::Answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nNONE"), "is missing"),
        (
            Mode::Answer(
                "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: 2\r\n\r\n\x1b[",
            ),
            "not the name of an event",
        ),
        (Mode::Answer("\0\0\0\0\r\n\r\n"), "does not answer"),
        (Mode::Closes, "closed before the answer was whole"),
        (Mode::Endless, "longer than 16 MiB"),
    ]
    .into_iter()
    .enumerate()
    {
        fake.mode(mode);
        heard.trouble(why);
        let asked = fake.set(|state| state.requests.len());
        // A question may be under way, so that the second one from now on is of this time for sure.
        fake.until(|state| state.requests.len() > asked + 3);
        assert_eq!(heard.notices.trouble(), None, "{why}");
        // The change came while it did not answer: the interval holds it.
        heard.change(names[i % 2], || {
            fake.value(values[i % 2]);
            fake.mode(Mode::Good);
        });
    }
}

#[test]
fn a_server_that_goes_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata");
    let fake = Fake::at(Kind::Azure, "", &path);
    let mut heard = Heard::of(&format!("azure={}", fake.base));
    for name in ["freeze-scheduled", "freeze-over"] {
        std::fs::remove_file(&path).unwrap();
        let trouble = heard.trouble("does not answer (No such file");
        assert!(trouble.contains("it is asked on"), "{trouble}");
        let event = r#"{"EventId":"a","EventType":"Freeze","EventStatus":"Scheduled"}"#;
        heard.change(name, || {
            fake.value(if name == "freeze-over" { "" } else { event });
            fake.listen(&path);
        });
    }
}

#[test]
fn what_cannot_be_read_of_a_list_is_told_and_the_rest_is_heard() {
    let fake = Fake::start(Kind::Azure, "");
    let mut heard = Heard::of(&format!("azure={}", fake.base));
    fake.value(
        r#"{"EventType":"Freeze"},{"EventId":"a","EventType":"Reboot","EventStatus":"Started"}"#,
    );
    assert_eq!(heard.next(1), ["reboot-started"]);
    heard.trouble("an event without 'EventId'");
    let asked = fake.set(|state| state.requests.len());
    fake.until(|state| state.requests.len() > asked + 3);
    assert_eq!(heard.notices.trouble(), None);
}

#[test]
fn nobody_waits_for_a_question_that_hangs() {
    let fake = Fake::start(Kind::Gcp, "NONE");
    let heard = Heard::of(&format!("gcp={}", fake.base));
    fake.mode(Mode::Hangs);
    let asked = fake.set(|state| state.requests.len());
    fake.until(|state| state.requests.len() > asked);
    let begun = Instant::now();
    drop(heard);
    assert!(begun.elapsed() < Duration::from_secs(30));
    // The thread has gone, and with it the connection.
    fake.until(|state| state.hung > 0);
}
