//! The one clock of a run: nanoseconds of `CLOCK_MONOTONIC` since the run's origin.
//!
//! Everything that is measured is a [`Nanos`] on this axis. Foreign times (a
//! hypervisor's wall clock, an instant of `CLOCK_MONOTONIC` that another process
//! printed) are mapped onto it once, by [`Clock::from_wall`] and
//! [`Clock::from_monotonic`], together with what that mapping may be wrong by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the origin of the run. 2^64 ns are 584 years.
pub type Nanos = u64;

/// Nanoseconds in one second.
pub const SECOND: Nanos = 1_000_000_000;

/// Nanoseconds in one millisecond.
pub const MILLISECOND: Nanos = 1_000_000;

/// A point of reference on `CLOCK_MONOTONIC` and, taken in the same moment, on
/// the wall clock.
///
/// ```
/// use loadgen_core::clock::Clock;
///
/// // Times of a run are nanoseconds on its clock; another program's are mapped to it.
/// let clock = Clock::start();
/// let (now, uncertainty_ns) = clock.from_wall(std::time::SystemTime::now());
/// assert!(now < clock.now() + uncertainty_ns + 1_000_000_000);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// `CLOCK_MONOTONIC` at the origin.
    origin_ns: u64,
    /// Nanoseconds since the Unix epoch at the origin.
    wall_ns: u64,
    /// How far apart the two readings may be.
    pairing_ns: u64,
}

impl Clock {
    /// A clock whose origin is now.
    ///
    /// The wall clock is read between two readings of the monotonic one; the
    /// tightest of five such triples is kept, so that a preempted reading does
    /// not blur every mapped time of the run.
    #[must_use]
    pub fn start() -> Self {
        (0..5)
            .map(|_| {
                let before = monotonic_ns();
                let wall = unix_ns(SystemTime::now());
                let after = monotonic_ns();
                Self {
                    origin_ns: before,
                    wall_ns: wall.saturating_sub((after - before) / 2),
                    pairing_ns: after - before,
                }
            })
            .min_by_key(|clock| clock.pairing_ns)
            .unwrap_or(Self { origin_ns: monotonic_ns(), wall_ns: 0, pairing_ns: u64::MAX })
    }

    /// A clock with a given origin: a reading of `CLOCK_MONOTONIC` in ns.
    #[must_use]
    pub fn with_origin(origin_ns: u64) -> Self {
        let now = Self::start();
        let wall_ns = now.wall_ns.wrapping_add(origin_ns).wrapping_sub(now.origin_ns);
        Self { origin_ns, wall_ns, ..now }
    }

    /// Now, in nanoseconds since the origin (0 before it).
    #[must_use]
    pub fn now(&self) -> Nanos {
        monotonic_ns().saturating_sub(self.origin_ns)
    }

    /// The wall clock time of the origin.
    #[must_use]
    pub fn started_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.wall_ns)
    }

    /// The wall clock time of a moment of the run, as that clock goes now: over hours it runs apart
    /// from `CLOCK_MONOTONIC`, or is set.
    pub(crate) fn wall_time(&self, at: Nanos) -> SystemTime {
        Self::with_origin(self.origin_ns).started_at() + Duration::from_nanos(at)
    }

    /// Maps a wall clock time of *this host* to the run's axis: `(time, uncertainty)`.
    ///
    /// The uncertainty is that of the mapping alone. A time from another host
    /// carries that host's clock offset on top, which only the caller can bound.
    /// Times before the origin map to 0.
    #[must_use]
    pub fn from_wall(&self, time: SystemTime) -> (Nanos, Nanos) {
        (unix_ns(time).saturating_sub(self.wall_ns), self.pairing_ns)
    }

    /// Maps a reading of `CLOCK_MONOTONIC` (ns) of this host, such as another
    /// process prints, to the run's axis. Exact: the clock is the same.
    #[must_use]
    pub fn from_monotonic(&self, monotonic_ns: u64) -> Nanos {
        monotonic_ns.saturating_sub(self.origin_ns)
    }

    /// By how many ns the wall clock went further than `CLOCK_MONOTONIC` between the origins of this
    /// clock and of a later one: it was set.
    pub(crate) fn wall_ahead_at(&self, later: &Self) -> i64 {
        let since = |from: u64, to: u64| to.wrapping_sub(from) as i64;
        since(self.wall_ns, later.wall_ns) - since(self.origin_ns, later.origin_ns)
    }

    /// How many seconds this clock's origin is after that of another (negative:
    /// before it).
    #[must_use]
    pub fn seconds_after(&self, other: &Self) -> f64 {
        (self.origin_ns as f64 - other.origin_ns as f64) / SECOND as f64
    }

    /// The reading of `CLOCK_MONOTONIC` (ns) that belongs to a time of the run.
    #[must_use]
    pub fn to_monotonic(&self, at: Nanos) -> u64 {
        self.origin_ns + at
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds (about 25 ns a reading through the vDSO).
#[must_use]
pub fn monotonic_ns() -> u64 {
    crate::net::sys::monotonic_ns()
}

/// A duration in nanoseconds; what does not fit in 584 years is cut there.
#[must_use]
pub fn as_nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds as seconds, for reports.
#[must_use]
pub fn as_seconds(nanos: Nanos) -> f64 {
    nanos as f64 / SECOND as f64
}

/// Nanoseconds as milliseconds, for reports.
#[must_use]
pub fn as_millis(nanos: Nanos) -> f64 {
    nanos as f64 / MILLISECOND as f64
}

/// A moment as reports have it: RFC 3339 with milliseconds, UTC.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

fn unix_ns(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, as_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_and_monotonic_agree() {
        let clock = Clock::start();
        let before = clock.now();
        let wall = SystemTime::now();
        let after = clock.now();
        let (mapped, uncertainty) = clock.from_wall(wall);
        // Of five readings one at least was not preempted.
        assert!(uncertainty < 50 * MILLISECOND, "{uncertainty}");
        // Whoever sets the wall clock may change its speed a little.
        let off = uncertainty + MILLISECOND;
        assert!(before <= mapped + off && mapped <= after + off, "{before} {mapped} {after}");
    }

    #[test]
    fn another_origin_moves_both_axes() {
        let clock = Clock::start();
        let later = Clock::with_origin(clock.to_monotonic(2 * SECOND));
        assert_eq!(clock.from_monotonic(clock.to_monotonic(3 * SECOND)), 3 * SECOND);
        assert_eq!(later.from_monotonic(clock.to_monotonic(3 * SECOND)), SECOND);
        let apart = later.started_at().duration_since(clock.started_at()).unwrap();
        let off = Duration::from_nanos(clock.pairing_ns + later.pairing_ns + MILLISECOND);
        assert!(apart.abs_diff(Duration::from_secs(2)) < off, "{apart:?}");
    }
}
