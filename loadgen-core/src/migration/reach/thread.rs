//! The thread that asks, beside the workers.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};

use super::inspect::{Found, inspect};
use super::log::GIVE_UP;
use super::method::{Method, ReachCheck};
use super::socket::Asker;
use super::{Check, Fate, ReachLog};
use crate::clock::{MILLISECOND, Nanos, SECOND, monotonic_ns};
use crate::net::{limits, sys};
use crate::target::Target;

/// Longest sleep, so that the end of the run is noticed.
const TURN: Nanos = 20 * MILLISECOND;

/// Checks that are kept: 160 MB at most.
const MOST_CHECKS: usize = 4_000_000;

/// A thread whose first answers fail to come for so long, and after so many checks,
/// switches itself off.
const IN_VAIN: (Nanos, u64) = (3 * SECOND, 20);

/// How often checks are handed out.
const HAND_OUT_EVERY: Nanos = 100 * MILLISECOND;

/// Checks of which all is known, to somebody who is told while it asks. Times are readings of
/// `CLOCK_MONOTONIC`.
#[derive(Debug, Default)]
pub(crate) struct SettledChecks {
    /// In the order in which they were sent, none left out.
    pub(crate) checks: Vec<Check>,
    /// Those that were sent before this are all known by now.
    pub(crate) until: Nanos,
}

/// A reach check: found out how, or already going on, or not to be.
pub(crate) struct Reach(State);

enum State {
    Off(ReachLog),
    Ready(Found),
    Running { stop: Arc<AtomicBool>, thread: Option<JoinHandle<ReachLog>> },
}

impl Reach {
    /// Finds out how the machine can be asked. To be called before the load, since it
    /// may take two seconds.
    pub(crate) fn prepare(choice: ReachCheck, rate_per_s: f64, target: &Target) -> Self {
        Self(match inspect(choice, rate_per_s, target) {
            Ok(found) => State::Ready(found),
            Err(reason) => State::Off(ReachLog::off(reason)),
        })
    }

    /// Why there will be no check, if so.
    pub(crate) fn off(&self) -> Option<&str> {
        match &self.0 {
            State::Off(log) => log.off.as_deref(),
            State::Ready(_) | State::Running { .. } => None,
        }
    }

    /// By which method it asks whom, and how often a second.
    pub(crate) fn how(&self) -> Option<(Method, IpAddr, f64)> {
        match &self.0 {
            State::Ready(found) => Some((found.method, found.address, found.rate_per_s)),
            State::Off(_) | State::Running { .. } => None,
        }
    }

    /// Begins to ask, beside a load that may have `load` descriptors open. To be called
    /// when that load has raised the limit for its own.
    pub(crate) fn start(&mut self, load: u64) {
        self.begin(load, None);
    }

    /// The same without a log: checks are handed out ten times a second, for as long as somebody
    /// takes them; what nobody takes in time is lost.
    pub(crate) fn start_handing_out(&mut self, load: u64, to: SyncSender<SettledChecks>) {
        self.begin(load, Some(to));
    }

    fn begin(&mut self, load: u64, outlet: Option<SyncSender<SettledChecks>>) {
        let state = std::mem::replace(&mut self.0, State::Off(ReachLog::default()));
        let State::Ready(found) = state else {
            self.0 = state;
            return;
        };
        let at_once = (found.rate_per_s * GIVE_UP as f64 / SECOND as f64).ceil() as u64;
        let need = Asker::descriptors(found.method, at_once) + 16;
        let limit = sys::descriptor_limit().map_or(0, |(soft, _)| soft);
        // Where it cannot be raised, what the load leaves may do.
        if limits::raise_descriptor_limit(limit + need) < load + need {
            let off = ReachLog::off(format!(
                "the load may need {load} open files and the check {need}, more than the limit of \
                 {limit} (ulimit -n)"
            ));
            self.0 = State::Off(off);
            return;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("reach".to_owned())
            .spawn(move || ask(found, &stopped, outlet));
        self.0 = match thread {
            Ok(thread) => State::Running { stop, thread: Some(thread) },
            Err(error) => State::Off(ReachLog::off(format!("it got no thread: {error}"))),
        };
    }

    /// Ends it, and gives its log, with readings of `CLOCK_MONOTONIC`.
    pub(crate) fn finish(mut self) -> ReachLog {
        self.end().unwrap_or_else(|| ReachLog::off("it was not started"))
    }

    fn end(&mut self) -> Option<ReachLog> {
        match &mut self.0 {
            State::Off(log) => Some(std::mem::take(log)),
            State::Ready(_) => None,
            State::Running { stop, thread } => {
                stop.store(true, Relaxed);
                let log = thread.take()?.join();
                Some(log.unwrap_or_else(|_| ReachLog::off("its thread broke down")))
            }
        }
    }
}

impl Drop for Reach {
    fn drop(&mut self) {
        self.end();
    }
}

/// The work of the thread.
fn ask(found: Found, stop: &AtomicBool, outlet: Option<SyncSender<SettledChecks>>) -> ReachLog {
    sys::minimise_timer_slack();
    let Found { method, asker, address, rate_per_s } = found;
    let mut asking = Asking { outlet, ..Asking::new(asker, rate_per_s) };
    let end = asking.until(stop);
    let end = end.unwrap_or_else(|error| End::Cut(format!("it broke down: {error}")));
    asking.log(method, address, rate_per_s, end)
}

/// How the asking ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// As long as it was to last.
    Told,
    /// By itself: what was asked until then stands.
    Cut(String),
    /// By itself, since nobody answers: nothing is said by that.
    InVain(String),
}

