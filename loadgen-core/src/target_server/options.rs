//! What the built-in server is asked to do: [`TargetOptions`].

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::TargetServerError;
use crate::plan::Precision;

/// Times at which the server does nothing; see the
/// [module documentation](crate::target_server) for their exact place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Freeze {
    /// How long each one lasts.
    pub length: Duration,
    /// From the start of one to the start of the next, and from the start of the
    /// server to the first. Longer than `length`.
    pub every: Duration,
}

/// Settings of the built-in server. The default listens on a free port of
/// 127.0.0.1 and answers at once with status 200 and 100 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// From the arrival of a request to its reply; at most ten minutes.
    pub delay: Duration,
    /// Requests that are worked on at a time, each for the delay; others wait for
    /// their turn, in the order of their arrival. So `workers / delay` requests a
    /// second are the capacity of the server. 0: no limit. At most 1,000,000.
    pub workers: u32,
    /// When the server does nothing.
    pub freeze: Option<Freeze>,
    /// Bytes of each reply's body. Any number: the body is not kept in memory.
    pub body_bytes: u64,
    /// Sends bodies chunked, so many bytes in a chunk; `None`: by their length.
    pub chunk_bytes: Option<u64>,
    /// Status of the replies, 200 to 599. 204 and 304 have no body.
    pub status: u16,
    /// Requests on one connection before the server closes it; 0: no limit.
    pub keepalive_limit: u64,
    /// A file for the arrival times: `CLOCK_MONOTONIC` in ns, one a line, in the
    /// order of reading. Kept in memory (8 bytes each) and written when the
    /// server ends, so that no disk disturbs it.
    pub arrivals: Option<PathBuf>,
    /// Arrival times kept at most; later ones are counted in
    /// [`arrivals_not_kept`](super::TargetTruth::arrivals_not_kept).
    pub arrivals_limit: usize,
    /// A file for two times of each call: when its request had come to the kernel
    /// (which goes on in a freeze), and when its reply had been given to the kernel,
    /// both whole. In the order of the replies, 16 bytes each; otherwise as
    /// [`arrivals`](Self::arrivals), whose file must be another one. The kernel's time is read by `SO_TIMESTAMPING`;
    /// where it gives none, it is that of the arrival.
    pub calls: Option<PathBuf>,
    /// Calls whose times are kept at most; later ones are counted in
    /// [`calls_not_kept`](super::TargetTruth::calls_not_kept).
    pub calls_limit: usize,
    /// How exactly replies are sent when due, and what it costs. With
    /// [`Precision::High`] the thread never sleeps (but in freezes), which also
    /// makes arrival times good to a µs; otherwise an idle CPU adds its wake-up
    /// time (about 45 µs) to them.
    pub precision: Precision,
}

impl Default for TargetOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            delay: Duration::ZERO,
            workers: 0,
            freeze: None,
            body_bytes: 100,
            chunk_bytes: None,
            status: 200,
            keepalive_limit: 0,
            arrivals: None,
            arrivals_limit: 10_000_000,
            calls: None,
            calls_limit: 10_000_000,
            precision: Precision::Normal,
        }
    }
}

impl TargetOptions {
    /// The default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets where to listen.
    #[must_use]
    pub fn with_listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    /// Sets the time from the arrival of a request to its reply.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets how many requests are worked on at a time; 0: no limit.
    #[must_use]
    pub fn with_workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// Makes the server do nothing for `length`, every `every`.
    #[must_use]
    pub fn with_freeze(mut self, length: Duration, every: Duration) -> Self {
        self.freeze = Some(Freeze { length, every });
        self
    }

    /// Sets the size of the replies' bodies.
    #[must_use]
    pub fn with_body_bytes(mut self, body_bytes: u64) -> Self {
        self.body_bytes = body_bytes;
        self
    }

    /// Sends the bodies chunked, so many bytes in a chunk.
    #[must_use]
    pub fn with_chunk_bytes(mut self, chunk_bytes: u64) -> Self {
        self.chunk_bytes = Some(chunk_bytes);
        self
    }

    /// Sets the status of the replies.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Closes a connection after this many requests; 0: never.
    #[must_use]
    pub fn with_keepalive_limit(mut self, requests: u64) -> Self {
        self.keepalive_limit = requests;
        self
    }

    /// Writes the arrival times of requests to a file when the server ends.
    #[must_use]
    pub fn with_arrivals(mut self, path: impl Into<PathBuf>) -> Self {
        self.arrivals = Some(path.into());
        self
    }

    /// Keeps at most this many arrival times.
    #[must_use]
    pub fn with_arrivals_limit(mut self, limit: usize) -> Self {
        self.arrivals_limit = limit;
        self
    }

    /// Writes the times of calls to a file when the server ends.
    #[must_use]
    pub fn with_calls(mut self, path: impl Into<PathBuf>) -> Self {
        self.calls = Some(path.into());
        self
    }

    /// Keeps the times of at most this many calls.
    #[must_use]
    pub fn with_calls_limit(mut self, limit: usize) -> Self {
        self.calls_limit = limit;
        self
    }

    /// Sets how exactly replies are sent when due.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    pub(super) fn check(&self) -> Result<(), TargetServerError> {
        let minute = Duration::from_secs(60);
        if self.delay > 10 * minute {
            return Err(range("the delay", "at most ten minutes", format!("{:?}", self.delay)));
        }
        if self.workers > 1_000_000 {
            let value = self.workers.to_string();
            return Err(range("the number of workers", "at most 1,000,000", value));
        }
        if self.workers > 0 && self.delay.is_zero() {
            return Err(range(
                "the delay",
                "above 0 where workers are limited, since they are busy for that time",
                format!("{:?}", self.delay),
            ));
        }
        if !(200..=599).contains(&self.status) {
            return Err(range("the status", "200 to 599", self.status.to_string()));
        }
        if self.chunk_bytes == Some(0) {
            return Err(range("the size of a chunk", "at least 1 byte", "0".to_owned()));
        }
        if let Some(file) = self.calls.as_ref().filter(|_| self.calls == self.arrivals) {
            let what = "the file for the times of calls";
            return Err(range(what, "another one than that for arrivals", format!("{file:?}")));
        }
        // A frame of a few bytes a byte must not overflow.
        if self.body_bytes > u64::MAX / 16 {
            return Err(range("the body", "at most 2^60 bytes", self.body_bytes.to_string()));
        }
        if let Some(Freeze { length, every }) = self.freeze
            && (length.is_zero() || length >= every || every > 24 * 60 * minute)
        {
            return Err(range(
                "a freeze",
                "longer than 0 and shorter than its period, which is at most a day",
                format!("{length:?} every {every:?}"),
            ));
        }
        Ok(())
    }
}

fn range(what: &'static str, range: &'static str, value: String) -> TargetServerError {
    TargetServerError::Option { what, range, value }
}
