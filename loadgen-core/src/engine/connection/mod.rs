//! The connections of a worker: a slab of small states, threaded into lists.
//!
//! A connection is in at most one list of its load: connecting, idle (ready for a
//! call), active (carrying one) or closing (waiting for the server's FIN); those of which
//! something is due are ordered by when their time runs out. The links are in the slab, so that moving a connection between
//! lists allocates nothing. An idle connection costs its slot and no buffer.

mod call;
mod link;
mod pipe;

pub(crate) use call::Call;
pub(crate) use link::Link;
pub(crate) use pipe::Pipe;

use std::collections::VecDeque;

use crate::clock::Nanos;
use crate::net::transport::Transport;
use crate::protocol::Protocol;

/// No connection.
pub(crate) const NONE: u32 = u32::MAX;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Not open.
    Free,
    /// The TCP handshake is under way, or waits to be told where to.
    Connecting,
    /// The TLS handshake is under way.
    Securing,
    /// Open, carrying nothing.
    Idle,
    /// Part of the request is still to be sent.
    Sending,
    /// The request is sent; the reply is awaited.
    Waiting,
    /// The last reply is complete; the server is to close.
    Closing,
}

impl State {
    /// Whether no call can be sent on it yet.
    #[inline]
    pub(crate) fn is_opening(self) -> bool {
        matches!(self, Self::Connecting | Self::Securing)
    }
}

/// One slot of the slab.
pub(crate) struct Connection<P> {
    /// `None`: not open, or waits to be told where to connect.
    pub(crate) transport: Option<Transport>,
    pub(crate) state: State,
    pub(crate) load: u8,
    /// Asked the server to close after this call.
    pub(crate) last_call: bool,
    /// Carries a call; a connection opened to be warm carries none at first.
    pub(crate) has_call: bool,
    /// Distinguishes the users of a slot, so that a late event is not mistaken.
    pub(crate) generation: u32,
    pub(crate) calls_done: u32,
    prev: u32,
    next: u32,
    /// When it was begun; 0: before the load.
    pub(crate) opened: Nanos,
    /// When its TCP handshake was through, of one that is encrypted.
    pub(crate) connected: Nanos,
    /// When the last call that it answered, but one, began: it was alive then.
    pub(crate) alive: Nanos,
    pub(crate) call: Call,
    /// The reply that it waits for.
    pub(crate) reply: P,
    /// Calls behind that one; unallocated until there are any.
    pub(crate) pipe: Option<Box<Pipe>>,
    /// Stands in the list of those that take one more call.
    pub(crate) roomy: bool,
    /// Is not to be read from before `read_at`, of a load with a pace.
    pub(crate) resting: bool,
    /// The server has ended it, as an event told while it was read from slowly.
    pub(crate) hung_up: bool,
    pub(crate) read_at: Nanos,
    /// Which server it goes to.
    pub(crate) server: u16,
    /// When its socket was last found empty behind a part of a reply.
    pub(crate) emptied: Nanos,
    /// To which endpoint it goes, by its number in the record.
    pub(crate) visit: u8,
    /// Of a connection that a session has to itself.
    pub(crate) session: Option<Box<Link>>,
    /// Unfinished head or chunk line; empty and unallocated otherwise.
    pub(crate) partial: Option<Box<[u8]>>,
}

impl<P> Connection<P> {
    /// Whether it waits to be told where to connect.
    pub(crate) fn is_waiting_for_lookup(&self) -> bool {
        self.state == State::Connecting && self.transport.is_none()
    }

    /// Calls of it whose requests are wholly sent, of a connection with a pipe.
    pub(crate) fn sent(&self) -> usize {
        let Some(pipe) = self.pipe.as_ref().filter(|_| self.has_call) else { return 0 };
        if self.state.is_opening() { 0 } else { pipe.len() + 1 - pipe.unsent as usize }
    }

    /// Calls that it carries.
    pub(crate) fn carries(&self) -> usize {
        usize::from(self.has_call) + self.pipe.as_ref().map_or(0, |pipe| pipe.len())
    }

    /// Whether a reply is due, or may come already while the request is being sent.
    #[inline]
    pub(crate) fn awaits_reply(&self) -> bool {
        match self.state {
            State::Waiting => true,
            State::Sending => self.session.is_none() || self.sent() > 0,
            _ => false,
        }
    }

