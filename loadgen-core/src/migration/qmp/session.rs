//! Both QMP connections of a migration as one stream of what arrives, in the
//! order of arrival. Events that come while a reply is awaited are kept.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{Client, QmpError, Received, What};
use super::options::{QmpAddress, QmpOptions};
use crate::migration::patience::{Patience, Turn};
use crate::migration::side::Side;
use crate::migration::trigger::TriggerError;

/// How long QEMU may take to answer: it answers in milliseconds, but its main
/// loop can be held up while a migration completes.
pub(crate) const REPLY_LIMIT: Duration = Duration::from_secs(if cfg!(test) { 6 } else { 10 });

/// Events that may wait: some hundred come in the longest migrations.
const UNDER_WAY: usize = 1024;

/// The connections to the source and, if it was named, the target.
#[derive(Debug)]
pub(crate) struct Session {
    source: Client,
    target: Option<Client>,
    closed: [Option<String>; 2],
    inbox: Receiver<Received>,
    /// Events, late replies and closings that came while a reply was awaited.
    kept: VecDeque<Received>,
    /// When no reply is waited for any more, whatever [`REPLY_LIMIT`] allows.
    end_by: Option<Instant>,
    /// Version in the source's greeting.
    pub(crate) version: String,
}

impl Session {
    /// Connects to both sides and leaves QMP's negotiation mode.
    pub(crate) fn open(options: &QmpOptions) -> Result<Self, TriggerError> {
        let (mut session, sink) = Self::with_source(&options.socket)?;
        // Only now: a greeting is looked for in what arrives, not in what was kept.
        if let Some(peer) = &options.peer {
            let target = Client::connect(Side::Target, peer, REPLY_LIMIT, sink)?;
            session.target = Some(target);
            session.negotiate(Side::Target)?;
        }
        Ok(session)
    }

    /// Connects to one machine alone.
    pub(crate) fn alone(socket: &QmpAddress) -> Result<Self, TriggerError> {
        Ok(Self::with_source(socket)?.0)
    }

    fn with_source(socket: &QmpAddress) -> Result<(Self, SyncSender<Received>), TriggerError> {
        let (sink, inbox) = sync_channel(UNDER_WAY);
        let source = Client::connect(Side::Source, socket, REPLY_LIMIT, sink.clone())?;
        let mut session = Self {
            source,
            target: None,
            closed: [None, None],
            inbox,
            kept: VecDeque::new(),
            end_by: None,
            version: String::new(),
        };
        session.version = session.negotiate(Side::Source)?;
        Ok((session, sink))
    }

    /// Waits for the greeting and answers it. Returns the version.
    fn negotiate(&mut self, side: Side) -> Result<String, TriggerError> {
        let is_greeting =
            |r: &Received| r.side == side && matches!(r.what, What::Greeting(_) | What::Closed(_));
        let what = "the greeting (another QMP client may hold the socket: QEMU serves one at a \
                    time)";
        match self.wait_for(side, what, is_greeting)?.what {
            What::Greeting(greeting) => {
                self.execute(side, "qmp_capabilities", Value::Null)?;
                Ok(version(&greeting))
            }
            What::Closed(why) => Err(self.gone(side, &why)),
            _ => Ok(String::new()),
        }
    }

    /// From now on nothing is waited for beyond `limit`, all in all.
    pub(crate) fn end_within(&mut self, limit: Duration) {
        self.end_by = Some(Instant::now() + limit);
        self.source.hurry();
        if let Some(target) = &self.target {
            target.hurry();
        }
    }

    /// Whether the target's socket is known.
    pub(crate) fn has_target(&self) -> bool {
        self.target.is_some()
    }

    /// Why a side's connection ended, if it did.
    pub(crate) fn closed(&self, side: Side) -> Option<&str> {
        self.closed[side as usize].as_deref()
    }

    /// Whether a side's connection has ended and nobody listens at its socket any more:
    /// then its QEMU is gone, and not only the connection.
    pub(crate) fn is_gone(&self, side: Side) -> bool {
        let client = match side {
            Side::Source => Some(&self.source),
            Side::Target => self.target.as_ref(),
        };
        self.closed(side).is_some() && client.is_some_and(Client::is_refused)
    }

    /// Sends a request without waiting: its reply comes from [`Self::next`].
    pub(crate) fn send(
        &mut self,
        side: Side,
        command: &str,
        arguments: Value,
    ) -> Result<u64, TriggerError> {
        if let Some(why) = self.closed(side) {
            let why = why.to_owned();
            return Err(self.gone(side, &why));
        }
        self.client(side)?.send(command, arguments)
    }

    /// Sends a request and waits for its reply.
    ///
    /// # Errors
    /// [`TriggerError::Refused`] with QEMU's reason, and those of [`Self::ask`].
    pub(crate) fn execute(
        &mut self,
        side: Side,
        command: &str,
        arguments: Value,
    ) -> Result<Value, TriggerError> {
        let reply = self.ask(side, command, arguments)?;
        let place = self.place(side);
        reply.map_err(|error| TriggerError::refused(format!("{command} ({place})"), error.desc))
    }

