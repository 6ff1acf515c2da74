//! What all threads of a host share: the roll, the connections, and the wish to end.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::notes::{Notes, who};
use super::roll::{LostShard, Roll};
use crate::clock::{as_nanos, monotonic_ns};
use crate::scale::sync::error::SyncError;
use crate::scale::sync::handshake::Terms;
use crate::scale::sync::message::Message;
use crate::scale::sync::refusal::Refusal;
use crate::scale::sync::wire::{Link, left_until};

/// The most connections of which nobody knows whose they are.
pub(super) const MOST_STRANGERS: usize = 32;

/// How long nobody is let in after the system refused a connection: it has no descriptors left,
/// say.
const PAUSE: Duration = Duration::from_millis(50);

/// A meeting, as its threads see it.
#[derive(Debug)]
pub(super) struct Meeting {
    pub(super) of: u32,
    pub(super) terms: Terms,
    /// How long a stranger may take to say who it is.
    pub(super) patience: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    roll: Roll,
    /// All connections, of strangers, too.
    connections: BTreeMap<u64, Connection>,
    next_id: u64,
    notes: Notes,
    end_ns: Option<u64>,
    is_closed: bool,
}

#[derive(Debug)]
struct Connection {
    link: Arc<Link>,
    /// Whose it is, once that is known.
    index: Option<u32>,
}

impl State {
    /// The connections of guests.
    fn guests(&self) -> Vec<Arc<Link>> {
        let guests = self.connections.values().filter(|connection| connection.index.is_some());
        guests.map(|connection| Arc::clone(&connection.link)).collect()
    }
}

impl Meeting {
    pub(super) fn new(of: u32, terms: Terms, patience: Duration) -> Self {
        let state = State {
            roll: Roll::new(of),
            connections: BTreeMap::new(),
            next_id: 0,
            notes: Notes::default(),
            end_ns: None,
            is_closed: false,
        };
        Self { of, terms, patience, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits until one more stranger may come in; false when the meeting is closed. Where there are too
    /// many, the one that was there longest without a word has to go: who knows the token says so at
    /// once.
    pub(super) fn has_room(&self) -> bool {
        let is_full = |state: &mut State| {
            let is_full =
                !state.is_closed && state.connections.len() >= state.roll.seated() + MOST_STRANGERS;
            let mut connections = state.connections.values();
            if is_full && let Some(oldest) = connections.find(|one| one.index.is_none()) {
                oldest.link.close();
            }
            is_full
        };
        let state =
            self.changed.wait_while(self.lock(), is_full).unwrap_or_else(PoisonError::into_inner);
        !state.is_closed
    }

    /// Waits a little, or until the meeting is closed.
    pub(super) fn pause(&self) {
        let is_open = |state: &mut State| !state.is_closed;
        drop(self.changed.wait_timeout_while(self.lock(), PAUSE, is_open));
    }

    /// Somebody came. `None` when the meeting is closed.
    pub(super) fn enter(&self, link: &Arc<Link>) -> Option<u64> {
        let mut state = self.lock();
        if state.is_closed {
            return None;
        }
        let id = state.next_id;
        state.next_id += 1;
        state.connections.insert(id, Connection { link: Arc::clone(link), index: None });
        Some(id)
    }

    /// A stranger has become a guest.
    pub(super) fn seat(&self, id: u64, index: u32) -> Result<(), Refusal> {
        let mut state = self.lock();
        state.roll.seat(index)?;
        if let Some(connection) = state.connections.get_mut(&id) {
            connection.index = Some(index);
        }
        self.changed.notify_all();
        Ok(())
    }

    /// Its connection is gone, and its thread ends.
    pub(super) fn leave(&self, id: u64) {
        let mut state = self.lock();
        let index = state.connections.remove(&id).and_then(|connection| connection.index);
        if let Some(index) = index
            && !state.roll.gone(index, monotonic_ns())
            && state.roll.start_ns().is_none()
            && !state.is_closed
        {
            state.notes.add(format!("shard {index} went away"));
        }
        self.changed.notify_all();
    }

    /// A guest has opened its connections.
    pub(super) fn ready(&self, index: u32) {
        self.lock().roll.ready(index);
        self.changed.notify_all();
    }

    /// A guest is done.
    pub(super) fn goodbye(&self, index: u32) {
        self.lock().roll.goodbye(index);
        self.changed.notify_all();
    }

    /// Something happened at the door.
    pub(super) fn note(&self, note: String) {
        self.lock().notes.add(note);
        self.changed.notify_all();
    }

    /// What happened there.
    pub(super) fn notes(&self) -> Vec<String> {
        self.lock().notes.texts()
    }

    /// Waits until all are ready, and tells them that the load starts a run-up from then.
    pub(super) fn start(&self, timeout: Duration, run_up: Duration) -> Result<u64, SyncError> {
        let deadline_ns = monotonic_ns().saturating_add(as_nanos(timeout));
        let mut state = self.lock();
        if let Some(start_ns) = state.roll.start_ns() {
            return Ok(start_ns);
        }
        while !state.roll.is_complete() {
            let left = left_until(deadline_ns);
            if left.is_zero() {
                let error = missing(&state, timeout);
                let guests = state.guests();
                drop(state);
                tell(&guests, &Message::No(Refusal::Missing));
                return Err(error);
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let start_ns = monotonic_ns().saturating_add(as_nanos(run_up));
        state.roll.begin(start_ns);
        let (guests, end_ns) = (state.guests(), state.end_ns);
        drop(state);
        tell(&guests, &Message::Start { at_ns: start_ns });
        if let Some(at_ns) = end_ns {
            tell(&guests, &Message::End { at_ns });
        }
        Ok(start_ns)
    }

    /// Tells all when to end; the first time counts. Before the start it is told with that.
    pub(super) fn end_at(&self, at_ns: u64) {
        let mut state = self.lock();
        if state.end_ns.is_some() {
            return;
        }
        state.end_ns = Some(at_ns);
        if state.roll.start_ns().is_none() {
            return;
        }
        let guests = state.guests();
        drop(state);
        tell(&guests, &Message::End { at_ns });
    }

    /// Those that were lost after the start.
    pub(super) fn lost(&self) -> Vec<LostShard> {
        self.lock().roll.lost()
    }

    /// Waits until nobody is there who did not say goodbye; those who are when the time is over.
    pub(super) fn goodbyes(&self, limit: Duration) -> Vec<u32> {
        let waits = |state: &mut State| !state.roll.staying().is_empty();
        let waited = self.changed.wait_timeout_while(self.lock(), limit, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.roll.staying()
    }

    /// Closes all connections, and lets nobody in any more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        for connection in state.connections.values() {
            connection.link.close();
        }
        self.changed.notify_all();
    }

    /// Waits until all threads of connections have let go of theirs.
    pub(super) fn wait_until_empty(&self) {
        let is_used = |state: &mut State| !state.connections.is_empty();
        drop(self.changed.wait_while(self.lock(), is_used));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a host says that waited in vain.
fn missing(state: &State, waited: Duration) -> SyncError {
    let (absent, unready) = (state.roll.absent(), state.roll.unready());
    let (who, notes) = (who(&absent, &unready), state.notes.told());
    SyncError::Missing { absent, unready, who, notes, waited }
}

/// Tells guests something. One that cannot be told is closed by that, and its thread sees to it.
fn tell(guests: &[Arc<Link>], message: &Message) {
    let line = message.line();
    for guest in guests {
        let _ = guest.write(&line);
    }
}
