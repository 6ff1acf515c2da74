//! The events of a run, of which only so many are kept: what a trigger, a program or an
//! embedder tells must not fill the memory of the machine that measures.
//!
//! Marks, progress and all other kinds are bounded apart, by number and by size; the
//! first ones stay, the others are counted. Of progress, and of each of the other kinds,
//! the latest stays, too: it says how far things got. Where the other kinds have very
//! much text, they go without their attributes before any of them is left out.

use std::mem::{Discriminant, discriminant};
use std::ops::{Deref, DerefMut};

use serde_json::Value;

use super::{Event, EventKind};

/// Marks that are kept, as many events of progress, and as many of all other kinds.
pub(crate) const MOST_EVENTS: usize = 10_000;

/// The size of the text in each of the three kinds of events, in bytes.
const MOST_BYTES: usize = 8 << 20;

/// The longest name, and the largest value of an attribute, in bytes.
const LONGEST_NAME: usize = 256;
const LARGEST_VALUE: usize = 8 << 10;

/// Attributes of one event.
const MOST_ATTRIBUTES: usize = 64;

/// What says how far an event's time can be trusted; it is never left out.
const OF_THE_TIME: [&str; 2] = ["t_refused", "received_after_s"];

/// Events, up to the limits.
#[derive(Debug, Default)]
pub(crate) struct KeptEvents {
    pub(crate) events: Vec<Event>,
    /// Events that came when there was no room for them.
    pub(crate) dropped: u64,
    marks: Room,
    progress: Room,
    others: Room,
    /// Stops and resumes among the dropped: without them the downtime is another.
    pub(crate) dropped_stops: u64,
    /// Where the latest event of a kind is that came when there was no room.
    latest: Vec<(Discriminant<EventKind>, usize)>,
}

/// What one kind of events has taken.
#[derive(Debug, Default)]
struct Room {
    events: usize,
    bytes: usize,
}

impl Room {
    fn takes(&mut self, bytes: usize) -> bool {
        let fits = self.events < MOST_EVENTS && self.bytes + bytes <= MOST_BYTES;
        if fits {
            self.events += 1;
            self.bytes += bytes;
        }
        fits
    }
}

impl KeptEvents {
    /// Takes an event, as far as there is room.
    pub(crate) fn push(&mut self, mut event: Event) {
        shorten(&mut event);
        let bytes = size(&event);
        match event.kind {
            EventKind::Mark(_) if self.marks.takes(bytes) => self.events.push(event),
            EventKind::Mark(_) => self.dropped += 1,
            EventKind::Progress if self.progress.takes(bytes) => self.events.push(event),
            EventKind::Progress => self.keep_as_latest(event),
            _ if self.others.events >= MOST_EVENTS => self.keep_as_latest(event),
            _ => {
                let is_last = event.kind.is_final();
                if !self.others.takes(bytes) {
                    self.others.events += 1;
                    if !is_last {
                        event.attributes.retain(|name, _| OF_THE_TIME.contains(&name.as_str()));
                    }
                }
                self.events.push(event);
            }
        }
    }

    /// Takes the place of the one that was the latest of its kind before.
    fn keep_as_latest(&mut self, event: Event) {
        let kind = discriminant(&event.kind);
        let place = self.latest.iter().find(|latest| latest.0 == kind).map(|latest| latest.1);
        match place.and_then(|place| self.events.get_mut(place)) {
            Some(before) => {
                let stops = matches!(event.kind, EventKind::Stop | EventKind::Resume);
                self.dropped_stops += u64::from(stops);
                *before = event;
                self.dropped += 1;
            }
            None => {
                self.latest.push((kind, self.events.len()));
                self.events.push(event);
            }
        }
    }

    /// Leaves out the events of a kind that is known better from now on.
    pub(crate) fn forget(&mut self, kind: &EventKind) {
        let gone = |event: &Event| event.kind == *kind;
        self.latest.retain_mut(|(_, place)| {
            let stays = self.events.get(*place).is_some_and(|event| !gone(event));
            *place -= self.events.iter().take(*place).filter(|event| gone(event)).count();
            stays
        });
        self.events.retain(|event| !gone(event));
    }
}

impl Deref for KeptEvents {
    type Target = Vec<Event>;

    fn deref(&self) -> &Vec<Event> {
        &self.events
    }
}

/// For changing and ordering them when no more will come.
impl DerefMut for KeptEvents {
    fn deref_mut(&mut self) -> &mut Vec<Event> {
        &mut self.events
    }
}

