//! Notices from fakes and files, through all layers. Time limits only keep a broken test from hanging.

mod clouds;
mod failing;
mod fake;
mod files;

use std::thread;
use std::time::{Duration, Instant};

use super::{NoticeSource, Notices};
use crate::clock::{Clock, Nanos};
use crate::event::Event;
use fake::Fake;

pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// Someone who listens, from now on.
struct Heard {
    notices: Notices,
    clock: Clock,
    events: Vec<Event>,
}

impl Heard {
    fn of(source: &str) -> Self {
        let clock = Clock::start();
        let source: NoticeSource = source.parse().unwrap();
        let notices = Notices::start(&source, clock).unwrap();
        Self { notices, clock, events: Vec::new() }
    }

    /// The next events, so many of them: their names.
    fn next(&mut self, many: usize) -> Vec<String> {
        let (begun, from) = (Instant::now(), self.events.len());
        while self.events.len() < from + many {
            assert!(begun.elapsed() < LIMIT, "{:#?} {:?}", self.events, self.notices.trouble());
            self.events.append(&mut self.notices.take());
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(self.events.len(), from + many, "{:#?}", self.events);
        self.events[from..].iter().map(|event| event.kind.name().to_owned()).collect()
    }

    fn last(&self) -> &Event {
        self.events.last().unwrap()
    }

    /// Waits for trouble that is told so, and passes over other trouble.
    fn trouble(&mut self, part: &str) -> String {
        let (begun, mut others) = (Instant::now(), Vec::new());
        loop {
            match self.notices.trouble() {
                Some(told) if told.contains(part) => return told,
                other => others.extend(other),
            }
            assert!(begun.elapsed() < LIMIT, "not told: {part}; but {others:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What happens by `change` is told as this event, whose interval holds that moment.
    fn change(&mut self, name: &str, change: impl FnOnce()) {
        let before = self.clock.now();
        change();
        let after = self.clock.now();
        assert_eq!(self.next(1), [name]);
        self.holds(before, after);
    }

    fn holds(&self, before: Nanos, after: Nanos) {
        let event = self.last();
        let (first, last) = (event.at - event.uncertainty, event.at + event.uncertainty);
        assert!(first <= after && before <= last, "{event:?} and not {before} to {after}");
    }
}

fn refusal(source: &str) -> String {
    let source: NoticeSource = source.parse().unwrap();
    Notices::start(&source, Clock::start()).unwrap_err().to_string()
}
