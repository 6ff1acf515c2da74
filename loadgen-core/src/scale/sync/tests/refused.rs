//! Who does not come in, and goes away with a reason.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use super::{LONG, host, join, join_at, started, token, until};
use crate::scale::sync::handshake::{Challenge, Terms};
use crate::scale::sync::message::Message;
use crate::scale::sync::nonce::nonce;
use crate::scale::sync::wire::{Ear, Link};
use crate::scale::sync::{MeetingGuest, MeetingHost, Refusal, SyncError, SyncToken};

fn refusal(error: &SyncError) -> Option<Refusal> {
    match error {
        SyncError::Refused { refusal, .. } => Some(*refusal),
        _ => None,
    }
}

#[test]
fn who_has_another_token_or_plan_or_number_is_told_so() {
    let host = host(2);
    let place = host.local_addr().to_string();
    let other = SyncToken::new("incorrect horse battery").unwrap();
    for (shard, plan, token, expected, mend) in [
        ("1/2", "plan", other, Refusal::Token, "LOADGEN_SYNC_TOKEN"),
        ("1/2", "another", token(), Refusal::Plan, "same plan"),
        ("1/3", "plan", token(), Refusal::Count { of: 2 }, "same number of shards"),
    ] {
        let joined = MeetingGuest::join(&place, shard.parse().unwrap(), plan, &token, LONG);
        let error = joined.unwrap_err();
        assert_eq!(refusal(&error), Some(expected), "{error:?}");
        assert!(error.to_string().contains(mend), "{error}");
        let noted = format!("127.0.0.1 (shard {shard}): {expected}");
        assert!(host.refusals().contains(&noted), "{noted}: {:?}", host.refusals());
    }
    // The host goes on.
    started(&host, &[join(&host, 1, 2).unwrap()]);
}

#[test]
fn every_number_is_there_once() {
    let host = host(2);
    let first = join(&host, 1, 2).unwrap();
    let error = join(&host, 1, 2).unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::Taken), "{error:?}");
    // One that went before the start may come again.
    drop(first);
    until(|| host.refusals().iter().any(|note| note == "shard 1 went away"));
    let guests = [join(&host, 1, 2).unwrap()];
    started(&host, &guests);
    drop(guests);
    until(|| host.lost().len() == 1);
    // After it nobody may.
    let error = join(&host, 1, 2).unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::Begun), "{error:?}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_tried() {
    let token = token();
    let error = join_at("127.0.0.1:1", 0, 2).unwrap_err();
    assert!(matches!(error, SyncError::OwnGuest), "{error:?}");
    for of in [0, 100_001] {
        let error = MeetingHost::listen("127.0.0.1:0", of, "p", &token, LONG).unwrap_err();
        assert!(matches!(error, SyncError::Count { .. }), "{error:?}");
    }
    let error = MeetingHost::listen("127.0.0.1:0", 2, "p p", &token, LONG).unwrap_err();
    assert!(matches!(error, SyncError::PlanHash { .. }), "{error:?}");
    let error = MeetingHost::listen("here", 2, "p", &token, LONG).unwrap_err();
    assert!(matches!(error, SyncError::Place { .. }), "{error:?}");
    let busy = host(2);
    let place = busy.local_addr().to_string();
    let error = MeetingHost::listen(&place, 2, "p", &token, LONG).unwrap_err();
    assert!(matches!(error, SyncError::Listen { .. }), "{error:?}");
}

/// What a guest says of somebody who listens and says this.
fn met_by(says: &str) -> SyncError {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    thread::scope(|scope| {
        scope.spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(says.as_bytes()).unwrap();
            // Until the guest goes.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        join_at(&place, 1, 2).unwrap_err()
    })
}

#[test]
fn a_guest_knows_whether_it_is_the_host() {
    let greeting = format!("loadgen-sync/1 {}\n", "0".repeat(32));
    let impostor = met_by(&format!("{greeting}welcome {}\n", "0".repeat(64)));
    assert!(matches!(impostor, SyncError::Impostor { .. }), "{impostor:?}");
    let ssh = met_by("SSH-2.0-\u{1b}[2J\r\n");
    assert!(matches!(ssh, SyncError::NotAHost { .. }), "{ssh:?}");
    assert!(ssh.to_string().contains("'SSH-2.0-\\u{1b}[2J'"), "{ssh}");
    let endless = met_by(&"x".repeat(256));
    assert!(matches!(endless, SyncError::NotAHost { .. }), "{endless:?}");
    let later = met_by("loadgen-sync/2 and more\n");
    assert!(matches!(later, SyncError::Version { .. }), "{later:?}");
    let odd = met_by(&format!("{greeting}ready\n"));
    assert!(matches!(odd, SyncError::NotAHost { .. }), "{odd:?}");
    let no = met_by(&format!("{greeting}no count 9\n"));
    assert_eq!(refusal(&no), Some(Refusal::Count { of: 9 }), "{no:?}");
}

#[test]
fn stamps_without_sense_are_an_error() {
    // A host with the token, made of the same parts, whose clock runs backwards.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    thread::scope(|scope| {
        scope.spawn(move || {
            let terms = Terms::new("plan", &token()).unwrap();
            let (stream, _) = listener.accept().unwrap();
            let link = Arc::new(Link::new(stream).unwrap());
            let mut ear = Ear::new(Arc::clone(&link));
            let challenge = Challenge::new(&terms, 2, nonce().unwrap());
            link.send(&challenge.greeting()).unwrap();
            let join = ear.hear(None).unwrap().message;
            link.send(&challenge.judge(&join).unwrap().welcome).unwrap();
            while let Ok(heard) = ear.hear(None) {
                let Message::Ask { number } = heard.message else { break };
                link.send(&Message::Told { number, received_ns: 2, sent_ns: 1 }).unwrap();
            }
        });
        let error = join_at(&place, 1, 2).unwrap_err();
        assert!(matches!(error, SyncError::Clock { .. }), "{error:?}");
    });
}
