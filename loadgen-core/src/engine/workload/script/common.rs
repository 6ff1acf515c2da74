//! A plan with sessions, as far as its workers need it.

use std::io;
use std::net::ToSocketAddrs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::encoder::Encoder;
use crate::clock::Nanos;
use crate::error::RunError;
use crate::net::endpoint::Endpoint;
use crate::net::tls::{TlsError, TlsSettings};
use crate::panicked::said;
use crate::plan::{Plan, nanos};
use crate::secret::Secret;
use crate::session::{Links, Observer, Sample, Script, Sessions, Uris};

/// What does not change during a run.
pub(crate) struct ScriptSettings {
    pub(crate) sessions: Sessions,
    /// The endpoints of each server.
    pub(crate) servers: Vec<Vec<Endpoint>>,
    pub(super) encoder: Encoder,
    /// For sessions of pages: where their references lead.
    pub(super) links: Option<Links>,
    /// For connecting (with the TLS handshake), and without progress in sending; 0: none.
    timeout: Nanos,
    /// From the complete sending of a request to the end of its reply; 0: none.
    reply_timeout: Nanos,
    pub(super) first_sample: Nanos,
    pub(super) sample_every: Nanos,
    /// The run ends with the first connection that TLS does not come about on.
    pub(crate) stop_on_tls_failure: bool,
}

/// What the workers of a run of sessions share while it runs.
pub(crate) struct Common {
    pub(crate) settings: ScriptSettings,
    /// Workers that still have something to do.
    busy: AtomicU32,
    workers: u32,
    observer: Option<Mutex<Box<dyn Observer>>>,
    pub(crate) wants_messages: bool,
    /// How often counts by status are wanted; 0: never.
    pub(super) statuses_every: Nanos,
    samples: Mutex<Board<Sample>>,
    statuses: Mutex<Board<Vec<u64>>>,
    told_of_error: AtomicBool,
    /// How the observer panicked; it is told nothing more.
    failure: OnceLock<String>,
}

/// What workers have said of each tick: how many did, and the sum.
type Board<T> = Vec<(u32, T)>;

impl ScriptSettings {
    /// # Errors
    /// [`RunError`] if a server's name has no address or TLS cannot be set up.
    pub(crate) fn new(plan: &Plan, sessions: &Sessions) -> Result<Self, RunError> {
        let limits = &sessions.limits;
        let reply_timeout = nanos(limits.timeout_s + limits.think_s);
        Ok(Self {
            servers: servers(plan, sessions)?,
            encoder: Encoder::new(&plan.target, &authorized(plan, sessions)),
            links: links(plan, sessions),
            timeout: nanos(limits.timeout_s),
            reply_timeout,
            first_sample: nanos(sessions.sampling.first_s),
            sample_every: nanos(sessions.sampling.every_s),
            sessions: sessions.clone(),
            stop_on_tls_failure: plan.tls().is_some_and(|tls| tls.stop_on_failure),
        })
    }

    /// Whether pages are searched for what they refer to.
    pub(crate) fn has_links(&self) -> bool {
        self.links.is_some()
    }

    /// When a connection has been too slow whose connect began, or whose sending last got
    /// on, at this time.
    pub(crate) fn limit_of_progress(&self, at: Nanos) -> Nanos {
        after(at, self.timeout)
    }

    /// When the reply to a request that was completely sent at this time has to be there.
    pub(crate) fn limit_of_reply(&self, sent: Nanos) -> Nanos {
        after(sent, self.reply_timeout)
    }
}

/// The end of a limit; 0: none.
fn after(at: Nanos, limit: Nanos) -> Nanos {
    if limit == 0 { Nanos::MAX } else { at.saturating_add(limit) }
}

impl Common {
    pub(crate) fn new(
        settings: ScriptSettings,
        workers: u32,
        observer: Option<Box<dyn Observer>>,
    ) -> Self {
        let statuses_every = observer.as_ref().and_then(|o| o.statuses_every_s()).map_or(0, nanos);
        Self {
            settings,
            busy: AtomicU32::new(workers),
            workers,
            wants_messages: observer.as_ref().is_some_and(|o| o.wants_messages()),
            statuses_every,
            observer: observer.map(Mutex::new),
            samples: Mutex::default(),
            statuses: Mutex::default(),
            told_of_error: false.into(),
            failure: OnceLock::new(),
        }
    }

    /// A worker has done its part.
    pub(crate) fn done(&self) {
        self.busy.fetch_sub(1, Relaxed);
    }

    /// Whether all workers have done their parts.
    pub(crate) fn all_done(&self) -> bool {
        self.busy.load(Relaxed) == 0
    }

    /// Whether nobody has told of an unexpected error yet.
    pub(crate) fn first_unexpected_error(&self) -> bool {
        !self.told_of_error.swap(true, Relaxed)
    }

    /// Tells the observer, if there is one.
    pub(crate) fn tell(&self, tell: impl FnOnce(&mut dyn Observer)) {
        let Some(observer) = &self.observer else { return };
        let mut observer = observer.lock().unwrap_or_else(PoisonError::into_inner);
        if self.failure.get().is_none()
            && let Err(panic) = catch_unwind(AssertUnwindSafe(|| tell(&mut **observer)))
        {
            let said = said(&*panic);
            let _ =
                self.failure.set(format!("the program's observer of sessions panicked: {said}"));
        }
    }

