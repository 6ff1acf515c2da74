//! How long before a deadline to stop sleeping and to poll instead, learnt from how
//! late the machine wakes a sleeper.
//!
//! A window as long as the worst wake-up burns CPU before every start; one as long
//! as the usual wake-up makes every second start late. What is looked for is the
//! wake-up lateness that nine of ten stay below: a stochastic approximation of that
//! quantile (Robbins and Monro, 1951) in steps proportional to the window itself.

use crate::clock::Nanos;

/// Where it begins, and its most: about the wake-up of an idle virtual CPU on a
/// machine where that is slow.
pub(crate) const LONGEST: Nanos = 50_000;

/// Its least: about the system call and the look at the schedule.
const SHORTEST: Nanos = 5_000;

/// Sleeps that are this long or longer teach nothing: at so few starts the window
/// costs nothing worth saving, and the CPU sleeps deeper.
pub(crate) const LEARN_BELOW: Nanos = 10_000_000;

/// One part in so many is added to the window for each late wake-up in ten, and
/// taken off for the others: steps of 1/27 up and 1/243 down.
const DOWN: f64 = 1.0 / 243.0;
const UP: f64 = 9.0 * DOWN;

/// The window of one sleeper.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpinWindow {
    ns: f64,
}

impl Default for SpinWindow {
    fn default() -> Self {
        Self { ns: LONGEST as f64 }
    }
}

impl SpinWindow {
    pub(crate) fn ns(self) -> Nanos {
        self.ns as Nanos
    }

    /// A sleep that nothing interrupted ended `late` ns after its time.
    pub(crate) fn learn(&mut self, late: Nanos) {
        let step = if late > self.ns() { UP } else { -DOWN };
        self.ns = (self.ns * (1.0 + step)).clamp(SHORTEST as f64, LONGEST as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deterministic, evenly spread over 0..`most`.
    fn wake_ups(most: u64) -> impl Iterator<Item = u64> {
        (0_u64..)
            .map(move |i| i.wrapping_mul(6_364_136_223_846_793_005) >> 33)
            .map(move |r| r % most)
    }

    #[test]
    fn nine_of_ten_wake_ups_are_within_the_window() {
        let mut window = SpinWindow::default();
        let mut within = 0;
        for (i, late) in wake_ups(40_000).take(20_000).enumerate() {
            if i >= 10_000 {
                within += u32::from(late <= window.ns());
            }
            window.learn(late);
        }
        assert!((8_900..9_100).contains(&within), "{within}");
        assert!((33_000..39_000).contains(&window.ns()), "{window:?}");
    }

    #[test]
    fn it_stays_within_its_bounds_whatever_comes() {
        let mut window = SpinWindow::default();
        for _ in 0..10_000 {
            window.learn(0);
        }
        assert_eq!(window.ns(), SHORTEST);
        for _ in 0..10_000 {
            window.learn(Nanos::MAX);
        }
        assert_eq!(window.ns(), LONGEST);
    }

    #[test]
    fn one_stall_moves_it_by_one_step_only() {
        let mut window = SpinWindow { ns: 20_000.0 };
        window.learn(500_000_000);
        assert!(window.ns() < 21_000, "{window:?}");
    }
}
