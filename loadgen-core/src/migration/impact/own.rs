//! The generator's own pauses, as the analysis needs them. Whatever was answered in a
//! pause was seen at its end, and whatever was due in it left no earlier.
//!
//! *Any*: at least one worker stood still. Whether a single call was seen late is
//! asked of these, since the log does not tell whose call it was: what follows from a
//! call is then certain. *Long*: the same without those that no figure shows. *All*: no
//! worker ran, for long. Only then a silence is ours: the others
//! would have gone on, each with its share of the calls.

use crate::clock::{MILLISECOND, Nanos};
use crate::record::{CallRecord, LONG_PAUSE, PauseLog};

use super::calls::response;

/// How long after a pause its end is just over: another round of the loop.
const JUST: Nanos = 10 * MILLISECOND;

/// Times without overlap, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Spans(Vec<(Nanos, Nanos)>);

impl Spans {
    fn of(mut all: Vec<(Nanos, Nanos)>) -> Self {
        all.sort_unstable();
        let mut joined: Vec<(Nanos, Nanos)> = Vec::new();
        for (start, end) in all {
            match joined.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        Self(joined)
    }

    /// The time that is in both.
    fn and(&self, other: &Self) -> Self {
        let (mut i, mut k, mut both) = (0, 0, Vec::new());
        while let Some((one, two)) = self.0.get(i).zip(other.0.get(k)) {
            let (start, end) = (one.0.max(two.0), one.1.min(two.1));
            if start < end {
                both.push((start, end));
            }
            if one.1 < two.1 { i += 1 } else { k += 1 }
        }
        Self(both)
    }

    /// Those that overlap `(from, to)`, or hold that moment.
    fn overlapping(&self, from: Nanos, to: Nanos) -> &[(Nanos, Nanos)] {
        let first = self.0.partition_point(|span| span.1 < from);
        let end = self.0.partition_point(|span| span.0 <= to);
        &self.0[first..end.max(first)]
    }

    /// How much of `[from, to)` is in them.
    pub(super) fn within(&self, from: Nanos, to: Nanos) -> Nanos {
        let parts = self.overlapping(from, to).iter();
        parts.map(|span| span.1.min(to).saturating_sub(span.0.max(from))).sum()
    }

    /// The one that a moment lies in, its two ends included.
    fn at(&self, at: Nanos) -> Option<(Nanos, Nanos)> {
        self.overlapping(at, at).last().copied()
    }
}

/// See above.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    any: Spans,
    long: Spans,
    pub(super) all: Spans,
}

impl Own {
    pub(super) fn new(log: Option<&PauseLog>) -> Self {
        let workers = || log.into_iter().flat_map(PauseLog::workers);
        let is_long = |pause: &(Nanos, Nanos)| pause.1.saturating_sub(pause.0) >= LONG_PAUSE;
        let long = |pauses: &[(Nanos, Nanos)]| pauses.iter().copied().filter(is_long).collect();
        let any: Vec<_> = workers().flatten().copied().collect();
        let mut each = workers().map(|pauses| Spans::of(long(pauses)));
        let first = each.next().unwrap_or_default();
        let all = each.fold(first, |all, spans| all.and(&spans));
        Self { all, long: Spans::of(long(&any)), any: Spans::of(any) }
    }

    /// What happened at this moment was seen then, at the latest.
    pub(super) fn seen(&self, at: Nanos) -> Nanos {
        self.any.at(at).map_or(at, |pause| pause.1)
    }

    /// What was seen at this moment happened then, at the earliest.
    pub(super) fn happened(&self, seen: Nanos) -> Nanos {
        self.any.at(seen).map_or(seen, |pause| pause.0)
    }

    /// How long a worker stood still in this time, at most.
    pub(super) fn within(&self, from: Nanos, to: Nanos) -> Nanos {
        self.any.within(from, to)
    }

    /// Whether a long pause ends now, or has just: what was ready then is handled.
    pub(super) fn ends_with(&self, at: Nanos) -> bool {
        !self.long.overlapping(at.saturating_sub(JUST), at).is_empty()
    }

    /// Whether a long pause had its part in when a call left, or was seen to end.
    pub(super) fn touches(&self, call: &CallRecord) -> bool {
        !self.long.overlapping(call.intended, call.done).is_empty()
    }

    /// The time from intended start to the end of a call, without long pauses.
    pub(super) fn response(&self, call: &CallRecord) -> Nanos {
        response(call).saturating_sub(self.long.within(call.intended, call.done))
    }

    /// The end of the long pause that `at` lies in, else `at`.
    pub(super) fn after(&self, at: Nanos) -> Nanos {
        self.long.at(at).map_or(at, |pause| pause.1)
    }
}

/// The times in which no worker ran, for long, in order.
pub(crate) fn all_paused(log: &PauseLog) -> Vec<(Nanos, Nanos)> {
    Own::new(Some(log)).all.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_delays_its_calls_and_only_all_of_them_make_a_silence() {
        let long = |pauses: &[(u64, u64)]| -> Vec<_> {
            pauses.iter().map(|(start, end)| (start * LONG_PAUSE, end * LONG_PAUSE)).collect()
        };
        let workers = [long(&[(10, 20), (40, 60)]), long(&[(15, 30), (50, 55)])];
        let own = Own::new(Some(&PauseLog::of_workers(workers.to_vec())));
        assert_eq!(own.any.0, long(&[(10, 30), (40, 60)]));
        assert_eq!(own.all.0, long(&[(15, 20), (50, 55)]));
        for (at, seen) in [(5, 5), (10, 30), (30, 30), (31, 31)] {
            assert_eq!(own.seen(at * LONG_PAUSE), seen * LONG_PAUSE);
        }
        assert_eq!(
            (own.happened(30 * LONG_PAUSE), own.happened(31 * LONG_PAUSE)),
            (10 * LONG_PAUSE, 31 * LONG_PAUSE)
        );
        let within = |from, to| own.within(from * LONG_PAUSE, to * LONG_PAUSE) / LONG_PAUSE;
        assert_eq!((within(0, 100), within(15, 45), within(31, 39)), (40, 20, 0));
        assert_eq!(Own::new(None).within(0, 100), 0);
        let one = PauseLog::of_workers(vec![long(&[(1, 9)]), Vec::new()]);
        assert!(Own::new(Some(&one)).all.0.is_empty());
    }
}
