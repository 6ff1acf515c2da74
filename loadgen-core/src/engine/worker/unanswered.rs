//! What becomes of pipelined calls that get no reply in time, or none at all; the
//! rules stand in `pipelining.rs`.

use super::Worker;
use super::calls::STALE_WITHIN;
use crate::clock::Nanos;
use crate::engine::connection::Call;
use crate::protocol::Protocol;
use crate::record::{Cause, Failure, Outcome, Phase};

impl<P: Protocol> Worker<P> {
    /// The time limit of a call on this connection may have passed.
    pub(super) fn expire_pipe(&mut self, index: u32) {
        let now = self.now();
        let s = usize::from(self.slab[index].load);
        let phase = self.phase(index);
        let looked = self.looks.looked();
        let waits_since = self.waits_for_us_since(index);
        let Some(mut pipe) = self.slab[index].pipe.take() else { return };
        let mut given_up: u32 = 0;
        let mut first = self.slab[index].call;
        if !first.given_up && pipe.first_expires <= looked {
            pipe.first_expires = self.limit_without_us(&first, waits_since);
        }
        for call in &mut pipe.behind {
            if !call.given_up && call.expires <= looked {
                call.expires = self.limit_without_us(call, waits_since);
                pipe.unordered |= call.expires > looked;
            }
        }
        pipe.unordered |= pipe.first_expires > looked;
        if !first.given_up && pipe.first_expires <= looked {
            let cause = self.limit_of(&first);
            self.record(index, Outcome::Failed(Failure::new(phase, cause)), now);
            first.given_up = true;
            given_up += 1;
        }
        for call in &mut pipe.behind {
            if !call.given_up && call.expires <= looked {
                let phase = if call.written == 0 { Phase::Send } else { Phase::Head };
                let outcome = Outcome::Failed(Failure::new(phase, self.limit_of(call)));
                self.record_call(s, call, outcome, now);
                call.given_up = true;
                given_up += 1;
            }
        }
        pipe.given_up += given_up;
        let next = pipe.earliest(&first);
        let connection = &mut self.slab[index];
        connection.call.given_up = first.given_up;
        connection.pipe = Some(pipe);
        if self.loads[s].closed_loop {
            (0..given_up).for_each(|_| self.loads[s].pause(now));
        }
        match next {
            Some(at) => self.expire_at(index, at),
            None => {
                self.lost(index, Cause::Timeout, 0);
                self.drop_connection(index);
            }
        }
    }

    /// The calls behind the first of a connection that ends get no reply on it.
    /// `announced`: the server does not answer them, for sure. How many are sent again.
    pub(super) fn strand(&mut self, index: u32, failure: Failure, announced: bool) -> u32 {
        let Some(pipe) = self.slab[index].pipe.take() else { return 0 };
        let mut sent_again = 0;
        let (now, looked) = (self.now(), self.looks.looked());
        let s = usize::from(self.slab[index].load);
        self.loads[s].behind -= pipe.len() as u32;
        let ended = matches!(failure.cause, Cause::Reset | Cause::ClosedEarly | Cause::Protocol);
        for call in pipe.behind.iter().filter(|call| !call.given_up) {
            let young = looked.saturating_sub(call.sent) <= STALE_WITHIN;
            let harmless = announced || (ended && young && !call.retried);
            if harmless && self.loads[s].requests.get(call.request).is_idempotent {
                self.recorder.reconnect(self.loads[s].id, call.intended);
                let again = Call { retried: true, reused: false, written: 0, received: 0, ..*call };
                self.loads[s].again.push_back(again);
                sent_again += 1;
                continue;
            }
            let phase = if call.written == 0 { Phase::Send } else { Phase::Head };
            let failure = Failure { phase, ..failure };
            self.record_call(s, call, Outcome::Failed(failure), now);
            if self.loads[s].closed_loop {
                self.loads[s].pause(now);
            }
        }
        sent_again
    }

    /// Calls that are to be sent again and have waited beyond their deadline.
    pub(super) fn expire_again(&mut self, s: usize, now: Nanos) {
        let Some(deadline) = self.settings.deadline else { return };
        while let Some(call) = self.loads[s].again.front().copied() {
            if call.intended.saturating_add(deadline) > now {
                return;
            }
            self.loads[s].again.pop_front();
            let failure = Failure::new(Phase::Connect, Cause::Deadline);
            self.record_call(s, &call, Outcome::Failed(failure), now);
            if self.loads[s].closed_loop {
                self.loads[s].pause(now);
            }
        }
    }

    /// Counts what is still open behind the first calls, or waits to be sent again,
    /// when the run ends.
    pub(super) fn give_up_behind(&mut self, index: u32, now: Nanos) {
        let s = usize::from(self.slab[index].load);
        let Some(pipe) = self.slab[index].pipe.take() else { return };
        self.loads[s].behind -= pipe.len() as u32;
        for call in pipe.behind.iter().filter(|call| !call.given_up) {
            self.record_call(s, call, Outcome::Unfinished, now);
        }
    }
}
