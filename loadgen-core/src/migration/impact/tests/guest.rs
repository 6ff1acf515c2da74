//! What was seen of the guest: a step of its clock, and whether it was throttled.

use super::*;

/// Replies every 10 ms of a guest whose clock is `ahead` of ours until the stop and
/// stands still by `behind` in the move; its server renews its `Date` late by `stale`.
fn dates(ahead: i64, behind: i64, stale: i64) -> Vec<DateSample> {
    (0..1_000_u64)
        .map(|k| k * 10 * MS)
        .filter(|at| !(4_995 * MS..5_305 * MS).contains(at))
        .map(|sent| {
            let made = sent + MS;
            let lost = if made > 5_000 * MS { behind } else { 0 };
            let guest = made as i64 + ahead - lost - stale;
            DateSample { date_s: guest.div_euclid(1_000_000_000), sent, received: sent + 2 * MS }
        })
        .collect()
}

#[test]
fn a_clock_that_stood_still_is_told() {
    for ahead in [-500_000_000, 0, 1_790_000_000_123_456_789] {
        for behind in [0, 305_000_000, 3_600_000_000, -2_000_000_000] {
            let mut run = Run::new();
            run.dates = dates(ahead, behind, 0);
            let m = run.impact().migration;
            let (step, bound) =
                (m.guest_clock_step_s.unwrap(), m.guest_clock_step_bound_s.unwrap());
            let truth = -behind as f64 / 1e9;
            assert!((step - truth).abs() <= bound + 1e-9, "{step} ± {bound}, in truth {truth}");
            assert!(bound < 0.03, "{bound}");
        }
    }
}

/// From the year 1 to the year 9999, and back.
#[test]
fn a_clock_of_any_year_is_told() {
    let (first, last) = (-62_135_596_800_i64, 253_402_300_799_i64);
    for (before, after) in [(first, last), (last, first)] {
        let mut run = Run::new();
        run.dates = dates(0, 0, 0);
        for sample in &mut run.dates {
            sample.date_s += if sample.sent < 5_000 * MS { before } else { after };
        }
        let m = run.impact().migration;
        let (step, bound) = (m.guest_clock_step_s.unwrap(), m.guest_clock_step_bound_s.unwrap());
        assert!((step - (after - before) as f64).abs() <= bound + 1e-3, "{step} ± {bound}");
    }
}

#[test]
fn a_date_that_is_always_late_is_no_step() {
    let mut run = Run::new();
    run.dates = dates(0, 0, 700_000_000);
    let m = run.impact().migration;
    assert!(m.guest_clock_step_s.unwrap().abs() <= m.guest_clock_step_bound_s.unwrap() + 1e-9);
}

#[test]
fn without_dates_on_both_sides_nothing_is_said() {
    let mut run = Run::new();
    assert_eq!(run.impact().migration.guest_clock_step_s, None);
    run.dates = dates(0, 0, 0);
    run.dates.retain(|sample| sample.sent < 5_000 * MS);
    let m = run.impact().migration;
    assert_eq!((m.guest_clock_step_s, m.guest_clock_step_bound_s), (None, None));
}

#[test]
fn throttling_is_read_off_the_progress() {
    let mut run = Run::new();
    assert_eq!(run.impact().migration.throttle, None);
    for (at, percent) in [(4_100, 0), (4_200, 20), (4_500, 70), (4_900, 70), (5_320, 0)] {
        let progress = event(EventKind::Progress, at * MS);
        run.events.push(progress.with("cpu_throttle_percent", percent));
    }
    let throttle = run.impact().migration.throttle.unwrap();
    assert_eq!((throttle.most_percent, throttle.from_s, throttle.to_s), (70.0, 4.2, 4.9));
}
