//! A timeline as it is written down: columns of steps, and the windows of each population.

use serde::{Deserialize, Serialize};

use super::{
    Counters, FINEST_STEP, MAX_STEPS, MAX_WIDTHS, Nanos, STEPS_PER_WINDOW, Timeline, Window,
};

/// The longest response time of a window in ns, and how many times lie in which bucket.
type Written = (u64, Vec<(u16, u32)>);

/// A timeline in columns: what happened in each step, from the first on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Columns {
    step_ns: Nanos,
    /// The window that the first step begins.
    first_window: u64,
    offered: Vec<u32>,
    started: Vec<u32>,
    answered: Vec<u32>,
    failed: Vec<u32>,
    shed: Vec<u32>,
    bytes_sent: Vec<u64>,
    bytes_received: Vec<u64>,
    established: Vec<Written>,
    fresh: Vec<Written>,
}

impl From<Timeline> for Columns {
    fn from(mut timeline: Timeline) -> Self {
        timeline.close(0);
        timeline.close(1);
        let steps = timeline.steps;
        let [established, fresh] = timeline.windows.map(|windows| {
            windows.into_iter().map(|window| (window.max_ns, window.buckets)).collect()
        });
        Self {
            step_ns: timeline.step,
            first_window: timeline.first,
            offered: steps.iter().map(|step| step.offered).collect(),
            started: steps.iter().map(|step| step.started).collect(),
            answered: steps.iter().map(|step| step.answered).collect(),
            failed: steps.iter().map(|step| step.failed).collect(),
            shed: steps.iter().map(|step| step.shed).collect(),
            bytes_sent: steps.iter().map(|step| step.bytes_sent).collect(),
            bytes_received: steps.iter().map(|step| step.bytes_received).collect(),
            established,
            fresh,
        }
    }
}

impl TryFrom<Columns> for Timeline {
    type Error = &'static str;

    fn try_from(columns: Columns) -> Result<Self, Self::Error> {
        let n = columns.offered.len();
        let lengths = [
            columns.started.len(),
            columns.answered.len(),
            columns.failed.len(),
            columns.shed.len(),
            columns.bytes_sent.len(),
            columns.bytes_received.len(),
        ];
        let first = columns.first_window;
        let end = first.saturating_mul(STEPS_PER_WINDOW).saturating_add(n as u64);
        if end > MAX_STEPS + STEPS_PER_WINDOW || lengths.iter().any(|length| *length != n) {
            return Err("the columns of a timeline have the same length, of 360,000 steps at most");
        }
        // Widths are doubled as often as it takes. A load that goes on for days begins with wider ones
        // ([`Timeline::coarse`]), and is never one of several processes'.
        let times = columns.step_ns / FINEST_STEP;
        let is_width = times.is_power_of_two() && times <= MAX_WIDTHS;
        if !columns.step_ns.is_multiple_of(FINEST_STEP) || !is_width {
            return Err("the width of a step is 10 ms, doubled some times");
        }
        let most = (MAX_STEPS / STEPS_PER_WINDOW + 1).saturating_sub(first);
        let mut windows = [Vec::new(), Vec::new()];
        for (into, from) in windows.iter_mut().zip([columns.established, columns.fresh]) {
            if from.len() as u64 > most {
                return Err("a timeline has a window for ten steps");
            }
            for (max_ns, buckets) in from {
                let window = Window::of(buckets, max_ns);
                into.push(window.ok_or("the buckets of a window are in order")?);
            }
        }
        let step = |i: usize| Counters {
            offered: columns.offered[i],
            started: columns.started[i],
            answered: columns.answered[i],
            failed: columns.failed[i],
            shed: columns.shed[i],
            bytes_sent: columns.bytes_sent[i],
            bytes_received: columns.bytes_received[i],
        };
        let steps = (0..n).map(step).collect();
        Ok(Self { step: columns.step_ns, first, steps, windows, ..Self::new(0) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::*;
    use crate::clock::SECOND;

    /// Holds a timeline of these calls against what is read back of it, as both go on.
    fn comes_back_and_goes_on(calls: &[(Nanos, Nanos, bool)]) -> Timeline {
        let mut timeline = Timeline::new(0);
        for &(intended, response, fresh) in calls {
            let population = Population::ALL[usize::from(fresh)];
            timeline.response(population, intended, response);
            timeline.at(intended).bytes_sent += 7;
        }
        let mut later = Timeline::new(0);
        later.follow(&timeline);
        let text = serde_json::to_string(&later).unwrap();
        assert_eq!(serde_json::from_str::<Timeline>(&text).unwrap().first, later.first);
        let text = serde_json::to_string(&timeline).unwrap();
        let mut back: Timeline = serde_json::from_str(&text).unwrap();
        assert_eq!((back.step(), back.steps()), (timeline.step(), timeline.steps()));
        for population in Population::ALL {
            assert_eq!(back.windows(population), timeline.windows(population));
        }
        back.response(Population::Fresh, 5 * SECOND, 3);
        timeline.response(Population::Fresh, 5 * SECOND, 3);
        assert_eq!(back.windows(Population::Fresh), timeline.windows(Population::Fresh));
        timeline
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_comes_back_and_goes_on(
            calls in prop::collection::vec((0..20 * SECOND, 1..5 * SECOND, any::<bool>()), 0..100),
        ) {
            comes_back_and_goes_on(&calls);
        }
    }

    #[test]
    fn one_of_a_long_run_does_so_too() {
        let calls = [(SECOND, SECOND, true), (8000 * SECOND, 1, false), (7 * SECOND, 9, true)];
        assert_eq!(comes_back_and_goes_on(&calls).step(), 4 * FINEST_STEP);
    }

    #[test]
    fn what_is_no_timeline_is_refused() {
        let good = serde_json::to_value(Timeline::new(0)).unwrap();
        for (key, value) in [
            ("step_ns", serde_json::json!(0)),
            ("step_ns", serde_json::json!(15_000_000)),
            ("step_ns", serde_json::json!(1_000_000_000)),
            ("step_ns", serde_json::json!(10_000_000_u64 << 30)),
            ("offered", serde_json::json!([1])),
            ("first_window", serde_json::json!(40_000)),
            ("fresh", serde_json::json!([[1, [[3, 1], [2, 1]]]])),
            ("fresh", serde_json::json!([[1, [[65_000, 1]]]])),
            ("more", serde_json::json!(1)),
        ] {
            let mut bad = good.clone();
            bad[key] = value;
            assert!(serde_json::from_value::<Timeline>(bad).is_err(), "{key}");
        }
    }
}
