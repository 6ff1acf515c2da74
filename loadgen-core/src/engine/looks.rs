//! When a worker looked at its sockets, and its own pauses.
//!
//! **It is** what keeps the generator's lateness apart from the server's: two
//! things follow from it.
//!
//! - A time limit of a call has passed only when the worker has *looked at the
//!   sockets after it* and found nothing ([`Looks::looked`]). What the kernel
//!   received while the worker was not looking (stopped, without a CPU, busy) is
//!   read first.
//! - A *pause* is the time between two looks beyond the sleep that was asked for,
//!   if it is longer than [`NOTABLE`]. Pauses are kept, so that of any call can be
//!   told how much of its response time they may be.
//!
//! The latter is an upper bound; [`catch_up.rs`](super::catch_up) has the argument. A
//! long pause of one thread delays the calls of the others, too: they tell each other
//! ([`Standstill`]).
//!
//! Time is a parameter: it has no clock.

use std::collections::VecDeque;
use std::sync::Arc;

use super::catch_up::{CatchUp, KEPT};
use super::standstill::Standstill;
use crate::clock::{MILLISECOND, Nanos};
use crate::record::{CallRecord, LONG_PAUSE, PauseLog, PauseRecord};

/// Longer times without a look are pauses.
pub(super) const NOTABLE: Nanos = MILLISECOND;

/// A worker sleeps no longer than this, so that a pause within a sleep shows but
/// for this much of it.
pub(super) const LOOK_EVERY: Nanos = 5 * MILLISECOND;

/// A time without a look.
#[derive(Debug, Clone, Copy)]
struct Pause {
    start: Nanos,
    end: Nanos,
    /// The sum of those before it.
    before: Nanos,
}

impl Pause {
    fn len(&self) -> Nanos {
        self.end - self.start
    }
}

/// See above. A round of the loop tells it: [`Self::begins`], then
/// [`Self::sleeps`], then [`Self::has_looked`].
#[derive(Debug)]
pub(super) struct Looks {
    /// What the kernel had received by then has been read.
    looked: Nanos,
    /// Looks since then, in a row, that were too small for all that was ready.
    partly: Option<(Nanos, u32)>,
    /// Since when no look has begun; it is late after `late_from`.
    since: Nanos,
    /// When the next look is due.
    due: Nanos,
    late_from: Nanos,
    pauses: VecDeque<Pause>,
    /// All pauses, those that are kept no longer, too.
    sum: Nanos,
    catch_up: CatchUp,
    /// The long pauses of all threads, and how much of them is known here.
    standstill: Arc<Standstill>,
    known: Nanos,
    /// The load has begun, and with it the clock.
    begun: bool,
    /// Pauses that end before it are left out of `record`.
    warmup_end: Nanos,
    pub(super) record: PauseRecord,
    /// The longer ones, with the sleep before them: nothing was seen in that either.
    pub(super) log: PauseLog,
    /// The same for somebody who is told while the run goes on, if anybody is.
    pub(super) news: Option<PauseLog>,
}

impl Looks {
    pub(super) fn new(warmup_end: Nanos, standstill: Arc<Standstill>) -> Self {
        Self {
            looked: 0,
            partly: None,
            since: 0,
            due: 0,
            late_from: Nanos::MAX,
            pauses: VecDeque::new(),
            sum: 0,
            catch_up: CatchUp::new(0),
            standstill,
            known: 0,
            begun: false,
            warmup_end,
            record: PauseRecord::default(),
            log: PauseLog::of_one(),
            news: None,
        }
    }

    /// The load begins, with so many calls outstanding: the clock begins anew.
    pub(super) fn restart(&mut self, now: Nanos, outstanding: u64) {
        let new = Self::new(self.warmup_end, Arc::clone(&self.standstill));
        let news = self.news.as_ref().map(|_| PauseLog::of_one());
        *self = Self { catch_up: CatchUp::new(outstanding), begun: true, news, ..new };
        self.stand_at(now, now);
    }

    /// Somebody is told of pauses while the run goes on.
    pub(super) fn tell_news(&mut self) {
        self.news = Some(PauseLog::of_one());
    }

    /// Whether the load has begun. The times of what comes before are on another clock.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// A time limit before this has passed: the sockets were looked at after it.
    pub(super) fn looked(&self) -> Nanos {
        self.looked
    }

