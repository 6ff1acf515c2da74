//! What the generator's lateness makes of the calls behind it: which of them may owe it
//! some of their time, or that they were lost.
//!
//! **The queue argument.** In any queue that is served in order, moving arrivals by at
//! most *P* moves departures by at most *P*. So each call that was there in a delay of
//! *P*, or came before it was *caught up*, may owe it up to *P*, and no more: an upper
//! bound, in the server's favour.
//!
//! A delay is caught up when no more calls are outstanding than there were at most in
//! the half second before it. What a load without such a past (one that began with a
//! pause) would come to is not known: it is caught up, too, when the calls outstanding
//! have ceased to get fewer ([`WINDOW`]). A later pause, before that, holds this up only
//! until as few are outstanding as before it; otherwise pauses that come again and again
//! would add up without end.
//!
//! **Losses.** A late arrival takes the place of at most one other: as many losses may be
//! owed to it. Not so time limits: the server works on for those who have gone, so that
//! more of them pass than there were late arrivals. One that is no longer than the delay
//! itself may always be owed to it.

use std::collections::VecDeque;

use crate::clock::{MILLISECOND, Nanos};
use crate::record::LONG_PAUSE;

/// A queue that is worked off gets shorter from one such window to the next. After two
/// in which the fewest calls outstanding were no fewer than before, nothing of it is left.
const WINDOW: Nanos = 500 * MILLISECOND;
const LEVEL_WINDOWS: u32 = 2;

/// Parts of the half second over which the most calls outstanding are kept.
const PARTS: usize = 5;

/// Who has a tenth of his capacity to spare has worked off a delay after ten times its
/// length. So long may calls that run out of time be all that is seen of a queue.
const WORKED_OFF_AFTER: u64 = 10;

/// Delays kept: over a minute, if there is nothing else.
pub(super) const KEPT: usize = 64 * 1024;

#[derive(Debug, Clone, Copy)]
struct Delay {
    /// The sum of those before it.
    before: Nanos,
    /// When what it had delayed was done; `MAX`: it is not.
    caught_up: Nanos,
}

/// Whether the calls outstanding still get fewer.
#[derive(Debug, Clone, Copy)]
struct Decline {
    /// The fewest in this window and in the one before.
    fewest: u64,
    last: u64,
    ends: Nanos,
    level: u32,
    /// Calls ran out of time in this window: the server may have more to do than is
    /// outstanding.
    blind: bool,
}

impl Decline {
    fn since(now: Nanos) -> Self {
        let ends = now.saturating_add(WINDOW);
        Self { fewest: u64::MAX, last: u64::MAX, ends, level: 0, blind: false }
    }

    /// Whether it is over.
    fn is_over(&mut self, now: Nanos, outstanding: u64) -> bool {
        self.fewest = self.fewest.min(outstanding);
        if now >= self.ends {
            let is_level = self.fewest >= self.last && !self.blind;
            self.level = if is_level { self.level + 1 } else { 0 };
            self.last = self.fewest;
            self.fewest = u64::MAX;
            self.ends = now.saturating_add(WINDOW);
            self.blind = false;
        }
        self.level >= LEVEL_WINDOWS
    }
}

/// What is being caught up.
#[derive(Debug)]
struct Open {
    /// Calls outstanding before it, at most.
    level: u64,
    decline: Decline,
    /// The decline that a later long pause broke into, with what was left of its window,
    /// and the calls outstanding before that pause, at most.
    held: Option<(Decline, Nanos, u64)>,
}

/// See above. Whoever uses it tells it of delays, and how many calls are outstanding.
#[derive(Debug)]
pub(super) struct CatchUp {
    /// The most calls outstanding in each of the last tenths of a second, and since then.
    highs: [u64; PARTS],
    high: u64,
    open: Option<Open>,
    delays: VecDeque<Delay>,
    /// All delays, those that are kept no longer, too.
    sum: Nanos,
    /// The end of the last one.
    end: Nanos,
    /// No call that was to start later owes anything; `MAX` while something is open.
    until: Nanos,
    /// So long may time limits that pass hide a queue.
    hidden_until: Nanos,
    /// Late arrivals of what is being caught up for which none was lost yet.
    late: u64,
}

impl CatchUp {
    /// The load begins, with so many calls outstanding.
    pub(super) fn new(outstanding: u64) -> Self {
        Self {
            highs: [0; PARTS],
            high: outstanding,
            open: None,
            delays: VecDeque::new(),
            sum: 0,
            end: 0,
            until: 0,
            hidden_until: 0,
            late: 0,
        }
    }

    /// So many calls are outstanding.
    #[inline]
    pub(super) fn outstanding(&mut self, outstanding: u64) {
        self.high = self.high.max(outstanding);
    }

    /// To be told ten times a second.
    pub(super) fn tenth_of_a_second(&mut self) {
        self.highs.rotate_right(1);
        self.highs[0] = self.high;
        self.high = 0;
    }

    fn high_water(&self) -> u64 {
        self.highs.iter().copied().fold(self.high, u64::max)
    }

