//! How long a post-copy stood still, by the events: from each pause to post-copy going
//! on again.

use serde_json::Value;

use crate::clock::{Nanos, as_millis};
use crate::event::{Event, EventKind};
use crate::report::PausedTime;

/// All pauses together; `None`: none was told of. One that nobody ended lasts to the
/// final event, else to the end of the load.
pub(super) fn pauses(events: &[Event], load_end: Nanos) -> Option<PausedTime> {
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by_key(|event| event.at);
    let mut open: Option<&Event> = None;
    let mut total = PausedTime { recovered: true, ..PausedTime::default() };
    let mut add = |paused: &Event, end: Nanos, uncertainty: Nanos| {
        total.events += as_millis(end.saturating_sub(paused.at));
        total.bound += as_millis(paused.uncertainty.saturating_add(uncertainty));
    };
    let (mut times, mut recovered, mut reason) = (0, true, None);
    for event in events {
        match (&event.kind, open) {
            (EventKind::Paused, None) => {
                open = Some(event);
                times += 1;
                let why = event.attributes.get("reason").and_then(Value::as_str);
                reason = reason.or_else(|| why.map(str::to_owned));
            }
            (EventKind::PostCopy | EventKind::Completed, Some(paused)) => {
                add(paused, event.at, event.uncertainty);
                open = None;
            }
            (kind, Some(paused)) if kind.is_final() => {
                add(paused, event.at, event.uncertainty);
                open = None;
                recovered = false;
            }
            _ => {}
        }
    }
    if let Some(paused) = open {
        add(paused, load_end, 0);
        recovered = false;
    }
    (times > 0).then_some(PausedTime { pauses: times, recovered, reason, ..total })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND as MS;

    fn event(kind: EventKind, at_ms: u64) -> Event {
        Event::new(kind, at_ms * MS, MS, "qmp:source")
    }

    #[test]
    fn a_pause_lasts_until_post_copy_goes_on() {
        use EventKind::{Completed, Failed, Paused, PostCopy, Recovering};
        let cut = event(Paused, 2000).with("reason", "reset by peer");
        let run = [event(PostCopy, 1000), cut, event(Recovering, 5900), event(PostCopy, 6000)];
        let told = |more: &[Event]| {
            let all: Vec<Event> = run.iter().chain(more).cloned().collect();
            pauses(&all, 60_000 * MS).unwrap()
        };
        let once = told(&[event(Completed, 7000)]);
        assert_eq!((once.events, once.bound, once.pauses, once.recovered), (4000.0, 2.0, 1, true));
        assert_eq!(once.reason.as_deref(), Some("reset by peer"));
        let twice = told(&[event(Paused, 6500), event(Failed, 7000)]);
        assert_eq!((twice.events, twice.pauses, twice.recovered), (4500.0, 2, false));
        assert_eq!(told(&[event(Paused, 50_000)]).events, 14_000.0, "to the end of the load");
        assert_eq!(pauses(&run[..1], 60_000 * MS), None);
    }
}
