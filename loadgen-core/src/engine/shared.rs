//! What the threads of a run share: fixed settings, a stop flag, and counters
//! that workers publish ten times a second for whoever watches. Nothing here is
//! touched on the way of a call.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::handover::Handover;
use super::standstill::Standstill;
use crate::abort::{AbortRule, AbortWatch, Aborted, Sight};
use crate::check::NamedCheck;
use crate::clock::{MILLISECOND, Nanos, as_seconds, monotonic_ns};
use crate::net::tls::TlsSettings;
use crate::record::Tally;

/// How much haste a run is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Stop {
    /// None.
    No,
    /// Start no further calls, wait for those under way.
    Drain,
    /// Wait for nothing.
    Now,
}

impl Stop {
    /// The next stage.
    fn more(self) -> Self {
        match self {
            Self::No => Self::Drain,
            Self::Drain | Self::Now => Self::Now,
        }
    }

    fn of(value: u8) -> Self {
        match value {
            0 => Self::No,
            1 => Self::Drain,
            _ => Self::Now,
        }
    }
}

/// How often counters are published, and the longest sleep of a worker.
pub(crate) const PUBLISH_EVERY: Nanos = 100 * MILLISECOND;

/// From the wish to stop to the end of the schedules.
const STOP_AHEAD: Nanos = PUBLISH_EVERY + 20 * MILLISECOND;

/// The plan, as far as a worker needs it, in ns.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Of each server; none: connections are not encrypted.
    pub(crate) tls: Arc<[TlsSettings]>,
    /// What asks a proxy for a tunnel, where connections need one.
    pub(crate) tunnel: Option<Arc<[u8]>>,
    pub(crate) timeout: Nanos,
    pub(crate) deadline: Option<Nanos>,
    pub(crate) drain: Nanos,
    /// End of the schedules; `Nanos::MAX`: until stopped.
    pub(crate) end: Nanos,
    pub(crate) kernel_timestamps: bool,
    /// What looks at replies.
    pub(crate) check: Option<NamedCheck>,
    /// Connections go to a unix socket.
    pub(crate) is_unix: bool,
}

impl Settings {
    /// When a call that is sent (or whose connect begins) at `now` runs out of time.
    pub(crate) fn expiry(&self, now: Nanos, intended: Nanos) -> Nanos {
        let by_deadline = self.deadline.map_or(Nanos::MAX, |d| intended.saturating_add(d));
        by_deadline.min(now + self.timeout)
    }
}

/// A worker's counters, as of at most 100 ms ago.
#[derive(Debug, Default)]
pub(crate) struct Published {
    offered: AtomicU64,
    started: AtomicU64,
    answered: AtomicU64,
    not_good: AtomicU64,
    wrong: AtomicU64,
    failed: AtomicU64,
    shed: AtomicU64,
    in_flight: AtomicU64,
    /// 99th percentile of the last window; 0: none.
    p99_ns: AtomicU64,
}

impl Published {
    pub(crate) fn publish(&self, totals: &Tally, in_flight: u64, p99_ns: Option<Nanos>) {
        self.offered.store(totals.offered, Relaxed);
        self.started.store(totals.started, Relaxed);
        self.answered.store(totals.answered, Relaxed);
        self.not_good.store(totals.not_good, Relaxed);
        self.wrong.store(totals.wrong, Relaxed);
        self.failed.store(totals.failed, Relaxed);
        self.shed.store(totals.shed, Relaxed);
        self.in_flight.store(in_flight, Relaxed);
        self.p99_ns.store(p99_ns.unwrap_or(0), Relaxed);
    }

    /// `(totals, in flight, p99)`.
    pub(crate) fn read(&self) -> (Tally, u64, Option<Nanos>) {
        let totals = Tally {
            offered: self.offered.load(Relaxed),
            started: self.started.load(Relaxed),
            answered: self.answered.load(Relaxed),
            not_good: self.not_good.load(Relaxed),
            wrong: self.wrong.load(Relaxed),
            failed: self.failed.load(Relaxed),
            shed: self.shed.load(Relaxed),
            ..Tally::default()
        };
        let p99 = self.p99_ns.load(Relaxed);
        (totals, self.in_flight.load(Relaxed), (p99 > 0).then_some(p99))
    }
}