    /// Since when it waits for something that needs us to go on: bytes that it is to send,
    /// a step of a handshake, or bytes of a reply that we make room for (with `is_paced`,
    /// slowly). `None`: what it waits for comes, or does not, whatever we do.
    pub(crate) fn waits_since(&self, is_paced: bool) -> Option<Nanos> {
        let sent = self.call.sent;
        match self.state {
            State::Connecting => self.is_waiting_for_lookup().then_some(sent),
            State::Securing => Some(sent),
            State::Sending if self.has_unsent() => {
                Some(self.session.as_ref().map_or(sent, |link| link.progress))
            }
            _ if is_paced => Some(sent),
            // While the socket was empty, nobody waited for room in it.
            _ => (self.call.received > 0).then_some(sent.max(self.emptied)),
        }
    }

    /// Whether, of a connection that is sending, bytes of a request are to be sent yet: the
    /// last ones may wait to be encrypted and flushed only.
    pub(crate) fn has_unsent(&self) -> bool {
        match (&self.session, &self.pipe) {
            (Some(_), Some(pipe)) => pipe.unsent > 0,
            _ => true,
        }
    }

    /// Whether, of a connection that is sending, the first request is not wholly sent.
    pub(crate) fn first_is_unsent(&self) -> bool {
        self.pipe.as_ref().is_none_or(|pipe| pipe.first_is_unsent())
    }
}

/// A list of connections, oldest first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List {
    head: u32,
    tail: u32,
    len: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { head: NONE, tail: NONE, len: 0 }
    }
}

impl List {
    /// The oldest.
    pub(crate) fn first(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a connection that is in no list.
    pub(crate) fn push<P>(&mut self, slab: &mut Slab<P>, index: u32) {
        self.insert_after(slab, self.tail, index);
    }

    /// Inserts before the first one that expires later. Calls that are started in
    /// order expire in order, so that this is an append but for retries.
    pub(crate) fn push_by_expiry<P>(&mut self, slab: &mut Slab<P>, index: u32) {
        let expires = slab[index].call.expires;
        let mut after = self.tail;
        while after != NONE && slab[after].call.expires > expires {
            after = slab[after].prev;
        }
        self.insert_after(slab, after, index);
    }

    fn insert_after<P>(&mut self, slab: &mut Slab<P>, after: u32, index: u32) {
        let next = if after == NONE { self.head } else { slab[after].next };
        slab[index].prev = after;
        slab[index].next = next;
        *(if after == NONE { &mut self.head } else { &mut slab[after].next }) = index;
        *(if next == NONE { &mut self.tail } else { &mut slab[next].prev }) = index;
        self.len += 1;
    }

    /// Takes a connection of this list out of it.
    pub(crate) fn remove<P>(&mut self, slab: &mut Slab<P>, index: u32) {
        let (prev, next) = (slab[index].prev, slab[index].next);
        *(if prev == NONE { &mut self.head } else { &mut slab[prev].next }) = next;
        *(if next == NONE { &mut self.tail } else { &mut slab[next].prev }) = prev;
        self.len -= 1;
    }
}

/// All connections of a worker.
pub(crate) struct Slab<P> {
    slots: Vec<Connection<P>>,
    free: Vec<u32>,
}

impl<P> Slab<P> {
    pub(crate) fn with_capacity(connections: usize) -> Self {
        Self { slots: Vec::with_capacity(connections), free: Vec::with_capacity(connections) }
    }

    /// Takes a slot for a new connection.
    pub(crate) fn open(&mut self, load: u8, is_head: bool) -> u32
    where
        P: Protocol,
    {
        let fresh = |generation| Connection {
            transport: None,
            state: State::Connecting,
            load,
            last_call: false,
            has_call: false,
            generation,
            calls_done: 0,
            prev: NONE,
            next: NONE,
            opened: 0,
            connected: 0,
            alive: 0,
            call: Call::default(),
            reply: P::reply_to(is_head),
            pipe: None,
            roomy: false,
            resting: false,
            hung_up: false,
            read_at: 0,
            server: 0,
            emptied: 0,
            visit: 0,
            session: None,
            partial: None,
        };
        if let Some(index) = self.free.pop() {
            let generation = self[index].generation;
            self[index] = fresh(generation);
            return index;
        }
        self.slots.push(fresh(0));
        (self.slots.len() - 1) as u32
    }

    /// Closes a connection and frees its slot. It must be in no list.
    pub(crate) fn close(&mut self, index: u32) {
        let connection = &mut self[index];
        if let Some(transport) = connection.transport.take() {
            transport.close();
        }
        connection.partial = None;
        connection.pipe = None;
        connection.session = None;
        connection.state = State::Free;
        connection.generation = connection.generation.wrapping_add(1);
        self.free.push(index);
    }

    /// Slots, in use and free.
    pub(crate) fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    /// The token that an open connection is registered with.
    pub(crate) fn token(&self, index: u32) -> u64 {
        u64::from(self[index].generation) << 32 | u64::from(index)
    }

