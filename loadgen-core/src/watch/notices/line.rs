//! A line of the file: `{"event": NAME, "t": UNIX_SECONDS, "uncertainty_s": S, …}`, of which only
//! `event` is needed and the rest are attributes; or any other text, which is a name.
//!
//! A line that was meant as JSON and is not keeps its text as its name: somebody wanted to mark this
//! moment.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::bounded;
use crate::clock::{Clock, Nanos, SECOND, as_nanos};
use crate::event::{Event, EventKind};
use crate::migration::unix_time;

/// The source of its events.
const SOURCE: &str = "file";
/// How far `t` may lie outside of what is possible: steering of the clock, and rounding.
const TOLERANCE: Nanos = SECOND / 20;
/// What is not known better than that is not known.
const MOST_UNCERTAIN: Duration = Duration::from_secs(24 * 3600);

/// When a line came to be: after `from`, and before `to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) from: Nanos,
    pub(super) to: Nanos,
}

/// The event of a line; `None` if it is empty.
pub(super) fn event(line: &[u8], seen: Seen, clock: &Clock) -> Option<Event> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let plain = |name: &str| {
        let at = seen.from + seen.to.saturating_sub(seen.from) / 2;
        let kind = EventKind::Mark(bounded::name(name));
        Event::new(kind, at, seen.to.saturating_sub(at), SOURCE)
    };
    if !text.starts_with('{') {
        return Some(plain(text));
    }
    let object = serde_json::from_str::<Map<String, Value>>(text).ok();
    let named = object.and_then(|mut object| match object.remove("event") {
        Some(Value::String(name)) if !name.trim().is_empty() => Some((name, object)),
        _ => None,
    });
    let Some((name, mut object)) = named else {
        return Some(plain(text).with("note", "the line is no JSON object with an \"event\""));
    };
    let mut event = plain(name.trim());
    let (t, extra) = (object.remove("t"), object.remove("uncertainty_s"));
    // These are our words on the time.
    for ours in ["t_refused", "note"] {
        object.remove(ours);
    }
    event.attributes = bounded::attributes(object);
    let extra = extra.filter(|extra| !extra.is_null()).map(|extra| {
        let said = extra.as_f64().and_then(|s| Duration::try_from_secs_f64(s).ok());
        said.filter(|said| *said <= MOST_UNCERTAIN).map(as_nanos)
    });
    let (extra, is_bad) = (extra.flatten().unwrap_or(0), extra == Some(None));
    if is_bad {
        let note = "uncertainty_s is not a number of seconds, of a day at most";
        event = event.with("note", note);
    }
    Some(match t.filter(|t| !t.is_null()) {
        None => Event { uncertainty: event.uncertainty.saturating_add(extra), ..event },
        Some(t) => timed(event, &t, text, extra, seen, clock),
    })
}

