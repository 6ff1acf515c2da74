//! When an event happened that a hypervisor told with a time of its own, on the clock of the run.
//!
//! A hypervisor on this host has this host's clock, so the timestamp in the event counts and the
//! time of receipt is a check. Another host's clock is unknown: the time of receipt counts, minus
//! half of a round trip. Its uncertainty is half of the longest round trip before the migration;
//! queueing on the link during the migration is not counted.

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::lists::spec;
use super::trigger::TriggerError;
use crate::clock::{Clock, Nanos, SECOND, as_seconds, monotonic_ns};
use crate::event::{Event, EventKind};

/// QEMU's timestamps count microseconds.
const TIMESTAMP_RESOLUTION: Nanos = 1000;

/// How long a line may need to reach us on the same host.
const WITHOUT_TIMESTAMP: Nanos = SECOND / 1000;

/// How long an event may have been under way and its timestamp be believed; 34 ms
/// were seen on a busy host.
const OLDEST: Nanos = SECOND;

/// Whose clock the events of a hypervisor are told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HypervisorClock {
    /// [`Self::Local`] over a UNIX socket, [`Self::Remote`] over a network.
    #[default]
    Auto,
    /// The hypervisor runs on this host: its timestamps count.
    Local,
    /// The hypervisor runs on another host (a UNIX socket may be forwarded from it): the
    /// time of receipt counts, minus half a round trip.
    Remote,
}

impl FromStr for HypervisorClock {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        match text {
            "auto" => Ok(Self::Auto),
            "local" => Ok(Self::Local),
            "remote" => Ok(Self::Remote),
            _ => Err(spec(format!(
                "clock must be auto, local or remote, not '{}'",
                text.escape_debug()
            ))),
        }
    }
}

/// What is known of the time of something that a hypervisor said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// `CLOCK_MONOTONIC` when it was received.
    pub(crate) at_ns: u64,
    /// Its wall clock, of events.
    pub(crate) timestamp: Option<SystemTime>,
    /// How long before it may have been true already, of states asked for.
    pub(crate) slack: Nanos,
}

impl Stamp {
    /// Something received at `at_ns`, without a time of its own.
    pub(crate) fn received(at_ns: u64) -> Self {
        Self { at_ns, timestamp: None, slack: 0 }
    }

    /// Something that we found out just now.
    pub(crate) fn now() -> Self {
        Self::received(monotonic_ns())
    }
}

/// How the times of one side are mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// Same host: timestamps count.
    Local,
    /// Another host: receipt counts. Round trips in ns, measured beforehand.
    Remote { shortest: Nanos, longest: Nanos },
}

impl Mapping {
    /// The mapping for a connection on which these round trips were measured.
    pub(crate) fn remote(round_trips: &[Nanos]) -> Self {
        Self::Remote {
            shortest: round_trips.iter().min().copied().unwrap_or(0),
            longest: round_trips.iter().max().copied().unwrap_or(SECOND),
        }
    }

    /// An event with its time.
    pub(crate) fn event(self, kind: EventKind, source: &str, clock: &Clock, stamp: Stamp) -> Event {
        let received = clock.from_monotonic(stamp.at_ns);
        let event = Event::new(kind, received, 0, source);
        let event = match (self, stamp.timestamp) {
            (Self::Local, Some(timestamp)) => local(event, clock, received, timestamp),
            (Self::Local, None) => {
                Event { uncertainty: WITHOUT_TIMESTAMP.saturating_add(stamp.slack), ..event }
            }
            (Self::Remote { shortest, longest }, timestamp) => {
                let mut event = Event {
                    at: received.saturating_sub(shortest / 2),
                    uncertainty: (longest / 2).saturating_add(stamp.slack),
                    ..event
                };
                event.attributes.insert(
                    "note".to_owned(),
                    Value::from(
                        "time of receipt minus half a round trip: another host's clock; not \
                         counting queueing on the link",
                    ),
                );
                if let Some(since) = timestamp.and_then(|t| t.duration_since(UNIX_EPOCH).ok()) {
                    event = event.with("timestamp_s", since.as_secs_f64());
                }
                event
            }
        };
        // Relative, since the axis of the run may be moved later.
        let after = as_seconds(received.saturating_sub(event.at));
        event.with("received_after_s", after)
    }
}

fn local(event: Event, clock: &Clock, received: Nanos, timestamp: SystemTime) -> Event {
    let (at, mapping) = clock.from_wall(timestamp);
    let uncertainty = mapping.saturating_add(TIMESTAMP_RESOLUTION);
    if at > received.saturating_add(uncertainty) {
        return event.off_by(at - received, "later than its receipt");
    }
    if received - at.min(received) > OLDEST {
        return event.off_by(received - at, "more than 1 s before its receipt");
    }
    Event { at: at.min(received), uncertainty, ..event }
}

trait OffBy {
    fn off_by(self, difference: Nanos, how: &str) -> Self;
}

impl OffBy for Event {
    /// The time of receipt stays, uncertain by how far the timestamp is off.
    fn off_by(mut self, difference: Nanos, how: &str) -> Self {
        self.uncertainty = difference;
        self.with("note", format!("the timestamp is {how}, so the time of receipt stands"))
            .with("timestamp_off_by_s", as_seconds(difference))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timestamps_are_believed_only_when_they_can_be_true() {
        let clock = Clock::start();
        let received = 5 * SECOND;
        let event = |mapping: Mapping, seconds: f64| {
            let timestamp = clock.started_at() + Duration::from_secs_f64(seconds);
            let at_ns = clock.to_monotonic(received);
            let stamp = Stamp { at_ns, timestamp: Some(timestamp), slack: 0 };
            mapping.event(EventKind::Stop, "qmp:source", &clock, stamp)
        };
        let good = event(Mapping::Local, 4.99);
        assert!(good.at.abs_diff(4_990_000_000) < 1000 && good.uncertainty < SECOND / 20);
        assert!((good.attributes["received_after_s"].as_f64().unwrap() - 0.01).abs() < 1e-5);
        assert!(!good.attributes.contains_key("note"));
        for (seconds, how) in [(5.5, "later"), (3.5, "more than 1 s before")] {
            let odd = event(Mapping::Local, seconds);
            assert_eq!(odd.at, received);
            assert!(
                odd.uncertainty.abs_diff(SECOND * if seconds > 5.0 { 1 } else { 3 } / 2) < 1000
            );
            assert!(odd.attributes["note"].as_str().unwrap().contains(how));
        }
        let far = event(Mapping::remote(&[4_000_000, 2_000_000, 10_000_000]), 99.0);
        assert_eq!((far.at, far.uncertainty), (received - 1_000_000, 5_000_000));
        assert!(far.attributes["timestamp_s"].as_f64().unwrap() > 1e9);
    }
}
