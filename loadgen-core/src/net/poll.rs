//! An epoll instance that wakes at a nanosecond deadline.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::precision::Precision;
use super::spin_window::{LEARN_BELOW, SpinWindow};
use super::sys;
use crate::clock::Nanos;

/// Both directions and the hang-up, edge-triggered.
const INTEREST: libc::c_int = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;

/// Readiness of one registered descriptor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readiness(libc::epoll_event);

impl Readiness {
    /// The token that the descriptor was registered with.
    pub(crate) fn token(self) -> u64 {
        self.0.u64
    }

    /// Bytes, the end of the stream, or an error wait to be read.
    pub(crate) fn readable(self) -> bool {
        self.has(libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR)
    }

    /// A connect ended, or a full send buffer has room again.
    pub(crate) fn writable(self) -> bool {
        self.has(libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR)
    }

    /// The peer will send nothing more: read until the end is seen.
    pub(crate) fn hung_up(self) -> bool {
        self.has(libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR)
    }

    fn has(self, flags: libc::c_int) -> bool {
        self.0.events & flags as u32 != 0
    }
}

/// An epoll instance and its event buffer.
pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
    ready: usize,
    /// Kernels before 5.11: sleep in milliseconds, rounded down, then spin.
    coarse: bool,
    precision: Precision,
    /// How long before a deadline [`Precision::Normal`] stops sleeping.
    window: SpinWindow,
}

impl Poll {
    pub(crate) fn new(precision: Precision) -> io::Result<Self> {
        let empty = libc::epoll_event { events: 0, u64: 0 };
        Ok(Self {
            epoll: sys::epoll_create()?,
            events: vec![empty; 512],
            ready: 0,
            coarse: false,
            precision,
            window: SpinWindow::default(),
        })
    }

    /// Registers a socket for its whole life, edge-triggered and in both
    /// directions, so that no further `epoll_ctl` is needed in steady state.
    pub(crate) fn register(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        sys::epoll_add(&self.epoll, fd, INTEREST as u32, token)
    }

    /// Announces a registered socket again if it is still ready.
    pub(crate) fn rearm(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        sys::epoll_modify(&self.epoll, fd, INTEREST as u32, token)
    }

    /// Registers a descriptor that only wakes the loop (level-triggered reads).
    pub(crate) fn register_waker(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        sys::epoll_add(&self.epoll, fd, libc::EPOLLIN as u32, token)
    }

    /// Waits until something is ready or `wait_ns` have passed. May return early
    /// with nothing, when the deadline is so near that the caller should look at
    /// its clock again instead of sleeping (the spin window).
    pub(crate) fn wait(&mut self, wait_ns: Nanos) -> io::Result<usize> {
        let sleep_ns = match self.precision {
            Precision::Low => wait_ns,
            Precision::Normal => wait_ns.saturating_sub(self.window.ns()),
            Precision::High => 0,
        };
        let teaches = self.precision == Precision::Normal
            && !self.coarse
            && (1..LEARN_BELOW).contains(&sleep_ns);
        let from = if teaches { sys::monotonic_ns() } else { 0 };
        let waited = if self.coarse {
            let ms = i32::try_from(sleep_ns / 1_000_000).unwrap_or(i32::MAX);
            sys::epoll_wait_ms(&self.epoll, &mut self.events, ms)
        } else {
            sys::epoll_wait_ns(&self.epoll, &mut self.events, sleep_ns)
        };
        self.ready = match waited {
            Ok(0) if teaches => {
                self.window.learn(sys::monotonic_ns().saturating_sub(from + sleep_ns));
                0
            }
            Ok(n) => n,
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => 0,
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) && !self.coarse => {
                self.coarse = true;
                0
            }
            Err(error) => return Err(error),
        };
        Ok(self.ready)
    }

    /// Whether more may be ready than the last wait told.
    pub(crate) fn is_full(&self) -> bool {
        self.ready == self.events.len()
    }

    /// How many waits it takes until each of so many sockets has been told of.
    pub(crate) fn waits_for(&self, sockets: usize) -> u32 {
        (sockets / self.events.len()) as u32 + 1
    }

    /// The `i`-th readiness of the last wait.
    pub(crate) fn readiness(&self, i: usize) -> Readiness {
        Readiness(self.events[i])
    }
}
