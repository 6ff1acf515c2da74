//! What of a call is the generator's own: its part in the response time, and in a
//! time limit that passed. When the worker looked, [`looks.rs`](crate::engine::looks) knows.

use super::Worker;
use crate::clock::Nanos;
use crate::engine::connection::Call;
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

    /// Since when a connection waits for something that needs us to go on, if it does.
    pub(super) fn waits_for_us_since(&self, index: u32) -> Option<Nanos> {
        let connection = &self.slab[index];
        connection.waits_since(self.loads[usize::from(connection.load)].pace.is_some())
    }

    /// When a call runs out of time that the server had: of our own pauses those do
    /// not count in which it waited for us, before it was sent or since `waits_since`.
    pub(super) fn limit_without_us(&self, call: &Call, waits_since: Option<Nanos>) -> Nanos {
        let during = self.own_time(call, waits_since);
        let by_timeout = call.sent.saturating_add(self.settings.timeout).saturating_add(during);
        by_timeout.min(self.deadline_without_us(call, waits_since))
    }

    /// The same of the deadline alone.
    pub(super) fn deadline_without_us(&self, call: &Call, waits_since: Option<Nanos>) -> Nanos {
        let Some(deadline) = self.settings.deadline else { return Nanos::MAX };
        let now = self.now();
        let since_sent = self.looks.within(call.sent, now);
        let before = self.looks.within(call.intended, now).saturating_sub(since_sent);
        let own = before.max(call.lag()) + self.own_time(call, waits_since);
        call.intended.saturating_add(deadline).saturating_add(own)
    }

    /// Our own pauses since a call was sent, as far as it waited for us.
    fn own_time(&self, call: &Call, waits_since: Option<Nanos>) -> Nanos {
        waits_since.map_or(0, |since| self.looks.within(since.max(call.sent), self.now()))
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
        if received <= self.limit_without_us(call, (!in_one).then_some(call.sent)) {
            return None;
        }
        let phase = if in_one { Phase::Head } else { Phase::Body };
        Some(Failure::new(phase, self.limit_of(call)))
    }
}
