//! One line of a trigger program: a JSON object, turned into an [`Event`].
//!
//! `{"event": NAME, "t": UNIX_SECONDS, "uncertainty_s": S, …}`; only `event` is
//! needed. What is not listed here stays with the event as attributes. A line
//! that cannot be understood is an error: a mistyped `stop` that was taken for a
//! remark would make a wrong downtime.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::clock::{Clock, Nanos, SECOND, as_nanos, as_seconds};
use crate::event::{Event, EventKind};

/// The name under which the events of a program stand in the report.
pub(crate) const SOURCE: &str = "command";

/// How long a printed line may need through the pipe and the scheduler. How late
/// the program printed it is not known to us, and not in it.
pub(crate) const RECEIPT_UNCERTAINTY: Nanos = SECOND / 1000;

/// How far a time may lie before the start of the program or after the receipt
/// of its line and still be believed: clock steering and rounding.
const TOLERANCE: Nanos = SECOND / 20;

/// What is not known better than that is not known.
const MOST_UNCERTAIN: Duration = Duration::from_secs(24 * 3600);

const NAMES: &str = "accepted, setup, round, pre-switchover, post-copy, paused, recovering, \
                     stop, resume, progress, completed, failed, cancelled, mark (with a name)";

/// The numbers that a final event may carry for the report.
const FINAL_NUMBERS: [&str; 3] = ["total_migration_time_ms", "downtime_ms", "transferred_bytes"];

/// What is known when a line is read.
pub(crate) struct Reading {
    /// The clock of the run.
    pub(crate) clock: Clock,
    /// When the program was started.
    pub(crate) fired_at: Nanos,
    /// When the line was received.
    pub(crate) received: Nanos,
    /// The number that a round without a number gets.
    pub(crate) next_round: u32,
}

/// Reads one line.
pub(crate) fn parse(line: &[u8], reading: &Reading) -> Result<Event, String> {
    let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut object: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| "it is not a JSON object".to_owned())?;
    let name = match object.remove("event") {
        Some(Value::String(name)) => name,
        Some(_) => return Err("its \"event\" is not a string".to_owned()),
        None => return Err("it has no \"event\"".to_owned()),
    };
    let kind = kind(&name, &mut object, reading)?;
    // These are our words on the time.
    for ours in ["t_refused", "received_after_s"] {
        object.remove(ours);
    }
    let said = object.remove("t");
    let extra = match object.remove("uncertainty_s") {
        None => 0,
        Some(value) => value
            .as_f64()
            .and_then(|s| Duration::try_from_secs_f64(s).ok())
            .filter(|extra| *extra <= MOST_UNCERTAIN)
            .map(as_nanos)
            .ok_or("its \"uncertainty_s\" is not a number of seconds, of a day at most")?,
    };
    if kind.is_final() {
        check_figures(&object)?;
    }
    let mut event = Event::new(kind, reading.received, RECEIPT_UNCERTAINTY, SOURCE);
    event.attributes = object;
    match said {
        None | Some(Value::Null) => event.uncertainty = RECEIPT_UNCERTAINTY.saturating_add(extra),
        Some(Value::Number(_)) => {
            let (time, resolution) = unix_time(text).ok_or("its \"t\" is out of range")?;
            place(&mut event, time, resolution.saturating_add(extra), reading);
        }
        Some(_) => return Err("its \"t\" is not a number of seconds".to_owned()),
    }
    Ok(event)
}

fn kind(name: &str, object: &mut Map<String, Value>, on: &Reading) -> Result<EventKind, String> {
    Ok(match name {
        "accepted" => EventKind::Accepted,
        "setup" => EventKind::Setup,
        "round" => EventKind::Round(match object.remove("round") {
            None => on.next_round,
            Some(number) => number
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .ok_or("its \"round\" is not a whole number")?,
        }),
        "pre-switchover" => EventKind::PreSwitchover,
        "post-copy" => EventKind::PostCopy,
        "paused" => EventKind::Paused,
        "recovering" => EventKind::Recovering,
        "stop" => EventKind::Stop,
        "resume" => EventKind::Resume,
        "progress" => EventKind::Progress,
        "completed" => EventKind::Completed,
        "failed" => EventKind::Failed,
        "cancelled" => EventKind::Cancelled,
        "mark" => match object.remove("name") {
            Some(Value::String(name)) if !name.is_empty() => EventKind::Mark(name),
            _ => return Err("a mark needs a \"name\"".to_owned()),
        },
        other => {
            return Err(format!("there is no event '{}'; known: {NAMES}", other.escape_debug()));
        }
    })
}

fn check_figures(object: &Map<String, Value>) -> Result<(), String> {
    for name in FINAL_NUMBERS {
        let sound = object.get(name).is_none_or(|v| v.as_f64().is_some_and(|n| n >= 0.0));
        if !sound {
            return Err(format!("its \"{name}\" is not a number of 0 or more"));
        }
    }
    if object.get("on_target").is_some_and(|v| !v.is_boolean()) {
        return Err("its \"on_target\" is neither true nor false".to_owned());
    }
    Ok(())
}

/// Puts the event where the program says, unless that cannot be.
fn place(event: &mut Event, time: SystemTime, resolution: Nanos, on: &Reading) {
    let (at, mapping) = on.clock.from_wall(time);
    let uncertainty = mapping.saturating_add(resolution);
    let slack = uncertainty.saturating_add(TOLERANCE);
    // Compared on the wall clock: `at` cannot tell times before the origin apart.
    let latest = time.checked_add(Duration::from_nanos(slack));
    let fired = on.clock.started_at() + Duration::from_nanos(on.fired_at);
    let early = latest.is_some_and(|latest| fired > latest);
    let late = at > on.received.saturating_add(slack);
    if early || late {
        let why = if early { "before the program began" } else { "after the line was received" };
        let said = time.duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        event.attributes.insert("t_refused".to_owned(), said.into());
        event.attributes.insert(
            "note".to_owned(),
            format!("t lies {why}, so the time of receipt stands").into(),
        );
        return;
    }
    event.at = at;
    event.uncertainty = uncertainty;
    // Relative, since the axis of the run may be moved later. Negative for a time
    // that is cut off at its second, or rounded up.
    let after = as_seconds(on.received) - as_seconds(at);
    event.attributes.insert("received_after_s".to_owned(), after.into());
}

/// The time `t` of a line and the worth of its last digit: `date +%s` cuts the
/// fraction off, so a time without one may be wrong by a second.
pub(crate) fn unix_time(line: &str) -> Option<(SystemTime, Nanos)> {
    #[derive(Deserialize)]
    struct Time<'a> {
        #[serde(borrow)]
        t: &'a RawValue,
    }
    let text = serde_json::from_str::<Time<'_>>(line).ok()?.t.get();
    let seconds: f64 = text.parse().ok()?;
    let mut exact = Duration::try_from_secs_f64(seconds).ok()?;
    let mut resolution = SECOND;
    if text.contains(['e', 'E']) {
        // No telling which digit is the last: what a double can hold.
        resolution = 1000;
    } else if let Some((whole, fraction)) = text.split_once('.') {
        // A double holds only 0.2 µs of a time of today: read the digits instead.
        let digits = &fraction[..fraction.len().min(9)];
        resolution = SECOND / 10_u64.pow(u32::try_from(digits.len()).ok()?);
        let ns = digits.parse::<u32>().ok()? * u32::try_from(resolution).ok()?;
        exact = Duration::new(whole.parse().ok()?, ns);
    }
    Some((UNIX_EPOCH.checked_add(exact)?, resolution))
}