struct Asking {
    asker: Asker,
    period: Nanos,
    /// Those that were not handed out.
    checks: VecDeque<Check>,
    /// How many were.
    gone: u64,
    /// How many may be kept.
    most: usize,
    outlet: Option<SyncSender<SettledChecks>>,
    handed_out: Nanos,
    /// Numbers of the checks that wait, in order, with the time to give them up.
    open: VecDeque<(u64, Nanos)>,
    answers: u64,
    longest_pause: Nanos,
}

impl Asking {
    fn new(asker: Asker, rate_per_s: f64) -> Self {
        let period = (SECOND as f64 / rate_per_s).round() as Nanos;
        Self {
            asker,
            period,
            checks: VecDeque::new(),
            gone: 0,
            most: MOST_CHECKS,
            outlet: None,
            handed_out: 0,
            open: VecDeque::new(),
            answers: 0,
            longest_pause: 0,
        }
    }

    /// Asks until told to stop; else tells why it stopped by itself.
    fn until(&mut self, stop: &AtomicBool) -> io::Result<End> {
        let begin = monotonic_ns();
        let mut due = begin;
        while !stop.load(Relaxed) {
            let now = monotonic_ns();
            self.longest_pause = self.longest_pause.max(now.saturating_sub(due));
            if now >= due {
                if self.checks.len() >= self.most {
                    return Ok(End::Cut(format!("it stopped after {} checks", self.most)));
                }
                self.send();
                // What could not be sent in time is not sent in a burst.
                due = (due + self.period).max(now);
            }
            // Before anything is given up, what the kernel already has is read.
            self.look(0)?;
            self.give_up();
            self.hand_out(HAND_OUT_EVERY);
            let sent = self.sent();
            if self.answers == 0 && monotonic_ns() - begin > IN_VAIN.0 && sent > IN_VAIN.1 {
                return Ok(End::InVain(format!("none of {sent} checks was answered")));
            }
            let now = monotonic_ns();
            let next = self.open.front().map_or(due, |(_, at)| due.min(*at));
            self.look(next.saturating_sub(now).min(TURN))?;
        }
        self.look(0)?;
        self.hand_out(0);
        Ok(End::Told)
    }

    fn sent(&self) -> u64 {
        self.gone + self.checks.len() as u64
    }

    /// Gives away the first checks, up to one that waits, if that was not done for so long.
    fn hand_out(&mut self, every: Nanos) {
        let looked = self.asker.looked();
        let Some(outlet) = self.outlet.as_ref().filter(|_| looked >= self.handed_out + every)
        else {
            return;
        };
        self.handed_out = looked;
        let open = self.open.front().map_or(self.gone + self.checks.len() as u64, |open| open.0);
        let settled = (open - self.gone).min(self.checks.len() as u64);
        let checks: Vec<Check> = self.checks.drain(..settled as usize).collect();
        self.gone += settled;
        let until = self.checks.front().map_or(looked, |check| check.before.min(looked));
        // Whoever does not take them in time does without.
        let _ = outlet.try_send(SettledChecks { checks, until });
    }

