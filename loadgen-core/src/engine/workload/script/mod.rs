//! The sessions of a load: which calls each makes when, and how it ends. A worker tells
//! what became of a call and asks what is [next](Next); that it knows no socket and no
//! clock but the times it is told.

mod common;
mod course;
mod encoder;
mod page;
mod reply_parts;
mod sampling;
mod session;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

pub(crate) use common::{Common, ScriptSettings, encryption};
pub(crate) use page::PageReply;
pub(crate) use reply_parts::ReplyParts;
use sampling::Sampling;
pub(crate) use session::NEVER;
pub(crate) use session::{ScriptCall, Session};

use super::requests::Prepared;
use super::slots::Slots;
use crate::clock::{MILLISECOND, Nanos, as_seconds};
use crate::engine::connection::Call;
use crate::net::tls::TlsSessionCache;
use crate::plan::Stripe;
use crate::record::{LoadId, Recorder, SessionRecord};
use crate::session::{CookieJar, Script, ScriptedCall, ScriptedSession, Sessions, UriWalker, Uris};

/// The shortest think time: a session does not go on in the round that it paused in.
const LEAST_THINK: Nanos = MILLISECOND;

/// The pause before a call is sent again to a server that has never answered on
/// its connection, so that a dead server is not called in a busy loop.
const PAUSE_AFTER_FAILURE: Nanos = 10 * MILLISECOND;

/// How often a worker that is through looks whether the others are.
const WAIT_FOR_OTHERS: Nanos = MILLISECOND;

/// Most objects that wait to be fetched in one session: a page with more of them is
/// taken for one without end.
const MOST_OBJECTS: usize = 100_000;

/// What a session does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It waits for what is under way, or for its time.
    Wait,
    /// It has calls to make, as far as there is room.
    Calls,
    /// It is over, with or without success.
    End(bool),
}

/// The sessions of one load in one worker.
pub(crate) struct Scripts {
    pub(crate) common: Arc<Common>,
    id: LoadId,
    sessions: Slots<Session>,
    calls: Slots<ScriptCall>,
    /// When which sessions go on; some of it void.
    wakes: BinaryHeap<Reverse<(Nanos, u64)>>,
    pub(crate) record: SessionRecord,
    uris: UriWalker,
    /// URIs taken, and calls created. Both are numbered as arrivals are, so that no two
    /// workers write the same counter.
    asked: u64,
    made: u64,
    stripe: (u64, u64),
    next_server: usize,
    /// Most connections open at once.
    most_open: Option<u64>,
    sampling: Sampling,
    /// The warm-up is over.
    pub(crate) is_warm: bool,
    /// A call needed a URI, and the list had none left.
    is_out_of_uris: bool,
    /// When all sessions were through.
    through: Option<Nanos>,
}

impl Scripts {
    /// Those of one worker.
    pub(crate) fn new(common: Arc<Common>, id: LoadId, stripe: Stripe) -> Self {
        let settings = &common.settings;
        Self {
            id,
            sessions: Slots::new(),
            calls: Slots::new(),
            wakes: BinaryHeap::new(),
            record: SessionRecord::default(),
            uris: UriWalker::new(&settings.sessions.uris),
            asked: 0,
            made: 0,
            stripe: stripe.arrivals(),
            next_server: stripe.of_all().0 as usize % settings.sessions.servers.len().max(1),
            most_open: settings.sessions.open_connections.map(|most| stripe.share(most).into()),
            sampling: Sampling::new(settings.first_sample, common.statuses_every),
            is_warm: false,
            is_out_of_uris: false,
            through: None,
            common,
        }
    }

    fn plan(&self) -> &Sessions {
        &self.common.settings.sessions
    }

    /// The bytes of a call.
    pub(crate) fn request(&self, call: u32) -> Option<&Prepared> {
        let call = self.calls.get(call)?;
        match &call.bytes {
            Some(request) => Some(request),
            None => self.common.settings.encoder.fixed(call.server.into()),
        }
    }

    pub(crate) fn call(&mut self, call: u32) -> Option<&mut ScriptCall> {
        self.calls.get_mut(call)
    }

    pub(crate) fn session(&mut self, session: u64) -> Option<&mut Session> {
        self.sessions.named_mut(session)
    }

    /// The session, and what is known of one of its calls.
    pub(crate) fn session_and_call(
        &mut self,
        session: u64,
        call: u32,
    ) -> Option<(&mut Session, &mut ScriptCall)> {
        Some((self.sessions.named_mut(session)?, self.calls.get_mut(call)?))
    }

    /// How many sessions are under way.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Whether an arrival may open a connection.
    pub(crate) fn may_open(&self) -> bool {
        self.most_open.is_none_or(|most| self.record.open < most)
    }