/// Cuts what is too long; an ellipsis says so.
fn shorten(event: &mut Event) {
    if let EventKind::Mark(name) | EventKind::State(name) = &mut event.kind {
        cut(name, LONGEST_NAME);
    }
    cut(&mut event.source, LONGEST_NAME);
    let is_long = |(name, value): (&String, &Value)| {
        name.len() > LONGEST_NAME || value_size(value, LARGEST_VALUE) > LARGEST_VALUE
    };
    let attributes = &event.attributes;
    if attributes.len() <= MOST_ATTRIBUTES && !attributes.iter().any(is_long) {
        return;
    }
    let all = std::mem::take(&mut event.attributes);
    let count = all.len();
    event.attributes = all
        .into_iter()
        .enumerate()
        .filter(|(k, (name, _))| *k < MOST_ATTRIBUTES || OF_THE_TIME.contains(&name.as_str()))
        .map(|(_, attribute)| attribute)
        .map(|(mut name, value)| {
            cut(&mut name, LONGEST_NAME);
            (name, shortened(value))
        })
        .collect();
    let left_out = count - event.attributes.len();
    if left_out > 0 {
        event.attributes.insert("attributes_left_out".to_owned(), left_out.into());
    }
}

fn shortened(value: Value) -> Value {
    match value {
        Value::String(mut text) => {
            cut(&mut text, LARGEST_VALUE);
            Value::String(text)
        }
        value if value_size(&value, LARGEST_VALUE) > LARGEST_VALUE => "… (too large)".into(),
        value => value,
    }
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
}

/// About how much memory an event takes beyond itself.
fn size(event: &Event) -> usize {
    let name = match &event.kind {
        EventKind::Mark(name) | EventKind::State(name) => name.len(),
        _ => 0,
    };
    let attributes = event.attributes.iter();
    name + event.source.len()
        + attributes.map(|(n, v)| ENTRY + n.len() + value_size(v, usize::MAX)).sum::<usize>()
}

/// A name and its value take this beside their texts.
const ENTRY: usize = 64;

