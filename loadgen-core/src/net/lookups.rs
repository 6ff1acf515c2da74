//! Names resolved while a run goes on: one thread, which answers all that wait with one
//! lookup, so that no worker ever waits for a name server.
//!
//! Lookups are numbered. Who asks is told the number of the first lookup that begins
//! after that; an answer of this number, or a later one, is fresh enough. There is never
//! more than one lookup under way.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde::{Deserialize, Serialize};

use super::endpoint::Endpoint;

/// What is done to resolve a name.
pub(crate) struct Lookup(Box<dyn FnMut() -> io::Result<Vec<Endpoint>> + Send>);

impl Lookup {
    pub(crate) fn new(lookup: impl FnMut() -> io::Result<Vec<Endpoint>> + Send + 'static) -> Self {
        Self(Box::new(lookup))
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

/// What a lookup has found.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Which lookup.
    pub(crate) number: u64,
    /// The endpoints, or what the resolver said.
    pub(crate) found: Result<Vec<Endpoint>, String>,
}

/// How lookups went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lookups {
    pub(crate) made: u64,
    pub(crate) failed: u64,
    /// What the resolver said the first time that it failed.
    pub(crate) error: Option<String>,
}

impl Lookups {
    /// Joins those of another process.
    pub(crate) fn merge(&mut self, other: Self) {
        self.made += other.made;
        self.failed += other.failed;
        // The same one in whatever order they come.
        self.error = [self.error.take(), other.error].into_iter().flatten().min();
    }
}

/// The thread. It ends when this and all [lines](Line) to it are dropped, or with the
/// lookup that is under way then.
#[derive(Debug)]
pub(crate) struct Resolver {
    owner: Arc<Owner>,
}

/// What the thread lives for.
#[derive(Debug)]
struct Owner {
    board: Arc<Board>,
}

#[derive(Debug, Default)]
struct Board {
    state: Mutex<State>,
    asked: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the last lookup that somebody wants.
    wanted: u64,
    /// Number of the last one that has begun.
    begun: u64,
    latest: Option<Arc<Answer>>,
    bells: Vec<UnixStream>,
    lookups: Lookups,
    ended: bool,
}

impl Board {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the kernel says if there can be none.
    pub(crate) fn start(lookup: Lookup) -> io::Result<Self> {
        let board = Arc::<Board>::default();
        let theirs = Arc::clone(&board);
        let thread = thread::Builder::new().name("loadgen-resolver".to_owned());
        thread.spawn(move || answer(&theirs, lookup))?;
        Ok(Self { owner: Arc::new(Owner { board }) })
    }

    /// A worker's way to ask.
    pub(crate) fn line(&self) -> io::Result<Line> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        self.owner.board.state().bells.push(bell);
        Ok(Line { owner: Arc::clone(&self.owner), ear, heard: 0 })
    }

    /// How lookups went so far.
    pub(crate) fn lookups(&self) -> Lookups {
        self.owner.board.state().lookups.clone()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.board.state().ended = true;
        self.board.asked.notify_all();
    }
}