    /// An arrival becomes a session.
    pub(crate) fn begin(&mut self, arrival: u64, intended: Nanos, lag: Nanos, now: Nanos) -> u64 {
        let cookies = self.plan().cookies;
        let index = self.sessions.insert(Session {
            arrival,
            intended,
            lag,
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
            again: VecDeque::new(),
            found: VecDeque::new(),
            cookie: cookies.then(Box::default),
            wakes: NEVER,
            tls: TlsSessionCache::default(),
        });
        self.sessions.token(index)
    }

    /// Whether a session has a call to make, and to which server it must go (`None`: to
    /// any).
    pub(crate) fn wanted(&self, token: u64) -> Option<Option<usize>> {
        let session = self.sessions.named(token)?;
        let again = || self.calls.get(session.again.front()?.request);
        session.wants_call().then(|| again().map(|call| call.server.into()))
    }

    /// A session opens a connection: to which server, and when the call was to start that
    /// it is for. The first one's is known to the record before it is created.
    pub(crate) fn opens(&mut self, token: u64) -> Option<(usize, Nanos, bool)> {
        let again = self.wanted(token).flatten();
        let servers = self.plan().servers.len().max(1);
        let server = again.unwrap_or(self.next_server);
        if again.is_none() {
            self.next_server = (server + 1) % servers;
        }
        let session = self.session(token)?;
        session.opened += 1;
        let is_first = session.opened == 1 && session.arrival_pending;
        Some((server, session.intended, is_first))
    }

    /// The next call of a session, for a connection to `server`. `None`: there is none
    /// to be had; with [`Self::is_out_of_uris`] the list of URIs has come to its end, and
    /// with it the run.
    pub(crate) fn take_call(
        &mut self,
        token: u64,
        server: usize,
        recorder: &mut Recorder,
    ) -> Option<Call> {
        let session = self.sessions.named_mut(token)?;
        if let Some(call) = session.again.pop_front() {
            return Some(call);
        }
        let number = session.created;
        let object = session.found.pop_front();
        let is_page = object.is_none();
        let bytes = match self.common.settings.encoder.fixed(server) {
            Some(_) => None,
            None => Some(Box::new(self.encode(token, number, object, server)?)),
        };
        let session = self.sessions.named_mut(token)?;
        let first = number == 0;
        let intended = if first { session.intended } else { session.released_at };
        // The arrival was offered, and its connect counted as the start of a call.
        let pending = std::mem::take(&mut session.arrival_pending);
        session.created += 1;
        let lag = if first { session.lag } else { 0 };
        let id = self.stripe.0 + self.made * self.stripe.1;
        self.made += 1;
        if !pending {
            recorder.offered(self.id, intended, None);
        }
        let request = self.calls.insert(ScriptCall {
            id,
            bytes,
            server: server as u16,
            begun: false,
            started: pending,
            answered: NEVER,
            is_page,
        });
        Some(Call::arriving(intended, lag, request))
    }

    /// The bytes of the `number`-th call of a session; `None`: the list of URIs is at its
    /// end.
    fn encode(
        &mut self,
        token: u64,
        number: u64,
        object: Option<Vec<u8>>,
        server: usize,
    ) -> Option<Prepared> {
        let common = &self.common;
        let session = self.sessions.named(token)?;
        let cookie = session.cookie.as_deref().and_then(CookieJar::line);
        let Sessions { script, uris, .. } = &common.settings.sessions;
        let encoder = &common.settings.encoder;
        if let Script::Log { sessions } = script {
            let call = call_of(log_of(sessions, session), session, number)?;
            return Some(encoder.encode(server, &call.uri, Some(call), cookie));
        }
        if let Some(uri) = object {
            common.tell(|observer| observer.fetching(&uri));
            return Some(encoder.encode(server, &uri, None, cookie));
        }
        let mut uri = Vec::new();
        let turn = self.stripe.0 + self.asked * self.stripe.1;
        self.asked += 1;
        if !self.uris.uri(turn, &mut uri) {
            self.is_out_of_uris = true;
            return None;
        }
        common.tell(|observer| match (script, uris) {
            (Script::Pages { .. }, _) => observer.fetching(&uri),
            (_, Uris::Fixed { .. }) => {}
            _ => observer.uri(&uri),
        });
        Some(encoder.encode(server, &uri, None, cookie))
    }

    /// Whether the list of URIs has come to its end, and a call needed one more.
    pub(crate) fn is_out_of_uris(&self) -> bool {
        self.is_out_of_uris
    }

