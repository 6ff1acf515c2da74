//! Availability as people speak of it.

/// Minutes of a year of 365 days.
const MINUTES_A_YEAR: f64 = 365.0 * 24.0 * 60.0;

/// A share of the time that something is up, and that it is down: each with all of its digits,
/// however close to 0 or 1.
///
/// `A = up / (up + down)`, `U = 1 − A`, nines are `−log₁₀ U`, and minutes of a year `525,600 U`.
///
/// ```
/// use loadgen_core::model::availability::PlannedMaintenance;
///
/// // 8.76 h of 8760 h.
/// let three_nines = PlannedMaintenance::new(1.0, 8.76).without()?;
/// assert!((three_nines.up() - 0.999).abs() < 1e-15);
/// assert!((three_nines.nines() - 3.0).abs() < 1e-12);
/// assert!((three_nines.minutes_a_year() - 525.6).abs() < 1e-9);
/// # Ok::<(), loadgen_core::model::availability::PlannedError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Availability {
    up: f64,
    down: f64,
}

impl Availability {
    /// Of times, or weights, of which both are at least 0 and one is more.
    pub(super) fn of(up: f64, down: f64) -> Self {
        let all = up + down;
        Self { up: up / all, down: down / all }
    }

    /// The availability: the share of the time that it is up, from 0 to 1.
    #[must_use]
    pub fn up(self) -> f64 {
        self.up
    }

    /// The unavailability: the share of the time that it is down, from 0 to 1.
    #[must_use]
    pub fn down(self) -> f64 {
        self.down
    }

    /// Downtime in minutes of a year of 365 days, from 0 to 525,600.
    #[must_use]
    pub fn minutes_a_year(self) -> f64 {
        self.down * MINUTES_A_YEAR
    }

    /// Nines: the negative decimal logarithm of the unavailability, so that 0.999 has 3.
    /// Infinite for what is never down.
    #[must_use]
    pub fn nines(self) -> f64 {
        // The logarithm of 1 is 0, without a sign.
        -self.down.log10() + 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_keep_their_digits() {
        let nearly_always = Availability::of(1.0, 1e-20);
        assert_eq!((nearly_always.up(), nearly_always.down()), (1.0, 1e-20));
        assert_eq!(nearly_always.nines(), 20.0);
        assert_eq!(Availability::of(0.0, 3.0).minutes_a_year(), 525_600.0);
        assert!(Availability::of(0.0, 3.0).nines().is_sign_positive());
        assert_eq!(Availability::of(2.0, 0.0).nines(), f64::INFINITY);
    }
}
