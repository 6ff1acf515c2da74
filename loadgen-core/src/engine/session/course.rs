//! The course of a session: which calls it makes when, and how it ends.

use super::SessionWorker;
use super::parts::{Call, NEVER, Session};
use super::request::Request;
use super::timers::Owner;
use crate::clock::{MILLISECOND, Nanos};
use crate::engine::looks::NOTABLE;
use crate::net::tls::TlsSessionCache;
use crate::plan::nanos;
use crate::record::{CallRecord, Failure, Outcome};
use crate::session::{CookieJar, Retry, Script, ScriptedSession, Sessions, Uris};

/// The shortest think time: a session does not go on in the round that it paused in.
const LEAST_THINK: Nanos = MILLISECOND;

/// The pause before a call is sent again to a server that has never answered on
/// its connection, so that a dead server is not called in a busy loop.
const PAUSE_AFTER_FAILURE: Nanos = 10 * MILLISECOND;

impl SessionWorker {
    /// An arrival: a session begins, unless too many connections are open.
    pub(super) fn arrive(&mut self, intended: Nanos, lag: Option<Nanos>) {
        let arrival = u64::from(self.shard) + self.arrived * self.shards;
        self.arrived += 1;
        let settings = &self.common.settings;
        let population = settings.population;
        self.recorder.offered(population, intended, lag);
        if let Some(lag) = lag.filter(|lag| *lag > NOTABLE) {
            self.looks.catch_up().took_up_late(intended, intended + lag);
        }
        let now = self.now();
        if !self.common.may_open() {
            self.record.arrivals_shed += 1;
            self.record_end(Outcome::Shed, intended, now, now, None);
            return;
        }
        self.counted_ahead = true;
        let scripted = settings.sessions.are_scripted();
        let cookies = settings.sessions.cookies;
        let index = self.sessions.insert(Session {
            arrival,
            intended,
            began: now,
            connections: Vec::new(),
            opened: 0,
            replies: 0,
            created: 0,
            finished: 0,
            released: 0,
            burst_end: 0,
            bursts: 0,
            released_at: intended,
            arrival_pending: true,
            again: std::collections::VecDeque::new(),
            found: std::collections::VecDeque::new(),
            cookie: cookies.then(Box::default),
            wakes: NEVER,
            tls: TlsSessionCache::default(),
        });
        if scripted {
            self.begin_burst(index, intended);
        } else {
            // Its calls are made once it is connected.
            self.open(index);
        }
        if std::mem::take(&mut self.counted_ahead) {
            // It came to no connection.
            self.common.closed();
        }
    }

    /// How many calls the next burst of a session has; `None`: there is no next one.
    fn next_burst(&self, session: &Session) -> Option<u64> {
        match &self.common.settings.sessions.script {
            Script::Connection { calls, burst } | Script::Bursts { calls, burst, .. } => {
                let left = calls.saturating_sub(session.burst_end);
                (left > 0).then(|| left.min(*burst))
            }
            Script::Log { sessions } => {
                let burst = log_of(sessions, session).bursts.get(session.bursts as usize)?;
                Some(burst.calls.len() as u64)
            }
            Script::Pages { visits, .. } => (session.bursts < *visits).then_some(1),
        }
    }

    /// The pause after the burst that a session has just done; `None`: its next
    /// burst follows at once.
    fn think_time(&self, session: &Session) -> Option<Nanos> {
        let think_s = match &self.common.settings.sessions.script {
            Script::Connection { .. } => return None,
            Script::Bursts { think_s, .. } | Script::Pages { think_s, .. } => *think_s,
            Script::Log { sessions } => {
                let done = session.bursts.saturating_sub(1) as usize;
                log_of(sessions, session).bursts.get(done).map_or(0.0, |burst| burst.think_s)
            }
        };
        Some(nanos(think_s).max(LEAST_THINK))
    }

    /// Begins the next burst of a session, or ends the session. `at` is the time at
    /// which its first calls are to start.
    pub(super) fn begin_burst(&mut self, index: u32, at: Nanos) {
        let Some(session) = self.sessions.get(index) else { return };
        let Some(calls) = self.next_burst(session) else {
            return self.end_session(index, true);
        };
        let together = matches!(self.common.settings.sessions.script, Script::Connection { .. });
        let Some(session) = self.sessions.get_mut(index) else { return };
        session.bursts += 1;
        session.burst_end += calls;
        // The first call of a burst goes ahead alone.
        session.released = if together { session.burst_end } else { session.created + 1 };
        session.released_at = at;
        self.issue(index);
    }

    /// Gives the calls that may be made to connections, as far as there is room.
    pub(super) fn issue(&mut self, index: u32) {
        let token = self.sessions.token(index);
        while let Some(session) = self.sessions.get(index)
            && self.sessions.token(index) == token
            && (!session.again.is_empty() || session.created < session.released)
        {
            let Some(place) = self.place(index) else { return };
            let again = self.sessions.get_mut(index).and_then(|s| s.again.pop_front());
            let server = self.connections.get(place).map_or(0, |connection| connection.server);
            let Some(call) = again.or_else(|| self.create(index, server)) else { return };
            let Some(connection) = self.connections.get_mut(place) else { return };
            connection.calls.push_back(call);
            self.pump(place);
        }
    }

