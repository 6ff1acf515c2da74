//! From the workers to whoever watches: ten times a second, what each has seen.

use std::sync::mpsc::{SyncSender, TrySendError};

use crate::clock::Nanos;
use crate::record::{CallRecord, CallSink, ConnectionEnd, EndedCall};

/// Batches that wait for whoever takes them: a minute of one worker.
pub(super) const MOST_WAITING: usize = 600;
/// Calls of a batch that stay if nobody takes it.
const MOST_CALLS: usize = 20_000;

/// What a worker has seen since the last time.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) worker: u32,
    /// In the order of their ends.
    pub(super) calls: Vec<CallRecord>,
    pub(super) lost: Vec<ConnectionEnd>,
    pub(super) pauses: Vec<(Nanos, Nanos)>,
    /// All that ended before is known.
    pub(super) until: Nanos,
}

/// The sink of one worker.
pub(super) struct Feed {
    batch: Batch,
    sender: SyncSender<Batch>,
    /// Until when all was handed over.
    handed: Nanos,
    /// Calls were left out since then.
    is_cut: bool,
}

impl Feed {
    pub(super) fn new(worker: u32, sender: SyncSender<Batch>) -> Self {
        let batch = Batch { worker, ..Batch::default() };
        Self { batch, sender, handed: 0, is_cut: false }
    }
}

impl CallSink for Feed {
    fn call(&mut self, call: &EndedCall) {
        if self.is_cut {
            return;
        }
        self.batch.calls.push(call.record);
    }

    fn connection_lost(&mut self, end: &ConnectionEnd) {
        if !self.is_cut {
            self.batch.lost.push(*end);
        }
    }

    fn paused(&mut self, from: Nanos, to: Nanos) {
        if !self.is_cut {
            self.batch.pauses.push((from, to));
        }
    }

    fn looked(&mut self, until: Nanos) {
        self.batch.until = until;
    }

    fn flush(&mut self) {
        let (worker, until) = (self.batch.worker, self.batch.until);
        if self.is_cut {
            // What is not handed over was not seen: as if we had stood still.
            self.batch.calls.clear();
            self.batch.lost.clear();
            self.batch.pauses = vec![(self.handed, until)];
        }
        let batch = std::mem::replace(&mut self.batch, Batch { worker, until, ..Batch::default() });
        match self.sender.try_send(batch) {
            Ok(()) => (self.handed, self.is_cut) = (until, false),
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => {
                self.is_cut |= batch.calls.len() > MOST_CALLS;
                self.batch = batch;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::record::{LoadId, Population};

    fn call(done: Nanos) -> EndedCall {
        let load = LoadId { number: 0, population: Population::Established };
        let record = CallRecord::never_taken_up(load, done, 0, done);
        EndedCall { record, started: done, connection: None, request: None }
    }

    #[test]
    fn what_nobody_takes_in_time_was_not_seen_and_takes_no_memory() {
        let (sender, batches) = sync_channel(1);
        let mut feed = Feed::new(3, sender);
        for k in 1..=100 {
            (0..MOST_CALLS as u64 / 2).for_each(|_| feed.call(&call(k)));
            feed.paused(k, k);
            feed.looked(k);
            feed.flush();
            assert!(feed.batch.calls.len() <= 2 * MOST_CALLS);
        }
        let first = batches.try_recv().unwrap();
        assert_eq!((first.worker, first.calls.len(), first.until), (3, MOST_CALLS / 2, 1));
        feed.looked(101);
        feed.flush();
        let missed = batches.try_recv().unwrap();
        assert_eq!((missed.calls.len(), missed.pauses, missed.until), (0, vec![(1, 101)], 101));
        feed.call(&call(102));
        feed.looked(102);
        feed.flush();
        let next = batches.try_recv().unwrap();
        assert_eq!((next.calls.len(), next.pauses.len(), next.until), (1, 0, 102));
    }
}
