//! The rules of a run, looked at ten times a second.

use std::collections::VecDeque;
use std::time::Duration;

use super::{AbortRule, Condition};
use crate::clock::{Nanos, SECOND};
use crate::units::format_duration_us;

/// Over how long the share of calls without a good reply is taken.
const SPAN: Nanos = SECOND;

/// What there is to see at one moment: counts since the start of the load.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sight {
    /// Calls with a good reply.
    pub(crate) good: u64,
    /// Calls that ended without one, and those never started.
    pub(crate) bad: u64,
    pub(crate) failed: u64,
    pub(crate) wrong: u64,
    /// 99th percentile of the last window that had replies.
    pub(crate) p99_ns: Option<Nanos>,
}

/// The rules, and since when each is met.
#[derive(Debug, Default)]
pub(crate) struct AbortWatch {
    rules: Vec<(AbortRule, Option<Nanos>)>,
    /// Counts of the last second and a little more, oldest first.
    past: VecDeque<(Nanos, Sight)>,
}

impl AbortWatch {
    pub(crate) fn new(rules: &[AbortRule]) -> Self {
        let rules = rules.iter().map(|rule| (rule.clone(), None)).collect();
        Self { rules, past: VecDeque::from([(0, Sight::default())]) }
    }

    /// Takes a look at `now` (from the start of the load): the first rule that is met, and
    /// what was seen of it.
    pub(crate) fn look(&mut self, now: Nanos, sight: Sight) -> Option<(AbortRule, String)> {
        // The last that is a whole second old stays: the span begins there.
        while self.past.get(1).is_some_and(|(at, _)| at + SPAN <= now) {
            self.past.pop_front();
        }
        let (_, before) = self.past.front().copied().unwrap_or_default();
        // Counts of several workers are not of one moment: one may seem to fall for a look.
        let since = |now: u64, before: u64| now.saturating_sub(before);
        let (bad, good) = (since(sight.bad, before.bad), since(sight.good, before.good));
        let share = (bad + good > 0).then(|| bad as f64 / (bad + good) as f64);
        // Of a window that was told before nothing new is known.
        let ended_since = |past: &(Nanos, Sight)| past.1.good + past.1.bad < sight.good + sight.bad;
        let is_new = self.past.back().is_none_or(ended_since);
        let p99 = sight.p99_ns.filter(|_| is_new);
        self.past.push_back((now, sight));
        for (rule, since) in &mut self.rules {
            let (holds, lasts) = match rule.condition {
                Condition::ErrorRate { above, lasts } => (share.map(|share| share > above), lasts),
                Condition::P99 { above, lasts } => {
                    (p99.map(|p99| u128::from(p99) > above.as_nanos()), lasts)
                }
                Condition::Failed { above } => (Some(sight.failed > above), Duration::ZERO),
                Condition::Wrong { above } => (Some(sight.wrong > above), Duration::ZERO),
            };
            match holds {
                Some(true) => *since = since.or(Some(now)),
                Some(false) => *since = None,
                None => {}
            }
            let met = |since: Nanos| u128::from(now.saturating_sub(since)) >= lasts.as_nanos();
            if since.is_some_and(met) {
                let seen = match rule.condition {
                    Condition::ErrorRate { .. } => format!(
                        "{bad} of the {} calls that ended in the last second brought no good reply",
                        bad + good
                    ),
                    Condition::P99 { .. } => {
                        let p99 = sight.p99_ns.map_or(0.0, |ns| ns as f64 / 1e3);
                        format!("the last 99th percentile was {}", format_duration_us(p99))
                    }
                    Condition::Failed { .. } => format!("{} calls had failed", sight.failed),
                    Condition::Wrong { .. } => match sight.wrong {
                        1 => "1 reply was not as expected".to_owned(),
                        wrong => format!("{wrong} replies were not as expected"),
                    },
                };
                return Some((rule.clone(), seen));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::MILLISECOND;

    const LOOK: Nanos = 100 * MILLISECOND;

    /// When the rule is met, with so many good and bad calls a look from each of these times on.
    fn met(rule: &str, courses: &[(Nanos, u64, u64)], end: Nanos) -> Option<Nanos> {
        let mut watch = AbortWatch::new(&[rule.parse().unwrap()]);
        let mut sight = Sight::default();
        (LOOK..=end).step_by(LOOK as usize).find(|now| {
            let course = courses.iter().rev().find(|(from, ..)| from < now);
            let (_, good, bad) = course.copied().unwrap_or_default();
            sight.good += good;
            sight.bad += bad;
            sight.failed += bad;
            sight.p99_ns = Some(bad * MILLISECOND).filter(|p99| *p99 > 0);
            watch.look(*now, sight).is_some()
        })
    }

    #[test]
    fn an_error_rate_has_to_last() {
        let down = [(0, 10, 0), (10 * SECOND, 0, 10)];
        let at = met("error-rate>50% for 5s", &down, 60 * SECOND).unwrap();
        // More than half of the last second: from its half on.
        assert!((15_500 * MILLISECOND..=15_700 * MILLISECOND).contains(&at), "{at}");
        let blip = [(0, 10, 0), (10 * SECOND, 0, 10), (14 * SECOND, 10, 0)];
        assert_eq!(met("error-rate>50% for 5s", &blip, 60 * SECOND), None);
        let half = [(0, 5, 5)];
        assert_eq!(met("error-rate>50% for 1s", &half, 60 * SECOND), None);
        assert_eq!(met("error-rate>49% for 1s", &half, 60 * SECOND), Some(LOOK + SECOND));
    }

    #[test]
    fn silence_changes_nothing() {
        let silent = [(0, 10, 0), (SECOND, 0, 10), (2 * SECOND, 0, 0)];
        let at = met("error-rate>50% for 5s", &silent, 60 * SECOND).unwrap();
        assert!(at < 7 * SECOND, "{at}");
        let silent = [(0, 10, 0), (SECOND, 0, 0)];
        assert_eq!(met("error-rate>50% for 5s", &silent, 60 * SECOND), None);
    }

    #[test]
    fn counts_are_of_the_run() {
        let trickle = [(0, 10, 1)];
        assert_eq!(met("failed>20", &trickle, 60 * SECOND), Some(21 * LOOK));
        assert_eq!(met("wrong>0", &trickle, 60 * SECOND), None);
        let slow = [(0, 10, 0), (SECOND, 10, 30)];
        assert_eq!(met("p99>29ms for 2s", &slow, 60 * SECOND), Some(3 * SECOND + LOOK));
        assert_eq!(met("p99>30ms for 2s", &slow, 60 * SECOND), None);
    }

    #[test]
    fn counts_that_seem_to_fall_are_borne() {
        let mut watch = AbortWatch::new(&["error-rate>50% for 100ms".parse().unwrap()]);
        for (now, good) in [(LOOK, 10), (2 * LOOK, 9), (30 * LOOK, 8)] {
            let sight = Sight { good, bad: 1, ..Sight::default() };
            assert_eq!(watch.look(now, sight), None);
        }
    }

    proptest! {
        #[test]
        fn it_is_met_within_its_time_and_a_second_and_never_too_early(
            from in 0..50_u64,
            tenths in 1..40_u64,
            good in 1..50_u64,
            share in 1..100_u64,
        ) {
            let (from, lasts) = (from * LOOK, tenths * LOOK);
            let rule = format!("error-rate>{share}% for {}ms", lasts / MILLISECOND);
            let at = met(&rule, &[(0, good, 0), (from, 0, good)], 20 * SECOND).unwrap();
            prop_assert!(at >= from + lasts, "{at} {from} {lasts}");
            prop_assert!(at <= from + lasts + SPAN + LOOK, "{at} {from} {lasts}");
        }
    }
}
