//! `autobenchd`: runs httperf tests for admins on other machines. Each admin has a
//! thread; one test runs at a time, whatever the number of admins, because tests that
//! share a machine disturb each other. An admin is not trusted: see [`crate::allowed`]
//! and the limits below.

pub mod setup;
mod visit;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;

use crate::reason::reason;
use crate::start::status;
use crate::tester::Tester;

/// Port of the original.
pub const PORT: u16 = 4600;

/// How a daemon is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether tests may read files of this machine (`--wlog`, `--wsesslog`, …).
    pub files: bool,
    /// Admins at a time; more are turned away.
    pub most_admins: usize,
    /// How long an admin may stay silent while it has no test.
    pub idle: Duration,
    /// How far ahead a test may be ordered.
    pub furthest_start: Duration,
}

impl Settings {
    /// The usual settings. Files may be read only for admins of this machine.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            files: address.ip().is_loopback(),
            most_admins: 8,
            idle: Duration::from_secs(600),
            furthest_start: Duration::from_secs(300),
        }
    }
}

/// Why a daemon does not come up.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// The address is taken or not ours.
    #[error("Couldn't bind to port {}: {} ({})", .address.port(), reason(.source), .address.ip())]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl DaemonError {
    /// The exit status that it means.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Bind { source, .. } => status(source),
        }
    }
}

/// Where a daemon tells what it does.
pub struct Log {
    sink: Mutex<Box<dyn Write + Send>>,
    verbose: bool,
    debug: bool,
}

impl Log {
    /// A log that writes to `sink`: progress if `verbose`, raw reports if `debug`.
    #[must_use]
    pub fn new(sink: Box<dyn Write + Send>, verbose: bool, debug: bool) -> Self {
        Self { sink: Mutex::new(sink), verbose, debug }
    }

    /// A line that matters always. What comes from an admin cannot steer a terminal.
    fn warn(&self, line: &str) {
        let line: String = line.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let _ = writeln!(lock(&self.sink), "{line}");
    }

    /// A line of progress.
    fn progress(&self, line: &str) {
        if self.verbose {
            self.warn(line);
        }
    }
}

impl Write for &Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A log that cannot be written is no reason to stop a test.
        let _ = lock(&self.sink).write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A lock that a panic of another thread does not spoil: what these locks hold is
/// consistent at any time.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What all threads of a daemon share.
struct Shared {
    settings: Settings,
    tester: Box<dyn Tester>,
    log: Log,
    stopping: AtomicBool,
    /// Held by the test that runs.
    turn: Mutex<()>,
    /// The connections there are, by number.
    admins: Mutex<BTreeMap<u64, TcpStream>>,
}

/// A daemon that listens.
pub struct Daemon {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// Ends a daemon from another thread.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Handle {
    /// Ends the daemon: running tests are stopped and reported to their admins as
    /// failed, nobody else is let in.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        for stream in lock(&self.shared.admins).values() {
            // Ends the reading; the answer can still be sent.
            let _ = stream.shutdown(Shutdown::Read);
        }
        // Wakes the accepting thread.
        let _ = TcpStream::connect_timeout(&reachable(self.address), Duration::from_secs(1));
    }
}

/// An address under which a listener on this machine can be called.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip([127, 0, 0, 1].into()),
        IpAddr::V6(ip) if ip.is_unspecified() => {
            address.set_ip(std::net::Ipv6Addr::LOCALHOST.into());
        }
        _ => {}
    }
    address
}

impl Daemon {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// [`DaemonError::Bind`].
    pub fn bind(
        settings: Settings,
        tester: Box<dyn Tester>,
        log: Log,
    ) -> Result<Self, DaemonError> {
        let address = settings.address;
        let failed = |source| DaemonError::Bind { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Shared {
            settings,
            tester,
            log,
            stopping: AtomicBool::new(false),
            turn: Mutex::new(()),
            admins: Mutex::new(BTreeMap::new()),
        };
        Ok(Self { listener, address, shared: Arc::new(shared) })
    }

    /// Where it listens, with the port that the system chose for 0.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What ends it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared), address: self.address }
    }

    /// Serves until [`Handle::stop`]; returns when the last test is over.
    pub fn serve(self) {
        let Self { listener, address, shared } = self;
        shared.log.progress(&format!("Listening on {address}"));
        let mut visits: Vec<JoinHandle<()>> = Vec::new();
        for number in 0.. {
            shared.log.progress("");
            shared.log.progress("Waiting for connection...");
            let accepted = listener.accept();
            if shared.stopping.load(Ordering::SeqCst) {
                break;
            }
            match accepted {
                Ok((stream, peer)) => visits.extend(admit(&shared, number, stream, peer)),
                Err(error) => {
                    // Out of descriptors, most likely: it passes, but not at once.
                    shared.log.warn(&format!("autobenchd: cannot accept: {}", reason(&error)));
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            visits.retain(|visit| !visit.is_finished());
        }
        for visit in visits {
            // A visit that panicked has ended, too.
            let _ = visit.join();
        }
    }
}

/// Gives an admin its thread, if there is room for it.
fn admit(
    shared: &Arc<Shared>,
    number: u64,
    stream: TcpStream,
    peer: SocketAddr,
) -> Option<JoinHandle<()>> {
    shared.log.progress(&format!("Accepted connection from {peer}"));
    let mut admins = lock(&shared.admins);
    // Under the lock, so that nobody slips in behind `Handle::stop`.
    if shared.stopping.load(Ordering::SeqCst) {
        return None;
    }
    if admins.len() >= shared.settings.most_admins {
        shared.log.warn(&format!("autobenchd: turned {peer} away, there are too many admins"));
        return None;
    }
    let visit = stream.try_clone().and_then(|copy| {
        let of_visit = Arc::clone(shared);
        let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
            visit::serve(&of_visit, &stream, peer);
            lock(&of_visit.admins).remove(&number);
        })?;
        admins.insert(number, copy);
        Ok(thread)
    });
    visit
        .map_err(|error| {
            shared.log.warn(&format!("autobenchd: cannot serve {peer}: {}", reason(&error)));
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_called_on_loopback() {
        let called = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(called("0.0.0.0:4600"), "127.0.0.1:4600");
        assert_eq!(called("[::]:4600"), "[::1]:4600");
        assert_eq!(called("10.0.0.1:4600"), "10.0.0.1:4600");
    }

    #[test]
    fn files_are_for_admins_of_this_machine() {
        let files = |address: &str| Settings::at(address.parse().unwrap()).files;
        assert!(files("127.0.0.1:1") && files("[::1]:1"));
        assert!(!files("0.0.0.0:1") && !files("10.0.0.1:1"));
    }
}
