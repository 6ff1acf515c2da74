//! The built-in server: answers every request after a programmed delay, stops
//! answering at programmed times, and knows exactly when it did what.
//!
//! It exists so that a measurement can be checked against the truth. It is not a
//! web server: it has one reply, reads no files and knows no paths.
//!
//! # What it does, exactly
//!
//! All times are `CLOCK_MONOTONIC`. One thread does everything.
//!
//! - A request *arrives* at the time t at which the server has read its last byte
//!   (the clock is read directly after the `recv` that returned it). Requests of
//!   one `recv` share their t.
//! - Its reply is *due* at t + [delay](TargetOptions::with_delay), or when the
//!   reply before it on the same connection is due, if that is later (replies
//!   keep the order of the requests). With no delay it is due at t.
//! - With N [workers](TargetOptions::with_workers) a request is worked on from its
//!   arrival, or from when the first of them is free, if that is later; its reply is
//!   due a delay after that. They go on in a freeze: what they finish in it is sent at
//!   its end.
//! - A [`Freeze`] of length L every E covers `[s + n·E, s + n·E + L)` for n = 1, 2,
//!   …, where s is the moment at which the server began to serve
//!   ([`TargetTruth::started_monotonic_ns`]). In it the thread sleeps: it reads
//!   nothing, sends nothing, accepts nothing. Requests that come in meanwhile
//!   are read at its end (so they arrive then, and are answered `delay` later);
//!   replies that became due meanwhile are sent at its end. The kernel goes on
//!   acknowledging segments and completing handshakes (up to the listen backlog
//!   of 4096), as it does for a process under `SIGSTOP`.
//! - Serving takes about 10 µs a request on one core, so replies that are due at
//!   once go out one after the other; how late they were is in
//!   [`TargetTruth::send_lateness`].
//!
//! Invariants: requests read = replies sent + replies unsent; memory is bounded by
//! the number of connections (64 KiB of unfinished head and a few thousand
//! waiting replies each at most; a reply is never copied per connection) and by
//! 16 bytes for each request of the last `delay`.

mod behaviour;
mod connection;
mod options;
mod reply;
mod request;
mod serve;
mod stop;
#[cfg(test)]
mod tests;
mod time_log;
mod truth;

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::thread;

use socket2::{Domain, Protocol, Socket, Type};

use crate::net::sys;

pub(crate) use behaviour::Behaviour;
use behaviour::Periodic;
pub use options::{Freeze, TargetOptions};
use serve::Server;
pub use stop::Stopper;
use stop::Waker;
pub use truth::{FreezeTruth, Lateness, TargetTruth};

/// Connections that the kernel completes while the server does not accept
/// (the kernel cuts it to `net.core.somaxconn`, 4096 by default).
const LISTEN_BACKLOG: i32 = 4096;

/// Descriptors that the server asks for, as far as it may.
const DESCRIPTORS: u64 = 65_536;

/// A server that listens and does not serve yet.
#[derive(Debug)]
pub struct TargetServer {
    listener: Socket,
    address: SocketAddr,
    options: TargetOptions,
    stopper: Stopper,
    waker: Waker,
}

/// Why the built-in server could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetServerError {
    /// An option is outside of its range.
    #[error("{what} must be {range}, not {value}")]
    Option {
        /// Which option.
        what: &'static str,
        /// What it may be.
        range: &'static str,
        /// What it is.
        value: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}; choose another port, or 0 for any free one")]
    Listen {
        /// The address as asked for.
        address: SocketAddr,
        /// The error of the system.
        cause: io::Error,
    },
    /// A file for the times of arrivals or calls cannot be written.
    #[error("cannot write times to '{}': {cause}", path.display())]
    Times {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
    /// The kernel refused something that the server cannot do without.
    #[error("the built-in server cannot go on ({what}): {cause}")]
    System {
        /// What was asked of the kernel.
        what: &'static str,
        /// Its answer.
        cause: io::Error,
    },
    /// The server's thread panicked: a defect of this program.
    #[error("the server's thread panicked; this is a defect of loadgen: please report it")]
    Panicked,
}

impl TargetServer {
    /// Checks the options and listens. The kernel completes handshakes from here
    /// on; requests are read once [`run`](Self::run) is called. Raises the limit of
    /// open files of this process as far as it may.
    ///
    /// # Errors
    /// [`TargetServerError`] if an option is out of range or the address is taken.
    pub fn bind(options: TargetOptions) -> Result<Self, TargetServerError> {
        options.check()?;
        crate::net::limits::raise_descriptor_limit(DESCRIPTORS);
        let (listener, address) = listen(options.listen, options.calls.is_some())
            .map_err(|cause| TargetServerError::Listen { address: options.listen, cause })?;
        let (stopper, waker) = stop::pair()
            .map_err(|cause| TargetServerError::System { what: "wake-up socket", cause })?;
        Ok(Self { listener, address, options, stopper, waker })
    }

    /// The address that it listens on, with the port that the kernel chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the server, such as `http://127.0.0.1:41234/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// A handle that ends the server from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Serves on this thread until a [`Stopper`] ends it.
    ///
    /// # Errors
    /// [`TargetServerError`] if the kernel refuses what it needs, or the times of
    /// arrivals or calls cannot be written.
    pub fn run(self) -> Result<TargetTruth, TargetServerError> {
        let behaviour = Periodic::new(self.options.delay, self.options.freeze)
            .with_workers(self.options.workers);
        self.run_as(behaviour)
    }

    /// Serves with a behaviour that is not fixed from the start.
    pub(crate) fn run_as(
        self,
        behaviour: impl Behaviour,
    ) -> Result<TargetTruth, TargetServerError> {
        Server::new(self.listener, self.address, self.options, self.stopper, self.waker, behaviour)?
            .run()
    }

    /// Serves on a thread of its own.
    ///
    /// # Errors
    /// [`TargetServerError::System`] if no thread can be started.
    pub fn spawn(self) -> Result<RunningTarget, TargetServerError> {
        let (address, stopper) = (self.address, self.stopper());
        let thread = thread::Builder::new()
            .name("loadgen-target".to_owned())
            .spawn(move || self.run())
            .map_err(|cause| TargetServerError::System { what: "thread", cause })?;
        Ok(RunningTarget { address, stopper, thread: Some(thread) })
    }
}

/// A server on a thread of its own; ends when dropped.
#[derive(Debug)]
pub struct RunningTarget {
    address: SocketAddr,
    stopper: Stopper,
    thread: Option<thread::JoinHandle<Result<TargetTruth, TargetServerError>>>,
}

impl RunningTarget {
    /// The address that it listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Ends the server and returns what it knows.
    ///
    /// # Errors
    /// As [`TargetServer::run`].
    pub fn stop(mut self) -> Result<TargetTruth, TargetServerError> {
        self.stopper.stop();
        match self.thread.take().map(thread::JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err(TargetServerError::Panicked),
        }
    }
}

impl Drop for RunningTarget {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Listens. `stamped`: the kernel is to tell when it received what is read.
fn listen(address: SocketAddr, stamped: bool) -> io::Result<(Socket, SocketAddr)> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    // A port in TIME_WAIT from the run before is no reason to refuse.
    socket.set_reuse_address(true)?;
    // Inherited by accepted sockets on Linux: one option call a server, not one
    // a connection.
    socket.set_tcp_nodelay(true)?;
    if stamped {
        // Inherited, too, by those that come from here on.
        sys::stamp_receipts(socket.as_fd())?;
    }
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    let local = socket
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("the kernel gave an address that is not one of IP"))?;
    Ok((socket, local))
}
