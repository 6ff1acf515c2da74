//! One admin's connection: its thread listens, a second one runs the tests, so that
//! the end of the connection and `ABORT` are heard at any time.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Shared, lock};
use crate::allowed;
use crate::httperf_output::Reader;
use crate::local_time;
use crate::protocol::{self, Request, Requests};
use crate::reason::reason;

/// Commands of one admin that may wait.
const MOST_WAITING: usize = 8;

/// Longest wait for an admin that does not take its answer.
const WRITING: Duration = Duration::from_secs(30);

/// How often somebody who waits looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(20);

/// A test that was asked for.
struct Command {
    arguments: String,
    at_s: u64,
    /// Set when it shall end, or not begin.
    stop: Arc<AtomicBool>,
}

/// What the two threads of a visit share.
#[derive(Default)]
struct Visit {
    /// Of the commands that are not done.
    stops: Mutex<Vec<Arc<AtomicBool>>>,
    /// Whether the admin has gone; then it gets no answer.
    gone: AtomicBool,
}

impl Visit {
    fn stop_all(&self) {
        for stop in lock(&self.stops).iter() {
            stop.store(true, Ordering::SeqCst);
        }
    }

    fn is_idle(&self) -> bool {
        lock(&self.stops).is_empty()
    }

    fn done(&self, command: &Command) {
        lock(&self.stops).retain(|stop| !Arc::ptr_eq(stop, &command.stop));
    }
}

/// Serves one admin until it goes.
pub(super) fn serve(shared: &Shared, stream: &TcpStream, peer: SocketAddr) {
    // Without these the connection still works.
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(shared.settings.idle));
    let _ = stream.set_write_timeout(Some(WRITING));
    let _ = crate::keep_alive(stream);
    let visit = &Visit::default();
    let (sender, commands) = sync_channel(MOST_WAITING);
    std::thread::scope(|scope| {
        let tests = std::thread::Builder::new()
            .name("tests".to_owned())
            .spawn_scoped(scope, move || run_all(shared, visit, stream, commands));
        let ended = match tests {
            Ok(_) => listen(shared, visit, stream, |command| sender.try_send(command).is_ok()),
            Err(error) => Some(format!("no thread for its tests: {}", reason(&error))),
        };
        if let Some(why) = ended {
            shared.log.warn(&format!("autobenchd: left {peer}: {why}"));
        }
        visit.gone.store(!shared.stopping.load(Ordering::SeqCst), Ordering::SeqCst);
        visit.stop_all();
        drop(sender);
    });
    shared.log.progress("Admin closed connection");
}

/// Hears the admin out. Returns why it was not heard any longer, if it did not simply go.
fn listen(
    shared: &Shared,
    visit: &Visit,
    mut stream: &TcpStream,
    accept: impl Fn(Command) -> bool,
) -> Option<String> {
    let mut requests = Requests::default();
    let mut buffer = [0; 4096];
    loop {
        let length = match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(length) => length,
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => continue,
                ErrorKind::WouldBlock | ErrorKind::TimedOut if visit.is_idle() => {
                    return Some(format!("silent for {:?}", shared.settings.idle));
                }
                ErrorKind::WouldBlock | ErrorKind::TimedOut => continue,
                ErrorKind::ConnectionReset => return None,
                _ => return Some(reason(&error)),
            },
        };
        requests.feed(buffer.get(..length).unwrap_or_default());
        loop {
            match requests.next_request() {
                Ok(None) => break,
                Ok(Some(Request::Abort)) => visit.stop_all(),
                Ok(Some(Request::Start { arguments, at_s })) => {
                    let stop = Arc::new(AtomicBool::new(false));
                    lock(&visit.stops).push(Arc::clone(&stop));
                    if !accept(Command { arguments, at_s, stop }) {
                        return Some(format!("more than {MOST_WAITING} commands wait"));
                    }
                }
                Err(error) => return Some(error.to_string()),
            }
        }
    }
}

fn run_all(shared: &Shared, visit: &Visit, mut stream: &TcpStream, commands: Receiver<Command>) {
    for command in commands {
        let turn = wait_for_turn(&shared.turn, &command.stop);
        let is_gone = || visit.gone.load(Ordering::SeqCst);
        if !is_gone() {
            // That an answer cannot be sent, the listening thread finds out as well.
            let _ = stream.write_all(protocol::ACCEPTED.as_bytes());
        }
        let answer = run(shared, &command).unwrap_or_else(|| protocol::FAILED.to_owned());
        drop(turn);
        // Before the answer: an admin that has it may go silent.
        visit.done(&command);
        if !is_gone() {
            let _ = stream.write_all(answer.as_bytes());
        }
    }
}

/// Waits until no other test runs, or this one shall not.
fn wait_for_turn<'a>(turn: &'a Mutex<()>, stop: &AtomicBool) -> Option<MutexGuard<'a, ()>> {
    while !stop.load(Ordering::SeqCst) {
        match turn.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(guard)) => return Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
        }
    }
    None
}

/// Runs a test; returns the answer unless it failed.
fn run(shared: &Shared, command: &Command) -> Option<String> {
    let log = &shared.log;
    log.progress(&format!("Received command: {}", command.arguments));
    if log.verbose {
        log.progress(&format!("Start time: {}", local_time::clock_time(command.at_s)));
    }
    let allowed = allowed::arguments(&command.arguments, shared.settings.files);
    let figures = allowed.map_err(|refused| refused.to_string()).and_then(|mut arguments| {
        // Shows the samples of the reply rate, without which those of several clients
        // cannot be merged.
        arguments.insert(0, "--verbose".to_owned());
        wait_until(command.at_s, shared.settings.furthest_start, &command.stop)?;
        log.progress("Starting benchmark");
        let mut debug = log;
        let mut reader = Reader::new(log.debug.then_some(&mut debug as &mut dyn Write));
        let tested = shared.tester.test(&arguments, &mut reader, &command.stop);
        tested.map(|_| reader.finish()).map_err(|error| error.to_string())
    });
    match figures {
        Ok(figures) if figures.has_replies() => {
            log.progress("Benchmark complete");
            return Some(protocol::complete(&figures));
        }
        Ok(_) => {}
        Err(why) => log.warn(&format!("autobenchd: {why}")),
    }
    log.progress("Benchmark failed");
    None
}

/// Waits until a Unix time; not at all if it is over.
fn wait_until(at_s: u64, furthest: Duration, stop: &AtomicBool) -> Result<(), String> {
    loop {
        if stop.load(Ordering::SeqCst) {
            return Err("the test was stopped before it began".to_owned());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ahead = Duration::from_secs(at_s).saturating_sub(now);
        if ahead.is_zero() {
            return Ok(());
        }
        if ahead > furthest {
            return Err(format!(
                "the start is {} s ahead; do the clocks of the machines agree?",
                ahead.as_secs()
            ));
        }
        std::thread::sleep(ahead.min(LOOK));
    }
}
