//! One load of a plan in one worker: its stripe of the schedule, the arrivals
//! that wait, and its connections by what they do.

use std::collections::VecDeque;

use super::connection::{Call, List, Roomy};
use super::opening::Opening;
use super::pace::Pace;
use super::workload::requests::{RequestId, Requests};
use super::workload::script::Scripts;
use crate::clock::{MILLISECOND, Nanos, SECOND};
use crate::net::tls::TlsSessionCache;
use crate::plan::{CloseMode, Load, Plan, Stripe};
use crate::record::LoadId;
use crate::schedule::{Schedule, Starts, Times};

/// How long a closed-loop user waits after a failed call, so that a dead server
/// is not called in a busy loop.
const PAUSE_AFTER_FAILURE: Nanos = 10 * MILLISECOND;

/// Further loads start part of an interval after the first: with equal constant
/// rates their calls would otherwise always start together, and two calls at one
/// moment see no more of an outage than one. The parts are 1/2, 1/4, 3/4, 1/8 … in turn
/// (van der Corput's sequence), so that any number of loads lie well apart.
fn shift(schedule: &Schedule, number: u8) -> Nanos {
    let part = f64::from(number.reverse_bits()) / 256.0;
    schedule.rate_per_s().map_or(0, |rate| (SECOND as f64 / rate * part) as Nanos)
}

/// An arrival that waits for a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) intended: Nanos,
    pub(crate) request: RequestId,
}

/// State of one load in one worker.
pub(crate) struct LoadState {
    pub(crate) id: LoadId,
    /// What its calls ask for.
    pub(crate) requests: Requests,
    pub(crate) closed_loop: bool,
    starts: Starts,
    /// Added to every start.
    shift: Nanos,
    next: Option<Nanos>,
    /// Arrivals taken up, those of closed loops among them.
    arrived: u64,
    /// How many there are to be; `None`: as many as the schedule has.
    share: Option<u64>,
    /// Of all that is random about it.
    seed: u64,
    /// Which of the arrivals of the run are this worker's.
    stripe: Stripe,
    /// Arrivals waiting for a connection, in order.
    pub(crate) due: VecDeque<Waiting>,
    backlog: usize,
    /// Closed loop: when users come back after a failure, in order.
    pauses: VecDeque<Nanos>,
    pub(crate) connecting: List,
    pub(crate) idle: List,
    pub(crate) active: List,
    pub(crate) closing: List,
    /// Connections that carry calls or could; closing ones do not count.
    pub(crate) open: u32,
    pub(crate) limit: u32,
    /// Connections to open before the load starts.
    pub(crate) warm: u32,
    /// Calls on one connection; 0: no limit.
    pub(crate) calls_per_connection: u32,
    pub(crate) close: CloseMode,
    /// Calls in flight on one connection.
    pub(crate) pipeline: u32,
    /// Those of them that are not the first on theirs.
    pub(crate) behind: u32,
    /// Connections that take one more call.
    pub(crate) roomy: Roomy,
    /// Calls that are to be sent once more.
    pub(crate) again: VecDeque<Call>,
    /// Closed loop: users who are to start a call as soon as a connection takes it.
    pub(crate) users: u32,
    /// How connections may be opened.
    pub(crate) opening: Opening,
    /// What its connections were given to take up TLS sessions by; sessions have such of
    /// their own.
    tls_sessions: TlsSessionCache,
    /// How slowly connections are read from; `None`: as fast as bytes come.
    pub(crate) pace: Option<Pace>,
    /// Where its arrivals are sessions.
    pub(crate) scripts: Option<Box<Scripts>>,
}

impl LoadState {
    /// What falls to one worker.
    pub(crate) fn new(
        plan: &Plan,
        (number, load): (u8, &Load),
        stripe: Stripe,
        requests: Requests,
        times: &Times,
    ) -> Self {
        let share = |whole: u32| stripe.share(whole);
        let (first, step) = stripe.arrivals();
        // Loads of one plan must not share their random gaps.
        let seed = plan.seed.wrapping_add(u64::from(number).wrapping_mul(0x9e37_79b9));
        let mut starts = load.schedule.starts_at(times, seed, first, step);
        let shift = shift(&load.schedule, number);
        let next = starts.next().map(|at| at.saturating_add(shift));
        Self {
            id: LoadId { number, population: load.population() },
            requests,
            closed_loop: matches!(load.schedule, Schedule::Closed),
            starts,
            shift,
            next,
            arrived: 0,
            share: if number == 0 {
                plan.call_limit().map(|n| stripe.of_arrivals(n))
            } else {
                None
            },
            seed,
            stripe,
            due: VecDeque::with_capacity(share(load.backlog).min(4096) as usize),
            backlog: share(load.backlog) as usize,
            pauses: VecDeque::new(),
            connecting: List::default(),
            idle: List::default(),
            active: List::default(),
            closing: List::default(),
            open: 0,
            limit: share(load.connections),
            warm: share(load.warm_connections),
            calls_per_connection: load.calls_per_connection,
            close: load.close,
            pipeline: load.pipeline,
            behind: 0,
            roomy: Roomy::default(),
            again: VecDeque::new(),
            users: 0,
            opening: Opening::new(load, stripe.of_all().1),
            tls_sessions: TlsSessionCache::default(),
            pace: load.read_bytes_per_s.map(Pace::new),
            scripts: None,
        }
    }

    /// Makes its arrivals sessions: `count` in all workers, if that is limited.
    pub(crate) fn add_scripts(&mut self, scripts: Scripts, count: Option<u64>) {
        self.share = count.map(|count| self.stripe.of_arrivals(count));
        self.scripts = Some(Box::new(scripts));
    }

