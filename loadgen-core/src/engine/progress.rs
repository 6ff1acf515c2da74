//! A run under way, as whoever watches it sees it: now, or a tenth of a second at a time.

use std::time::Duration;

/// How often there is one, and how often it is looked whether the run has ended.
const EVERY: Duration = Duration::from_millis(100);
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Counters of a run under way, at most 100 ms old. They include the warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Since the start of the load; zero before it.
    pub elapsed: Duration,
    /// Arrivals by the schedule.
    pub offered: u64,
    /// Calls started.
    pub started: u64,
    /// Calls whose reply is complete.
    pub answered: u64,
    /// Those of them, but for the warm-up, whose reply was not as expected.
    pub wrong: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Arrivals that were never started.
    pub shed: u64,
    /// Calls under way: started, and neither answered nor failed. In sessions, too: a
    /// connection that rests between two bursts carries none.
    pub in_flight: u64,
    /// 99th percentile of the response times in the last full window (100 ms) that
    /// had replies, in µs (the longest of them where they were fewer than 100); the largest over populations and workers.
    pub p99_us: Option<f64>,
}

/// What happened in one step of a run under way: see [`RunHandle::windows`](crate::RunHandle::windows). Workers tell of it
/// ten times a second, so what happened in the last 100 ms of a window may count to the next
/// one; of the windows together nothing is missing. The warm-up has its windows, too.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// Its begin, from the start of the load.
    pub start: Duration,
    /// Its end.
    pub end: Duration,
    /// Arrivals by the schedule.
    pub offered: u64,
    /// Calls started.
    pub started: u64,
    /// Calls whose reply is complete.
    pub answered: u64,
    /// Those of them, but for the warm-up, whose reply was not as expected.
    pub wrong: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Arrivals that were never started.
    pub shed: u64,
    /// Calls under way at its end.
    pub in_flight: u64,
    /// As in [`Snapshot::p99_us`], at its end.
    pub p99_us: Option<f64>,
}

impl Window {
    fn between(before: &Snapshot, now: &Snapshot) -> Self {
        // Counters are of moments that may lie apart; none of them goes down.
        Self {
            start: before.elapsed,
            end: now.elapsed,
            offered: now.offered.saturating_sub(before.offered),
            started: now.started.saturating_sub(before.started),
            answered: now.answered.saturating_sub(before.answered),
            wrong: now.wrong.saturating_sub(before.wrong),
            failed: now.failed.saturating_sub(before.failed),
            shed: now.shed.saturating_sub(before.shed),
            in_flight: now.in_flight,
            p99_us: now.p99_us,
        }
    }
}

/// Where the next window begins; `None` after the last.
#[derive(Debug)]
pub(super) struct Steps(Option<Snapshot>);

impl Steps {
    pub(super) fn new() -> Self {
        Self(Some(Snapshot::default()))
    }

    /// What there is by now, and whether the run has ended.
    pub(super) fn next(
        &mut self,
        has_ended: bool,
        now: Snapshot,
    ) -> Result<Option<Window>, Duration> {
        let Some(begin) = self.0 else { return Ok(None) };
        let next = begin.elapsed + EVERY;
        if !has_ended && now.elapsed < next {
            return Err((next - now.elapsed).min(LOOK_EVERY));
        }
        self.0 = (!has_ended).then_some(now);
        Ok(Some(Window::between(&begin, &now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_missing_between_windows_and_the_last_one_is_short() {
        // Each look is 30 ms later, and the run ends at 250 ms.
        let mut steps = Steps::new();
        let mut all = Vec::new();
        for at in (30..).step_by(30) {
            let elapsed = Duration::from_millis(at);
            let now = Snapshot { elapsed, answered: at, in_flight: 3, ..Snapshot::default() };
            match steps.next(at >= 250, now) {
                Ok(Some(window)) => all.push(window),
                Ok(None) => break,
                Err(wait) => assert!(wait <= LOOK_EVERY && !wait.is_zero()),
            }
        }
        let ends: Vec<u128> = all.iter().map(|window| window.end.as_millis()).collect();
        assert_eq!(ends, [120, 240, 270]);
        assert_eq!(all.iter().map(|window| window.answered).sum::<u64>(), 270);
        assert!(all.windows(2).all(|two| two[0].end == two[1].start));
    }
}