    /// The open connection behind a token, if it is still the same one.
    pub(crate) fn find(&self, token: u64) -> Option<u32> {
        let index = token as u32;
        let connection = self.slots.get(index as usize)?;
        (connection.state != State::Free && self.token(index) == token).then_some(index)
    }
}

impl<P> std::ops::Index<u32> for Slab<P> {
    type Output = Connection<P>;

    fn index(&self, index: u32) -> &Connection<P> {
        &self.slots[index as usize]
    }
}

impl<P> std::ops::IndexMut<u32> for Slab<P> {
    fn index_mut(&mut self, index: u32) -> &mut Connection<P> {
        &mut self.slots[index as usize]
    }
}

/// Connections of a load that take one more call, in turn. Entries may be stale.
#[derive(Debug, Default)]
pub(crate) struct Roomy(pub(crate) VecDeque<u64>);

impl Roomy {
    pub(crate) fn push<P>(&mut self, slab: &mut Slab<P>, index: u32, open: u32) {
        if self.0.len() > 2 * open as usize + 64 {
            self.0.retain(|token| slab.find(*token).is_some());
        }
        slab[index].roomy = true;
        self.0.push_back(slab.token(index));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::http1::ReplyParser;
    use proptest::prelude::*;

    type Slab = super::Slab<ReplyParser>;

    fn slab(n: u32) -> Slab {
        let mut slab = Slab::with_capacity(n as usize);
        for _ in 0..n {
            slab.open(0, false);
        }
        slab
    }

    fn members(list: &List, slab: &Slab) -> Vec<u32> {
        let mut members = Vec::new();
        let mut at = list.head;
        while at != NONE {
            members.push(at);
            at = slab[at].next;
        }
        members
    }

    proptest! {
        #[test]
        fn lists_keep_order_and_count(expiries in prop::collection::vec(0..50_u64, 1..40)) {
            let mut slab = slab(expiries.len() as u32);
            let mut list = List::default();
            for (i, &expires) in expiries.iter().enumerate() {
                slab[i as u32].call.expires = expires;
                list.push_by_expiry(&mut slab, i as u32);
            }
            let order = members(&list, &slab);
            prop_assert!(order.is_sorted_by_key(|&i| expiries[i as usize]));
            for (removed, &index) in order.iter().enumerate().filter(|(i, _)| i % 2 == 0) {
                list.remove(&mut slab, index);
                prop_assert_eq!(list.len() as usize, order.len() - removed / 2 - 1);
            }
            let left: Vec<_> = order.iter().skip(1).step_by(2).copied().collect();
            prop_assert_eq!(members(&list, &slab), left);
        }
    }

    #[test]
    fn an_old_token_finds_nothing() {
        let mut slab = slab(1);
        let token = slab.token(0);
        assert_eq!(slab.find(token), Some(0));
        slab.close(0);
        assert_eq!(slab.find(token), None);
        let again = slab.open(0, false);
        assert_eq!(again, 0);
        assert_eq!(slab.find(token), None);
        assert_eq!(slab.find(slab.token(0)), Some(0));
    }

    #[test]
    fn a_server_that_trickles_waits_for_room_since_the_socket_was_last_empty() {
        let mut slab = slab(1);
        let connection = &mut slab[0];
        connection.call.sent = 100;
        assert_eq!(connection.waits_since(false), Some(100), "for a lookup: it has no transport");
        for (state, received, emptied, is_paced, since) in [
            (State::Securing, 0, 0, false, Some(100)),
            (State::Sending, 0, 0, false, Some(100)),
            (State::Waiting, 0, 0, false, None),
            (State::Waiting, 1, 0, false, Some(100)),
            (State::Waiting, 2, 900, false, Some(900)),
            (State::Waiting, 2, 900, true, Some(100)),
        ] {
            connection.state = state;
            connection.call.received = received;
            connection.emptied = emptied;
            assert_eq!(connection.waits_since(is_paced), since, "{state:?} {received} {emptied}");
        }
        connection.session = Some(Box::new(Link {
            session: 0,
            progress: 700,
            stale: false,
            surplus: false,
            page: None,
        }));
        connection.pipe = Some(Box::default());
        connection.state = State::Sending;
        assert_eq!(connection.waits_since(false), Some(900), "all is sent, but not flushed");
        connection.pipe.as_mut().unwrap().unsent = 1;
        assert_eq!(connection.waits_since(false), Some(700));
    }

    #[test]
    fn an_idle_connection_is_small() {
        let size = size_of::<Connection<ReplyParser>>();
        assert!(size <= 256, "{size}");
    }
}