    /// What the connections of this session (or those that are no session's) were given to
    /// take up TLS sessions by.
    pub(crate) fn tls_sessions(&mut self, session: Option<u64>) -> &mut TlsSessionCache {
        let scripts = self.scripts.as_deref_mut();
        match session.and_then(|session| scripts?.session(session)) {
            Some(session) => &mut session.tls,
            None => &mut self.tls_sessions,
        }
    }

    /// Whether all arrivals that there are to be have been taken up.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.share.is_some_and(|share| self.arrived >= share)
    }

    /// Whether the load ends when all that is to come is through, whenever that is.
    pub(crate) fn ends_when_through(&self) -> bool {
        self.scripts.is_some() || (self.closed_loop && self.share.is_some())
    }

    /// Whether all that is to come is through, where it is no sessions.
    pub(crate) fn is_through(&self) -> bool {
        self.is_exhausted() && self.is_idle()
    }

    /// Whether an arrival of a session is to begin, in closed loop: when one before is
    /// through. As many are under way as the load may have connections.
    pub(crate) fn begins_session(&self) -> bool {
        let has_room = |scripts: &Scripts| scripts.len() < self.limit as usize;
        self.closed_loop && !self.is_exhausted() && self.scripts.as_deref().is_some_and(has_room)
    }

    /// The next intended start, unless it is at or past `end`.
    pub(crate) fn next_start(&self, end: Nanos) -> Option<Nanos> {
        self.next.filter(|&next| next < end && !self.is_exhausted())
    }

    /// The next intended start of the schedule, if there was one before it.
    pub(crate) fn next_of_many(&self) -> Option<Nanos> {
        self.next.filter(|_| self.arrived > 0)
    }

    /// What of the embedding program broke down: its schedule, or who watches its sessions.
    #[inline]
    pub(crate) fn failure_of_program(&self) -> Option<&str> {
        let of_observer = || self.scripts.as_deref()?.common.failure();
        self.starts.failure().or_else(of_observer)
    }

    /// Takes the next intended start off the schedule.
    pub(crate) fn advance(&mut self) {
        self.next = self.starts.next().map(|at| at.saturating_add(self.shift));
    }

    /// An arrival is taken up: which request it makes.
    #[inline]
    pub(crate) fn next_request(&mut self) -> RequestId {
        let arrived = self.arrived;
        self.arrived += 1;
        let (first, step) = self.stripe.arrivals();
        self.requests.of_arrival(self.seed, || first + arrived * step)
    }

    /// An arrival is counted that is not taken up: which request it would have made.
    pub(crate) fn lost_request(&mut self) -> RequestId {
        let number = self.number_arrival();
        self.requests.of_lost_arrival(self.seed, number)
    }

    /// An arrival is taken up that makes no request: its number in the run.
    pub(crate) fn number_arrival(&mut self) -> u64 {
        let (first, step) = self.stripe.arrivals();
        let number = first + self.arrived * step;
        self.arrived += 1;
        number
    }

    /// Makes an arrival wait; `false` if the backlog is full.
    pub(crate) fn wait(&mut self, intended: Nanos, request: RequestId) -> bool {
        if self.due.len() >= self.backlog {
            return false;
        }
        self.due.push_back(Waiting { intended, request });
        true
    }

    /// Whether an arrival may start before all others.
    pub(crate) fn nobody_waits(&self) -> bool {
        self.due.is_empty() && self.again.is_empty()
    }

    /// Whether something starts as soon as a connection takes it.
    pub(crate) fn somebody_waits(&self) -> bool {
        !self.due.is_empty() || !self.again.is_empty() || self.users > 0
    }

    /// Whether a connection may be opened now. `now` is asked for only if it matters.
    pub(crate) fn may_open(&self, now: impl FnOnce() -> Nanos) -> bool {
        self.open < self.limit && self.opening.is_allowed(now)
    }

    /// Whether users of a closed loop start a call each as soon as the last one ended.
    pub(crate) fn has_users(&self) -> bool {
        self.closed_loop && self.scripts.is_none()
    }

    /// Calls under way, and connections that are being opened for some.
    #[inline]
    pub(crate) fn in_flight(&self) -> u32 {
        self.connecting.len() + self.active.len() + self.behind
    }

    /// Whether nothing is under way and nobody waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight() == 0
            && self.nobody_waits()
            && self.scripts.as_ref().is_none_or(|scripts| scripts.is_empty())
    }

    /// When a connection may be opened for what waits, if only time forbids it.
    pub(crate) fn next_opening(&self) -> Option<Nanos> {
        let wanted = self.somebody_waits() && self.idle.is_empty() && self.open < self.limit;
        if wanted { self.opening.next() } else { None }
    }

    /// Calls that are still to start: arrivals that wait, calls to be sent again, and
    /// users of a closed loop who have none, so that these always count the same.
    #[inline]
    pub(crate) fn waiting(&self) -> u64 {
        let queued = self.due.len() + self.again.len() + self.pauses.len();
        queued as u64 + u64::from(self.users)
    }

    /// Closed loop: a user's call failed at `now`.
    pub(crate) fn pause(&mut self, now: Nanos) {
        self.pauses.push_back(now + PAUSE_AFTER_FAILURE);
    }

    /// Closed loop: when the next user comes back.
    pub(crate) fn next_return(&self) -> Option<Nanos> {
        self.pauses.front().copied()
    }

    /// Closed loop: a user is back.
    pub(crate) fn returned(&mut self) {
        self.pauses.pop_front();
    }
}
