//! The end of a run: when it was, and what becomes of those who still wait or are under way.

use super::Worker;
use crate::clock::Nanos;
use crate::engine::load::{LoadState, Waiting};
use crate::protocol::Protocol;
use crate::record::{CallRecord, Outcome};

/// Arrivals of sessions that are counted although the worker never came to them: httperf
/// takes any rate, and one that no machine can hold must not take its time after the run.
const MOST_NEVER_TAKEN_UP: u64 = 10_000_000;

impl<P: Protocol> Worker<P> {
    /// Whether all that is to come has come and is through, of a load that ends by a number.
    pub(super) fn is_through(&mut self) -> bool {
        match self.scripted {
            Some(s) => self.sessions_are_through(s),
            None => self.loads.first().is_some_and(LoadState::is_through),
        }
    }

    /// The drain has ended: when this worker had done its part. One that had only sessions,
    /// and was through with them, has waited for the others.
    pub(super) fn finished(&mut self) -> Nanos {
        let now = self.now();
        let Some(scripts) = self.scripted.and_then(|s| self.loads[s].scripts.as_deref_mut()) else {
            return now;
        };
        let now = if self.settings.drain > 0 { now } else { now.min(self.end) };
        let through = scripts.are_through(now);
        let finished = if self.loads.len() == 1 { through } else { now };
        self.recorder.load_end = self.end.min(finished);
        finished
    }

    /// The load has ended: counts those that still wait for a connection.
    pub(super) fn count_waiting(&mut self) {
        let waiting = self.loads.iter().map(|s| s.due.len() as u64).sum();
        self.recorder.waiting_at_end = waiting;
        self.recorder.own_waiting_at_end(self.looks.catch_up().explains_waiting(waiting));
    }

    /// What is still open or waiting at the end is counted, not dropped.
    pub(super) fn give_up_the_rest(&mut self, now: Nanos) {
        self.keep_open_ones(now);
        for s in 0..self.loads.len() {
            let is_scripted = self.loads[s].scripts.is_some();
            for _ in 0..if is_scripted { MOST_NEVER_TAKEN_UP } else { u64::MAX } {
                let Some(intended) = self.loads[s].next_start(self.end) else { break };
                self.loads[s].advance();
                let request = self.loads[s].lost_request();
                let tag = self.tag_of(&self.loads[s], request);
                let id = self.loads[s].id;
                self.recorder.never_taken_up(id, intended, tag);
                if self.outlet.is_open() {
                    let call = CallRecord::never_taken_up(id, intended, tag, now);
                    self.hand_out(s, &call, now, None, request);
                }
            }
            while let Some(Waiting { intended, request }) = self.loads[s].due.pop_front() {
                self.shed(s, intended, request, true);
            }
            self.abandon_sessions(s, now);
            let open = |load: &LoadState| load.connecting.first().or(load.active.first());
            while let Some(index) = open(&self.loads[s]) {
                if self.slab[index].has_call && !self.slab[index].call.given_up {
                    self.record(index, Outcome::Unfinished, now);
                }
                self.give_up_behind(index, now);
                self.drop_connection(index);
            }
            while let Some(call) = self.loads[s].again.pop_front() {
                self.record_call(s, &call, Outcome::Unfinished, now);
            }
        }
    }
}
