//! When each worker stood still, pause by pause: for what is computed of the calls
//! afterwards. Sums and the longest of all pauses are in [`super::PauseRecord`].

use serde::{Deserialize, Serialize};

use crate::clock::{MILLISECOND, Nanos};

/// Shorter pauses are not in the log.
const SHORTEST: Nanos = 5 * MILLISECOND;

/// A pause of this length makes a queue of its own. It stays in the log even where there
/// are too many, threads tell it to each other, and a run's longest response time is not
/// trusted after it: shorter ones come with every busy machine, and a silence of the
/// service has to be longer to count.
pub(crate) const LONG_PAUSE: Nanos = 20 * MILLISECOND;

/// With less than this between them, a pause belongs to the one before: a worker that
/// comes back is busy with what has piled up, for no longer than [`BUSY`].
const APART: Nanos = 5 * MILLISECOND;
const BUSY: Nanos = 100 * MILLISECOND;

/// Pauses kept of a worker.
const MOST: usize = 10_000;

/// The pauses of the workers, each in order, from the last look before a pause to what
/// was ready after it having been handled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseLog {
    workers: Vec<Vec<(Nanos, Nanos)>>,
    /// Until when shorter pauses belong to the last one.
    #[serde(skip)]
    busy_until: Nanos,
    /// The last one that was given as news.
    #[serde(skip)]
    told: Option<(Nanos, Nanos)>,
}

impl PauseLog {
    /// Of workers whose pauses are known: a list for each, in order.
    #[must_use]
    pub fn of_workers(workers: Vec<Vec<(Nanos, Nanos)>>) -> Self {
        Self { workers, ..Self::default() }
    }

    /// That of one worker.
    pub(crate) fn of_one() -> Self {
        Self { workers: vec![Vec::new()], ..Self::default() }
    }

    /// Adds a pause of the only worker.
    pub(crate) fn add(&mut self, start: Nanos, end: Nanos) {
        let Some(pauses) = self.workers.first_mut() else { return };
        let is_long = end.saturating_sub(start) >= SHORTEST;
        match pauses.last_mut() {
            Some(last) if start <= last.1 + APART && (is_long || end <= self.busy_until) => {
                last.1 = last.1.max(end);
            }
            _ if is_long => pauses.push((start, end)),
            _ => return,
        }
        if is_long {
            self.busy_until = end + BUSY;
        }
        if pauses.len() > MOST {
            pauses.retain(|pause| pause.1 - pause.0 >= LONG_PAUSE);
        }
        if pauses.len() > MOST {
            // Two and the time between them become one: the generator is then told to
            // have stood still for longer than it did, and never for less.
            *pauses = pauses
                .chunks(2)
                .filter_map(|pair| Some((pair.first()?.0, pair.last()?.1)))
                .collect();
        }
    }

    /// The pauses of the only worker since the last time: of those kept until now, the last one
    /// stays, since it may go on, and is given again if it did.
    pub(crate) fn take_news(&mut self, mut take: impl FnMut(Nanos, Nanos)) {
        let Some(pauses) = self.workers.first_mut() else { return };
        let told = self.told.take();
        for pause in pauses.iter().filter(|pause| told != Some(**pause)) {
            take(pause.0, pause.1);
        }
        self.told = pauses.last().copied();
        pauses.drain(..pauses.len().saturating_sub(1));
    }

    /// Joins that of other workers.
    pub(crate) fn merge(&mut self, other: Self) {
        self.workers.extend(other.workers);
    }

    /// The pauses of each worker.
    pub(crate) fn workers(&self) -> impl Iterator<Item = &[(Nanos, Nanos)]> {
        self.workers.iter().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = MILLISECOND;

    fn kept(log: &PauseLog) -> Vec<(Nanos, Nanos)> {
        log.workers().flatten().copied().collect()
    }

    #[test]
    fn pauses_that_follow_at_once_are_one_and_short_ones_are_left_out() {
        let mut log = PauseLog::of_one();
        log.add(10 * MS, 14 * MS);
        assert_eq!(kept(&log), []);
        log.add(100 * MS, 150 * MS);
        log.add(152 * MS, 160 * MS);
        log.add(300 * MS, 304 * MS);
        assert_eq!(kept(&log), [(100 * MS, 160 * MS)]);
        log.add(312 * MS, 332 * MS);
        log.add(335 * MS, 336 * MS);
        assert_eq!(kept(&log), [(100 * MS, 160 * MS), (312 * MS, 336 * MS)]);
        // A loop that is busy all the time looks at its sockets all the same.
        (0..500).for_each(|k| log.add((400 + 2 * k) * MS, (402 + 2 * k) * MS));
        assert_eq!(kept(&log).len(), 2);
    }

    #[test]
    fn news_are_told_once_and_again_only_when_they_grow() {
        let news = |log: &mut PauseLog| {
            let mut all = Vec::new();
            log.take_news(|from, to| all.push((from / MS, to / MS)));
            all
        };
        let mut log = PauseLog::of_one();
        assert_eq!(news(&mut log), []);
        log.add(100 * MS, 150 * MS);
        log.add(200 * MS, 230 * MS);
        assert_eq!(news(&mut log), [(100, 150), (200, 230)]);
        assert_eq!(news(&mut log), []);
        log.add(232 * MS, 240 * MS);
        assert_eq!(news(&mut log), [(200, 240)]);
        log.add(500 * MS, 520 * MS);
        assert_eq!(news(&mut log), [(500, 520)]);
        assert_eq!(kept(&log).len(), 1, "what was told is not kept");
    }

    #[test]
    fn too_many_pauses_are_joined_and_none_is_lost() {
        let mut log = PauseLog::of_one();
        let all = 25_000_u64;
        (0..all).for_each(|k| log.add(100 * k * MS, (100 * k + 30) * MS));
        let kept = kept(&log);
        assert!(kept.len() <= MOST + 1);
        let covers = |at: Nanos| kept.iter().any(|pause| pause.0 <= at && at < pause.1);
        assert!((0..all).step_by(999).all(|k| covers(100 * k * MS) && covers((100 * k + 29) * MS)));
    }
}