    /// Why the observer is told nothing more, if it broke down.
    #[inline]
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// A worker's part of the `tick`-th sample. The observer is told the sum when
    /// the last worker has said its part.
    pub(crate) fn sample(&self, tick: usize, part: Sample) {
        let whole = put(&self.samples, self.workers, tick, |sum| {
            sum.replies_per_s += part.replies_per_s;
            sum.sessions_per_s += part.sessions_per_s;
        });
        if let Some(sample) = whole {
            self.tell(|observer| observer.sample(sample));
        }
    }

    /// The same of replies by status since the last tick.
    pub(crate) fn statuses(&self, tick: usize, at_s: f64, part: &[u64]) {
        let whole = put(&self.statuses, self.workers, tick, |sum: &mut Vec<u64>| {
            if sum.len() < part.len() {
                sum.resize(part.len(), 0);
            }
            sum.iter_mut().zip(part).for_each(|(sum, n)| *sum += n);
        });
        if let Some(counts) = whole {
            let counts: Vec<(u32, u64)> = (0..).zip(counts).filter(|(_, n)| *n > 0).collect();
            self.tell(|observer| observer.statuses(at_s, &counts));
        }
    }
}

/// Adds a worker's part to a tick; gives the sum if it was the last part.
fn put<T: Clone + Default>(
    board: &Mutex<Board<T>>,
    workers: u32,
    tick: usize,
    add: impl FnOnce(&mut T),
) -> Option<T> {
    let mut board = board.lock().unwrap_or_else(PoisonError::into_inner);
    if board.len() <= tick {
        board.resize(tick + 1, (0, T::default()));
    }
    let (parts, sum) = board.get_mut(tick)?;
    add(sum);
    *parts += 1;
    (*parts == workers).then(|| std::mem::take(sum))
}

/// The sessions with the headers that user and password of the plan's URL and of its proxy
/// ask for, unless they have them.
fn authorized(plan: &Plan, sessions: &Sessions) -> Sessions {
    let mut sessions = sessions.clone();
    let target = &plan.target;
    for (name, value) in [
        ("Authorization", target.authorization()),
        ("Proxy-Authorization", target.proxy_authorization()),
    ] {
        let head = &mut sessions.head;
        let is_given = [&head.before_host, &head.after_host]
            .into_iter()
            .flat_map(|lines| lines.split(|byte| *byte == b'\n'))
            .filter_map(|line| line.split(|byte| *byte == b':').next())
            .any(|given| given.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
            || head.headers.iter().any(|header| header.is_named(name));
        if let Some(value) = value.and_then(Secret::reveal)
            && !is_given
        {
            head.after_host.0.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
    }
    sessions
}

/// How the connections to each server are encrypted, if they are.
pub(crate) fn encryption(plan: &Plan, sessions: &Sessions) -> Result<Vec<TlsSettings>, TlsError> {
    let Some(tls) = plan.encryption() else { return Ok(Vec::new()) };
    // httperf asks for no protocol, so neither do its sessions.
    let of_server = |host: &str| TlsSettings::new(&tls, host, &[]);
    if sessions.servers.is_empty() {
        return Ok(vec![of_server(plan.target.host())?]);
    }
    sessions.servers.iter().map(|server| of_server(server)).collect()
}

/// Where the references of pages lead, if there are pages. Relative ones begin at
/// the plan's URI.
fn links(plan: &Plan, sessions: &Sessions) -> Option<Links> {
    let base: &[u8] = match &sessions.uris {
        Uris::Fixed { uri } => uri,
        _ => b"/",
    };
    let server = plan.target.host();
    matches!(sessions.script, Script::Pages { .. }).then(|| Links::new(base, server.as_bytes()))
}

/// Where each server is. httperf knows IPv4 only: of a name with addresses of both kinds
/// those of IPv4 come first.
fn servers(plan: &Plan, sessions: &Sessions) -> Result<Vec<Vec<Endpoint>>, RunError> {
    let missing = || io::Error::other("the name has no address");
    let sorted = |url: &str, found: io::Result<Vec<Endpoint>>| {
        let is_ipv6 = |endpoint: &Endpoint| endpoint.tcp().is_some_and(|a| a.is_ipv6());
        let found = found.and_then(|mut found| {
            found.sort_by_key(is_ipv6);
            if found.is_empty() { Err(missing()) } else { Ok(found) }
        });
        found.map_err(|cause| RunError::Resolve { url: url.to_owned(), cause })
    };
    if sessions.servers.is_empty() {
        return Ok(vec![sorted(plan.target.url(), plan.target.resolve())?]);
    }
    let port = plan.target.port();
    let resolve = |name: &String| {
        let found = (name.as_str(), port).to_socket_addrs();
        sorted(name, found.map(|found| found.map(Endpoint::Tcp).collect()))
    };
    sessions.servers.iter().map(resolve).collect()
}

impl std::fmt::Debug for ScriptSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptSettings").field("servers", &self.servers).finish_non_exhaustive()
    }
}
