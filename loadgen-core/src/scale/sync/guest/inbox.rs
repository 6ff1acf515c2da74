//! What the host told a guest, kept until somebody asks: the thread that listens puts it in.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::scale::sync::message::Message;
use crate::scale::sync::refusal::Refusal;
use crate::scale::sync::wire::{Heard, left_until};

/// The host's answer to a question for the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) number: u32,
    pub(super) received_ns: u64,
    pub(super) sent_ns: u64,
    /// When it was here, on the own clock.
    pub(super) heard_ns: u64,
}

/// Why nothing more comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Over {
    /// The host says so.
    Refused(Refusal),
    /// The host is gone, and how that was seen.
    Gone(String),
}

/// Why what was waited for did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missed {
    /// Nothing comes any more.
    Over(Over),
    /// The time was over.
    Late,
}

#[derive(Debug, Default)]
struct News {
    /// The last one.
    answer: Option<Answer>,
    start_ns: Option<u64>,
    end_ns: Option<u64>,
    over: Option<Over>,
}

/// What the host told.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    news: Mutex<News>,
    changed: Condvar,
}

impl Inbox {
    /// Puts a message in. Whether to go on listening.
    pub(super) fn put(&self, heard: &Heard) -> bool {
        let mut news = self.lock();
        match heard.message {
            Message::Told { number, received_ns, sent_ns } => {
                let heard_ns = heard.at_ns;
                news.answer = Some(Answer { number, received_ns, sent_ns, heard_ns });
            }
            // The first one counts: nothing is shifted.
            Message::Start { at_ns } => news.start_ns = news.start_ns.or(Some(at_ns)),
            Message::End { at_ns } => news.end_ns = news.end_ns.or(Some(at_ns)),
            Message::No(refusal) => news.over = Some(Over::Refused(refusal)),
            _ => news.over = Some(Over::Gone("it said something out of turn".to_owned())),
        }
        let goes_on = news.over.is_none();
        drop(news);
        self.changed.notify_all();
        goes_on
    }

    /// Nothing more comes.
    pub(super) fn close(&self, why: String) {
        let mut news = self.lock();
        news.over = news.over.take().or(Some(Over::Gone(why)));
        drop(news);
        self.changed.notify_all();
    }

    /// Waits for the answer to a question.
    pub(super) fn answer(&self, number: u32, deadline_ns: u64) -> Result<Answer, Missed> {
        self.wait(deadline_ns, |news| news.answer.filter(|answer| answer.number == number))
    }

    /// Waits for the start, on the host's clock.
    pub(super) fn start_ns(&self, deadline_ns: u64) -> Result<u64, Missed> {
        self.wait(deadline_ns, |news| news.start_ns)
    }

    /// The end, on the host's clock, once it is told.
    pub(super) fn end_ns(&self) -> Option<u64> {
        self.lock().end_ns
    }

    fn wait<T>(&self, deadline_ns: u64, find: impl Fn(&News) -> Option<T>) -> Result<T, Missed> {
        let mut news = self.lock();
        loop {
            if let Some(found) = find(&news) {
                return Ok(found);
            }
            if let Some(over) = &news.over {
                return Err(Missed::Over(over.clone()));
            }
            let left = left_until(deadline_ns);
            if left.is_zero() {
                return Err(Missed::Late);
            }
            let woken = self.changed.wait_timeout(news, left);
            news = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(inbox: &Inbox, line: &str) -> bool {
        inbox.put(&Heard { message: line.parse().unwrap(), at_ns: 9 })
    }

    #[test]
    fn the_first_start_and_end_count() {
        let inbox = Inbox::default();
        assert_eq!(inbox.start_ns(0), Err(Missed::Late));
        assert_eq!(inbox.end_ns(), None);
        for line in ["start 5", "start 6", "end 7", "end 8"] {
            assert!(put(&inbox, line));
        }
        assert_eq!((inbox.start_ns(0), inbox.end_ns()), (Ok(5), Some(7)));
    }

    #[test]
    fn an_answer_belongs_to_its_question() {
        let inbox = Inbox::default();
        assert!(put(&inbox, "clock 1 2 3"));
        assert_eq!(inbox.answer(2, 0), Err(Missed::Late));
        let answer = Answer { number: 1, received_ns: 2, sent_ns: 3, heard_ns: 9 };
        assert_eq!(inbox.answer(1, 0), Ok(answer));
    }

    #[test]
    fn what_was_told_before_the_end_counts() {
        let inbox = Inbox::default();
        assert!(put(&inbox, "start 5"));
        assert!(!put(&inbox, "no missing"));
        inbox.close("closed".to_owned());
        assert_eq!(inbox.start_ns(u64::MAX), Ok(5));
        let refused = Missed::Over(Over::Refused(Refusal::Missing));
        assert_eq!(inbox.answer(1, u64::MAX), Err(refused));
        let inbox = Inbox::default();
        assert!(!put(&inbox, "goodbye"));
        let Err(Missed::Over(Over::Gone(why))) = inbox.start_ns(u64::MAX) else { panic!() };
        assert!(why.contains("out of turn"), "{why}");
    }

    #[test]
    fn the_end_of_the_connection_wakes_whoever_waits() {
        let inbox = Inbox::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| inbox.start_ns(u64::MAX));
            inbox.close("closed".to_owned());
            let gone = Missed::Over(Over::Gone("closed".to_owned()));
            assert_eq!(waiting.join().unwrap(), Err(gone));
        });
    }
}