    /// A delay from `start` to `end`. What was told already does not count twice.
    #[cold]
    pub(super) fn delayed(&mut self, start: Nanos, end: Nanos) {
        let start = start.max(self.end);
        let Some(length) = end.checked_sub(start).filter(|length| *length > 0) else { return };
        if self.delays.len() == KEPT {
            self.delays.pop_front();
        }
        self.delays.push_back(Delay { before: self.sum, caught_up: Nanos::MAX });
        self.sum += length;
        self.end = end;
        self.until = Nanos::MAX;
        self.hidden_until =
            self.hidden_until.max(end.saturating_add(length.saturating_mul(WORKED_OFF_AFTER)));
        let level = self.high_water();
        match &mut self.open {
            None => self.open = Some(Open { level, decline: Decline::since(end), held: None }),
            Some(open) if length >= LONG_PAUSE => {
                let left = open.decline.ends.saturating_sub(start);
                open.held.get_or_insert((open.decline, left, level));
                open.decline = Decline::since(end);
            }
            Some(_) => {}
        }
    }

    /// All arrivals that are due have been taken up, and so many calls are outstanding.
    #[inline]
    pub(super) fn keeps_up(&mut self, now: Nanos, outstanding: u64) {
        if self.open.is_some() {
            self.close_if_over(now, outstanding);
        }
    }

    #[cold]
    fn close_if_over(&mut self, now: Nanos, outstanding: u64) {
        let Some(open) = &mut self.open else { return };
        if let Some((decline, left, level)) = open.held
            && outstanding <= level
        {
            open.decline = Decline { ends: now.saturating_add(left), ..decline };
            open.held = None;
        }
        let as_before = outstanding <= open.level;
        if !(as_before || open.decline.is_over(now, outstanding)) {
            return;
        }
        if as_before {
            // What was outstanding meanwhile is no measure for the next one.
            (self.highs, self.high) = ([open.level; PARTS], outstanding);
        }
        self.open = None;
        self.late = 0;
        self.until = now;
        for delay in self.delays.iter_mut().rev().take_while(|d| d.caught_up == Nanos::MAX) {
            delay.caught_up = now;
        }
    }

    /// Whether a call that was to start at `intended` may owe anything.
    #[inline]
    pub(super) fn may_have_delayed(&self, intended: Nanos) -> bool {
        intended < self.until
    }

    /// How much of its time a call that was to start at `intended` and ends now may owe.
    pub(super) fn delay(&self, intended: Nanos) -> Nanos {
        let first = self.delays.partition_point(|delay| delay.caught_up <= intended);
        self.delays.get(first).map_or(0, |delay| self.sum - delay.before)
    }

    /// An arrival of `intended` was taken up late, now, by more than is worth mentioning.
    /// Where no pause made it late, it is a delay itself.
    pub(super) fn took_up_late(&mut self, intended: Nanos, now: Nanos) {
        if self.open.is_none() {
            self.delayed(intended, now);
        }
        self.late += u64::from(self.open.is_some());
    }

    /// Whether an arrival that was lost may owe that to those that came late.
    pub(super) fn explains_a_loss(&mut self) -> bool {
        let explains = self.late > 0;
        self.late -= u64::from(explains);
        explains
    }

    /// How many of those that wait may owe it to those that came late.
    pub(super) fn explains_waiting(&self, waiting: u64) -> u64 {
        self.late.min(waiting)
    }

