//! Work of minutes on a thread of its own, for those who start it, look at it now and then, stop
//! it and await its result.

use std::fmt;
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Work under way, of which `P` is known while it runs, and `T` is the result. Dropped, it is
/// stopped, and nobody gets the result.
pub(crate) struct Background<P, T> {
    shared: Arc<Shared<P>>,
    thread: JoinHandle<T>,
    _stops: StopOnDrop<P>,
}

/// What both threads have.
pub(crate) struct Shared<P> {
    stop: AtomicBool,
    progress: Mutex<P>,
}

struct StopOnDrop<P>(Arc<Shared<P>>);

impl<P> Drop for StopOnDrop<P> {
    fn drop(&mut self) {
        self.0.stop.store(true, Relaxed);
    }
}

impl<P> Shared<P> {
    /// Is true from the moment on when the work is to end.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.stop
    }

    /// What is known, to be looked at or to be told.
    pub(crate) fn progress(&self) -> MutexGuard<'_, P> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Send + 'static, T: Send + 'static> Background<P, T> {
    /// Begins it.
    ///
    /// # Errors
    /// The kernel refuses a thread.
    pub(crate) fn start(
        name: &str,
        progress: P,
        work: impl FnOnce(&Shared<P>) -> T + Send + 'static,
    ) -> io::Result<Self> {
        let shared =
            Arc::new(Shared { stop: AtomicBool::new(false), progress: Mutex::new(progress) });
        let of_work = Arc::clone(&shared);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || work(&of_work))?;
        let _stops = StopOnDrop(Arc::clone(&shared));
        Ok(Self { shared, thread, _stops })
    }

    pub(crate) fn stop(&self) {
        self.shared.stop.store(true, Relaxed);
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, P> {
        self.shared.progress()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end. A panic of the work goes on in this thread.
    pub(crate) fn join(self) -> T {
        self.thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl<P, T> fmt::Debug for Background<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").field("finished", &self.thread.is_finished()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn whoever_drops_it_stops_it() {
        let (tell, told) = channel();
        let work = Background::start("w", 0, move |shared| {
            while !shared.flag().load(Relaxed) {
                *shared.progress() += 1;
                thread::yield_now();
            }
            tell.send(*shared.progress()).unwrap();
        });
        let work = work.unwrap();
        while *work.progress() < 3 {
            thread::yield_now();
        }
        assert!(!work.is_finished());
        drop(work);
        assert!(told.recv().unwrap() >= 3);
        let work = Background::start("w", (), |shared| {
            while !shared.flag().load(Relaxed) {
                thread::yield_now();
            }
            7
        });
        let work = work.unwrap();
        work.stop();
        assert_eq!(work.join(), 7);
    }
}
