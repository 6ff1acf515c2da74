//! What was learnt and not asked for yet: events up to a limit, and the newest trouble.

use std::collections::BTreeSet;

use super::bounded;
use crate::event::Event;

/// Events that wait to be taken, and about how many bytes of them.
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;
/// Different troubles that are told before it works again.
const MOST_TROUBLES: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Told {
    events: Vec<Event>,
    bytes: usize,
    /// Events that found no room, and were not told of.
    dropped: u64,
    /// Not asked for yet.
    trouble: Option<String>,
    /// Those since it worked last.
    troubles: BTreeSet<String>,
}

impl Told {
    pub(super) fn event(&mut self, event: Event) {
        let bytes = event.kind.name().len() + bounded::weight(&event.attributes) + 200;
        if self.events.len() < MOST_EVENTS && self.bytes + bytes <= MOST_BYTES {
            self.bytes += bytes;
            self.events.push(event);
        } else {
            self.dropped += 1;
        }
    }

    /// What one look brought.
    pub(super) fn add(&mut self, news: Self) {
        news.events.into_iter().for_each(|event| self.event(event));
        self.dropped += news.dropped;
        match news.trouble {
            Some(trouble) => self.trouble(trouble),
            None => self.works(),
        }
    }

    /// It works: what troubled it would be news again.
    pub(super) fn works(&mut self) {
        self.troubles.clear();
    }

    pub(super) fn trouble(&mut self, text: String) {
        if self.troubles.len() < MOST_TROUBLES && self.troubles.insert(text.clone()) {
            self.trouble = Some(text);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Event> {
        self.bytes = 0;
        std::mem::take(&mut self.events)
    }

    pub(super) fn take_trouble(&mut self) -> Option<String> {
        if let Some(trouble) = self.trouble.take() {
            return Some(trouble);
        }
        let dropped = std::mem::take(&mut self.dropped);
        (dropped > 0).then(|| {
            format!("too many maintenance notices came at once: {dropped} of them were dropped")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    fn event(text: &str) -> Event {
        Event::new(EventKind::Mark("e".to_owned()), 0, 0, "test").with("text", text)
    }

    #[test]
    fn what_nobody_takes_is_bounded_and_counted() {
        let mut told = Told::default();
        (0..MOST_EVENTS + 5).for_each(|_| told.event(event("")));
        assert_eq!(told.take().len(), MOST_EVENTS);
        let trouble = told.take_trouble().unwrap();
        assert!(trouble.contains("5 of them were dropped"), "{trouble}");
        assert_eq!(told.take_trouble(), None);
        let large = "x".repeat(MOST_BYTES / 4);
        (0..5).for_each(|_| told.event(event(&large)));
        assert_eq!(told.take().len(), 3);
        assert!(told.take_trouble().unwrap().contains("2 of them"));
    }

    #[test]
    fn a_trouble_is_told_once_until_it_worked() {
        let mut told = Told::default();
        let trouble = |told: &mut Told, text: &str| {
            told.trouble(text.to_owned());
            told.take_trouble()
        };
        assert_eq!(trouble(&mut told, "a").as_deref(), Some("a"));
        assert_eq!(trouble(&mut told, "a"), None);
        assert_eq!(trouble(&mut told, "b").as_deref(), Some("b"));
        assert_eq!(trouble(&mut told, "a"), None);
        told.works();
        assert_eq!(trouble(&mut told, "a").as_deref(), Some("a"));
        let told_of = (0..100).filter_map(|i| trouble(&mut told, &i.to_string())).count();
        assert_eq!(told_of, MOST_TROUBLES - 1);
        // The newest of several, and still after it works again.
        told.works();
        told.trouble("c".into());
        told.trouble("d".into());
        told.works();
        assert_eq!(told.take_trouble().as_deref(), Some("d"));
    }
}
