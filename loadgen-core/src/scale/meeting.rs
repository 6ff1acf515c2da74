//! A shard among the others: it meets them, begins with them, and compares clocks with shard 0.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use super::clock::Compared;
use super::plans::hash;
use super::sync::{LostShard, MeetingGuest, MeetingHost, Start, SyncError, SyncToken};
use crate::engine::unless_stopped;
use crate::error::RunError;
use crate::plan::{Plan, Shard};

/// How often a shard that waits for the others looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long shard 0 stays for those that compare clocks at their end.
const STAYS: Duration = Duration::from_secs(10);

/// The meeting of the shards of a plan, as one of them sees it: shard 0 is the host, the others
/// are its guests.
///
/// ```no_run
/// use std::sync::Arc;
/// use loadgen_core::scale::sync::{DEFAULT_TIMEOUT, SyncToken};
/// use loadgen_core::scale::{ClockWatch, Meeting, ShardRecord};
/// use loadgen_core::{Engine, Load, Plan, Schedule, ShardSpec};
///
/// let plan = Plan::new("http://10.0.0.5/".parse()?, Load::established(Schedule::constant(1e6)))
///     .with_duration(std::time::Duration::from_secs(60))
///     .with_shard("auto".parse::<ShardSpec>()?.resolve()?);
/// let token = SyncToken::new(&std::env::var(SyncToken::VARIABLE)?)?;
/// let meeting = Arc::new(Meeting::join("node-0:7000", &plan, &token, DEFAULT_TIMEOUT)?);
/// let watch = ClockWatch::begin();
/// let run = Engine::new(plan)?.begins_when(meeting.begin()).start()?;
/// let began = run.clock().map_or(0, |clock| clock.to_monotonic(0));
/// let record = ShardRecord::of(run)?;
/// let clock = watch.end(began, meeting.compare().as_ref());
/// print!("{}", record.with_clock(clock).to_json()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Meeting {
    side: Side,
    start: OnceLock<Start>,
}

#[derive(Debug)]
enum Side {
    Host(MeetingHost),
    Guest(MeetingGuest),
}

impl Meeting {
    /// Meets the other shards at `HOST:PORT`: [`MeetingHost::listen`] or [`MeetingGuest::join`].
    ///
    /// # Errors
    /// [`SyncError`]. A plan without a shard is met as the only one.
    pub fn join(
        place: &str,
        plan: &Plan,
        token: &SyncToken,
        timeout: Duration,
    ) -> Result<Self, SyncError> {
        let shard = plan.shard().unwrap_or(Shard::ALONE);
        let of_plan = hash(plan);
        let side = match shard.index() {
            0 => Side::Host(MeetingHost::listen(place, shard.of(), &of_plan, token, timeout)?),
            _ => Side::Guest(MeetingGuest::join(place, shard, &of_plan, token, timeout)?),
        };
        Ok(Self { side, start: OnceLock::new() })
    }

    /// As [`Self::join`], but that it is given up when `stop` becomes true.
    ///
    /// # Errors
    /// [`SyncError::Stopped`] then.
    pub fn join_unless_stopped(
        place: &str,
        plan: &Plan,
        token: &SyncToken,
        timeout: Duration,
        stop: &AtomicBool,
    ) -> Result<Self, SyncError> {
        let (place, plan, token) = (place.to_owned(), plan.clone(), token.clone());
        let joined = unless_stopped(stop, move || Self::join(&place, &plan, &token, timeout));
        joined.map_err(|error| match error {
            RunError::Setup { cause, .. } => SyncError::Thread(cause),
            _ => SyncError::Stopped,
        })?
    }

    /// Says when the load begins: for [`Engine::begins_when`](crate::Engine::begins_when).
    pub fn begin(
        self: &Arc<Self>,
    ) -> impl FnOnce(&dyn Fn() -> bool) -> Result<u64, String> + Send + 'static + use<> {
        let meeting = Arc::clone(self);
        move |is_stopped| {
            let (tell, told) = mpsc::channel();
            let waiting = Arc::clone(&meeting);
            // It waits for the others, and this for whoever stops it.
            let thread = thread::Builder::new().name("loadgen-meeting".to_owned());
            let thread = thread.spawn(move || drop(tell.send(waiting.ready())));
            thread.map_err(|cause| SyncError::Thread(cause).to_string())?;
            loop {
                match told.recv_timeout(LOOK_EVERY) {
                    Ok(start) => return start.map(|start| start.at_ns).map_err(|e| e.to_string()),
                    Err(_) if is_stopped() => return Err("it was stopped before".to_owned()),
                    Err(_) => {}
                }
            }
        }
    }

    fn ready(&self) -> Result<Start, SyncError> {
        let start = match &self.side {
            Side::Host(host) => host.ready()?,
            Side::Guest(guest) => guest.ready()?,
        };
        Ok(*self.start.get_or_init(|| start))
    }

    /// The start that was agreed on, in words that are the same for all shards; `None` if the load did
    /// not begin.
    #[must_use]
    pub fn start(&self) -> Option<String> {
        self.start.get().map(|start| format!("at {} ns of shard 0's clock", start.host_ns))
    }

    /// How this shard's clock compares with that of shard 0 by what is known so far; `None` if the load
    /// did not begin.
    #[must_use]
    pub fn compared(&self) -> Option<Compared> {
        let start = *self.start.get()?;
        let map = match &self.side {
            Side::Host(_) => None,
            Side::Guest(guest) => Some(guest.clock_map()),
        };
        Some(Compared { map, start })
    }

    /// Compares this shard's clock with that of shard 0 once more, after the load; with the start
    /// that was agreed on. `None` if the load did not begin; without the second comparison, if shard
    /// 0 is gone.
    #[must_use]
    pub fn compare(&self) -> Option<Compared> {
        if let (Some(_), Side::Guest(guest)) = (self.start.get(), &self.side) {
            let _ = guest.measure_again();
        }
        self.compared()
    }

    /// Of shard 0: tells the others to end the load at this reading of its `CLOCK_MONOTONIC`, in
    /// ns. Of another nothing.
    pub fn end_at(&self, at_ns: u64) {
        if let Side::Host(host) = &self.side {
            host.end_at(at_ns);
        }
    }

    /// When the load is to end, in ns of this shard's `CLOCK_MONOTONIC`, once shard 0 has told it.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        match &self.side {
            Side::Host(_) => None,
            Side::Guest(guest) => guest.end(),
        }
    }

    /// Leaves. Shard 0 waits up to 10 s for those that compare their clocks, and tells which were
    /// lost since the start, if the load began.
    pub fn leave(self) -> Vec<LostShard> {
        match self.side {
            Side::Host(host) if self.start.get().is_some() => {
                drop(host.wait_for_goodbyes(STAYS));
                host.lost()
            }
            Side::Host(_) => Vec::new(),
            Side::Guest(guest) => {
                guest.goodbye();
                Vec::new()
            }
        }
    }
}
