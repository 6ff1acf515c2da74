//! A machine that is played, event by event, for a million years.

use super::*;
use crate::random::SplitMix64;

const YEARS: f64 = 1e6;
const HOUR_A_YEAR: f64 = 8760.0;

/// From one beginning to the next: hours up, and hours in all.
fn cycle(machine: &Rejuvenation, random: &mut SplitMix64) -> (f64, f64) {
    let mut after = |mean: f64| -mean * (1.0 - random.unit()).ln();
    let until_move = match machine.timer {
        Timer::Exponential { interval_h } => after(interval_h),
        Timer::Deterministic { interval_h } => interval_h,
        Timer::Erlang { stages, interval_h } => {
            (0..stages).map(|_| after(interval_h / f64::from(stages))).sum()
        }
        Timer::None => f64::INFINITY,
    };
    let until_failed = after(machine.aging_h) + after(machine.failure_h);
    if until_failed < until_move {
        return (until_failed, until_failed + after(machine.repair_h));
    }
    let down = after(machine.blackout_s / 3600.0);
    let fails = after(1.0) < -machine.success.ln();
    let repair = if fails { after(machine.repair_h) } else { 0.0 };
    (until_move, until_move + down + repair)
}

/// The share of its time, by the mean of cycles that are independent of each other (Crane &
/// Iglehart, *Operations Research* 23, 1975).
#[test]
fn the_long_run_is_what_happens_in_the_long_run() {
    let interval_h = 4_000.0;
    for timer in [
        Timer::Exponential { interval_h },
        Timer::Erlang { stages: 3, interval_h },
        Timer::Deterministic { interval_h },
        Timer::None,
    ] {
        let machine = Rejuvenation::new(2_160.0, 1_440.0, 1.5)
            .with_timer(timer)
            .with_blackout_s(600.0)
            .with_success(0.9);
        let expected = machine.outcome().unwrap().availability.down();
        let mut random = SplitMix64::new(20_261_128);
        let (mut all, mut down) = (0.0, 0.0);
        // Of what a cycle is off by: its sum, and its squares.
        let (mut cycles, mut squares) = (0.0, 0.0);
        while all < YEARS * HOUR_A_YEAR {
            let (hours_up, hours) = cycle(&machine, &mut random);
            let hours_down = hours - hours_up;
            all += hours;
            down += hours_down;
            cycles += 1.0;
            squares += (hours_down - expected * hours).powi(2);
        }
        let found = down / all;
        // 99.9 % of a normal law.
        let half = 3.2905 * (squares / cycles).sqrt() / (all / cycles) / f64::sqrt(cycles);
        assert!(half < 4e-3 * expected, "{timer:?}: {half:e} is not narrow around {expected:e}");
        let off = (found - expected).abs();
        assert!(off < half, "{timer:?}: {found:e} and not {expected:e} ± {half:e}");
    }
}
