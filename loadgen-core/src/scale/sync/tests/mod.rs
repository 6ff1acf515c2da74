//! Hosts, guests and strangers on loopback. All have the same clock here, so every offset is 0 in
//! truth.

mod after;
mod refused;
mod start;
mod strangers;

use std::thread;
use std::time::Duration;

use super::handshake::Terms;
use super::{MeetingGuest, MeetingHost, Start, SyncError, SyncToken};
use crate::plan::Shard;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(300);

/// A start that no test lives to see: none depends on how long it takes.
const RUN_UP: Duration = Duration::from_secs(3600);

const TOKEN: &str = "correct horse battery";

fn token() -> SyncToken {
    SyncToken::new(TOKEN).unwrap()
}

fn host(of: u32) -> MeetingHost {
    host_at("127.0.0.1:0", of, LONG)
}

fn host_at(place: &str, of: u32, timeout: Duration) -> MeetingHost {
    let terms = Terms::new("plan", &token()).unwrap();
    // Strangers stay as long as they like.
    MeetingHost::listen_for(place, of, terms, timeout, LONG).unwrap()
}

fn join(host: &MeetingHost, index: u32, of: u32) -> Result<MeetingGuest, SyncError> {
    join_at(&host.local_addr().to_string(), index, of)
}

fn join_at(place: &str, index: u32, of: u32) -> Result<MeetingGuest, SyncError> {
    MeetingGuest::join(place, Shard::new(index, of).unwrap(), "plan", &token(), LONG)
}

/// All get ready.
fn started(host: &MeetingHost, guests: &[MeetingGuest]) -> (Start, Vec<Start>) {
    thread::scope(|scope| {
        let waiting: Vec<_> =
            guests.iter().map(|guest| scope.spawn(move || guest.ready().unwrap())).collect();
        let start = host.ready_for(RUN_UP).unwrap();
        (start, waiting.into_iter().map(|one| one.join().unwrap()).collect())
    })
}

fn until(mut is: impl FnMut() -> bool) {
    while !is() {
        thread::yield_now();
    }
}