/// How often it is looked whether a run is to be given up: each time that counters are
/// published, of whichever worker.
const LOOK_TO_ABORT: Nanos = PUBLISH_EVERY - 10 * MILLISECOND;

/// Whether the run is to be given up.
#[derive(Debug)]
struct Aborting {
    /// `None` without rules.
    watch: Option<AbortWatch>,
    /// When it was last looked.
    looked: Nanos,
    aborted: Option<Aborted>,
}

/// What the threads of a run share while it runs.
#[derive(Debug)]
pub(crate) struct Shared {
    stop: AtomicU8,
    /// Somebody ended the run before its time.
    interrupted: AtomicBool,
    /// When the schedules are to end, on `CLOCK_MONOTONIC`; `u64::MAX`: as planned.
    stop_at: AtomicU64,
    pub(crate) published: Vec<Published>,
    /// The rules by which the run is given up, and the one that was met.
    aborting: Mutex<Aborting>,
    pub(crate) handover: Handover,
    pub(crate) standstill: Arc<Standstill>,
}

impl Shared {
    pub(crate) fn new(workers: u32, abort_if: &[AbortRule]) -> Self {
        let watch = (!abort_if.is_empty()).then(|| AbortWatch::new(abort_if));
        Self {
            stop: AtomicU8::new(Stop::No as u8),
            interrupted: AtomicBool::new(false),
            stop_at: AtomicU64::new(u64::MAX),
            published: (0..workers).map(|_| Published::default()).collect(),
            aborting: Mutex::new(Aborting { watch, looked: 0, aborted: None }),
            handover: Handover::new(workers),
            standstill: Arc::default(),
        }
    }

    /// Looks whether the run is to be given up, at `now` from the start of the load. Any
    /// worker does, since any may have ended; one of them each time.
    pub(crate) fn look_whether_to_abort(&self, now: Nanos) {
        let Ok(mut aborting) = self.aborting.try_lock() else { return };
        let aborting = &mut *aborting;
        let Some(watch) = &mut aborting.watch else { return };
        if aborting.aborted.is_some() || now < aborting.looked + LOOK_TO_ABORT {
            return;
        }
        aborting.looked = now;
        let mut sight = Sight::default();
        for worker in &self.published {
            let (totals, _, p99_ns) = worker.read();
            // Read while they are published, they need not be of one moment.
            sight.good += totals.answered.saturating_sub(totals.not_good);
            sight.bad += totals.not_good + totals.failed + totals.shed;
            sight.failed += totals.failed;
            sight.wrong += totals.wrong;
            sight.p99_ns = sight.p99_ns.max(p99_ns);
        }
        if let Some((rule, seen)) = watch.look(now, sight) {
            aborting.aborted = Some(Aborted { rule, at_s: as_seconds(now), seen });
            self.interrupt();
        }
    }

    /// What the run was given up for, if it was.
    pub(crate) fn aborted(&self) -> Option<Aborted> {
        self.aborting.lock().unwrap_or_else(PoisonError::into_inner).aborted.clone()
    }

    /// Asks for more haste: the first call stops the schedules, the second cuts
    /// the drain.
    ///
    /// The end lies a little ahead, so that all workers, which look ten times a
    /// second, end their schedules at the same moment.
    pub(crate) fn stop_more(&self) {
        let at = monotonic_ns() + STOP_AHEAD;
        let _ = self.stop_at.compare_exchange(u64::MAX, at, Relaxed, Relaxed);
        let _ = self.stop.fetch_update(Relaxed, Relaxed, |stop| Some(Stop::of(stop).more() as u8));
    }

    /// The same, for somebody who wants the run to end before its time.
    pub(crate) fn interrupt(&self) {
        self.interrupted.store(true, Relaxed);
        self.stop_more();
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Relaxed)
    }

    /// Ends everything at once.
    pub(crate) fn cut(&self) {
        self.stop_more();
        self.stop_more();
    }

    /// When the schedules are to end, on `CLOCK_MONOTONIC`.
    pub(crate) fn stop_at(&self) -> u64 {
        self.stop_at.load(Relaxed)
    }

    pub(crate) fn stop(&self) -> Stop {
        Stop::of(self.stop.load(Relaxed))
    }
}
