//! A start that all shards are told beforehand.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::{Clock, rfc3339};

/// Later than this nobody means it: more likely it is milliseconds.
const FARTHEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// When a load begins, by the wall clock. Text form: RFC 3339 in UTC, or seconds since 1970.
///
/// ```
/// use loadgen_core::scale::StartAt;
///
/// let one: StartAt = "2026-11-29T12:00:00Z".parse()?;
/// let other: StartAt = "1795953600".parse()?;
/// assert_eq!(one, other);
/// assert!("soon".parse::<StartAt>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StartAt(SystemTime);

impl StartAt {
    /// At a time of the wall clock.
    #[must_use]
    pub fn new(at: SystemTime) -> Self {
        Self(at)
    }

    /// The time.
    #[must_use]
    pub fn time(self) -> SystemTime {
        self.0
    }

    /// The reading of `CLOCK_MONOTONIC` in ns that belongs to it, as the wall clock goes now.
    ///
    /// # Errors
    /// A message, if it has passed: a load that begins later than the others is none of theirs.
    pub fn monotonic_ns(self) -> Result<u64, String> {
        self.monotonic_by(&Clock::start())
    }

    fn monotonic_by(self, now: &Clock) -> Result<u64, String> {
        let ahead = self.0.duration_since(now.started_at());
        let ahead = ahead.map_err(|late| {
            format!(
                "this shard was ready {:.1} s after the start that was told ({self}): tell a later one, so \
                 that all have their connections open by then",
                late.duration().as_secs_f64()
            )
        })?;
        Ok(now.to_monotonic(u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX / 2)))
    }
}

impl FromStr for StartAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            let text: String = text.escape_debug().take(40).collect();
            format!(
                "'{text}' is no time: write it as 2026-11-29T12:00:00Z, or in seconds since 1970, such as \
                 $(date -d +20sec +%s)"
            )
        };
        let at = match text.parse::<f64>() {
            Ok(seconds) => {
                let since = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
                UNIX_EPOCH.checked_add(since).ok_or_else(wrong)?
            }
            Err(_) => humantime::parse_rfc3339(text).map_err(|_| wrong())?,
        };
        match at.duration_since(SystemTime::now()) {
            Ok(ahead) if ahead > FARTHEST => Err(format!(
                "'{text}' is more than a year ahead: it is read as seconds, not as milliseconds"
            )),
            _ => Ok(Self(at)),
        }
    }
}

impl fmt::Display for StartAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rfc3339(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lies_ahead_or_is_refused() {
        let now = Clock::start();
        let in_2_s = StartAt::new(now.started_at() + Duration::from_secs(2));
        assert_eq!(in_2_s.monotonic_by(&now), Ok(now.to_monotonic(2_000_000_000)));
        let late = StartAt::new(now.started_at() - Duration::from_millis(1100));
        let why = late.monotonic_by(&now).unwrap_err();
        assert!(why.starts_with("this shard was ready 1.1 s after the start"), "{why}");
    }

    #[test]
    fn both_forms_are_read() {
        let at = |text: &str| text.parse::<StartAt>();
        let expected = StartAt::new(UNIX_EPOCH + Duration::from_millis(10_500));
        assert_eq!(at("10.5"), Ok(expected));
        assert_eq!(at("1970-01-01T00:00:10.5Z"), Ok(expected));
        for text in ["", "soon", "-1", "1e300", "NaN", "2026-13-01T00:00:00Z", "12:00"] {
            assert!(at(text).is_err(), "{text}");
        }
        // Milliseconds.
        assert!(at("1795953600000").unwrap_err().contains("not as milliseconds"));
        assert_eq!("0".parse::<StartAt>().unwrap().to_string(), "1970-01-01T00:00:00.000Z");
    }
}
