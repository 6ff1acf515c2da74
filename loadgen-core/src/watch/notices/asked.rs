//! The thread that asks a cloud, and what it makes of changes: events with their times.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use super::aws::Aws;
use super::azure::Azure;
use super::cloud::{Change, Cloud, Said, Unread};
use super::gcp::Gcp;
use super::source::{NoticeSource, base};
use super::told::Told;
use crate::background::Shared;
use crate::clock::{Clock, as_nanos, monotonic_ns};
use crate::event::{Event, EventKind};
use crate::migration::{ApiClient, Failure, TriggerError};
use crate::net::tls::Tls;

/// The longest that a stop goes unnoticed.
const TURN: Duration = Duration::from_millis(100);
/// Requests in a row until one of them tells something.
const MOST_REQUESTS: u32 = 4;
/// How often a server that is busy is asked at the start, and what lies between.
const FIRST_TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 500 });
/// How long a server that does not tell is let be, if it is not let be for longer anyway.
const AFTER_TROUBLE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 1000 });

/// See the module.
#[derive(Debug)]
pub(super) struct Asker {
    cloud: Box<dyn Cloud>,
    client: ApiClient,
    /// The path of the base URL.
    base: String,
    clock: Clock,
    /// When it was begun to ask for the last answer (`CLOCK_MONOTONIC`): no later than that things
    /// were as it said.
    true_ns: Option<u64>,
}

/// Why a look brought nothing.
#[derive(Debug)]
enum Unseen {
    Stopped,
    Unanswered(String),
    Unread(Unread),
}

impl Asker {
    /// Asks for the first time.
    pub(super) fn start(
        source: &NoticeSource,
        url: &str,
        clock: Clock,
        told: &mut Told,
    ) -> Result<Self, TriggerError> {
        let cloud: Box<dyn Cloud> = match source {
            NoticeSource::Azure(_) => Box::<Azure>::default(),
            NoticeSource::Aws(_) => Box::<Aws>::default(),
            _ => Box::<Gcp>::default(),
        };
        let what = format!("asking {} for maintenance notices", cloud.name());
        let refused = |reason: String| TriggerError::protocol(what.as_str(), reason);
        let target = base(url).map_err(refused)?;
        let path = target.path().trim_end_matches('/').to_owned();
        let client = ApiClient::new(target, &Tls::default(), cloud.limit())?;
        let mut asker = Self { cloud, client, base: path, clock, true_ns: None };
        let mut tries = 1;
        loop {
            match asker.look(told, &|| false) {
                Ok(()) => return Ok(asker),
                Err(Unseen::Unread(Unread::Busy(_))) if tries < FIRST_TRIES => {
                    thread::sleep(BETWEEN_TRIES);
                    tries += 1;
                }
                Err(unseen) => return Err(refused(asker.not_here(unseen))),
            }
        }
    }

    /// Asks on, until it is stopped.
    pub(super) fn ask(&mut self, shared: &Shared<Told>) {
        let is_stopped = || shared.flag().load(Relaxed);
        // The first question was asked a moment ago.
        let mut begun = monotonic_ns();
        let mut is_troubled = false;
        loop {
            let interval = self.cloud.interval();
            let interval = if is_troubled { interval.max(AFTER_TROUBLE) } else { interval };
            let next = begun.saturating_add(as_nanos(interval));
            while !is_stopped() && monotonic_ns() < next {
                let left = Duration::from_nanos(next.saturating_sub(monotonic_ns()));
                thread::sleep(left.min(TURN));
            }
            begun = monotonic_ns();
            // Nobody is kept from taking while it is asked.
            let mut news = Told::default();
            let seen = self.look(&mut news, &is_stopped);
            is_troubled = seen.is_err();
            let mut told = shared.progress();
            match seen {
                Ok(()) => told.add(news),
                Err(Unseen::Stopped) => return,
                Err(unseen) => told.trouble(self.troubled(&unseen)),
            }
        }
    }

