//! What of a call is the generator's own: its part in the response time, and in a
//! time limit that passed. When the worker looked, [`looks.rs`](crate::engine::looks) knows.

use super::Worker;
use crate::clock::Nanos;
use crate::engine::connection::{Call, State};
use crate::engine::looks::NOTABLE;
use crate::protocol::Protocol;
use crate::record::{CallRecord, Failure, KEPT_FROM, Outcome, Phase};

impl<P: Protocol> Worker<P> {
    /// Counts a call, which ends now, that the generator may have had its part in.
    #[inline]
    pub(super) fn count_own(&mut self, call: &CallRecord, lag: Nanos) {
        if lag >= KEPT_FROM || self.looks.may_have_delayed(call.intended, call.done) {
            self.owes(call, lag);
        }
    }

    #[cold]
    #[inline(never)]
    fn owes(&mut self, call: &CallRecord, lag: Nanos) {
        let delay = self.looks.delay(call.intended, call.done);
        if let Outcome::Failed(failure) = call.outcome {
            if failure.is_censored() && self.looks.explains_a_timeout(call, delay) {
                self.recorder.owes(call, delay);
            }
            return;
        }
        let own = lag.max(delay);
        // A call that was cut off, with that much less time, for a trifle: no.
        let least = if call.outcome == Outcome::Unfinished { NOTABLE } else { KEPT_FROM };
        if own >= least {
            self.recorder.owes(call, own);
        }
    }

    /// Whether a call needs us to go on: what it still is to send or receive waits for
    /// room that we make. Otherwise its reply comes, or does not, whatever we do.
    pub(super) fn waits_for_us(&self, index: u32) -> bool {
        let connection = &self.slab[index];
        let is_paced = self.streams[usize::from(connection.stream)].pace.is_some();
        let is_ours = matches!(connection.state, State::Sending | State::Securing);
        connection.is_waiting_for_lookup() || is_ours || connection.call.received > 0 || is_paced
    }

    /// When a call runs out of time that the server had: of our own pauses those do
    /// not count in which it waited for us, before it was sent or (`waits_for_us`)
    /// since then.
    pub(super) fn limit_without_us(&self, call: &Call, waits_for_us: bool) -> Nanos {
        let now = self.now();
        let since_sent = self.looks.within(call.sent, now);
        let before = self.looks.within(call.intended, now).saturating_sub(since_sent);
        let during = if waits_for_us { since_sent } else { 0 };
        let by_deadline = self.settings.deadline.map_or(Nanos::MAX, |deadline| {
            let own = before.max(call.lag()) + during;
            call.intended.saturating_add(deadline).saturating_add(own)
        });
        by_deadline.min(call.sent.saturating_add(self.settings.timeout).saturating_add(during))
    }

    /// The failure of a call whose reply has been read after its time limit, if the
    /// kernel's timestamp says that it was received after it, too.
    #[cold]
    #[inline(never)]
    pub(super) fn received_too_late(&self, index: u32, now: Nanos) -> Option<Failure> {
        let (unread, bytes) = self.kernel.stamps.as_ref()?.last();
        let call = &self.slab[index].call;
        let received = now.saturating_sub(unread?);
        let in_one = call.received <= bytes as u64;
        if received <= self.limit_without_us(call, !in_one) {
            return None;
        }
        let phase = if in_one { Phase::Head } else { Phase::Body };
        Some(Failure::new(phase, self.limit_of(call)))
    }
}
