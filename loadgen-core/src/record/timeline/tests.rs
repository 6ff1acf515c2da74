use super::*;
use crate::clock::SECOND;
use Population::{Established, Fresh};
use proptest::prelude::*;

proptest! {
    #[test]
    fn buckets_are_monotone_and_tight(value: u64, other: u64) {
        prop_assert!(usize::from(bucket(value)) < BUCKETS);
        let middle = bucket_middle(bucket(value));
        prop_assert!(middle.abs_diff(value) <= value / 128, "{value} {middle}");
        if value <= other {
            prop_assert!(bucket(value) <= bucket(other));
        }
    }

    #[test]
    fn merging_equals_recording_in_one(
        calls in prop::collection::vec((0..20 * SECOND, 1..5 * SECOND, any::<bool>()), 1..300),
        long in any::<bool>(),
    ) {
        let scale = if long { 400 } else { 1 };
        let mut one = Timeline::new(0);
        let mut parts = [Timeline::new(0), Timeline::new(0)];
        for (i, &(intended, response, fresh)) in calls.iter().enumerate() {
            let population = if fresh { Fresh } else { Established };
            for timeline in [&mut one, &mut parts[i % 2]] {
                timeline.response(population, intended * scale, response);
                timeline.at(intended * scale).offered += 1;
            }
        }
        let [mut merged, other] = parts;
        merged.merge(other);
        prop_assert_eq!(merged.step(), one.step());
        prop_assert_eq!(merged.steps(), one.steps());
        for population in Population::ALL {
            prop_assert_eq!(merged.windows(population), one.windows(population));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is left of it while it goes on, and comes late.
    #[test]
    fn parts_in_time_are_one(
        calls in prop::collection::vec((0..20 * SECOND, 1..5 * SECOND, any::<bool>()), 1..100),
        parts in prop::collection::vec(0..100_usize, 0..5),
        long in any::<bool>(),
    ) {
        let scale = if long { 400 } else { 1 };
        let mut one = Timeline::new(0);
        let (mut part, mut left) = (Timeline::new(0), Vec::new());
        for (i, &(intended, response, fresh)) in calls.iter().enumerate() {
            if parts.contains(&i) {
                let mut next = Timeline::new(0);
                next.follow(&part);
                left.push(std::mem::replace(&mut part, next));
            }
            let population = if fresh { Fresh } else { Established };
            for timeline in [&mut one, &mut part] {
                timeline.response(population, intended * scale, response);
                timeline.at(intended * scale).offered += 1;
            }
        }
        left.into_iter().for_each(|other| part.merge(other));
        while part.step() < one.step() {
            part.coarsen();
        }
        prop_assert_eq!(part.steps(), one.steps());
        for population in Population::ALL {
            prop_assert_eq!(part.windows(population), one.windows(population));
        }
    }
}

#[test]
fn late_calls_count_where_their_users_came() {
    let mut timeline = Timeline::new(SECOND);
    timeline.response(Established, 0, 5 * MILLISECOND);
    timeline.response(Established, 300 * MILLISECOND, MILLISECOND);
    timeline.response(Established, 50 * MILLISECOND, 400 * MILLISECOND);
    let windows = timeline.windows(Established);
    assert_eq!(windows.iter().map(Window::count).collect::<Vec<_>>(), [2, 0, 0, 1]);
    assert_eq!(windows[0].max_ns, 400 * MILLISECOND);
    let p50 = windows[0].quantile_ns(0.5).unwrap();
    assert!(p50.abs_diff(5 * MILLISECOND) <= 5 * MILLISECOND / 128, "{p50}");
    assert!(timeline.windows(Fresh).is_empty());
}

#[test]
fn long_runs_are_coarsened() {
    let mut timeline = Timeline::new(0);
    timeline.at(0).answered += 1;
    timeline.at(9_999 * SECOND).answered += 2;
    assert_eq!(timeline.step(), 4 * FINEST_STEP);
    assert!((timeline.steps().len() as u64) < MAX_STEPS);
    assert_eq!(timeline.steps().iter().map(|c| c.answered).sum::<u32>(), 3);
}
