//! What moves cost of the capacity, not of the time alone.

use super::figure::Availability;
use crate::model::error::{ModelError, not_negative, share};

const DAY_S: f64 = 86_400.0;

/// A machine that is moved so often a day, and does less while it is moved.
///
/// Availability counts the downtime alone, so that it cannot tell strategies apart whose downtime
/// is alike; capacity-oriented availability (Heimann, Mittal & Trivedi, *Advances in Computers* 31,
/// 1990; in the sense of Meyer's performability, *IEEE Trans. Computers* 29, 1980) counts what is
/// missing of the capacity for as long as it is missing.
///
/// ```
/// use loadgen_core::model::availability::Capacity;
///
/// // Once a day, 7.645 s with 90 % of the goodput, of which 31.1 ms nothing at all.
/// let pre_copy = Capacity::new(1.0, 7.645, 0.0311, 0.9);
/// let post_copy = Capacity::new(1.0, 2.6, 0.0285, 0.9);
/// // 0.0311 s + 0.1 · (7.645 - 0.0311) s = 0.79249 s of 86,400 are missing.
/// assert!((pre_copy.capacity_oriented()?.down() - 0.79249 / 86_400.0).abs() < 1e-15);
/// // By downtime alone the two are the same in 7 digits.
/// assert!((pre_copy.availability()?.up() - post_copy.availability()?.up()).abs() < 1e-7);
/// assert!(pre_copy.capacity_oriented()?.down() > 2.0 * post_copy.capacity_oriented()?.down());
/// # Ok::<(), loadgen_core::model::availability::CapacityError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Capacity {
    /// Moves a day, at least 0.
    pub per_day: f64,
    /// Total migration time in seconds, at least the downtime.
    pub total_s: f64,
    /// Downtime in seconds, at least 0.
    pub downtime_s: f64,
    /// Goodput while it is moved and not down, as a share of that at other times, from 0 to 1.
    pub goodput_while_migrating: f64,
}

/// Moves that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CapacityError {
    /// A number is out of its range.
    #[error(transparent)]
    Number(#[from] ModelError),
    /// It is down for longer than it is moved.
    #[error(
        "the downtime of {downtime_s} s is longer than the whole move, which takes {total_s} s"
    )]
    Downtime {
        /// The downtime.
        downtime_s: f64,
        /// The total migration time.
        total_s: f64,
    },
    /// A day is too short for its moves.
    #[error("the moves of a day take {seconds:.0} s together, and a day has 86400")]
    LongerThanADay {
        /// What they take together.
        seconds: f64,
    },
}

impl Capacity {
    /// So many moves a day, with total migration time and downtime in seconds, and what share of
    /// its goodput the machine has meanwhile.
    #[must_use]
    pub fn new(per_day: f64, total_s: f64, downtime_s: f64, goodput_while_migrating: f64) -> Self {
        Self { per_day, total_s, downtime_s, goodput_while_migrating }
    }

    /// How much of the time it is up.
    ///
    /// # Errors
    /// If a number cannot be.
    pub fn availability(&self) -> Result<Availability, CapacityError> {
        self.validate()?;
        Ok(of_seconds(self.per_day * self.downtime_s))
    }

    /// How much of the capacity there is: 1 - moves a day × (downtime + (1 - goodput) × (total -
    /// downtime)) by the seconds of a day.
    ///
    /// # Errors
    /// If a number cannot be.
    pub fn capacity_oriented(&self) -> Result<Availability, CapacityError> {
        self.validate()?;
        let slow = (1.0 - self.goodput_while_migrating) * (self.total_s - self.downtime_s);
        Ok(of_seconds(self.per_day * (self.downtime_s + slow)))
    }

    fn validate(&self) -> Result<(), CapacityError> {
        let per_day = not_negative("per_day", self.per_day)?;
        let total_s = not_negative("total_s", self.total_s)?;
        let downtime_s = not_negative("downtime_s", self.downtime_s)?;
        share("goodput_while_migrating", self.goodput_while_migrating)?;
        if downtime_s > total_s {
            return Err(CapacityError::Downtime { downtime_s, total_s });
        }
        let seconds = per_day * total_s;
        if seconds > DAY_S { Err(CapacityError::LongerThanADay { seconds }) } else { Ok(()) }
    }
}

fn of_seconds(missing: f64) -> Availability {
    Availability::of(DAY_S - missing, missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused() {
        let error = |capacity: Capacity| capacity.capacity_oriented().unwrap_err();
        for (what, wrong) in [
            ("per_day", Capacity::new(-1.0, 1.0, 1.0, 1.0)),
            ("total_s", Capacity::new(1.0, f64::NAN, 1.0, 1.0)),
            ("downtime_s", Capacity::new(1.0, 1.0, f64::INFINITY, 1.0)),
            ("goodput_while_migrating", Capacity::new(1.0, 1.0, 1.0, 1.1)),
        ] {
            let CapacityError::Number(number) = error(wrong) else { panic!("{wrong:?}") };
            assert_eq!(number.what, what);
        }
        let downtime = error(Capacity::new(1.0, 1.0, 1.1, 1.0));
        assert!(matches!(downtime, CapacityError::Downtime { .. }));
        let long = error(Capacity::new(1e5, 1.0, 1.0, 1.0));
        assert!(matches!(long, CapacityError::LongerThanADay { .. }));
    }
}