/// Puts the event where the line says, unless that cannot be.
fn timed(event: Event, t: &Value, text: &str, extra: Nanos, seen: Seen, clock: &Clock) -> Event {
    let refused = |event: Event, why: &str| {
        let note = format!("t {why}, so the time at which the line was seen stands");
        event
            .with("t_refused", if t.is_number() { t.clone() } else { Value::Null })
            .with("note", note)
    };
    let Some((time, resolution)) = t.is_number().then(|| unix_time(text)).flatten() else {
        return refused(event, "is not a number of seconds since 1970");
    };
    let (at, mapping) = clock.from_wall(time);
    let uncertainty = mapping.saturating_add(resolution).saturating_add(extra);
    let slack = uncertainty.saturating_add(TOLERANCE);
    if at > seen.to.saturating_add(slack) {
        return refused(event, "lies after the line was seen");
    }
    // Compared on the wall clock: `at` cannot tell times before the origin apart.
    let since = |time: std::time::SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
    if since(clock.started_at()) > since(time).saturating_add(Duration::from_nanos(slack)) {
        return refused(event, "lies before the watch began");
    }
    Event { at, uncertainty, ..event }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;

    const SEEN: Seen = Seen { from: 10 * SECOND, to: 12 * SECOND };

    fn read(line: &str) -> Event {
        event(line.as_bytes(), SEEN, &Clock::start()).unwrap()
    }

    #[test]
    fn any_text_is_a_name_at_the_time_it_was_seen() {
        for (line, name) in [
            ("node drained\r", "node drained"),
            ("  x  ", "x"),
            ("{", "{"),
            ("{\"event\":7}", "{\"event\":7}"),
            ("[1]", "[1]"),
            ("{\"event\":\"go\"}", "go"),
        ] {
            let event = read(line);
            assert_eq!(event.kind, EventKind::Mark(name.to_owned()));
            assert_eq!(
                (event.at, event.uncertainty, event.source.as_str()),
                (11 * SECOND, SECOND, "file")
            );
            assert_eq!(event.attributes.contains_key("note"), name.starts_with('{'), "{line}");
        }
        assert!(event(b" \r", SEEN, &Clock::start()).is_none());
        let odd = event(b"a\xff\xfeb", SEEN, &Clock::start()).unwrap();
        assert_eq!(odd.kind.name(), "a\u{fffd}\u{fffd}b");
        assert!(read(&"x".repeat(5000)).kind.name().len() <= 256);
    }

    #[test]
    fn a_line_may_say_when_it_was() {
        let clock = Clock::start();
        let at = |seconds: f64| {
            let origin = clock.started_at().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            origin.as_secs_f64() + seconds
        };
        let read = |t: f64, more: &str| {
            let line = format!("{{\"event\":\"stop\",\"t\":{t:.6},\"host\":\"a\"{more}}}");
            event(line.as_bytes(), SEEN, &clock).unwrap()
        };
        // Long before it was seen: what was written late is put where it belongs.
        let good = read(at(3.0), "");
        assert!(good.at.abs_diff(3 * SECOND) < SECOND / 1000, "{good:?}");
        assert_eq!(good.attributes.keys().collect::<Vec<_>>(), ["host"]);
        let vague = read(at(3.0), ",\"uncertainty_s\":2");
        assert!(vague.uncertainty.abs_diff(good.uncertainty + 2 * SECOND) < 1000);
        for (t, more, why) in [
            (at(13.0), "", "after the line was seen"),
            (at(-1.0), "", "before the watch began"),
            (at(11.5), ",\"uncertainty_s\":-1", "uncertainty_s is not"),
        ] {
            let odd = read(t, more);
            assert_eq!(odd.at / SECOND, 11, "{odd:?}");
            assert!(odd.attributes["note"].as_str().unwrap().contains(why), "{odd:?}");
        }
        let text = event(br#"{"event":"x","t":"now"}"#, SEEN, &clock).unwrap();
        assert_eq!((text.at, &text.attributes["t_refused"]), (11 * SECOND, &Value::Null));
        // Without it, it is only less certain.
        let late = event(br#"{"event":"x","uncertainty_s":3}"#, SEEN, &clock).unwrap();
        assert_eq!(late.uncertainty, 4 * SECOND);
    }

    proptest! {
        #[test]
        fn whatever_stands_in_a_line(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            t in prop_oneof!["-?[0-9]{1,25}", "-?[0-9]{1,20}\\.[0-9]{0,12}", "[0-9]e-?[0-9]{1,3}"],
            extra in prop_oneof!["-?[0-9]{1,6}", "[0-9]e[0-9]{1,3}", "\"x\""],
        ) {
            let clock = Clock::start();
            let _ = event(&bytes, SEEN, &clock);
            let line = format!("{{\"event\":\"x\",\"t\":{t},\"uncertainty_s\":{extra}}}");
            let event = event(line.as_bytes(), SEEN, &clock).unwrap();
            prop_assert!(event.at < 13 * SECOND + as_nanos(MOST_UNCERTAIN) + 2 * SECOND);
        }
    }
}
