//! The thread that listens to the host, and questions for the host's clock.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::inbox::{Inbox, Missed};
use crate::clock::{SECOND, monotonic_ns};
use crate::scale::sync::message::Message;
use crate::scale::sync::offset::{Offset, Stamps, best};
use crate::scale::sync::wire::{Ear, Link};

/// The exchanges of one measurement: the least round trip of so many is hardly longer than the
/// way itself.
const EXCHANGES: u32 = 32;

/// How long all of them may take together.
const MEASURED_WITHIN_NS: u64 = 10 * SECOND;

/// A thread for lines of 256 bytes needs little.
const STACK: usize = 128 * 1024;

/// A connection to the host that is listened to; closed when dropped, and its thread ended.
#[derive(Debug)]
pub(super) struct Hearing {
    link: Arc<Link>,
    inbox: Arc<Inbox>,
    listener: Option<JoinHandle<()>>,
    /// The number of the next question. Whoever measures has it.
    next: Mutex<u32>,
}

impl Hearing {
    pub(super) fn start(link: Arc<Link>, ear: Ear) -> io::Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let its_inbox = Arc::clone(&inbox);
        let listener = thread::Builder::new()
            .name("loadgen-sync".to_owned())
            .stack_size(STACK)
            .spawn(move || listen(ear, &its_inbox))?;
        Ok(Self { link, inbox, listener: Some(listener), next: Mutex::new(0) })
    }

    /// What was told.
    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Says something. If the host is gone, the inbox knows.
    pub(super) fn say(&self, message: &Message) {
        let _ = self.link.send(message);
    }

    /// Measures the offset of the host's clock; `None` if the host's stamps make no sense.
    pub(super) fn measure(&self) -> Result<Option<Offset>, Missed> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline_ns = monotonic_ns().saturating_add(MEASURED_WITHIN_NS);
        let mut exchanges = Vec::new();
        for _ in 0..EXCHANGES {
            let number = *next;
            *next = next.wrapping_add(1);
            let line = Message::Ask { number }.line();
            let asked_ns = monotonic_ns();
            let _ = self.link.write(&line);
            let answer = self.inbox.answer(number, deadline_ns)?;
            exchanges.push(Stamps {
                asked_ns,
                received_ns: answer.received_ns,
                sent_ns: answer.sent_ns,
                heard_ns: answer.heard_ns,
            });
        }
        Ok(best(exchanges))
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.link.close();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

fn listen(mut ear: Ear, inbox: &Inbox) {
    let why = loop {
        match ear.hear(None) {
            Ok(heard) if inbox.put(&heard) => {}
            Ok(_) => return,
            Err(cut) => break cut.to_string(),
        }
    };
    inbox.close(why);
}