/// About the size of a value; not much beyond `enough`.
fn value_size(value: &Value, enough: usize) -> usize {
    let mut size = 0_usize;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        size += ENTRY / 2;
        match value {
            Value::String(text) => size += text.len(),
            Value::Array(values) => open.extend(values),
            Value::Object(values) => {
                size += values.keys().map(String::len).sum::<usize>();
                open.extend(values.values());
            }
            _ => {}
        }
        if size > enough {
            break;
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mark(name: &str, at: u64) -> Event {
        Event::new(EventKind::Mark(name.to_owned()), at, 0, "user")
    }

    fn progress(at: u64) -> Event {
        Event::new(EventKind::Progress, at, 0, "t").with("remaining_bytes", at)
    }

    #[test]
    fn a_million_marks_leave_the_migration_whole() {
        let mut kept = KeptEvents::default();
        kept.push(Event::new(EventKind::Fired, 0, 0, "t"));
        for at in 0..500_000 {
            kept.push(mark("m", at));
            kept.push(progress(at));
        }
        for kind in [EventKind::Round(1), EventKind::Stop, EventKind::Resume, EventKind::Completed]
        {
            kept.push(Event::new(kind, 500_000, 0, "t").with("a", 1));
        }
        assert_eq!(kept.events.len(), 2 * MOST_EVENTS + 1 + 5);
        assert_eq!(kept.dropped, 1_000_000 - 2 * MOST_EVENTS as u64 - 1);
        // The first ones, and of progress the last.
        let ats = |of: &dyn Fn(&Event) -> bool| -> Vec<u64> {
            kept.events.iter().filter(|e| of(e)).map(|e| e.at).collect()
        };
        let marks = ats(&|e| matches!(e.kind, EventKind::Mark(_)));
        assert_eq!(marks.last(), Some(&(MOST_EVENTS as u64 - 1)));
        let told = ats(&|e| e.kind == EventKind::Progress);
        assert_eq!(told[MOST_EVENTS - 1], MOST_EVENTS as u64 - 1);
        assert_eq!(told[MOST_EVENTS], 499_999);
        let last = kept.events.last().unwrap();
        assert!(last.kind == EventKind::Completed && !last.attributes.is_empty());
    }

    #[test]
    fn large_events_are_fewer_and_rounds_stay_without_their_attributes() {
        let mut kept = KeptEvents::default();
        let large = "x".repeat(LARGEST_VALUE);
        for at in 0..3000 {
            kept.push(mark("m", at).with("a", &*large));
            kept.push(Event::new(EventKind::Round(at as u32), at, 0, "t").with("a", &*large));
        }
        let failed = Event::new(EventKind::Failed, 9, 0, "t").with("reason", "why");
        kept.push(failed.clone());
        let marks = kept.events.iter().filter(|e| matches!(e.kind, EventKind::Mark(_))).count();
        assert!((900..=1024).contains(&marks), "{marks}");
        assert_eq!(kept.dropped, 3000 - marks as u64);
        let rounds: Vec<_> =
            kept.events.iter().filter(|e| matches!(e.kind, EventKind::Round(_))).collect();
        assert_eq!(rounds.len(), 3000);
        let whole = rounds.iter().filter(|e| !e.attributes.is_empty()).count();
        assert!((900..=1024).contains(&whole), "{whole}");
        assert_eq!(kept.events.last(), Some(&failed));
    }

    #[test]
    fn one_event_cannot_be_large() {
        let huge = "é".repeat(1 << 20);
        let mut event = mark(&huge, 0).with("text", &*huge).with(&huge, 1).with("n", 7);
        event.source.clone_from(&huge);
        event = event.with("list", vec![json!({ "a": huge }); 3]);
        for i in 0..1000 {
            event = event.with(&format!("z{i}"), i);
        }
        let mut kept = KeptEvents::default();
        kept.push(event);
        let event = &kept.events[0];
        assert!(size(event) < 64 << 10, "{}", size(event));
        assert!(event.kind.name().ends_with("é…"));
        assert_eq!(event.attributes["n"], 7);
        assert_eq!(event.attributes["list"], "… (too large)");
        assert_eq!(event.attributes["attributes_left_out"], 940);
        // What is short stays as it is.
        let short = mark("m", 1).with("a", json!({"b": [1, null, "c"]}));
        kept.push(short.clone());
        assert_eq!(kept.events[1], short);
    }

    #[test]
    fn what_is_told_anew_replaces_what_was_known() {
        let mut kept = KeptEvents::default();
        kept.push(Event::new(EventKind::Fired, 1, 0, "loadgen"));
        (0..MOST_EVENTS as u64 + 5).for_each(|at| kept.push(progress(at)));
        kept.forget(&EventKind::Fired);
        kept.push(progress(77_777));
        assert_eq!(kept.events.len(), MOST_EVENTS + 1);
        assert_eq!(kept.events.last().unwrap().at, 77_777);
        assert_eq!(kept.dropped, 5);
    }

    #[test]
    fn no_kind_fills_the_memory() {
        let mut kept = KeptEvents::default();
        let long = "s".repeat(1 << 20);
        let kinds = |k: u32| {
            [EventKind::Round(k), EventKind::State(format!("{k}{long}")), EventKind::Setup]
        };
        kept.push(Event::new(EventKind::Fired, 0, 0, "t"));
        for k in 0..20_000_u32 {
            // A long name now and then: it takes time to make.
            let [round, state, setup] = if k % 1000 == 0 {
                kinds(k)
            } else {
                [EventKind::Round(k), EventKind::State("s".to_owned()), EventKind::Setup]
            };
            for kind in [round, state, setup, EventKind::Stop, EventKind::Resume] {
                kept.push(Event::new(kind, u64::from(k), 0, "t"));
            }
        }
        kept.push(Event::new(EventKind::Completed, 20_000, 0, "t").with("reason", "why"));
        // The latest of each of the five kinds, and the end.
        assert_eq!(kept.events.len(), MOST_EVENTS + 5 + 1);
        assert_eq!(kept.dropped, 100_001 - (MOST_EVENTS as u64 + 5));
        assert_eq!(kept.dropped_stops, 40_000 - 2 * (MOST_EVENTS as u64 / 5) - 1);
        assert!(kept.events.iter().map(size).max() <= Some(LONGEST_NAME + 8), "names are cut");
        let state = Event::new(EventKind::State("s".repeat(9)), 0, 0, "t");
        assert_eq!(size(&state), 10);
        let rounds = kept.events.iter().filter_map(|event| match event.kind {
            EventKind::Round(round) => Some(round),
            _ => None,
        });
        assert_eq!(rounds.max(), Some(19_999));
        let last = kept.events.last().unwrap();
        assert_eq!(
            (&last.kind, &last.attributes["reason"]),
            (&EventKind::Completed, &json!("why"))
        );
        // What is told anew moves the others.
        kept.forget(&EventKind::Fired);
        kept.push(Event::new(EventKind::Setup, 77_777, 0, "t"));
        let mut setups = kept.events.iter().filter(|event| event.kind == EventKind::Setup);
        assert_eq!(setups.next_back().map(|event| event.at), Some(77_777));
        assert_eq!(kept.events.len(), MOST_EVENTS + 5);
    }

    #[test]
    fn what_is_said_of_a_time_is_never_left_out() {
        let mut kept = KeptEvents::default();
        let large = "x".repeat(LARGEST_VALUE);
        for at in 0..3000 {
            let mut event = Event::new(EventKind::Stop, at, 0, "t").with("t_refused", 1.5);
            for name in 0..MOST_ATTRIBUTES {
                event = event.with(&format!("a{name}"), if name == 0 { &*large } else { "" });
            }
            kept.push(event);
        }
        assert!(kept.events.iter().all(|event| event.attributes.contains_key("t_refused")));
    }
}
