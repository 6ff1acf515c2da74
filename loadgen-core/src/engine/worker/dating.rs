//! Samples of the clock of the server's machine, from the `Date` of replies: only
//! where a head is read anew, which is once a second and at each look around.

use super::Worker;
use crate::clock::Nanos;
use crate::protocol::{Heads, Protocol};
use crate::record::{DateSample, Recorder};

/// Keeps the date of a reply whose head has just been read, if it is wanted.
#[cold]
#[inline(never)]
pub(super) fn take_date(recorder: &mut Recorder, heads: &impl Heads, sent: Nanos, received: Nanos) {
    if recorder.dates.wants()
        && let Some(date_s) = heads.date_s()
    {
        recorder.dates.push(DateSample { date_s, sent, received });
    }
}

impl<P: Protocol> Worker<P> {
    /// Sees to it that the next reply is a sample, ten times a second: one that comes
    /// late in its second narrows the clock from the other side than the first one.
    pub(super) fn look_at_dates(&mut self) {
        if self.recorder.dates.keeps() {
            self.recorder.dates.refill();
            self.heads.forget();
        }
    }
}
