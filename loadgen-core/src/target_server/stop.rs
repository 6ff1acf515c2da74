//! Ending (or waking) the server from another thread.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends a server, from any thread. Clones end the same server.
#[derive(Debug, Clone)]
pub struct Stopper {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    stopped: AtomicBool,
    bell: UnixStream,
}

impl Stopper {
    /// Asks the server to end. It does so within about 10 ms, also in a freeze.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether the server was asked to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared.stopped.load(Ordering::Acquire)
    }

    /// Makes the server look around, without ending it.
    pub(crate) fn wake(&self) {
        // A full socket means that a wake-up is already on its way.
        let _ = (&self.shared.bell).write(&[1]);
    }
}

/// The server's end of the bell.
#[derive(Debug)]
pub(super) struct Waker(UnixStream);

impl Waker {
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    pub(super) fn silence(&self) {
        let mut rings = [0_u8; 64];
        while matches!((&self.0).read(&mut rings), Ok(n) if n == rings.len()) {}
    }
}

pub(super) fn pair() -> io::Result<(Stopper, Waker)> {
    let (bell, ear) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    ear.set_nonblocking(true)?;
    let shared = Arc::new(Shared { stopped: AtomicBool::new(false), bell });
    Ok((Stopper { shared }, Waker(ear)))
}