    fn stand_at(&mut self, since: Nanos, due: Nanos) {
        self.since = since;
        self.due = due;
        self.late_from = due.saturating_add(NOTABLE);
    }

    /// A round begins: what was ready has been handled.
    #[inline]
    pub(super) fn begins(&mut self, now: Nanos) {
        if now > self.late_from {
            self.pause(now);
        }
        if self.standstill.sum() != self.known {
            self.hear();
        }
        self.stand_at(now, now);
    }

    /// The worker asks to be woken after `asked` or when something is ready;
    /// `outstanding` calls are under way or wait.
    #[inline]
    pub(super) fn sleeps(&mut self, now: Nanos, asked: Nanos, outstanding: u64) {
        if now > self.late_from {
            self.pause(now);
        }
        self.catch_up.outstanding(outstanding);
        self.stand_at(now, now.saturating_add(asked));
    }

    /// What was ready has been handled. `full`: there may be more; after `most` such
    /// looks in a row whoever was ready at the first has had its turn.
    #[inline]
    pub(super) fn has_looked(&mut self, full: bool, most: u32) {
        if full {
            let (first, looks) = self.partly.get_or_insert((self.since, 0));
            *looks += 1;
            if *looks < most {
                return;
            }
            self.looked = *first;
        } else {
            self.looked = self.since;
        }
        self.partly = None;
    }

    /// All arrivals that are due have been taken up, and so many calls are outstanding.
    #[inline]
    pub(super) fn keeps_up(&mut self, now: Nanos, outstanding: u64) {
        self.catch_up.keeps_up(now, outstanding);
    }

    /// What may be lost for the generator's lateness.
    pub(super) fn catch_up(&mut self) -> &mut CatchUp {
        &mut self.catch_up
    }

    /// Whether a call that ran out of time, now, may owe that to `delay`, of its time.
    pub(super) fn explains_a_timeout(&mut self, call: &CallRecord, delay: Nanos) -> bool {
        let waited = call.done.saturating_sub(call.sent);
        delay >= NOTABLE && self.catch_up.explains_a_timeout(call.done, delay, waited)
    }

    #[cold]
    fn pause(&mut self, end: Nanos) {
        if self.pauses.len() == KEPT {
            self.pauses.pop_front();
        }
        let start = self.since;
        self.pauses.push_back(Pause { start, end, before: self.sum });
        self.sum += end - start;
        self.catch_up.delayed(start, end);
        if self.begun && end - start >= LONG_PAUSE {
            self.known += self.standstill.add(start, end);
        }
        self.log.add(start, end);
        if let Some(news) = &mut self.news {
            news.add(start, end);
        }
        if end > self.warmup_end {
            self.record.add(self.due, end);
        }
    }

    /// Another thread stood still.
    #[cold]
    fn hear(&mut self) {
        let sum = self.standstill.sum();
        let (length, end) = (sum - self.known, self.standstill.end());
        self.known = sum;
        self.catch_up.delayed(end.saturating_sub(length), end);
    }

    /// Whether a call that was to start at `intended` and ended at `done`, now, may
    /// owe some of its time to a pause.
    #[inline]
    pub(super) fn may_have_delayed(&self, intended: Nanos, done: Nanos) -> bool {
        self.catch_up.may_have_delayed(intended) || done > self.late_from
    }

    /// How much of its time that may be, at most.
    pub(super) fn delay(&self, intended: Nanos, done: Nanos) -> Nanos {
        let kept = self.catch_up.delay(intended);
        (kept + self.going_on(intended, done)).min(done.saturating_sub(intended))
    }

    /// How long the worker did not look, from `from` to now (`now`).
    pub(super) fn within(&self, from: Nanos, now: Nanos) -> Nanos {
        let first = self.pauses.partition_point(|pause| pause.end <= from);
        let kept = self.pauses.get(first).map_or(0, |pause| {
            self.sum - pause.before - from.saturating_sub(pause.start).min(pause.len())
        });
        kept + self.going_on(from, now)
    }

