//! The thread that asks, beside the workers.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
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

    /// Begins to ask, beside a load that may have `load` descriptors open. To be called
    /// when that load has raised the limit for its own.
    pub(crate) fn start(&mut self, load: u64) {
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
        let thread =
            thread::Builder::new().name("reach".to_owned()).spawn(move || ask(found, &stopped));
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
fn ask(found: Found, stop: &AtomicBool) -> ReachLog {
    sys::minimise_timer_slack();
    let Found { method, asker, address, rate_per_s } = found;
    let mut asking = Asking::new(asker, rate_per_s);
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
    checks: Vec<Check>,
    /// How many there may be.
    most: usize,
    /// Numbers of the checks that wait, in order, with the time to give them up.
    open: VecDeque<(u64, Nanos)>,
    answers: u64,
    longest_pause: Nanos,
}

impl Asking {
    fn new(asker: Asker, rate_per_s: f64) -> Self {
        let period = (SECOND as f64 / rate_per_s).round() as Nanos;
        let (checks, open) = (Vec::new(), VecDeque::new());
        Self { asker, period, checks, most: MOST_CHECKS, open, answers: 0, longest_pause: 0 }
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
            let sent = self.checks.len() as u64;
            if self.answers == 0 && monotonic_ns() - begin > IN_VAIN.0 && sent > IN_VAIN.1 {
                return Ok(End::InVain(format!("none of {sent} checks was answered")));
            }
            let now = monotonic_ns();
            let next = self.open.front().map_or(due, |(_, at)| due.min(*at));
            self.look(next.saturating_sub(now).min(TURN))?;
        }
        self.look(0)?;
        Ok(End::Told)
    }

    fn send(&mut self) {
        let number = self.checks.len() as u64;
        let (check, waits) = self.asker.send();
        if waits {
            self.open.push_back((number, check.sent + GIVE_UP));
        }
        self.answers += u64::from(matches!(check.fate, Fate::Answered { .. }));
        self.checks.push(check);
    }

    fn look(&mut self, wait: Nanos) -> io::Result<()> {
        let Self { asker, checks, answers, .. } = self;
        asker.look(wait, |number, fate| {
            let Some(check) = checks.get_mut(number as usize) else { return };
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
            if let Some(check) = self.checks.get_mut(number as usize)
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
            checks: self.checks,
            cpu_ns: user + system,
            longest_pause: self.longest_pause,
            off,
            cut,
        }
    }
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
}
