//! The host's threads: one that lets people in, and one for each who came.

use std::io;
use std::net::{IpAddr, Shutdown, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use socket2::SockRef;

use super::meeting::Meeting;
use crate::clock::{as_nanos, monotonic_ns};
use crate::scale::sync::handshake::Challenge;
use crate::scale::sync::message::{Garbled, Message};
use crate::scale::sync::nonce::nonce;
use crate::scale::sync::refusal::Refusal;
use crate::scale::sync::wire::{Cut, Ear, Heard, Link};

/// A thread for lines of 256 bytes needs little.
const STACK: usize = 128 * 1024;

/// The open door; closed when dropped, with all connections, and all threads ended.
#[derive(Debug)]
pub(super) struct Door {
    meeting: Arc<Meeting>,
    listener: Arc<TcpListener>,
    keeper: Option<JoinHandle<()>>,
}

impl Door {
    pub(super) fn open(meeting: Arc<Meeting>, listener: TcpListener) -> io::Result<Self> {
        let listener = Arc::new(listener);
        let (its_meeting, its_listener) = (Arc::clone(&meeting), Arc::clone(&listener));
        let keeper = thread::Builder::new()
            .name("loadgen-sync-door".to_owned())
            .stack_size(STACK)
            .spawn(move || keep(&its_meeting, &its_listener))?;
        Ok(Self { meeting, listener, keeper: Some(keeper) })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.meeting.close();
        // Linux wakes whoever waits in accept(2).
        let _ = SockRef::from(&*self.listener).shutdown(Shutdown::Both);
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
        self.meeting.wait_until_empty();
    }
}

fn keep(meeting: &Arc<Meeting>, listener: &TcpListener) {
    while meeting.has_room() {
        let Ok((stream, from)) = listener.accept() else {
            meeting.pause();
            continue;
        };
        let Ok(link) = Link::new(stream) else { continue };
        let Some(visit) = Visit::begin(meeting, link, from.ip().to_canonical()) else { return };
        // Where there is no thread for it, the visit ends here, and its guest tries again.
        let _ = thread::Builder::new()
            .name("loadgen-sync".to_owned())
            .stack_size(STACK)
            .spawn(move || visit.receive());
    }
}

/// A connection, from when it came to when its thread ends.
#[derive(Debug)]
struct Visit {
    meeting: Arc<Meeting>,
    link: Arc<Link>,
    id: u64,
    from: IpAddr,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.link.close();
        self.meeting.leave(self.id);
    }
}

impl Visit {
    fn begin(meeting: &Arc<Meeting>, link: Link, from: IpAddr) -> Option<Self> {
        let link = Arc::new(link);
        let id = meeting.enter(&link)?;
        Some(Self { meeting: Arc::clone(meeting), link, id, from })
    }

    /// All that happens on it.
    fn receive(self) {
        let mut ear = Ear::new(Arc::clone(&self.link));
        match self.admit(&mut ear) {
            Ok(index) => self.attend(index, &mut ear),
            Err(Turned::Away { refusal, who }) => {
                self.meeting.note(format!("{}{who}: {refusal}", self.from));
                let _ = self.link.send(&Message::No(refusal));
            }
            // Many look whether a port is open; that is no news.
            Err(Turned::Gone) => {}
        }
    }

    /// Finds out who it is.
    fn admit(&self, ear: &mut Ear) -> Result<u32, Turned> {
        let deadline_ns = monotonic_ns().saturating_add(as_nanos(self.meeting.patience));
        let nonce = nonce().map_err(|_| Turned::Gone)?;
        let challenge = Challenge::new(&self.meeting.terms, self.meeting.of, nonce);
        self.link.send(&challenge.greeting()).map_err(|_| Turned::Gone)?;
        let said = ear.hear(Some(deadline_ns)).map_err(Turned::of)?.message;
        let refused = |refusal| Turned::Away { refusal, who: who(&said) };
        let admitted = challenge.judge(&said).map_err(refused)?;
        self.meeting.seat(self.id, admitted.index).map_err(refused)?;
        // If it is gone by now, its thread sees that next.
        let _ = self.link.send(&admitted.welcome);
        Ok(admitted.index)
    }

    /// Answers a guest until its connection is gone.
    fn attend(&self, index: u32, ear: &mut Ear) {
        while let Ok(Heard { message, at_ns }) = ear.hear(None) {
            match message {
                Message::Ask { number } => {
                    let sent_ns = monotonic_ns();
                    let told = Message::Told { number, received_ns: at_ns, sent_ns };
                    let _ = self.link.send(&told);
                }
                Message::Ready => self.meeting.ready(index),
                Message::Goodbye => self.meeting.goodbye(index),
                _ => {
                    self.meeting.note(format!("shard {index}: {}", Refusal::Garbled));
                    let _ = self.link.send(&Message::No(Refusal::Garbled));
                    return;
                }
            }
        }
    }
}

/// Why somebody did not come in.
#[derive(Debug)]
enum Turned {
    Away {
        refusal: Refusal,
        /// Who it said that it is, or what it said.
        who: String,
    },
    /// It went by itself.
    Gone,
}

impl Turned {
    fn of(cut: Cut) -> Self {
        match cut {
            Cut::Garbled(Garbled { said }) => {
                Self::Away { refusal: Refusal::Garbled, who: format!(" ('{said}')") }
            }
            Cut::Late => Self::Away { refusal: Refusal::Slow, who: String::new() },
            Cut::TooMany => Self::Away { refusal: Refusal::Garbled, who: String::new() },
            Cut::Closed { .. } | Cut::Broken(_) => Self::Gone,
        }
    }
}

/// Who somebody says that it is.
fn who(said: &Message) -> String {
    match said {
        Message::Join { shard, .. } => format!(" (shard {shard})"),
        _ => String::new(),
    }
}
