//! The other shards' side: each connects to shard 0, and is told when the load starts.

mod hearing;
mod inbox;
mod knock;

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::error::SyncError;
use super::handshake::{Caller, Terms};
use super::map::ClockMap;
use super::message::Message;
use super::nonce::nonce;
use super::offset::Offset;
use super::place::Place;
use super::start::Start;
use super::token::SyncToken;
use crate::clock::{as_nanos, monotonic_ns};
use crate::plan::Shard;
use hearing::Hearing;
use inbox::{Missed, Over};
use knock::knock;

/// A shard that has met shard 0. Dropped without [`goodbye`](Self::goodbye), it counts as lost.
///
/// ```no_run
/// use loadgen_core::scale::sync::{DEFAULT_TIMEOUT, MeetingGuest, SyncToken};
///
/// let token = SyncToken::new(&std::env::var(SyncToken::VARIABLE)?)?;
/// let guest = MeetingGuest::join("node-0:7000", "2/4".parse()?, "5f0c", &token, DEFAULT_TIMEOUT)?;
/// // Here it opens its connections. Then it waits for the others:
/// let start = guest.ready()?;
/// // ... and carries out its part of the load.
/// println!("started at {} ± {} ns", start.at_ns, start.bound_ns);
/// guest.measure_again()?;
/// let clock = guest.clock_map();
/// guest.goodbye();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MeetingGuest {
    place: Place,
    timeout: Duration,
    hearing: Hearing,
    begin: Offset,
    again: Mutex<Option<Offset>>,
    start: OnceLock<Start>,
}

impl MeetingGuest {
    /// Connects to shard 0, again and again until the time-out while nobody listens or the name is
    /// not known yet; proves who it is, and measures the offset of shard 0's clock (at most
    /// 10 s more).
    ///
    /// `place` is `HOST:PORT`. The plan is told by any hash of it: 1 to 128 visible characters
    /// of ASCII. The time-out is for this, and once more for [`ready`](Self::ready). Looking up the
    /// name takes as long as the system's resolver does, and may go beyond it.
    ///
    /// # Errors
    /// [`SyncError`] if shard 0 is not met in time, or refuses this shard, or does not know the
    /// token itself.
    pub fn join(
        place: &str,
        shard: Shard,
        plan_hash: &str,
        token: &SyncToken,
        timeout: Duration,
    ) -> Result<Self, SyncError> {
        let deadline_ns = monotonic_ns().saturating_add(as_nanos(timeout));
        let terms = Terms::new(plan_hash, token)?;
        let place = Place::parse(place)?;
        if shard.index() == 0 {
            return Err(SyncError::OwnGuest);
        }
        let caller = Caller::new(&terms, shard, nonce()?);
        let (link, ear) = knock(&place, caller, timeout, deadline_ns)?;
        let hearing = Hearing::start(link, ear).map_err(SyncError::Thread)?;
        let begin = measured(&place, &hearing)?;
        let (again, start) = (Mutex::new(None), OnceLock::new());
        Ok(Self { place, timeout, hearing, begin, again, start })
    }

    /// How far shard 0's clock was ahead of this one's before the start.
    #[must_use]
    pub fn offset(&self) -> Offset {
        self.begin
    }

    /// This shard has opened its connections: waits until all others have, too, and returns the
    /// common start, some 2 s from now. Called again, it returns the same.
    ///
    /// # Errors
    /// [`SyncError`] if shard 0 is gone, or sends all home since some shard is missing, or tells
    /// no start within the time-out (from this call on), or tells it when it is over.
    pub fn ready(&self) -> Result<Start, SyncError> {
        if let Some(start) = self.start.get() {
            return Ok(*start);
        }
        self.hearing.say(&Message::Ready);
        let deadline_ns = monotonic_ns().saturating_add(as_nanos(self.timeout));
        let told = self.hearing.inbox().start_ns(deadline_ns);
        let host_ns = told.map_err(|missed| match missed {
            Missed::Over(over) => ended(&self.place, over),
            Missed::Late => {
                SyncError::NotStarted { place: self.place.to_string(), waited: self.timeout }
            }
        })?;
        let start = Start::of_guest(host_ns, self.begin, monotonic_ns())?;
        Ok(*self.start.get_or_init(|| start))
    }

    /// When the load is to end, in ns of this shard's `CLOCK_MONOTONIC`, once shard 0 has told
    /// it. Does not wait. The clocks are taken to be apart as they were measured last.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        let host_ns = self.hearing.inbox().end_ns()?;
        Some(self.measured_again().unwrap_or(self.begin).to_own(host_ns).0)
    }

    /// Measures the offset of shard 0's clock once more: at the end of the load, for the
    /// [`ClockMap`]. May be repeated, up to 30 times; the last one counts. Takes at most 10 s.
    ///
    /// # Errors
    /// [`SyncError`] if shard 0 is gone or stands still. What was measured before remains.
    pub fn measure_again(&self) -> Result<Offset, SyncError> {
        let offset = measured(&self.place, &self.hearing)?;
        *self.again.lock().unwrap_or_else(PoisonError::into_inner) = Some(offset);
        Ok(offset)
    }

    /// What is known of this shard's clock.
    #[must_use]
    pub fn clock_map(&self) -> ClockMap {
        ClockMap::new(self.begin, self.measured_again())
    }

    /// Tells shard 0 that this shard is done, and closes the connection. Waits for nobody.
    pub fn goodbye(self) {
        self.hearing.say(&Message::Goodbye);
    }

    /// Says what no guest says here.
    #[cfg(test)]
    pub(super) fn say_garbage(&self) {
        self.hearing.say(&Message::End { at_ns: 1 });
    }

    fn measured_again(&self) -> Option<Offset> {
        *self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn measured(place: &Place, hearing: &Hearing) -> Result<Offset, SyncError> {
    let clock = |cause| SyncError::Clock { place: place.to_string(), cause };
    match hearing.measure() {
        Ok(Some(offset)) => Ok(offset),
        Ok(None) => Err(clock("its stamps contradict each other")),
        Err(Missed::Late) => Err(clock("it does not answer")),
        Err(Missed::Over(over)) => Err(ended(place, over)),
    }
}

fn ended(place: &Place, over: Over) -> SyncError {
    let place = place.to_string();
    match over {
        Over::Refused(refusal) => SyncError::Refused { place, refusal },
        Over::Gone(cause) => SyncError::HostGone { place, cause },
    }
}