    /// What takes the parts of the reply to a call.
    pub(crate) fn parts<'a>(
        &'a mut self,
        token: u64,
        call: u32,
        page: Option<&'a mut PageReply>,
    ) -> ReplyParts<'a> {
        let id = self.calls.get(call).map_or(0, |call| call.id);
        ReplyParts::new(&self.common, id, self.sessions.named_mut(token), page)
    }

    /// A call is no more.
    pub(crate) fn forget(&mut self, call: &Call) -> Option<ScriptCall> {
        self.calls.remove(call.request)
    }

    /// Takes a session that is over out of the others: what it was, its arrival as a call
    /// if that was never created, and its calls that waited to be sent again.
    pub(crate) fn remove(&mut self, token: u64) -> Option<Ended> {
        let index = self.sessions.find(token)?;
        let session = self.sessions.remove(index)?;
        Some(Ended { pending: session.arrival_pending.then(|| session.arrival()), session })
    }

    /// The arrival of a session as a call, if that was offered as one and never created.
    pub(crate) fn take_pending(&mut self, token: u64) -> Option<Call> {
        let session = self.session(token)?;
        std::mem::take(&mut session.arrival_pending).then(|| session.arrival())
    }

    /// Counts the end of a session.
    pub(crate) fn count_end(&mut self, session: &Session, success: bool, now: Nanos) {
        if self.plan().are_scripted() {
            let life = now.saturating_sub(session.began);
            self.record.session_ended(success, life, session.replies, session.opened);
        }
    }

    /// All sessions under way.
    pub(crate) fn tokens(&self) -> Vec<u64> {
        self.sessions.indices().into_iter().map(|index| self.sessions.token(index)).collect()
    }

    /// Whether the calls of a session begin only when it is connected.
    pub(crate) fn connects_first(&self) -> bool {
        !self.plan().are_scripted()
    }

    /// When the next sample is due, or the next session goes on, which may be over by then.
    pub(crate) fn next_deadline(&self, now: Nanos) -> Nanos {
        let mut next = self.sampling.next;
        if self.common.statuses_every > 0 {
            next = next.min(self.sampling.next_statuses);
        }
        if self.through.is_some() {
            next = next.min(now + WAIT_FOR_OTHERS);
        }
        self.wakes.peek().map_or(next, |Reverse((at, _))| next.min(*at))
    }

    /// The warm-up is over, which ended at this time: what was counted in it is left out.
    pub(crate) fn warmed_up(&mut self, end: Nanos) {
        // Each worker leaves out the same samples, however late it comes to it.
        self.sample(end);
        self.record.warmed_up();
        self.sampling.forget();
    }

    /// Takes the samples that are due.
    pub(crate) fn sample(&mut self, now: Nanos) {
        let sampling = &mut self.sampling;
        let every = self.common.settings.sample_every;
        let (replies, sessions) = (self.record.replies(), self.record.succeeded());
        while let Some(sample) = sampling.take(now, replies, sessions, every) {
            self.record.sample(sample.replies_per_s, sample.sessions_per_s);
            self.common.sample(sampling.ticks - 1, sample);
        }
        let every = self.common.statuses_every;
        while every > 0 && now >= sampling.next_statuses {
            let counts = self.record.statuses().to_vec();
            let before = std::mem::replace(&mut sampling.statuses, counts);
            let mut since = sampling.statuses.clone();
            since.iter_mut().zip(&before).for_each(|(n, before)| *n -= before);
            self.common.statuses(sampling.status_ticks, as_seconds(now), &since);
            sampling.status_ticks += 1;
            sampling.next_statuses += every;
        }
    }

    /// This worker has done its part, at `now` unless it was said before: since when.
    pub(crate) fn are_through(&mut self, now: Nanos) -> Nanos {
        if self.through.is_none() {
            self.common.done();
        }
        *self.through.get_or_insert(now)
    }
}

/// A session that is over.
pub(crate) struct Ended {
    /// Its arrival, which was offered as a call and never became one.
    pub(crate) pending: Option<Call>,
    pub(crate) session: Session,
}

impl Ended {
    /// Its calls that waited to be sent again.
    pub(crate) fn waiting(&mut self) -> VecDeque<Call> {
        std::mem::take(&mut self.session.again)
    }
}

/// The session of a log that a session follows.
fn log_of<'a>(sessions: &'a [ScriptedSession], session: &Session) -> &'a ScriptedSession {
    // A log has at least one session: the plan was checked.
    &sessions[(session.arrival % sessions.len() as u64) as usize]
}

/// The `number`-th call of a session, which is one of the burst that it is at.
fn call_of<'a>(
    log: &'a ScriptedSession,
    session: &Session,
    number: u64,
) -> Option<&'a ScriptedCall> {
    let burst = log.bursts.get(session.bursts.checked_sub(1)? as usize)?;
    let first = session.burst_end.checked_sub(burst.calls.len() as u64)?;
    burst.calls.get(number.checked_sub(first)? as usize)
}
