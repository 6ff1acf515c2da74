//! Maintenance that is planned, with and without moves.

use super::figure::Availability;
use crate::model::error::{ModelError, not_negative};

/// Hours of a year of 365 days.
const YEAR_H: f64 = 8760.0;

/// Work on a host, at times that are known: without migration its machines are down for as long
/// as it takes; with migration they are moved away and back again, and down for the blackouts.
///
/// Plain bookkeeping: times that are known add up.
///
/// ```
/// use loadgen_core::model::availability::PlannedMaintenance;
///
/// // An hour a month.
/// let monthly = PlannedMaintenance::new(12.0, 1.0).with_blackout_s(0.3);
/// assert!((monthly.without()?.minutes_a_year() - 720.0).abs() < 1e-9);
/// assert!((monthly.with_migration()?.minutes_a_year() - 7.2 / 60.0).abs() < 1e-12);
/// # Ok::<(), loadgen_core::model::availability::PlannedError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PlannedMaintenance {
    /// How often a year of 365 days, at least 0.
    pub per_year: f64,
    /// Hours that it takes each time, at least 0.
    pub hours_each: f64,
    /// Mean blackout of a move in seconds, at least 0.
    pub blackout_s: f64,
    /// Moves each time: 2, away and back again, or 1 where machines stay.
    pub moves_each: u32,
}

/// Maintenance that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlannedError {
    /// A number is out of its range.
    #[error(transparent)]
    Number(#[from] ModelError),
    /// A year has not that many hours.
    #[error("that is {hours:.0} h of a year, which has 8760")]
    LongerThanAYear {
        /// Hours that it would be down.
        hours: f64,
    },
}

impl PlannedMaintenance {
    /// So often a year, for so many hours each, with two moves each that have no blackout.
    #[must_use]
    pub fn new(per_year: f64, hours_each: f64) -> Self {
        Self { per_year, hours_each, blackout_s: 0.0, moves_each: 2 }
    }

    /// With this mean blackout of a move, in seconds.
    #[must_use]
    pub fn with_blackout_s(mut self, blackout_s: f64) -> Self {
        self.blackout_s = blackout_s;
        self
    }

    /// With so many moves each time.
    #[must_use]
    pub fn with_moves_each(mut self, moves_each: u32) -> Self {
        self.moves_each = moves_each;
        self
    }

    /// What comes of it without migration.
    ///
    /// # Errors
    /// If a number is below 0 or not finite, or the year is too short.
    pub fn without(&self) -> Result<Availability, PlannedError> {
        self.validate()?;
        of_hours(self.per_year * self.hours_each)
    }

    /// What comes of it when machines are moved out of the way.
    ///
    /// # Errors
    /// As of [`without`](Self::without).
    pub fn with_migration(&self) -> Result<Availability, PlannedError> {
        self.validate()?;
        of_hours(self.seconds_a_year() / 3600.0)
    }

    /// Blackouts in seconds of a year.
    fn seconds_a_year(&self) -> f64 {
        f64::from(self.moves_each) * self.per_year * self.blackout_s
    }

    fn validate(&self) -> Result<(), ModelError> {
        not_negative("per_year", self.per_year)?;
        not_negative("hours_each", self.hours_each)?;
        not_negative("blackout_s", self.blackout_s)?;
        Ok(())
    }
}

fn of_hours(hours: f64) -> Result<Availability, PlannedError> {
    if hours > YEAR_H {
        return Err(PlannedError::LongerThanAYear { hours });
    }
    Ok(Availability::of(YEAR_H - hours, hours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused() {
        for (per_year, hours_each, blackout_s) in
            [(-1.0, 1.0, 1.0), (1.0, f64::NAN, 1.0), (1.0, 1.0, f64::INFINITY)]
        {
            let plan = PlannedMaintenance::new(per_year, hours_each).with_blackout_s(blackout_s);
            assert!(matches!(plan.without(), Err(PlannedError::Number(_))), "{plan:?}");
            assert!(matches!(plan.with_migration(), Err(PlannedError::Number(_))), "{plan:?}");
        }
        let always = PlannedMaintenance::new(365.0, 24.1);
        assert!(matches!(always.without(), Err(PlannedError::LongerThanAYear { .. })));
        let one_way = PlannedMaintenance::new(10.0, 1.0).with_blackout_s(6.0).with_moves_each(1);
        assert!((one_way.with_migration().unwrap().minutes_a_year() - 1.0).abs() < 1e-12);
    }
}