    fn send(&mut self) {
        let number = self.sent();
        let (check, waits) = self.asker.send();
        if waits {
            self.open.push_back((number, check.sent + GIVE_UP));
        }
        self.answers += u64::from(matches!(check.fate, Fate::Answered { .. }));
        self.checks.push_back(check);
    }

    fn look(&mut self, wait: Nanos) -> io::Result<()> {
        let Self { asker, checks, gone, answers, .. } = self;
        asker.look(wait, |number, fate| {
            let Some(check) = check_of(checks, *gone, number) else { return };
            // The answer to an echo may come when it was given up; it stays lost.
            if check.fate == Fate::Unknown {
                check.fate = match fate {
                    Fate::Answered { after, by, first } => {
                        *answers += 1;
                        Fate::Answered { after: after.max(check.before), by, first }
                    }
                    other => other,
                };
            }
        })
    }

    fn give_up(&mut self) {
        // The latest look must not lie before the time to give up, or an answer that
        // came in time would not have been seen.
        let looked = self.asker.looked();
        while let Some((number, at)) = self.open.front().copied()
            && at <= looked
        {
            self.open.pop_front();
            self.asker.give_up(number);
            if let Some(check) = check_of(&mut self.checks, self.gone, number)
                && check.fate == Fate::Unknown
            {
                check.fate = Fate::Lost;
            }
        }
    }

    fn log(self, method: Method, address: IpAddr, rate_per_s: f64, end: End) -> ReachLog {
        let (user, system) = sys::thread_cpu_ns();
        let (off, cut) = match end {
            End::Told => (None, None),
            End::Cut(why) => (None, Some(why)),
            End::InVain(why) => (Some(why), None),
        };
        ReachLog {
            method: Some(method),
            address: Some(address),
            rate_per_s,
            checks: self.checks.into(),
            cpu_ns: user + system,
            longest_pause: self.longest_pause,
            off,
            cut,
        }
    }
}

/// The check of a number, if it is still here.
fn check_of(checks: &mut VecDeque<Check>, gone: u64, number: u64) -> Option<&mut Check> {
    checks.get_mut(usize::try_from(number.checked_sub(gone)?).ok()?)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn what_was_asked_before_it_stopped_by_itself_is_kept() {
        // Bound, and nobody listens: it is closed, and nobody else gets it.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let closed = socket.local_addr().unwrap().as_socket().unwrap();
        let asker = Asker::new(closed, None, Method::Rst(closed.port())).unwrap();
        let mut asking = Asking::new(asker, 1000.0);
        asking.most = 5;
        let end = asking.until(&AtomicBool::new(false)).unwrap();
        assert_eq!(end, End::Cut("it stopped after 5 checks".to_owned()));
        let log = asking.log(Method::Rst(closed.port()), closed.ip(), 1000.0, end);
        assert_eq!((log.checks.len(), log.off), (5, None));
        assert_eq!(log.cut.as_deref(), Some("it stopped after 5 checks"));
    }

    #[test]
    fn what_is_handed_out_is_complete_and_not_kept() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let closed = socket.local_addr().unwrap().as_socket().unwrap();
        let asker = Asker::new(closed, None, Method::Rst(closed.port())).unwrap();
        let (sender, handed) = std::sync::mpsc::sync_channel(1000);
        let stop = Arc::new(AtomicBool::new(false));
        let mut asking = Asking { outlet: Some(sender), ..Asking::new(asker, 1000.0) };
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let end = asking.until(&stopped).unwrap();
            (end, asking.sent(), asking.checks.len() as u64)
        });
        let mut all: Vec<SettledChecks> = Vec::new();
        while all.iter().map(|batch| batch.checks.len()).sum::<usize>() < 30 {
            all.push(handed.recv().unwrap());
        }
        stop.store(true, Relaxed);
        let (end, sent, kept) = thread.join().unwrap();
        all.extend(handed.try_iter());
        let until: Vec<Nanos> = all.iter().map(|batch| batch.until).collect();
        assert!(until.is_sorted());
        let (mut checks, mut from) = (0, 0);
        for batch in &all {
            let all_in = |check: &Check| (from..batch.until).contains(&check.before);
            assert!(batch.checks.iter().all(all_in));
            (checks, from) = (checks + batch.checks.len() as u64, batch.until);
        }
        assert_eq!((end, checks + kept), (End::Told, sent));
        assert!(all.iter().flat_map(|batch| &batch.checks).all(|c| c.fate != Fate::Unknown));
    }
}
