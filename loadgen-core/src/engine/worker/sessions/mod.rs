//! Sessions on a worker: connections of their own, which a session fills in the order in
//! which they were opened. What a session does next, [`Scripts`] says.
//!
//! A connection of a session carries calls as one of a pool does that pipelines: the first
//! in its place, the others in its [`Pipe`](crate::engine::connection::Pipe). It differs where
//! httperf does: calls may wait on it before it is open; its time limits are those of the
//! connection, not of each call; a server that ends it while nothing is due is found out
//! by the next request; and when it fails, all its calls have.

mod ends;
mod limits;
mod receive;
mod send;

use crate::clock::{Nanos, as_seconds};
use crate::engine::connection::{Call, Link, State};
use crate::engine::worker::Worker;
use crate::engine::workload::script::{NEVER, Next, Scripts};
use crate::protocol::Protocol;
use crate::session::Script;

impl<P: Protocol> Worker<P> {
    fn scripts(&mut self, s: usize) -> Option<&mut Scripts> {
        self.loads[s].scripts.as_deref_mut()
    }

    /// Tells whoever watches how long after an arrival the next one comes.
    pub(in crate::engine::worker) fn tell_gap(&mut self, s: usize, intended: Nanos) {
        let load = &self.loads[s];
        if let (Some(scripts), Some(next)) = (&load.scripts, load.next_of_many()) {
            let gap_s = as_seconds(next.saturating_sub(intended));
            scripts.common.tell(|observer| observer.gap(gap_s));
        }
    }

    /// An arrival: a session begins, unless too many connections are open.
    pub(in crate::engine::worker) fn arrive_session(
        &mut self,
        s: usize,
        intended: Nanos,
        lag: Option<Nanos>,
    ) {
        let number = self.loads[s].number_arrival();
        self.recorder.offered(self.loads[s].id, intended, lag);
        self.took_up(intended, lag);
        let now = self.now();
        let Some(scripts) = self.scripts(s) else { return };
        if !scripts.may_open() {
            scripts.record.arrivals_shed += 1;
            return self.shed(s, intended, 0, false);
        }
        let session = scripts.begin(number, intended, lag.unwrap_or(0), now);
        if scripts.connects_first() {
            self.open_for(s, session);
        } else {
            let next = scripts.begin_burst(session, intended);
            self.go_on(s, session, next, now);
        }
    }

    /// Does what a session does next.
    fn go_on(&mut self, s: usize, session: u64, next: Next, now: Nanos) {
        match next {
            Next::Wait => {}
            Next::Calls => self.issue(s, session, now),
            Next::End(success) => self.end_session(s, session, success),
        }
    }

    /// Gives the calls that a session may make to connections, as far as there is room.
    fn issue(&mut self, s: usize, session: u64, now: Nanos) {
        while let Some(index) = self.place(s, session) {
            let server = usize::from(self.slab[index].server);
            let Some(scripts) = self.loads[s].scripts.as_deref_mut() else { return };
            match scripts.take_call(session, server, &mut self.recorder) {
                Some(call) => self.queue(index, call, now),
                None => {
                    if scripts.is_out_of_uris() {
                        self.shared.cut();
                    }
                    return;
                }
            }
        }
    }

    /// The first connection with room for the call that a session wants to make; opens
    /// one if there is none.
    fn place(&mut self, s: usize, session: u64) -> Option<u32> {
        let scripts = self.loads[s].scripts.as_deref_mut()?;
        let server = scripts.wanted(session)?;
        let sessions = &scripts.common.settings.sessions;
        let (most, in_flight) = (sessions.connections as usize, sessions.calls_in_flight as usize);
        let connections = &scripts.session(session)?.connections;
        let slab = &self.slab;
        let room = |index: &&u32| {
            let connection = &slab[**index];
            connection.carries() < in_flight
                && server.is_none_or(|server| server == usize::from(connection.server))
        };
        if let Some(index) = connections.iter().find(room) {
            return Some(*index);
        }
        if connections.len() >= most {
            return None;
        }
        self.open_for(s, session)
    }

    /// Opens a connection for a session. `None` if it failed at once; the session may
    /// have ended with it.
    fn open_for(&mut self, s: usize, session: u64) -> Option<u32> {
        let now = self.now();
        let scripts = self.loads[s].scripts.as_deref_mut()?;
        let (server, intended, is_first) = scripts.opens(session)?;
        scripts.record.opening();
        let deadline = self.settings.deadline.map_or(NEVER, |deadline| intended + deadline);
        let expires = scripts.common.settings.limit_of_progress(now).min(deadline);
        let id = self.loads[s].id;
        if is_first {
            self.recorder.started(id, intended, now);
        }
        let index = self.begin_opening(s, false, now);
        let connection = &mut self.slab[index];
        connection.server = server as u16;
        connection.pipe = Some(Box::default());
        connection.call = Call { intended, sent: now, expires, ..Call::default() };
        connection.session = Some(Box::new(Link {
            session,
            progress: now,
            stale: false,
            surplus: false,
            page: None,
        }));
        self.scripts(s)?.session(session)?.connections.push(index);
        self.loads[s].connecting.push_by_expiry(&mut self.slab, index);
        let token = self.slab.token(index);
        self.set_out(index);
        self.slab.find(token)
    }

    /// A connection of a session is open, and TLS is spoken: calls can be sent.
    pub(in crate::engine::worker) fn session_connected(&mut self, index: u32, now: Nanos) {
        let s = usize::from(self.slab[index].load);
        let connection = &mut self.slab[index];
        let (opened, has_call) = (connection.opened, connection.has_call);
        let Some(link) = &mut connection.session else { return };
        link.progress = now;
        let session = link.session;
        connection.state = if has_call { State::Sending } else { State::Idle };
        let Some(scripts) = self.loads[s].scripts.as_deref_mut() else { return };
        scripts.record.connected(now.saturating_sub(opened));
        if has_call {
            self.list_session(index, now);
            return self.pump(index);
        }
        if scripts.connects_first()
            && !matches!(
                scripts.common.settings.sessions.script,
                Script::Connection { calls: 0, .. }
            )
        {
            let at = scripts.session(session).map_or(now, |session| session.intended);
            let next = scripts.begin_burst(session, at);
            self.go_on(s, session, next, now);
        }
    }

    /// Whether the sessions of all workers are through, of a load of so many.
    pub(in crate::engine::worker) fn sessions_are_through(&mut self, s: usize) -> bool {
        let load = &self.loads[s];
        let is_empty = load.scripts.as_ref().is_some_and(|scripts| scripts.is_empty());
        if !load.is_exhausted() || !is_empty {
            return false;
        }
        let now = self.now();
        self.scripts(s).is_some_and(|scripts| {
            scripts.are_through(now);
            scripts.common.all_done()
        })
    }

    /// What is done for sessions in each round: samples, and those whose pause is over.
    pub(in crate::engine::worker) fn tend_sessions(&mut self, s: usize, now: Nanos) {
        let warmup_end = self.recorder.warmup_end();
        let Some(scripts) = self.scripts(s) else { return };
        if warmup_end > 0 && now >= warmup_end && !scripts.is_warm {
            scripts.is_warm = true;
            scripts.warmed_up(warmup_end);
        }
        scripts.record.round();
        scripts.sample(now);
        while let Some((session, next)) = self.scripts(s).and_then(|scripts| scripts.wake(now)) {
            self.go_on(s, session, next, now);
        }
    }
}