    /// Asks until something is told.
    fn look(&mut self, told: &mut Told, is_stopped: &dyn Fn() -> bool) -> Result<(), Unseen> {
        for _ in 0..MOST_REQUESTS {
            let mut request = self.cloud.request();
            request.path.insert_str(0, &self.base);
            self.client.set_limit(self.cloud.limit());
            self.client.start("asking for maintenance notices", request);
            let answer = loop {
                if is_stopped() {
                    self.client.forget();
                    return Err(Unseen::Stopped);
                }
                if let Some(answer) = self.client.wait(TURN) {
                    break answer.map_err(|failure| Unseen::Unanswered(words(failure)))?;
                }
            };
            match self.cloud.read(&answer).map_err(Unseen::Unread)? {
                Said::Go => {}
                Said::Changes { changes, odd } => {
                    let known = self.true_ns.replace(answer.asked_ns);
                    for change in changes {
                        told.event(self.event(change, known, answer.asked_ns, answer.answered_ns));
                    }
                    match odd {
                        None => told.works(),
                        Some(odd) => told.trouble(format!(
                            "a maintenance notice of {} cannot be read: {odd}",
                            self.cloud.name()
                        )),
                    }
                    return Ok(());
                }
            }
        }
        Err(Unseen::Unread(Unread::Wrong("it never tells what it is asked for".to_owned())))
    }

    /// A change lies between the begin of the question before and the answer; what was so from the
    /// first was so between the question and its answer.
    fn event(&self, change: Change, known_ns: Option<u64>, asked: u64, answered: u64) -> Event {
        let from = self.clock.from_monotonic(known_ns.unwrap_or(asked));
        let to = self.clock.from_monotonic(answered);
        let at = from + to.saturating_sub(from) / 2;
        let uncertainty = to.saturating_sub(at);
        let mut event =
            Event::new(EventKind::Mark(change.name), at, uncertainty, self.cloud.name());
        event.attributes = change.attributes;
        match known_ns {
            Some(_) => event,
            None => event.with("already_so", true),
        }
    }

    /// Why it cannot be begun.
    fn not_here(&self, unseen: Unseen) -> String {
        let (url, home) = (self.client.url(), self.cloud.home());
        match unseen {
            Unseen::Stopped => "it was stopped".to_owned(),
            Unseen::Unanswered(why) => {
                format!("nothing at {url} answers ({why}): it works only inside of {home}")
            }
            Unseen::Unread(Unread::Busy(why)) => {
                format!("{url} cannot tell now, asked {FIRST_TRIES} times: {why}; try it later")
            }
            Unseen::Unread(Unread::Wrong(why)) => {
                format!("{url} does not tell: {why}. It works only inside of {home}")
            }
        }
    }

    /// Why nothing is told just now.
    fn troubled(&self, unseen: &Unseen) -> String {
        let (url, name) = (self.client.url(), self.cloud.name());
        match unseen {
            Unseen::Stopped => "it was stopped".to_owned(),
            Unseen::Unanswered(why) => format!(
                "{name} tells no maintenance notices now: {url} does not answer ({why}); it is asked on"
            ),
            Unseen::Unread(Unread::Busy(why) | Unread::Wrong(why)) => {
                format!("{name} tells no maintenance notices now ({url}): {why}; it is asked on")
            }
        }
    }
}

/// Why there was no answer, without what was asked.
fn words(failure: Failure) -> String {
    match failure.error {
        TriggerError::Io { cause, .. } if cause.kind() == io::ErrorKind::TimedOut => {
            "it cannot be reached in time".to_owned()
        }
        TriggerError::Io { cause, .. } => cause.to_string(),
        TriggerError::Protocol { reason, .. } => reason,
        TriggerError::Silent { waited, .. } => format!("not within {} s", waited.as_secs_f64()),
        other => other.to_string(),
    }
}
