//! A second look at calls that have ended: the slow ones, of which the kernel is asked, and all
//! of them where they are handed out. And at a few connections, ten times a second.

use super::Worker;
use crate::clock::Nanos;
use crate::engine::connection::State;
use crate::engine::kernel_view::{BUDGET, BUDGET_BACK, LOOK_THROUGH, SAMPLES};
use crate::engine::workload::requests::RequestId;
use crate::net::tcp_info::TcpInfo;
use crate::protocol::Protocol;
use crate::record::causes::Connecting;
use crate::record::{CallRecord, ConnectionId, Outcome};

impl<P: Protocol> Worker<P> {
    /// Whether a call that ended at `now` is to be looked into.
    #[inline]
    pub(super) fn is_worth_a_look(&self, intended: Nanos, now: Nanos) -> bool {
        now.saturating_sub(intended) >= self.kernel.look_after
    }

    /// Looks into the call that has just ended on a connection, which is still open.
    #[cold]
    #[inline(never)]
    pub(super) fn look_into(&mut self, index: u32, outcome: Outcome, now: Nanos) {
        let call = self.call_record(index, outcome, now);
        let connection = &self.slab[index];
        let s = usize::from(connection.load);
        let request = connection.call.request;
        let load = &self.loads[s];
        let request_bytes = match &load.scripts {
            Some(scripts) => scripts.request(request).map_or(0, |request| request.keep.len()),
            None => load.requests.keep(request).len(),
        };
        self.kernel.look_into(s, &call, Some(connection), request_bytes);
        if self.outlet.is_open() {
            let started = if call.reused { call.sent } else { connection.opened };
            let connection =
                ConnectionId { thread: self.shard, place: index, used: connection.generation };
            self.hand_out(s, &call, started, Some(connection), request);
        }
    }

    /// The same for a call that has no connection to be looked at: it never had one,
    /// or the connection is at another call.
    pub(super) fn look_into_unconnected(
        &mut self,
        s: usize,
        call: &CallRecord,
        request: RequestId,
    ) {
        if self.is_worth_a_look(call.intended, call.done) {
            self.kernel.look_into::<P>(s, call, None, 0);
            self.hand_out(s, call, call.sent, None, request);
        }
    }

    /// How long the connecting of a call took, whose end we saw `now`, and what is to be kept
    /// of it.
    pub(super) fn connecting(&self, index: u32, now: Nanos) -> (Nanos, Connecting) {
        let connection = &self.slab[index];
        let call = &connection.call;
        let took = now.saturating_sub(call.sent + call.connecting.resolving());
        let slow = connection.transport.as_ref().filter(|_| Connecting::is_slow(took));
        let info = slow.and_then(|transport| TcpInfo::of(transport.fd()));
        (took, call.connecting.complete(took, info))
    }

    /// Ten times a second: looks at some connections and at this thread.
    pub(super) fn look_around(&mut self, now: Nanos) {
        self.kernel.look_at_thread(now);
        self.kernel.budget = (self.kernel.budget + BUDGET_BACK).min(BUDGET);
        // The oldest call of each load is the one most likely to be stuck.
        for s in 0..self.loads.len() {
            let load = &self.loads[s];
            if let Some(index) = load.active.first().or(load.connecting.first()) {
                self.look_at(index, now);
            }
        }
        let slots = self.slab.slots();
        let mut left = SAMPLES;
        for _ in 0..LOOK_THROUGH.min(slots) {
            self.kernel.cursor = (self.kernel.cursor + 1) % slots;
            let index = self.kernel.cursor;
            if matches!(self.slab[index].state, State::Idle | State::Waiting | State::Sending) {
                self.look_at(index, now);
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
    }

    fn look_at(&mut self, index: u32, now: Nanos) {
        let transport = self.slab[index].transport.as_ref();
        if let Some(info) = transport.and_then(|transport| TcpInfo::of(transport.fd())) {
            self.kernel.record.sample(now, &info);
        }
    }
}