    /// Whether a call that got no reply for `waited`, a time limit, and may owe `delay`
    /// of its time, may owe that, too.
    pub(super) fn explains_a_timeout(&mut self, now: Nanos, delay: Nanos, waited: Nanos) -> bool {
        let explains = delay >= waited || self.explains_a_loss();
        if let Some(open) = &mut self.open
            && explains
            && now < self.hidden_until
        {
            open.decline.blind = true;
        }
        explains
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    const MS: Nanos = MILLISECOND;

    /// One look at the calls outstanding each ms, from `from` to `to` (ms).
    fn goes_on(catch_up: &mut CatchUp, from: u64, to: u64, outstanding: impl Fn(u64) -> u64) {
        for ms in from..to {
            if ms % 100 == 0 {
                catch_up.tenth_of_a_second();
            }
            catch_up.keeps_up(ms * MS, outstanding(ms));
            catch_up.outstanding(outstanding(ms));
        }
    }

    #[test]
    fn pauses_do_not_add_up_for_ever() {
        // The load begins with a pause, with none outstanding; it never has as few again.
        for (length, most) in [(2, 4), (30, 60)] {
            let mut catch_up = CatchUp::new(0);
            catch_up.delayed(0, length * MS);
            let mut from = length;
            for second in 1..60 {
                goes_on(&mut catch_up, from, second * 1_000, |ms| 30 + ms % 7);
                from = second * 1_000 + length;
                catch_up.delayed(second * SECOND, from * MS);
                // The burst.
                goes_on(&mut catch_up, from, from + length, |ms| 30 + from + length - ms);
                from += length;
                if second > 4 {
                    assert!(catch_up.delay((from - 5) * MS) <= most * MS, "{length} ms: {second}");
                    assert!(catch_up.delay((second - 1) * SECOND + 900 * MS) <= most * MS);
                }
            }
        }
    }

    #[test]
    fn a_moment_with_few_calls_is_not_what_was_before() {
        let mut catch_up = CatchUp::new(0);
        goes_on(&mut catch_up, 0, 1_000, |ms| if ms == 999 { 1 } else { 40 });
        catch_up.delayed(SECOND, 1_100 * MS);
        goes_on(&mut catch_up, 1_100, 1_201, |ms| 1_240 - ms);
        assert!(!catch_up.may_have_delayed(1_201 * MS), "40 again");
        assert_eq!(catch_up.delay(1_150 * MS), 100 * MS);
    }

    #[test]
    fn the_burst_of_one_pause_is_not_the_past_of_the_next() {
        let mut catch_up = CatchUp::new(0);
        goes_on(&mut catch_up, 0, 1_000, |_| 5);
        catch_up.delayed(SECOND, 1_300 * MS);
        goes_on(&mut catch_up, 1_300, 1_610, |ms| 1_605_u64.saturating_sub(ms).max(5));
        catch_up.delayed(1_610 * MS, 1_700 * MS);
        goes_on(&mut catch_up, 1_700, 1_710, |_| 90);
        assert!(catch_up.may_have_delayed(1_710 * MS));
    }

    #[test]
    fn late_arrivals_explain_no_loss_once_caught_up() {
        let mut catch_up = CatchUp::new(0);
        goes_on(&mut catch_up, 0, 100, |_| 5);
        // Taken up 2 ms late each, though no pause is as long.
        for ms in 100..1_100 {
            catch_up.took_up_late((ms - 2) * MS, ms * MS);
        }
        assert!(catch_up.explains_a_loss(), "an arrival of that time");
        goes_on(&mut catch_up, 1_100, 1_200, |_| 5);
        catch_up.delayed(1_200 * MS, 1_900 * MS);
        assert!(!catch_up.explains_a_loss());
    }

    #[test]
    fn a_delay_that_is_told_twice_counts_once() {
        let mut catch_up = CatchUp::new(0);
        catch_up.delayed(100 * MS, 200 * MS);
        catch_up.delayed(120 * MS, 210 * MS);
        catch_up.delayed(50 * MS, 150 * MS);
        assert_eq!(catch_up.delay(0), 110 * MS);
    }

    #[test]
    fn a_limit_that_the_delay_exceeds_may_pass_more_often_than_arrivals_were_late() {
        let mut catch_up = CatchUp::new(0);
        goes_on(&mut catch_up, 0, 1_000, |_| 3);
        catch_up.delayed(SECOND, 2 * SECOND);
        for _ in 0..180 {
            catch_up.took_up_late(SECOND, 2 * SECOND);
        }
        // As many are outstanding as come within the limit of 400 ms: no decline to be
        // seen, while the server works for those who have gone.
        let mut explained = 0;
        for ms in 2_400..4_400 {
            let now = ms * MS;
            goes_on(&mut catch_up, ms, ms + 1, |_| 72);
            if ms % 7 == 0 {
                let delay = catch_up.delay(now - 400 * MS);
                explained += u64::from(catch_up.explains_a_timeout(now, delay, 400 * MS));
            }
        }
        assert_eq!(explained, 286);
        goes_on(&mut catch_up, 4_400, 5_000, |ms| 72_u64.saturating_sub(ms - 4_400));
        assert_eq!(catch_up.delay(5_000 * MS), 0);
    }

    #[test]
    fn a_server_that_answers_no_more_is_not_excused_for_ever() {
        let mut catch_up = CatchUp::new(0);
        goes_on(&mut catch_up, 0, 1_000, |_| 3);
        catch_up.delayed(SECOND, 2 * SECOND);
        for ms in 2_000..20_000 {
            goes_on(&mut catch_up, ms, ms + 1, |_| 72);
            let delay = catch_up.delay(ms * MS - 400 * MS);
            let explains = catch_up.explains_a_timeout(ms * MS, delay, 400 * MS);
            assert!(ms < 14_000 || !explains, "at {ms} ms");
        }
        // A delay that is shorter than the limit explains as many as came late.
        catch_up.delayed(20 * SECOND, 20 * SECOND + 100 * MS);
        catch_up.took_up_late(20 * SECOND, 20 * SECOND + 100 * MS);
        let now = 21 * SECOND;
        let delay = catch_up.delay(20 * SECOND);
        assert!(catch_up.explains_a_timeout(now, delay, 400 * MS));
        assert!(!catch_up.explains_a_timeout(now, delay, 400 * MS));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut catch_up = CatchUp::new(0);
        for i in 1..100_000 {
            catch_up.delayed(i * 2 * MS, i * 2 * MS + MS);
        }
        assert_eq!(catch_up.delays.len(), KEPT);
    }
}
