//! The last minute, as far as a freeze is judged by it: calls, our own pauses, lost connections,
//! reach checks. Bounded in time and in number, however long a freeze lasts.

use std::collections::VecDeque;

use crate::clock::{Nanos, SECOND};
use crate::migration::Check;
use crate::record::{CallLog, CallRecord, ConnectionEnd, ConnectionLog, PauseLog};

/// How long all of it is kept.
const KEPT: Nanos = 60 * SECOND;
/// Calls that are kept (3 MB), and of those before a freeze that goes on.
const MOST_CALLS: usize = 50_000;
const LEAST_BEFORE: usize = 5_000;
/// Calls from the begin of a long freeze that stay.
const OF_THE_BEGIN: usize = 10_000;
/// Others: 3 MB each at most.
const MOST_OTHERS: usize = 50_000;

/// See above. All times in ns from the start of the load.
#[derive(Debug, Default)]
pub(super) struct History {
    /// By their ends.
    pub(super) calls: VecDeque<CallRecord>,
    lost: VecDeque<ConnectionEnd>,
    /// Of each worker, by their begins.
    pauses: Vec<VecDeque<(Nanos, Nanos)>>,
    pub(super) checks: VecDeque<Check>,
    pub(super) neighbour: VecDeque<Check>,
    /// The last time of which calls were left out.
    thinned: Nanos,
}

impl History {
    /// An empty one, of so many workers.
    pub(super) fn new(workers: u32) -> Self {
        let pauses = (0..workers).map(|_| VecDeque::new()).collect();
        Self { pauses, ..Self::default() }
    }

    /// A call has ended, the last of all so far. `since` says when a silence began that has not been
    /// judged.
    pub(super) fn push(&mut self, call: CallRecord, since: impl FnOnce() -> Option<Nanos>) {
        self.calls.push_back(call);
        if self.calls.len() <= MOST_CALLS {
            return;
        }
        let since = since().unwrap_or(Nanos::MAX);
        let before = self.calls.partition_point(|call| call.done <= since);
        if before > LEAST_BEFORE {
            self.calls.drain(..before - LEAST_BEFORE);
        } else {
            // What happens at the begin and at the end of a freeze tells of it.
            let from = before + OF_THE_BEGIN;
            let mut out = self.calls.drain(from..from + (MOST_CALLS - from) / 2);
            self.thinned = out.next_back().map_or(self.thinned, |call| call.done);
        }
    }

    /// Whether each call that ended since then is here.
    pub(super) fn is_whole_since(&self, from: Nanos) -> bool {
        self.thinned < from
    }

    pub(super) fn lost(&mut self, end: ConnectionEnd) {
        bounded(&mut self.lost, end);
    }

    /// A worker stood still; told again if it went on.
    pub(super) fn paused(&mut self, worker: u32, from: Nanos, to: Nanos) {
        let Some(pauses) = self.pauses.get_mut(worker as usize) else { return };
        match pauses.back_mut() {
            Some(last) if last.0 == from => last.1 = to,
            _ => bounded(pauses, (from, to)),
        }
    }

    pub(super) fn checked(&mut self, check: Check) {
        thinned(&mut self.checks, check);
    }

    pub(super) fn checked_neighbour(&mut self, check: Check) {
        thinned(&mut self.neighbour, check);
    }

    /// Forgets what is too old at `now`, but nothing of a freeze since `since`, nor of the time
    /// before it.
    pub(super) fn forget(&mut self, now: Nanos, since: Option<Nanos>) {
        let from = since.unwrap_or(now).min(now).saturating_sub(KEPT);
        forget(&mut self.calls, |call| call.done < from);
        forget(&mut self.lost, |end| end.ended < from);
        self.pauses.iter_mut().for_each(|pauses| forget(pauses, |pause| pause.1 < from));
        forget(&mut self.checks, |check| check.sent < from);
        forget(&mut self.neighbour, |check| check.sent < from);
    }

    /// The calls, as the analysis wants them.
    pub(super) fn call_log(&self) -> CallLog {
        self.calls.iter().copied().collect()
    }

    pub(super) fn connection_log(&self) -> ConnectionLog {
        ConnectionLog::of_lost(self.lost.iter().copied().collect())
    }

    pub(super) fn pause_log(&self) -> PauseLog {
        let of = |pauses: &VecDeque<(Nanos, Nanos)>| pauses.iter().copied().collect();
        PauseLog::of_workers(self.pauses.iter().map(of).collect())
    }
}

fn bounded<T>(all: &mut VecDeque<T>, one: T) {
    if all.len() == MOST_OTHERS {
        all.pop_front();
    }
    all.push_back(one);
}

/// The same where both ends count: those before a freeze, and the last ones.
fn thinned<T>(all: &mut VecDeque<T>, one: T) {
    if all.len() == MOST_OTHERS {
        all.drain(MOST_OTHERS / 2..MOST_OTHERS / 2 + MOST_OTHERS / 10);
    }
    all.push_back(one);
}

/// Takes the first ones away, for as long as they are too old.
fn forget<T>(all: &mut VecDeque<T>, is_old: impl Fn(&T) -> bool) {
    let old = all.iter().take_while(|one| is_old(one)).count();
    all.drain(..old);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;
    use crate::record::{LoadId, Population};

    fn call(done: Nanos) -> CallRecord {
        let load = LoadId { number: 0, population: Population::Established };
        CallRecord::never_taken_up(load, done, 0, done)
    }

    #[test]
    fn a_minute_is_kept_and_of_a_freeze_the_minute_before_it() {
        let mut history = History::new(1);
        (0..200).for_each(|second| history.push(call(second * SECOND), || None));
        history.paused(0, 5 * SECOND, 6 * SECOND);
        history.forget(199 * SECOND, Some(100 * SECOND));
        assert_eq!(history.calls.front().unwrap().done, 40 * SECOND);
        history.forget(199 * SECOND, None);
        assert_eq!(history.calls.front().unwrap().done, 139 * SECOND);
        assert_eq!(history.pause_log().workers().flatten().count(), 0);
    }

    #[test]
    fn a_freeze_without_end_takes_no_more_memory_and_keeps_its_two_ends() {
        let mut history = History::new(1);
        let begin = 20_000 * MILLISECOND;
        for ms in 0..500_000 {
            history.push(call(ms * MILLISECOND), || (ms > 20_000).then_some(begin));
        }
        assert!(history.calls.len() <= MOST_CALLS);
        let dones: Vec<Nanos> = history.calls.iter().map(|c| c.done / MILLISECOND).collect();
        assert!(dones.is_sorted());
        let before = dones.iter().filter(|ms| **ms <= 20_000).count();
        assert!(before >= LEAST_BEFORE, "{before}");
        assert!((20_001..30_000).all(|ms| dones.binary_search(&ms).is_ok()));
        assert!((490_000..500_000).all(|ms| dones.binary_search(&ms).is_ok()));
    }

    #[test]
    fn a_pause_that_grows_is_one() {
        let mut history = History::new(2);
        history.paused(1, 10, 20);
        history.paused(1, 10, 30);
        history.paused(1, 40, 50);
        history.paused(9, 40, 50);
        let log = history.pause_log();
        let all: Vec<_> = log.workers().collect();
        assert_eq!(all, [&[][..], &[(10, 30), (40, 50)][..]]);
    }
}