/// The thread's life.
fn answer(board: &Board, Lookup(mut lookup): Lookup) {
    let mut state = board.state();
    loop {
        while state.begun >= state.wanted && !state.ended {
            state = board.asked.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.ended {
            return;
        }
        state.begun += 1;
        let number = state.begun;
        drop(state);
        let found = lookup().map_err(|error| error.to_string());
        state = board.state();
        state.lookups.made += 1;
        if let Err(error) = &found {
            state.lookups.failed += 1;
            state.lookups.error.get_or_insert_with(|| error.clone());
        }
        state.latest = Some(Arc::new(Answer { number, found }));
        for mut bell in &state.bells {
            // A full socket means that the bell rings already.
            let _ = bell.write(&[1]);
        }
    }
}

/// A worker's way to ask, and to be told.
#[derive(Debug)]
pub(crate) struct Line {
    owner: Arc<Owner>,
    ear: UnixStream,
    /// Number of the last answer that was taken.
    heard: u64,
}

impl Line {
    /// Readable when there is an answer.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.ear.as_fd()
    }

    /// Asks for a lookup that begins from now on; the number of the first such one.
    pub(crate) fn ask(&self) -> u64 {
        let mut state = self.owner.board.state();
        let number = state.begun + 1;
        if state.wanted < number {
            state.wanted = number;
            self.owner.board.asked.notify_one();
        }
        number
    }

    /// The latest answer, if it was not taken before.
    pub(crate) fn take(&mut self) -> Option<Arc<Answer>> {
        let mut rings = [0; 64];
        while matches!((&self.ear).read(&mut rings), Ok(n) if n == rings.len()) {}
        let latest = self.owner.board.state().latest.clone()?;
        (latest.number > self.heard).then(|| {
            self.heard = latest.number;
            latest
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::net::poll::Poll;
    use crate::plan::Precision;

    fn at(port: u16) -> Endpoint {
        Endpoint::Tcp(([127, 0, 0, 1], port).into())
    }

    /// A resolver whose lookups begin and end when the test says so.
    struct Held {
        begun: mpsc::Receiver<()>,
        end: mpsc::Sender<io::Result<Vec<Endpoint>>>,
        resolver: Resolver,
    }

    fn held() -> Held {
        let (begins, begun) = mpsc::channel();
        let (end, ends) = mpsc::channel();
        let lookup = move || {
            let _ = begins.send(());
            ends.recv().unwrap_or_else(|_| Ok(Vec::new()))
        };
        Held { begun, end, resolver: Resolver::start(Lookup::new(lookup)).unwrap() }
    }

    /// Waits for the bell as a worker does.
    fn wait(line: &mut Line) -> Arc<Answer> {
        let mut poll = Poll::new(Precision::Low).unwrap();
        poll.register_waker(line.fd(), 7).unwrap();
        for _ in 0..1000 {
            if poll.wait(10_000_000).unwrap() > 0 {
                assert_eq!(poll.readiness(0).token(), 7);
                if let Some(answer) = line.take() {
                    return answer;
                }
            }
        }
        panic!("no answer")
    }

    #[test]
    fn an_answer_is_of_a_lookup_that_began_after_the_question() {
        let held = held();
        let mut line = held.resolver.line().unwrap();
        let mut other = held.resolver.line().unwrap();
        let first = line.ask();
        held.begun.recv_timeout(Duration::from_secs(20)).unwrap();
        // Under way already: of no use to whoever comes now, but one more serves all.
        let second = line.ask();
        assert!(second > first);
        assert_eq!((other.ask(), line.ask()), (second, second));
        assert!(line.take().is_none());
        held.end.send(Ok(vec![at(1)])).unwrap();
        let answer = wait(&mut line);
        assert_eq!((answer.number, answer.found.as_deref().unwrap()), (first, &[at(1)][..]));
        held.begun.recv_timeout(Duration::from_secs(20)).unwrap();
        held.end.send(Err(io::Error::other("no such name"))).unwrap();
        let answer = wait(&mut line);
        assert_eq!((answer.number, &answer.found), (second, &Err("no such name".to_owned())));
        // The other has missed the first answer, which the second one replaces.
        assert_eq!(wait(&mut other).number, second);
        assert!(line.take().is_none() && other.take().is_none());
        let error = Some("no such name".to_owned());
        assert_eq!(held.resolver.lookups(), Lookups { made: 2, failed: 1, error });
        // Nobody asks: there is no further lookup.
        assert!(held.begun.try_recv().is_err());
    }

    #[test]
    fn the_thread_ends_when_nobody_needs_it() {
        let held = held();
        let line = held.resolver.line().unwrap();
        drop(held.resolver);
        line.ask();
        held.begun.recv_timeout(Duration::from_secs(20)).unwrap();
        held.end.send(Ok(Vec::new())).unwrap();
        drop(line);
        // The sender is gone with the thread.
        let gone = held.begun.recv_timeout(Duration::from_secs(20));
        assert_eq!(gone, Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