    /// The first connection with room for a call; opens one if there is none.
    fn place(&mut self, index: u32) -> Option<u32> {
        let sessions = &self.common.settings.sessions;
        let session = self.sessions.get(index)?;
        let server = session.again.front().map(|call| call.server);
        let room = |place: &&u32| {
            self.connections.get(**place).is_some_and(|connection| {
                connection.calls.len() < sessions.calls_in_flight as usize
                    && server.is_none_or(|server| server == connection.server)
            })
        };
        if let Some(place) = session.connections.iter().find(room) {
            return Some(*place);
        }
        if session.connections.len() >= sessions.connections as usize {
            return None;
        }
        self.open(index)
    }

    /// Creates the next call of a session. `None`: the list of URIs has come to
    /// its end, and with it the run.
    fn create(&mut self, index: u32, server: usize) -> Option<Call> {
        let session = self.sessions.get_mut(index)?;
        let number = session.created;
        let object = session.found.pop_front();
        let is_page = object.is_none();
        let cookie = session.cookie.as_deref().and_then(CookieJar::line);
        let encoder = &self.common.settings.encoder;
        let Sessions { script, uris, .. } = &self.common.settings.sessions;
        let request: Request = if let Some(request) = encoder.fixed(server) {
            request
        } else if let Script::Log { sessions } = script {
            let mut calls = log_of(sessions, session).bursts.iter().flat_map(|burst| &burst.calls);
            let call = calls.nth(number as usize)?;
            encoder.encode(server, Some(&call.method), &call.uri, cookie, &call.body)
        } else if let Some(uri) = object {
            self.common.tell(|observer| observer.fetching(&uri));
            encoder.encode(server, None, &uri, cookie, b"")
        } else {
            let mut uri = Vec::new();
            if !self.uris.uri(self.common.next_uri(), &mut uri) {
                self.shared.cut();
                return None;
            }
            self.common.tell(|observer| match (script, uris) {
                (Script::Pages { .. }, _) => observer.fetching(&uri),
                (_, Uris::Fixed { .. }) => {}
                _ => observer.uri(&uri),
            });
            encoder.encode(server, None, &uri, cookie, b"")
        };
        let intended = if number == 0 { session.intended } else { session.released_at };
        // The arrival was offered, and its connect counted as the start of a call.
        let pending = std::mem::take(&mut session.arrival_pending);
        session.created += 1;
        // Striped as arrivals are, so that no two workers write the same counter.
        let id = u64::from(self.shard) + self.made * self.shards;
        self.made += 1;
        if !pending {
            self.recorder.offered(self.common.settings.population, intended, None);
        }
        Some(Call {
            id,
            intended,
            request,
            server,
            written: 0,
            begun: NEVER,
            due: NEVER,
            answered: NEVER,
            received: 0,
            reused: false,
            retried: false,
            started: pending,
            is_page,
        })
    }