    /// Sends a request and waits for its reply, which may be an error of QEMU.
    ///
    /// # Errors
    /// [`TriggerError`] if the connection ended, or nothing came in time.
    pub(crate) fn ask(
        &mut self,
        side: Side,
        command: &str,
        arguments: Value,
    ) -> Result<Result<Value, QmpError>, TriggerError> {
        let id = self.send(side, command, arguments)?;
        let wanted = |r: &Received| match &r.what {
            // An error in the request's syntax comes without its id.
            What::Reply { id: answered, .. } => {
                r.side == side && answered.is_none_or(|answered| answered == id)
            }
            What::Closed(_) => r.side == side,
            _ => false,
        };
        match self.wait_for(side, command, wanted)?.what {
            What::Reply { result, .. } => Ok(result),
            What::Closed(why) => Err(self.gone(side, &why)),
            _ => Err(self.gone(side, "it answered out of order")),
        }
    }

    /// The next thing that arrives within `timeout`, oldest first.
    pub(crate) fn next(&mut self, timeout: Duration) -> Option<Received> {
        if let Some(kept) = self.kept.pop_front() {
            return Some(kept);
        }
        let received = self.inbox.recv_timeout(timeout).ok()?;
        self.note_closing(&received);
        Some(received)
    }

    /// Checks that no connection has ended.
    ///
    /// # Errors
    /// [`TriggerError::Protocol`] with the socket and why it ended.
    pub(crate) fn check_open(&self) -> Result<(), TriggerError> {
        let ended = [Side::Source, Side::Target]
            .into_iter()
            .find_map(|side| self.closed(side).map(|why| self.gone(side, why)));
        ended.map_or(Ok(()), Err)
    }

    /// Forgets what came before now.
    pub(crate) fn forget(&mut self) {
        while let Some(received) = self.next(Duration::ZERO) {
            drop(received);
        }
    }

    fn wait_for(
        &mut self,
        side: Side,
        what: &str,
        wanted: impl Fn(&Received) -> bool,
    ) -> Result<Received, TriggerError> {
        let begun = Instant::now();
        let mut patience = Patience::new(REPLY_LIMIT);
        loop {
            let left = |end: Instant| end.saturating_duration_since(Instant::now());
            let end_by = self.end_by;
            let turn = patience.wait(|turn| {
                let turn = end_by.map_or(turn, |end| left(end).min(turn));
                match self.inbox.recv_timeout(turn) {
                    Err(RecvTimeoutError::Timeout) => None,
                    other => Some(other),
                }
            });
            let turn_is_over = matches!(turn, Turn::Over);
            match turn {
                Turn::Brought(Ok(received)) => {
                    self.note_closing(&received);
                    let closes = matches!(received.what, What::Closed(_));
                    if wanted(&received) {
                        if closes {
                            // Who reads the events needs to know as well.
                            let Received { side, at_ns, .. } = received;
                            let why = self.closed(side).unwrap_or_default().to_owned();
                            let what = What::Closed(why);
                            self.kept.push_back(Received { side, at_ns, what });
                        }
                        return Ok(received);
                    }
                    self.kept.push_back(received);
                }
                Turn::Brought(Err(_)) => {
                    return Err(self.gone(side, "the connection has ended"));
                }
                Turn::Nothing | Turn::Over => {}
            }
            if turn_is_over || end_by.is_some_and(|end| left(end).is_zero()) {
                let waited = begun.elapsed().as_millis();
                return Err(TriggerError::Silent {
                    what: format!("{what} of {}", self.place(side)),
                    waited: Duration::from_millis(u64::try_from(waited).unwrap_or(u64::MAX)),
                });
            }
        }
    }

    fn note_closing(&mut self, received: &Received) {
        if let What::Closed(why) = &received.what {
            self.closed[received.side as usize] = Some(why.clone());
        }
    }

    fn client(&mut self, side: Side) -> Result<&mut Client, TriggerError> {
        match side {
            Side::Source => Ok(&mut self.source),
            Side::Target => self
                .target
                .as_mut()
                .ok_or(TriggerError::Unsupported("the target's QMP socket is not known")),
        }
    }

    /// Where a side's connection leads, for messages.
    pub(crate) fn place(&self, side: Side) -> String {
        match (side, &self.target) {
            (Side::Target, Some(target)) => target.place(),
            (Side::Target, None) => "the target".to_owned(),
            (Side::Source, _) => self.source.place(),
        }
    }

    fn gone(&self, side: Side, why: &str) -> TriggerError {
        TriggerError::protocol(format!("QMP of {}", self.place(side)), why)
    }
}

fn version(greeting: &Value) -> String {
    let version = &greeting["version"];
    let part =
        |name: &str| version["qemu"][name].as_u64().map_or("?".to_owned(), |n| n.to_string());
    let text = format!("QEMU {}.{}.{}", part("major"), part("minor"), part("micro"));
    match version["package"].as_str().map(str::trim).filter(|package| !package.is_empty()) {
        Some(package) => format!("{text} ({})", package.trim_matches(['(', ')'])),
        None => text,
    }
}