    /// The part from `from` on of a pause that has not ended.
    fn going_on(&self, from: Nanos, now: Nanos) -> Nanos {
        if now > self.late_from { now - self.since.max(from).min(now) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = MILLISECOND;

    fn alone(warmup_end: Nanos) -> Looks {
        Looks::new(warmup_end, Arc::default())
    }

    /// A worker that has looked every ms up to 100 ms, with three calls outstanding.
    fn steady() -> Looks {
        let mut looks = alone(0);
        looks.restart(0, 0);
        for ms in 0..100 {
            round(&mut looks, ms * MS, MS, 3);
        }
        looks
    }

    fn round(looks: &mut Looks, now: Nanos, asked: Nanos, outstanding: u64) {
        looks.begins(now);
        looks.keeps_up(now, outstanding);
        if now.is_multiple_of(100 * MS) {
            looks.catch_up().tenth_of_a_second();
        }
        looks.sleeps(now, asked, outstanding);
        looks.has_looked(false, 1);
    }

    #[test]
    fn sleeping_as_asked_is_no_pause() {
        let mut looks = steady();
        round(&mut looks, 100 * MS, 50 * MS, 3);
        round(&mut looks, 150 * MS + NOTABLE, 0, 3);
        assert_eq!(looks.record, PauseRecord::default());
        assert!(!looks.may_have_delayed(0, 151 * MS));
        assert_eq!(looks.within(0, 151 * MS), 0);
    }

    #[test]
    fn a_pause_is_what_goes_beyond_the_sleep() {
        let mut looks = steady();
        round(&mut looks, 100 * MS, 5 * MS, 3);
        // While it is handled what was ready meanwhile, the pause shows already.
        assert_eq!(looks.delay(90 * MS, 805 * MS), 705 * MS);
        looks.begins(805 * MS);
        let expected = PauseRecord { longest: 700 * MS, at: 105 * MS, count: 1, sum: 700 * MS };
        assert_eq!(looks.record, expected);
        assert_eq!(looks.within(0, 805 * MS), 705 * MS);
        assert_eq!(looks.within(600 * MS, 805 * MS), 205 * MS);
        assert_eq!(looks.within(805 * MS, 806 * MS), 0);
    }

    #[test]
    fn work_between_two_looks_is_a_pause_too() {
        let mut looks = steady();
        looks.begins(100 * MS);
        assert_eq!(looks.within(0, 130 * MS), 30 * MS, "a call that ends in it");
        looks.sleeps(150 * MS, 2 * MS, 3);
        assert_eq!(looks.record.longest, 50 * MS);
    }

    #[test]
    fn a_limit_has_passed_only_when_looked_at_after_it() {
        let mut looks = steady();
        looks.begins(100 * MS);
        looks.sleeps(100 * MS, 5 * MS, 3);
        assert_eq!(looks.looked(), 99 * MS);
        looks.has_looked(true, 3);
        assert_eq!(looks.looked(), 99 * MS, "something was left in the kernel");
        looks.begins(800 * MS);
        looks.sleeps(800 * MS, 0, 3);
        looks.has_looked(false, 3);
        assert_eq!(looks.looked(), 800 * MS);
        // More than one look can tell: those that were ready first have their turn.
        for ms in 801..804 {
            looks.begins(ms * MS);
            looks.sleeps(ms * MS, 0, 3);
            looks.has_looked(true, 3);
        }
        assert_eq!(looks.looked(), 801 * MS);
    }

    #[test]
    fn who_comes_behind_the_late_ones_may_owe_it_as_much() {
        let mut looks = steady();
        round(&mut looks, 100 * MS, 0, 3);
        round(&mut looks, 200 * MS, MS, 50);
        looks.catch_up().took_up_late(150 * MS, 200 * MS);
        assert_eq!(looks.catch_up().explains_waiting(9), 1);
        assert!(looks.catch_up().explains_a_loss() && !looks.catch_up().explains_a_loss());
        looks.catch_up().took_up_late(150 * MS, 200 * MS);
        for ms in 201..250 {
            round(&mut looks, ms * MS, MS, 250 - ms);
        }
        // Caught up at 247 ms, with three outstanding.
        assert!(!looks.catch_up().explains_a_loss());
        assert_eq!(looks.delay(150 * MS, 250 * MS), 100 * MS);
        assert_eq!(looks.delay(230 * MS, 250 * MS), 20 * MS, "no more than it took");
        assert_eq!(looks.delay(248 * MS, 250 * MS), 0);
        assert!(!looks.may_have_delayed(248 * MS, 249 * MS));
    }

    #[test]
    fn a_short_pause_does_not_explain_a_long_freeze() {
        let mut looks = steady();
        round(&mut looks, 100 * MS, 0, 3);
        for ms in 102..5_000 {
            round(&mut looks, ms * MS, MS, ms);
        }
        assert_eq!(looks.delay(110 * MS, 5_000 * MS), 2 * MS);
    }

    #[test]
    fn a_pause_at_the_start_of_a_busy_load_is_not_owed_to_for_ever() {
        let mut looks = alone(0);
        looks.restart(0, 0);
        looks.begins(3 * MS);
        // A steady load: never as few as at the start again.
        for ms in 3..5_000 {
            round(&mut looks, ms * MS, MS, 30 + ms % 7);
        }
        assert!(looks.may_have_delayed(1_000 * MS, 1_010 * MS));
        assert!(!looks.may_have_delayed(2_000 * MS, 2_010 * MS));
        // A queue that is worked off is another thing.
        round(&mut looks, 5_100 * MS, MS, 4_000);
        for ms in 5_101..9_000 {
            round(&mut looks, ms * MS, MS, 9_030 - ms);
        }
        assert_eq!(looks.delay(8_000 * MS, 9_000 * MS), 101 * MS);
    }

    #[test]
    fn the_users_of_a_closed_loop_are_caught_up_at_once() {
        let mut looks = alone(0);
        looks.restart(0, 64);
        round(&mut looks, 5 * MS, MS, 64);
        assert!(looks.may_have_delayed(4 * MS, 6 * MS));
        assert!(!looks.may_have_delayed(5 * MS, 6 * MS));
    }

    #[test]
    fn the_warm_up_is_left_out_of_the_record_alone() {
        let mut looks = alone(500 * MS);
        looks.restart(0, 0);
        looks.begins(100 * MS);
        assert_eq!(looks.record.count, 0);
        assert_eq!(looks.within(0, 100 * MS), 100 * MS);
        looks.begins(600 * MS);
        assert_eq!(looks.record.count, 1);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut looks = alone(0);
        looks.restart(0, 0);
        for i in 1..100_000 {
            looks.begins(i * 2 * MS);
        }
        assert_eq!(looks.pauses.len(), KEPT);
        assert_eq!(looks.within(199_990 * MS, 199_998 * MS), 8 * MS);
    }

    #[test]
    fn short_pauses_do_not_add_up_for_ever() {
        let mut looks = alone(0);
        looks.restart(0, 0);
        looks.begins(3 * MS);
        let mut ms = 3;
        while ms < 60_000 {
            round(&mut looks, ms * MS, 0, 30 + ms % 7);
            ms += if ms % 1_000 == 999 { 3 } else { 1 };
        }
        assert_eq!(looks.record.count, 60);
        assert!(looks.delay(59_000 * MS, 60_000 * MS) <= 6 * MS);
    }

    #[test]
    fn the_burst_of_one_thread_delays_the_calls_of_another() {
        let standstill = Arc::<Standstill>::default();
        let mut threads = [0, 1].map(|_| Looks::new(0, Arc::clone(&standstill)));
        threads.iter_mut().for_each(|looks| looks.restart(0, 0));
        let [stopped, other] = &mut threads;
        for ms in 0..100 {
            round(stopped, ms * MS, MS, 3);
            round(other, ms * MS, MS, 3);
        }
        for ms in 100..300 {
            round(other, ms * MS, MS, 3);
        }
        assert!(!other.may_have_delayed(200 * MS, 299 * MS));
        round(stopped, 300 * MS, MS, 90);
        round(other, 300 * MS, MS, 20);
        assert_eq!(other.delay(10 * MS, 300 * MS), 201 * MS);
        assert_eq!(other.record.count, 0, "a pause is that of one thread");
        assert_eq!(other.within(0, 300 * MS), 0);
        round(other, 301 * MS, MS, 3);
        assert!(!other.may_have_delayed(301 * MS, 302 * MS));
        // Who stood still himself does not owe it twice, nor does it come back to him.
        round(stopped, 301 * MS, MS, 80);
        round(stopped, 302 * MS, MS, 3);
        round(other, 302 * MS, MS, 3);
        // Both were stopped at once.
        for ms in [700, 701] {
            round(stopped, ms * MS, MS, 100);
            round(other, ms * MS, MS, 100);
        }
        for looks in [stopped, other] {
            assert_eq!(looks.delay(310 * MS, 701 * MS), 391 * MS, "at most all of it");
            assert_eq!(looks.catch_up().delay(310 * MS), 398 * MS);
        }
    }
}