    /// A call of a session is answered, with this status.
    pub(super) fn answered(&mut self, index: u32, mut call: Call, status: u32, now: Nanos) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        session.replies += 1;
        let sessions = &self.common.settings.sessions;
        if sessions.are_scripted() && sessions.failure_status == Some(status) {
            if sessions.retry != Retry::Always {
                return self.end_session(index, false);
            }
            // Its reply is counted: this is one more call.
            call.again();
            call.intended = now;
            call.started = false;
            self.recorder.offered(self.common.settings.population, now, None);
            session.again.push_front(call);
            // A server that fails every call is not to be asked in a busy loop.
            return self.sleep(index, now + LEAST_THINK);
        }
        session.finished += 1;
        if session.finished < session.burst_end {
            if session.released < session.burst_end {
                session.released = session.burst_end;
                session.released_at = now;
            }
            return self.issue(index);
        }
        let Some(session) = self.sessions.get(index) else { return };
        if self.next_burst(session).is_none() {
            return self.end_session(index, true);
        }
        match self.think_time(session) {
            Some(think) => self.sleep(index, now + think),
            None => self.begin_burst(index, now),
        }
    }

    /// Objects were found in a page that a session reads.
    pub(super) fn objects_found(&mut self, index: u32, objects: Vec<Vec<u8>>, now: Nanos) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        session.burst_end += objects.len() as u64;
        session.released = session.burst_end;
        session.released_at = now;
        session.found.extend(objects);
        self.issue(index);
    }

    fn sleep(&mut self, index: u32, at: Nanos) {
        let owner = Owner::Session(self.sessions.token(index));
        if let Some(session) = self.sessions.get_mut(index) {
            session.wakes = at;
            self.timers.set(at, owner);
        }
    }

    /// A session may have slept long enough.
    pub(super) fn session_due(&mut self, index: u32, now: Nanos) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        if session.wakes > now {
            return;
        }
        let at = std::mem::replace(&mut session.wakes, NEVER);
        if session.again.is_empty() && session.finished == session.burst_end {
            self.begin_burst(index, at);
        } else {
            self.issue(index);
        }
    }

    /// A connection of a session broke, with these calls unanswered. `replies` had
    /// come over it.
    pub(super) fn connection_lost(
        &mut self,
        index: u32,
        calls: Vec<Call>,
        replies: u64,
        failure: Failure,
        now: Nanos,
    ) {
        let population = self.common.settings.population;
        let may_retry = !failure.is_censored()
            && match self.common.settings.sessions.retry {
                Retry::Never => false,
                Retry::AfterReply => replies > 0,
                Retry::Always => true,
            };
        if may_retry {
            let Some(session) = self.sessions.get_mut(index) else { return };
            for mut call in calls.into_iter().rev() {
                self.recorder.reconnect(population, call.intended);
                if self.common.wants_messages {
                    self.common.tell(|observer| observer.dropped(call.id));
                }
                call.again();
                session.again.push_front(call);
            }
            if replies > 0 {
                self.issue(index);
            } else {
                self.sleep(index, now + PAUSE_AFTER_FAILURE);
            }
            return;
        }
        for call in calls {
            self.call_ended(&call, Outcome::Failed(failure), now);
        }
        let pending = self.sessions.get_mut(index).map(|session| {
            (std::mem::take(&mut session.arrival_pending), session.intended, session.began)
        });
        if let Some((true, intended, began)) = pending {
            self.record_end(Outcome::Failed(failure), intended, began, now, None);
        }
        self.end_session(index, false);
    }

    /// A session is over: its connections are closed, what it had not done is left.
    pub(super) fn end_session(&mut self, index: u32, success: bool) {
        let now = self.now();
        let Some(session) = self.sessions.remove(index) else { return };
        for place in session.connections {
            let unanswered = self.close(place, now);
            for call in unanswered {
                // Given up with the session, for another call's failure.
                self.call_ended(&call, Outcome::Unfinished, now);
            }
        }
        for call in session.again {
            self.call_ended(&call, Outcome::Unfinished, now);
        }
        if self.common.settings.sessions.are_scripted() {
            let life = now.saturating_sub(session.began);
            self.record.session_ended(success, life, session.replies, session.opened);
        }
    }

    /// The run is over while this session is under way.
    pub(super) fn abandon(&mut self, index: u32, now: Nanos) {
        let Some(session) = self.sessions.remove(index) else { return };
        if session.arrival_pending {
            let outcome = Outcome::Unfinished;
            self.record_end(outcome, session.intended, session.began, now, None);
        }
        let mut unanswered: Vec<Call> = session.again.into();
        for place in session.connections {
            if let Some(connection) = self.connections.remove(place) {
                unanswered.extend(connection.calls);
            }
        }
        for call in unanswered {
            self.call_ended(&call, Outcome::Unfinished, now);
        }
    }

    /// Records the end of a call.
    pub(super) fn call_ended(&mut self, call: &Call, outcome: Outcome, now: Nanos) {
        if self.common.wants_messages && !matches!(outcome, Outcome::Answered(_)) {
            self.common.tell(|observer| observer.dropped(call.id));
        }
        if !call.started {
            // It never got to the head of its connection's queue.
            self.recorder.started(self.common.settings.population, call.intended, now);
        }
        self.record_end(outcome, call.intended, call.begun.min(now), now, Some(call));
    }

    fn record_end(
        &mut self,
        outcome: Outcome,
        intended: Nanos,
        sent: Nanos,
        done: Nanos,
        call: Option<&Call>,
    ) {
        let call = CallRecord {
            intended,
            sent,
            done,
            bytes: call.map_or(0, |call| call.received),
            outcome,
            population: self.common.settings.population,
            reused: call.is_some_and(|call| call.reused),
            retried: call.is_some_and(|call| call.retried),
            queued: false,
        };
        if self.looks.may_have_delayed(intended, done) {
            self.owes(&call);
        }
        self.recorder.ended(call);
    }

    /// Counts a call, which ends now, that the generator may have had its part in.
    #[cold]
    #[inline(never)]
    fn owes(&mut self, call: &CallRecord) {
        let own = self.looks.delay(call.intended, call.done);
        let is_owed = match call.outcome {
            Outcome::Failed(failure) => {
                failure.is_censored() && self.looks.explains_a_timeout(call, own)
            }
            _ => own >= NOTABLE,
        };
        if is_owed {
            self.recorder.owes(call, own);
        }
    }
}

/// The session of a log that a session follows.
fn log_of<'a>(sessions: &'a [ScriptedSession], session: &Session) -> &'a ScriptedSession {
    // A log has at least one session: the plan was checked.
    &sessions[(session.arrival % sessions.len() as u64) as usize]
}

impl Call {
    /// Makes it ready to be sent once more.
    fn again(&mut self) {
        self.written = 0;
        self.begun = NEVER;
        self.due = NEVER;
        self.answered = NEVER;
        self.received = 0;
        self.retried = true;
    }
}
