//! Arrivals, and the users of closed loops: each gets a connection, waits for one,
//! or is shed.

use super::Worker;
use crate::clock::Nanos;
use crate::engine::connection::Call;
use crate::engine::load::Waiting;
use crate::engine::looks::NOTABLE;
use crate::engine::workload::requests::{NO_REQUEST, RequestId};
use crate::protocol::Protocol;
use crate::record::CallRecord;

/// Arrivals taken up before sockets are looked at again, so that catching up
/// after a stall does not delay the reading of replies.
const BATCH: u32 = 64;

impl<P: Protocol> Worker<P> {
    /// Takes up the arrivals that are due. `true` if more are due already.
    pub(super) fn take_arrivals(&mut self, now: Nanos) -> bool {
        let mut behind = false;
        for s in 0..self.loads.len() {
            let mut left = BATCH;
            // The clock is read again for each one: those behind it in the batch
            // are later than it, and their lag has to say so.
            let mut at = now;
            while let Some(intended) = self.loads[s].next_start(self.end) {
                if intended > at {
                    break;
                }
                if left == 0 {
                    behind = true;
                    break;
                }
                left -= 1;
                self.loads[s].advance();
                at = self.now();
                let lag = Some(at.saturating_sub(intended));
                if self.loads[s].scripts.is_none() {
                    self.arrive::<false>(s, intended, lag);
                } else {
                    self.tell_gap(s, intended);
                    self.arrive_session(s, intended, lag);
                }
            }
            while left > 0 && now < self.end && self.loads[s].begins_session() {
                left -= 1;
                at = self.now();
                self.arrive_session(s, at, None);
            }
            while self.loads[s].next_return().is_some_and(|at| at <= now) {
                self.loads[s].returned();
                self.come_back::<false>(s);
            }
        }
        behind
    }

    /// An arrival: to a free connection, else to a new one, else it waits, else
    /// it is shed. `HELD_BACK`: if it comes behind others of its connection, its request
    /// is sent later ([`Self::follow`]).
    pub(super) fn arrive<const HELD_BACK: bool>(
        &mut self,
        s: usize,
        intended: Nanos,
        lag: Option<Nanos>,
    ) {
        let load = &mut self.loads[s];
        let request = load.next_request();
        self.recorder.offered(load.id, intended, lag);
        self.took_up(intended, lag);
        if request == NO_REQUEST || self.is_past_deadline(intended) {
            return self.shed(s, intended, request, false);
        }
        // Who came earlier is served earlier.
        if self.loads[s].nobody_waits() && self.can_start(s) {
            return self.start::<HELD_BACK>(s, Call::arriving(intended, lag.unwrap_or(0), request));
        }
        let load = &mut self.loads[s];
        if load.wait(intended, request) {
            self.recorder.queued(load.id, intended);
            self.kernel.queued(s, intended, lag);
        } else {
            self.shed(s, intended, request, false);
        }
    }

    /// An arrival is taken up, this late.
    #[inline]
    pub(super) fn took_up(&mut self, intended: Nanos, lag: Option<Nanos>) {
        if let Some(lag) = lag.filter(|lag| *lag > NOTABLE) {
            self.looks.catch_up().took_up_late(intended, intended + lag);
        }
    }

    /// Gives what waits to connections that have become free: calls that are to be
    /// sent once more, then arrivals, then users of a closed loop.
    // Inlined: it comes after each event, and mostly nobody waits.
    #[inline(always)]
    pub(super) fn serve(&mut self, s: usize) {
        if self.loads[s].somebody_waits() {
            self.serve_waiting(s);
        }
    }

    #[inline(never)]
    fn serve_waiting(&mut self, s: usize) {
        while self.can_start(s) {
            let load = &mut self.loads[s];
            if let Some(call) = load.again.pop_front() {
                // The idle ones may be as dead as the one that it was sent on.
                if self.may_open(s) {
                    self.open(s, Some(call));
                } else {
                    self.start::<false>(s, call);
                }
            } else if let Some(Waiting { intended, request }) = load.due.pop_front() {
                if self.is_past_deadline(intended) {
                    self.shed(s, intended, request, true);
                } else {
                    let waited = Call { intended, request, queued: true, ..Call::default() };
                    self.start::<false>(s, waited);
                }
            } else if load.users > 0 {
                load.users -= 1;
                let now = self.now();
                if now < self.end && !self.loads[s].is_exhausted() {
                    self.arrive::<false>(s, now, None);
                }
            } else {
                return;
            }
        }
    }

    /// Closed loop: a user whose call has ended, or whose pause is over, starts the
    /// next one, or waits until a connection takes it. That wait is none of the
    /// call's: in a closed loop it is not intended before it can start.
    pub(super) fn come_back<const HELD_BACK: bool>(&mut self, s: usize) {
        let now = self.now();
        if now >= self.end || self.loads[s].is_exhausted() {
            return;
        }
        if self.loads[s].nobody_waits() && self.can_start(s) {
            return self.arrive::<HELD_BACK>(s, now, None);
        }
        self.loads[s].users += 1;
    }

    fn is_past_deadline(&self, intended: Nanos) -> bool {
        self.settings.deadline.is_some_and(|deadline| intended + deadline <= self.now())
    }

    pub(super) fn can_start(&mut self, s: usize) -> bool {
        let load = &self.loads[s];
        !load.idle.is_empty()
            || self.may_open(s)
            || (load.pipeline > 1 && self.with_room(s).is_some())
    }

    pub(super) fn may_open(&self, s: usize) -> bool {
        self.loads[s].may_open(|| self.now())
    }

    pub(super) fn shed(&mut self, s: usize, intended: Nanos, request: RequestId, queued: bool) {
        let now = self.now();
        if request == NO_REQUEST {
            self.recorder.without_request(intended);
        }
        let load = &self.loads[s];
        let tag = self.tag_of(load, request);
        let never = CallRecord::never_taken_up(load.id, intended, tag, now);
        let call = CallRecord { queued, ..never };
        self.look_into_unconnected(s, &call, request);
        if self.looks.catch_up().explains_a_loss() {
            self.recorder.owes(&call, now.saturating_sub(intended));
        }
        self.recorder.ended(call);
    }
}
