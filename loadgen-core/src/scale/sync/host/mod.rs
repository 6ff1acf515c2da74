//! Shard 0's side: it listens, and decides when the load starts.

mod door;
mod meeting;
mod notes;
mod roll;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::error::SyncError;
use super::handshake::Terms;
use super::place::Place;
use super::start::Start;
use super::token::SyncToken;
use crate::plan::Shard;
use door::Door;
use meeting::Meeting;
pub use roll::LostShard;

/// From the last shard's readiness to the start: enough for the word to reach all of them, and
/// for their workers to wake up.
const RUN_UP: Duration = Duration::from_secs(2);

/// How long a stranger may take to say who it is.
const STRANGER_WITHIN: Duration = Duration::from_secs(5);

/// Shard 0, at which the other shards of a load meet. Dropped, it ends the meeting for all.
///
/// ```no_run
/// use loadgen_core::scale::sync::{DEFAULT_TIMEOUT, MeetingHost, SyncToken};
///
/// let token = SyncToken::new(&std::env::var(SyncToken::VARIABLE)?)?;
/// let host = MeetingHost::listen("node-0:7000", 4, "5f0c", &token, DEFAULT_TIMEOUT)?;
/// // Here it opens its connections. Then it waits for the others:
/// let start = host.ready()?;
/// println!("starts at {}", start.at_ns);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MeetingHost {
    /// Held, not used: with it the threads end.
    _door: Door,
    meeting: Arc<Meeting>,
    address: SocketAddr,
    timeout: Duration,
}

impl MeetingHost {
    /// Listens for the other shards of `of`, which must have the same plan (told by any hash of it)
    /// and token. The time-out is for [`ready`](Self::ready).
    ///
    /// `place` is `HOST:PORT`, as the other shards have it. An IP address, or `localhost`, is
    /// listened at alone; of another name only the port counts, at all addresses of this machine.
    /// Port 0 is any free one: [`local_addr`](Self::local_addr).
    ///
    /// # Errors
    /// [`SyncError`] if the place, the hash or the number of shards is none, or the port is taken.
    pub fn listen(
        place: &str,
        of: u32,
        plan_hash: &str,
        token: &SyncToken,
        timeout: Duration,
    ) -> Result<Self, SyncError> {
        let terms = Terms::new(plan_hash, token)?;
        Self::listen_for(place, of, terms, timeout, STRANGER_WITHIN)
    }

    /// The same, with another patience for strangers.
    pub(super) fn listen_for(
        place: &str,
        of: u32,
        terms: Terms,
        timeout: Duration,
        patience: Duration,
    ) -> Result<Self, SyncError> {
        if !(1..=Shard::MOST).contains(&of) {
            return Err(SyncError::Count { of });
        }
        let place = Place::parse(place)?;
        let listens = |cause| SyncError::Listen { place: place.to_string(), cause };
        let listener = place.listen().map_err(listens)?;
        let address = listener.local_addr().map_err(listens)?;
        let meeting = Arc::new(Meeting::new(of, terms, patience));
        let door = Door::open(Arc::clone(&meeting), listener).map_err(SyncError::Thread)?;
        Ok(Self { _door: door, meeting, address, timeout })
    }

    /// Where it listens, with the port that the kernel chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// This shard has opened its connections: waits until all others have, too, and decides the
    /// start, 2 s later. Called again, it returns the same.
    ///
    /// # Errors
    /// [`SyncError::Missing`] names the shards that were not there, or not ready, within the
    /// time-out (from this call on), and who was refused meanwhile. The guests are sent home then.
    pub fn ready(&self) -> Result<Start, SyncError> {
        self.ready_for(RUN_UP)
    }

    /// The same, with another run-up.
    pub(super) fn ready_for(&self, run_up: Duration) -> Result<Start, SyncError> {
        self.meeting.start(self.timeout, run_up).map(Start::of_host)
    }

    /// Tells the others to end the load at a moment of this shard's `CLOCK_MONOTONIC` (ns). Only
    /// the first call counts; before the start, it is told with that.
    pub fn end_at(&self, at_ns: u64) {
        self.meeting.end_at(at_ns);
    }

    /// The shards whose connections broke after the start and before their goodbye, in the order in
    /// which that was seen.
    #[must_use]
    pub fn lost(&self) -> Vec<LostShard> {
        self.meeting.lost()
    }

    /// Who was refused so far, and who went away before the start, fit for a terminal: at most
    /// 10, and how many more.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.meeting.notes()
    }

    /// Waits until every shard has said goodbye or is lost, up to a limit. Returns the numbers of
    /// those that are still there.
    #[must_use]
    pub fn wait_for_goodbyes(&self, limit: Duration) -> Vec<u32> {
        self.meeting.goodbyes(limit)
    }
}
